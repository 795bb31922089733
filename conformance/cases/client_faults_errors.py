"""ERRORs that are lost, doubled, late or damaged, tried against clients.

Each comes in mid-transfer from the server; afterwards nothing more may be said.
"""

from ..catalogue import client_case
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..server_steps import chunk
from ..wire import ERROR, RRQ, Packet, ack, data, error

FILE = content(3000, 71)
QUIET = 2.0  # seconds


def _middle(t: ClientTrial, request: Packet) -> Server:
    """Serves the first two blocks."""
    line = t.server(request)
    if request.kind == RRQ:
        line.give(FILE, 1, 2)
    else:
        line.send(ack(0))
        line.take(1, 1)
        line.hear()
    return line


def _over(t: ClientTrial, line: Server, request: Packet) -> None:
    """Fails if anything is said after an ERROR, or if the client calls it a success."""
    if (packet := line.anything(QUIET)) is not None:
        t.fail(f"an ERROR was answered with {packet}")
    t.fails(FILE if request.kind == RRQ else None)


@client_case("F-ER-01")
def a_lost_error_leaves_the_timers(t: ClientTrial) -> None:
    """The server has left and its ERROR is lost: as if it had fallen silent."""
    t.needs_exit()
    for request in t.ways(FILE):
        _middle(t, request)
        t.fails(FILE if request.kind == RRQ else None)


@client_case("F-ER-02")
def two_copies_of_an_error(t: ClientTrial) -> None:
    """Back to back; the second one meets a client that has left, perhaps a closed port."""
    for request in t.ways(FILE):
        line = _middle(t, request)
        line.send(error(0, "Enough"))
        line.send(error(0, "Enough"))
        _over(t, line, request)


@client_case("F-ER-03")
def an_error_after_the_end(t: ClientTrial) -> None:
    """The transfer is done when an ERROR comes; the file stays, and the next transfer works."""
    for request in t.ways(FILE):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE)
        else:
            line.send(ack(0))
            line.take(1)
        line.send(error(0, "Too late"))
        if (packet := line.anything(1.0)) is not None:
            t.fail(f"an ERROR after the end was answered with {packet}")
        t.succeeds(FILE if request.kind == RRQ else None)
    t.serve(t.get("file"), FILE)
    t.succeeds(FILE)


@client_case("F-ER-04")
def an_odd_error_ends_it_all_the_same(t: ClientTrial) -> None:
    """A code that no table knows, and a text without its zero octet."""
    for packet in (error(4711, "Odd"), b"\0\5\0\1No end"):
        for request in t.ways(FILE):
            line = _middle(t, request)
            line.send(packet)
            _over(t, line, request)


@client_case("F-ER-05")
def an_error_that_is_cut_short(t: ClientTrial) -> None:
    """Four octets hold the code and end it; with two or three it may go on to its own end."""
    for request in t.ways(FILE):
        line = _middle(t, request)
        line.send(b"\0\5\0\1")
        _over(t, line, request)
    for size in (2, 3):
        line = t.server(request := t.get("file"))
        line.give(FILE, 1, 2)
        line.send(b"\0\5\0"[:size])
        if t.gone(0.5) is None:
            line.send(data(3, chunk(FILE, 3)))
            answer = line.answer()
            if answer is not None and answer.kind != ERROR:
                line.give(FILE, 4)
                t.succeeds(FILE)
                continue
        t.fails(FILE)
    del request


@client_case("F-ER-07")
def two_errors_cross(t: ClientTrial) -> None:
    """A block that is too large makes the client send one while ours is on its way."""
    for request in t.ways(FILE):
        line = _middle(t, request)
        bad = data(3, bytes(600)) if request.kind == RRQ else b"\0\4"
        line.send(bad)
        line.send(error(4, "Me too"))
        first = line.anything(1.0)
        if first is not None and (more := line.anything(QUIET)) is not None:
            t.fail(f"after {first} and an ERROR of ours came {more}")
        t.fails(FILE if request.kind == RRQ else None)
