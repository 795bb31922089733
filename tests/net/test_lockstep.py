"""The connected socket of lock-step when the kernel says no."""

import os
import select
import socket
from collections.abc import Iterator

import pytest

from tftp.net.channel import Scratch
from tftp.net.files import BytesSource
from tftp.net.lockstep import LockStep
from tftp.net.udp import Endpoint
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import Data as Block
from tftp.protocol.packets import encode, encode_ack
from tftp.protocol.sender import Sender

CONTENT = bytes(range(256)) * 100
BLOCKS = len(CONTENT) // 512 + 1
PATIENCE = 20.0


class Full(socket.socket):
    """A connected socket whose next send finds no room."""

    def send(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        raise BlockingIOError


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        yield sock


@pytest.fixture
def channel(client: socket.socket) -> Iterator[LockStep]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sender = Sender.answering(client.getsockname(), Terms(), Timing(), 0.0)
    channel = LockStep(sender, Endpoint(sock), BytesSource(CONTENT), Scratch())
    channel.flush(0.0)
    yield channel
    channel.close()


def block(number: int) -> bytes:
    return encode(Block(number, CONTENT[(number - 1) * 512 : number * 512]))


def acknowledge(client: socket.socket, channel: LockStep, number: int) -> None:
    """Sends an ACK, and returns when it lies in one of the channel's sockets."""
    fds = [channel.endpoint.fileno()]
    if channel.endpoint.fast is not None:
        fds.append(channel.endpoint.fast.fileno())
    client.sendto(encode_ack(number), channel.endpoint.socket.getsockname())
    assert select.select(fds, [], [], PATIENCE)[0]


def is_blocked(channel: LockStep) -> bool:
    return channel.blocked


def start(client: socket.socket, channel: LockStep) -> None:
    """Has blocks 1 and 2 sent, and gives the channel its connected socket."""
    assert client.recv(600) == block(1)
    acknowledge(client, channel, 1)
    channel.readable(0.1)
    assert client.recv(600) == block(2)
    assert channel.endpoint.connect(client.getsockname())


@pytest.mark.fault
def test_a_block_that_finds_no_room_goes_out_once_there_is_some(
    client: socket.socket, channel: LockStep
) -> None:
    start(client, channel)
    fast = channel.endpoint.fast
    assert fast is not None
    channel.endpoint.fast = Full(fileno=os.dup(fast.fileno()))
    channel.endpoint.fast.setblocking(False)
    acknowledge(client, channel, 2)
    assert not channel.step(0.2), "the loop has to look: it is blocked"
    assert is_blocked(channel)
    channel.endpoint.disconnect()
    channel.endpoint.fast = fast
    channel.flush(0.3)
    assert not is_blocked(channel)
    assert client.recv(600) == block(3)
    acknowledge(client, channel, 3)
    assert channel.step(0.4)
    assert client.recv(600) == block(4)
    assert channel.transfer.resent == 0


def test_a_call_with_nothing_there_changes_nothing(
    client: socket.socket, channel: LockStep
) -> None:
    start(client, channel)
    assert channel.step(0.2)
    assert not channel.blocked
    acknowledge(client, channel, 2)
    assert channel.step(0.3)
    assert client.recv(600) == block(3)


@pytest.mark.fault
def test_a_port_that_is_closed_is_left_to_the_timer(
    client: socket.socket, channel: LockStep
) -> None:
    """ROB-TIMER-06: ICMP shows on a connected socket; it neither ends nor breaks the transfer."""
    start(client, channel)
    acknowledge(client, channel, 2)
    assert channel.step(0.2)
    address = client.getsockname()
    client.close()
    fast = channel.endpoint.fast
    assert fast is not None
    fast.send(block(3))  # to nobody, and the kernel hears so
    assert select.select([fast], [], [], PATIENCE)[0]
    assert channel.step(0.3), "the ICMP error is taken, and passed over"
    assert channel.transfer.outcome is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.settimeout(PATIENCE)
        again.bind(address)
        channel.expire(2.0)
        assert again.recv(600) == block(3)


@pytest.mark.parametrize("connected", [False, True])
def test_an_ack_that_waits_counts_before_the_time(
    client: socket.socket, channel: LockStep, connected: bool
) -> None:
    """RFC1123-4.2.3.2-01: a server that slept must not ask again for what lies there."""
    if connected:
        start(client, channel)
    else:
        assert client.recv(600) == block(1)
    number = 2 if connected else 1
    acknowledge(client, channel, number)
    channel.expire(1000.0)
    assert client.recv(600) == block(number + 1)
    assert channel.transfer.timeouts == 0
    assert channel.transfer.resent == 0
