"""Ladders around block 65,535, and files of many blocks and of many octets (DF-ROLL-01 .. 07)."""

import pytest

from tests.protocol.ladder import PEER, TIMING, Stage, terms
from tests.protocol.stages import CONTENT, client_read, server_write
from tftp.protocol.blocks import to_wire
from tftp.protocol.options import Ceiling, Terms, Wish, grant, propose
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.train import Train
from tftp.protocol.transfer import Burst, Datagram, Ending


class Repeated:
    """A file of any length that takes no room: the same octets, block for block."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, room: int) -> int:
        """Returns how many octets there are at `offset`, `room` at most."""
        return max(0, min(room, self.size - offset))


def stream(size: int, agreed: Terms, room: int = 64) -> tuple[Sender, Receiver]:
    """Runs a whole transfer in big steps: trains one way, ACKs the other, no time at all.

    The octets that arrive are counted and never compared; block numbers are what is judged.
    """
    file = Repeated(size)
    sender = Sender.answering(PEER, agreed, TIMING, 0.0)
    receiver = Receiver.answering(PEER, agreed, TIMING, 0.0)
    for transfer in (sender, receiver):
        assert isinstance(transfer.poll(), Datagram)
    sender.receive(b"\0\4\0\0", PEER, 0.0)
    train = Train(agreed.block_size, room)
    while sender.outcome is None:
        while (burst := sender.poll(room)) is not None:
            assert isinstance(burst, Burst)
            octets = file.read(burst.offset, burst.count * agreed.block_size)
            blocks = min(burst.count, octets // agreed.block_size + 1)
            train.stamp(burst.first, blocks, agreed.rollover)
            arrival = train.view[: octets + 4 * blocks]
            taken = receiver.receive_train(arrival, train.stride, PEER, 0.0)
            assert len(taken) == blocks
            sender.sent(burst, octets, 0.0)
        answer = receiver.poll()
        assert isinstance(answer, Datagram), "a window that nobody acknowledged"
        assert receiver.poll() is None
        sender.receive(answer.data, PEER, 0.0)
    return sender, receiver


def at_block(block: int, agreed: Terms, content: bytes = b"") -> Stage:
    """Returns a stage with a server that is read, `block` blocks of which are acknowledged."""
    sender = Sender.answering(PEER, agreed, TIMING, 0.0)
    sender.poll()
    sender.receive(b"\0\4\0\0", PEER, 0.0)
    done = 0
    while done < block:
        burst = sender.poll(min(agreed.window, block - done))
        assert isinstance(burst, Burst)
        sender.sent(burst, burst.count * agreed.block_size, 0.0)
        done = burst.first + burst.count - 1
        number = to_wire(done, agreed.rollover)
        sender.receive(b"\0\4" + number.to_bytes(2, "big"), PEER, 0.0)
    return Stage(sender, bytes(block * agreed.block_size) + content)


def receiver_at(block: int, agreed: Terms, stage: Stage) -> Stage:
    """Brings a receiver to where `block` blocks have arrived and are acknowledged."""
    receiver = stage.transfer
    assert isinstance(receiver, Receiver)
    stage.said.clear()
    train = Train(agreed.block_size, min(agreed.window, 1024))
    done = 0
    while done < block:
        count = min(train.room, block - done)
        train.stamp(done + 1, count, agreed.rollover)
        arrival = train.view[: count * train.stride]
        assert len(receiver.receive_train(arrival, train.stride, PEER, 0.0)) == count
        done += count
    stage.listen()
    stage.said.clear()
    return stage


# Whole files


@pytest.mark.parametrize("rollover", [0, 1])
@pytest.mark.parametrize(
    ("blocks", "window"),
    [
        (65_601, 1),  # DF-ROLL-01, DF-ROLL-02
        (65_601, 7),  # RFC7440-4-22: 65,535 is no multiple of it
        (131_075, 64),  # DF-ROLL-04
        (196_700, 64),
    ],
)
def test_files_of_more_blocks_than_there_are_numbers(
    blocks: int, window: int, rollover: int
) -> None:
    """DF-ROLL-01, DF-ROLL-02, DF-ROLL-04, DF-HPA-03, RFC7440-4-22."""
    size = blocks * 8 + 3
    sender, receiver = stream(size, terms(8, window, rollover=rollover))
    assert (sender.sent_bytes, receiver.received_bytes) == (size, size)
    assert (sender.resent, receiver.resent) == (0, 0)
    assert sender.outcome is not None
    assert receiver.outcome is not None
    assert sender.outcome.ending is receiver.outcome.ending is Ending.COMPLETE


@pytest.mark.parametrize(("window", "rollover"), [(1, 0), (64, 0), (64, 1)])
@pytest.mark.parametrize("size", [65_534 * 8, 65_535 * 8, 65_536 * 8, 65_535 * 8 + 3])
def test_files_that_end_at_the_wrap(size: int, window: int, rollover: int) -> None:
    """DF-ROLL-03: the last block is 65,535, 0 or 1 on the wire, and empty or short."""
    sender, receiver = stream(size, terms(8, window, rollover=rollover))
    assert sender.sent_blocks == size // 8 + 1
    assert (sender.sent_bytes, receiver.received_bytes) == (size, size)


@pytest.mark.parametrize("rollover", [0, 1])
def test_the_largest_window_that_is_granted(rollover: int) -> None:
    """RFC7440-4-23, RFC7440-3-01: 65,535 may be asked for, and works once it is lowered."""
    asked = propose(Wish(block_size=8, window=65_535, rollover=rollover))
    agreed = grant(asked, Ceiling(window=65_535), reading=True)
    assert agreed.window == 32_767
    size = 131_075 * 8
    sender, receiver = stream(size, agreed, room=1024)
    assert receiver.received_bytes == size
    assert sender.resent == 0


# Files beyond 4 GiB


def test_offsets_beyond_4_gib() -> None:
    """DF-ROLL-07: every block lies where the one before it ended."""
    size = 2**32 + 1000
    sender, receiver = stream(size, terms(65_464, 64), room=1)
    assert sender.sent_blocks == 65_609
    assert (sender.sent_bytes, receiver.received_bytes) == (size, size)


def test_offsets_of_more_blocks_than_32_bits_hold() -> None:
    """DF-ROLL-07: 2**32 blocks of 512 octets are 2 TiB, and 65,537 wraps."""
    agreed = terms(512, 32_767)
    sender = Sender.answering(PEER, agreed, TIMING, 0.0)
    sender.poll()
    sender.receive(b"\0\4\0\0", PEER, 0.0)
    expected = 1
    while expected <= 2**32:
        burst = sender.poll(32_767)
        assert burst == (expected, 32_767, (expected - 1) * 512)
        sender.sent(burst, 32_767 * 512, 0.0)
        expected += 32_767
        sender.receive(b"\0\4" + (expected - 1 & 0xFFFF).to_bytes(2, "big"), PEER, 0.0)
    assert sender.poll(1) == (expected, 1, (expected - 1) * 512)
    assert sender.sent_bytes == (expected - 1) * 512 > 2**41


# Around the wrap, packet by packet


@pytest.mark.parametrize(("rollover", "after"), [(0, 0), (1, 1)])
def test_a_sender_at_the_wrap(rollover: int, after: int) -> None:
    """DF-ROLL-01, DF-ROLL-05, DF-HPA-03, DF-HPA-04: old ACKs are old, not ahead."""
    stage = at_block(65_533, terms(8, 1, 1, rollover), CONTENT[:28])
    stage.play(f"""
        0.0  > DATA 65534 8
        0.1  < ACK 65534
             > DATA 65535 8
             < ACK 65534
        0.2  < ACK 65535
             > DATA {after} 8
             < ACK 65535
             < ACK 65534
        0.3  < ACK {after}
             > DATA {after + 1} 4
             < ACK {after}
             < ACK 65535
        0.4  < ACK {after + 1}
             = DONE COMPLETE
        """)


def test_number_zero_means_nothing_where_it_is_left_out() -> None:
    """DF-HPA-03."""
    stage = at_block(65_535, terms(8, 4, 1, 1), CONTENT[:100])
    stage.play("""
        0.0  > DATA 1-4 8
        0.1  < ACK 0
        0.2  < ACK 2
             > DATA 3-6 8
        """)
    agreed = terms(8, 5, rollover=1)
    receiver = receiver_at(65_535, agreed, server_write(agreed))
    receiver.play("""
        0.1  < DATA 1-4 8
             < DATA 0 8
             < DATA 5 8
             > ACK 5
        """)


@pytest.mark.parametrize("start", [65_530, 65_532, 65_535])
def test_a_window_over_the_wrap(start: int) -> None:
    """RFC7440-4-22: whichever of its blocks was lost, 65,535 and 0 among them."""
    numbers = [block & 0xFFFF for block in range(start + 1, start + 9)]
    data = [f"> DATA {number} 8" for number in numbers]
    for lost in range(8):
        stage = at_block(start, terms(8, 8, 1), CONTENT[:200])
        again = [f"> DATA {(start + lost + n) & 0xFFFF} 8" for n in range(1, 9)]
        acknowledged = (start + lost) & 0xFFFF
        stage.play("\n".join([*data, f"0.5 < ACK {acknowledged}", *again]))
        assert stage.transfer.resent == 8 - lost


@pytest.mark.parametrize("lost", [65_535, 65_536, 65_537, 65_540])
def test_a_receiver_reports_a_gap_at_the_wrap(lost: int) -> None:
    """RFC7440-4-22, RFC7440-4-13: each block of a window of seven over the wrap."""
    agreed = terms(8, 7)
    stage = receiver_at(65_534, agreed, server_write(agreed))
    stage.advance(0.1)
    for block in range(65_535, 65_542):
        if block != lost:
            stage.hear(b"\0\3" + (block & 0xFFFF).to_bytes(2, "big") + bytes(8))
    (said,) = stage.said
    assert said.words == f"ACK {lost - 1 & 0xFFFF}"
    stage.said.clear()
    assert stage.transfer.resent == 1
    for block in range(lost, lost + 7):
        stage.hear(b"\0\3" + (block & 0xFFFF).to_bytes(2, "big") + bytes(8))
    (said,) = stage.said
    assert said.words == f"ACK {lost + 6 & 0xFFFF}"


def test_old_data_at_the_wrap_is_old() -> None:
    """DF-ROLL-05: acknowledged again in lock-step, and not written again."""
    agreed = terms(8)
    stage = receiver_at(65_534, agreed, server_write(agreed)).play("""
        0.1  < DATA 65535 8
             > ACK 65535
        0.2  < DATA 0 8
             > ACK 0
             < DATA 65535 8
             > ACK 0
        0.3  < DATA 1 3
             > ACK 1
             < DATA 0 3
             < DATA 1 3
             > ACK 1
             = DALLYING COMPLETE
        """)
    assert stage.stored == [65535, 0, 1]


# A server that rolls over to 1, unasked


def test_a_server_that_rolls_over_to_1_is_understood_in_lock_step() -> None:
    """DF-ROLL-02, DF-ROLL-06: its own numbers are what it gets back."""
    stage = receiver_at(65_534, terms(512), client_read())
    stage.play("""
        0.1  < DATA 65535 512
             > ACK 65535
        0.2  < DATA 1 512
             > ACK 1
             < DATA 1 512
             > ACK 1
        0.3  < DATA 2 512
             > ACK 2
        0.4  < DATA 3 8
             > ACK 3
             = DALLYING COMPLETE
        """)
    assert stage.stored == [65535, 1, 2, 3]
    assert stage.transfer.terms.rollover == 1


def test_a_server_that_ends_with_block_1_after_the_wrap() -> None:
    """DF-ROLL-03, DF-ROLL-06."""
    stage = receiver_at(65_535, terms(512), client_read())
    stage.play("0.1 < DATA 1 0\n > ACK 1\n = DALLYING COMPLETE")


def test_rolling_over_to_1_is_not_guessed_elsewhere() -> None:
    """DF-ROLL-05: not before the wrap, not with a window, and not a second time."""
    early = receiver_at(65_534, terms(512), client_read())
    early.play("0.1 < DATA 1 512\n > ACK 65534")
    agreed = terms(8, 4)
    windowed = receiver_at(65_535, agreed, server_write(agreed))
    windowed.play("0.1 < DATA 1 8\n > ACK 65535")
    assert windowed.transfer.terms.rollover == 0
    later = receiver_at(131_070, terms(8, rollover=1), server_write(terms(8, rollover=1)))
    later.play("0.1 < DATA 0 8\n > ACK 65535\n < DATA 1 8\n > ACK 1")
    assert later.transfer.state is State.STREAMING
