"""Faults of requests, tried against servers: doubled, late, swapped, damaged, cut short.

A doubled request may open a second transfer; who answers second is told ERROR 5, as any
client would tell it. What counts is that one transfer goes right, and no file is harmed.
"""

from ..catalogue import server_case
from ..faults import FaultyLine
from ..fixtures import content
from ..play import Played, receive_file, send_file
from ..server_steps import chunk
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, Packet, ack, data, error, rrq, wrq

FILE = content(3000, 74)  # six blocks
OTHER = content(3000, 75)
TIMER = 2.0  # seconds
GHOST = 0.5  # seconds after which a transfer that was refused must be silent
UNKNOWN = error(5, "Unknown transfer ID")


def _line(t: ServerTrial) -> FaultyLine:
    return FaultyLine(t.client())


def _ask(wire: FaultyLine, request: bytes) -> None:
    client = wire.line
    assert isinstance(client, Client), "only clients ask"
    client.ask(request)


def _first(t: ServerTrial, wire: FaultyLine) -> Packet:
    first = wire.hear()
    if first is None:
        t.fail("a request is not answered")
    return first


def _read_on(t: ServerTrial, wire: FaultyLine, octets: bytes, first: Packet, what: str) -> None:
    """Reads to the end, and looks at what became of a second transfer."""
    played = receive_file(wire, first=first, timer=TIMER)
    _right(t, played, octets, what)
    _ghosts(t, wire, what)


def _right(t: ServerTrial, played: Played, octets: bytes, what: str) -> None:
    t.check(played.complete, f"{what}: {played.trouble}")
    t.check(played.content == octets, f"{what}: the file came with other octets")


def _write_on(t: ServerTrial, wire: FaultyLine, name: str, what: str) -> None:
    played = send_file(wire, FILE, timer=TIMER)
    t.check(played.complete, f"{what}: {played.trouble}")
    _ghosts(t, wire, what)
    t.holds(name, FILE)


def _ghosts(t: ServerTrial, wire: FaultyLine, what: str) -> None:
    """Fails if a transfer that was told ERROR 5 goes on."""
    told: dict[tuple[str, int], float] = {}
    wire.hear(GHOST + 0.2)
    for packet in wire.others:
        since = told.setdefault(packet.source, packet.at)
        alive = packet.kind != ERROR and packet.at > since + GHOST
        t.check(not alive, f"{what}: a second transfer that was refused sends {packet}")


@server_case("F-RQ-04")
def a_doubled_request_makes_one_transfer(t: ServerTrial) -> None:
    """Two copies back to back; whoever answers first is followed to the end."""
    octets = t.fixture("b3000")
    wire = _line(t)
    for _ in range(2):
        _ask(wire, rrq("b3000"))
    _read_on(t, wire, octets, _first(t, wire), "a doubled read request")
    if t.manners.creates:
        name = t.new_name()
        wire = _line(t)
        for _ in range(2):
            _ask(wire, wrq(name))
        first = _first(t, wire)
        t.check(first.kind == ACK, f"a doubled write request got {first}")
        _write_on(t, wire, name, "a doubled write request")
    t.alive()


@server_case("F-RQ-05")
def a_late_copy_of_a_request_harms_nothing(t: ServerTrial) -> None:
    """A copy when block 2 has been acknowledged, and another behind the end.

    What answers behind the end is refused at once: the stored file must be as it was.
    """
    octets = t.fixture("b3000")
    wire = _line(t)
    _late_read(t, wire, octets)
    if t.manners.creates:
        name = t.new_name()
        wire = _line(t)
        _late_write(t, wire, name)
        t.holds(name, FILE)
        behind = t.client()
        behind.ask(wrq(name))
        packet = behind.hear(2.0)
        if packet is not None and packet.kind != ERROR:
            behind.send(UNKNOWN)
            behind.ended = True
        t.pause(0.5)
        t.holds(name, FILE)
    t.alive()


