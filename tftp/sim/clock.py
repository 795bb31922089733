"""Virtual time: a queue of what is to happen, and alarms that move.

Time jumps from event to event, and nothing waits; what falls on one moment happens in the
order in which it was asked for. So a world on this clock is the same each time.
Must not know what happens.
"""

import heapq
from collections.abc import Callable

__all__ = ["NEVER", "START", "Alarm", "Clock"]

START = 1000.0
"""When a world begins, in seconds: not 0, which a forgotten field might hold too."""

NEVER = float("inf")

Action = Callable[[], None]


class Clock:
    """What is to happen, in its order."""

    __slots__ = ("_count", "_events", "now")

    def __init__(self) -> None:
        """Begins with nothing to do."""
        self.now = START
        """The time in seconds."""
        self._events: list[tuple[float, int, Action]] = []
        self._count = 0

    def at(self, when: float, action: Action) -> None:
        """Has something done at a time, or at once where that has passed."""
        self._count += 1
        heapq.heappush(self._events, (when if when > self.now else self.now, self._count, action))

    def after(self, seconds: float, action: Action) -> None:
        """Has something done so many seconds from now."""
        self.at(self.now + seconds, action)

    @property
    def due(self) -> float:
        """When the next thing happens; NEVER: nothing is to happen."""
        return self._events[0][0] if self._events else NEVER

    def step(self) -> None:
        """Lets the next thing happen; there has to be one."""
        self.now, _, action = heapq.heappop(self._events)
        action()

    def run(self, steps: int) -> int:
        """Lets all happen that is to happen, at most so many steps; returns what is left."""
        events, pop = self._events, heapq.heappop
        while events and steps:
            self.now, _, action = pop(events)
            action()
            steps -= 1
        return len(events)


class Alarm:
    """A deadline that may move with every packet: it costs an event only when it rings early."""

    __slots__ = ("_clock", "_deadline", "_due", "_ring")

    def __init__(self, clock: Clock, ring: Action) -> None:
        """Has `ring` called when the deadline has come."""
        self._clock = clock
        self._ring = ring
        self._deadline: float | None = None
        self._due = NEVER

    def set(self, deadline: float | None) -> None:
        """Moves the deadline; None: there is none."""
        self._deadline = deadline
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self._clock.at(deadline, lambda: self._look(deadline))

    def _look(self, due: float) -> None:
        if due != self._due:
            return  # an earlier look was asked for since, and has been had
        self._due = NEVER
        deadline = self._deadline
        if deadline is None:
            return
        if deadline <= self._clock.now:
            self._deadline = None
            self._ring()
        else:
            self.set(deadline)
