"""RFC 1350 sections 2 and 4, tried against clients: the request, ports, strangers.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from itertools import pairwise

from ..catalogue import client_case
from ..client_moves import AT_ONCE, arrivals, gave_up
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..wire import ACK, DATA, ERROR, RRQ, Packet, ack, data, error

FILE = content(1300, 9)  # two full blocks and a short one
FOREIGN = content(512, 999)
SOON = 3.0  # seconds within which a client that has heard an ERROR is expected to end


@client_case("RFC1350-2-14")
def an_unanswered_request_is_repeated(t: ClientTrial) -> None:
    """Nobody answers; a second copy has to come from the same port, to a slow timer's limit."""
    for request in t.ways(FILE):
        copy = t.listener.hear(20.0)
        t.check(copy is not None, f"{request.kind} was not repeated within 20 s")
        if copy is not None:
            t.check(copy.source == request.source, f"{request.kind} was repeated from a new port")
            t.check(copy.raw == request.raw, f"{request} was repeated as {copy}")


@client_case("RFC1350-4-04")
def ports_do_not_come_back_soon(t: ClientTrial) -> None:
    """Ten short reads in a row; three of a client that somebody has to start."""
    ports = []
    for _ in range(10 if t.sees_exit else 3):
        request = t.get()
        ports.append(request.source[1])
        line = t.server(request)
        line.give(b"short")
        t.succeeds(b"short")
    if len(set(ports)) < len(ports):
        t.warn(f"a port came back within {len(ports)} transfers: {ports}")
    elif all(later - port == 1 for port, later in pairwise(ports)):
        t.policy(f"ports count up by one: {ports}")


@client_case("RFC1350-4-10")
def the_port_of_the_first_answer_is_used(t: ClientTrial) -> None:
    """The answer comes from a new port; the well-known one must hear nothing but the request."""
    for request in t.ways(FILE):
        finish(t, t.server(request), request)
        arrivals(t.listener, 0.3)
        for packet in t.listener.heard:
            if packet.source == request.source:
                t.check(packet.kind == request.kind, f"{packet} went to the well-known port")


@client_case("RFC1350-4-11")
def a_strangers_block_is_not_taken(t: ClientTrial) -> None:
    """Block 2 comes from a foreign port first, with other octets, and then from the right one."""
    request = t.get()
    line, stranger = t.server(request), t.server(request)
    line.give(FILE, 1, 1)
    stranger.send(data(2, FOREIGN))
    rejected(stranger, t, 0.4)
    line.give(FILE, 2)
    rejected(stranger, t, 0.0)
    t.succeeds(FILE)


@client_case("RFC1350-4-12")
def a_stranger_is_told_error_5(t: ClientTrial) -> None:
    """A packet that would be right, from a wrong port, in mid-transfer."""
    for request in t.ways(FILE):
        line, stranger = t.server(request), t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 1)
            stranger.send(data(2, FILE[512:1024]))
        else:
            line.send(ack(0))
            line.expect(DATA, 1)
            stranger.send(ack(1))
        told_error_5(t, stranger, f"a stranger in a transfer by {request.kind}")


@client_case("RFC1350-4-13")
def the_first_of_two_answers_counts(t: ClientTrial) -> None:
    """A doubled request made two transfers: both answer, the first one goes on."""
    for request in t.ways(FILE):
        line, second = t.server(request), t.server(request)
        first = data(1, FILE[:512]) if request.kind == RRQ else ack(0)
        line.send(first)
        line.expect(ACK if request.kind == RRQ else DATA, 1)
        second.send(first)
        told_error_5(t, second, f"the second answer to {request.kind}")
        if request.kind == RRQ:
            line.give(FILE, 2)
            t.succeeds(FILE)
        else:
            line.send(ack(1))
            line.take(2)
            t.succeeds()
        rejected(second, t, 0.0)


@client_case("RFC1350-4-14")
def an_answer_from_another_host_is_not_trusted(t: ClientTrial) -> None:
    """A second address of this machine answers in place of the one that was asked."""
    if not t.host.startswith("127."):
        t.skip("on this address there is no second host to play")
    request = t.get()
    try:
        other = t.server(request, host="127.0.0.5")
    except OSError as trouble:
        t.skip(f"127.0.0.5 cannot be used: {trouble.strerror}")
    line = t.server(request)
    octets = content(1300, 99)
    other.send(data(1, octets[:512]))
    packet = other.answer(1.0)
    if packet is None and gave_up(t, other):
        t.lenient("an answer from another host than was asked makes the client give up")
        t.fails(FILE)
        return
    if packet is None or packet.kind == ERROR:
        line.send(data(1, FILE[:512]))
        if line.answer() is None:
            t.lenient("after an answer from another host the right one is not heard")
            t.fails(FILE)
            return
        line.give(FILE, 2)
        t.succeeds(FILE)
        return
    t.check(packet.kind == ACK and packet.block == 1, f"the other host got {packet}")
    other.give(octets, 2)
    t.succeeds(octets)
    t.policy("an answer from another host than was asked is taken")


@client_case("RFC1350-4-15")
def each_transfer_has_a_port_of_its_own(t: ClientTrial) -> None:
    """Two transfers, one after the other, as the client does them without being told a port."""
    first, second = ({one.kind: one.source for one in t.ways(FILE)} for _ in range(2))
    for kind, source in first.items():
        if second[kind] == source:
            t.warn(f"{kind} came from port {source[1]} twice in a row")


@client_case("RFC1350-4-20")
def an_early_error_may_come_from_any_port(t: ClientTrial) -> None:
    """The same ERROR once from the well-known port, once from a new one."""
    for known in (True, False):
        for request in t.ways(FILE):
            line = t.listener if known else t.server(request)
            line.send(error(1, "No such file"), request.source)
            if not t.sees_exit:
                continue
            if t.gone(SOON) is None:
                where = "the well-known port" if known else "a new port"
                t.lenient(f"an ERROR from {where} did not end {request.kind} at once")
            t.fails(FILE)


def finish(t: ClientTrial, line: Server, request: Packet) -> None:
    """Plays a whole transfer of the file, in lock-step and without options."""
    if request.kind == RRQ:
        line.give(FILE)
        t.succeeds(FILE)
    else:
        line.send(ack(0))
        line.take()
        t.succeeds()


def told_error_5(t: ClientTrial, stranger: Server, who: str) -> None:
    """Warns unless a stranger hears ERROR 5; FAIL if it hears anything but an ERROR."""
    packet = stranger.answer(1.0)
    rejected(stranger, t, 0.0)
    if packet is None:
        t.warn(f"{who} was not told")
    elif packet.code != 5:
        t.warn(f"{who} was told {packet}")


def rejected(stranger: Server, t: ClientTrial, seconds: float) -> None:
    """FAIL if a stranger has heard anything but an ERROR, now or within that time."""
    arrivals(stranger, max(seconds, AT_ONCE))
    for packet in stranger.heard:
        t.check(packet.kind == ERROR, f"a foreign port got {packet}")
