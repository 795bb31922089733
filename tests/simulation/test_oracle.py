"""The core against a naive oracle: RFC 1350 in lock-step, written as two generators.

Both pairs, the core's and the oracle's, run over the same seeded schedule of losses, copies
and delays, and must put the very same datagrams on the wire, octet for octet. Time is left
out: a sender's timer fires when nothing else can happen.
"""

import random
from collections.abc import Generator
from typing import Protocol

import pytest

from tests.protocol.ladder import PEER, terms
from tests.simulation.play import content_of
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request, encode
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst, Datagram

Said = list[bytes]
WRITE = encode(Request(WRQ, "f"))
TIMER = b""
"""What a side hears when its timer fires."""


# The oracle


def oracle_sender(content: bytes, request: bytes | None) -> Generator[Said, bytes, None]:
    """RFC 1350 section 2, with the repair of RFC 1123 4.2.3.1: an old ACK sends nothing."""
    blocks = [content[at : at + 512] for at in range(0, len(content) + 1, 512)]
    packets = [b"\0\3" + n.to_bytes(2, "big") + block for n, block in enumerate(blocks, 1)]
    for number, packet in enumerate([request, *packets]):
        if packet is None:
            continue
        heard = yield [packet]
        while heard != b"\0\4" + number.to_bytes(2, "big"):
            heard = yield [packet] if heard == TIMER else []
    yield []


def oracle_receiver(stored: bytearray, asked: bool) -> Generator[Said, bytes, None]:
    """RFC 1350 sections 2 and 6: acknowledge what is in order, and again what was lost."""
    last, over = 0, False
    ack = b"\0\4" + last.to_bytes(2, "big")
    heard = yield [ack] if asked else []
    while True:
        number, payload = int.from_bytes(heard[2:4], "big"), heard[4:]
        said = [ack]
        if heard == WRITE:
            said = [ack] if last == 0 else []
        elif not over and number == last + 1:
            stored += payload
            last, over = number, len(payload) < 512
            said = [ack := b"\0\4" + last.to_bytes(2, "big")]
        elif last == 0 or (over and number != last):
            said = []
        heard = yield said


# Two sides, whoever they are


class Side(Protocol):
    def start(self) -> Said: ...
    def hear(self, datagram: bytes) -> Said: ...


class Oracle:
    """A side of the oracle."""

    def __init__(self, generator: Generator[Said, bytes, None]) -> None:
        self._generator = generator

    def start(self) -> Said:
        return next(self._generator)

    def hear(self, datagram: bytes) -> Said:
        try:
            return self._generator.send(datagram)
        except StopIteration:
            return []


class Core:
    """A side of the core; time goes on by a second whenever its timer is told to fire."""

    def __init__(self, transfer: Sender | Receiver, content: bytes, stored: bytearray) -> None:
        self.transfer, self._content, self._stored = transfer, content, stored

    def start(self) -> Said:
        said: Said = []
        transfer = self.transfer
        while (word := transfer.poll()) is not None:
            if isinstance(word, Datagram):
                said.append(word.data)
                continue
            assert isinstance(word, Burst)
            assert isinstance(transfer, Sender)
            payload = self._content[word.offset : word.offset + 512]
            said.append(b"\0\3" + word.first.to_bytes(2, "big") + payload)
            transfer.sent(word, len(payload), self._now)
        return said

    _now = 0.0

    def hear(self, datagram: bytes) -> Said:
        transfer = self.transfer
        if datagram == TIMER:
            if transfer.deadline is not None:
                self._now = max(self._now, transfer.deadline)
                transfer.expire(self._now)
        elif datagram == WRITE:
            self._now += 1.0  # its sender waited that long
            transfer.ask_again(self._now)
        elif isinstance(transfer, Receiver):
            payload = transfer.receive(datagram, PEER, self._now)
            self._stored += payload or b""
        else:
            transfer.receive(datagram, PEER, self._now)
        return self.start()


def converse(sender: Side, receiver: Side, seed: int, asks: bool) -> list[tuple[str, bytes]]:
    """Runs both sides over a link of faults and returns everything they put on the wire."""
    chance = random.Random(seed).random
    wire: list[tuple[str, bytes]] = []
    line: list[tuple[Side, bytes]] = []
    held: list[tuple[Side, bytes]] = []

    def carry(to: Side, name: str, said: Said) -> None:
        for datagram in said:
            wire.append((name, datagram))
            fate = chance()
            if fate < 0.2:
                continue
            (held if fate < 0.3 else line).append((to, datagram))
            if 0.3 <= fate < 0.45 and datagram != WRITE:
                line.append((to, datagram))

    carry(receiver, "sender", sender.start())
    if not asks:
        receiver.start()  # a request, and the answer to it is what the sender began with
    met = not asks
    for _ in range(20_000):
        if line or held:
            to, datagram = (line or held).pop(0)
            if to is receiver and not met:
                met = True  # the request makes the other side
                carry(sender, "receiver", receiver.start())
            elif to is receiver:
                carry(sender, "receiver", receiver.hear(datagram))
            else:
                carry(receiver, "sender", sender.hear(datagram))
            if line and held:
                line.append(held.pop(0))
            continue
        said = sender.hear(TIMER)
        if not said:
            return wire
        carry(receiver, "sender", said)
    raise AssertionError(f"seed {seed}: no end")


PATIENT = Timing(retries=1000)
PLAIN: Terms = terms()


@pytest.mark.parametrize("asks", [False, True], ids=["a server that is read", "a client's put"])
@pytest.mark.parametrize("first", range(0, 400, 100))
def test_the_core_says_what_the_oracle_says(asks: bool, first: int) -> None:
    """RFC 1350 sections 2 and 6, RFC1123-4.2.3.1-01: the same datagrams in the same order."""
    for seed in range(first, first + 100):
        content = content_of(seed * 37 % 5000 if seed % 5 else 512 * (seed % 7), seed)
        stored, expected = bytearray(), bytearray()
        if asks:
            sender = Sender.requesting(Request(WRQ, "f"), PEER, PATIENT, 0.0)
            receiver = Receiver.answering(PEER, PLAIN, PATIENT, 0.0)
        else:
            sender = Sender.answering(PEER, PLAIN, PATIENT, 0.0)
            receiver = Receiver.requesting(Request(RRQ, "f"), PEER, PATIENT, 0.0)
        core = converse(Core(sender, content, bytearray()), Core(receiver, b"", stored), seed, asks)
        oracle = converse(
            Oracle(oracle_sender(content, WRITE if asks else None)),
            Oracle(oracle_receiver(expected, asks)),
            seed,
            asks,
        )
        assert core == oracle, f"seed {seed}"
        assert stored == expected == content, f"seed {seed}"
        assert sender.outcome is not None, f"seed {seed}"
        assert receiver.outcome is not None, f"seed {seed}"


def test_the_schedules_are_rough() -> None:
    """The comparison means something: copies are needed, and copies arrive."""
    content = content_of(5000)
    lengths = {
        len(
            converse(
                Oracle(oracle_sender(content, None)),
                Oracle(oracle_receiver(bytearray(), False)),
                seed,
                False,
            )
        )
        for seed in range(20)
    }
    assert min(lengths) > 20
    assert len(lengths) > 10
