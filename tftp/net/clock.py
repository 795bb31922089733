"""Monotonic time, and the deadlines of many transfers at once.

Deadlines move on with nearly every packet, and hardly ever to an earlier time. So the
heap keeps an old entry until it comes up, and only then looks at where the deadline
is now: a packet costs one comparison, a timer O(log n). Must not know what expires.
"""

import heapq
from time import monotonic as now
from typing import Generic, Protocol, TypeVar

__all__ = ["Expiring", "Timers", "now"]

NEVER = float("inf")


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

    def watch(self, item: T) -> None:
        """Takes note of the item's deadline; call it whenever that may have moved."""
        deadline = item.deadline
        if deadline is not None and deadline < item.alarm:
            item.alarm = deadline
            self._count += 1
            heapq.heappush(self._heap, (deadline, self._count, item))

    def next(self) -> float | None:
        """Returns when `due` should be called; nothing is due before that."""
        return self._heap[0][0] if self._heap else None

    def due(self, time: float) -> list[T]:
        """Returns the items whose deadline has come; `watch` those that go on living."""
        items = []
        while self._heap and self._heap[0][0] <= time:
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
