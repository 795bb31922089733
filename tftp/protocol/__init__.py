"""The protocol core: no clock, no randomness, no I/O (RFC 1350, 1123 4.2, 2347-2349, 7440)."""
