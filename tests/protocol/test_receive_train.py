"""The fast way in: a train taken in one step does what its datagrams do one by one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.ladder import ADDRESSES, PEER, TIMING, octets_of, terms
from tftp.protocol.blocks import to_wire
from tftp.protocol.options import Terms
from tftp.protocol.receiver import Receiver
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Transfer

BLOCK_SIZE = 8
STRIDE = BLOCK_SIZE + 4


def receiver_at(block: int, agreed: Terms) -> Receiver:
    """Returns a receiver that has `block` blocks, and whose ACKs have left."""
    receiver = Receiver.answering(PEER, agreed, TIMING, 0.0)
    for number in range(1, block + 1):
        wire = to_wire(number, agreed.rollover).to_bytes(2, "big")
        receiver.receive(b"\0\3" + wire + bytes(agreed.block_size), PEER, 0.0)
    while receiver.poll() is not None:
        pass
    return receiver


def everything(transfer: Transfer) -> dict[str, object]:
    """Returns the whole state of a transfer, by name; not whether its short cut is open."""
    state = slots(transfer)
    del state["_awaited"]
    return state | {"pace": slots(transfer.pace)}


def slots(thing: object) -> dict[str, object]:
    names = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    return {name: getattr(thing, name) for name in names}


def one_by_one(
    receiver: Receiver, arrival: bytes, stride: int, source: Address, now: float
) -> list[bytes]:
    """The plain meaning of a train."""
    taken = []
    for start in range(0, max(len(arrival), 1), stride or max(len(arrival), 1)):
        payload = receiver.receive(arrival[start : start + stride or None], source, now)
        if payload is not None:
            taken.append(bytes(payload))
    return taken


def both_ways(
    make: Callable[[], Receiver],
    arrivals: list[tuple[bytes, int, Address]],
) -> Receiver:
    """Feeds twins by trains and by datagrams; all that one can see is the same.

    One gets trains, one trains in a buffer that is cut up already, one single datagrams.
    """
    fast, cut, slow = make(), make(), make()
    for step, (arrival, stride, source) in enumerate(arrivals):
        now = 0.05 * step
        view = memoryview(arrival)
        taken = [bytes(p) for p in fast.receive_train(view, stride, source, now)]
        assert taken == one_by_one(slow, arrival, stride, source, now)
        assert taken == [
            bytes(p) for p in cut.receive_train(view, stride, source, now, places(view))
        ]
        assert everything(fast) == everything(cut) == everything(slow)
    return fast


def places(arrival: memoryview) -> list[memoryview]:
    """Returns where the payloads of full blocks are, if that is all there is."""
    return [arrival[end - BLOCK_SIZE : end] for end in range(STRIDE, len(arrival) + 1, STRIDE)]


def data(first: int, count: int, last: int = BLOCK_SIZE, rollover: int = 0) -> bytes:
    """Returns DATA `first` and on, end to end, the last one with `last` octets."""
    parts = []
    for block in range(first, first + count):
        length = last if block == first + count - 1 else BLOCK_SIZE
        payload = bytes((block + place) & 0xFF for place in range(length))
        parts.append(b"\0\3" + to_wire(block, rollover).to_bytes(2, "big") + payload)
    return b"".join(parts)


# By example


def test_a_window_in_one_step() -> None:
    """RFC7440-4-12: views of the arrival, and one ACK."""
    receiver = receiver_at(1, terms(BLOCK_SIZE, 4))
    arrival = bytearray(data(2, 3))
    taken = receiver.receive_train(memoryview(arrival), STRIDE, PEER, 0.1)
    assert b"".join(taken) == data(2, 1)[4:] + data(3, 1)[4:] + data(4, 1)[4:]
    arrival[4] ^= 0xFF
    assert taken[0][0] == arrival[4], "a view, not a copy"
    assert receiver.poll() == (b"\0\4\0\4", PEER)
    assert receiver.poll() is None


def test_places_that_the_caller_has_cut_are_handed_back() -> None:
    """A train of full blocks; one that ends the file is cut anew."""
    receiver = receiver_at(1, terms(BLOCK_SIZE, 4))
    arrival = memoryview(data(2, 3))
    cut = places(arrival)
    assert receiver.receive_train(arrival, STRIDE, PEER, 0.1, cut) is cut
    arrival = memoryview(data(5, 3, 2))
    taken = receiver.receive_train(arrival, STRIDE, PEER, 0.1, places(arrival))
    assert [len(payload) for payload in taken] == [8, 8, 2]


@pytest.mark.parametrize("last", [0, 1, 7])
def test_the_end_of_the_file_in_a_train(last: int) -> None:
    """RFC7440-4-03, RFC7440-4-18, RFC1350-6-02."""
    receiver = receiver_at(1, terms(BLOCK_SIZE, 8))
    taken = receiver.receive_train(memoryview(data(2, 3, last)), STRIDE, PEER, 0.1)
    assert [len(payload) for payload in taken] == [8, 8, last]
    assert receiver.state is State.DALLYING
    assert receiver.received_bytes == 24 + last
    assert receiver.poll() == (b"\0\4\0\4", PEER)


def test_the_fast_way_is_taken_where_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A train of the blocks awaited costs no `receive` at all."""
    receiver = receiver_at(1, terms(BLOCK_SIZE, 4))

    def never(*_: object) -> None:
        raise AssertionError("datagram by datagram")

    monkeypatch.setattr(Receiver, "receive", never)
    assert len(receiver.receive_train(memoryview(data(2, 3)), STRIDE, PEER, 0.1)) == 3
    assert len(receiver.receive_train(memoryview(data(5, 2)), STRIDE, PEER, 0.1)) == 2
    assert len(receiver.receive_train(memoryview(data(7, 2, 5)), STRIDE, PEER, 0.1)) == 2
    monkeypatch.undo()
    assert receiver.poll() == (b"\0\4\0\4", PEER)
    assert receiver.poll() == (b"\0\4\0\x08", PEER)


