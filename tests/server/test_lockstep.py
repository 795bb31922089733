"""The short way of lock-step: a connected socket, shared packets, and still every rule.

Every transfer here is long enough to get its connected socket on the way.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.lab import Lab, open_lab
from tests.server.wire import Peer, ack, data, error, parse_error, rrq
from tftp.net.channel import CONNECT_AFTER
from tftp.server import Limits

BLOCKS = 4 * CONNECT_AFTER
HALF = 2 * CONNECT_AFTER
CONTENT = random.Random(1350).randbytes(BLOCKS * 512 - 100)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with open_lab(tmp_path / "root") as lab:
        yield lab


def put_settled(lab: Lab, name: str, content: bytes) -> Path:
    """A file that has not changed for an hour: only such are shared."""
    path = lab.put_file(name, content)
    status = path.stat()
    os.utime(path, (status.st_atime - 3600, status.st_mtime - 3600))
    return path


def block(number: int, content: bytes = CONTENT) -> bytes:
    return data(number, content[(number - 1) * 512 : number * 512])


def walk(peer: Peer, first: int, last: int, content: bytes = CONTENT) -> None:
    """Takes blocks `first` to `last` and acknowledges all but the last."""
    for number in range(first, last + 1):
        assert peer.receive() == block(number, content)
        if number < last:
            peer.say(ack(number))


def halfway(lab: Lab, name: str = "f") -> Peer:
    """A peer that has block HALF and has not acknowledged it."""
    peer = lab.peer()
    peer.ask(rrq(name))
    walk(peer, 1, HALF)
    return peer


def go_on(peer: Peer, content: bytes = CONTENT) -> None:
    peer.say(ack(HALF))
    walk(peer, HALF + 1, BLOCKS, content)
    peer.say(ack(BLOCKS))


def test_a_whole_file_from_one_port(lab: Lab) -> None:
    lab.put_file("f", CONTENT)
    go_on(halfway(lab))
    report = lab.report()
    assert (report.ok, report.size, report.resent) == (True, len(CONTENT), 0)


def test_a_stranger_still_gets_error_5(lab: Lab) -> None:
    """RFC1350-4-06, RFC1350-4-08: also once the traffic runs over a connected socket."""
    lab.put_file("f", CONTENT)
    peer = halfway(lab)
    for stranger in (lab.stranger(peer), lab.stranger(peer, bind=("127.0.0.2", 0))):
        stranger.say(ack(HALF))
        assert parse_error(stranger.receive())[0] == 5
    go_on(peer)
    assert lab.report().ok


def test_copies_of_acks_cause_nothing(lab: Lab) -> None:
    """RFC1123-4.2.3.1-01: the Sorcerer's Apprentice stays asleep on the short way too."""
    lab.put_file("f", CONTENT)
    peer = halfway(lab)
    for _ in range(3):
        peer.say(ack(HALF - 1))
    peer.say(ack(HALF))
    assert peer.receive() == block(HALF + 1)
    for _ in range(3):
        peer.say(ack(HALF))
    peer.say(ack(HALF + 1))
    walk(peer, HALF + 2, BLOCKS)
    peer.say(ack(BLOCKS))
    assert lab.report().resent == 0


def test_an_error_of_the_peer_ends_it(lab: Lab) -> None:
    """RFC1350-7-04."""
    lab.put_file("f", CONTENT)
    halfway(lab).say(error(0, "enough"))
    report = lab.report()
    assert not report.ok
    assert "enough" in report.outcome


def test_short_and_odd_packets_are_passed_over(lab: Lab) -> None:
    """RFC1350-5-24, RFC1350-5-26."""
    lab.put_file("f", CONTENT)
    peer = halfway(lab)
    for odd in (b"", b"\0", b"\0\4", b"\0\4\0", b"\0\7\0\1", data(1, b"zz"), rrq("f")):
        peer.say(odd)
    go_on(peer)
    assert lab.report().ok


def test_transfers_of_one_file_share_and_each_gets_its_own(lab: Lab) -> None:
    put_settled(lab, "f", CONTENT)
    peers = [halfway(lab) for _ in range(4)]
    for peer in peers:
        go_on(peer)
    assert all(lab.report().ok for _ in peers)


@pytest.mark.parametrize("cache", [0, 3000])
def test_a_small_cache_or_none_changes_no_octet(tmp_path: Path, cache: int) -> None:
    with open_lab(tmp_path / "root", limits=Limits(cache=cache)) as lab:
        put_settled(lab, "f", CONTENT)
        peers = [halfway(lab) for _ in range(3)]
        for peer in peers:
            go_on(peer)
        assert all(lab.report().ok for _ in peers)


def test_without_room_for_connected_sockets_all_goes_on(tmp_path: Path) -> None:
    with open_lab(tmp_path / "root", limits=Limits(connected=1)) as lab:
        lab.put_file("f", CONTENT)
        peers = [halfway(lab) for _ in range(3)]
        for peer in peers:
            go_on(peer)
        assert all(lab.report().ok for _ in peers)


@pytest.mark.fault
def test_a_file_replaced_under_way_is_new_to_new_transfers_only(lab: Lab) -> None:
    put_settled(lab, "f", CONTENT)
    old = [halfway(lab), halfway(lab)]
    other = bytes(reversed(CONTENT))
    put_settled(lab, "g", other).rename(lab.root / "f")
    new = [lab.peer(), lab.peer()]
    for peer in new:
        peer.ask(rrq("f"))
        walk(peer, 1, BLOCKS, other)
        peer.say(ack(BLOCKS))
    for peer in old:
        go_on(peer)
    assert all(lab.report().ok for _ in range(4))


@pytest.mark.fault
def test_a_file_rewritten_in_place_is_new_to_new_transfers(lab: Lab) -> None:
    path = put_settled(lab, "f", CONTENT)
    for peer in [halfway(lab), halfway(lab)]:
        go_on(peer)
    other = bytes(reversed(CONTENT))
    path.write_bytes(other)
    for peer in [lab.peer(), lab.peer()]:
        peer.ask(rrq("f"))
        walk(peer, 1, BLOCKS, other)
        peer.say(ack(BLOCKS))
    assert all(lab.report().ok for _ in range(4))


@pytest.mark.fault
def test_a_file_that_grows_ends_with_an_error_in_place_of_its_last_block(lab: Lab) -> None:
    path = lab.put_file("f", CONTENT)
    peer = halfway(lab)
    with path.open("ab") as file:
        file.write(b"more" * 1000)
    peer.say(ack(HALF))
    walk(peer, HALF + 1, BLOCKS - 1)
    peer.say(ack(BLOCKS - 1))
    assert parse_error(peer.receive()) == (0, "The file changed while it was being sent")
    assert not lab.report().ok


@pytest.mark.fault
def test_a_file_that_shrinks_ends_with_an_error(lab: Lab) -> None:
    path = lab.put_file("f", CONTENT)
    peer = halfway(lab)
    os.truncate(path, 600)
    peer.say(ack(HALF))
    assert parse_error(peer.receive()) == (0, "The file changed while it was being sent")
    assert not lab.report().ok


def test_sockets_and_shares_are_given_back(lab: Lab) -> None:
    put_settled(lab, "f", CONTENT)
    before = len(list(Path("/proc/self/fd").iterdir()))
    peers = [halfway(lab) for _ in range(3)]
    for peer in peers:
        go_on(peer)
        lab.report()
        peer.close()
    # Fewer, where something of an earlier test was closed meanwhile.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
