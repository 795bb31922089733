"""RFC1123-4.2.3.2-01: a peer that is never slow is asked again sooner than the floor."""

import pytest

from tests.protocol.ladder import PEER
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst

TIMING = Timing(first=1.0, floor=0.1, least=0.02)


class Play:
    """A lock-step sender and a peer that answers after given times."""

    def __init__(self, timing: Timing = TIMING) -> None:
        self.sender = Sender.answering(PEER, Terms(), timing, 0.0)
        self.now = 0.0
        self.block = self._send()

    def answer(self, after: float) -> None:
        self.now += after
        self.sender.receive(encode_ack(self.block & 0xFFFF), PEER, self.now)
        self.block = self._send()

    @property
    def interval(self) -> float:
        assert self.sender.deadline is not None
        return self.sender.deadline - self.now

    def _send(self) -> int:
        burst = self.sender.poll()
        assert isinstance(burst, Burst)
        self.sender.sent(burst, 512, self.now)
        return burst.first


def test_the_first_answers_bring_it_to_the_floor_only() -> None:
    play = Play()
    for _ in range(5):
        play.answer(0.0005)
    assert 0.08 < play.interval <= 0.1


def test_a_hundred_quick_answers_bring_it_to_the_least() -> None:
    play = Play()
    for _ in range(120):
        play.answer(0.0005)
    assert play.interval == pytest.approx(0.02)


def test_one_slow_answer_brings_the_floor_back_for_a_while() -> None:
    play = Play()
    for _ in range(120):
        play.answer(0.0005)
    play.answer(0.015)
    for _ in range(8):
        play.answer(0.0005)
    assert 0.08 < play.interval <= 0.1
    for _ in range(120):
        play.answer(0.0005)
    assert play.interval == pytest.approx(0.02)


def test_a_peer_that_takes_its_time_now_and_then_is_given_much_more() -> None:
    """A board that writes to flash after every sixteenth block."""
    play = Play()
    for number in range(200):
        play.answer(0.018 if number % 16 == 0 else 0.0005)
        if number > 16:
            assert play.interval >= 3 * 0.018


def test_a_needless_copy_is_the_last_one() -> None:
    """A board that pauses seldom: its two ACKs of one block tell that the copy was needless."""
    play = Play()
    for _ in range(120):
        play.answer(0.0005)
    copies = 0
    for number in range(400):
        if number % 40 == 0:  # it takes 30 ms, and acknowledges every copy that it gets
            play.now += 0.03
            before = play.sender.resent
            for now in (play.now - 0.01, play.now - 0.005, play.now):
                play.sender.expire(now)
                if (again := play.sender.poll()) is not None:
                    assert isinstance(again, Burst)
                    play.sender.sent(again, 512, now)
            twice = play.sender.resent - before
            copies += twice
            block = play.block
            play.answer(0.0)
            for _ in range(twice):
                play.sender.receive(encode_ack(block & 0xFFFF), PEER, play.now)
                assert play.sender.poll() is None, "nor does the Apprentice wake"
        play.answer(0.0005)
    assert copies == 1


def test_a_floor_below_the_least_is_kept() -> None:
    play = Play(Timing(floor=0.005, least=0.02))
    for _ in range(120):
        play.answer(0.0001)
    assert play.interval == pytest.approx(0.005)


def test_a_negotiated_interval_stays_as_it_is() -> None:
    """RFC2349-T-01."""
    terms = Terms(timeout=2.0, options=(("timeout", "2"),))
    sender = Sender.answering(PEER, terms, TIMING, 0.0)
    sender.poll()
    sender.receive(encode_ack(0), PEER, 0.0)
    for block in range(1, 150):
        burst = sender.poll()
        assert isinstance(burst, Burst)
        sender.sent(burst, 512, 0.0)
        sender.receive(encode_ack(block), PEER, 0.0)
    assert sender.deadline == 2.0