NOT_FAST = [
    pytest.param(data(2, 5), STRIDE, PEER, id="more than the window"),
    pytest.param(data(3, 2), STRIDE, PEER, id="a gap"),
    pytest.param(data(1, 3), STRIDE, PEER, id="old blocks in front"),
    pytest.param(data(2, 1) + data(4, 1), STRIDE, PEER, id="a gap inside"),
    pytest.param(data(2, 1) + data(2, 1), STRIDE, PEER, id="a copy inside"),
    pytest.param(data(2, 2) + b"\0\4\0\4", STRIDE, PEER, id="an ACK at the end"),
    pytest.param(data(2, 2) + b"\0\3\0", STRIDE, PEER, id="three octets at the end"),
    pytest.param(data(2, 2) + b"\0\5\0\0", STRIDE, PEER, id="an ERROR at the end"),
    pytest.param(data(2, 2), STRIDE, ADDRESSES["stranger"], id="a stranger"),
    pytest.param(data(2, 3), STRIDE + 1, PEER, id="another stride"),
    pytest.param(data(2, 3), 3, PEER, id="a stride below a header"),
    pytest.param(data(2, 1), 0, PEER, id="one datagram, no stride"),
    pytest.param(b"", 0, PEER, id="an empty datagram"),
    pytest.param(b"", STRIDE, PEER, id="nothing"),
    pytest.param(data(2, 1, 9), 13, PEER, id="larger than the block size"),
    pytest.param(data(2, 1, 7) + data(3, 1, 7), 11, PEER, id="blocks behind the end"),
    pytest.param(data(2, 1, 3), STRIDE, PEER, id="one short block"),
]


@pytest.mark.parametrize(("arrival", "stride", "source"), NOT_FAST)
def test_any_other_train_is_taken_datagram_by_datagram(
    arrival: bytes, stride: int, source: Address
) -> None:
    """RFC1350-4-09, RFC1350-5-22, RFC7440-4-13: and what follows it is taken all the same."""
    both_ways(
        lambda: receiver_at(1, terms(BLOCK_SIZE, 4)),
        [(arrival, stride, source), (data(2, 4), STRIDE, PEER), (data(6, 1, 0), STRIDE, PEER)],
    )


