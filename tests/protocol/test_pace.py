"""RFC1123-4.2.3.2-01: what a transfer has learned of a host serves the next one."""

import pytest

from tests.protocol.ladder import PEER
from tftp.protocol.options import Terms
from tftp.protocol.pace import Pace, Timing
from tftp.protocol.packets import encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst

TIMING = Timing()
TERMS = Terms(block_size=1428, options=(("blksize", "1428"),))


def learned(*round_trips: float) -> Pace:
    pace = Pace(TIMING)
    for rtt in round_trips:
        pace.measure(rtt)
    return pace


def test_nothing_known_means_the_first_interval() -> None:
    assert Pace(TIMING).opening == 1.0
    assert Pace(TIMING).heir().opening == 1.0


def test_a_quick_host_is_asked_again_after_the_floor_at_first() -> None:
    heir = learned(*[0.0002] * 100).heir()
    assert heir.opening == pytest.approx(0.1), "a client may open its file before it answers"
    assert heir.interval == pytest.approx(0.01), "and afterwards as in the transfer before"


def test_a_slow_host_is_waited_for() -> None:
    assert 0.3 < learned(0.3, 0.3, 0.3).heir().opening < 1.0
    assert learned(5.0, 5.0).heir().opening == 1.0, "never longer than for a host unknown"


def test_an_heir_learns_for_itself() -> None:
    first = learned(*[0.0002] * 100)
    heir = first.heir()
    heir.measure(0.5)
    assert first.interval == pytest.approx(0.01)
    assert heir.interval > 0.1


def test_the_quickest_answer_is_each_transfers_own() -> None:
    """A client that acknowledges ahead of DATA must not spoil what is too soon in the next."""
    pace = learned(0.1, 0.0, 0.1)
    heir = pace.heir()
    assert heir.quickest == 0.0
    heir.measure(0.05)
    assert heir.quickest == 0.05
    heir.measure(0.07)
    assert heir.quickest == 0.05


def test_a_needless_copy_makes_wary_and_each_further_one_more() -> None:
    pace = learned(*[0.0002] * 100)
    assert answers_until_calm(pace) == 0
    pace.startle(0.005)
    assert pace.interval == pytest.approx(0.1)
    once = answers_until_calm(pace)
    pace.startle(0.005)
    assert answers_until_calm(pace) > 3 * once > 300
    assert pace.heir().interval == pace.interval, "and the host is remembered for it"


def answers_until_calm(pace: Pace) -> int:
    count = 0
    while pace.interval > 0.0101:
        pace.measure(0.0002)
        count += 1
    return count


def test_the_first_flight_is_repeated_early_once_only() -> None:
    """Who the request names may never have sent it: such a victim must not get many."""
    pace = learned(*[0.0002] * 100).heir()
    sender = Sender.answering(PEER, TERMS, TIMING, 0.0, pace)
    times = []
    while sender.deadline is not None:
        times.append(round(sender.deadline, 3))
        sender.poll()
        sender.expire(sender.deadline)
    assert times == [0.1, 1.1, 3.1, 7.1, 15.1, 23.1, 31.1]
    assert sender.resent == 0


def test_a_lost_first_answer_does_not_slow_what_follows() -> None:
    pace = learned(*[0.0002] * 100).heir()
    sender = Sender.answering(PEER, TERMS, TIMING, 0.0, pace)
    sender.poll()
    sender.expire(0.1)
    sender.poll()
    sender.receive(encode_ack(0), PEER, 0.1002)
    burst = sender.poll()
    assert isinstance(burst, Burst)
    sender.sent(burst, 1428, 0.1002)
    assert sender.deadline == pytest.approx(0.2002)


