"""The parts of scripts/chaos: which transfers to make, and what to tell of them."""
