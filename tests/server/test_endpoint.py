"""The socket of a transfer: trains, full sockets, and kernels and paths that take no trains.

Sockets here are real ones; where the kernel must refuse something, their `sendto` does.
"""

import errno
import select
import socket
from collections.abc import Iterator

import pytest

from tests.server.moody import Moody, always
from tests.server.wire import PATIENCE
from tftp.net import udp
from tftp.net.udp import MAX_DATAGRAM, Endpoint, bind_transfer
from tftp.protocol.transfer import Address

STRIDE = 100


@pytest.fixture
def moody() -> Iterator[Moody]:
    with Moody(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.mood = always(None)
        yield sock


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        yield sock


def train_of(count: int, last: int = STRIDE, stride: int = STRIDE) -> memoryview:
    parts = [bytes([number]) * stride for number in range(count)]
    parts[-1] = parts[-1][:last]
    return memoryview(b"".join(parts))


def expect_train(receiver: socket.socket, view: memoryview, stride: int = STRIDE) -> None:
    for start in range(0, len(view), stride):
        assert receiver.recv(65536) == view[start : start + stride]
    check_empty(receiver)


def check_empty(receiver: socket.socket) -> None:
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(65536)
    receiver.settimeout(PATIENCE)


def trains(moody: Moody) -> Endpoint:
    endpoint = Endpoint(moody)
    endpoint.plan_trains(STRIDE)
    return endpoint


needs_trains = pytest.mark.skipif(
    udp.max_segments() == 1, reason="this kernel has no UDP segmentation"
)


@pytest.mark.parametrize("last", [STRIDE, STRIDE - 1, 4])
def test_a_train_arrives_as_datagrams(moody: Moody, receiver: socket.socket, last: int) -> None:
    endpoint = trains(moody)
    view = train_of(10, last)
    assert endpoint.send_train(view, STRIDE, receiver.getsockname()) == 10
    expect_train(receiver, view)


def test_a_train_of_one_needs_no_plan(moody: Moody, receiver: socket.socket) -> None:
    view = train_of(1, 7)
    assert Endpoint(moody).send_train(view, STRIDE, receiver.getsockname()) == 1
    expect_train(receiver, view)


def test_without_a_plan_a_train_is_sent_one_by_one(moody: Moody, receiver: socket.socket) -> None:
    view = train_of(5, 7)
    assert Endpoint(moody).send_train(view, STRIDE, receiver.getsockname()) == 5
    expect_train(receiver, view)


@pytest.mark.parametrize(
    ("stride", "most"), [(12, 128), (516, 126), (1432, 45), (32000, 2), (32760, 1), (65468, 1)]
)
def test_a_plan_keeps_within_one_call(moody: Moody, stride: int, most: int) -> None:
    count = Endpoint(moody).plan_trains(stride)
    assert count == min(udp.max_segments(), most)
    assert count * stride <= MAX_DATAGRAM


def test_a_kernel_without_trains_gets_datagrams(
    moody: Moody, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "max_segments", lambda: 1)
    endpoint = Endpoint(moody)
    assert endpoint.plan_trains(STRIDE) == 1
    view = train_of(5)
    assert endpoint.send_train(view, STRIDE, receiver.getsockname()) == 5
    expect_train(receiver, view)


@pytest.mark.fault
def test_a_socket_that_refuses_the_option_gets_datagrams(
    moody: Moody, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "UDP_SEGMENT", 9999)
    endpoint = Endpoint(moody)
    assert endpoint.plan_trains(STRIDE) == 1
    view = train_of(5)
    assert endpoint.send_train(view, STRIDE, receiver.getsockname()) == 5
    expect_train(receiver, view)


@pytest.mark.fault
@needs_trains
@pytest.mark.parametrize(
    "number", [errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP]
)
def test_a_path_without_trains_is_noticed_once(
    moody: Moody, receiver: socket.socket, number: int
) -> None:
    sizes: list[int] = []

    def mood(size: int) -> int | None:
        sizes.append(size)
        return number if size > STRIDE else None

    moody.mood = mood
    endpoint = trains(moody)
    view = train_of(4)
    for _ in range(2):
        assert endpoint.send_train(view, STRIDE, receiver.getsockname()) == 4
        expect_train(receiver, view)
    assert sizes == [4 * STRIDE] + 8 * [STRIDE], "the train was tried one time"


@pytest.mark.fault
@needs_trains
def test_no_way_to_the_peer_is_a_loss_and_no_reason_to_give_up_trains(
    moody: Moody, receiver: socket.socket
) -> None:
    moody.mood = always(errno.ENETUNREACH)
    endpoint = trains(moody)
    assert endpoint.send_train(train_of(4), STRIDE, receiver.getsockname()) == 4
    check_empty(receiver)
    sizes: list[int] = []
    moody.mood = sizes.append
    endpoint.send_train(train_of(4), STRIDE, receiver.getsockname())
    assert sizes == [4 * STRIDE]


@pytest.mark.fault
def test_a_full_socket_takes_no_train(moody: Moody, receiver: socket.socket) -> None:
    moody.mood = always(errno.EAGAIN)
    endpoint = trains(moody)
    assert endpoint.send_train(train_of(4), STRIDE, receiver.getsockname()) == 0
    assert endpoint.send(b"x", receiver.getsockname()) is False
    moody.mood = always(None)
    assert endpoint.send_train(train_of(4), STRIDE, receiver.getsockname()) == 4
    expect_train(receiver, train_of(4))


@pytest.mark.fault
def test_a_socket_that_fills_up_takes_part_of_a_train(
    moody: Moody, receiver: socket.socket
) -> None:
    sent: list[int] = []

    def mood(size: int) -> int | None:
        if len(sent) == 3:
            return errno.EAGAIN
        sent.append(size)
        return None

    moody.mood = mood
    endpoint = Endpoint(moody)  # no plan: one by one
    assert endpoint.send_train(train_of(5), STRIDE, receiver.getsockname()) == 3
    expect_train(receiver, train_of(3))


@pytest.mark.fault
@pytest.mark.parametrize(
    "number", [errno.EPERM, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENOBUFS]
)
def test_what_cannot_leave_is_a_lost_datagram(
    moody: Moody, receiver: socket.socket, number: int
) -> None:
    moody.mood = always(number)
    endpoint = Endpoint(moody)
    assert endpoint.send(b"x", receiver.getsockname()) is True
    assert endpoint.send_train(train_of(5), STRIDE, receiver.getsockname()) == 5
    check_empty(receiver)


@needs_trains
def test_a_datagram_longer_than_the_segments_stays_whole(
    moody: Moody, receiver: socket.socket
) -> None:
    """RFC1350-5-28: with tiny blocks an ERROR is longer than a DATA packet."""
    endpoint = Endpoint(moody)
    endpoint.plan_trains(12)
    assert endpoint.send(b"\0\5\0\5Unknown transfer ID\0", receiver.getsockname())
    assert receiver.recv(100) == b"\0\5\0\5Unknown transfer ID\0"
    check_empty(receiver)
    view = train_of(5, 7, 12)
    assert endpoint.send_train(view, 12, receiver.getsockname()) == 5
    expect_train(receiver, view, 12)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = bind_transfer(socket.AF_INET, "127.0.0.1", 0, None)
    yield endpoint
    endpoint.close()


def test_nothing_there_is_no_error(endpoint: Endpoint) -> None:
    buffer = bytearray(65536)
    assert endpoint.receive_into(buffer) is None
    endpoint.group_arrivals()
    assert endpoint.receive_into(buffer) is None


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("size", [0, 1, 4, 516, 65507])
def test_a_datagram_arrives_alone(
    endpoint: Endpoint, receiver: socket.socket, grouped: bool, size: int
) -> None:
    """RFC1350-5-24"""
    if grouped:
        endpoint.group_arrivals()
    address: Address = endpoint.socket.getsockname()
    receiver.sendto(bytes(size), address)
    assert select.select([endpoint], [], [], PATIENCE)[0]
    buffer = bytearray(65536)
    assert endpoint.receive_into(buffer) == (size, 0, receiver.getsockname())


@needs_trains
@pytest.mark.parametrize("last", [STRIDE, 4])
def test_a_train_arrives_whole_where_it_is_wanted(
    endpoint: Endpoint, moody: Moody, last: int
) -> None:
    endpoint.group_arrivals()
    view = train_of(10, last)
    trains(moody).send_train(view, STRIDE, endpoint.socket.getsockname())
    received = b""
    buffer = bytearray(65536)
    while len(received) < len(view):
        assert select.select([endpoint], [], [], PATIENCE)[0]
        arrival = endpoint.receive_into(buffer)
        assert arrival is not None
        size, stride, source = arrival
        assert source == moody.getsockname()
        assert stride in (0, STRIDE)
        received += buffer[:size]
    assert received == view
