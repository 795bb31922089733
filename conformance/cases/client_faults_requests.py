"""Faults at the beginning, and blocks that look like the end, tried against clients.

Two servers answer one request, an answer is late or damaged, a block has lost its payload.
"""

from ..catalogue import client_case
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..server_steps import chunk
from ..wire import ACK, DATA, ERROR, RRQ, WRQ, Packet, ack, data, oack

FILE = content(3000, 71)  # six blocks
OTHER = content(3000, 9)
SOON = 0.05  # seconds


def _turned_away(t: ClientTrial, line: Server, what: str, *, polite: bool = False) -> None:
    """Fails if the client has gone along with `line` as well; an ERROR 5 is what it should get."""
    packet = line.anything(1.0)
    if packet is None:
        if polite:
            t.lenient(f"{what} gets no ERROR 5")
        return
    t.check(packet.kind == ERROR, f"{what} was answered with {packet}")
    line.ended = True


def _two_answers(t: ClientTrial, request: Packet, source: Packet, *, polite: bool = False) -> None:
    """Answers from two ports, drives the first, and looks what the second one is told."""
    first, second = t.server(request), t.server(source)
    opening = data(1, chunk(FILE, 1)) if request.kind == RRQ else ack(0)
    first.send(opening)
    t.pause(SOON)
    second.send(opening)
    if request.kind == RRQ:
        first.expect(ACK, 1)
        _turned_away(t, second, "the second port", polite=polite)
        first.give(FILE, 2)
        t.succeeds(FILE)
    else:
        first.expect(DATA, 1)
        _turned_away(t, second, "the second port", polite=polite)
        first.send(ack(1))
        t.check(chunk(FILE, 1) + first.take(2) == FILE, "the client sent another file")
        t.succeeds()


@client_case("F-RQ-04")
def the_request_arrives_twice(t: ClientTrial) -> None:
    """Two servers' worth of answers, fifty milliseconds apart, to the same port of the client."""
    for request in t.ways(FILE):
        _two_answers(t, request, request)


@client_case("F-RQ-06")
def the_request_is_overtaken_by_its_repeat(t: ClientTrial) -> None:
    """Both copies are answered after the second has come, each from a port of its own."""
    for request in t.ways(FILE):
        _two_answers(t, request, _repeat(t))


@client_case("F-D1-04")
def the_first_block_comes_after_the_repeat(t: ClientTrial) -> None:
    """As before, for a get alone: whether the second port is told ERROR 5 counts here."""
    request = t.get("file")
    _two_answers(t, request, _repeat(t), polite=True)


def _repeat(t: ClientTrial) -> Packet:
    while (packet := t.listener.hear(t.give_up)) is not None:
        if packet.kind in (RRQ, WRQ):
            return packet
    t.skip("the client does not repeat its request")
    raise AssertionError("skip has ended the case")


@client_case("F-D1-06")
def the_first_block_has_lost_octets(t: ClientTrial) -> None:
    """It looks like the end of the file; the client may believe that, but must not add any."""
    t.needs_exit()
    for size in (511, 100, 0):
        line = t.server(t.get("file"))
        line.send(data(1, FILE[:size]))
        line.answer()
        _shortened(t, FILE[:size])


def _shortened(t: ClientTrial, octets: bytes) -> None:
    end = t.exit()
    if end.status == 0:
        t.check((end.content or b"") == octets, "the client has octets that were not sent")
        t.policy("takes a shortened file for the whole")
    else:
        t.policy(f"a shortened file ends with status {end.status}")


@client_case("F-D1-07")
def a_strangers_first_block_comes_first(t: ClientTrial) -> None:
    """Nothing tells it from the server's own: the client keeps to one of the two."""
    request = t.get("file")
    stranger, server = t.server(request), t.server(request)
    stranger.send(data(1, chunk(OTHER, 1)))
    t.pause(0.01)
    server.send(data(1, chunk(FILE, 1)))
    stranger.expect(ACK, 1)
    _turned_away(t, server, "the second port", polite=True)
    stranger.give(OTHER, 2)
    if t.sees_exit and (end := t.exit()).status == 0:
        t.check(end.content == OTHER, "the file is a mixture of two")


