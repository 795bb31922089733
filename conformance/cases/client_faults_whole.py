"""Faults over whole transfers, tried against clients: seeded mixtures, and the wrap.

A wrap takes 65,536 blocks: of eight octets, and in windows where the client asks for them.
The ladders of those keep the two ends of the transfer only.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..catalogue import client_case
from ..client_trial import ClientTrial
from ..faults import ALL, Fault, FaultyLine
from ..fixtures import content
from ..mishaps import insert, later, lose, seeded
from ..play import Played, receive_file, send_file
from ..scenes import Plan
from ..wire import ACK, DATA, RRQ, Packet, ack, oack

SEEDS = 6
SHARES = {"loss": 0.05, "double": 0.03, "swap": 0.03, "late": 0.05}
SIZES = (0, 700, 10240)
TIMER, TRIES = 0.4, 12

WRAP = 65536
EIGHT = 8
LONGEST = 50.0  # seconds for a transfer over the wrap
ENDS = 60  # steps of a long ladder that are kept, at each end
ROLL = content(524_803, 88)


def _serve(
    t: ClientTrial, request: Packet, octets: bytes, grants: dict[str, str], plan: Plan
) -> Played:
    """Answers a request through a plan."""
    size, window = int(grants.get("blksize", 512)), int(grants.get("windowsize", 1))
    wire = FaultyLine(t.server(request), plan, last=len(octets) // size + 1)
    wire.until = t.now() + LONGEST
    opening = oack(grants) if grants else None
    if request.kind == RRQ:
        return send_file(
            wire,
            octets,
            block_size=size,
            window=window,
            opening=opening,
            timer=TIMER,
            tries=TRIES,
        )
    played = receive_file(
        wire,
        block_size=size,
        window=window,
        opening=opening or ack(0),
        timer=TIMER,
        tries=TRIES * 2,
    )
    while t.sees_exit and played.complete and t.gone() is None and t.now() < wire.until:
        packet = wire.hear(0.1)  # the last ACK may have been lost
        if packet is not None and packet.kind == DATA:
            wire.send(ack(packet.block))
    return played


@client_case("F-SY-01")
def a_mixture_of_faults_is_borne(t: ClientTrial) -> None:
    """Six seeds over files of three sizes, both ways; what fails has to fail visibly."""
    for seed in range(1, SEEDS + 1):
        octets = content(SIZES[seed % len(SIZES)], seed)
        plan = (Fault("", None, seeded(f"seed {seed}", **SHARES), ALL),)
        for request in t.ways(octets):
            played = _serve(t, request, octets, {}, plan)
            said = f"seed {seed}, {len(octets)} octets, {request.kind}"
            t.note(f"{said}: {'done' if played.complete else played.trouble}")
            if request.kind != RRQ and played.complete:
                t.check(played.content == octets, f"{said}: other octets came")
            if not t.sees_exit:
                continue
            end = t.exit()
            if end.status != 0:
                t.lenient(f"{said}: the client gave up")
            elif request.kind == RRQ:
                t.check((end.content or b"") == octets, f"{said}: the file holds other octets")
            else:
                t.check(played.complete, f"{said}: the client calls half a file a success")


@dataclass(frozen=True, slots=True)
class Wrap:
    """What befalls a transfer where its numbers begin again."""

    id: str
    name: str
    why: str
    get: Plan
    put: Plan


def _each(kind: str, *blocks: int) -> Plan:
    return tuple(Fault(kind, block, lose()) for block in blocks)


WRAPS = (
    Wrap(
        "F-WR-01",
        "a_block_next_to_the_wrap_is_lost",
        "The numbers 65534, 65535, 0 and 1 are lost once each, on both ways.",
        _each(DATA, WRAP - 2, WRAP - 1, WRAP, WRAP + 1),
        _each(DATA, WRAP - 2, WRAP - 1, WRAP, WRAP + 1),
    ),
    Wrap(
        "F-WR-02",
        "a_copy_from_before_the_wrap_comes_after_it",
        "Blocks 65535 and 0 of a get, and the ACKs before the wrap of a put, come once more.",
        tuple(Fault(DATA, block, later(behind=1)) for block in (WRAP - 1, WRAP)),
        tuple(Fault(ACK, block, later(behind=1)) for block in (WRAP - 2, WRAP - 1, WRAP)),
    ),
    Wrap(
        "F-WR-03",
        "an_ack_next_to_the_wrap_is_lost",
        "The ACKs 65535 and 0, where they are sent, are lost once each.",
        _each(ACK, WRAP - 1, WRAP),
        _each(ACK, WRAP - 1, WRAP),
    ),
    Wrap(
        "F-WR-04",
        "the_beginning_is_replayed_at_the_wrap",
        "The OACK to a get, and ACK 0 to a put, come again when block 65534 is on its way.",
        (Fault(DATA, WRAP - 2, insert(oack({"blksize": EIGHT}))),),
        (Fault(DATA, WRAP - 2, insert(ack(0))),),
    ),
)


def _wrap_case(wrap: Wrap) -> Callable[[ClientTrial], None]:
    def case(t: ClientTrial) -> None:
        wishes = {"blksize": EIGHT, "windowsize": 7}
        tried = False
        for request in t.ways(ROLL, firm=False, wanted=wishes):
            if request.options.get("blksize") != str(EIGHT):
                continue
            tried = True
            grants = {"blksize": str(EIGHT)}
            if request.options.get("windowsize") == "7":
                grants["windowsize"] = "7"
            plan = wrap.get if request.kind == RRQ else wrap.put
            played = _serve(t, request, ROLL, grants, plan)
            _shorten(t)
            t.check(played.complete, f"{request.kind}: {played.trouble}")
            t.check(played.content == ROLL, f"{request.kind}: other octets came")
            t.succeeds(ROLL if request.kind == RRQ else None)
        if not tried:
            t.unsupported("the client does not ask for blocks of eight octets")

    case.__name__, case.__doc__ = wrap.name, wrap.why
    return case


def _shorten(t: ClientTrial) -> None:
    """Leaves out of the ladder what is far from its ends and from the faults."""
    steps = t.ladder.steps
    noted = [place for place, step in enumerate(steps) if step.datagram is None]
    kept = set(range(ENDS)) | set(range(len(steps) - ENDS, len(steps)))
    for place in noted:
        kept |= set(range(place - ENDS // 2, place + ENDS // 2))
    t.ladder.steps = [step for place, step in enumerate(steps) if place in kept]


for wrap in WRAPS:
    client_case(wrap.id, alone=True)(_wrap_case(wrap))
