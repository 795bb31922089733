"""A window as one buffer: stamped, judged and cut as one would do block by block."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tftp.protocol.blocks import to_wire
from tftp.protocol.train import MAX_TRAIN, Train, consecutive, payloads

firsts = st.one_of(st.integers(1, 3000), st.integers(64_500, 66_600), st.integers(130_000, 132_200))
rollovers = st.sampled_from([0, 1])


def naive_train(first: int, sizes: list[int], rollover: int = 0) -> bytes:
    """Builds the datagrams one by one; payload octets tell the block and the place."""
    parts = []
    for index, size in enumerate(sizes):
        number = to_wire(first + index, rollover)
        payload = bytes((first + index + place) & 0xFF for place in range(size))
        parts.append(b"\0\3" + number.to_bytes(2, "big") + payload)
    return b"".join(parts)


def filled(train: Train, first: int, count: int, rollover: int) -> bytes:
    for index, slot in enumerate(train.slots[:count]):
        slot[:] = bytes((first + index + place) & 0xFF for place in range(len(slot)))
    train.stamp(first, count, rollover)
    return bytes(train.view[: count * train.stride])


# Stamping


@given(st.integers(8, 40), firsts, st.integers(1, 90), rollovers)
@example(8, 65535, 2, 0)
@example(8, 65535, 2, 1)
@example(8, 65535, 1, 1)
@example(8, 65536, 1, 0)
@example(8, 131_070, 3, 1)
@example(8, 131_071, 3, 0)
def test_a_stamped_train_is_what_one_builds_block_by_block(
    block_size: int, first: int, count: int, rollover: int
) -> None:
    """RFC1350-5-27, DF-ROLL-01, DF-ROLL-04, DF-HPA-03, RFC7440-4-22."""
    train = Train(block_size, count)
    expected = naive_train(first, [block_size] * count, rollover)
    assert filled(train, first, count, rollover) == expected


@given(firsts, firsts, rollovers, st.integers(1, 30), st.integers(1, 30))
def test_a_train_is_used_again(
    first: int, second: int, rollover: int, count: int, again: int
) -> None:
    """What was stamped before leaves no trace."""
    train = Train(8, 30)
    filled(train, first, count, rollover)
    assert filled(train, second, again, rollover) == naive_train(second, [8] * again, rollover)


@pytest.mark.parametrize("rollover", [0, 1])
def test_the_longest_train_over_the_wrap(rollover: int) -> None:
    """RFC7440-4-22: every number of 1,024 blocks, wherever the wrap falls."""
    train = Train(8, MAX_TRAIN)
    for first in (1, 65_535 - MAX_TRAIN, 65_535 - MAX_TRAIN + 1, 65_000, 65_535, 65_536):
        expected = naive_train(first, [8] * MAX_TRAIN, rollover)
        assert filled(train, first, MAX_TRAIN, rollover) == expected


def test_a_train_is_laid_out_for_at_most_the_longest() -> None:
    train = Train(512, MAX_TRAIN + 1)
    assert train.room == MAX_TRAIN == len(train.slots)
    assert train.stride == 516
    assert len(train.view) == MAX_TRAIN * 516
    assert [len(slot) for slot in Train(65464, 1).slots] == [65464]


def test_slots_and_view_are_the_same_memory() -> None:
    train = Train(8, 2)
    train.slots[1][:] = b"12345678"
    train.stamp(7, 2)
    assert bytes(train.view) == b"\0\3\0\7" + bytes(8) + b"\0\3\0\x08" + b"12345678"


# Judging


@st.composite
def trains(draw: st.DrawFn) -> tuple[bytes, int, int, int, list[int]]:
    """Returns the octets, the stride, the count, the first block and the payload sizes."""
    block_size, count = draw(st.integers(8, 24)), draw(st.integers(1, 12))
    first, last = draw(firsts), draw(st.integers(0, block_size))
    sizes = [block_size] * (count - 1) + [last]
    return naive_train(first, sizes), block_size + 4, count, first, sizes


@given(trains())
def test_the_train_awaited_is_recognised_and_cut(
    train: tuple[bytes, int, int, int, list[int]],
) -> None:
    """RFC7440-4-03, RFC1350-6-02: the last block may be short, and empty."""
    octets, stride, count, first, sizes = train
    arrival = memoryview(octets)
    assert consecutive(arrival, stride, count, first)
    cut = payloads(arrival, stride, count)
    assert [len(payload) for payload in cut] == sizes
    for index, payload in enumerate(cut):
        assert payload == bytes((first + index + place) & 0xFF for place in range(sizes[index]))


@given(trains(), st.integers(1, 255))
def test_one_wrong_header_octet_is_seen(
    train: tuple[bytes, int, int, int, list[int]], wrong: int
) -> None:
    """Each octet of each header counts; the payload counts for nothing."""
    octets, stride, count, first, _ = train
    for place in range(len(octets)):
        damaged = bytearray(octets)
        damaged[place] ^= wrong
        intact = place % stride >= 4
        assert consecutive(memoryview(damaged), stride, count, first) is intact


@given(trains(), st.integers(1, 65535))
def test_another_first_block_is_seen(
    train: tuple[bytes, int, int, int, list[int]], ahead: int
) -> None:
    octets, stride, count, first, _ = train
    assert not consecutive(memoryview(octets), stride, count, first + ahead)
    # A whole cycle on, the numbers on the wire are the same.
    assert consecutive(memoryview(octets), stride, count, first + 65536)


@given(trains(), st.data())
def test_two_swapped_blocks_are_seen(
    train: tuple[bytes, int, int, int, list[int]], data: st.DataObject
) -> None:
    """RFC7440-4-20."""
    octets, stride, count, first, _ = train
    if count < 3:
        return
    one = data.draw(st.integers(0, count - 3))
    parts = [octets[start : start + stride] for start in range(0, len(octets), stride)]
    parts[one], parts[one + 1] = parts[one + 1], parts[one]
    assert not consecutive(memoryview(b"".join(parts)), stride, count, first)


def test_a_train_longer_than_the_tables_is_left_to_the_slow_way() -> None:
    octets = naive_train(1, [8] * (MAX_TRAIN + 1))
    assert not consecutive(memoryview(octets), 12, MAX_TRAIN + 1, 1)
    whole = memoryview(octets)[: 12 * MAX_TRAIN]
    assert consecutive(whole, 12, MAX_TRAIN, 1)
