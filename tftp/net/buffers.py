"""Lists of buffers, as vectored reads and writes take them.

A train's payloads lie between headers, so what is read or written is a list of places.
The kernel may do a part of one; what is left has to be named again.
Must not know where octets come from.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["IOV_MAX", "Readable", "Writable", "after", "scatter"]

Writable = bytearray | memoryview
Readable = bytes | bytearray | memoryview

IOV_MAX: int = os.sysconf("SC_IOV_MAX")
"""The kernel takes no more buffers than this in one call."""

_View = TypeVar("_View", bound=Readable)


def scatter(data: memoryview, buffers: Sequence[Writable]) -> int:
    """Copies octets into the buffers, in order, until either ends; returns their number."""
    done = 0
    for buffer in buffers:
        count = min(len(buffer), len(data) - done)
        buffer[:count] = data[done : done + count]
        done += count
    return done


def after(views: Sequence[_View], count: int) -> list[_View | memoryview]:
    """Returns what is left of the views when `count` octets are done; they hold more."""
    place = 0
    while count >= len(views[place]):
        count -= len(views[place])
        place += 1
    return [memoryview(views[place])[count:], *views[place + 1 :]]
