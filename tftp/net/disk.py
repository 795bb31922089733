"""Files whose octets may have to come from a disk first, for a loop that must not wait.

`DiskSource` takes only what the kernel has in memory (`RWF_NOWAIT`), in the call that reads
anyway. What is missing there is `Cold`: a thread reads the file ahead, piece by piece, which
leaves its octets in the page cache; then it is asked for again. A file that was cold once is
kept ahead of its reader from then on. Where the kernel cannot tell, only what a thread has
read counts as being in memory. Must not know about packets, or how threads are had.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

from tftp.errors import FileChanged, LocalError
from tftp.net.buffers import IOV_MAX, Writable
from tftp.net.cold import Cold, Helper
from tftp.net.files import FILE_CHANGED, FileSource
from tftp.net.refusal import refusal

__all__ = ["AHEAD", "PIECE", "DiskSource"]

PIECE = 256 << 10
"""Octets read before a loop that waits is told: more than any train, and soon here.

While nobody waits, they double up to half of what is read ahead.
"""

AHEAD = 4 << 20
"""Octets that are to be in memory before their reader comes; asked for at half of them."""

PLACE = 64 << 10  # octets at a time that a thread reads, always to the same place

NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
NOT_SUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
MEMORY = {"devtmpfs", "hugetlbfs", "ramfs", "rootfs", "tmpfs"}  # file systems without a disk
MOUNTS = Path("/proc/self/mountinfo")


class DiskSource(FileSource):
    """A regular file for a loop: `read_into` raises Cold instead of waiting for a disk."""

    __slots__ = ("_ahead", "_asks", "_in_memory", "_turn")

    def __init__(self, file: int) -> None:
        self._ahead: _Ahead | None = None
        self._asks = NOWAIT != 0
        """Whether the kernel tells what is in memory."""
        self._in_memory = False
        self._turn = sys.maxsize
        """The offset from which on there is more to be read ahead."""
        super().__init__(file)

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Reads with one `preadv` as a rule. Raises Cold too: then ask again after `fetch`."""
        room = sum(map(len, buffers))
        wanted = max(0, min(room, self.size - offset))
        if self._asks:
            count = -1
            try:
                count = os.preadv(self._file, buffers[:IOV_MAX], offset, NOWAIT)
            except OSError as error:  # whatever else is wrong, the thread will find
                if error.errno in NOT_SUPPORTED:
                    self._asks = False
                    self._in_memory = _is_in_memory(os.fstat(self._file).st_dev)
            # Some kernels say 0 for "not now". The end of the file is where it was at first,
            # so that anything short is for the thread to judge.
            if count >= wanted:
                if offset >= self._turn:
                    self._read_on(offset)
                if wanted < room:
                    self._check()
                return wanted
        if not wanted or self._in_memory or self._is_fetched(offset, offset + wanted):
            return super().read_into(buffers, offset)
        raise Cold(self)

    def fetch(self, helper: Helper, tell: Callable[[], None]) -> None:
        """Reads ahead from where it was cold, and stays ahead of the reader from now on."""
        assert self._ahead is not None, "it was cold"
        self._ahead.hurry(helper, tell)
        self._read_on(self._ahead.missed)

    def close(self) -> None:
        """Gives the descriptor back, once no thread reads from it any more."""
        if self._ahead is None:
            super().close()
        elif not self._ahead.given_up:
            self._ahead.give_up(super().close)

    def _is_fetched(self, offset: int, end: int) -> bool:
        """Tells whether to read these octets although the kernel does not say they are there.

        If not, notes that they are missing. Raises LocalError where a thread could not read.
        """
        ahead = self._ahead
        if ahead is None:
            ahead = self._ahead = _Ahead(self._file)
        if offset == ahead.missed:
            ahead.check(offset, end)
        if ahead.begin <= offset and end <= ahead.end:
            if self._asks and offset == ahead.missed:
                self._asks = False  # just read, and "not there": this kernel's word is no use
            if not self._asks:
                if offset >= self._turn:
                    self._read_on(offset)
                return True
            ahead.forget(offset)  # it was there, but memory was short
        ahead.missed = offset
        return False

    def _read_on(self, offset: int) -> None:
        assert self._ahead is not None, "it was cold"
        goal = min(self.size, offset + AHEAD)
        self._turn = goal - AHEAD // 2 if goal < self.size else sys.maxsize
        self._ahead.read_on(offset, goal)


