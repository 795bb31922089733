"""A disk that is as slow as a test wants it to be, and a thread that works when it is told.

`Kernel` stands before the real `preadv` with a page cache of its own: it says what is in
memory, and notes whenever the loop would have waited for the disk. `Hand` is the helper.
"""

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from tftp.net.cold import Cold
from tftp.net.disk import DiskSource
from tftp.net.files import Source

__all__ = [
    "TRAIN",
    "Hand",
    "Kernel",
    "chill",
    "is_cold",
    "open_source",
    "read",
    "read_all",
    "wait",
]

T = TypeVar("T")
PAGE = 4096
TRAIN = 44 * 1428


class Kernel:
    """A page cache, and what it says when it is asked not to wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes the place of `os.preadv`; nothing is in memory."""
        self.memory: set[int] = set()
        """The pages that are there, whatever the file."""
        self.refusal: int | None = None
        """The error number for whoever asks with a flag; None: it tells what is in memory."""
        self.bad: set[int] = set()
        """Pages that cannot be read."""
        self.beside = False
        """Whether it is the thread that calls."""
        self.stalls: list[int] = []
        """The offsets where the loop has waited for the disk."""
        self.asked = 0
        """How often somebody asked with the flag."""
        self._preadv = os.preadv
        monkeypatch.setattr(os, "preadv", self.preadv)

    def preadv(
        self, file: int, buffers: Sequence[bytearray | memoryview], offset: int, flags: int = 0
    ) -> int:
        end = min(offset + sum(map(len, buffers)), os.fstat(file).st_size)
        pages = range(offset // PAGE, -(-end // PAGE))
        if flags:
            return self._ask(file, buffers, offset, pages)
        if not self.beside and not self.memory.issuperset(pages):
            self.stalls.append(offset)
        for page in pages:
            if page in self.bad:
                if page > pages[0]:
                    break
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self.memory.add(page)
        else:
            return self._preadv(file, buffers, offset)
        return self._preadv(file, _cut(buffers, page * PAGE - offset), offset)

    def _ask(
        self, file: int, buffers: Sequence[bytearray | memoryview], offset: int, pages: range
    ) -> int:
        self.asked += 1
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal))
        known = [page for page in pages if page in self.memory]
        missing = next((page for page in pages if page not in self.memory), None)
        if missing is None:
            return self._preadv(file, buffers, offset)
        if not known or missing == pages[0]:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return self._preadv(file, _cut(buffers, missing * PAGE - offset), offset)


class Hand:
    """A helper whose thread stands still until a test lets it do a piece of work."""

    def __init__(self, kernel: Kernel | None = None) -> None:
        self.waiting: deque[Callable[[], Callable[[], None]]] = deque()
        self._kernel = kernel

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        self.waiting.append(lambda: partial(then, work()))

    def work(self) -> Callable[[], None]:
        """Does what waits longest, as the thread; returns what the loop has to do then."""
        work = self.waiting.popleft()
        if self._kernel is None:
            return work()
        self._kernel.beside = True
        try:
            return work()
        finally:
            self._kernel.beside = False

    def turn(self) -> None:
        """Does a piece of work, and what follows."""
        self.work()()

    def finish(self) -> int:
        """Does all work; returns how many pieces that was."""
        count = 0
        while self.waiting:
            self.turn()
            count += 1
        return count


def chill(path: Path) -> None:
    """Has the kernel forget what it has of a file."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def is_cold(path: Path) -> bool:
    """Tells whether the kernel says so; False too where it cannot tell. It may read ahead now."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT) != 1
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)


def open_source(path: Path) -> DiskSource:
    return DiskSource(os.open(path, os.O_RDONLY))


def read(source: Source, offset: int, size: int = TRAIN) -> bytes:
    """Reads as a train does, into several places."""
    buffer = memoryview(bytearray(size))
    count = source.read_into([buffer[: size // 3], buffer[size // 3 :]], offset)
    return bytes(buffer[:count])


def wait(source: Source, hand: Hand, offset: int, size: int = TRAIN) -> bytes:
    """Reads as the loop does: where it is cold, a thread helps until it is not."""
    told: list[bool] = []
    for _ in range(5):
        try:
            return read(source, offset, size)
        except Cold as cold:
            cold.source.fetch(hand, lambda: told.append(True))
            while not told:
                hand.turn()
            told.clear()
    raise AssertionError("cold for ever")


def read_all(source: Source, hand: Hand, size: int = TRAIN) -> bytes:
    whole = bytearray()
    while piece := wait(source, hand, len(whole), size):
        whole += piece
    return bytes(whole)


def _cut(buffers: Sequence[bytearray | memoryview], size: int) -> list[memoryview]:
    """Returns places for the first `size` octets of some buffers."""
    cut = []
    for buffer in buffers:
        cut.append(memoryview(buffer)[:size])
        size -= len(cut[-1])
    return cut