def test_a_train_longer_than_the_tables() -> None:
    """RFC7440-4-23: more blocks than one train can name."""
    both_ways(
        lambda: receiver_at(1, terms(BLOCK_SIZE, 3000)),
        [(data(2, 1030), STRIDE, PEER), (data(1032, 5), STRIDE, PEER)],
    )


@pytest.mark.parametrize("rollover", [0, 1])
def test_trains_over_the_wrap(rollover: int) -> None:
    """RFC7440-4-22, DF-HPA-03."""
    agreed = terms(BLOCK_SIZE, 16, rollover=rollover)
    receiver = both_ways(
        lambda: receiver_at(65_530, agreed),
        [
            (data(65_531, 6, rollover=rollover), STRIDE, PEER),
            (data(65_537, 16, rollover=rollover), STRIDE, PEER),
        ],
    )
    assert receiver.received_bytes == 65_552 * BLOCK_SIZE


def test_a_train_before_the_first_answer() -> None:
    """RFC7440-4-21: the first window of an upload comes in answer to the OACK."""
    both_ways(
        lambda: Receiver.answering(PEER, terms(BLOCK_SIZE, 4), TIMING, 0.0),
        [(data(1, 4), STRIDE, PEER), (data(5, 4, 1), STRIDE, PEER), (data(8, 1), STRIDE, PEER)],
    )


# By chance


@st.composite
def segments(draw: st.DrawFn, expected: int) -> bytes:
    """Returns one datagram, most often a block near the one awaited."""
    kind = draw(st.integers(0, 19))
    if kind < 15:
        block = max(0, expected + draw(st.integers(-6, 9)))
        length = draw(st.sampled_from([BLOCK_SIZE] * 12 + [0, 3, BLOCK_SIZE + 1]))
        return b"\0\3" + (block & 0xFFFF).to_bytes(2, "big") + bytes(length)
    others = ["ACK 3", "OACK blksize=8", "RRQ f octet", "ERROR 0 stop", "HEX 0003", "HEX 00"]
    return octets_of(draw(st.sampled_from(others)))[0]


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[bytes, int, Address]]:
    """Returns a few trains: runs in order, runs with one octet spoiled, and mixtures."""
    found: list[tuple[bytes, int, Address]] = []
    expected = 1
    for _ in range(draw(st.integers(1, 6))):
        source = draw(st.sampled_from([PEER] * 9 + [ADDRESSES["stranger"]]))
        stride = draw(st.sampled_from([STRIDE] * 9 + [0, 4, STRIDE - 1]))
        if draw(st.booleans()):
            count = draw(st.integers(1, 8))
            octets = bytearray(data(expected, count, draw(st.sampled_from([8, 8, 8, 0, 5]))))
            if draw(st.integers(0, 3)) == 0 and octets:
                octets[draw(st.integers(0, len(octets) - 1))] ^= draw(st.integers(1, 255))
            expected += count
        else:
            octets = bytearray()
            for segment in draw(st.lists(segments(expected), min_size=1, max_size=6)):
                octets += segment
        found.append((bytes(octets), stride, source))
    return found


@given(arrivals(), st.integers(1, 9), st.integers(0, 5), st.sampled_from([0, 1]))
def test_trains_and_datagrams_are_the_same(
    found: list[tuple[bytes, int, Address]], window: int, start: int, rollover: int
) -> None:
    """The whole state of two twins, after every step of any conversation."""
    agreed = terms(BLOCK_SIZE, window, rollover=rollover)
    both_ways(lambda: receiver_at(start, agreed), found)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 8), st.sampled_from([1, 4, 7, 16, 64])
)
def test_a_file_in_trains_of_any_length(
    blocks: int, per_train: int, last: int, window: int
) -> None:
    """RFC7440-4-12: windows and trains need not end together."""
    sizes = [per_train] * (blocks // per_train) + [blocks % per_train]
    found, first = [], 1
    for size in filter(None, sizes):
        end = first + size > blocks
        found.append((data(first, size, last if end else BLOCK_SIZE), STRIDE, PEER))
        first += size
    receiver = both_ways(lambda: receiver_at(0, terms(BLOCK_SIZE, window)), found)
    assert receiver.received_bytes == (blocks - 1) * BLOCK_SIZE + last
    assert (receiver.state is State.DALLYING) == (last < BLOCK_SIZE)
