"""Faults over whole transfers, tried against servers: seeded mixtures, the wrap, one port.

A wrap takes 65,536 blocks: of eight octets, and in windows where the target has them. The
ladders of those keep the two ends of the transfer only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from ..catalogue import server_case
from ..faults import ALL, Fault, FaultyLine
from ..fixtures import content
from ..mishaps import insert, later, lose, seeded
from ..play import Played, receive_file, send_file
from ..scenes import Plan, Row, Scene, conduct, unusual
from ..server_scenes import hurried
from ..server_steps import chunk
from ..server_trial import ServerTrial, granted
from ..wire import ACK, DATA, ERROR, OACK, Value, ack, error, rrq, wrq

BUDGET = 10.0  # seconds for all seeds
SEEDS = 40
SHARES = {"loss": 0.05, "double": 0.03, "swap": 0.03, "late": 0.05}
FILES = (("empty", 0), ("b1", 1), ("b10k", 10240), ("b100k", 102400))
WINDOWS = (1, 4, 16)
TIMER, TRIES = 0.4, 12  # its timer is quicker than the target's, whose ACKs would put it off

WRAP = 65536
EIGHT = 8
LONGEST = 50.0  # seconds for a transfer over the wrap
HEAD, TAIL = 30, 160  # steps of a long ladder that are kept


@server_case("F-SY-01")
def a_mixture_of_faults_is_borne(t: ServerTrial) -> None:
    """Seeds in turn over files, windows and both ways, as many as ten seconds allow.

    A transfer that fails must not look as if it had gone right; the remark names its seed.
    """
    began = t.now()
    windows = [1, *(WINDOWS[1:] if "windowsize" in t.manners.options else ())]
    ways = ["read", *(["write"] if t.manners.creates else [])]
    tries = list(product(FILES, windows, ways))
    for seed in range(1, SEEDS + 1):
        (name, size), window, way = tries[seed * 7 % len(tries)]
        if name in t.manners.missing or t.now() - began > BUDGET:
            continue
        _seeded(t, seed, name if way == "read" else "", size, window)
    t.alive()


def _seeded(t: ServerTrial, seed: int, name: str, size: int, window: int) -> None:
    octets = t.fixture(name) if name else content(size, seed)
    plan = (Fault("", None, seeded(f"seed {seed}", **SHARES), ALL),)
    wishes = {**hurried(t, always=True), **({"windowsize": window} if window > 1 else {})}
    played, scene = _play(t, plan, name, octets, wishes, what=f"seed {seed}")
    said = f"seed {seed}, {size} octets, a window of {window}, {scene.role}"
    row = Row("F-SY-01", "", ())
    if not played.complete:
        unusual(scene, f"{said}: {played.trouble}")
    elif scene.sends:
        t.check(played.content == octets, f"{said}: the file came with other octets")
    else:
        t.holds(scene.name, octets)
    t.note(f"{said}: {'done' if played.complete else played.trouble}")
    conduct(scene, row)


def _play(
    t: ServerTrial,
    plan: Plan,
    name: str,
    octets: bytes,
    wishes: dict[str, Value],
    what: str,
    longest: float = 25.0,
) -> tuple[Played, Scene]:
    """Reads a fixture, or without a name stores a file, with what is granted of the wishes."""
    size = int(str(wishes.get("blksize", 512)))
    where = name or t.new_name()
    client = t.client()
    wire = FaultyLine(client, plan, last=len(octets) // size + 1)
    wire.until = t.now() + longest
    request = (rrq if name else wrq)(where, options=wishes)
    first = None
    for _ in range(4):
        client.ask(request)
        first = wire.hear(2.0)
        if first is not None:
            break
    if first is None:
        t.fail(f"{what}: nothing answers the request")
    if first.kind == ERROR and wishes:
        t.unsupported(f"{what}: a request with {', '.join(wishes)} got {first}")
    t.check(first.kind != ERROR, f"{what}: the request got {first}")
    size, window = granted(first)
    if name:
        opening, begun = (ack(0), None) if first.kind == OACK else (None, first)
        played = receive_file(
            wire,
            block_size=size,
            window=window,
            opening=opening,
            first=begun,
            timer=TIMER,
            tries=TRIES,
        )
    else:
        played = send_file(wire, octets, block_size=size, window=window, timer=TIMER, tries=TRIES)
    role = "server-read" if name else "server-write"
    scene = Scene(t, role, wire, octets, played, t.moment, t.resend, size, window, where)
    return played, scene


@server_case("F-SY-06")
def two_reads_from_one_port_are_kept_apart(t: ServerTrial) -> None:
    """The second request goes out when block 2 of the first file has come."""
    files = {name: t.fixture(name) for name in ("b3000", "b10k")}
    client = t.client()
    client.ask(rrq("b3000"))
    client.expect_data(1, chunk(files["b3000"], 1))
    client.send(ack(1))
    client.expect_data(2, chunk(files["b3000"], 2))
    first = client.heard[-1].source
    client.ask(rrq("b10k"))
    t.pause(min(t.moment, 0.3))
    client.send(ack(2), first)
    got = {first: files["b3000"][:1024]}
    names = {first: "b3000"}
    deadline = t.now() + t.patience + t.resend
    while t.now() < deadline and not _all_whole(got, names, files):
        packet = client.hear(1.0)
        if packet is None or packet.kind != DATA:
            continue
        known = got.setdefault(packet.source, b"")
        name = names.setdefault(packet.source, "b10k")
        due = len(known) // 512 + 1
        if packet.block == due:
            right = packet.payload == chunk(files[name], due)
            t.check(right, f"block {due} of {name} holds octets of something else")
            got[packet.source] += packet.payload
        client.send(ack(min(packet.block, due)), packet.source)
    t.check(got[first] == files["b3000"], "beside a second read the first one does not go on")
    if t.manners.single_port:
        t.note("all comes from one port, so that the two cannot be told apart")
    elif len(got) == 1 and not any(packet.kind == ERROR for packet in client.heard):
        t.lenient("a second read from the same port gets no answer")
    t.alive()


def _all_whole(
    got: dict[tuple[str, int], bytes], names: dict[tuple[str, int], str], files: dict[str, bytes]
) -> bool:
    return len(got) == 2 and all(got[source] == files[names[source]] for source in got)


@dataclass(frozen=True, slots=True)
class Wrap:
    """What befalls a transfer where its numbers begin again."""

    id: str
    name: str
    why: str
    window: int
    read: Plan
    write: Plan = ()


def _lost(*blocks: int) -> Plan:
    return tuple(Fault(DATA, block, lose()) for block in blocks)


WRAPS = (
    Wrap(
        "F-WR-01",
        "a_block_next_to_the_wrap_is_lost",
        "The numbers 65534, 65535, 0 and 1 are lost once each, in lock-step in a read, and in"
        " windows of seven, where there are any, in an upload.",
        7,
        _lost(WRAP - 2, WRAP - 1, WRAP, WRAP + 1),
        _lost(WRAP - 2, WRAP - 1, WRAP, WRAP + 1),
    ),
    Wrap(
        "F-WR-02",
        "a_copy_from_before_the_wrap_comes_after_it",
        "The last ACK before the wrap, and the blocks 65535 and 0, come again behind the next.",
        7,
        tuple(Fault(ACK, block, later(behind=1)) for block in (WRAP - 2, WRAP - 1, WRAP)),
        tuple(Fault(DATA, block, later(behind=1)) for block in (WRAP - 1, WRAP)),
    ),
    Wrap(
        "F-WR-03",
        "an_ack_next_to_the_wrap_is_lost",
        "In windows of four an ACK has the number 0, in lock-step 65535 too: both are lost.",
        4,
        tuple(Fault(ACK, block, lose()) for block in (WRAP - 1, WRAP)),
        tuple(Fault(ACK, block, lose()) for block in (WRAP - 1, WRAP)),
    ),
    Wrap(
        "F-WR-04",
        "the_first_ack_0_is_replayed_at_the_wrap",
        "ACK 0 comes again when block 65534, the last of its window, is outstanding.",
        7,
        (Fault(DATA, WRAP - 2, insert(ack(0))),),
    ),
)


def _wrap_case(wrap: Wrap) -> Callable[[ServerTrial], None]:
    def case(t: ServerTrial) -> None:
        window = wrap.window if "windowsize" in t.manners.options else 1
        _over_the_wrap(t, wrap, wrap.read, "roll", 1 if wrap.id == "F-WR-01" else window)
        if wrap.write and t.manners.creates:
            _over_the_wrap(t, wrap, wrap.write, "", window)
        t.alive()

    case.__name__ = wrap.name
    case.__doc__ = wrap.why
    return case


def _over_the_wrap(t: ServerTrial, wrap: Wrap, plan: Plan, name: str, window: int) -> None:
    t.needs_option("blksize")
    octets = t.fixture("roll")
    wishes: dict[str, Value] = {"blksize": EIGHT, **hurried(t)}
    if window > 1:
        wishes["windowsize"] = window
    what = f"{'a read' if name else 'an upload'} in windows of {window}"
    played, scene = _play(t, plan, name, octets, wishes, what, LONGEST)
    try:
        if scene.size != EIGHT or scene.window != window:
            scene.wire.line.send(error(0, "Not like this"))
            t.unsupported(f"{what}: blocks of {scene.size} octets are granted")
        reached = scene.wire.count(DATA if name else ACK, WRAP + 100)
        if not played.complete and not _wraps(t, name, octets, wishes):
            t.unsupported("the numbers do not begin again behind 65535")
        t.check(played.complete, f"{what}: {played.trouble}; block {WRAP + 100}: {reached} times")
        if scene.sends:
            t.check(played.content == octets, f"{what}: the file came with other octets")
        else:
            t.holds(scene.name, octets)
        conduct(scene, Row(wrap.id, wrap.why, ()))
    finally:
        _shorten(t)


def _wraps(t: ServerTrial, name: str, octets: bytes, wishes: dict[str, Value]) -> bool:
    """Tells whether a transfer of that size goes right when nothing befalls it."""
    played, _ = _play(t, (), name, octets, wishes, "an undisturbed transfer", LONGEST)
    return played.complete


def _shorten(t: ServerTrial) -> None:
    """Leaves out of the ladder what is far from the faults."""
    steps = t.ladder.steps
    noted = [place for place, step in enumerate(steps) if step.datagram is None]
    kept = set(range(HEAD)) | set(range(len(steps) - HEAD, len(steps)))
    for place in noted:
        kept |= set(range(place - TAIL // 4, place + TAIL // 4))
    t.ladder.steps = [step for place, step in enumerate(steps) if place in kept]


for wrap in WRAPS:
    server_case(wrap.id, alone=True)(_wrap_case(wrap))
