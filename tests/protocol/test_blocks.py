"""Block numbers: absolute to the wire and back, for both rollovers (DF-ROLL-01 .. 06)."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tftp.protocol.blocks import distance, to_wire

ROLLOVERS = [0, 1]
CYCLE = {0: 65536, 1: 65535}
blocks = st.one_of(st.integers(0, 70_000), st.integers(0, 2**40))


def naive_numbers(rollover: int, count: int) -> list[int]:
    """Counts block numbers as a sender would, one by one; index 0 is that of an ACK 0."""
    numbers, current = [0], 0
    for _ in range(count):
        current = rollover if current == 65535 else current + 1
        numbers.append(current)
    return numbers


@pytest.mark.parametrize("rollover", ROLLOVERS)
def test_wire_numbers_are_those_of_counting(rollover: int) -> None:
    """DF-ROLL-01, DF-ROLL-04, DF-HPA-03: over more than two wraps."""
    count = 140_000
    expected = naive_numbers(rollover, count)
    assert [to_wire(block, rollover) for block in range(count + 1)] == expected


@pytest.mark.parametrize(
    ("block", "rollover", "wire"),
    [
        (0, 0, 0),
        (0, 1, 0),
        (1, 0, 1),
        (65535, 0, 65535),
        (65535, 1, 65535),
        (65536, 0, 0),
        (65536, 1, 1),
        (65537, 0, 1),
        (131071, 0, 65535),
        (131070, 1, 65535),
        (131072, 0, 0),
        (131071, 1, 1),
    ],
)
def test_wire_numbers_at_the_wraps(block: int, rollover: int, wire: int) -> None:
    """DF-ROLL-03, DF-ROLL-04."""
    assert to_wire(block, rollover) == wire


def test_the_default_rollover_is_zero() -> None:
    assert to_wire(65536) == 0
    assert distance(0, 65535) == 1


@given(blocks, st.integers(0, 32_767), st.sampled_from(ROLLOVERS))
@example(65535, 1, 0)
@example(65535, 1, 1)
@example(0, 0, 1)
def test_distance_undoes_to_wire(block: int, ahead: int, rollover: int) -> None:
    """DF-ROLL-05: any number of wraps behind us changes nothing."""
    wire = to_wire(block + ahead, rollover)
    if ahead == 0 and block == 0:
        assert distance(wire, block, rollover) == 0
    else:
        assert distance(wire, block, rollover) == ahead


@given(blocks, st.integers(1, 32_767), st.sampled_from(ROLLOVERS))
@example(65536, 1, 0)
@example(65536, 1, 1)
def test_what_lies_behind_is_far_ahead(block: int, behind: int, rollover: int) -> None:
    """DF-ROLL-05: an old number is never taken for one inside a window."""
    if behind >= block:
        return  # block 0 is in no window, and nothing comes before it
    wire = to_wire(block - behind, rollover)
    assert distance(wire, block, rollover) == CYCLE[rollover] - behind


@given(st.integers(0, 65535), blocks, st.sampled_from(ROLLOVERS))
def test_distance_is_bounded(wire: int, block: int, rollover: int) -> None:
    ahead = distance(wire, block, rollover)
    assert 0 <= ahead <= 65535
    if wire or not rollover:
        assert to_wire(block + ahead, rollover) == wire


def test_number_zero_is_no_block_where_it_is_left_out() -> None:
    """DF-HPA-03: after 65,535 comes 1, so 0 is neither awaited nor inside any window."""
    for block in (1, 65534, 65535, 65536, 131_070):
        assert distance(0, block, 1) == 65535
    assert distance(0, 0, 1) == 0


def test_small_steps_around_the_first_wrap_for_both_rollovers() -> None:
    """DF-ROLL-03: every pair of blocks near 65,535."""
    near = range(65_520, 65_560)
    for rollover in ROLLOVERS:
        for one, other in itertools.product(near, near):
            ahead = distance(to_wire(other, rollover), one, rollover)
            assert ahead == (other - one) % CYCLE[rollover]
