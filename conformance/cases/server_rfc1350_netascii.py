"""RFC 1350 sections 1, 5 and 6 with RFC 764, tried against servers: netascii.

On the wire a line ends with CR LF and a lone CR is CR NUL; what the target keeps is taken
to have the line ends of POSIX. A pair that two blocks share is where converters slip.
"""

from ..catalogue import server_case
from ..play import Played
from ..server_steps import chunk, finish_write
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, ack, rrq, wrq

SIZES = (8, 9)
"""Block sizes at which the pairs of both fixtures meet every kind of border."""


@server_case("RFC1350-5-30")
def netascii_line_ends_are_encoded(t: ServerTrial) -> None:
    """The fixture has a line feed, a CR, and both side by side: 17 octets become 22."""
    t.check(len(_encoded(t.fixture("text"))) == 22, "the fixture is another one")
    _gives(t, "text")


@server_case("RFC1350-5-31")
def a_netascii_pair_may_span_two_blocks(t: ServerTrial) -> None:
    """At 512 octets a pair lies across a border; small blocks put many pairs there."""
    _gives(t, "textb")
    if "blksize" not in t.manners.options:
        return
    for size in SIZES:
        for name in ("text", "textb"):
            _gives(t, name, size)


def _gives(t: ServerTrial, name: str, size: int | None = None) -> None:
    """Fails unless a read in netascii gives full blocks of the right encoding."""
    wanted = _encoded(t.fixture(name))
    options = {} if size is None else {"blksize": size}
    played = t.read(name, "netascii", options)
    what = f"{name} in netascii" if size is None else f"{name} in netascii, blksize={size}"
    t.check(played.complete, f"{what}: {played.trouble}")
    t.check(played.content == wanted, f"{what} is not encoded right: {played.content[:40]!r}")
    lengths = _lengths(played)
    t.check(len(set(lengths[:-1])) < 2, f"{what}: blocks of {sorted(set(lengths[:-1]))} octets")


def _lengths(played: Played) -> list[int]:
    blocks = {packet.block: len(packet.payload) for packet in played.packets if packet.kind == DATA}
    return list(blocks.values())


@server_case("RFC1350-5-32")
def a_repeated_block_with_half_a_pair_is_identical(t: ServerTrial) -> None:
    """The first block ends with CR; its ACK is held back until a copy of it has come.

    What has to follow is taken from another read of the target: here only the copy counts.
    """
    t.fixture("textb")
    wanted = t.read("textb", "netascii").content
    if not chunk(wanted, 1).endswith(b"\r"):
        t.skip("the target does not encode netascii, so no pair is split")
    client = t.client()
    client.ask(rrq("textb", "netascii"))
    first = client.expect_data(1)
    copy = client.expect(DATA, 1, within=10.0, repeat=True)
    t.check(copy.raw == first.raw, "the copy of a block differs from the block")
    for block in (2, 3):
        client.send(ack(block - 1))
        client.expect_data(block, chunk(wanted, block))


@server_case("RFC1350-6-14")
def netascii_blocks_count_encoded_octets(t: ServerTrial) -> None:
    """256 line feeds: half a block before they are encoded, exactly one behind."""
    wanted = _encoded(t.fixture("na512"))
    client = t.client()
    client.ask(rrq("na512", "netascii"))
    client.expect_data(1, wanted)
    client.send(ack(1))
    client.expect_data(2, b"")
    client.send(ack(2))
    client.quiet(1.0)


@server_case("RFC1350-5-33")
def a_server_decodes_netascii_uploads(t: ServerTrial) -> None:
    """Both pairs in the middle of one block."""
    _stores(t, b"a\r\nb\r\0c", b"a\nb\rc")


@server_case("RFC1350-5-34")
def a_server_decodes_a_pair_that_spans_two_blocks(t: ServerTrial) -> None:
    """CR is the last octet of a full block; LF, and in another upload NUL, begins the next."""
    start = b"A" * 511
    _stores(t, start + b"\r\nx\r\0y", start + b"\nx\ry")
    _stores(t, start + b"\r\0x\r\ny", start + b"\rx\ny")


def _stores(t: ServerTrial, encoded: bytes, wanted: bytes) -> None:
    name = _upload(t, encoded)
    t.holds(name, wanted)


def _upload(t: ServerTrial, encoded: bytes) -> str:
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name, "netascii"))
    client.expect(ACK, 0)
    finish_write(client, encoded, 1)
    return name


@server_case("RFC1350-5-35")
def a_stray_cr_in_netascii_loses_nothing(t: ServerTrial) -> None:
    """One CR before a letter, one as the very last octet."""
    name = _upload(t, b"y\rz\r")
    deadline = t.now() + 3.0
    while (found := t.look(name)) not in (b"y\rz\r", b"y\rz") and t.now() < deadline:
        t.pause(0.1)
    if found == b"y\rz":
        t.policy("a CR at the end of the file is dropped")
    else:
        t.check(found == b"y\rz\r", f"y CR z CR became {found!r}")


@server_case("RFC1350-5-36")
def netascii_leaves_all_other_octets_alone(t: ServerTrial) -> None:
    """Every value there is, and what comes is decoded again before it is compared."""
    octets = t.fixture("all256")
    played = t.read("all256", "netascii")
    if played.error is not None:
        t.lenient(f"a read of all octets in netascii got {played.error}")
    else:
        t.check(played.complete, f"the read: {played.trouble}")
        right = _decoded(played.content) == octets
        t.check(right, "a read of all octets in netascii gives other octets")
    if t.manners.creates:
        name = t.new_name()
        stored = t.write(name, _encoded(octets), "netascii")
        if stored.error is not None:
            t.lenient(f"a write of all octets in netascii got {stored.error}")
            return
        t.check(stored.complete, f"the write: {stored.trouble}")
        t.holds(name, octets)


def _encoded(octets: bytes) -> bytes:
    return octets.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


def _decoded(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r")
