"""Servers that spoke when they should not: to errors, to strangers, to those who never answer."""

from collections.abc import Iterator

import pytest

from tests.regressions.check import GOOD, HOST, answers, begin, check_good, finish
from tests.server.lab import QUICK, Lab, open_lab
from tests.server.wire import Peer, ack, data, error, oack, parse_error, rrq, wrq

pytestmark = pytest.mark.regression

SOME_QUICK_REPEATS = 0.3  # seconds: several intervals of QUICK times


@pytest.fixture
def hasty(lab: Lab) -> Iterator[Lab]:
    """The same files, served with little patience."""
    with open_lab(lab.root, host=HOST, timing=QUICK) as quick:
        yield quick


def test_cve_2024_2169_an_error_is_never_answered(lab: Lab) -> None:
    """Two servers that answer each other's errors do so for ever, once somebody forged the first.

    Neither the listening port answers one, nor that of a transfer, nor one of a transfer that
    is over, whoever sends it and however it looks.
    """
    errors = [error(code, "Illegal TFTP operation") for code in (*range(9), 99, 65_535)]
    errors += [b"\0\5", b"\0\5\0", b"\0\5\0\4", b"\0\5\0\4no end", error(4, "x" * 600), error(0)]
    reader, over = begin(lab), begin(lab)
    finish(over)
    for datagram in errors:
        peer = lab.peer()
        peer.ask(datagram)
        check_good(lab, peer)
        for of in (reader, over):
            stranger = lab.stranger(of)
            stranger.say(datagram)
            check_good(lab, stranger)
    finish(reader)
    for datagram in errors[:9]:
        reader = begin(lab)
        reader.say(datagram)
        check_good(lab, reader)


def test_cve_2024_2169_nor_is_anything_else_that_a_server_says(lab: Lab) -> None:
    """A server's DATA, ACK and OACK at our port start no conversation between servers either."""
    for datagram in (data(1, b"x" * 512), data(1), ack(0), ack(1), oack(blksize=512), b"\0\6"):
        peer = lab.peer()
        peer.ask(datagram)
        check_good(lab, peer)


def test_cve_2024_2169_two_servers_that_are_set_on_each_other_fall_silent(lab: Lab) -> None:
    """Whatever one of them says to the other's port, that is the end of it."""
    for datagram in (
        rrq("x"),
        rrq("good"),
        wrq("good"),
        wrq("new"),
        b"\0\1",
        rrq("good", blksize=8),
    ):
        said = answers(lab, datagram)
        for _ in range(3):
            other = lab.peer()
            other.ask(said)
            check_good(lab, other)


def test_async_tftp_rs_an_error_of_the_client_ends_the_read(hasty: Lab) -> None:
    """async-tftp-rs took nothing but ACKs, and sent its window up to a hundred times.

    An error right behind the OACK (UEFI's size probe), behind DATA 1, and in mid-window.
    """
    lab = hasty
    for code in (0, 4, 8):
        for options in ({}, {"tsize": 0}, {"blksize": 512, "windowsize": 4}):
            peer = lab.peer()
            peer.ask(rrq("good", **options))
            peer.receive()
            if "windowsize" in options:
                peer.say(ack(0))
                peer.expect(*(data(n, GOOD[512 * n - 512 : 512 * n]) for n in range(1, 5)))
            peer.say(error(code, "User aborted the transfer"))
            lab.report()
            check_good(lab, peer)
            lab.report()  # the two of the check
            lab.report()
    assert all(peer.is_silent() for peer in lab.peers)
    peer = begin(lab)
    peer.say(error(8))
    assert peer.is_silent(SOME_QUICK_REPEATS)


def overheard(peer: Peer) -> list[bytes]:
    """Returns what has arrived by now."""
    packets = []
    peer.socket.setblocking(False)
    try:
        while True:
            packets.append(peer.socket.recv(65_536))
    except BlockingIOError:
        return packets


def test_reflection_before_the_first_ack_it_is_one_packet_at_a_time(hasty: Lab) -> None:
    """However large the window asked for: who named that address may not be there."""
    lab = hasty
    for options in ({}, {"windowsize": 64}, {"blksize": 65_464, "windowsize": 65_535, "tsize": 0}):
        victim = lab.peer()
        datagram = rrq("good", **options)
        victim.ask(datagram)
        first = victim.receive()
        lab.report()  # it has given up
        heard = [first, *overheard(victim)]
        assert set(heard) == {first}
        assert len(heard) <= 1 + QUICK.retries
        assert len(first) <= (516 if not options else len(datagram) + 10)
    check_good(lab)


def test_reflection_a_refusal_is_said_once(hasty: Lab) -> None:
    lab = hasty
    for datagram in (rrq("x"), wrq("new"), b"\0\1", rrq("good", "mail")):
        victim = lab.peer()
        victim.ask(datagram)
        parse_error(victim.receive())
        check_good(lab, victim)
    assert all(peer.is_silent() for peer in lab.peers)


# Strangers


def same_port_elsewhere(lab: Lab, peer: Peer) -> Peer:
    """Returns a socket of another address, with the very port of the peer."""
    assert peer.tid is not None
    other = lab.peer(bind=("127.0.0.77", peer.address[1]))
    other.tid = peer.tid
    return other


def test_py3tftp_port_only_another_host_with_the_same_port_is_a_stranger(lab: Lab) -> None:
    """py3tftp compares ports and forgets the address."""
    reader = begin(lab)
    other = same_port_elsewhere(lab, reader)
    other.say(ack(1), error(0, "stop"), data(1, b"x"))
    assert other.expect_error(5)
    assert other.expect_error(5)
    finish(reader)
    writer = lab.peer()
    writer.ask(wrq("new"))
    writer.expect(ack(0))
    other = same_port_elsewhere(lab, writer)
    other.say(data(1, b"planted"), error(0))
    assert other.expect_error(5)
    writer.give(GOOD)
    assert (lab.root / "new").read_bytes() == GOOD


def test_fbtftp_stray_packet_ends_nothing(lab: Lab) -> None:
    """fbtftp gives a transfer up when anybody else sends to its port."""
    reader = begin(lab)
    for packet in (ack(1), ack(9), data(1, b"x"), rrq("good"), oack(blksize=8), b"junk" * 9):
        stranger = lab.stranger(reader)
        stranger.say(packet)
        assert stranger.expect_error(5)
    finish(reader)


def test_tftpy_error_5_to_the_wrong_one_never_reaches_the_peer(lab: Lab) -> None:
    """tftpy tells the session's own peer what a stranger did."""
    reader = begin(lab)
    stranger = lab.stranger(reader)
    stranger.say(ack(1))
    assert stranger.expect_error(5)
    assert reader.is_silent()
    finish(reader)


def test_pin_99_a_stray_ack_stops_nobody(lab: Lab) -> None:
    """pin's server on a single port waited for ever behind an ACK of nobody."""
    readers = [begin(lab) for _ in range(5)]
    for number in (0, 1, 2, 65_535):
        for reader in readers:
            lab.stranger(reader).say(ack(number))
        lab.peer().ask(ack(number))
    for reader in readers:
        finish(reader)