def stalled_reader(timing: Timing, excused: bool) -> Sender:
    """Window 4; after the first two of the second window the disk is still for 35 seconds."""
    terms = Terms(window=4, options=(("windowsize", "4"),))
    sender = Sender.answering(PEER, terms, timing, 0.0)
    sender.poll()
    sender.receive(encode_ack(0), PEER, 0.001)
    for first, count, now in ((1, 4, 0.001), (5, 2, 0.003)):
        sender.poll(count)
        sender.sent(Burst(first, count, (first - 1) * 512), count * 512, now)
        if first == 1:
            sender.receive(encode_ack(4), PEER, 0.003)
    if excused:
        sender.excuse(35.0, 35.0)
    sender.poll(2)
    sender.sent(Burst(7, 2, 6 * 512), 1024, 35.0)
    return sender


@pytest.mark.parametrize("excused", [True, False])
def test_a_slow_disk_is_no_round_trip(excused: bool) -> None:
    sender = stalled_reader(TIMING, excused)
    sender.receive(encode_ack(8), PEER, 35.001)
    assert (sender.pace.interval < 0.2) is excused


@pytest.mark.parametrize("excused", [True, False])
def test_a_slow_disk_is_no_silence_of_the_peer(excused: bool) -> None:
    timing = TIMING._replace(retries=4)
    assert timing.patience < 35.0
    sender = stalled_reader(timing, excused)
    sender.expire(45.0)
    assert (sender.outcome is None) is excused


@pytest.mark.parametrize("late", [0.0005, 0.05])
def test_a_doubling_is_taken_back_by_an_ack_that_answers_the_last_copy(late: float) -> None:
    """Each first copy is lost, for ever; or the peer has got slower, and must be measured."""
    pace = learned(*[0.0005] * 100).heir()
    sender = Sender.answering(PEER, Terms(), TIMING, 0.0, pace)
    now, intervals = 0.0, []
    for block in range(1, 9):
        sender.poll()
        sender.sent(Burst(block, 1, (block - 1) * 512), 512, now)
        assert sender.deadline is not None
        intervals.append(round(sender.deadline - now, 3))
        now = sender.deadline
        sender.expire(now)
        sender.poll()
        sender.sent(Burst(block, 1, (block - 1) * 512), 512, now)
        now += late
        sender.receive(encode_ack(block), PEER, now)
    if late == 0.0005:
        assert intervals == [0.1] + [0.01] * 7
    else:
        assert intervals == [0.1, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


def test_a_peer_that_gets_much_slower_is_soon_believed() -> None:
    """It was quick, and now takes 150 ms for each ACK, and says nothing to copies."""
    pace = learned(*[0.0002] * 100).heir()
    sender = Sender.answering(PEER, Terms(), TIMING, 0.0, pace)
    now, copies = 0.0, []
    for block in range(1, 10):
        sent, answer = 0, now + (0.15 if block > 3 else 0.0002)
        while True:
            if (burst := sender.poll()) is not None:
                assert isinstance(burst, Burst)
                sender.sent(burst, 512, now)
                sent += 1
            assert sender.deadline is not None
            if sender.deadline >= answer:
                break
            now = sender.deadline
            sender.expire(now)
        now = answer
        sender.receive(encode_ack(block), PEER, now)
        copies.append(sent)
    assert copies == [1, 1, 1, 4, 2, 1, 1, 1, 1]


def test_a_gap_that_was_none_does_not_let_a_doubled_ack_double_every_window() -> None:
    """Two blocks changed places: ACK 1 for the gap, and at once ACK 4 of the same copies.

    That is no round trip of the blocks sent again. Else every answer would count as late
    enough, and the doubled ACK 8 would bring each window twice, to the end of the file.
    """
    terms = Terms(window=4, options=(("windowsize", "4"),))
    sender = Sender.answering(PEER, terms, TIMING, 0.0)
    sender.poll()
    acks = [(0.001, 0), (0.002, 1), (0.002002, 4), (0.003, 8), (0.00301, 8)]
    acks += [(0.004 + window / 1000, 12 + 4 * window) for window in range(10)]
    sent: list[int] = []
    for now, block in acks:
        sender.receive(encode_ack(block), PEER, now)
        while isinstance(burst := sender.poll(4), Burst):
            sender.sent(burst, burst.count * 512, now)
            sent.append(burst.first)
    assert sent == [1, 2, *range(5, 53, 4)]
    assert sender.pace.quickest == pytest.approx(0.001)
