"""Whole transfers as the suite plays them, against a peer that is a list of answers."""

from collections.abc import Callable, Sequence

import pytest

from conformance.fixtures import content
from conformance.play import Played, receive_file, send_file
from conformance.wire import Packet, ack, data, error, oack, parse, rrq

Answer = bytes | None


class Scripted:
    """A wire whose other end says what is written; None is a silence as long as the timer."""

    def __init__(self, *answers: Answer) -> None:
        self.sent: list[bytes] = []
        self.answers = iter(answers)

    def send(self, datagram: bytes) -> None:
        self.sent.append(datagram)

    def hear(self, within: float | None = None) -> Packet | None:
        answer = next(self.answers, None)
        return None if answer is None else parse(answer)


class Mirror:
    """A wire whose other end answers each datagram by a rule, at once."""

    def __init__(self, rule: Callable[[Packet], Sequence[bytes]]) -> None:
        self.sent: list[bytes] = []
        self._rule = rule
        self._answers: list[bytes] = []

    def send(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        self._answers += self._rule(parse(datagram))

    def hear(self, within: float | None = None) -> Packet | None:
        return parse(self._answers.pop(0)) if self._answers else None


def acks(*numbers: int) -> list[bytes]:
    return [ack(number) for number in numbers]


# Taking a file


def test_a_file_is_taken_in_lock_step() -> None:
    octets = content(1000)
    wire = Scripted(data(1, octets[:512]), data(2, octets[512:]))
    played = receive_file(wire, opening=rrq("f"))
    assert played.complete
    assert played.content == octets
    assert wire.sent == [rrq("f"), *acks(1, 2)]


def test_the_first_block_may_be_here_already() -> None:
    played = receive_file(Scripted(), first=parse(data(1, b"x")))
    assert (played.complete, played.content) == (True, b"x")


def test_a_copy_is_acknowledged_again_and_taken_once() -> None:
    wire = Scripted(data(1, bytes(512)), data(1, bytes(512)), data(2, b"end"))
    played = receive_file(wire)
    assert played.content == bytes(512) + b"end"
    assert wire.sent == acks(1, 1, 2)


def test_a_window_gets_one_ack() -> None:
    octets = content(5 * 8 + 3)
    blocks = [data(n + 1, octets[8 * n : 8 * n + 8]) for n in range(6)]
    wire = Scripted(*blocks)
    played = receive_file(wire, block_size=8, window=2, opening=ack(0))
    assert played.content == octets
    assert wire.sent == acks(0, 2, 4, 6)


def test_a_gap_in_a_window_is_told() -> None:
    wire = Scripted(data(1, bytes(8)), data(3, bytes(8)), data(2, bytes(8)), data(3, b""))
    played = receive_file(wire, block_size=8, window=3)
    assert played.complete
    assert wire.sent == acks(1, 3)


def test_an_error_ends_it() -> None:
    played = receive_file(Scripted(error(1, "gone")), opening=rrq("f"))
    assert not played.complete
    assert played.error is not None
    assert played.trouble == "ended by ERROR 1 'gone'"


def test_silence_is_answered_by_the_last_word_and_ends_it_at_last() -> None:
    wire = Scripted(data(1, bytes(512)), None, None)
    played = receive_file(wire, opening=rrq("f"), tries=2)
    assert not played.complete
    assert played.timeouts == 3
    assert wire.sent == [rrq("f"), *acks(1, 1, 1)]
    assert played.trouble == "the other side fell silent"


def test_block_numbers_wrap_in_what_is_taken() -> None:
    blocks = [data(number, b"8 octets") for number in range(1, 65538)]
    wire = Scripted(*blocks, data(65538))
    played = receive_file(wire, block_size=8)
    assert played.complete
    assert len(played.content) == 8 * 65537
    assert wire.sent[-3:] == acks(0, 1, 2)


# Sending one


@pytest.mark.parametrize(
    ("size", "blocks"), [(0, [0]), (511, [511]), (512, [512, 0]), (513, [512, 1])]
)
def test_the_last_block_is_short(size: int, blocks: list[int]) -> None:
    octets = content(size)
    wire = Mirror(lambda packet: [ack(packet.block)])
    assert send_file(wire, octets).complete
    sent = [parse(datagram) for datagram in wire.sent]
    assert [len(packet.payload) for packet in sent] == blocks
    assert b"".join(packet.payload for packet in sent) == octets


def test_an_opening_is_answered_first() -> None:
    wire = Scripted(ack(0), ack(1))
    assert send_file(wire, b"x", opening=oack({"tsize": 1})).complete
    assert wire.sent == [oack({"tsize": 1}), data(1, b"x")]


def test_an_opening_is_repeated() -> None:
    wire = Scripted(None, ack(0), ack(1))
    played = send_file(wire, b"x", opening=oack({"tsize": 1}))
    assert played.complete
    assert wire.sent[:2] == [oack({"tsize": 1})] * 2
    assert played.timeouts == 1


def test_a_window_is_sent_and_gone_back_to() -> None:
    octets = content(30)
    blocks = [data(n + 1, octets[8 * n : 8 * n + 8]) for n in range(4)]
    wire = Scripted(ack(1), ack(4))
    assert send_file(wire, octets, block_size=8, window=3).complete
    assert wire.sent == [*blocks[:3], *blocks[1:4]]


def test_a_repeated_ack_sends_nothing() -> None:
    wire = Scripted(ack(1), ack(1), ack(1), ack(2))
    assert send_file(wire, bytes(600)).complete
    assert len(wire.sent) == 2


def test_an_ack_of_what_was_never_sent_is_no_progress() -> None:
    wire = Scripted(ack(2), ack(1))
    assert send_file(wire, b"x").complete
    assert len(wire.sent) == 1


@pytest.mark.parametrize("answers", [[error(3, "full")], []])
def test_sending_may_fail(answers: list[bytes]) -> None:
    played: Played = send_file(Scripted(*answers), b"x", tries=2)
    assert not played.complete
    assert (played.error is not None) == bool(answers)


def test_block_numbers_wrap_in_what_is_sent() -> None:
    wire = Mirror(lambda packet: [ack(packet.block)])
    assert send_file(wire, bytes(8 * 65537), block_size=8).complete
    assert [parse(datagram).block for datagram in wire.sent[-3:]] == [0, 1, 2]
