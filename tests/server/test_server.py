"""One server, real sockets: ports, strangers, duplicates, and plain transfers."""

import errno
import os
import random
from pathlib import Path

import pytest

from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import Peer, ack, data, error, oack, parse_error, rrq, wrq
from tftp.server import Server

BLOCK = CONTENT[:512]


@pytest.fixture(autouse=True)
def a_file(lab: Lab) -> None:
    lab.put_file("f", CONTENT[:3000])


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 3000])
def test_a_plain_read(lab: Lab, size: int) -> None:
    """RFC1350-5-01, RFC1350-6-01, RFC1350-6-02, RFC1350-6-03, RFC1350-5-19"""
    lab.put_file("g", CONTENT[:size])
    peer = lab.peer()
    assert peer.fetch("g") == CONTENT[:size]
    report = lab.report()
    assert (report.ok, report.verb, report.file, report.size) == (True, "read", "g", size)
    assert report.resent == report.timeouts == 0
    assert report.peer == peer.address


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 3000])
def test_a_plain_write(lab: Lab, size: int) -> None:
    """RFC1350-4-01, RFC1350-6-04, RFC1350-6-05, RFC1350-5-20, RFC1350-6-12"""
    lab.peer().store("new", CONTENT[:size])
    assert (lab.root / "new").read_bytes() == CONTENT[:size], "whole when the last ACK is here"
    report = lab.report()
    assert (report.ok, report.verb, report.file, report.size) == (True, "write", "new", size)
    assert report.resent == report.timeouts == 0


def test_every_transfer_has_a_port_of_its_own(lab: Lab) -> None:
    """RFC1350-4-02, RFC1350-4-03"""
    for number in range(20):
        lab.put_file(f"f{number}", bytes([number]) * (1000 + number))
    peers = [lab.peer() for _ in range(20)]
    for number, peer in enumerate(peers):
        peer.ask(rrq(f"f{number}"))
    for number, peer in enumerate(peers):
        peer.expect(data(1, bytes([number]) * 512))
    ports = {peer.tid for peer in peers}
    assert len(ports) == 20
    assert lab.peer().server not in ports
    random.Random(1).shuffle(peers)
    for peer in peers:
        peer.say(ack(1))
    for peer in peers:
        assert peer.receive()[:4] == data(2)
        peer.say(ack(2))
    assert sorted(lab.report().size for _ in peers) == [1000 + n for n in range(20)]


def test_ports_are_not_used_again_at_once(lab: Lab) -> None:
    """RFC1350-4-04"""
    seen = []
    for _ in range(10):
        peer = lab.peer()
        peer.fetch("f")
        seen.append(peer.tid)
    assert len(set(seen)) == 10


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9"])
def test_a_stranger_gets_error_5_and_the_read_goes_on(lab: Lab, host: str) -> None:
    """RFC1350-4-06, RFC1350-4-08"""
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, BLOCK))
    # From another host even with the same port: the address is part of the TID.
    port = 0 if host == "127.0.0.1" else peer.address[1]
    stranger = lab.stranger(peer, (host, port))
    stranger.say(ack(1))
    assert stranger.expect_error(5) == "Unknown transfer ID"
    peer.say(ack(1))
    peer.expect(data(2, CONTENT[512:1024]))  # and not DATA 2 twice
    peer.say(ack(2))
    peer.expect(data(3, CONTENT[1024:1536]))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9"])
def test_a_stranger_gets_error_5_and_no_octet_into_a_file(lab: Lab, host: str) -> None:
    """RFC1350-4-09"""
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    stranger = lab.stranger(peer, (host, 0))
    stranger.say(data(1, b"bad"))
    stranger.expect_error(5)
    peer.give(CONTENT[:600])
    assert (lab.root / "new").read_bytes() == CONTENT[:600]


def test_a_strangers_error_ends_nothing_and_gets_no_answer(lab: Lab) -> None:
    """RFC1350-4-07, RFC1350-7-02"""
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, BLOCK))
    stranger = lab.stranger(peer)
    stranger.say(error(0, "die"), error(5, "die"), ack(1))
    stranger.expect_error(5)
    assert stranger.is_silent(), "one answer, and that to the ACK"
    peer.say(ack(1))
    assert peer.take(first=2) == CONTENT[512:3000]


