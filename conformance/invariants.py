"""What must hold in any transfer, whatever befalls its packets: the invariants I1 to I10.

Each check reads what one line has seen and returns what breaks the invariant, in words, or
nothing. It is generous where a black box cannot tell: a copy that a timer may have sent is
nobody's fault. I2 (agreement), I3 and I4 (an end in time) and I9 (tidiness) show in results,
not in packets: the scenes look at those. Must not know which fault was played.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from .faults import Numbers
from .ladder import Ladder
from .line import Line
from .ports import Address
from .wire import ACK, DATA, ERROR, OACK, Packet, parse

__all__ = ["CHECKS", "Moved", "Trace", "broken", "shrinks", "strangers_troubled"]

GRACE = 0.3  # seconds within which a packet may have crossed an ERROR
SHRUNK, SLACK = 0.6, 0.05
"""An interval shorter than this share of those before, and by more than so many seconds."""
MOST_DOUBLED = 3  # blocks that are sent twice before it is called a habit


class Moved(NamedTuple):
    """A packet on the line."""

    at: float
    ours: bool
    """Whether the suite sent it."""
    packet: Packet
    block: int
    """Its absolute number; 0 for packets without one."""


@dataclass(slots=True)
class Trace:
    """What a line saw of one transfer, and what the transfer was."""

    moves: list[Moved]
    content: bytes
    """The file."""
    sends: bool
    """Whether the target sends it, and does not receive it."""
    moment: float
    """Seconds within which the target's timer repeats nothing."""
    size: int = 512
    window: int = 1
    steady: int = 0
    """The block behind which the fault is over."""

    @classmethod
    def of(
        cls,
        ladder: Ladder,
        ours: Address,
        peer: Address,
        content: bytes,
        *,
        sends: bool,
        moment: float,
        size: int = 512,
        window: int = 1,
        steady: int = 0,
    ) -> "Trace":
        """Takes what passed between two addresses from a ladder."""
        numbers, moves = Numbers(), []
        for step in ladder.steps:
            if step.datagram is None or (step.ours, step.theirs) != (ours, peer):
                continue
            packet = parse(step.datagram)
            block = numbers.absolute(packet.block) if packet.kind in (DATA, ACK) else 0
            moves.append(Moved(step.time, step.sent, packet, block))
        return cls(moves, content, sends, moment, size, window, steady)

    @property
    def last(self) -> int:
        """Returns the number of the final block."""
        return len(self.content) // self.size + 1

    def right(self, move: Moved) -> bool:
        """Tells whether a DATA packet holds what its block has to."""
        begin = (move.block - 1) * self.size
        inside = 1 <= move.block <= self.last
        return inside and move.packet.payload == self.content[begin : begin + self.size]

    def said(self, kind: str) -> Iterator[Moved]:
        """Returns the packets of a kind that the target has sent."""
        return (move for move in self.moves if not move.ours and move.packet.kind == kind)


def integrity(trace: Trace) -> list[str]:
    """I1: a sender's blocks are those of the file; a receiver acknowledges what it has got."""
    if trace.sends:
        wrong = [move for move in trace.said(DATA) if not trace.right(move)]
        return [f"DATA {move.block} is not what the file holds there" for move in wrong[:1]]
    got, reached = set[int](), 0
    for move in trace.moves:
        if move.ours and move.packet.kind == DATA and trace.right(move):
            got.add(move.block)
            while reached + 1 in got:
                reached += 1
        if not move.ours and move.packet.kind == ACK and move.block > reached:
            return [f"ACK {move.block} came when no more than {reached} blocks had arrived"]
    return []


def economy(trace: Trace) -> list[str]:
    """I5: copies come from timers, and from restarts of a window, and stop with the fault."""
    return _sent_too_much(trace) if trace.sends else _acknowledged_too_much(trace)


def _sent_too_much(trace: Trace) -> list[str]:
    sent, pauses, restarts = Counter[int](), 0, 0
    before, acknowledged, highest = float("-inf"), -1, 0
    for move in trace.moves:
        if move.ours and move.packet.kind == ACK:
            again = acknowledged <= move.block < highest or move.block == acknowledged
            restarts += again and trace.window > 1
            acknowledged = max(acknowledged, min(move.block, highest))
        elif not move.ours and move.packet.kind == DATA:
            # A timer speaks up after a silence, and may go through a whole window then.
            pauses += sent[move.block] > 0 and move.at - before >= trace.moment
            sent[move.block] += 1
            before, highest = move.at, max(highest, move.block)
    total, due = sum(sent.values()), len(sent) + trace.window * (pauses + restarts)
    found = []
    if total > due:
        often = ", ".join(f"{block}" for block, count in sorted(sent.items()) if count > 1)
        found.append(f"{total} DATA were sent where {due} were due at most; repeated: {often}")
    later = [block for block in sent if block > trace.steady > 0]
    doubled = [block for block in later if sent[block] > 1]
    if len(doubled) >= MOST_DOUBLED and 2 * len(doubled) > len(later):
        found.append(f"after the fault {len(doubled)} of {len(later)} blocks came again")
    return found