@client_case("F-OA-07")
def the_oack_comes_behind_block_1(t: ClientTrial) -> None:
    """DATA 1 has refused the options; what the OACK says then has no place any more."""
    request = t.get("file", firm=False, blksize=1024)
    if not request.options:
        t.unsupported("the client requests no option")
    line = t.server(request)
    line.send(data(1, chunk(FILE, 1)))
    name, value = next(iter(request.options.items()))
    line.send(oack({name: value}))
    line.expect(ACK, 1)
    answer = line.answer(0.3)
    if answer is not None and answer.kind == ERROR:
        t.fails(FILE)
        return
    line.give(FILE, 2)
    t.succeeds(FILE)


@client_case("F-OA-08")
def a_damaged_oack(t: ClientTrial) -> None:
    """A value too large, a name with a wrong letter, a last zero octet that became a letter."""
    asked = 1024
    damaged = {
        "a larger value": oack({"blksize": 9024}),
        "another name": oack({"blksizf": asked}),
        "no end": oack({"blksize": asked})[:-1] + b"x",
    }
    for what, packet in damaged.items():
        for request in t.ways(FILE, blksize=asked):
            line = t.server(request)
            line.send(packet)
            answer = line.answer(1.0)
            t.note(f"{what}: {answer or 'silence'}")
            t.fails(FILE if request.kind == RRQ else None)


@client_case("F-DM-10")
def a_block_without_payload_looks_like_the_end(t: ClientTrial) -> None:
    """A get ends with what it has; a put whose receiver has left so must not call it success."""
    t.needs_exit()
    for request in t.ways(FILE):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 2)
            line.send(data(3))
            line.expect(ACK, 3)
            t.succeeds(FILE[:1024])
        else:
            line.send(ack(0))
            line.take(1, 3)
            line.ended = True
            line.port.close()
            t.fails()


@client_case("F-DL-06")
def the_last_block_has_lost_octets(t: ClientTrial) -> None:
    """It is the end all the same; nobody can know, unless a size was announced."""
    t.needs_exit()
    line = t.server(t.get("file"))
    line.give(FILE, 1, 5)
    line.send(data(6, chunk(FILE, 6)[:100]))
    line.answer()
    _shortened(t, FILE[: 5 * 512 + 100])


@client_case("F-NM-08")
def a_short_block_within_a_window(t: ClientTrial) -> None:
    """Block 2 of a window of four is short: the get acknowledges it as the end."""
    t.needs_exit()
    line = t.server(t.get("file", windowsize=4))
    line.send(oack({"windowsize": 4}))
    line.expect(ACK, 0)
    line.send(data(1, chunk(FILE, 1)))
    line.send(data(2, chunk(FILE, 2)[:100]))
    line.send(data(3, chunk(FILE, 3)))
    line.expect(ACK, 2)
    t.succeeds(FILE[:612])


@client_case("F-SY-05")
def an_earlier_transfer_is_replayed(t: ClientTrial) -> None:
    """All blocks of an old transfer come again from its port, in the middle of a new one."""
    for request in t.ways(FILE):
        line, ghost = t.server(request), t.server(request)
        old = [data(block, chunk(OTHER, block)) for block in range(1, 7)]
        if request.kind == RRQ:
            line.give(FILE, 1, 2)
        else:
            old = [ack(block) for block in range(7)]
            line.send(ack(0))
            line.take(1, 2)
        for packet in old:
            ghost.send(packet)
        _turned_away(t, ghost, "the old port")
        if request.kind == RRQ:
            line.give(FILE, 3)
            t.succeeds(FILE)
        else:
            line.take(3)
            t.succeeds()
