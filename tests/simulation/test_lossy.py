"""Seeded transfers over a rough link, all byte-exact; and over a clean one, nothing twice.

A failure names its seed and shows the end of the conversation; the same seed fails again.
"""

from collections import Counter

import pytest

from tests.simulation.play import ROUGH, content_of, read, write
from tftp.protocol.pace import Timing
from tftp.sim.link import Faults
from tftp.sim.world import Conversation

PAIRINGS = {"client reads": read, "client writes": write}
BLOCK_SIZE = 8
SEEDS = 1000
AT_ONCE = 100


def judge(play: Conversation, seed: object) -> None:
    """Runs a transfer; it must end well on both sides, with every octet in place."""
    try:
        play.run()
        assert play.sender.outcome is not None
        assert play.receiver.outcome is not None
        assert play.sender.outcome.ok, play.sender.outcome
        assert play.receiver.outcome.ok, play.receiver.outcome
        assert play.delivered == play.content, f"{len(play.delivered)} octets arrived"
    except AssertionError as error:
        error.add_note(f"seed {seed}; the end of the ladder:\n" + "\n".join(play.ladder[-40:]))
        raise


def sizes(seed: int) -> int:
    """Returns a size of up to 300 blocks; every ninth is an exact multiple."""
    return BLOCK_SIZE * (seed * 7 % 300) + seed % 9 % BLOCK_SIZE


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
@pytest.mark.parametrize("window", [1, 2, 8, 64])
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_rough_link_loses_no_octet(pairing: str, window: int, first: int) -> None:
    """RFC7440-4-19, RFC1123-4.2.3.1-01, ROB-TIMER-03: loss, copies and overtaking together."""
    for seed in range(first, first + AT_ONCE):
        content = content_of(sizes(seed), seed)
        play = PAIRINGS[pairing](content, window, BLOCK_SIZE, faults=ROUGH, seed=seed)
        judge(play, f"{seed} ({pairing}, window {window})")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_driver_with_little_room_loses_no_octet(pairing: str, seed: int) -> None:
    """RFC7440-4-01: bursts of a few blocks at a time, over the same rough link."""
    for room in (1, 3, 7):
        content = content_of(sizes(seed + 60), seed)
        play = PAIRINGS[pairing](content, 8, BLOCK_SIZE, faults=ROUGH, seed=seed, room=room)
        judge(play, f"{seed} ({pairing}, room {room})")


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("window", [1, 4, 64])
def test_a_bad_link_loses_no_octet(pairing: str, window: int) -> None:
    """ROB-TIMER-03: a fifth of everything is lost, and patience is long."""
    bad = Faults(loss=0.2, duplication=0.1, reordering=0.1, delay=0.02, jitter=0.02)
    patient = Timing(retries=40, dally=600.0)
    for seed in range(10):
        content = content_of(sizes(seed + 9), seed)
        play = PAIRINGS[pairing](content, window, 8, faults=bad, seed=seed, timing=patient)
        judge(play, f"{seed} ({pairing}, window {window})")


# Nothing twice


def nothing_twice(play: Conversation) -> None:
    """Runs a transfer in which each DATA and each ACK goes out once, and no timer fires."""
    judge(play, "none: the link is clean")
    assert set(play.data_sent.values()) == {1}
    blocks = len(play.content) // play.sender.terms.block_size + 1
    assert set(play.data_sent) == set(range(1, blocks + 1))
    acks = Counter(line.split(" < ")[1] for line in play.ladder if " < ACK" in line)
    assert set(acks.values()) == {1}
    assert len(acks) == -(-blocks // play.sender.terms.window) + _handshake(play)
    for transfer in (play.sender, play.receiver):
        assert (transfer.resent, transfer.timeouts) == (0, 0)


def _handshake(play: Conversation) -> int:
    """Returns 1 where an ACK 0 opens the transfer."""
    return sum(" < ACK 0" in line for line in play.ladder)


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("window", [1, 2, 3, 8, 64, 100])
@pytest.mark.parametrize("block_size", [8, 512])
def test_a_clean_link_carries_nothing_twice(pairing: str, window: int, block_size: int) -> None:
    """RFC1123-4.2.3.1-01, RFC7440-4-12: no block, no ACK, for any size of file."""
    edges = (0, 1, window - 1, window, window + 1, 2 * window, 3 * window + 1)
    for blocks in edges:
        for more in (0, 1, block_size - 1):
            content = content_of(blocks * block_size + more)
            nothing_twice(PAIRINGS[pairing](content, window, block_size))


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("window", [1, 4, 64])
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(delay=0.0), id="no delay"),
        pytest.param(Faults(delay=0.001, jitter=0.03), id="jitter"),
        pytest.param(Faults(delay=0.3), id="a satellite"),
        pytest.param(Faults(delay=0.2, jitter=0.1), id="a swaying satellite"),
    ],
)
def test_a_link_that_loses_nothing_carries_nothing_twice(
    pairing: str, window: int, faults: Faults
) -> None:
    """RFC1123-4.2.3.2-02: whatever its delay; the interval follows the round trip."""
    for seed in range(5):
        content = content_of(150 * BLOCK_SIZE + seed)
        nothing_twice(PAIRINGS[pairing](content, window, BLOCK_SIZE, faults=faults, seed=seed))


def test_one_seed_is_one_conversation() -> None:
    """A failure can be played again, line by line."""
    content = content_of(1500)
    first, again, other = (read(content, 8, 8, faults=ROUGH, seed=seed) for seed in (5, 5, 6))
    for play in (first, again, other):
        play.run()
    assert first.ladder == again.ladder != other.ladder
