"""RFC 2348, the block size, tried against servers.

Each function is one case: its docstring says why it is tried in this way.
"""

from collections.abc import Callable, Iterable

from ..catalogue import server_case
from ..fixtures import content
from ..play import receive_file
from ..server_trial import Client, ServerTrial, granted
from ..wire import ACK, DATA, ERROR, OACK, Packet, ack, data, rrq, wrq
from .terms import answers, hang_up, refused

LEAST, MOST = 8, 65464
LEGAL = (8, 9, 511, 512, 513, 600, 1024, 1428, 1468, 8192, 65464)


def _open_read(t: ServerTrial, name: str, size: int) -> tuple[Client, int]:
    """Asks for that size; returns what is granted, 0 for nothing."""
    client = t.client()
    client.ask(rrq(name, options={"blksize": size}))
    first = client.hear()
    if first is None or "blksize" not in first.options:
        hang_up(client)
        return client, 0
    return client, granted(first)[0]


def _open_write(t: ServerTrial, size: int) -> tuple[Client, int, str]:
    """Asks to write a new file with that size; returns what is granted, and the name."""
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name, options={"blksize": size}))
    first = client.hear()
    if first is None or "blksize" not in first.options:
        hang_up(client)
        return client, 0, name
    return client, granted(first)[0], name


def _must_open_write(t: ServerTrial, size: int) -> tuple[Client, int, str]:
    t.needs_option("blksize")
    client, grant, name = _open_write(t, size)
    if not grant:
        t.unsupported(f"a write is not granted blksize={size}")
    return client, grant, name


@server_case("RFC2348-01")
def a_granted_block_size_is_at_most_the_requested_one(t: ServerTrial) -> None:
    """Sizes around the default, around an Ethernet frame and at both ends are asked for.

    The first DATA of a read, or its ACK in a write, shows that the grant is meant.
    """
    t.needs_option("blksize")
    octets = t.fixture("b100k")
    for size in LEGAL:
        client, grant = _open_read(t, "b100k", size)
        if not grant:
            continue
        t.check(LEAST <= grant <= size, f"blksize={size} was answered by {client.heard[0]}")
        client.send(ack(0))
        client.expect_data(1, octets[:grant])
        hang_up(client)
    if not t.manners.creates:
        return
    for size in LEGAL:
        client, grant, name = _open_write(t, size)
        if not grant:
            continue
        t.check(LEAST <= grant <= size, f"blksize={size} was answered by {client.heard[0]}")
        _store(t, client, name, [content(grant, size), b"end"])


def _store(t: ServerTrial, client: Client, name: str, blocks: Iterable[bytes]) -> None:
    stored = b""
    for number, block in enumerate(blocks, 1):
        client.send(data(number, block))
        client.expect(ACK, number)
        stored += block
    t.holds(name, stored)


def _grants(t: ServerTrial, values: Iterable[str]) -> list[tuple[str, str, Packet | None]]:
    """Asks for each value in a read and in a write; returns way, value and answer."""
    t.needs_option("blksize")
    t.fixture("b3000")
    ways: list[tuple[str, Callable[[], str], Callable[..., bytes]]]
    ways = [("a read", lambda: "b3000", rrq)]
    if t.manners.creates:
        ways.append(("a write", t.new_name, wrq))
    found = []
    for way, name, request in ways:
        wishes = [(way, value) for value in values]
        requests = [request(name(), options={"blksize": value}) for _, value in wishes]
        replies = answers(t, requests)
        found += [(*wish, reply) for wish, reply in zip(wishes, replies, strict=True)]
    return found


def _none_granted(t: ServerTrial, values: Iterable[str], may: Callable[[str], bool]) -> None:
    wrong = []
    for way, value, answer in _grants(t, values):
        grant = answer.options.get("blksize") if answer is not None else None
        if grant is not None and not may(grant):
            wrong.append(f"{way} with blksize={value} is granted {grant}")
    t.check(not wrong, ", ".join(wrong))
    t.alive()


@server_case("RFC2348-02", alone=True)
def an_illegal_block_size_is_never_answered_by_a_higher_one(t: ServerTrial) -> None:
    """Sizes below the range, negative ones, and one that is legal modulo 2^32."""
    _none_granted(t, ("0", "1", "7", "-1", "-512"), lambda _: False)
    wrapped = str(2**32 + 512)
    _none_granted(t, (wrapped,), lambda grant: _lowered(grant) and grant != "512")


def _lowered(grant: str) -> bool:
    return grant.isdigit() and LEAST <= int(grant) <= MOST


@server_case("RFC2348-03")
def block_sizes_below_8_are_not_granted(t: ServerTrial) -> None:
    """Each number from 0 to 7: some servers guard only against 0."""
    _none_granted(t, [str(number) for number in range(8)], lambda _: False)


@server_case("RFC2348-04", alone=True)
def block_sizes_above_65464_are_lowered_or_not_granted(t: ServerTrial) -> None:
    """The first number above the range, the first above 16 bits, and a round one."""
    values = ("65465", "65536", "100000")
    _none_granted(t, values, _lowered)
    for way, value, answer in _grants(t, values):
        plain = answer is not None and (answer.kind in (OACK, DATA, ACK) or refused(answer))
        t.check(plain, f"{way} with blksize={value} was answered by {answer or 'nothing'}")


