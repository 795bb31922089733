"""A link with faults: what becomes of a datagram between two hosts.

Every decision comes from one seeded generator, so a seed is a reproduction. Faults live
here and nowhere else: the product has no test switches. Must not know about TFTP.
"""

import random
from dataclasses import dataclass

__all__ = ["Faults", "Link"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What a link does to datagrams; probabilities from 0 to 1, times in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    """How many datagrams are held back long enough for later ones to overtake them."""
    delay: float = 0.001
    """One way."""
    jitter: float = 0.0
    """Added to the delay, evenly spread; alone it keeps the order."""


class Link:
    """One direction of a link."""

    def __init__(self, faults: Faults, seed: int | str) -> None:
        """Makes a link whose decisions depend on `seed` alone."""
        self.faults = faults
        self._random = random.Random(seed)
        self._last_arrival = 0.0
        self.carried = self.lost = self.doubled = self.overtaken = 0

    def carry(self, now: float) -> list[float]:
        """Returns when each copy of a datagram sent now arrives; no copy means that it is lost."""
        faults, chance = self.faults, self._random.random
        self.carried += 1
        if chance() < faults.loss:
            self.lost += 1
            return []
        arrival = now + faults.delay + chance() * faults.jitter
        if chance() < faults.reordering:
            self.overtaken += 1
            arrival += faults.delay * (1 + 3 * chance())
        else:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        if chance() < faults.duplication:
            self.doubled += 1
            return [arrival, arrival + faults.delay * chance()]
        return [arrival]
