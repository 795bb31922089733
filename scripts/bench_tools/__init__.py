"""The parts of scripts/bench: a load generator, servers to measure, and what comes of it."""
