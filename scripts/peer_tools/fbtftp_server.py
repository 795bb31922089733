"""Serves a folder with fbtftp, which is a framework that leaves the files to its user.

Run by the conformance matrix as a foreign server until a signal ends it; fbtftp takes no
uploads. Must not know about `tftp`: what it does on the wire is fbtftp's doing alone.
"""

import argparse
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from fbtftp.base_handler import BaseHandler, ResponseData
from fbtftp.base_server import BaseServer

RETRIES = 5
TIMEOUT = 5  # seconds; both as in fbtftp's own example


class FileData(ResponseData):
    """The octets of one file."""

    def __init__(self, path: Path) -> None:
        self._size = path.stat().st_size
        self._file = path.open("rb")

    def read(self, size: int) -> bytes:
        """Returns the next octets."""
        return self._file.read(size)

    def size(self) -> int:
        """Returns how many there are in all."""
        return self._size

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()


class Handler(BaseHandler):
    """One transfer, in a process of its own."""

    def __init__(self, root: Path, *about: object) -> None:
        self._root = root
        super().__init__(*about, lambda _: None)

    def get_response_data(self) -> FileData:
        """Finds the file; what lies outside of the folder does not exist."""
        name = os.fsdecode(self._path.encode("latin-1"))  # as which fbtftp has read it
        path = (self._root / name.lstrip("/")).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            raise FileNotFoundError("File not found")
        return FileData(path)


class Server(BaseServer):
    """What listens."""

    def __init__(self, address: str, port: int, root: Path) -> None:
        self._root = root
        super().__init__(address, port, RETRIES, TIMEOUT)

    def get_handler(self, server: object, peer: object, path: str, options: object) -> Handler:
        """Makes the handler of a request."""
        return Handler(self._root, server, peer, path, options)


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=version("fbtftp"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("root", type=Path)
    chosen = parser.parse_args()

    # It forks for each request and never waits for its children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    Server(chosen.address, chosen.port, chosen.root.resolve()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
