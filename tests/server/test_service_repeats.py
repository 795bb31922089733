"""Requests that come again, without sockets and clocks: copies, boards that were reset, others."""

from tests.server.desk import OTHER, PEER, Desk, spoken
from tests.server.wire import ack, data, oack, rrq, wrq
from tftp.protocol.transfer import Burst, Ending
from tftp.server.service import Verdict


def test_the_same_request_in_the_opening_is_a_copy(desk: Desk) -> None:
    """RFC1350-4-16, ROB-LOAD-04"""
    admitted = desk.read(rrq("f", blksize=600))
    for _ in range(200):
        assert desk.service.decide(rrq("f", blksize=600), PEER, 0.05) is Verdict.REPEATED
    assert desk.service.count == 1
    assert desk.service.newest(PEER) is admitted
    assert len(desk.shelf.asked) == 1, "the file is opened once"


def test_a_copy_asks_for_the_first_flight_once_per_cause(desk: Desk) -> None:
    """RFC1350-4-16, DF-PXE-02"""
    transfer = desk.read(rrq("f", blksize=600)).transfer
    admitted = desk.service.newest(PEER)
    assert admitted is not None
    assert spoken(admitted) == [oack(blksize=600)]
    transfer.ask_again(0.05)
    assert spoken(admitted) == [], "two copies in the network are one cause"
    transfer.ask_again(0.4)
    assert spoken(admitted) == [oack(blksize=600)]
    transfer.ask_again(0.45)
    assert spoken(admitted) == []
    assert transfer.deadline == 1.4, "the timer waits for the answer to this one"


def test_the_same_request_shortly_after_progress_is_a_copy(desk: Desk) -> None:
    """RFC1350-4-17, RFC1350-4-18"""
    admitted = desk.write(wrq("new"))
    assert spoken(admitted) == [ack(0)]
    admitted.transfer.receive(data(1, bytes(512)), PEER, 5.0)
    assert spoken(admitted) == [ack(1)]
    assert desk.service.decide(wrq("new"), PEER, 5.9) is Verdict.REPEATED
    admitted.transfer.ask_again(5.9)
    assert spoken(admitted) == [], "ACK 0 would be wrong by now"
    admitted.transfer.receive(data(2, bytes(10)), PEER, 5.9)
    assert spoken(admitted) == [ack(2)]


def test_the_same_request_later_begins_anew(desk: Desk) -> None:
    """RFC1350-4-17"""
    first = desk.read(rrq("f"))
    first.transfer.sent(Burst(1, 1, 0), 512, 0.0)
    first.transfer.receive(ack(1), PEER, 0.5)
    second = desk.read(rrq("f"), now=1.6)
    assert second is not first
    assert desk.service.newest(PEER) is second
    assert desk.service.count == 2, "the first one lives until it gives up"


def test_the_same_request_after_the_end_begins_anew(desk: Desk) -> None:
    """RFC1350-4-17"""
    first = desk.read(rrq("empty"))
    first.transfer.sent(Burst(1, 1, 0), 0, 0.0)
    first.transfer.receive(ack(1), PEER, 0.1)
    assert first.transfer.outcome is not None
    assert desk.read(rrq("empty"), now=0.2) is not first


def test_the_same_request_from_another_port_is_another_transfer(desk: Desk) -> None:
    """RFC1350-4-03"""
    first, second = desk.read(rrq("f")), desk.read(rrq("f"), OTHER)
    assert desk.service.newest(PEER) is first
    assert desk.service.newest(OTHER) is second
    assert desk.service.count == 2


def test_a_different_request_hushes_the_transfer_before(desk: Desk) -> None:
    """RFC2347-N-26"""
    first = desk.read(rrq("f", blksize=1024))
    assert spoken(first) == [oack(blksize=1024)]
    second = desk.read(rrq("f", blksize=512))
    assert desk.service.newest(PEER) is second
    assert first.transfer.deadline is not None
    first.transfer.expire(first.transfer.deadline)
    assert spoken(first) == [], "it speaks only when spoken to"
    assert spoken(second) == [oack(blksize=512)]
    first.transfer.receive(ack(0), PEER, 1.5)
    assert first.transfer.poll() == Burst(1, 1, 0), "its peer is alive after all"


def test_a_hushed_transfer_gives_up_as_replaced(desk: Desk) -> None:
    first = desk.read(rrq("f"))
    desk.read(rrq("empty"))
    transfer = first.transfer
    transfer.sent(Burst(1, 1, 0), 512, 0.0)
    while transfer.deadline is not None:
        transfer.expire(transfer.deadline)
        assert transfer.poll() is None
    assert transfer.outcome is not None
    assert transfer.outcome.ending is Ending.SUPERSEDED


def test_a_hushed_upload_can_still_finish(desk: Desk) -> None:
    """RFC1350-4-18"""
    first = desk.write(wrq("one"))
    assert spoken(first) == [ack(0)]
    desk.write(wrq("two"))
    first.transfer.receive(data(1, b"whole"), PEER, 0.5)
    assert spoken(first) == [ack(1)]
    assert first.transfer.outcome is not None
    assert first.transfer.outcome.ok


def test_a_refused_request_leaves_the_running_transfer_alone(desk: Desk) -> None:
    first = desk.read(rrq("f", blksize=1024))
    assert desk.refuse(rrq("nope"))[0] == 1
    assert desk.service.newest(PEER) is first
    assert spoken(first) == [oack(blksize=1024)]
    assert first.transfer.deadline is not None
    first.transfer.expire(first.transfer.deadline)
    assert spoken(first) == [oack(blksize=1024)]
