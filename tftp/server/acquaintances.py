"""What earlier transfers have learned of a host, for the next one of the same shape.

A lost first answer costs a second while nothing is known of the peer, and a tenth of it
for one whose round trips are known (RFC 9040 shares them between TCP connections for the
same reason). Must not know about sockets or clocks.
"""

from tftp.protocol.options import Terms
from tftp.protocol.pace import Pace
from tftp.protocol.transfer import Address

__all__ = ["Acquaintances"]

MAX_AGE = 600.0  # seconds; by then the host may be another, or elsewhere

_Shape = tuple[str, int, int]


class Acquaintances:
    """Remembers the paces of the hosts that were served last, `limit` of them."""

    def __init__(self, limit: int) -> None:
        """Knows nobody."""
        self.limit = limit
        self._met: dict[_Shape, tuple[Pace, float]] = {}

    def recall(self, peer: Address, terms: Terms, now: float) -> Pace | None:
        """Returns the pace that a transfer begins with; None: nothing is known."""
        pace, met = self._met.get(_shape(peer, terms), (None, 0.0))
        return pace.heir() if pace is not None and now - met <= MAX_AGE else None

    def remember(self, peer: Address, terms: Terms, pace: Pace, now: float) -> None:
        """Takes the pace of a transfer that is over; the host unseen for longest gives way."""
        if pace.rtt is None:
            return
        shape = _shape(peer, terms)
        if self._met.pop(shape, None) is None and len(self._met) >= self.limit:
            if not self.limit:
                return
            del self._met[next(iter(self._met))]
        self._met[shape] = pace, now


def _shape(peer: Address, terms: Terms) -> _Shape:
    """A window takes longer than a block, and a large block than a small one."""
    return peer[0], terms.block_size, terms.window
