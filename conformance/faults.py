"""A line with faults: packets are lost, doubled, held back, swapped, damaged or forged.

What happens is a plan that names packets by kind, block and copy, or a seed, so that a run
repeats exactly. Blocks count on past 65,535, and negative ones from the end of the file.
Time is the trial's and passes only while somebody hears. Must not know who is judged, nor
what is right: that is for the cases and for `invariants`.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .line import Line
from .ports import Address
from .wire import ACK, DATA, ERROR, OACK, Packet, error, parse, words

__all__ = [
    "ALL",
    "AT_MOST",
    "FOREVER",
    "IN",
    "LAST",
    "MOMENT",
    "OUT",
    "Action",
    "Blocks",
    "Delivery",
    "Event",
    "Fault",
    "FaultyLine",
    "Numbers",
    "Seen",
]

OUT, IN = "out", "in"
"""The two ways: from the suite to the target, and back."""

LAST = -1
ALL: tuple[int, ...] = ()
"""All copies of a packet."""
FOREVER = 1 << 30
NEVER = float("inf")
MOMENT = -1.0
"""As a delay: as long as the line calls a moment."""

BEHIND_AT_MOST = 0.2  # seconds that a packet waits for others to pass it
HUNG_UP = 0.5  # seconds that are waited for anything behind an ERROR of ours, or a closed port
AT_MOST = 30.0
"""Seconds for all of a transfer."""
STEP = 1000  # numbers: a larger jump is damage, and does not move the count

Blocks = int | range | None


class Event(NamedTuple):
    """A packet that somebody puts on the line."""

    way: str
    kind: str
    block: int
    """Its absolute number; 0 for packets without one."""
    copy: int
    """1 for the first of its kind and block on its way, 2 for its first repeat."""
    datagram: bytes


class Seen(NamedTuple):
    """A moment: that copy of that packet has been put on the line, whatever became of it."""

    kind: str
    block: int = 0
    copy: int = 1


class Delivery(NamedTuple):
    """A datagram that arrives, and when; without any the packet is lost."""

    datagram: bytes
    delay: float = 0.0
    """Seconds."""
    behind: int = 0
    """How many packets of its way pass it, if they come soon."""
    until: Seen | None = None
    way: str = ""
    """Where to; empty: where the packet was going."""
    host: str | None = None
    """Not None: it comes from a stranger at that address; empty: at our own address."""


@dataclass(frozen=True, slots=True)
class Action:
    """What befalls a packet; `mishaps` has those that there are."""

    words: str
    apply: Callable[[Event], list[Delivery] | None]
    """Returns what arrives; None: nothing befalls this one."""
    swaps: bool = False
    """Whether packets change places by it: the one that passes another is left alone."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Which packets an action befalls."""

    kind: str
    """Empty: any."""
    block: Blocks
    """A number, a range of them; None: any, or the packet has none."""
    action: Action
    copies: tuple[int, ...] = (1,)
    way: str = ""
    """Empty: whichever way such packets go."""

    def befalls(self, event: Event, last: int) -> bool:
        """Tells whether it does; `last` is the number of the final block."""
        if (self.kind and self.kind != event.kind) or (self.way and self.way != event.way):
            return False
        if self.copies and event.copy not in self.copies:
            return False
        if isinstance(self.block, range):
            return event.block in self.block
        return self.block is None or _counted(self.block, last) == event.block


class Numbers:
    """Makes absolute numbers of those on the wire: the one nearest to the highest so far."""

    def __init__(self) -> None:
        self._high = 0

    def absolute(self, number: int) -> int:
        """Returns the absolute number; one that cannot be in sequence stays as it is."""
        step = ((number - self._high + 0x8000) & 0xFFFF) - 0x8000
        found = self._high + step
        if found < 0:
            return number
        if 0 < step <= STEP:
            self._high = found
        return found


@dataclass(slots=True)
class _Held:
    """A delivery that waits."""

    delivery: Delivery
    source: Address
    due: float
    behind: int


