"""Which uploads get a connected socket: those whose blocks come singly."""

import select
import socket
import struct
from collections.abc import Iterator

import pytest

from tftp.net import udp
from tftp.net.arrivals import QuickInbound
from tftp.net.channel import Scratch
from tftp.net.files import BufferSink
from tftp.net.udp import Endpoint
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.receiver import Receiver

WINDOW = 32
TERMS = Terms(window=WINDOW, options=(("windowsize", str(WINDOW)),))
PATIENCE = 20.0


@pytest.fixture
def client() -> Iterator[Endpoint]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    endpoint = Endpoint(sock)
    yield endpoint
    endpoint.close()


@pytest.fixture
def channel(client: Endpoint) -> Iterator[QuickInbound]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    endpoint = Endpoint(sock)
    endpoint.group_arrivals()
    receiver = Receiver.answering(client.socket.getsockname(), TERMS, Timing(), 0.0)
    channel = QuickInbound(receiver, endpoint, BufferSink(), Scratch())
    channel.flush(0.0)
    yield channel
    channel.close()


def give(client: Endpoint, channel: QuickInbound) -> None:
    """Sends the first window, and has the channel take all of it."""
    blocks = (struct.pack("!HH", 3, n) + bytes(512) for n in range(1, WINDOW + 1))
    train = memoryview(bytearray(b"".join(blocks)))
    address = channel.endpoint.socket.getsockname()
    assert client.send_train(train, 516, address) == WINDOW
    while channel.transfer.received_bytes < WINDOW * 512:
        assert select.select([channel.endpoint], [], [], PATIENCE)[0]
        channel.readable(0.1)


def test_blocks_that_come_singly_want_it(client: Endpoint, channel: QuickInbound) -> None:
    give(client, channel)
    assert not channel.trains
    assert channel.wants_connection


@pytest.mark.skipif(udp.max_segments() == 1, reason="this kernel has no UDP segmentation")
def test_trains_that_arrive_whole_do_not(client: Endpoint, channel: QuickInbound) -> None:
    client.plan_trains(516)
    give(client, channel)
    assert channel.trains
    assert not channel.wants_connection