def test_a_stranger_is_told_so_in_one_piece_however_small_the_blocks(lab: Lab) -> None:
    """RFC1350-4-06, RFC1350-5-28: the kernel cuts what is longer than a block."""
    peer = lab.peer()
    peer.ask(rrq("f", blksize=8, windowsize=4))
    peer.expect(oack(blksize=8, windowsize=4))
    peer.say(ack(0))
    peer.expect(*(data(n + 1, CONTENT[8 * n : 8 * n + 8]) for n in range(4)))
    stranger = lab.stranger(peer)
    stranger.say(ack(4))
    assert stranger.expect_error(5) == "Unknown transfer ID"
    assert stranger.is_silent()
    peer.say(ack(4))
    assert peer.take(8, 4, first=5) == CONTENT[32:3000]


def test_an_error_from_the_peer_ends_it_in_silence(lab: Lab) -> None:
    """RFC1350-7-02, RFC1350-7-04, RFC1350-2-17"""
    for code in (0, 5, 99):
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.expect(data(1, BLOCK))
        peer.say(error(code, "stop"))
        report = lab.report()
        assert not report.ok
        assert report.outcome == f'the peer ended it with error {code}, "stop"'
        peer.ask(rrq("f"))
        peer.expect(data(1, BLOCK))  # of a new transfer, and the first thing to be heard


def test_duplicates_and_strays_of_a_read_cause_nothing(lab: Lab) -> None:
    """RFC1123-4.2.3.1-01, RFC1123-4.2.3.1-04, RFC1350-2-02, RFC1350-2-03, RFC1350-2-01"""
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, BLOCK))
    peer.say(ack(0), ack(100), ack(1), ack(1), ack(1), ack(0), ack(3), ack(2))
    peer.expect(data(2, CONTENT[512:1024]), data(3, CONTENT[1024:1536]))
    peer.say(ack(3))
    assert peer.take(first=4) == CONTENT[1536:3000]


def test_duplicates_and_strays_of_a_write_are_not_stored(lab: Lab) -> None:
    """RFC1350-2-04, RFC1350-2-05, RFC1350-2-06, RFC1350-2-07"""
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, b"a" * 512))
    peer.expect(ack(1))
    peer.say(data(1, b"b" * 512))
    peer.expect(ack(1))
    peer.say(data(3, b"c" * 512))
    peer.expect(ack(1))
    peer.say(data(2, b"end"))
    peer.expect(ack(2))
    assert (lab.root / "new").read_bytes() == b"a" * 512 + b"end"


def test_data_larger_than_the_block_size_is_refused(lab: Lab) -> None:
    """RFC1350-5-22, RFC2348-10"""
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, CONTENT[:513]))
    peer.expect_error(4)
    assert lab.report().outcome.startswith("failed with error 4")
    assert list(lab.root.iterdir()) == [lab.root / "f"]


def test_the_last_block_again_gets_the_last_ack_again(lab: Lab) -> None:
    """RFC1350-6-07"""
    peer = lab.peer()
    peer.store("new", b"short")
    assert lab.report().ok
    for _ in range(3):
        peer.say(data(1, b"short"))
        peer.expect(ack(1))
    assert lab.server.totals.completed == 1


def test_nothing_is_sent_after_the_last_ack(lab: Lab) -> None:
    """RFC1350-6-11, RFC1350-7-06"""
    peer = lab.peer()
    peer.fetch("f")
    assert lab.report().ok
    peer.say(ack(6), ack(6))
    lab.check_alive(peer)


def test_unanswered_data_comes_again_and_gives_up(root: Path) -> None:
    """RFC1350-2-12, ROB-TIMER-02, ROB-TIMER-07"""
    with open_lab(root, timing=QUICK) as lab:
        lab.put_file("f", CONTENT[:3000])
        peer = lab.peer()
        peer.ask(rrq("f"))
        report = lab.report()
        assert report.outcome == "failed, the peer stopped answering"
        assert not report.ok
        # Fewer than all retries only where this machine was too busy to be on time.
        assert 1 <= report.resent == report.timeouts <= QUICK.retries + 1
        peer.expect(*[data(1, BLOCK)] * (1 + report.resent))
        assert peer.is_silent()


