"""The short way of uploads: a connected socket, and still every rule.

Every transfer here is long enough to get its connected socket on the way.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.lab import Lab, open_lab
from tests.server.wire import Peer, ack, data, error, oack, parse_error, wrq
from tftp.net.channel import CONNECT_AFTER
from tftp.server import Limits, Upload

BLOCKS = 4 * CONNECT_AFTER
HALF = 2 * CONNECT_AFTER
CONTENT = random.Random(7440).randbytes(BLOCKS * 512 - 100)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with open_lab(tmp_path / "root", upload=Upload.OVERWRITE) as lab:
        yield lab


def block(number: int) -> bytes:
    return data(number, CONTENT[(number - 1) * 512 : number * 512])


def give(peer: Peer, first: int, last: int, window: int = 1) -> None:
    """Sends blocks one by one, and takes the ACK of each window."""
    for number in range(first, last + 1):
        peer.say(block(number))
        if number == last or (number - first + 1) % window == 0:
            assert peer.receive() == ack(number)


def halfway(lab: Lab, window: int = 1, name: str = "f") -> Peer:
    peer = lab.peer()
    if window == 1:
        peer.ask(wrq(name))
        assert peer.receive() == ack(0)
    else:
        peer.ask(wrq(name, windowsize=window))
        assert peer.receive() == oack(windowsize=window)
    give(peer, 1, HALF, window)
    return peer


def check(lab: Lab, name: str = "f") -> None:
    report = lab.report()
    assert (report.ok, report.size) == (True, len(CONTENT))
    assert (lab.root / name).read_bytes() == CONTENT


@pytest.mark.parametrize("window", [1, 2, 8])
def test_a_whole_file_from_one_port(lab: Lab, window: int) -> None:
    give(halfway(lab, window), HALF + 1, BLOCKS, window)
    check(lab)


@pytest.mark.parametrize("window", [1, 8])
def test_a_stranger_still_gets_error_5_and_writes_nothing(lab: Lab, window: int) -> None:
    """RFC1350-4-09."""
    peer = halfway(lab, window)
    for stranger in (lab.stranger(peer), lab.stranger(peer, bind=("127.0.0.2", 0))):
        stranger.say(data(HALF + 1, b"B" * 512))
        assert parse_error(stranger.receive())[0] == 5
    give(peer, HALF + 1, BLOCKS, window)
    check(lab)


def test_copies_are_acknowledged_again_and_stored_once(lab: Lab) -> None:
    """RFC1350-2-04."""
    peer = halfway(lab)
    for _ in range(3):
        peer.say(block(HALF))
        assert peer.receive() == ack(HALF)
    give(peer, HALF + 1, BLOCKS)
    check(lab)


def test_a_gap_is_told_once_and_mended(lab: Lab) -> None:
    """RFC7440-4-13, RFC7440-4-14."""
    peer = halfway(lab, 8)
    for number in (1, 2, 4, 5, 6, 7, 8):
        peer.say(block(HALF + number))
    assert peer.receive() == ack(HALF + 2)
    give(peer, HALF + 3, HALF + 10, 8)
    give(peer, HALF + 11, BLOCKS, 8)
    check(lab)


@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("extra", [1, 2, 500])
def test_a_block_that_is_too_large_is_an_error_and_never_cut(
    lab: Lab, window: int, extra: int
) -> None:
    """RFC1350-5-22, RFC2348-10."""
    peer = halfway(lab, window)
    if window > 1:
        peer.say(block(HALF + 1), block(HALF + 2))
    peer.say(data(HALF + (3 if window > 1 else 1), bytes(512 + extra)))
    assert parse_error(peer.receive())[0] == 4
    assert not lab.report().ok
    assert list(lab.root.iterdir()) == []


@pytest.mark.parametrize("window", [1, 8])
def test_short_and_odd_packets_are_passed_over(lab: Lab, window: int) -> None:
    """RFC1350-5-24, RFC1350-5-26."""
    peer = halfway(lab, window)
    for odd in (b"", b"\0", b"\0\3", b"\0\3\0", b"\0\7\0\1", ack(3), wrq("f")):
        peer.say(odd)
    give(peer, HALF + 1, BLOCKS, window)
    check(lab)


@pytest.mark.parametrize("window", [1, 8])
def test_an_error_of_the_peer_ends_it_without_a_trace(lab: Lab, window: int) -> None:
    """RFC1350-7-04."""
    peer = halfway(lab, window)
    peer.say(error(0, "enough"))
    assert not lab.report().ok
    assert list(lab.root.iterdir()) == []


@pytest.mark.parametrize("window", [1, 8])
def test_the_last_block_again_is_acknowledged_again(lab: Lab, window: int) -> None:
    """RFC1350-6-07: the connected socket dallies too."""
    peer = halfway(lab, window)
    give(peer, HALF + 1, BLOCKS, window)
    check(lab)
    peer.say(block(BLOCKS))
    assert peer.receive() == ack(BLOCKS)


@pytest.mark.fault
def test_a_full_disk_is_told_before_any_false_ack(tmp_path: Path) -> None:
    """RFC1350-A-05: here by the limit on uploads."""
    limits = Limits(upload=HALF * 512 + 700)
    with open_lab(tmp_path / "root", upload=Upload.CREATE, limits=limits) as lab:
        peer = halfway(lab)
        give(peer, HALF + 1, HALF + 1)
        peer.say(block(HALF + 2))
        assert parse_error(peer.receive())[0] == 3
        assert not lab.report().ok
        assert list(lab.root.iterdir()) == []
