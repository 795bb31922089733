"""Sealed packets: DATA as it went out, shared by the transfers of one file.

A hundred machines that boot together fetch the same blocks of the same size, one after
the other. What the first one read and stamped, the others send again as it is. Blocks of
a file are kept under its identity (device, inode, size, times of change), so that a file
which is replaced or rewritten is another one; one that changed a moment ago is not
shared at all, for its clock may not have ticked yet. Must not know about sockets.
"""

from collections import deque
from os import stat_result

__all__ = ["Cache", "Identity", "Shared", "identify"]

Identity = tuple[int, int, int, int, int]
"""Device, inode, size in octets, and the times in nanoseconds when content and status changed.

The second one cannot be set back by whoever writes an older version over a newer one.
"""

# Two changes of a file within one tick of the kernel's clock bear the same time.
SETTLED = 2_000_000_000
"""Nanoseconds after its last change that a file is trusted to have no other content."""


def identify(status: stat_result, now: int) -> Identity | None:
    """Returns what tells a content from any other, or None when it changed a moment ago.

    `now` is the time in nanoseconds since the epoch.
    """
    if now - status.st_mtime_ns <= SETTLED:
        return None
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_size, *times


class Shared:
    """The packets of one file at one block size, by absolute block number."""

    __slots__ = ("key", "packets", "users")

    def __init__(self, key: tuple[Identity, int]) -> None:
        self.key = key
        self.packets: dict[int, bytes] = {}
        self.users = 0
        """How many transfers send it now; packets are worth keeping for two or more."""


class Cache:
    """All that is shared by the transfers of one loop, at most `limit` octets of it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: dict[tuple[Identity, int], Shared] = {}
        self._order: deque[tuple[Shared, int]] = deque()
        self.size = 0
        """The octets kept."""

    def join(self, identity: Identity, block_size: int) -> Shared:
        """Returns what the transfers of that file share; `leave` it in the end."""
        key = (identity, block_size)
        shared = self._files.get(key)
        if shared is None:
            shared = self._files[key] = Shared(key)
        shared.users += 1
        return shared

    def leave(self, shared: Shared) -> None:
        """Forgets one user. The packets stay for those who come next, until room is needed."""
        shared.users -= 1
        self._drop_if_idle(shared)

    def keep(self, shared: Shared, block: int, packet: bytes) -> None:
        """Keeps a packet; the oldest ones make room."""
        if len(packet) > self._limit or block in shared.packets:
            return
        shared.packets[block] = packet
        self._order.append((shared, block))
        self.size += len(packet)
        while self.size > self._limit:
            oldest, number = self._order.popleft()
            self.size -= len(oldest.packets.pop(number))
            self._drop_if_idle(oldest)

    def _drop_if_idle(self, shared: Shared) -> None:
        if not shared.users and not shared.packets and self._files.get(shared.key) is shared:
            del self._files[shared.key]
