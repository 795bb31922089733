"""What one transfer sends or takes in a turn: a share, and the rest when its turn comes again."""

import socket
from collections.abc import Callable, Iterator

import pytest

from tftp.net.channel import ARENA, MAX_ARRIVALS, MAX_BLOCKS, MAX_OCTETS, Inbound, Outbound, Scratch
from tftp.net.files import BufferSink, BytesSource
from tftp.net.udp import MAX_DATAGRAM, Endpoint
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import Data, encode, encode_ack
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address

PEER = ("127.0.0.1", 9)
SEGMENTS = 128  # the most that a kernel takes in one call
TRAIN = 45  # blocks, in what follows: as many as fit one call at 1428 octets


class Line(Endpoint):
    """Sends nothing, and notes the blocks of each train; a train may find the socket full."""

    __slots__ = ("blocks", "full")

    def __init__(self) -> None:
        super().__init__(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.blocks: list[int] = []
        self.full = False

    def plan_trains(self, stride: int) -> int:
        return min(SEGMENTS, MAX_DATAGRAM // stride)

    def send_train(self, view: memoryview, stride: int, to: Address) -> int:
        count = -(-len(view) // stride)
        if self.full:
            return 0
        for index in range(count):
            self.blocks.append(int.from_bytes(view[index * stride + 2 : index * stride + 4]))
        return count


class Sending:
    """A transfer of a window, which has got its first ACK."""

    def __init__(self, window: int, block_size: int, size: int) -> None:
        options = (("blksize", str(block_size)), ("windowsize", str(window)))
        terms = Terms(block_size=block_size, window=window, options=options)
        self.line = Line()
        self.sender = Sender.answering(PEER, terms, Timing(), 0.0)
        self.channel = Outbound(self.sender, self.line, BytesSource(bytes(size)), Scratch())
        self.channel.flush(0.5)
        self.acknowledge(0)

    def flush(self) -> int:
        """Gives it a turn, and returns how many blocks went out."""
        before = len(self.line.blocks)
        self.channel.flush(1.0)
        return len(self.line.blocks) - before

    def waits(self) -> bool:
        """Whether it has more to send."""
        return self.channel.blocked

    def acknowledge(self, block: int) -> None:
        self.sender.receive(encode_ack(block), PEER, 1.0)


Start = Callable[[int, int, int], Sending]


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[Sending] = []

    def begin(window: int, block_size: int, size: int) -> Sending:
        sending = Sending(window, block_size, size)
        begun.append(sending)
        return sending

    yield begin
    for sending in begun:
        sending.channel.close()


def test_a_usual_window_goes_out_at_once(start: Start) -> None:
    """The default one of blocks that fit a frame is within a share."""
    sending = start(64, 1428, 1_000_000)
    assert sending.flush() == 64
    assert not sending.waits()
    sending.acknowledge(64)
    assert sending.flush() == 64


def test_a_giant_window_goes_out_in_shares_and_whole(start: Start) -> None:
    """RFC7440-4-01: what is left waits for the next turns; no block twice, none left out."""
    sending = start(1000, 1428, 5_000_000)
    turns: list[int] = []
    while not turns or sending.waits():
        turns.append(sending.flush())
    assert sending.line.blocks == list(range(1, 1001))
    assert max(turns) < MAX_BLOCKS + TRAIN
    assert all(count >= MAX_BLOCKS for count in turns[:-1])
    assert sending.flush() == 0
    assert not sending.waits(), "now it is the peer's turn"


@pytest.mark.parametrize(("block_size", "share"), [(8, 128), (512, 128), (8192, 32), (65464, 4)])
def test_a_share_is_a_matter_of_blocks_and_of_octets(
    start: Start, block_size: int, share: int
) -> None:
    sending = start(2000, block_size, 2000 * block_size)
    count = sending.flush()
    assert sending.waits()
    train = min(SEGMENTS, MAX_DATAGRAM // (block_size + 4))
    assert share <= count < share + train
    assert count * block_size <= MAX_OCTETS + MAX_DATAGRAM


def test_an_ack_between_two_shares_counts(start: Start) -> None:
    """A peer may acknowledge part of a window while the rest waits (RFC 7440 section 4)."""
    sending = start(1000, 1428, 5_000_000)
    count = sending.flush()
    sending.acknowledge(count)
    while sending.waits():
        sending.flush()
    assert sending.line.blocks == list(range(1, count + 1001))


def test_a_full_socket_and_a_share_are_told_alike(start: Start) -> None:
    sending = start(1000, 1428, 5_000_000)
    sending.line.full = True
    assert sending.flush() == 0
    assert sending.waits()
    sending.line.full = False
    assert sending.flush() >= MAX_BLOCKS
    assert sending.waits()


def test_the_end_of_the_file_at_the_end_of_a_share(start: Start) -> None:
    """The last block, an empty one, is sent in the next turn and ends the transfer."""
    first = start(1000, 1428, 5_000_000).flush()
    sending = start(1000, 1428, first * 1428)
    assert sending.flush() == first
    assert sending.waits()
    assert sending.flush() == 1
    assert not sending.waits()
    sending.acknowledge(first + 1)
    assert sending.channel.over


# Arrivals


class Flood(Endpoint):
    """Always has another arrival: as many blocks at a time as `train` says."""

    __slots__ = ("block_size", "taken", "train")

    def __init__(self, block_size: int, train: int) -> None:
        super().__init__(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.block_size = block_size
        self.train = train
        self.taken = 0

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        size = stride = self.block_size + 4
        for index in range(self.train):
            number = self.taken * self.train + index + 1
            packet = encode(Data(number & 0xFFFF, bytes(self.block_size)))
            buffer[index * stride : (index + 1) * stride] = packet
            size = (index + 1) * stride
        self.taken += 1
        return size, stride if self.train > 1 else 0, PEER

    def send(self, data: bytes | memoryview, to: Address) -> bool:
        return True


class Echo(Line):
    """Hears ACK 0 again and again."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        self.taken += 1
        buffer[:4] = encode_ack(0)
        return 4, 0, PEER


@pytest.mark.parametrize(
    ("block_size", "train", "most"),
    [(1428, 1, MAX_ARRIVALS), (1428, TRAIN, ARENA // 65536), (65464, 1, ARENA // 65536)],
)
def test_a_flood_of_data_is_taken_in_shares(block_size: int, train: int, most: int) -> None:
    """Bounded by datagrams where they are small, and by octets where they are large."""
    flood = Flood(block_size, train)
    options = (("blksize", str(block_size)), ("windowsize", "10000"))
    terms = Terms(block_size=block_size, window=10_000, options=options)
    receiver = Receiver.answering(PEER, terms, Timing(), 0.0)
    sink = BufferSink()
    channel = Inbound(receiver, flood, sink, Scratch())
    channel.flush(0.0)
    channel.readable(0.5)  # the first one alone tells that the peer has its answer
    for turn in range(3):
        before = flood.taken
        channel.readable(1.0 + turn)
        assert 1 < flood.taken - before <= most
    assert sink.written == flood.taken * train * block_size
    channel.close()


def test_a_flood_of_acks_is_taken_in_shares(start: Start) -> None:
    sending = start(64, 1428, 1_000_000)
    sending.flush()
    echo = Echo()
    sending.line.close()
    sending.channel.endpoint = echo
    sending.channel.readable(1.0)
    assert echo.taken == MAX_ARRIVALS
