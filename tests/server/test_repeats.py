"""Requests that come again over real sockets: copies, boards that were reset, other requests."""

from pathlib import Path

import pytest

from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.wire import ack, data, error, oack, rrq, wrq
from tftp.protocol.pace import Timing
from tftp.server import Limits, Upload

BLOCK = CONTENT[:512]


@pytest.fixture(autouse=True)
def a_file(lab: Lab) -> None:
    lab.put_file("f", CONTENT[:3000])


def test_error_5_of_a_client_ends_the_copy_of_its_transfer_only(lab: Lab) -> None:
    """RFC1350-4-16, RFC1350-4-17: a late request begins something that ends by itself."""
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, BLOCK))
    first = peer.tid
    peer.ask(rrq("f", blksize=1000))
    peer.expect(oack(blksize=1000))
    assert peer.tid != first
    peer.say(error(5, "Unknown transfer ID"))
    assert "error 5" in lab.report().outcome
    peer.tid = first
    peer.say(ack(1))
    assert peer.take(first=2) == CONTENT[512:3000]


def test_a_repeated_request_in_the_opening_is_one_transfer(lab: Lab) -> None:
    """RFC1350-4-16, ROB-LOAD-04"""
    peer = lab.peer()
    for _ in range(200):
        peer.socket.sendto(rrq("f"), peer.server)
    peer.expect(data(1, BLOCK))
    lab.check_alive()  # all 200 have been read by now
    assert peer.is_silent()
    peer.say(ack(1))
    assert peer.take(first=2) == CONTENT[512:3000]
    assert {lab.report().file, lab.report().file} == {"f", "alive"}
    assert lab.reports.empty()


def test_a_repeated_request_brings_a_lost_answer_again(root: Path) -> None:
    """RFC1350-4-16, DF-PXE-02: the client's timer was quicker than ours."""
    timing = Timing(first=100, floor=0.01, ceiling=100, retries=3, dally=1)
    with open_lab(root, upload=Upload.CREATE, timing=timing) as lab:
        lab.put_file("f", CONTENT[:600])
        for request, answer in [
            (rrq("f"), data(1, BLOCK)),
            (rrq("f", blksize=512), oack(blksize=512)),
            (wrq("new"), ack(0)),
            (wrq("new", blksize=512), oack(blksize=512)),
        ]:
            peer = lab.peer()
            peer.ask(request)
            peer.expect(answer)
            copies = 0
            while copies < 3:  # sooner than `floor` after the one before it gets no answer
                peer.socket.sendto(request, peer.server)
                copies += not peer.is_silent(0.02)
            peer.say(error(0, "enough"))
            assert "enough" in lab.report().outcome


def test_the_same_request_right_behind_the_last_ack_begins_anew(lab: Lab) -> None:
    """RFC1350-4-17: what has arrived before the request counts before it."""
    lab.put_file("g", b"short")
    peer = lab.peer()
    for _ in range(3):
        peer.ask(rrq("g"))
        peer.expect(data(1, b"short"))
        with lab.halted():
            lab.peer().ask(rrq("nope"))  # so that requests have their turn first
            peer.say(ack(1))
            peer.ask(rrq("g"))
        peer.expect(data(1, b"short"))
        peer.say(ack(1))


def test_a_board_that_was_reset_begins_anew(root: Path) -> None:
    """RFC1350-4-17: the same octets from the same port, some time after the last progress."""
    with open_lab(root, limits=Limits(quiet_repeat=0.0)) as lab:
        lab.put_file("f", CONTENT[:3000])
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.expect(data(1, BLOCK))
        first = peer.tid
        peer.say(ack(1))
        peer.expect(data(2, CONTENT[512:1024]))
        peer.ask(rrq("f"))
        assert peer.take() == CONTENT[:3000]
        assert peer.tid != first
        assert lab.report().ok


def test_another_request_of_the_same_port_replaces_the_transfer(root: Path) -> None:
    """RFC2347-N-26: the old one falls silent, and speaks again only when spoken to."""
    timing = Timing(first=0.05, floor=0.05, ceiling=0.05, retries=4, dally=0.1)
    with open_lab(root, timing=timing) as lab:
        lab.put_file("f", CONTENT[:3000])
        lab.put_file("g", CONTENT[:100])
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.expect(data(1, BLOCK))
        assert peer.fetch("g") == CONTENT[:100]
        reports = {report.file: report for report in (lab.report(), lab.report())}
        assert reports["g"].ok
        assert reports["f"].outcome == "given up, the peer began anew"
        assert peer.is_silent()


def test_a_hushed_upload_finishes(lab: Lab) -> None:
    """RFC1350-4-18: a request that was late must not cost a living upload."""
    peer = lab.peer()
    peer.ask(wrq("one"))
    peer.expect(ack(0))
    one = peer.tid
    peer.ask(wrq("two"))
    peer.expect(ack(0))
    two, peer.tid = peer.tid, one
    peer.give(CONTENT[:600])
    assert (lab.root / "one").read_bytes() == CONTENT[:600]
    peer.tid = two
    peer.give(CONTENT[:50])
    assert (lab.root / "two").read_bytes() == CONTENT[:50]


def test_a_repeated_write_request_leaves_the_upload_alone(lab: Lab) -> None:
    """RFC1350-4-18"""
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, BLOCK))
    peer.expect(ack(1))
    peer.socket.sendto(wrq("new"), peer.server)
    peer.say(data(2, b"end"))
    peer.expect(ack(2))
    assert (lab.root / "new").read_bytes() == BLOCK + b"end"
