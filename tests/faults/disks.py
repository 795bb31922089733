"""Disks that fill up or fail, as the calls of the kernel tell it."""

import errno
import os
from collections.abc import Callable, Sequence

import pytest

__all__ = ["Full", "failing", "fails_from"]

Views = Sequence[bytes | bytearray | memoryview]


class Full:
    """A disk that takes so many octets more, and of the write that finds no room a part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 0
        self._writev = os.writev
        monkeypatch.setattr(os, "writev", self.writev)

    def writev(self, file: int, views: Views) -> int:
        octets = b"".join(views)
        if octets and not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = self._writev(file, [octets[: self.room]])
        self.room -= count
        return count


def failing(number: int, after: int = 0) -> Callable[..., int]:
    """A call that fails with this error; not the first so many times."""
    calls = iter(range(1 << 30))

    def fail(*_: object, **__: object) -> int:
        if next(calls) < after:
            return 0
        raise OSError(number, os.strerror(number))

    return fail


def fails_from(monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    """Has files be readable up to an offset, and no further: a bad sector."""
    preadv = os.preadv

    def read(file: int, buffers: Views, offset: int, flags: int = 0) -> int:
        if offset >= bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        cut: list[memoryview] = []
        left = bad - offset
        for buffer in buffers:
            cut.append(memoryview(buffer)[:left])
            left -= len(cut[-1])
        return preadv(file, cut, offset, flags)

    monkeypatch.setattr(os, "preadv", read)