class FaultyLine:
    """A line on which a plan is carried out; play transfers on it as on any other.

    Whoever else but the peer sends is told ERROR 5 once, and kept in `others`.
    """

    def __init__(
        self, line: Line, plan: Sequence[Fault] = (), *, last: int = 0, moment: float = 0.3
    ) -> None:
        """`last` is the final block, from which negative ones count; `moment`: MOMENT's seconds."""
        self.line = line
        self.plan = plan
        self.last = last
        self.moment = moment
        self.others: list[Packet] = []
        """What came from elsewhere."""
        self.strangers: dict[str, Line] = {}
        """Who has sent forged packets, by address."""
        self.hits: Counter[int] = Counter()
        """How often each fault has struck, by its place in the plan."""
        self.hung_up = False
        """Whether an ERROR of ours has gone to the peer: then little is waited for."""
        self.until = line.trial.now() + AT_MOST
        """When it falls silent for good: some peers repeat a useless packet for ever."""
        # Of several who answer a request, the one whose answer arrives first is the peer.
        self._chosen = line.peer is not None
        self._numbers = Numbers()
        self._copies: Counter[tuple[str, str, int]] = Counter()
        self._held: list[_Held] = []
        self._ready: deque[Packet] = deque()

    @property
    def waiting(self) -> bool:
        """Whether something is held back that only time has to release."""
        return any(held.due < NEVER for held in self._held)

    def count(self, kind: str, block: int = 0, way: str = IN) -> int:
        """Returns how many copies of a packet were put on the line."""
        return self._copies[way, kind, _counted(block, self.last)]

    def send(self, datagram: bytes) -> None:
        """Sends to the peer what the plan leaves of it."""
        self._pass(OUT, parse(datagram, self.line.address))

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram of the peer that the plan lets through."""
        trial = self.line.trial
        wait = trial.patience if within is None else within
        over = self.hung_up or self.line.peer in self.line.closed
        deadline = min(self.until, trial.now() + (min(wait, HUNG_UP) if over else wait))
        while True:
            self._serve()
            if self._ready:
                return self._hand_over(self._ready.popleft())
            wake = min([deadline, *[held.due for held in self._held]])
            packet = self.line.hear(max(0.0, wake - trial.now()))
            if packet is not None:
                self._arrive(packet)
            elif wake >= deadline:
                return None

    def stranger(self, host: str = "") -> Line:
        """Returns the line of somebody else at that address, or at our own. Raises OSError."""
        if host not in self.strangers:
            where = host or self.line.address[0]
            self.strangers[host] = self.line.trial.line(self.line.peer, host=where)
        return self.strangers[host]

    def _arrive(self, packet: Packet) -> None:
        if self._chosen and packet.source != self.line.peer:
            known = any(other.source == packet.source for other in self.others)
            self.others.append(packet)
            if not known and packet.kind in (DATA, ACK, OACK):
                self.line.send(error(5, "Unknown transfer ID"), packet.source)
            return
        if not self._chosen:
            self.line.peer = None
        self._pass(IN, packet)

    def _hand_over(self, packet: Packet) -> Packet:
        if not self._chosen:
            self.line.peer, self._chosen = packet.source, True
        return packet

    def _pass(self, way: str, packet: Packet) -> None:
        """Puts a packet on the line, and lets go what it releases."""
        block = self._numbers.absolute(packet.block) if packet.kind in (DATA, ACK) else 0
        self._copies[way, packet.kind, block] += 1
        copy = self._copies[way, packet.kind, block]
        event = Event(way, packet.kind, block, copy, packet.raw)
        waiting = self._held[:]
        found = self._fate(event)
        if found is None:
            self._go_through(way, packet)
        else:
            for delivery in found:
                self._dispatch(delivery._replace(way=delivery.way or way), packet.source)
        for held in waiting:
            self._release(held, event)
        self._serve()

    def _go_through(self, way: str, packet: Packet) -> None:
        if way == IN:
            self._ready.append(packet)
        else:
            self.hung_up = self.hung_up or packet.kind == ERROR
            self.line.send(packet.raw)

    def _fate(self, event: Event) -> list[Delivery] | None:
        """Returns what the plan makes of it; None: nothing befalls it."""
        swapping = any(held.behind and held.delivery.way == event.way for held in self._held)
        for number, fault in enumerate(self.plan):
            if not fault.befalls(event, self.last) or (swapping and fault.action.swaps):
                continue
            found = fault.action.apply(event)
            if found is None:
                continue
            self.hits[number] += 1
            again = f", copy {event.copy}" if event.copy > 1 else ""
            what = fault.action.words or _in_words(found)
            self.line.trial.note(f"{words(event.datagram)}{again}: {what}")
            return found
        return None

    def _dispatch(self, delivery: Delivery, source: Address) -> None:
        now = self.line.trial.now()
        if delivery.until is not None:
            due = NEVER
        elif delivery.behind:
            due = now + BEHIND_AT_MOST
        elif delivery.delay:
            due = now + (self.moment if delivery.delay == MOMENT else delivery.delay)
        else:
            self._deliver(delivery, source)
            return
        self._held.append(_Held(delivery, source, due, delivery.behind))

    def _release(self, held: _Held, event: Event) -> None:
        if held.behind and held.delivery.way == event.way:
            held.behind -= 1
            held.due = held.due if held.behind else 0.0
        moment = held.delivery.until
        if moment is not None and event.copy >= moment.copy:
            block = _counted(moment.block, self.last)
            held.due = 0.0 if (event.kind, event.block) == (moment.kind, block) else held.due

    def _serve(self) -> None:
        """Delivers what is due."""
        if not self._held:
            return
        now = self.line.trial.now()
        for held in [held for held in self._held if held.due <= now]:
            self._held.remove(held)
            self._deliver(held.delivery, held.source)

    def _deliver(self, delivery: Delivery, source: Address) -> None:
        if delivery.way == IN:
            self._ready.append(parse(delivery.datagram, source, self.line.trial.now()))
        elif delivery.host is None:
            self.hung_up = self.hung_up or parse(delivery.datagram).kind == ERROR
            self.line.send(delivery.datagram)
        else:
            self.stranger(delivery.host).send(delivery.datagram)


def _counted(block: int, last: int) -> int:
    """Returns the number of a block that may be counted from the end."""
    return block if block >= 0 else last + 1 + block


def _in_words(found: list[Delivery]) -> str:
    if not found:
        return "lost"
    if len(found) > 1:
        return f"{len(found)} copies"
    return "behind the next" if found[0].behind else "late"
