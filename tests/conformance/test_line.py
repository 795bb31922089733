"""The words in which cases are written: send, expect, silence, repeat.

The other end is a port that is told when to send what.
"""

from collections.abc import Callable

import pytest

from conformance.line import Line, Trial
from conformance.verdict import Stop, Verdict
from conformance.wire import ACK, DATA, ERROR, ack, data, error, rrq
from tests.conformance.world import LATENCY, World, WorldPort

HOST = "127.0.0.1"


class Scene:
    """A trial with one line, and the port that it talks to."""

    def __init__(self) -> None:
        self.world = World()
        self.trial = Trial(self.world, HOST)
        self.other = self.world.open(HOST)
        self.line = self.trial.line(self.other.address)

    def later(self, seconds: float, datagram: bytes, port: WorldPort | None = None) -> None:
        """Has something arrive after so many seconds."""
        source = port or self.other
        when = self.world.now() + seconds - LATENCY
        self.world.at(when, lambda: source.send(datagram, self.line.address))

    def fails(self, work: Callable[[], object]) -> str:
        """Returns with what words a case fails there."""
        with pytest.raises(Stop):
            work()
        assert self.trial.verdict is Verdict.FAIL
        return self.trial.remarks[-1].text


def test_what_is_sent_arrives_and_stands_on_the_ladder() -> None:
    scene = Scene()
    scene.line.send(ack(7))
    arrival = scene.other.receive(scene.world.now() + 1)
    assert arrival is not None
    assert (arrival.datagram, arrival.source) == (ack(7), scene.line.address)
    assert [step.datagram for step in scene.trial.ladder.steps] == [ack(7)]


def test_who_answers_first_becomes_the_peer() -> None:
    scene = Scene()
    line = scene.trial.line()
    line.send(rrq("f"), scene.other.address)
    second = scene.world.open(HOST)
    second.send(data(1), line.address)
    scene.other.send(data(1), line.address)
    assert line.hear() is not None
    assert line.hear() is not None
    assert line.peer == second.address


def test_nobody_is_known_to_send_to() -> None:
    scene = Scene()
    with pytest.raises(AssertionError, match="nobody is known"):
        scene.trial.line().send(ack(1))


def test_hearing_ends_with_its_time() -> None:
    scene = Scene()
    began = scene.world.now()
    assert scene.line.hear(2.5) is None
    assert scene.world.now() == began + 2.5


@pytest.mark.parametrize("block", [3, 65539])
def test_the_expected_comes(block: int) -> None:
    scene = Scene()
    scene.later(1.0, data(3, b"x"))
    assert scene.line.expect(DATA, block).payload == b"x"


def test_a_repeat_is_passed_over() -> None:
    """What a timer may cause is never a failure."""
    scene = Scene()
    scene.later(0.1, data(1, b"x"))
    scene.later(0.2, data(1, b"x"))
    scene.later(0.3, data(2, b"y"))
    scene.line.expect(DATA, 1)
    scene.line.expect(DATA, 2)


def test_a_repeat_may_be_what_is_expected() -> None:
    scene = Scene()
    scene.later(0.1, data(1, b"x"))
    scene.later(0.2, data(1, b"x"))
    scene.line.expect(DATA, 1)
    scene.line.expect(DATA, 1, repeat=True)
    assert "nothing came" in scene.fails(lambda: scene.line.expect(DATA, 1))


def test_the_same_block_with_other_octets_is_no_repeat() -> None:
    scene = Scene()
    scene.later(0.1, data(1, b"x"))
    scene.later(0.2, data(1, b"y"))
    scene.line.expect(DATA, 1)
    assert scene.fails(lambda: scene.line.expect(DATA, 2)) == (
        "DATA 2 was due, and DATA 1, 1 octets came"
    )