class _Ahead:
    """What a thread has read of a file, [begin, end), and how far it is to get.

    Lives in the loop's thread; the other one is lent the descriptor, and returns a number.
    """

    __slots__ = (
        "_advised",
        "_file",
        "_give_back",
        "_goal",
        "_helper",
        "_reading",
        "_size",
        "_tell",
        "_trouble",
        "begin",
        "end",
        "given_up",
        "missed",
    )

    def __init__(self, file: int) -> None:
        """Borrows the descriptor; nothing is read yet."""
        self._file = file
        self._advised = 0  # the kernel knows what will be wanted up to there
        self._give_back: Callable[[], None] | None = None
        self._goal = 0
        self._helper: Helper | None = None
        self._reading = False
        self._size = PIECE
        self._tell: Callable[[], None] | None = None
        self._trouble: tuple[int, LocalError] | None = None
        self.begin = self.end = -1
        self.given_up = False
        """Whether nobody wants it any more."""
        self.missed = -1
        """Where the reader was when it was cold the last time."""

    def hurry(self, helper: Helper, tell: Callable[[], None]) -> None:
        """Takes who reads, and whom to tell: somebody waits."""
        self._helper, self._tell = helper, tell
        self._size = PIECE

    def check(self, offset: int, end: int) -> None:
        """Raises what kept the thread from reading, if that was one of these octets."""
        if self._trouble is not None and offset <= self._trouble[0] < end:
            raise self._trouble[1]

    def forget(self, offset: int) -> None:
        """Begins anew from an offset."""
        self.begin = self.end = self._advised = offset

    def read_on(self, offset: int, goal: int) -> None:
        """Has the thread read as far as `goal`; its reader is at `offset`."""
        if not self.begin <= offset <= self.end:
            self.forget(offset)
        self._goal = goal
        if not self._reading and self.end < goal:
            self._read()

    def give_up(self, give_back: Callable[[], None]) -> None:
        """Has the descriptor given back as soon as no thread has it."""
        self.given_up = True
        self._helper = self._tell = None
        if self._reading:
            self._give_back = give_back
        else:
            give_back()

    def _read(self) -> None:
        assert self._helper is not None, "only `fetch` begins it"
        self._reading = True
        self._trouble = None
        start, size = self.end, min(self._size, self._goal - self.end)
        news = range(self._advised, self._goal)
        self._advised = self._goal
        self._size = min(2 * self._size, AHEAD // 2)
        work = partial(_read_piece, self, self._file, range(start, start + size), news)
        self._helper.run(work, partial(self._took, start))

    def _took(self, start: int, result: int | LocalError) -> None:
        """Takes what the thread says about the octets from `start` on."""
        self._reading = False
        if self._give_back is not None:
            give_back, self._give_back = self._give_back, None
            give_back()
            return
        if start == self.end:  # and not forgotten meanwhile
            if isinstance(result, LocalError):
                self._trouble = start, result
            else:
                self.end += result
        if self._trouble is None and self.end < self._goal:
            self._read()
        if self._tell is not None:
            self._tell()


def _read_piece(ahead: _Ahead, file: int, piece: range, news: range) -> int | LocalError:
    """Waits for a piece of a file to be in memory; returns its octets or why it is not.

    The disk hears first what else will be wanted: `news`.
    """
    if ahead.given_up:
        return 0
    try:
        if news:
            with suppress(OSError):  # it is advice
                os.posix_fadvise(file, news.start, len(news), os.POSIX_FADV_WILLNEED)
        places = [bytearray(PLACE)] * -(-len(piece) // PLACE)
        count = os.preadv(file, places, piece.start)
    except OSError as error:
        return refusal(error)
    return count or FileChanged(FILE_CHANGED)


@lru_cache(maxsize=64)
def _is_in_memory(device: int) -> bool:
    """Tells whether a file system has no disk beneath, as far as the system says."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), MOUNTS.open(encoding="utf-8", errors="replace") as mounts:
        for mount in mounts:
            fields = mount.split(" ")
            if fields[2] == number:
                return fields[fields.index("-") + 1] in MEMORY
    return False