def _acknowledged_too_much(trace: Trace) -> list[str]:
    acks, arrived, pauses, before = 0, 0, 0, float("-inf")
    for move in trace.moves:
        if move.ours:
            arrived += 1
        elif move.packet.kind == ACK:
            pauses += move.at - before >= trace.moment
            acks += 1
            before = move.at
    if acks > arrived + pauses + 1:
        return [f"{acks} ACKs were sent for {arrived} packets"]
    return []


def errors(trace: Trace) -> list[str]:
    """I7: one ERROR at most, none for an ERROR, and nothing behind it."""
    theirs, own = float("inf"), float("inf")
    for move in trace.moves:
        if move.ours:
            own = min(own, move.at) if move.packet.kind == ERROR else own
        elif theirs < float("inf"):
            return [f"{move.packet} came behind the target's own ERROR"]
        elif move.packet.kind == ERROR:
            if own < move.at:
                return [f"{move.packet} came in answer to an ERROR"]
            theirs = move.at
        elif own + GRACE < move.at:
            return [f"{move.packet} came {move.at - own:.1f} s after an ERROR had ended it"]
    return []


def order(trace: Trace) -> list[str]:
    """I8: no block is sent before its turn, and no acknowledged number falls."""
    return _out_of_turn(trace) if trace.sends else _falling(trace)


def _out_of_turn(trace: Trace) -> list[str]:
    """An OACK of the target has to be acknowledged as well, before block 1."""
    acknowledged, sent = 0, 0
    for move in trace.moves:
        if not move.ours and move.packet.kind == OACK and not sent:
            acknowledged = -1
        if move.ours and move.packet.kind == ACK and not move.packet.odd and move.block <= sent:
            acknowledged = max(acknowledged, move.block)
        if not move.ours and move.packet.kind == DATA:
            if acknowledged < 0 or move.block > acknowledged + trace.window:
                said = f"only ACK {acknowledged}" if acknowledged >= 0 else "no ACK"
                return [f"DATA {move.block} came when {said} had been sent"]
            sent = max(sent, move.block)
    return []


def _falling(trace: Trace) -> list[str]:
    """An old number may come again for an old block that came again."""
    high, sent, told = 0, Counter[int](), Counter[int]()
    for move in trace.moves:
        if move.ours and move.packet.kind == DATA:
            sent[move.block] += 1
        if not move.ours and move.packet.kind == ACK:
            told[move.block] += 1
            if 0 < move.block < high and told[move.block] > sent[move.block]:
                return [f"ACK {move.block} came behind ACK {high}"]
            if move.block == 0 < high:
                return [f"ACK 0 came behind ACK {high}"]
            high = max(high, move.block)
    return []


def timers(trace: Trace) -> list[str]:
    """I10: while nothing else moves, a packet is repeated at intervals that do not shrink."""
    times: list[float] = []
    repeated = b""
    found = []
    for move in [*trace.moves, None]:
        if move is not None and not move.ours and move.packet.raw == repeated:
            times.append(move.at)
            continue
        found += shrinks(times)
        times, repeated = [], b""
        if move is not None and not move.ours:
            times, repeated = [move.at], move.packet.raw
    return found[:1]


def shrinks(times: list[float]) -> list[str]:
    """Returns what is wrong with the times at which one packet was sent.

    An interval is compared with the shortest of two or more before it: a busy machine may
    make one too long.
    """
    steps = [later - time for time, later in pairwise(times)]
    for place, step in enumerate(steps[2:], 2):
        least = min(steps[:place])
        if step < SHRUNK * least - SLACK:
            return [f"a packet was repeated after {least:.2f} s or more, and then {step:.2f} s"]
    return []


CHECKS: dict[str, Callable[[Trace], list[str]]] = {
    "I1": integrity,
    "I5": economy,
    "I7": errors,
    "I8": order,
    "I10": timers,
}
"""What can be seen in packets, by the names of the catalogue."""


def broken(trace: Trace, names: Collection[str]) -> list[str]:
    """Returns what breaks these invariants, each with its name."""
    return [
        f"{name}: {trouble}"
        for name, check in CHECKS.items()
        if name in names
        for trouble in check(trace)
    ]


@dataclass(slots=True)
class Turned:
    """How the target met a stranger."""

    wrong: list[str] = field(default_factory=list)
    unusual: list[str] = field(default_factory=list)


def strangers_troubled(line: Line, sent: Sequence[Packet]) -> Turned:
    """I6: a stranger that sent these packets gets ERROR 5 for each at most, and no more.

    To an ERROR it gets no answer.
    """
    found = Turned()
    errors = [packet for packet in line.heard if packet.kind == ERROR]
    found.wrong += [f"a stranger got {one}" for one in line.heard if one.kind != ERROR][:1]
    if len(errors) > len(sent):
        found.unusual.append(f"a stranger got {len(errors)} ERRORs for {len(sent)} packets")
    answered = any(packet.kind != ERROR for packet in sent)
    if answered and not errors:
        found.unusual.append("a stranger is not told ERROR 5")
    if not answered and errors:
        found.unusual.append("a stranger's ERROR is answered by another")
    found.unusual += [f"a stranger got {one}" for one in errors if one.code != 5][:1]
    return found
