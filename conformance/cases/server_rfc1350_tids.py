"""RFC 1350 section 4, tried against servers: the ports of a transfer, and strangers.

A stranger is played from a port, or an address, of its own while a transfer of the case
stands still; what it is told is one thing, that the transfer is untouched the other.
"""

from itertools import pairwise

from ..catalogue import server_case
from ..fixtures import content
from ..line import Line
from ..play import receive_file
from ..server_steps import UPLOAD, Followed, chunk, finish_read, finish_write, reading, writing
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, Packet, ack, data, error, rrq, wrq

READERS = 20
NAMES = ("b511", "b512", "b513", "b1024", "b3000")


# ---------------------------------------------------------------- ports of transfers


@server_case("RFC1350-4-03")
def transfers_at_the_same_time_do_not_mix(t: ServerTrial) -> None:
    """Twenty reads stand open together, then go on in turns; four writes likewise."""
    names = [name for name in NAMES if name not in t.manners.missing]
    if not names:
        t.skip("the target serves none of the fixtures for this")
    readers = [(t.client(), t.fixture(names[number % len(names)])) for number in range(READERS)]
    for number, (client, _) in enumerate(readers):
        client.ask(rrq(names[number % len(names)]))
    firsts = [client.expect_data(1, chunk(octets, 1)) for client, octets in readers]
    _apart(t, firsts)
    for block in range(1, max(len(octets) for _, octets in readers) // 512 + 2):
        for client, octets in readers:
            if block <= len(octets) // 512 + 1:
                client.send(ack(block))
            if block <= len(octets) // 512:
                client.expect_data(block + 1, chunk(octets, block + 1))
    if t.manners.creates:
        contents = [content(700, 1000 * number) for number in range(4)]
        writers = [(*writing(t), octets) for octets in contents]
        _apart(t, [client.heard[0] for client, _, _ in writers])
        for block in (1, 2):
            for client, _, octets in writers:
                finish_write(client, octets, block, block)
        for _, name, octets in writers:
            t.holds(name, octets)


def _apart(t: ServerTrial, firsts: list[Packet]) -> None:
    ports = {packet.source[1] for packet in firsts}
    if len(ports) < len(firsts):
        t.lenient(f"{len(firsts)} transfers ran from {len(ports)} ports of the target")


@server_case("RFC1350-4-04")
def ports_are_not_reused_at_once(t: ServerTrial) -> None:
    """Ten transfers in a row; a number may meet itself by chance, so twice has to be seen."""
    if t.manners.single_port:
        t.skip("the target serves all transfers from its listening port")
    ports = [_one_transfer(t) for _ in range(10)]
    if len(set(ports)) < len(ports):
        ports = [_one_transfer(t) for _ in range(10)]
    if len(set(ports)) < len(ports):
        t.warn(f"in ten transfers in a row a port came back: {ports}")
    if all(later - sooner == 1 for sooner, later in pairwise(ports)):
        t.policy("the ports of transfers count up by one")


def _one_transfer(t: ServerTrial) -> int:
    client = reading(t, "b1")
    client.send(ack(1))
    return client.heard[0].source[1]


@server_case("RFC1350-4-05")
def answers_come_from_the_address_that_was_asked(t: ServerTrial) -> None:
    """A second address of the target is asked; one that is not named is guessed on loopback."""
    other = t.target.other_host
    if other is None and t.target.address[0].startswith("127."):
        other = "127.0.0.2"
    if other is None:
        t.skip("the target's second address is not known")
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000"), host=other)
    first = client.hear(2.0)
    if first is None:
        t.skip(f"the target does not listen on {other}")
    t.check(first.source[0] == other, f"{other} was asked, and {first.source[0]} answered")
    played = receive_file(client, first=first)
    t.check(played.complete and played.content == octets, f"the read: {played.trouble}")
    sources = {packet.source for packet in client.heard}
    t.check(len(sources) == 1, f"one transfer came from {sorted(sources)}")
    if t.manners.creates:
        name = t.new_name()
        client = t.client()
        client.ask(wrq(name), host=other)
        answer = client.expect(ACK, 0)
        t.check(answer.source[0] == other, f"{other} was asked, and {answer.source[0]} answered")
        finish_write(client, UPLOAD, 1)
        t.holds(name, UPLOAD)


# ---------------------------------------------------------------- strangers


@server_case("RFC1350-4-06")
def a_stranger_gets_error_5_and_changes_nothing(t: ServerTrial) -> None:
    """The stranger sends the very ACK that the transfer waits for."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    stranger = t.line(client.peer)
    stranger.send(ack(1))
    _told_error_5(t, stranger)
    _undisturbed(client)
    finish_read(client, octets)


@server_case("RFC1350-4-07")
def an_error_of_a_stranger_does_not_end_a_read(t: ServerTrial) -> None:
    """Two codes; the transfer must still answer its own ACK and run to its end."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000", 2)
    strangers = [t.line(client.peer), t.line(client.peer)]
    for stranger, code in zip(strangers, (0, 5), strict=True):
        stranger.send(error(code, "die"))
    for stranger in strangers:
        answer = stranger.anything(0.7)
        if answer is not None:
            t.check(answer.kind == ERROR, f"an ERROR of a stranger was answered with {answer}")
            t.policy(f"an ERROR of a stranger is answered with {answer}")
    _undisturbed(client)
    finish_read(client, octets, 2)


