"""What a driver and a source say to each other when octets have to come from a disk first.

A source that must not keep its reader waiting raises `Cold`. The driver then sends nothing,
which costs nothing, since what the core has named is an offer until it is sent. Whoever runs
the driver has a `Helper` that may wait in another thread, and lends it to the source; then
the driver asks again. A source that may wait, as a client's may, never raises it.
Must not know what is read, or how threads are had.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

__all__ = ["Cold", "Fetching", "Helper"]

T = TypeVar("T")


class Helper(Protocol):
    """Runs what may take long in another thread."""

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Calls `work` there, and later `then` with what it returned, in the loop's thread."""


class Fetching(Protocol):
    """A source that is cold, and can be helped."""

    def fetch(self, helper: Helper, tell: Callable[[], None]) -> None:
        """Has it got what was missing; `tell` is called when it is worth trying again.

        May be repeated; all calls, that of `tell` too, are the loop's thread's.
        """


class Cold(Exception):  # no error: it never leaves the driver
    """The octets are not in memory. Nothing was read, and `source` says how to get them."""

    def __init__(self, source: Fetching) -> None:
        super().__init__("not in memory")
        self.source = source
