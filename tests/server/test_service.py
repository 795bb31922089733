"""What the service decides on, without sockets and clocks: who is answered, and with what."""

import errno
from collections.abc import Callable

import pytest

from tests.server.desk import OTHER, PEER, Desk, opening
from tests.server.wire import ack, data, error, oack, rrq, wrq
from tftp.errors import AccessDenied, LocalError, NoSuchFile
from tftp.protocol.options import Terms
from tftp.protocol.transfer import Address, Burst, Ending
from tftp.server.config import Limits
from tftp.server.service import Reading, Verdict, Writing

FAR = 1000.0  # later than all deadlines


def test_a_read_is_answered_by_data_1(desk: Desk) -> None:
    """RFC1350-5-01, RFC1350-4-03"""
    admitted = desk.read(rrq("f"))
    assert opening(admitted) == Burst(1, 1, 0)
    assert admitted.transfer.terms == Terms()
    assert desk.shelf.asked == [("read", "f", False, 2 * 512)]
    assert desk.service.count == 1


def test_a_write_is_answered_by_ack_0(desk: Desk) -> None:
    """RFC1350-4-01"""
    admitted = desk.write(wrq("new"))
    assert opening(admitted) == ack(0)
    assert desk.shelf.asked == [("write", "new", False, None)]


@pytest.mark.parametrize("mode", ["octet", "OCTET", "OcTeT"])
def test_octet_in_any_case(desk: Desk, mode: str) -> None:
    """RFC1350-5-02"""
    desk.read(rrq("f", mode))
    assert desk.shelf.asked[0][2] is False


@pytest.mark.parametrize("mode", ["netascii", "NETASCII", "NetAscii"])
def test_netascii_in_any_case(desk: Desk, mode: str) -> None:
    """RFC1350-5-02, RFC1123-4.2.4-01"""
    desk.read(rrq("f", mode))
    desk.write(wrq("new", mode), OTHER)
    assert [asked[2] for asked in desk.shelf.asked] == [True, True]


@pytest.mark.parametrize("make", [rrq, wrq])
@pytest.mark.parametrize("mode", ["mail", "MAIL", "foo", "ascii", "binary", "", "x" * 300, b"\xff"])
def test_other_modes_are_refused(
    desk: Desk, make: Callable[[str, str | bytes], bytes], mode: str | bytes
) -> None:
    """RFC1350-1-01, RFC1350-1-02, RFC1350-1-03, RFC1350-5-03"""
    assert desk.refuse(make("f", mode))[0] == 4
    assert desk.shelf.asked == [], "the mode comes first"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0",
        b"\1",
        b"\0\0f\0octet\0",
        b"\0\7f\0octet\0",
        b"\0\x63f\0octet\0",
        b"\1\0f\0octet\0",
        data(1, bytes(512)),
        ack(0),
        ack(1),
        error(0, "x"),
        error(5),
        oack(blksize=512),
    ],
    ids=lambda datagram: datagram[:8].hex() or "empty",
)
def test_what_is_no_request_gets_no_answer(desk: Desk, datagram: bytes) -> None:
    """RFC1350-5-08, RFC1350-5-17, RFC1350-5-18, RFC1350-7-01"""
    assert desk.service.decide(datagram, PEER, 0.0) is Verdict.NO_REQUEST
    assert desk.service.count == 0


@pytest.mark.parametrize(
    ("datagram", "text"),
    [
        (b"\0\1", "File name without its ending zero octet"),
        (b"\0\1f", "File name without its ending zero octet"),
        (b"\0\1f\0", "Mode without its ending zero octet"),
        (b"\0\1f\0octet", "Mode without its ending zero octet"),
        (b"\0\1\0octet\0", "The file name is empty"),
        (b"\0\2\0octet\0", "The file name is empty"),
        (rrq("f") + bytes(2048), "Request too long"),
    ],
)
def test_malformed_requests_get_error_4(desk: Desk, datagram: bytes, text: str) -> None:
    """RFC1350-5-04, RFC1350-5-05, RFC1350-5-06, RFC1350-5-07, RFC1350-A-07, RFC2347-P-03"""
    assert desk.refuse(datagram) == (4, text)
    assert desk.service.count == 0


def test_a_request_may_be_as_long_as_the_limit() -> None:
    """RFC2347-P-02, RFC2347-P-03"""
    desk = Desk(Limits(request=600))
    padded = rrq("f", blksize=1024).ljust(600, b"\0")
    assert opening(desk.read(padded)) == oack(blksize=1024)
    assert desk.refuse(padded + b"\0", OTHER)[0] == 4


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (NoSuchFile("File not found"), 1),
        (AccessDenied("Access violation: it is a directory"), 2),
        (LocalError("Local error (EIO)"), 0),
    ],
)
def test_what_keeps_a_file_from_being_read(desk: Desk, wrong: LocalError, code: int) -> None:
    """RFC1350-A-03, RFC2347-N-13"""
    desk.shelf.files["bad"] = wrong
    assert desk.refuse(rrq("bad", blksize=1024, tsize=0)) == (code, str(wrong))
    assert desk.service.count == 0
    assert desk.service.newest(PEER) is None


@pytest.mark.fault
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_here_is_no_news_for_the_client(desk: Desk, number: int) -> None:
    """ROB-LOAD-02: it asks again, where an ERROR would end its boot."""
    shortage = LocalError("Local error")
    shortage.__cause__ = OSError(number, "")
    desk.shelf.files["f"] = shortage
    assert desk.service.decide(rrq("f"), PEER, 0.0) is Verdict.SHORT
    assert desk.service.count == 0
    desk.shelf.files["f"] = b"there"
    assert opening(desk.read(rrq("f"), now=1.0)) == Burst(1, 1, 0)


