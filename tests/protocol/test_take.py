"""`awaits` and `take` are `receive` and `poll` in one, or they do nothing at all."""

import struct
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.ladder import PEER
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.receiver import Receiver
from tftp.protocol.transfer import Burst

BLOCK_SIZE = 8
AGREED = Terms(block_size=BLOCK_SIZE, timeout=1.0, options=(("blksize", "8"), ("timeout", "1")))
STRANGER = ("192.0.2.9", 2000)


def data(block: int, length: int = BLOCK_SIZE) -> bytes:
    return struct.pack("!HH", 3, block & 0xFFFF) + bytes([block & 0xFF]) * length


def make(terms: Terms = AGREED) -> Receiver:
    receiver = Receiver.answering(PEER, terms, Timing(), 0.0)
    receiver.poll()
    return receiver


def drain(receiver: Receiver) -> list[bytes]:
    words = []
    while (word := receiver.poll()) is not None:
        assert not isinstance(word, Burst)
        words.append(word.data)
    return words


def feed(receiver: Receiver, datagram: bytes, now: float, *, taking: bool) -> tuple[bytes, ...]:
    """Gives one datagram of the peer's; returns the payload and all that goes out."""
    if taking and receiver.awaits(datagram, len(datagram)):
        return datagram[4:], receiver.take(now), *drain(receiver)
    payload = receiver.receive(datagram, PEER, now)
    return b"" if payload is None else bytes(payload), *drain(receiver)


datagrams = st.one_of(
    st.builds(data, st.integers(0, 30), st.sampled_from([0, 1, 7, 8, 9])),
    st.sampled_from([b"", b"\0\3", b"\0\3\0", b"\0\4\0\1", b"\0\6", b"\0\7\0\1"]),
    st.just(None),  # the block that is awaited
)


@given(st.lists(st.tuples(datagrams, st.floats(0.001, 0.4)), max_size=120))
def test_both_ways_say_and_do_the_same(script: list[tuple[bytes | None, float]]) -> None:
    plain, taking = make(), make()
    now, awaited = 0.0, 1
    for datagram, pause in script:
        now += pause
        for receiver in (plain, taking):
            receiver.expire(now)
        assert drain(plain) == drain(taking)
        said = feed(plain, datagram or data(awaited), now, taking=False)
        assert feed(taking, datagram or data(awaited), now, taking=True) == said
        if len(said[0]) == BLOCK_SIZE:
            awaited += 1
        assert taking.state is plain.state
        assert taking.outcome == plain.outcome
        assert taking.resent == plain.resent
        assert taking.received_bytes == plain.received_bytes
        assert taking.deadline == plain.deadline


def test_a_whole_file_over_two_wraps() -> None:
    receiver = make()
    feed(receiver, data(1), 0.0, taking=False)
    for block in range(2, 131_080):
        datagram = data(block)
        assert receiver.awaits(datagram, len(datagram)), block
        assert receiver.take(block / 1000) == struct.pack("!HH", 4, block & 0xFFFF)
    last = data(131_080, 3)
    assert not receiver.awaits(last, len(last)), "the short block ends it: not a step"
    assert feed(receiver, last, 132.0, taking=True)[0] == last[4:]
    assert receiver.received_bytes == 131_079 * BLOCK_SIZE + 3
    assert receiver.outcome is not None
    assert receiver.outcome.ok


def test_nothing_is_awaited_while_a_stranger_is_to_be_answered() -> None:
    receiver = make()
    feed(receiver, data(1), 0.0, taking=False)
    receiver.receive(data(2), STRANGER, 0.1)
    assert not receiver.awaits(data(2), 12)
    drain(receiver)
    feed(receiver, data(2), 0.2, taking=True)
    assert receiver.awaits(data(3), 12)


def test_what_is_awaited_ends_with_a_hush_a_deadline_and_an_abort() -> None:
    ends: list[Callable[[Receiver], None]] = [
        lambda receiver: receiver.hush(),
        lambda receiver: receiver.expire(5.0),
        lambda receiver: receiver.abort(3, "Disk full"),
    ]
    for end in ends:
        receiver = make()
        feed(receiver, data(1), 0.0, taking=False)
        assert receiver.awaits(data(2), 12)
        end(receiver)
        assert not receiver.awaits(data(2), 12)


def test_windows_and_odd_numbering_go_the_long_way() -> None:
    for terms in (AGREED._replace(window=4), AGREED._replace(rollover=1)):
        receiver = make(terms)
        feed(receiver, data(1), 0.0, taking=False)
        assert not receiver.awaits(data(2), 12)


def test_missing_counts_down_to_the_end_of_the_window() -> None:
    receiver = make(AGREED._replace(window=4))
    counts = []
    for block in range(1, 6):
        feed(receiver, data(block), 0.0, taking=False)
        counts.append(receiver.missing)
    assert counts == [3, 2, 1, 4, 3]
