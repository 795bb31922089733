"""Any datagram leaves the server serving, and gets what the table says it gets.

Silence is asserted by what comes next: the same socket asks for something that is certain
to be answered, and that answer has to be the first thing to arrive.
"""

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.trees import names
from tests.server.bad_input import ASKED, ENDS, NOTHING, SILENCE, UNDERWAY, Asked, Underway
from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.process import Serving
from tests.server.protocol_page import PAGE, fresh
from tests.server.wire import Peer, ack, data, error, oack, parse_error, rrq, wrq
from tftp.server import Upload

FILE = bytes(32 + octet % 90 for octet in CONTENT[:3000])  # the same in octet and netascii
FIXTURES = {"f", "dir", "pipe", "socket", "zero", "up", "alive", ".tftp-0123456789ab.part"}


def make_files(root: Path) -> None:
    (root / "f").write_bytes(FILE)
    (root / "alive").write_bytes(b"yes")
    (root / "dir").mkdir()
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(root / "socket"))
    (root / "zero").symlink_to("/dev/zero")
    (root / "up").symlink_to("..")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for the whole table, as in life."""
    root = tmp_path_factory.mktemp("odd") / "root"
    with open_lab(root, upload=Upload.CREATE) as lab:
        make_files(root)
        (root / ".tftp-0123456789ab.part").write_bytes(b"of another server")
        yield lab


@pytest.fixture(autouse=True)
def nothing_is_left(lab: Lab) -> Iterator[None]:
    yield
    fence = lab.peer()
    for _ in range(1000):  # an upload that was ended just now may still be on its way out
        if names(lab.root) == FIXTURES:
            break
        check_alive(lab, fence)
    left = names(lab.root) - FIXTURES
    for name in left:
        (lab.root / name).unlink()
    for peer in lab.peers:
        peer.close()
    lab.peers.clear()
    assert left == set()


def check_alive(lab: Lab, peer: Peer) -> None:
    """Has a file served from the start; this has to be the first thing that `peer` hears."""
    peer.ask(rrq("alive"))
    peer.expect(data(1, b"yes"))
    peer.say(ack(1))


def spell(packet: bytes) -> str:
    """Says what an answer is, in the words of the table; checks what the table leaves out."""
    if packet[:2] == b"\0\5":
        code, text = parse_error(packet)
        return f"ERROR {code}, {text}"
    if packet[:2] == b"\0\3":
        number = packet[3]
        assert packet[4:] == FILE[(number - 1) * 512 : number * 512]
        return f"DATA {number}"
    if packet[:2] == b"\0\4":
        assert len(packet) == 4
        return f"ACK {packet[3]}"
    assert packet[:2] == b"\0\6"
    strings = packet[2:].decode("ascii").split("\0")
    assert strings.pop() == ""
    pairs = zip(strings[::2], strings[1::2], strict=True)
    return " ".join(["OACK", *(f"{name}={value}" for name, value in pairs)])


@pytest.mark.parametrize("row", ASKED, ids=lambda row: row.what)
def test_what_the_listening_port_answers(lab: Lab, row: Asked) -> None:
    """RFC1350-5-03 to -08, RFC1350-5-09, RFC1350-5-10, RFC1350-5-11, RFC1350-5-13,
    RFC1350-5-15, RFC1350-5-17, RFC1350-5-18, RFC1350-7-01, RFC1350-1-01, RFC1350-1-02,
    RFC2347-P-01 to -08, RFC2347-N-07, RFC2347-N-15, RFC2348-02 to -04, RFC2349-T-04,
    RFC2349-S-03, RFC2349-S-05, RFC2349-S-07, RFC7440-3-02, SEC-PATH-01 to -04, -07, -08,
    SEC-PATH-11, SEC-PATH-12, RFC2090-01, DF-MS-01
    """
    for datagram in row.datagrams:
        peer = lab.peer()
        peer.ask(datagram)
        if row.answer != SILENCE:
            assert spell(peer.receive()) == row.answer, datagram[:60]
            if row.answer.startswith("ERROR"):
                assert peer.tid == peer.server
            else:
                assert peer.tid != peer.server
                peer.say(error(0, "enough"))
        check_alive(lab, peer)
        peer.close()


def begin_read(lab: Lab) -> Peer:
    peer = lab.peer()
    peer.ask(rrq("f"))
    assert spell(peer.receive()) == "DATA 1"
    return peer


def begin_write(lab: Lab) -> Peer:
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, FILE[:512]))
    peer.expect(ack(1))
    return peer


@pytest.mark.parametrize("row", UNDERWAY, ids=lambda row: row.what)
def test_what_it_does_to_a_read(lab: Lab, row: Underway) -> None:
    """RFC1350-5-24, RFC1350-5-25, RFC1350-5-26, RFC1350-2-02, RFC1350-7-02, RFC1350-7-04,
    RFC1350-7-05
    """
    for datagram in row.datagrams:
        peer = begin_read(lab)
        peer.say(datagram)
        acked = 1
        if row.read not in (NOTHING, ENDS):
            assert spell(peer.receive()) == row.read
            acked = 2
        if row.read != ENDS:  # it goes on, and the next answer is to this
            peer.say(ack(acked))
            assert peer.take(first=acked + 1) == FILE[acked * 512 :]
        check_alive(lab, peer)


@pytest.mark.parametrize("row", UNDERWAY, ids=lambda row: row.what)
def test_what_it_does_to_a_write(lab: Lab, row: Underway) -> None:
    """RFC1350-2-04 to -07, RFC1350-5-22, RFC1350-5-24, RFC1350-5-26, RFC1350-7-04"""
    for datagram in row.datagrams:
        peer = begin_write(lab)
        peer.say(datagram)
        ends = row.write == ENDS or row.write.startswith("ERROR")
        if row.write not in (NOTHING, ENDS):
            assert spell(peer.receive()) == row.write
        if not ends:
            peer.say(data(2, b"end"))
            peer.expect(ack(2))
            assert (lab.root / "new").read_bytes() == FILE[:512] + b"end"
            (lab.root / "new").unlink()
        check_alive(lab, peer)


@pytest.mark.parametrize("begin", [begin_read, begin_write])
@pytest.mark.parametrize("row", UNDERWAY, ids=lambda row: row.what)
def test_what_a_stranger_gets_for_it(lab: Lab, row: Underway, begin: object) -> None:
    """RFC1350-4-06, RFC1350-4-07, RFC1350-4-09"""
    assert callable(begin)
    for datagram in row.datagrams:
        peer: Peer = begin(lab)
        stranger = lab.stranger(peer)
        stranger.say(datagram)
        if row.stranger != SILENCE:
            assert spell(stranger.receive()) == row.stranger
        stranger.say(ack(9))
        stranger.expect_error(5)  # and this one is the answer to the ACK
        assert stranger.is_silent()
        peer.say(error(0, "enough"))
        check_alive(lab, peer)


def noise(chance: random.Random) -> bytes:
    """0 to 600 random octets; one in three has an opcode of TFTP, one in ten is a near miss."""
    octets = chance.randbytes(chance.randrange(601))
    kind = chance.random()
    if kind < 0.3:
        return b"\0" + bytes([chance.randrange(1, 7)]) + octets
    if kind < 0.4:
        whole = bytearray(rrq("f", blksize=1024, tsize=0, windowsize=4, timeout=5))
        for _ in range(chance.randrange(1, 4)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        return bytes(whole[: chance.randrange(len(whole) + 1)])
    return octets


def test_a_thousand_random_datagrams(lab: Lab) -> None:
    """ROB-LOAD-09: to the listening port, and to the ports of a read and of a write."""
    chance = random.Random(1350)
    reader, writer = begin_read(lab), begin_write(lab)
    assert reader.tid is not None
    assert writer.tid is not None
    sender, fence = lab.peer(), lab.peer()
    targets = [sender.server, reader.tid, writer.tid]
    for number in range(1000):
        sender.socket.sendto(noise(chance), targets[number % 3])
        check_alive(lab, fence)
    sender.socket.setblocking(False)
    codes = set()
    while True:
        try:
            packet = sender.socket.recv(65536)
        except BlockingIOError:
            break
        if packet[:2] == b"\0\5":
            code, text = parse_error(packet)
            assert "/" not in text
            codes.add(code)
    assert codes <= {0, 1, 2, 4, 5}
    assert {4, 5} <= codes
    reader.say(ack(1))
    assert reader.take(first=2) == FILE[512:]
    writer.say(data(2, b"end"))
    writer.expect(ack(2))
    assert (lab.root / "new").read_bytes() == FILE[:512] + b"end"
    (lab.root / "new").unlink()


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, 511, 512, 513, 514, 600, 2047, 2048, 2049, 9000, 65507]
)
@pytest.mark.parametrize("head", [b"", *(bytes([0, opcode]) for opcode in range(1, 7)), b"\xff"])
def test_any_length_of_any_kind(lab: Lab, size: int, head: bytes) -> None:
    """RFC2347-P-03, RFC1350-5-08: on every port; at most one ERROR each, nothing else."""
    reader, writer = begin_read(lab), begin_write(lab)
    assert reader.tid is not None
    assert writer.tid is not None
    fence = lab.peer()
    for filler in (b"\0", b"\xff", b"x"):
        datagram = (head + filler * size)[:size]
        for target in (reader.server, reader.tid, writer.tid):
            sender = lab.peer()
            sender.socket.sendto(datagram, target)
            check_alive(lab, fence)
            if not sender.is_silent():
                assert sender.is_silent(), "one answer at most"
            sender.close()
    reader.say(ack(1))
    assert reader.take(first=2) == FILE[512:]
    writer.say(error(0, "enough"))
    check_alive(lab, writer)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """RFC1350-A-04: as an ordinary user, which `--user` makes of root."""
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    (root / "noperm").write_bytes(b"secret")
    (root / "noperm").chmod(0o000)
    (root / "f").write_bytes(b"here")
    options = ("--user", "nobody") if os.geteuid() == 0 else ()
    with Serving(root, *options).listening() as serving, serving.peer() as peer:
        peer.ask(rrq("noperm", tsize=0))
        assert peer.expect_error(2) == "Access violation"
        assert peer.fetch("f") == b"here"


def test_what_is_not_agreed_is_not_used(lab: Lab) -> None:
    """RFC2347-N-25: blocks stay at 512 octets where `blksize` was left out."""
    peer = lab.peer()
    peer.ask(rrq("f", blksize=7, tsize=0))
    peer.expect(oack(tsize=3000))
    peer.say(ack(0))
    assert peer.take() == FILE


def test_the_page_is_fresh() -> None:
    page = PAGE.read_text("utf-8")
    assert fresh(page) == page, "stale: python -m tests.server.protocol_page"