@pytest.mark.parametrize(
    ("came", "words"),
    [
        (data(2, b"x"), "DATA 1 was due, and DATA 2, 1 octets came"),
        (ack(1), "DATA 1 was due, and ACK 1 came"),
        (error(1, "gone"), "DATA 1 was due, and ERROR 1 'gone' came"),
        (None, "DATA 1 was due, and nothing came"),
    ],
)
def test_anything_else_fails_the_case(came: bytes | None, words: str) -> None:
    scene = Scene()
    if came is not None:
        scene.later(0.1, came)
    assert scene.fails(lambda: scene.line.expect(DATA, 1)) == words


def test_silence_passes_over_repeats_only() -> None:
    scene = Scene()
    scene.later(0.1, data(1))
    scene.later(0.2, data(1))
    scene.line.expect(DATA, 1)
    scene.line.quiet(1.0)
    scene.later(0.1, data(1))
    scene.line.send(ack(0))
    assert "nothing was due" in scene.fails(lambda: scene.line.quiet(1.0, repeats=False))


def test_something_new_breaks_the_silence() -> None:
    scene = Scene()
    scene.later(0.5, ack(1))
    assert scene.fails(lambda: scene.line.quiet(1.0)) == "nothing was due, and ACK 1 came"


def test_anything_counts_from_what_was_sent() -> None:
    """However late somebody looks, what counts is when it came."""
    scene = Scene()
    scene.line.send(ack(1))
    scene.later(0.2, data(2))
    scene.later(0.6, data(3))
    scene.trial.pause(5.0)
    found = scene.line.anything(0.5)
    assert found is not None
    assert found.block == 2
    assert scene.line.anything(0.5) is None
    late = scene.line.hear(0.0)
    assert late is not None, "what came too late to count is left for the next"
    assert late.block == 3


def test_everything_within_a_time() -> None:
    scene = Scene()
    scene.line.send(ack(1))
    for number in (2, 2, 3):
        scene.later(0.1, data(number))
    scene.later(0.9, data(4))
    assert [packet.block for packet in scene.line.everything(0.5)] == [2, 2, 3]


def test_an_error_of_the_peer_ends_it() -> None:
    scene = Scene()
    scene.later(0.1, error(0, "enough"))
    scene.line.expect(ERROR)
    assert scene.line.ended
    scene.trial.close()
    assert scene.other.receive(scene.world.now() + 1) is None


def test_an_error_of_a_stranger_does_not() -> None:
    scene = Scene()
    scene.later(0.1, error(5, "who?"), scene.world.open(HOST))
    scene.line.expect(ERROR)
    assert not scene.line.ended


def test_closing_ends_every_transfer_that_was_heard_of() -> None:
    scene = Scene()
    second = scene.world.open(HOST)
    scene.later(0.1, data(1))
    scene.later(0.2, data(1), second)
    scene.trial.pause(1.0)
    for _ in range(2):
        scene.line.hear(0.0)
    scene.trial.close()
    for port in (scene.other, second):
        arrival = port.receive(scene.world.now() + 1)
        assert arrival is not None
        assert arrival.datagram[:4] == error(0)[:4]
    scene.other.send(ack(1), scene.line.address)
    bounced = scene.other.receive(scene.world.now() + 1)
    assert bounced is not None
    assert bounced.unreachable, "its port is closed"


def test_word_of_a_closed_port_is_no_datagram() -> None:
    scene = Scene()
    scene.other.close()
    scene.line.send(ack(1))
    assert scene.line.hear(1.0) is None
    assert scene.line.closed == (scene.other.address,)
    assert "closed" in scene.trial.ladder.lines()[-1]


def test_lines_have_ports_of_their_own() -> None:
    scene = Scene()
    lines: list[Line] = [scene.trial.line() for _ in range(3)]
    assert len({line.address for line in lines}) == 3
    elsewhere = scene.trial.line(host="127.0.0.2")
    assert elsewhere.address[0] == "127.0.0.2"
    with pytest.raises(OSError, match="taken"):
        scene.trial.line(port=lines[0].address[1])


def test_an_expected_ack() -> None:
    scene = Scene()
    scene.later(0.1, ack(1))
    packet = scene.line.expect(ACK, 1)
    assert (packet.kind, packet.block) == (ACK, 1)
    assert packet.source == scene.other.address
