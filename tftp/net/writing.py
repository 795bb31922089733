"""Writing all of something to a descriptor or a binary file object, however slow it is.

A pipe takes a part and then nothing for a while, and a file object of Python says so in a
way of its own. An OSError is the caller's to judge. Must not know what is written, or why.
"""

import os
import select
from collections.abc import Sequence
from typing import IO

from tftp.net.buffers import IOV_MAX, Readable, after

__all__ = ["wait_until", "write_all", "write_to"]


def write_all(file: int, views: Sequence[Readable]) -> int:
    """Writes all octets to a descriptor, waiting where it would block; returns their number.

    Raises OSError; then some of them may have been written.
    """
    wanted = sum(map(len, views))
    done = 0
    while done < wanted:
        try:
            count = os.writev(file, views[:IOV_MAX])
        except BlockingIOError:
            wait_until(select.POLLOUT, file)
            continue
        done += count
        if done < wanted:
            views = after(views, count)
    return wanted


def write_to(file: IO[bytes], view: Readable) -> int:
    """Does the same for one view and a file object."""
    rest = memoryview(view)
    while rest:
        # A non-blocking raw file says None for "not now", though the type denies it.
        count: int | None = file.write(rest)
        if count is None:
            wait_until(select.POLLOUT, file.fileno())
        else:
            rest = rest[count:]
    return len(view)


def wait_until(event: int, file: int) -> None:
    """Waits for a descriptor to be ready: `select.POLLIN` or `select.POLLOUT`."""
    poll = select.poll()
    poll.register(file, event)
    poll.poll()