def test_what_keeps_a_file_from_being_written(desk: Desk) -> None:
    """RFC1350-A-06"""
    assert desk.refuse(wrq("f", tsize=5)) == (6, "File already exists")


def test_the_oack_holds_what_was_asked_in_order_and_spelling(desk: Desk) -> None:
    """RFC2347-N-03, RFC2347-N-05, RFC2347-N-06, RFC2347-P-04, RFC2349-S-01"""
    asked = rrq("f", WindowSize=4, foo="bar", TSIZE=0, BlkSize=1024, TimeOut=3)
    admitted = desk.read(asked)
    assert opening(admitted) == oack(WindowSize=4, TSIZE=3000, BlkSize=1024, TimeOut=3)
    assert admitted.transfer.terms[:4] == (1024, 4, 3.0, 3000)
    assert desk.shelf.asked == [("read", "f", False, 5 * 1024)]


def test_the_limits_are_never_exceeded() -> None:
    """RFC2348-01, RFC7440-3-01"""
    desk = Desk(Limits(block_size=1000, window=8))
    admitted = desk.read(rrq("f", blksize=1428, windowsize=64))
    assert opening(admitted) == oack(blksize=1000, windowsize=8)
    smaller = desk.read(rrq("f", blksize=600, windowsize=4), OTHER)
    assert opening(smaller) == oack(blksize=600, windowsize=4)


def test_no_option_taken_means_no_oack(desk: Desk) -> None:
    """RFC2347-N-04, RFC1785-01, RFC2090-01"""
    assert opening(desk.read(rrq("f", foo=1, multicast="", blksize=7))) == Burst(1, 1, 0)
    assert opening(desk.write(wrq("new", foo=1, windowsize=0), OTHER)) == ack(0)


def test_tsize_tells_the_size_of_the_file_read(desk: Desk) -> None:
    """RFC2349-S-01, RFC2349-S-02, RFC2349-S-03"""
    assert opening(desk.read(rrq("f", tsize=5))) == oack(tsize=3000)
    assert opening(desk.read(rrq("empty", tsize=0), OTHER)) == oack(tsize=0)


def test_tsize_is_left_out_where_only_the_end_tells(desk: Desk) -> None:
    """RFC2349-S-07"""
    admitted = desk.read(rrq("f", "netascii", tsize=0, blksize=600))
    assert opening(admitted) == oack(blksize=600)
    assert opening(desk.read(rrq("f", "netascii", tsize=0), OTHER)) == Burst(1, 1, 0)


def test_tsize_of_a_write_is_echoed_and_passed_on(desk: Desk) -> None:
    """RFC2349-S-04"""
    size = 2**32 + 5
    assert opening(desk.write(wrq("new", tsize=size))) == oack(tsize=size)
    assert desk.shelf.asked == [("write", "new", False, size)]


def test_too_many_transfers_mean_silence() -> None:
    """RFC2349-T-06, ROB-LOAD-02"""
    desk = Desk(Limits(transfers=2))
    first = desk.read(rrq("f"))
    desk.write(wrq("new"), OTHER)
    third: Address = ("192.0.2.2", 2000)
    assert desk.service.decide(rrq("f"), third, 0.0) is Verdict.BUSY
    assert desk.service.decide(rrq("f"), PEER, 0.0) is Verdict.REPEATED, "it has its room"
    assert len(desk.shelf.asked) == 2, "no file was opened"
    desk.service.release(first)
    assert desk.service.count == 1
    desk.read(rrq("f"), third)


def test_release_forgets_a_transfer(desk: Desk) -> None:
    """ROB-LOAD-11"""
    first = desk.read(rrq("f"))
    desk.service.release(first)
    assert desk.service.count == 0
    assert desk.service.newest(PEER) is None


def test_release_of_a_replaced_transfer_keeps_the_newer_one(desk: Desk) -> None:
    first = desk.read(rrq("f"))
    second = desk.read(rrq("empty"))
    desk.service.release(first)
    assert desk.service.newest(PEER) is second
    desk.service.release(second)
    assert desk.service.newest(PEER) is None
    assert desk.service.count == 0


def test_what_never_began_leaves_nothing(desk: Desk) -> None:
    desk.read(rrq("f")).drop()
    desk.write(wrq("new"), OTHER).drop()
    assert desk.shelf.boxes[0].ended == "discarded"


def test_octets_that_are_no_text_reach_the_content_as_they_are(desk: Desk) -> None:
    """RFC1350-5-13, RFC1350-5-14"""
    for name in (b"\xff\xfe", "café".encode(), b"a%20b;c\xe9", b"..\\x"):
        assert desk.refuse(rrq(name))[0] == 1
        assert desk.shelf.asked[-1][1].encode("utf-8", "surrogateescape") == name


def test_everything_that_is_admitted_ends_by_itself(desk: Desk) -> None:
    """ROB-TIMER-02, ROB-LOAD-03"""
    for number, make in enumerate([rrq("f"), rrq("f", timeout=255), wrq("a"), wrq("b", blksize=9)]):
        source: Address = ("192.0.2.9", 1000 + number)
        admitted = desk.service.decide(make, source, 0.0)
        assert isinstance(admitted, Reading | Writing)
        transfer = admitted.transfer
        ticks: list[float] = []
        while transfer.deadline is not None and len(ticks) < 100:
            ticks.append(transfer.deadline)
            transfer.expire(transfer.deadline)
        assert max(ticks) < FAR
        assert transfer.outcome is not None
        assert transfer.outcome.ending is Ending.TIMEOUT
