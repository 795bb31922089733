"""The protocol core on virtual time: a deterministic world for tests and experiments."""
