"""A transfer whose file has to come from its disk first: nothing is sent, and nothing is lost."""

import select
import socket
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.net.disks import Hand
from tftp.errors import LocalError
from tftp.net.buffers import Writable
from tftp.net.channel import DISK_PATIENCE, LOOK_AGAIN, Outbound, Scratch
from tftp.net.cold import Cold, Helper
from tftp.net.files import BytesSource
from tftp.net.lockstep import LockStep
from tftp.net.udp import Endpoint
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import Data as Block
from tftp.protocol.packets import Error, decode, encode, encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Ending

CONTENT = bytes(range(256)) * 100
PATIENCE = 20.0
WINDOW = Terms(window=8)


class Frozen(BytesSource):
    """Bytes that are not there from some offset on, until that is moved."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.there = 0
        self.fetches = 0
        self.trouble: LocalError | None = None

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        if self.trouble is not None:
            raise self.trouble
        if offset + sum(map(len, buffers)) > self.there < len(CONTENT):
            raise Cold(self)
        return super().read_into(buffers, offset)

    def fetch(self, helper: Helper, tell: Callable[[], None]) -> None:
        self.fetches += 1
        helper.run(lambda: None, lambda _: tell())


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        yield sock


@pytest.fixture
def source() -> Frozen:
    return Frozen(CONTENT)


Make = Callable[[Terms], Outbound]


@pytest.fixture
def make(client: socket.socket, source: Frozen) -> Iterator[Make]:
    """Makes a channel to the client; its clock starts at 0."""
    made: list[Outbound] = []

    def make(terms: Terms) -> Outbound:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sender = Sender.answering(client.getsockname(), terms, Timing(), 0.0)
        kind = LockStep if terms.window == 1 else Outbound
        made.append(kind(sender, Endpoint(sock), source, Scratch()))
        made[0].flush(0.0)
        return made[0]

    yield make
    for channel in made:
        channel.close()


def block(number: int) -> bytes:
    return encode(Block(number, CONTENT[(number - 1) * 512 : number * 512]))


def say(client: socket.socket, channel: Outbound, datagram: bytes) -> None:
    """Sends to a channel, and returns when that lies in one of its sockets."""
    fds = [channel.endpoint.fileno()]
    if channel.endpoint.fast is not None:
        fds.append(channel.endpoint.fast.fileno())
    client.sendto(datagram, channel.endpoint.socket.getsockname())
    assert select.select(fds, [], [], PATIENCE)[0]


def is_waiting(channel: Outbound) -> bool:
    return channel.waiting is not None


def is_silent(client: socket.socket) -> bool:
    """Tells whether nothing has arrived; over loopback what was sent is there at once."""
    return not select.select([client], [], [], 0)[0]


@pytest.mark.parametrize("terms", [Terms(), WINDOW])
def test_a_cold_block_is_sent_when_it_has_come(
    make: Make, client: socket.socket, source: Frozen, terms: Terms
) -> None:
    channel = make(terms)
    assert channel.waiting is source
    assert not channel.blocked, "or the loop would look at a socket that is always writable"
    assert is_silent(client)
    source.there = len(CONTENT)
    channel.flush(0.5)
    assert not is_waiting(channel)
    assert client.recv(600) == block(1)
    assert is_silent(client), "DATA 1 is alone without options"
    say(client, channel, encode_ack(1))
    channel.readable(0.6)
    assert client.recv(600) == block(2)
    assert channel.transfer.resent == 0


def test_a_window_that_is_cold_in_part_goes_out_once(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    source.there = 512
    channel = make(WINDOW)
    assert client.recv(600) == block(1)
    source.there = 4 * 512
    say(client, channel, encode_ack(1))
    channel.readable(0.1)
    assert is_waiting(channel)
    assert is_silent(client)
    source.there = len(CONTENT)
    channel.flush(0.2)
    assert [client.recv(600) for _ in range(8)] == [block(number) for number in range(2, 10)]
    assert channel.transfer.resent == 0


@pytest.mark.fault
@pytest.mark.parametrize("terms", [Terms(), WINDOW])
def test_a_slow_disk_is_not_a_silent_peer(
    make: Make, client: socket.socket, source: Frozen, terms: Terms
) -> None:
    """Whatever the disk takes, the peer was not asked yet: no timer of its own runs."""
    channel = make(terms)
    now = 0.0
    while now < DISK_PATIENCE - 2 * LOOK_AGAIN:
        assert channel.deadline == now + LOOK_AGAIN
        now = channel.deadline
        channel.expire(now)
    assert is_silent(client)
    assert channel.transfer.outcome is None
    source.there = len(CONTENT)
    channel.flush(now)
    assert client.recv(600) == block(1)
    assert channel.transfer.timeouts == 0
    assert channel.deadline is not None
    assert channel.deadline >= now + Timing().first, "its own timer begins when it is sent"
    say(client, channel, encode_ack(1))
    channel.readable(now)
    assert client.recv(600) == block(2)
    assert (channel.transfer.resent, channel.transfer.timeouts) == (0, 0)


def test_a_file_that_has_come_without_a_word_is_found(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    channel = make(Terms())
    source.there = len(CONTENT)
    channel.expire(LOOK_AGAIN)
    assert client.recv(600) == block(1)
    assert not is_waiting(channel)


@pytest.mark.fault
def test_a_disk_that_never_answers_ends_the_transfer(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    channel = make(Terms())
    channel.expire(DISK_PATIENCE - 0.1)
    assert is_waiting(channel)
    channel.expire(DISK_PATIENCE)
    assert decode(client.recv(600)) == Error(0, "Local error (the disk does not answer)")
    assert channel.over
    assert isinstance(channel.failure, LocalError)
    assert not is_waiting(channel)


@pytest.mark.fault
def test_patience_with_the_disk_begins_anew_each_time(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    channel = make(Terms())
    source.there = 512
    channel.flush(DISK_PATIENCE - 1)
    assert client.recv(600) == block(1)
    say(client, channel, encode_ack(1))
    channel.readable(DISK_PATIENCE)
    assert is_waiting(channel)
    channel.expire(DISK_PATIENCE + 1)
    assert not channel.over


def test_an_error_of_the_peer_ends_the_waiting(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    """RFC1350-7-04."""
    channel = make(Terms())
    say(client, channel, encode(Error(0, "enough")))
    channel.readable(0.1)
    assert channel.over
    assert not is_waiting(channel)
    outcome = channel.transfer.outcome
    assert outcome is not None
    assert outcome.ending is Ending.PEER_ERROR


@pytest.mark.fault
def test_an_error_of_the_disk_is_told_to_the_peer(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    channel = make(Terms())
    source.trouble = LocalError("Local error (EIO)")
    channel.flush(0.1)
    assert decode(client.recv(600)) == Error(0, "Local error (EIO)")
    assert channel.over
    assert channel.failure is source.trouble


def test_repeated_acks_bring_a_cold_block_no_copies(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    """RFC1123-4.2.3.1-01: also when a peer grows impatient with the disk."""
    source.there = 512
    channel = make(Terms())
    assert client.recv(600) == block(1)
    for now in (0.1, 5.0, 10.0):
        say(client, channel, encode_ack(1))
        channel.readable(now)
    assert is_silent(client)
    source.there = len(CONTENT)
    channel.flush(11.0)
    assert client.recv(600) == block(2)
    assert is_silent(client)
    assert channel.transfer.resent == 0


def test_a_stranger_is_answered_while_the_disk_is_slow(make: Make, source: Frozen) -> None:
    """RFC1350-4-06."""
    channel = make(Terms())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(PATIENCE)
        stranger.bind(("127.0.0.1", 0))
        say(stranger, channel, encode_ack(1))
        channel.readable(0.1)
        packet = decode(stranger.recv(600))
    assert isinstance(packet, Error)
    assert packet.code == 5
    assert is_waiting(channel)


def test_the_short_way_of_lock_step_waits_too(
    make: Make, client: socket.socket, source: Frozen
) -> None:
    source.there = 3 * 512
    channel = make(Terms())
    assert client.recv(600) == block(1)
    say(client, channel, encode_ack(1))
    channel.readable(0.1)  # the way to the short way
    assert client.recv(600) == block(2)
    assert channel.endpoint.connect(client.getsockname())
    say(client, channel, encode_ack(2))
    assert channel.step(0.1)
    assert client.recv(600) == block(3)
    say(client, channel, encode_ack(3))
    assert not channel.step(0.2), "the loop has to look: it waits"
    assert channel.waiting is source
    assert not channel.blocked
    assert channel.deadline == 0.2 + LOOK_AGAIN
    say(client, channel, encode_ack(3))
    assert not channel.step(0.3)
    assert is_silent(client)
    source.there = len(CONTENT)
    channel.flush(0.4)
    assert client.recv(600) == block(4)
    say(client, channel, encode_ack(4))
    assert not channel.step(0.5), "the long way, once: a copy of ACK 3 must not count for it"
    assert client.recv(600) == block(5)
    say(client, channel, encode_ack(5))
    assert channel.step(0.6)
    assert client.recv(600) == block(6)
    assert is_silent(client)
    assert channel.transfer.resent == 0


def test_whoever_runs_it_lends_a_hand(make: Make, client: socket.socket, source: Frozen) -> None:
    """As the server's loop does."""
    channel = make(Terms())
    hand = Hand()
    assert channel.waiting is not None
    channel.waiting.fetch(hand, lambda: channel.flush(0.2))
    source.there = len(CONTENT)
    assert hand.finish() == 1
    assert client.recv(600) == block(1)
    assert source.fetches == 1


def test_a_closed_channel_waits_for_nothing(make: Make, source: Frozen) -> None:
    channel = make(Terms())
    assert channel.waiting is source
    channel.close()
    assert not is_waiting(channel)
