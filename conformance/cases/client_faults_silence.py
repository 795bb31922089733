"""Faults that last, tried against clients: a packet never arrives, a direction is dead.

The client has to give up and to say so. One that is still at it when our patience ends is
skipped: an end may take up to 300 seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..catalogue import client_case
from ..client_trial import ClientTrial, Exit, Server
from ..fixtures import content
from ..server_steps import chunk
from ..wire import ACK, DATA, RRQ, WRQ, Packet, ack, data, oack

FILE = content(3000, 71)  # six blocks
LAST = 6
PAUSES = (1.0, 3.0)  # seconds


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a server falls silent for good."""

    id: str
    name: str
    why: str
    get: int | None = None
    """The last block that is sent; 0: nothing but the request has been heard."""
    put: int | None = None
    """The last block that is acknowledged; -1: not even ACK 0."""
    copies: int = 0
    """How often our last packet is sent again, a second apart, before the silence."""


ROWS = (
    Ends("F-RQ-03", "no_request_ever_arrives", "The well-known port never says a word.", 0, -1),
    Ends("F-D1-02", "first_data_never_arrives", "As if DATA 1 were lost each time.", 0),
    Ends("F-A0-02", "ack_0_never_arrives", "As if ACK 0 were lost each time.", None, -1),
    Ends("F-DM-03", "data_is_lost_from_one_block_on", "Nothing behind block 2, either way.", 2, 2),
    Ends(
        "F-AM-03",
        "acks_are_lost_from_one_block_on",
        "A get whose server repeats block 2 as if it heard no ACK; a put that hears no third.",
        2,
        2,
        copies=3,
    ),
    Ends("F-DL-02", "the_last_data_never_arrives", "All but the final block.", LAST - 1, LAST - 1),
    Ends(
        "F-SY-02",
        "one_direction_goes_dead",
        "What is said last is said once more, as by one who hears nothing, and then no more.",
        3,
        3,
        copies=1,
    ),
)


def _case(row: Ends) -> Callable[[ClientTrial], None]:
    def case(t: ClientTrial) -> None:
        t.needs_exit()
        tried = False
        for request in t.ways(FILE):
            until = row.get if request.kind == RRQ else row.put
            if until is not None:
                tried = True
                _fall_silent(t, request, until, row.copies)
                t.fails(FILE if request.kind == RRQ else None)
        if not tried:
            t.unsupported("the client cannot be made to go that way")

    case.__name__, case.__doc__ = row.name, row.why
    return case


def _fall_silent(t: ClientTrial, request: Packet, until: int, copies: int) -> None:
    if until < (1 if request.kind == RRQ else 0):
        return
    line = t.server(request)
    if request.kind == RRQ:
        line.give(FILE, 1, until)
        last = data(until, chunk(FILE, until))
    else:
        line.send(ack(0))
        if until:
            line.take(1, until)
        last = ack(until)
    for _ in range(copies):
        t.pause(1.0)
        line.send(last)


for row in ROWS:
    client_case(row.id)(_case(row))


@client_case("F-OA-03")
def the_oack_never_arrives(t: ClientTrial) -> None:
    """A request with options is never answered; the client must not call that a success."""
    t.needs_exit()
    for request in t.ways(FILE, some=True, blksize=1024):
        t.fails(FILE if request.kind == RRQ else None)


@client_case("F-AL-02")
def the_receiver_is_gone_after_its_last_ack(t: ClientTrial) -> None:
    """The whole file is here, the last ACK is lost, the port is closed: any report is right."""
    line = _all_but_the_last_ack(t)
    line.drop()
    _reported(t, t.exit())


@client_case("F-AL-03")
def the_last_ack_never_arrives(t: ClientTrial) -> None:
    """The whole file is here, and each last ACK is lost: any report is right, in bounded time."""
    _all_but_the_last_ack(t)
    _reported(t, t.exit())


def _all_but_the_last_ack(t: ClientTrial) -> Server:
    t.needs_exit()
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.take(1, LAST - 1)
    line.expect(DATA, LAST)
    return line


def _reported(t: ClientTrial, end: Exit) -> None:
    t.policy("reports success" if end.status == 0 else f"reports status {end.status}")


@client_case("F-SY-03")
def a_pause_of_the_server_is_borne(t: ClientTrial) -> None:
    """One second, then three, in mid-transfer: less than any client waits before it gives up."""
    for request in t.ways(FILE):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 2)
            for block, pause in zip((3, 4), PAUSES, strict=True):
                t.pause(pause)
                line.send(data(block, chunk(FILE, block)))
                line.expect(ACK, block)
            line.give(FILE, 5)
            t.succeeds(FILE)
        else:
            line.send(ack(0))
            for block, pause in zip((1, 2), PAUSES, strict=True):
                line.expect(DATA, block)
                t.pause(pause)
                line.send(ack(block))
            line.take(3)
            t.succeeds()


@client_case("F-SY-04")
def the_server_restarts(t: ClientTrial) -> None:
    """Its transfer port vanishes in mid-transfer; then a new transfer has to work."""
    for request in t.ways(FILE):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 2)
        else:
            line.send(ack(0))
            line.take(1, 2)
        line.drop()
        if t.sees_exit:
            t.fails(FILE if request.kind == RRQ else None)
    again = t.get("file")
    t.serve(again, FILE)
    t.succeeds(FILE)


@client_case("F-RQ-01")
def a_lost_request_is_repeated(t: ClientTrial) -> None:
    """The first copy is left without an answer, the second is served."""
    for request in t.ways(FILE):
        again = _repeated(t, 1)[-1]
        if again.source != request.source:
            t.lenient("the request is repeated from a new port")
        t.serve(again, FILE)
        t.succeeds(FILE if request.kind == RRQ else None)


@client_case("F-RQ-02")
def several_lost_requests_are_repeated_at_growing_intervals(t: ClientTrial) -> None:
    """The third copy is served; how long it took to send the second and the third is compared."""
    for request in t.ways(FILE):
        second, third = _repeated(t, 2)
        sooner, later = second.at - request.at, third.at - second.at
        t.check(later > 0.7 * sooner, f"repeated after {sooner:.2f} s, then after {later:.2f} s")
        if later < 1.3 * sooner:
            t.warn(f"the interval stays the same, {later:.2f} s")
        t.serve(third, FILE)
        t.succeeds(FILE if request.kind == RRQ else None)


def _repeated(t: ClientTrial, copies: int) -> list[Packet]:
    """Returns so many further copies of a request; a client that stops before has failed."""
    found: list[Packet] = []
    while len(found) < copies:
        packet = t.listener.hear(t.give_up)
        if packet is None:
            t.fail(f"the request came {len(found) + 1} times, and no more")
        if packet.kind in (RRQ, WRQ):
            found.append(packet)
    return found


@client_case("F-OA-06")
def a_late_oack_is_used_once(t: ClientTrial) -> None:
    """Two copies of the OACK, the second one from the timer as it were; then an ordinary end."""
    for request in t.ways(FILE, some=True, blksize=1024):
        line = t.server(request)
        name, value = next(iter(request.options.items()))
        grant = str(len(FILE)) if name == "tsize" else "512" if name == "blksize" else value
        if name == "windowsize":
            grant = "1"
        line.send(oack({name: grant}))
        line.send(oack({name: grant}))
        if request.kind == RRQ:
            line.expect(ACK, 0)
            line.give(FILE)
            t.succeeds(FILE)
        else:
            t.check(line.take(1) == FILE, "the client sent another file")
            t.succeeds()