def _whole(t: ServerTrial, name: str, client: Client, size: int) -> list[Packet]:
    """Reads the rest; returns the DATA, each block once."""
    played = receive_file(client, block_size=size, opening=ack(0))
    t.check(played.complete, f"a read in blocks of {size} octets: {played.trouble}")
    t.check(played.content == t.fixture(name), f"blocks of {size} octets make another file")
    return [packet for packet in played.packets if packet.kind == DATA]


@server_case("RFC2348-05")
def only_the_last_data_is_below_the_agreed_size(t: ServerTrial) -> None:
    """A small, the usual, an Ethernet and the largest size, each for a whole file."""
    t.needs_option("blksize")
    tried = 0
    for size, name in ((8, "b3000"), (512, "b10k"), (1428, "b10k"), (MOST, "b100k")):
        t.fixture(name)
        client, grant = _open_read(t, name, size)
        if not grant:
            continue
        tried += 1
        blocks = _whole(t, name, client, grant)
        count = len(t.fixture(name)) // grant + 1
        for packet in blocks:
            wanted = grant if packet.block < count else len(t.fixture(name)) % grant
            right = len(packet.payload) == wanted
            t.check(right, f"{packet} in a transfer with blocks of {grant}")
    if not tried:
        t.unsupported("none of the sizes is granted")


@server_case("RFC2348-06")
def an_empty_data_ends_a_file_of_whole_blocks(t: ServerTrial) -> None:
    """Sizes that divide 3000, the whole file in one block among them, both ways.

    In an upload the file may not be closed by its last full block: the empty one behind it
    has to be acknowledged as well.
    """
    t.needs_option("blksize")
    octets = t.fixture("b3000")
    tried = 0
    for size in (600, 1000, 1500, 3000):
        client, grant = _open_read(t, "b3000", size)
        if not grant or len(octets) % grant:
            continue
        tried += 1
        last = _whole(t, "b3000", client, grant)[-1]
        right = last.block == 3000 // grant + 1 and not last.payload
        t.check(right, f"3000 octets in blocks of {grant} end with {last}")
    for size in (600, 3000) if t.manners.creates else ():
        client, grant, name = _open_write(t, size)
        if not grant or len(octets) % grant:
            continue
        tried += 1
        blocks = [octets[start : start + grant] for start in range(0, 3000, grant)]
        _store(t, client, name, [*blocks, b""])
    if not tried:
        t.unsupported("none of the sizes is granted")


@server_case("RFC2348-07")
def a_requested_block_size_of_512_may_be_granted_or_left_out(t: ServerTrial) -> None:
    """The default asked for by name; a client that does so cannot tell the answers apart."""
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={"blksize": 512}))
    first = client.hear()
    if first is None:
        t.fail("no answer to blksize=512")
    if first.kind == OACK:
        t.check(first.options.get("blksize", "512") == "512", f"blksize=512 got {first}")
        client.send(ack(0))
        first = client.expect_data(1)
    right = first.kind == DATA and first.payload == octets[:512]
    t.check(right, f"blksize=512 was answered by {first}")
    client.send(ack(1))
    client.expect_data(2, octets[512:1024])


@server_case("RFC2348-08")
def the_agreed_size_tells_the_last_data_of_an_upload(t: ServerTrial) -> None:
    """A full block of more than 512 octets, and then half of one, which is the end."""
    client, grant, name = _must_open_write(t, 1024)
    octets = content(grant + grant // 2, 3)
    _store(t, client, name, [octets[:grant], octets[grant:]])


@server_case("RFC2348-09")
def a_default_block_under_a_larger_agreed_size_is_the_end(t: ServerTrial) -> None:
    """512 octets are a full block only to a server that has forgotten what it granted."""
    client, grant, name = _must_open_write(t, 1024)
    if grant <= 512:
        t.skip(f"the target grants only {grant} octets for 1024")
    _store(t, client, name, [content(512, 4)])


@server_case("RFC2348-10")
def data_above_the_agreed_size_is_not_stored(t: ServerTrial) -> None:
    """The first block is longer than agreed: 512 octets where 100 were granted.

    If there is an answer it has to be an ERROR; an ACK would mean that octets were stored
    that nobody agreed on, or lost.
    """
    t.needs_option("blksize")
    client, grant, name = _open_write(t, 100)
    if not grant:
        client, grant, name = _must_open_write(t, 1024)
    client.send(data(1, content(grant + 412, 5)))
    answer = client.anything(1.5, repeats=True)
    if answer is None:
        return
    t.check(answer.kind == ERROR, f"{grant + 412} octets where {grant} were agreed got {answer}")
    if answer.code != 4:
        t.lenient(f"a block that is too long gets {answer}")
    found = t.look(name)
    t.check(not found, f"{len(found or b'')} octets of a block that was refused are stored")


@server_case("RFC2348-11")
def a_block_larger_than_the_mtu_still_arrives(t: ServerTrial) -> None:
    """The largest size does not fit a frame of any link, loopback included."""
    t.needs_option("blksize")
    t.fixture("b100k")
    client, grant = _open_read(t, "b100k", MOST)
    if not grant:
        t.unsupported(f"blksize={MOST} is not granted")
    _whole(t, "b100k", client, grant)
