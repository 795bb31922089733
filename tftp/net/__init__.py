"""Floor 1, the kernel: sockets, files, time, and the driver that joins them to the core."""
