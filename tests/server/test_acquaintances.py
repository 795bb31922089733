"""What is remembered of a host: of the same shape, not for ever, and not of everybody."""

import pytest

from tests.server.desk import OTHER, PEER, TIMING, Desk, opening
from tests.server.wire import ack, data, rrq, wrq
from tftp.protocol.options import Terms
from tftp.protocol.pace import Pace
from tftp.protocol.transfer import Address
from tftp.server.acquaintances import MAX_AGE, Acquaintances

LARGE = Terms(block_size=1428)
WINDOW = Terms(block_size=1428, window=16)


def quick() -> Pace:
    pace = Pace(TIMING)
    pace.measure(0.001)
    return pace


def host(number: int) -> Address:
    return f"192.0.2.{number}", 2000


def test_a_host_is_known_by_its_address_whatever_its_port() -> None:
    known = Acquaintances(4)
    known.remember(host(1), LARGE, quick(), 0.0)
    assert known.recall(("192.0.2.1", 4321), LARGE, 1.0) is not None
    assert known.recall(host(2), LARGE, 1.0) is None


def test_other_sizes_and_windows_are_other_round_trips() -> None:
    known = Acquaintances(4)
    known.remember(host(1), LARGE, quick(), 0.0)
    assert known.recall(host(1), WINDOW, 1.0) is None
    assert known.recall(host(1), Terms(), 1.0) is None


def test_it_fades() -> None:
    known = Acquaintances(4)
    known.remember(host(1), LARGE, quick(), 0.0)
    assert known.recall(host(1), LARGE, MAX_AGE) is not None
    assert known.recall(host(1), LARGE, MAX_AGE + 1) is None


def test_the_host_unseen_for_longest_gives_way() -> None:
    known = Acquaintances(2)
    for number in (1, 2, 1, 3):
        known.remember(host(number), LARGE, quick(), 0.0)
    assert [n for n in (1, 2, 3) if known.recall(host(n), LARGE, 0.0)] == [1, 3]


def test_nobody_is_remembered_where_that_is_the_limit() -> None:
    known = Acquaintances(0)
    known.remember(host(1), LARGE, quick(), 0.0)
    assert known.recall(host(1), LARGE, 0.0) is None


def test_a_transfer_without_a_round_trip_teaches_nothing() -> None:
    known = Acquaintances(2)
    known.remember(host(1), LARGE, quick(), 0.0)
    known.remember(host(1), LARGE, Pace(TIMING), 0.0)
    known.remember(host(2), LARGE, Pace(TIMING), 0.0)
    assert known.recall(host(1), LARGE, 0.0) is not None
    assert known.recall(host(2), LARGE, 0.0) is None


def test_the_next_read_of_a_host_begins_with_what_the_last_one_knew() -> None:
    desk = Desk()
    first = desk.read(rrq("f", blksize=1428))
    opening(first)
    first.transfer.receive(ack(0), PEER, 0.002)
    desk.service.release(first)
    second = desk.read(rrq("f", blksize=1428), OTHER, 5.0)
    assert second.transfer.deadline == pytest.approx(5.1)


def test_the_next_write_of_a_host_begins_with_what_the_last_one_knew() -> None:
    desk = Desk()
    first = desk.write(wrq("new", blksize=1428))
    opening(first)
    first.transfer.receive(data(1, bytes(1428)), PEER, 0.002)
    desk.service.release(first)
    second = desk.write(wrq("newer", blksize=1428), OTHER, 5.0)
    assert second.transfer.deadline == pytest.approx(5.1)