def _late_read(t: ServerTrial, wire: FaultyLine, octets: bytes) -> None:
    _ask(wire, rrq("b3000"))
    first = _first(t, wire)
    t.check(first.kind == DATA, f"a read got {first}")
    got = first.payload
    for block in range(1, len(octets) // 512 + 1):
        wire.send(ack(block))
        if block == 2:
            _ask(wire, rrq("b3000"))
        got += _next(t, wire, DATA, block + 1).payload
    wire.send(ack(len(octets) // 512 + 1))
    t.check(got == octets, "beside a late copy of the request the file came with other octets")
    _ghosts(t, wire, "a late read request")


def _late_write(t: ServerTrial, wire: FaultyLine, name: str) -> None:
    _ask(wire, wrq(name))
    first = _first(t, wire)
    t.check(first.kind == ACK, f"an upload got {first}")
    for block in range(1, 7):
        wire.send(data(block, chunk(FILE, block)))
        _next(t, wire, ACK, block)
        if block == 2:
            _ask(wire, wrq(name))
    _ghosts(t, wire, "a late write request")


def _next(t: ServerTrial, wire: FaultyLine, kind: str, block: int) -> Packet:
    """Waits for a packet; copies of what came before are passed over."""
    deadline = t.now() + t.patience + t.resend
    while True:
        packet = wire.hear(max(0.0, deadline - t.now()))
        if packet is None:
            t.fail(f"beside a copy of the request {kind} {block} was due, and nothing came")
        if (packet.kind, packet.block) == (kind, block):
            return packet
        old = packet.kind == kind and packet.block < block
        t.check(old, f"beside a copy of the request {kind} {block} was due, and {packet} came")


@server_case("F-RQ-06")
def a_request_that_its_repeat_overtook_harms_nothing(t: ServerTrial) -> None:
    """The first answer is here, and before it is acknowledged the other copy arrives."""
    octets = t.fixture("b3000")
    wire = _line(t)
    _ask(wire, rrq("b3000"))
    first = _first(t, wire)
    _ask(wire, rrq("b3000"))
    _read_on(t, wire, octets, first, "a read request that was overtaken")
    if t.manners.creates:
        name = t.new_name()
        wire = _line(t)
        _ask(wire, wrq(name))
        first = _first(t, wire)
        t.check(first.kind == ACK, f"an upload got {first}")
        _ask(wire, wrq(name))
        _write_on(t, wire, name, "a write request that was overtaken")
    t.alive()


@server_case("F-RQ-07")
def requests_of_two_clients_are_kept_apart(t: ServerTrial) -> None:
    """Two clients ask for two files back to back; both transfers go on side by side."""
    pairs = [(t.client(), name) for name in ("b3000", "b10k")]
    for client, name in reversed(pairs):
        t.fixture(name)
        client.ask(rrq(name))
    for block in range(1, 4):
        for client, name in pairs:
            client.expect_data(block, chunk(t.fixture(name), block))
            client.send(ack(block))
    if t.manners.creates:
        names = [t.new_name(), t.new_name()]
        clients = [t.client(), t.client()]
        for client, name in zip(reversed(clients), reversed(names), strict=True):
            client.ask(wrq(name))
        for client in clients:
            client.expect(ACK, 0)
        for block in range(1, 7):
            for client, octets in zip(clients, (FILE, OTHER), strict=True):
                client.send(data(block, chunk(octets, block)))
                client.expect(ACK, block)
        for name, octets in zip(names, (FILE, OTHER), strict=True):
            t.holds(name, octets)


def _damaged(request: bytes) -> dict[str, bytes]:
    """Returns a request with damage to its opcode, its mode, and the NUL between."""
    end = request.index(b"\0", 2)
    return {
        "the opcode 3": b"\0\3" + request[2:],
        "the opcode 257": b"\1\1" + request[2:],
        "another mode": request[: end + 1] + b"ocuet" + request[end + 6 :],
        "no NUL behind the name": request[:end] + b"x" + request[end + 1 :],
    }


@server_case("F-RQ-08")
def a_damaged_request_is_repaired_by_its_repeat(t: ServerTrial) -> None:
    """Each kind of damage from a port of its own, and from the same port the true request."""
    octets = t.fixture("b3000")
    lines = []
    for what, request in _damaged(rrq("b3000")).items():
        wire = _line(t)
        _ask(wire, request)
        lines.append((what, wire))
    t.pause(1.0)
    for what, wire in lines:
        packet = wire.line.hear(0.0)
        wrong = packet is not None and packet.kind != ERROR
        t.check(not wrong, f"a read request with {what} got {packet}")
        fresh = _again(wire)
        _ask(fresh, rrq("b3000"))
        _read_on(t, fresh, octets, _first(t, fresh), f"a read behind one with {what}")
    if t.manners.creates:
        name = t.new_name()
        wire = _line(t)
        _ask(wire, _damaged(wrq(name))["another mode"])
        wire.line.hear(1.0)
        fresh = _again(wire)
        _ask(fresh, wrq(name))
        first = _first(t, fresh)
        t.check(first.kind == ACK, f"a write behind a damaged request got {first}")
        _write_on(t, fresh, name, "a write behind a damaged request")
    t.alive()


def _again(wire: FaultyLine) -> FaultyLine:
    """Returns a new line over the same port, which has met nobody yet."""
    wire.line.peer, wire.line.ended = None, False
    return FaultyLine(wire.line)


@server_case("F-RQ-09")
def a_request_cut_short_opens_nothing_else(t: ServerTrial) -> None:
    """Cut to 0, 1, 2 and 3 octets, before the mode, and before the last NUL."""
    octets = t.fixture("b511")
    whole = rrq("b511")
    cuts = [*range(4), whole.index(b"\0", 2) + 1, len(whole) - 1]
    clients = []
    for size in cuts:
        clients.append((size, t.client()))
        clients[-1][1].ask(whole[:size])
    if t.manners.creates:
        name = t.new_name()
        request = wrq(name)
        clients.append((-1, t.client()))
        clients[-1][1].ask(request[: request.index(b"\0", 2) + 1])
    t.pause(1.5)
    for size, client in clients:
        packet = client.hear(0.0)
        if packet is None or packet.kind == ERROR:
            continue
        right = packet.kind == DATA and packet.payload == octets and size >= 4
        t.check(right, f"a request cut to {size} octets got {packet}")
        t.lenient(f"a request cut to {size} of {len(whole)} octets is served")
    t.alive()


@server_case("F-RQ-10")
def the_same_request_from_two_ports_makes_two_transfers(t: ServerTrial) -> None:
    """Two reads of one file side by side, and two uploads to one name, of which one may fail."""
    octets = t.fixture("b3000")
    clients = [t.client(), t.client()]
    for client in clients:
        client.ask(rrq("b3000"))
    for block in range(1, 7):
        for client in clients:
            client.expect_data(block, chunk(octets, block))
            client.send(ack(block))
    if t.manners.creates:
        name = t.new_name()
        first, second = t.client(), t.client()
        for client in (first, second):
            client.ask(wrq(name))
        taken = [client for client in (first, second) if _taken(t, client)]
        t.check(bool(taken), "two uploads to one name are both refused")
        for block in range(1, 7):
            for client in taken:
                client.send(data(block, chunk(FILE, block)))
            taken = [client for client in taken if _acknowledged(t, client, block)]
        t.check(bool(taken), "of two uploads to one name none is completed")
        t.holds(name, FILE)
    t.alive()


def _taken(t: ServerTrial, client: Client) -> bool:
    packet = client.hear()
    t.check(packet is not None, "one of two equal write requests is not answered")
    return packet is not None and packet.kind == ACK


def _acknowledged(t: ServerTrial, client: Client, block: int) -> bool:
    packet = client.anything(t.patience, repeats=True)
    if packet is not None and packet.kind == ERROR:
        return False
    right = packet is not None and (packet.kind, packet.block) == (ACK, block)
    t.check(right, f"ACK {block} was due, and {packet or 'nothing'} came")
    return True
