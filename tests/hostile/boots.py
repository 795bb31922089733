"""Boards that boot, twenty by default, all at once: a program of its own.

    python -m tests.hostile.boots PORT [--boards 20]

A board looks for a few files that are not there, fetches its settings and its boot loader in
lock-step, then a kernel with the window that its firmware knows. Each has its own loopback
address, uses the client of this project, and compares every octet. Prints as JSON how long
each boot took. `lay_out` makes the files that the server has to have.
"""

import argparse
import io
import json
import random
import threading
import time
from pathlib import Path
from typing import NamedTuple

import tftp
from tests.hostile.flood import HOST
from tftp.net.files import Readable

__all__ = ["FILES", "Boots", "lay_out"]

SIZES = {"loader": 60_000, "default.cfg": 700, "kernel": 28 << 20, "board.dtb": 30_000}
PROBES = ("pxelinux.cfg/01-52-54-00-12-34-56", "pxelinux.cfg/C0A8")
WINDOWS = (1, 1, 4, 16)  # of the kernel, by turns
BLOCK_SIZE = 1428


def _content(name: str) -> bytes:
    return random.Random(name).randbytes(SIZES[name])


FILES = tuple(SIZES)


class Boots(NamedTuple):
    """How it went."""

    seconds: list[float]
    """How long each board took that has booted."""
    failures: list[str]
    """What the others met with."""
    total: float
    """From the power button to the last board."""
    slowest: dict[str, float]
    """The longest time that any board waited for a file of that name."""


def lay_out(root: Path) -> None:
    """Writes the files that the boards ask for."""
    for name in FILES:
        (root / name).write_bytes(_content(name))


class Compared(io.BytesIO):
    """A file that keeps nothing, and knows what should be written to it."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = memoryview(content)
        self._same = True
        self._written = 0

    def write(self, octets: Readable) -> int:  # type: ignore[override]
        view = memoryview(octets)
        begin, self._written = self._written, self._written + len(view)
        self._same = self._same and self._content[begin : self._written] == view
        return len(view)

    def check(self) -> None:
        """Fails unless all of the content was written, and nothing else."""
        assert self._same, "octets are not what they were"
        assert self._written == len(self._content), "octets are missing"


class Board:
    """One board, in its own thread."""

    def __init__(self, number: int, port: int, contents: dict[str, bytes]) -> None:
        self.address = f"127.0.1.{number + 1}"
        self._window = WINDOWS[number % len(WINDOWS)]
        self._port = port
        self._contents = contents
        self.waits: dict[str, float] = {}
        self.seconds = 0.0
        self.failure = ""

    def boot(self) -> None:
        """Goes through the whole sequence; notes what went wrong."""
        began = time.monotonic()
        try:
            for name in PROBES:
                self._miss(name)
            self._fetch("loader", 1)
            for name in PROBES:
                self._miss(name)
            self._fetch("default.cfg", 1)
            self._fetch("kernel", self._window)
            self._fetch("board.dtb", 1)
        except Exception as error:  # whatever it is, the board has not booted
            self.failure = f"{self.address}: {type(error).__name__}: {error}"
        self.seconds = time.monotonic() - began

    def _get(self, name: str, window: int, into: "Compared") -> None:
        began = time.monotonic()
        self.waits.setdefault(name, 0.0)
        try:
            tftp.download(
                HOST,
                name,
                into,
                port=self._port,
                block_size=BLOCK_SIZE,
                window=window,
                local_address=self.address,
                linger=0,
            )
        finally:
            self.waits[name] = max(self.waits[name], time.monotonic() - began)

    def _fetch(self, name: str, window: int) -> None:
        compared = Compared(self._contents[name])
        self._get(name, window, compared)
        compared.check()

    def _miss(self, name: str) -> None:
        try:
            self._get(name, 1, Compared(b""))
        except tftp.PeerError as error:
            if error.code == 1:
                return
            raise
        raise AssertionError(f"{name} is not there, and was served")


def boot_all(port: int, count: int, longest: float) -> Boots:
    """Boots so many boards at once, and waits for the last one, though not for ever."""
    contents = {name: _content(name) for name in FILES}
    boards = [Board(number, port, contents) for number in range(count)]
    threads = [threading.Thread(target=board.boot, daemon=True) for board in boards]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + longest - time.monotonic()))
    for board, thread in zip(boards, threads, strict=True):
        if thread.is_alive():
            board.failure = f"{board.address}: it still fetches {list(board.waits)[-1]}"
    total = time.monotonic() - began
    names = dict.fromkeys(name for board in boards for name in board.waits)
    slowest = {name: max(board.waits.get(name, 0.0) for board in boards) for name in names}
    return Boots(
        [board.seconds for board in boards if not board.failure],
        [board.failure for board in boards if board.failure],
        total,
        slowest,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Boots boards from a server on this machine.")
    parser.add_argument("port", type=int)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--longest", type=float, default=60.0, help="seconds")
    given = parser.parse_args()
    print(json.dumps(boot_all(given.port, given.boards, given.longest)._asdict()), flush=True)


if __name__ == "__main__":
    main()
