"""Waits for what comes to the sockets of one transfer: awake for a moment, then asleep.

To sleep and be woken costs more than a server nearby takes to answer. So while packets
are close, it looks for the next one for a while before it sleeps, and the less often the
more of those looks were in vain: a server that is slower, or that has to share our
processor, is waited for asleep. Must not know about transfers.
"""

import select
from math import ceil

from tftp.net.clock import now

__all__ = ["LOOK", "Watch"]

LOOK = 0.0002
"""Seconds of looking on before sleeping; a server on this host takes a tenth of it."""

CLOSE = 0.001  # seconds: packets closer than this make looking worth its while
MOST_SLEPT = 511  # waits that are slept through after looks in vain, before it looks again


class Watch:
    """The sockets of one transfer, by their descriptors."""

    __slots__ = ("_poll", "_slept", "_vain", "close")

    def __init__(self, descriptor: int) -> None:
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._vain = 0
        self._slept = 0
        self.close = False
        """Whether packets are so close that it looks before it sleeps."""

    def add(self, descriptor: int) -> None:
        """Watches one more socket."""
        self._poll.register(descriptor, select.POLLIN)

    def change(self, descriptor: int, *, room: bool) -> None:
        """Waits also for room to send, or no longer."""
        events = select.POLLIN | (select.POLLOUT if room else 0)
        self._poll.modify(descriptor, events)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Returns what `poll` says of the sockets, after that many seconds at the latest."""
        if self.close:
            until = now() + LOOK
            while now() < until:
                if events := self._poll.poll(0):
                    self.note(found=True)
                    return events
            self.note(found=False)
        began = now()
        events = self._poll.poll(ceil(seconds * 1000))
        self._slept -= 1
        self.close = bool(events) and self._slept < 0 and now() - began < CLOSE
        return events

    def note(self, *, found: bool) -> None:
        """Notes whether a look has found something: whoever looks on without `wait` tells."""
        if found:
            self._vain //= 2
            return
        self.close = False
        self._vain = min(2 * self._vain + 1, MOST_SLEPT)
        self._slept = self._vain