def test_the_agreed_timeout_is_the_interval(root: Path) -> None:
    """RFC2349-T-01, DF-HPA-02, RFC2347-N-01"""
    with open_lab(root) as lab:  # by itself it would wait for 100 seconds
        lab.put_file("f", CONTENT[:100])
        peer = lab.peer()
        peer.ask(rrq("f", utimeout=20000))
        peer.expect(*[oack(utimeout=20000)] * 3)
        peer.say(ack(0))
        packets = [peer.receive() for _ in range(3)]
        assert packets[-1] == data(1, CONTENT[:100])
        assert set(packets) <= {oack(utimeout=20000), data(1, CONTENT[:100])}


@pytest.mark.fault
def test_the_peers_icmp_harms_nobody(lab: Lab) -> None:
    """ROB-TIMER-06"""
    gone = Peer((lab.server.host, lab.server.port), ("127.0.0.77", 0))
    gone.ask(rrq("f"))
    gone.expect(data(1, BLOCK))
    gone.say(ack(1))
    gone.close()
    lab.check_alive()
    lab.check_alive()


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("nope", 1, "File not found"),
        ("nodir/x", 1, "File not found"),
        ("f/x", 1, "File not found"),
        ("n" * 256, 1, "File not found: the name is too long"),
        ("a/" * 200 + "x", 1, "File not found"),
        ("sub", 2, "Access violation: it is a directory"),
        ("sub/", 2, "Access violation: it is a directory"),
        (".", 2, "Access violation: it is a directory"),
        ("/", 2, "Access violation: it is a directory"),
        ("..", 2, "Access violation"),
        ("../secret", 2, "Access violation"),
        ("sub/../../secret", 2, "Access violation"),
        ("out", 2, "Access violation: the link leads out"),
        ("F", 1, "File not found"),
    ],
)
def test_what_is_not_to_be_had(lab: Lab, name: str, code: int, text: str) -> None:
    """RFC1350-A-03, RFC1350-5-11, RFC1350-5-16, SEC-PATH-01, SEC-PATH-10, SEC-PATH-11"""
    (lab.root / "sub").mkdir()
    (lab.root.parent / "secret").write_bytes(b"secret")
    (lab.root / "out").symlink_to("../secret")
    assert lab.refused(rrq(name)) == (code, text)
    assert lab.refused(rrq(name, blksize=1024, tsize=0)) == (code, text), "no OACK first"
    report = lab.report()
    assert report.outcome == f"refused with error {code}, {text}"
    assert not report.ok


@pytest.mark.parametrize(
    "name", ["f", "/f", "//f", "./f", "link", "sp ace", "a%20b", "a;b", "it's", "café", "sub/in"]
)
def test_names_that_lead_to_a_file(lab: Lab, name: str) -> None:
    """RFC1350-5-12, RFC1350-5-14, SEC-PATH-05, SEC-PATH-09, DF-PXE-03"""
    (lab.root / "sub").mkdir()
    for other in ("sp ace", "a%20b", "a;b", "it's", "café", "sub/in"):
        lab.put_file(other, CONTENT[:3000])
    (lab.root / "link").symlink_to("f")
    assert lab.peer().fetch(name) == CONTENT[:3000]


def test_an_error_is_one_datagram(lab: Lab) -> None:
    """RFC1350-7-06, RFC1350-5-28"""
    peer = lab.peer()
    peer.ask(rrq("nope"))
    assert parse_error(peer.receive()) == (1, "File not found")
    lab.check_alive(peer)


def test_a_server_that_cannot_open_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder and sockets are there, and then no descriptor is left for the loop."""

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("tftp.server.server.Loop", exhausted)
    before = sorted(Path("/proc/self/fd").iterdir())
    server = Server(tmp_path)
    with pytest.raises(OSError, match="Too many open files"):
        server.open()
    assert sorted(Path("/proc/self/fd").iterdir()) == before
