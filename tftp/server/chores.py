"""What a server does now and then, beside its transfers.

A chore says when it is due, and is run by the loop between two turns; it takes a moment
and no more. Must not know about sockets.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from tftp.errors import LocalError
from tftp.net.clock import NEVER
from tftp.server.config import Limits
from tftp.server.running import Running

__all__ = ["Chore", "Chores", "Overdue"]

EVERY = 5.0  # seconds between two looks at all transfers


class Chore(Protocol):
    """Something to be done at times."""

    due: float
    """When, by the clock of transfers; `run` moves it on."""

    def run(self, now: float) -> None:
        """Does it."""


class Chores:
    """All of them; `due` is when the first one is."""

    def __init__(self, chores: Iterable[Chore]) -> None:
        """Takes them."""
        self._chores = list(chores)
        self.due = min((chore.due for chore in self._chores), default=NEVER)

    def run(self, now: float) -> None:
        """Does what is due."""
        for chore in self._chores:
            if chore.due <= now:
                chore.run(now)
        self.due = min(chore.due for chore in self._chores)


class Overdue:
    """Ends transfers that take longer, or carry more, than one may."""

    def __init__(
        self,
        running: Callable[[], Iterable[Running]],
        limits: Limits,
        end: Callable[[Running, LocalError], None],
    ) -> None:
        """Looks through `running`; `end` is told whom to end, and why."""
        self._running = running
        self._end = end
        self.limits = limits
        self.due = 0.0

    def run(self, now: float) -> None:
        """Looks at all transfers."""
        self.due = now + EVERY
        limits = self.limits
        most = limits.transfer_octets
        for running in list(self._running()):
            transfer = running.admitted.transfer
            if transfer.outcome is not None:
                continue
            if limits.transfer_seconds and now - running.admitted.started > limits.transfer_seconds:
                self._end(running, LocalError("The transfer takes longer than the limit"))
            elif most is not None and running.octets > most:
                self._end(running, LocalError("The transfer carries more than the limit"))
