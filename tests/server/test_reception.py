"""Requests that wait: taken in at once, kept in order, and never more than allowed."""

import select
import socket
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

import pytest

from tests.server.test_guard import Fake
from tests.server.wire import PATIENCE, Address, rrq
from tftp.net.udp import bind_listener
from tftp.server import Limits
from tftp.server.guard import Guard
from tftp.server.reception import TAKEN_AT_ONCE, Reception


class Open(Protocol):
    def __call__(self, waiting: int, *, proven: bool = False) -> Reception: ...


@pytest.fixture
def listener() -> socket.socket:
    return bind_listener(socket.AF_INET, ("127.0.0.1", 0))


@pytest.fixture
def open_reception(listener: socket.socket) -> Iterator[Open]:
    begun: list[Reception] = []

    def begin(waiting: int, *, proven: bool = False) -> Reception:
        limits = Limits(waiting=waiting)
        guard = Guard(limits)
        if proven:
            transfer = Fake("127.0.0.1")
            guard.begin(transfer)
            guard.prove(transfer)
        begun.append(Reception([listener], limits, guard))
        return begun[-1]

    yield begin
    listener.close()
    for reception in begun:
        reception.close()


@pytest.fixture
def client(listener: socket.socket) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(listener.getsockname())
        yield sock


def take(reception: Reception, count: int) -> None:
    """Takes in until so many wait."""
    (fd,) = reception.filenos()
    until = monotonic() + PATIENCE
    while len(reception) < count:
        assert monotonic() < until
        select.select([fd], [], [], PATIENCE)
        reception.take(fd, 0.0)


def names(reception: Reception) -> list[bytes]:
    found = []
    while (call := reception.next(0.0)) is not None:
        found.append(call.datagram.split(b"\0")[1][1:])
    return found


def test_they_wait_in_the_order_in_which_they_came(
    open_reception: Open, client: socket.socket
) -> None:
    reception = open_reception(1000)
    for number in range(100):
        client.send(rrq(f"{number}"))
    take(reception, 100)
    assert names(reception) == [b"%d" % number for number in range(100)]
    assert len(reception) == 0


def test_the_same_again_does_not_wait_twice(open_reception: Open, client: socket.socket) -> None:
    """A client that has to wait asks again; it keeps its place, and takes no second one."""
    reception = open_reception(1000)
    for name in ("first", "second", "first", "first", "second", "third"):
        client.send(rrq(name))
    take(reception, 3)
    assert names(reception) == [b"first", b"second", b"third"]
    client.send(rrq("first"))
    take(reception, 1)
    assert names(reception) == [b"first"], "answered once, it may ask anew"


def test_the_same_from_another_port_is_another(
    open_reception: Open, client: socket.socket, listener: socket.socket
) -> None:
    reception = open_reception(1000)
    client.send(rrq("f"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.sendto(rrq("f"), listener.getsockname())
        take(reception, 2)
    assert names(reception) == [b"f", b"f"]


def test_no_more_than_may_wait(open_reception: Open, client: socket.socket) -> None:
    """The others stay in the socket, and are taken in when there is room."""
    reception = open_reception(10, proven=True)
    (fd,) = reception.filenos()
    for number in range(25):
        client.send(rrq(f"{number}"))
    take(reception, 10)
    reception.take(fd, 0.0)
    assert len(reception) == 10
    found = names(reception)
    take(reception, 10)
    found += names(reception)
    take(reception, 5)
    assert found + names(reception) == [b"%d" % number for number in range(25)]


def test_a_burst_beyond_what_one_turn_answers_is_out_of_the_socket(
    open_reception: Open, client: socket.socket, listener: socket.socket
) -> None:
    """What a small receive buffer could not hold is kept here."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's least
    reception = open_reception(1000)
    for number in range(200):
        client.send(rrq(f"{number}"))
        take(reception, number + 1)
    assert len(names(reception)) == 200


def test_one_flood_does_not_hold_up_the_turn(open_reception: Open, client: socket.socket) -> None:
    reception = open_reception(10_000)
    (fd,) = reception.filenos()
    for number in range(2 * TAKEN_AT_ONCE):
        client.send(rrq(f"{number}"))
    reception.take(fd, 0.0)
    assert 0 < len(reception) <= TAKEN_AT_ONCE


def test_who_asked_and_whom(open_reception: Open, client: socket.socket) -> None:
    reception = open_reception(10)
    client.send(rrq("f"))
    take(reception, 1)
    call = reception.next(0.0)
    assert call is not None
    address: Address = client.getsockname()
    assert (call.source, call.local) == (address, "127.0.0.1")
    assert (call.family, call.scope) == (socket.AF_INET, 0)
    reception.answer(call, b"no")
    client.settimeout(PATIENCE)
    assert client.recv(10) == b"no"


def test_closing_forgets_who_waits(open_reception: Open, client: socket.socket) -> None:
    reception = open_reception(10)
    (fd,) = reception.filenos()
    client.send(rrq("f"))
    take(reception, 1)
    assert fd in reception
    reception.close()
    assert reception.next(0.0) is None
    assert fd not in reception
    assert reception.filenos() == []