@server_case("RFC1350-4-08")
def the_same_port_on_another_host_is_a_stranger(t: ServerTrial) -> None:
    """Only the address differs: a server that compares ports alone takes the ACK."""
    if not t.host.startswith("127."):
        t.skip("this machine has no second address that the target can be sent to from")
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    try:
        stranger = t.line(client.peer, host="127.0.0.5", port=client.address[1])
    except OSError as trouble:
        t.skip(f"no second loopback address: {trouble.strerror}")
    stranger.send(ack(1))
    _told_error_5(t, stranger)
    _undisturbed(client)
    finish_read(client, octets)


@server_case("RFC1350-4-09")
def data_of_a_stranger_never_reaches_the_file(t: ServerTrial) -> None:
    """The stranger sends each block just before the writer does."""
    client, name = writing(t)
    for block in (1, 2):
        stranger = t.line(client.peer)
        stranger.send(data(block, b"BAD!" * 128))
        answer = stranger.anything(0.7)
        wrong = answer is not None and answer.kind != ERROR
        t.check(not wrong, f"DATA of a stranger was answered with {answer}")
        _undisturbed(client)
        finish_write(client, UPLOAD, block, block)
    t.holds(name, UPLOAD)


def _told_error_5(t: ServerTrial, stranger: Line) -> None:
    answer = stranger.anything(1.0)
    if answer is None:
        told = "word that the port is closed (ICMP)" if stranger.closed else "no answer"
        t.warn(f"the stranger got {told}")
        return
    t.check(answer.kind == ERROR, f"a stranger was answered with {answer}")
    if answer.code != 5:
        t.lenient(f"the stranger got {answer}, and not code 5")


def _undisturbed(client: Client) -> None:
    """Fails if the transfer has moved meanwhile."""
    client.quiet(client.trial.now() - client.sent_at + 0.3)


# ---------------------------------------------------------------- requests that come twice


@server_case("RFC1350-4-16")
def a_doubled_read_request_gives_one_good_transfer(t: ServerTrial) -> None:
    """Two copies at once, as a client's quick timer makes them; the first answer is followed."""
    octets = t.fixture("b3000")
    client = t.client()
    for _ in range(2):
        client.ask(rrq("b3000"))
    first = client.expect_data(1)
    wire = Followed(client)
    played = receive_file(wire, first=first)
    t.check(played.complete, f"the transfer that answered first: {played.trouble}")
    t.check(played.content == octets, "the transfer that answered first gave other octets")
    refused = client.sent_at
    late = [packet for packet in client.everything(3.0) if packet.source != client.peer]
    for packet in late:
        if packet.kind == DATA and packet.at - refused > 0.3 and wire.others:
            t.lenient("the transfer that was refused with error 5 goes on")
            break


@server_case("RFC1350-4-17")
def a_late_copy_of_a_read_request_does_no_harm(t: ServerTrial) -> None:
    """One copy in mid-transfer, one after the end; what they start is left to itself."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000", 2)
    client.ask(rrq("b3000"))
    wire = Followed(client, polite=False)
    for block in range(2, 6):
        wire.send(ack(block))
        _next_data(t, wire, block + 1, chunk(octets, block + 1))
    wire.send(ack(6))
    t.pause(1.0)
    client.ask(rrq("b3000"))
    extra = client.everything(10.0)
    t.check(len(extra) < 100, f"copies of a request brought {len(extra)} packets in 10 s")
    late = [packet for packet in extra if packet.at - client.sent_at > 9.0]
    if late:
        t.note("what the copies have started still repeats itself after 10 s")
    t.alive()


def _next_data(t: ServerTrial, wire: Followed, block: int, payload: bytes) -> None:
    while True:
        packet = wire.hear()
        if packet is None:
            t.fail(f"DATA {block} was due, and nothing came")
        t.check(packet.kind == DATA, f"DATA {block} was due, and {packet} came")
        if packet.block == block:
            t.check(packet.payload == payload, f"DATA {block} holds other octets")
            return
        t.check(packet.block < block, f"DATA {block} was due, and {packet} came")


@server_case("RFC1350-4-18")
def a_doubled_write_request_leaves_the_upload_whole(t: ServerTrial) -> None:
    """The copy comes when a block is stored already: starting afresh would lose it."""
    client, name = writing(t, 1)
    client.ask(wrq(name))
    wire = Followed(client)
    while wire.hear(0.5) is not None:
        pass
    wire.send(data(2, chunk(UPLOAD, 2)))
    while (packet := wire.hear()) is not None:
        if packet.kind == ACK and packet.block == 2:
            break
    t.check(packet is not None, "ACK 2 was due, and did not come: the upload has stopped")
    t.holds(name, UPLOAD)


@server_case("RFC1350-4-19")
def two_writers_on_one_name_do_not_mix(t: ServerTrial) -> None:
    """Two blocks each, in turns; the longer file ends first, so that its tail may be left over."""
    name = t.new_name()
    contents = (b"a" * 812, b"b" * 612)
    writers: list[tuple[Client, bytes]] = []
    for octets in contents:
        client = t.client()
        client.ask(wrq(name))
        answer = client.hear(2.0)
        if answer is not None and answer.kind == ACK:
            writers.append((client, octets))
    t.check(bool(writers), "neither of two writers may begin")
    for block in (1, 2):
        for client, octets in list(writers):
            client.send(data(block, chunk(octets, block)))
            answer = client.anything(2.0, repeats=True)
            if answer is None or answer.raw != ack(block):
                writers.remove((client, octets))
    t.check(bool(writers), "neither of two uploads of one name came to its end")
    deadline = t.now() + 3.0
    while (found := t.look(name)) not in contents and t.now() < deadline:
        t.pause(0.1)
    t.check(found in contents, f"{name} holds neither of the two uploads")
