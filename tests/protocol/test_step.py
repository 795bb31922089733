"""`step` and `stepped` are `receive`, `poll` and `sent` in one, or they do nothing at all."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.ladder import PEER
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst

BLOCK_SIZE = 8
BLOCKS = 40
SIZE = BLOCKS * BLOCK_SIZE - 3
AGREED = Terms(block_size=BLOCK_SIZE, options=(("blksize", "8"),))


def make(terms: Terms = AGREED) -> Sender:
    sender = Sender.answering(PEER, terms, Timing(), 0.0)
    sender.poll()
    return sender


def length(block: int) -> int:
    return max(0, min(BLOCK_SIZE, SIZE - (block - 1) * BLOCK_SIZE))


def drain(sender: Sender, now: float) -> list[object]:
    words: list[object] = []
    while (word := sender.poll()) is not None:
        words.append(word)
        if isinstance(word, Burst):
            sender.sent(word, length(word.first), now)
    return words


def feed(sender: Sender, datagram: bytes, now: float, *, stepping: bool) -> list[object]:
    """Gives one datagram of the peer's; returns all that goes out because of it."""
    if stepping and len(datagram) >= 4 and (block := sender.step(datagram, now)):
        sender.stepped(block, length(block), now)
        return [Burst(block, 1, (block - 1) * BLOCK_SIZE), *drain(sender, now)]
    sender.receive(datagram, PEER, now)
    return drain(sender, now)


datagrams = st.one_of(
    st.integers(0, BLOCKS + 2).map(encode_ack),
    st.sampled_from([b"", b"\0\4", b"\0\4\0", b"\0\3\0\1x", b"\0\6", b"\0\7\0\1"]),
    st.just(None),  # the ACK of the block that is outstanding
)
inputs = st.lists(st.tuples(datagrams, st.floats(0.001, 0.4)), max_size=150)


@given(inputs)
def test_both_ways_say_and_do_the_same(script: list[tuple[bytes | None, float]]) -> None:
    # With a negotiated interval: they measure round trips at different blocks.
    terms = AGREED._replace(timeout=1.0)
    plain, stepping = make(terms), make(terms)
    now = 0.0
    awaited = 0
    for datagram, pause in script:
        now += pause
        for sender in (plain, stepping):
            sender.expire(now)
        assert drain(plain, now) == drain(stepping, now)
        data = encode_ack(awaited) if datagram is None else datagram
        said = feed(plain, data, now, stepping=False)
        assert feed(stepping, data, now, stepping=True) == said
        awaited = max([awaited, *(word.first for word in said if isinstance(word, Burst))])
        assert stepping.state is plain.state
        assert stepping.outcome == plain.outcome
        assert stepping.resent == plain.resent
        assert stepping.sent_bytes == plain.sent_bytes
        assert stepping.deadline == plain.deadline


def test_a_whole_file_goes_by_steps() -> None:
    sender = make()
    steps = 0
    feed(sender, encode_ack(0), 0.1, stepping=False)
    for block in range(1, BLOCKS):
        taken = sender.step(encode_ack(block), 0.1 + block / 1000)
        assert taken == block + 1
        sender.stepped(taken, length(taken), 0.1 + block / 1000)
        steps += 1
    assert sender.step(encode_ack(BLOCKS), 1.0) == 0, "the last ACK ends it: not a step"
    sender.receive(encode_ack(BLOCKS), PEER, 1.0)
    assert sender.outcome is not None
    assert sender.outcome.ok
    assert sender.sent_bytes == SIZE
    assert (steps, sender.resent) == (BLOCKS - 1, 0)


def test_a_block_that_could_not_leave_is_offered_again() -> None:
    sender = make()
    feed(sender, encode_ack(0), 0.1, stepping=False)
    assert sender.step(encode_ack(1), 0.2) == 2
    assert sender.poll() == Burst(2, 1, BLOCK_SIZE)
    assert sender.step(encode_ack(2), 0.2) == 0, "block 2 was never sent"


def test_steps_are_for_lock_step_in_the_order_of_the_peer() -> None:
    for terms in (AGREED._replace(window=4), AGREED._replace(rollover=1)):
        sender = make(terms)
        feed(sender, encode_ack(0), 0.1, stepping=False)
        assert sender.step(encode_ack(1), 0.2) == 0
    sender = make()
    assert sender.step(encode_ack(0), 0.1) == 0, "it is not streaming yet"
    feed(sender, encode_ack(0), 0.1, stepping=False)
    assert sender.step(struct.pack("!HH", 3, 1), 0.2) == 0
    assert sender.step(encode_ack(2), 0.2) == 0
    sender.receive(encode_ack(1), ("10.9.9.9", 9), 0.2)  # a stranger waits for its ERROR
    assert sender.step(encode_ack(1), 0.2) == 0


def test_round_trips_are_measured_on_the_way() -> None:
    sender = make()
    feed(sender, encode_ack(0), 0.3, stepping=False)
    now = 0.3
    for block in range(1, BLOCKS):
        now += 0.3
        taken = sender.step(encode_ack(block), now)
        sender.stepped(taken, length(taken), now)
    assert sender.deadline is not None
    assert 0.3 < sender.deadline - now < 1.0, "it has adapted to 0.3 s"
