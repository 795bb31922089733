"""Monotonic time, and the deadlines of many transfers at once.

Deadlines move on with nearly every packet, and hardly ever to an earlier time. So the
heap keeps an old entry until it comes up, and only then looks at where the deadline
is now: a packet costs one comparison, a timer O(log n). Entries that lost their meaning
go before they are the larger part. Must not know what expires.
"""

import heapq
from time import monotonic as now
from typing import Generic, Protocol, TypeVar

__all__ = ["Expiring", "Timers", "now"]

NEVER = float("inf")
FEW = 1024  # entries that are not worth looking through


class Expiring(Protocol):
    """What has a deadline. `alarm` belongs to `Timers`; it starts as infinity."""

    alarm: float

    @property
    def deadline(self) -> float | None:
        """Returns when it wants to be looked at, in seconds of `now`."""


T = TypeVar("T", bound=Expiring)


class Timers(Generic[T]):
    """The deadlines of many things."""

    def __init__(self) -> None:
        """Starts with none."""
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._enough = FEW

    def __len__(self) -> int:
        """Returns how many entries are kept, those included that mean nothing any more."""
        return len(self._heap)

    def watch(self, item: T) -> None:
        """Takes note of the item's deadline; call it whenever that may have moved."""
        deadline = item.deadline
        if deadline is not None and deadline < item.alarm:
            item.alarm = deadline
            self._count += 1
            heapq.heappush(self._heap, (deadline, self._count, item))
            if len(self._heap) > self._enough:
                self._clean()

    @property
    def first(self) -> float:
        """Returns when `due` should be called; nothing is due before that."""
        return self._heap[0][0] if self._heap else NEVER

    def due(self, time: float, most: int | None = None) -> list[T]:
        """Returns the items whose deadline has come; `watch` those that go on living.

        It looks at no more than `most` entries. Then `next` tells that there is more to do.
        """
        items = []
        while self._heap and self._heap[0][0] <= time and most != 0:
            most = None if most is None else most - 1
            alarm, _, item = heapq.heappop(self._heap)
            if alarm != item.alarm:
                continue  # an earlier entry was made for it, and has come up already
            item.alarm = NEVER
            deadline = item.deadline
            if deadline is None:
                continue
            if deadline <= time:
                items.append(item)
            else:
                self.watch(item)
        return items

    def _clean(self) -> None:
        """Drops what is over: a peer may end at once what was to be looked at in minutes."""
        kept = []
        for entry in self._heap:
            alarm, _, item = entry
            if alarm != item.alarm:
                continue
            if item.deadline is None:
                item.alarm = NEVER
            else:
                kept.append(entry)
        heapq.heapify(kept)
        self._heap = kept
        self._enough = max(FEW, 2 * len(kept))
