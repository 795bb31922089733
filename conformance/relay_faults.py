"""What becomes of a datagram on its way through the relay: lost, doubled, late, out of order.

The faults are those of a lossy link. Every decision is drawn from a seeded generator of one
client's one way, so the same seed has the same fate in store for the n-th datagram there,
whatever else goes on. Must not know about sockets, nor about TFTP.
"""

import random
from collections import Counter
from dataclasses import dataclass

from .ports import Address

__all__ = ["NOTHING", "TO_CLIENT", "TO_SERVER", "WAYS", "Counts", "Cut", "Faults", "Road"]

TO_SERVER, TO_CLIENT = "to server", "to client"
WAYS = (TO_SERVER, TO_CLIENT)

Counts = Counter[tuple[str, str]]
"""How often something happened, by way and by what it was."""

LEAST_HOLD = 0.003  # seconds a datagram steps aside where the road has hardly a delay
IPV4_HEADERS, IPV6_HEADERS = 28, 48  # octets of IP and UDP before the payload


@dataclass(frozen=True, slots=True)
class Cut:
    """A time in which nothing gets through on one way. Seconds since the relay began."""

    way: str
    begin: float
    end: float

    def __post_init__(self) -> None:
        """Raises ValueError where it could never be."""
        if self.way not in WAYS or not 0 <= self.begin < self.end:
            raise ValueError(f"no cut: {self.way!r} from {self.begin} s to {self.end} s")


@dataclass(frozen=True, slots=True)
class Faults:
    """What a road does to datagrams; chances from 0 to 1, times in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    """How many datagrams step aside, for later ones to overtake them."""
    delay: float = 0.0
    """One way."""
    jitter: float = 0.0
    """Added to the delay, evenly spread; alone it keeps the order."""
    mtu: int | None = None
    """The largest packet, IP header and all; a larger one vanishes, without a word by ICMP."""
    cuts: tuple[Cut, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what is no chance, no time or no size."""
        for name in ("loss", "duplication", "reordering"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a chance: 0 to 1")
        for name in ("delay", "jitter"):
            if not 0 <= getattr(self, name) <= 60:
                raise ValueError(f"{name} is 0 to 60 seconds")
        if self.mtu is not None and self.mtu < IPV6_HEADERS:
            raise ValueError(f"mtu is at least {IPV6_HEADERS}: less holds no headers")


NOTHING = Faults()
"""A road without faults."""


class Road:
    """One way of one client."""

    def __init__(self, faults: Faults, seed: int | str, way: str, counts: Counts) -> None:
        """Makes a road whose decisions depend on `seed` and `way`; it counts in `counts`."""
        self._faults = faults
        self._chance = random.Random(f"{seed} {way}").random
        self._way = way
        self._counts = counts
        self._last_arrival = 0.0

    def carry(self, now: float, since: float, octets: int, to: Address) -> list[float]:
        """Returns when each copy of a datagram sent now arrives; none: it is lost.

        `since` is how many seconds the relay has run; `octets` are those of the payload.
        """
        # All dice are thrown for every datagram: one fault more does not move the others.
        lost, late, behind, how_far, double, after = (self._chance() for _ in range(6))
        faults = self._faults
        self._count("carried")
        if any(cut.way == self._way and cut.begin <= since < cut.end for cut in faults.cuts):
            return self._vanish("cut")
        headers = IPV6_HEADERS if ":" in to[0] else IPV4_HEADERS
        if faults.mtu is not None and octets + headers > faults.mtu:
            return self._vanish("too big")
        if lost < faults.loss:
            return self._vanish("lost")
        hold = max(faults.delay, LEAST_HOLD)
        arrival = now + faults.delay + late * faults.jitter
        if behind < faults.reordering:
            self._count("reordered")
            arrival += hold * (1 + 3 * how_far)
        else:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        if double < faults.duplication:
            self._count("duplicated")
            return [arrival, arrival + hold * after]
        return [arrival]

    def _vanish(self, why: str) -> list[float]:
        self._count(why)
        return []

    def _count(self, what: str) -> None:
        self._counts[self._way, what] += 1
