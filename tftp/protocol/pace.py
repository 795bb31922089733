"""How fast a peer answers, and so when to ask it again (RFC 6298, RFC 1123 4.2.3.2).

The smoothed round trip and its variation, as TCP keeps them, and two figures more: the
quickest answer, which tells what cannot be an answer yet, and the slowest of late, which
tells how seldom the peer pauses. What one transfer has learned may serve the next of the
same host and shape (RFC 9040 does so for TCP). Must not know about packets or clocks.
"""

from typing import NamedTuple, Self

__all__ = ["Pace", "Timing"]

CALM = 10  # times its slowest answers of late a peer must be late to be asked again early
FORGET = 1 / 16  # how much of a slow answer each later one makes forgotten
WARY = 4  # times longer a slow answer is remembered after each needless copy


class Timing(NamedTuple):
    """When to send again and when to stop, in seconds (RFC 1123 4.2.3.2)."""

    first: float = 1.0
    """The interval while no round trip has been measured."""
    floor: float = 0.1
    """The shortest interval: some boot ROMs choke on a duplicate."""
    least: float = 0.01
    """The shortest interval for a peer that has answered much faster ever since: one whose
    slowest answers of late took a tenth of it, or less."""
    ceiling: float = 8.0
    """Where doubling stops."""
    retries: int = 5
    """Repeats of the first flight before giving up. Patience is the time that they take."""
    dally: float = 9.0
    """How long a receiver stays after its last ACK: longer than any sender waits to ask again."""
    answers: int | None = None
    """Repeats of the first flight that answers a request, if they are to be fewer: who the
    request names may never have sent it."""

    @property
    def patience(self) -> float:
        """How long a transfer lives without progress: as long as all the retries take."""
        return sum(min(self.first * 2.0**n, self.ceiling) for n in range(self.retries + 1))


class Pace:
    """The round trips of one transfer; `rtt` is None before the first."""

    __slots__ = ("_forget", "_peak", "_timing", "_variance", "quickest", "rtt")

    def __init__(self, timing: Timing) -> None:
        """Knows nothing yet."""
        self._timing = timing
        self._variance = 0.0
        self.rtt: float | None = None
        self.quickest = 0.0
        """The quickest answer of this transfer; 0: none has been measured yet."""
        self._forget = FORGET
        self._peak = 2 * timing.floor / CALM  # it has to be quick for a while first

    def measure(self, rtt: float, *, again: bool = False) -> None:
        """Takes the round trip of a flight that went out once (Karn's rule).

        `again`: of one that a gap has made repeat. It tells how slow a peer is, but not how
        quick: the ACK may have answered the first copies.
        """
        if self.rtt is None:
            self.rtt, self._variance = rtt, rtt / 2
        else:
            self._variance += (abs(self.rtt - rtt) - self._variance) / 4
            self.rtt += (rtt - self.rtt) / 8
        if not again and (not self.quickest or rtt < self.quickest):
            self.quickest = rtt
        peak = self._peak
        self._peak = rtt if rtt > peak else peak + (rtt - peak) * self._forget

    def is_usual(self, seconds: float) -> bool:
        """Tells whether the peer answers as soon as that: no later than its slowest of late."""
        return self.rtt is not None and seconds <= self._peak

    def startle(self, late: float) -> None:
        """Notes that a copy sent after `late` seconds was needless: the answer was on its way."""
        self._peak = max(self._peak, 2 * late)
        self._forget /= WARY

    @property
    def opening(self) -> float:
        """Returns the interval of a first flight, which a client may take its time over."""
        timing = self._timing
        if self.rtt is None:
            return timing.first
        return min(max(self.interval, timing.floor), timing.first)

    @property
    def interval(self) -> float:
        """Returns the interval to wait for an answer; `measure` must have had one."""
        # A steady peer leaves no variance at all, and then the first answer that is a
        # little late must not cause a copy.
        assert self.rtt is not None, "measured before it is asked"
        variance, least = self._variance, self.rtt / 8
        interval = self.rtt + 4 * (variance if variance > least else least)
        floor = self._floor()
        if interval < floor:
            return floor
        return interval if interval < self._timing.ceiling else self._timing.ceiling

    def heir(self) -> Self:
        """Returns the pace that the next transfer of this host begins with."""
        heir = type(self)(self._timing)
        for name in self.__slots__:
            setattr(heir, name, getattr(self, name))
        heir.quickest = 0.0  # one ACK that came too soon must not count for ever
        return heir

    def _floor(self) -> float:
        """Returns the shortest interval, which a peer that is never slow brings down."""
        calm = CALM * self._peak
        floor, least = self._timing.floor, self._timing.least
        return max(min(calm, floor), min(least, floor))
