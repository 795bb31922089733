"""A transfer played through a plan of faults, and the verdict on it, whoever is judged.

A `Row` says what is done to which packets and what may come of it; a `Scene` is one such
transfer, played. The same row serves a reader and a writer, a server and a client. Must not
know how a transfer is begun: `server_scenes` and `client_scenes` do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .catalogue import requirements
from .faults import Fault, FaultyLine
from .invariants import Trace, broken, strangers_troubled
from .line import Line, Trial
from .play import Played
from .wire import DATA, ack, parse

__all__ = [
    "AT_ONCE",
    "BOTH",
    "EMPTY",
    "LONG",
    "READ",
    "SENDER_TIMER",
    "SHORT",
    "WRITE",
    "File",
    "Plan",
    "Row",
    "Scene",
    "broken_off",
    "conduct",
    "judge",
    "linger",
    "one_of",
    "roles",
    "slug",
    "unusual",
]

Plan = Sequence[Fault]

READ, WRITE = "read", "write"
BOTH = (READ, WRITE)


class File(NamedTuple):
    """What is moved: so many blocks, of which the final one is short, or empty."""

    blocks: int
    empty: bool = False

    @property
    def size(self) -> int:
        """Returns the number of octets."""
        return (self.blocks - 1) * 512 + (0 if self.empty else 440)


SHORT, EMPTY, LONG = File(6), File(3, empty=True), File(21, empty=True)

SENDER_TIMER = 0.7  # seconds after which the suite repeats what it sends
QUICKEST = 0.005  # seconds: no timer is quicker, and an answer takes less
LOOK = 0.25  # seconds
REPEATED_ACKS = 5  # of the final block: two who always answer would never end
AT_ONCE = 0.15
"""Seconds within which something comes that no timer of a receiver has to bring about."""


@dataclass(slots=True)
class Scene:
    """One transfer, played."""

    t: Trial
    role: str
    """What is judged: server-read, server-write, client-read or client-write."""
    wire: FaultyLine
    content: bytes
    played: Played
    moment: float
    """Seconds within which no timer of the target repeats anything."""
    resend: float
    """Seconds after which such a repeat is overdue."""
    size: int = 512
    window: int = 1
    name: str = ""
    """What a server was told to store."""
    again: bool = False
    """Whether the target has sent DATA again when the file was complete."""

    @property
    def sends(self) -> bool:
        """Whether the target sends the file."""
        return target_sends(self.role)

    def trace(self, steady: int = 0) -> Trace:
        """Returns what passed between us and the peer."""
        line = self.wire.line
        return Trace.of(
            self.t.ladder,
            line.address,
            line.peer or ("", 0),
            self.content,
            sends=self.sends,
            moment=min(self.moment, QUICKEST),
            size=self.size,
            window=self.window,
            steady=steady,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what is done, and what may come of it."""

    id: str
    why: str
    """The rationale of its case."""
    plans: tuple[Plan, ...]
    """One transfer for each."""
    window: int = 1
    oack: tuple[str, ...] = ()
    """READ, WRITE: which of them have to be opened by an OACK."""
    plain: tuple[str, ...] = ()
    """Which must not be."""
    may_end: bool = False
    """Whether an ERROR that ends the transfer is no more than unusual."""
    codes: tuple[int, ...] = ()
    """The codes of ERRORs that may end it as well as not."""
    repeats_last: bool = False
    """Whether the final block has to come again, since its ACK did not arrive."""
    steady: int = 0
    """The block behind which the fault is over."""
    hurry: bool = False
    """Whether a quick timer is asked for in any case, since much of it is waited for."""
    files: tuple[File, ...] = (SHORT,)
    """The files to try it with."""
    also: Callable[[Scene], None] | None = None
    """What else is to be seen."""
    without: tuple[str, ...] = ()
    """Roles in which something else is tried for it."""


def target_sends(role: str) -> bool:
    """Tells whether the target sends the file."""
    return role in ("server-read", "client-write")


def roles(row: Row, side: str) -> list[str]:
    """Returns the roles in which a row is tried against a server, or a client."""
    found = requirements()[row.id].roles
    return [role for role in found if role.startswith(side) and role not in row.without]


def slug(row: Row) -> str:
    """Returns the name of the case: the title of its requirement."""
    title = requirements()[row.id].title.lower().replace(" ", "_")
    return "".join(letter for letter in title if letter.isalnum() or letter == "_")


def one_of(*faults: Fault) -> tuple[Plan, ...]:
    """Returns a plan for each of these faults."""
    return tuple((fault,) for fault in faults)


def linger(scene: Scene, row: Row) -> None:
    """Stays on the line: for what is held back, for the final block again, for what follows."""
    t, wire = scene.t, scene.wire
    took = scene.sends and scene.played.complete
    again = 0
    patient = t.now() + (scene.resend if took and row.repeats_last else 0.0)
    look = min(scene.moment, LOOK)
    until = t.now() + look
    while t.now() < wire.until and (
        t.now() < until or wire.waiting or (t.now() < patient and not again)
    ):
        packet = wire.hear(look)
        if packet is not None and packet.kind == DATA and took and again < REPEATED_ACKS:
            wire.send(ack(scene.trace().last))
            again += 1
            until = t.now() + look
    scene.again = again > 0


def judge(scene: Scene, row: Row, result: Callable[[], None]) -> None:
    """Judges a scene: its end by `result`, unless it was ended by the fault, and its packets."""
    if not scene.wire.hits:
        scene.t.skip(f"{scene.role}: the packet in question never came")
    if not (scene.wire.hung_up and row.may_end):
        result()
    conduct(scene, row)


def unusual(scene: Scene, text: str) -> None:
    """Notes what is allowed but unusual, once."""
    said = f"{scene.role}: {text}"
    if all(remark.text != said for remark in scene.t.remarks):
        scene.t.lenient(said)


def broken_off(scene: Scene, row: Row) -> None:
    """Judges that the target has left the transfer before its time."""
    error = scene.played.error
    said = f"{error} ends the transfer" if error else scene.played.trouble
    if error is not None and error.code in row.codes:
        return
    scene.t.check(row.may_end, f"{scene.role}: {said}")
    if error is None:
        scene.t.warn(f"{scene.role}: the transfer dies of it without a word")
    else:
        unusual(scene, said)


def conduct(scene: Scene, row: Row) -> None:
    """Fails for what breaks an invariant of the row, or harm done by a stranger."""
    names = {"I1", "I7", "I8", *requirements()[row.id].invariants}
    if row.may_end and scene.wire.hung_up:
        names.discard("I7")  # damage made an ERROR of a packet, and it may go either way
    troubles = broken(scene.trace(row.steady), names)
    if troubles:
        scene.t.fail(f"{scene.role}: {'; '.join(troubles)}")
    for line in scene.wire.strangers.values():
        _look_at_stranger(scene, line)
    if row.also is not None:
        row.also(scene)


def _look_at_stranger(scene: Scene, line: Line) -> None:
    while line.hear(0.05) is not None:
        pass
    sent = [
        parse(step.datagram)
        for step in scene.t.ladder.steps
        if step.datagram is not None and step.sent and step.ours == line.address
    ]
    turned = strangers_troubled(line, sent)
    if turned.wrong:
        scene.t.fail(f"{scene.role}: {'; '.join(turned.wrong)}")
    for text in turned.unusual:
        unusual(scene, text)
