"""Serves a folder with tftpy, which comes as a library without commands.

Run by the interop tests and the conformance matrix as a foreign server until a signal ends
it; takes uploads too. Must not know about `tftp`: what it does on the wire is tftpy's doing
alone.
"""

import argparse
import contextlib
import signal
import sys
from importlib.metadata import version

import tftpy


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=version("tftpy"))
    parser.add_argument("-i", "--ip", default="127.0.0.1")
    parser.add_argument("-p", "--port", type=int, default=69)
    parser.add_argument("-r", "--root", default=".")
    chosen = parser.parse_args()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = tftpy.TftpServer(chosen.root)
    with contextlib.suppress(KeyboardInterrupt):
        server.listen(chosen.ip, chosen.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
