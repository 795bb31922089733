"""Whole transfers, played plainly: what an ordinary client or server would do.

Cases script the moments that matter and leave the rest to these. Correct, lock-step or
windowed (RFC 1350, RFC 7440), with one plain timer; faults are the business of the line
that they are given. Nothing here fails a case: the result says how it went.
"""

from dataclasses import dataclass, field
from typing import Protocol

from .wire import ACK, DATA, ERROR, OACK, Packet, ack, data

__all__ = ["Played", "Wire", "receive_file", "send_file"]

TIMER = 1.0
TRIES = 6


class Wire(Protocol):
    """What a transfer is played on: a `Line`, or one with faults."""

    def send(self, datagram: bytes) -> None:
        """Sends to the peer."""

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram."""


@dataclass(slots=True)
class Played:
    """How a transfer went."""

    complete: bool = False
    content: bytes = b""
    error: Packet | None = None
    """The ERROR that ended it."""
    timeouts: int = 0
    packets: list[Packet] = field(default_factory=list)
    """All that was heard."""

    @property
    def trouble(self) -> str:
        """Returns why it is not complete, in words."""
        if self.error is not None:
            return f"ended by {self.error}"
        return "the other side fell silent"


def receive_file(
    wire: Wire,
    *,
    block_size: int = 512,
    window: int = 1,
    opening: bytes | None = None,
    first: Packet | None = None,
    timer: float = TIMER,
    tries: int = TRIES,
) -> Played:
    """Takes a file. `opening` goes out first (ACK 0, or the request); `first` came already."""
    receiver = _Receiver(wire, block_size, window, opening)
    played, silent, moved = receiver.played, 0, 0.0
    if opening is not None:
        wire.send(opening)
    packet = first
    while not played.complete and played.error is None:
        if packet is None:
            packet = wire.hear(timer)
        if packet is not None:
            played.packets.append(packet)
            moved = moved or packet.at
            if receiver.take(packet):
                silent, moved = 0, packet.at
            elif packet.at - moved >= timer:  # it talks, but of nothing new
                receiver.remind()
                moved = packet.at
            packet = None
            continue
        silent += 1
        played.timeouts += 1
        if silent > tries or receiver.last_ack is None:
            break
        receiver.remind()
    played.content = bytes(receiver.content)
    return played


class _Receiver:
    """The receiving end: what has come in order, and what was said of it last."""

    def __init__(self, wire: Wire, block_size: int, window: int, opening: bytes | None) -> None:
        self.played = Played()
        self.last_ack = opening
        self.content = bytearray()
        self._wire, self._block_size, self._window = wire, block_size, window
        self._octets = bytearray()
        self._expected = 1
        self._since = 0
        self._told = False

    def take(self, packet: Packet) -> bool:
        """Takes a packet; returns whether it brought the transfer forward."""
        if packet.kind == ERROR:
            self.played.error = packet
        if packet.kind == OACK and self._expected == 1 and self.last_ack == ack(0):
            self._wire.send(self.last_ack)  # it came again: what answered it was lost
        if packet.kind != DATA:
            return False
        ahead = (packet.block - self._expected) & 0xFFFF
        if ahead:
            # A gap is told of once. A copy says that an ACK was lost, if it ends what was told.
            gap = ahead < self._window and not self._told
            copy = ahead == 0xFFFF and not self._since
            if self._window == 1 or gap or copy:
                self._acknowledge()
                self._told = gap
            return False
        self._told = False
        self.content += packet.payload
        self._expected += 1
        self._since += 1
        short = len(packet.payload) < self._block_size
        if short or self._since == self._window:
            self._acknowledge()
        if short:
            self.played.complete = True
        return True

    def end(self) -> Played:
        """Returns how it went, with all that has come in order."""
        self.played.content = bytes(self._octets)
        return self.played

    def remind(self) -> None:
        """Says how far it is, or what it said last."""
        if self._since:
            self._acknowledge()
        elif self.last_ack is not None:
            self._wire.send(self.last_ack)

    def _acknowledge(self) -> None:
        self.last_ack, self._since = ack(self._expected - 1), 0
        self._wire.send(self.last_ack)


def send_file(
    wire: Wire,
    content: bytes,
    *,
    block_size: int = 512,
    window: int = 1,
    opening: bytes | None = None,
    timer: float = TIMER,
    tries: int = TRIES,
) -> Played:
    """Sends a file. With `opening` (an OACK, a request) its ACK 0 is awaited first."""
    played = Played(content=content)
    last = len(content) // block_size + 1
    base, top, silent = -1 if opening is not None else 0, 0, 0
    waiting = False
    while base < last:
        if not waiting:
            if base < 0 and opening is not None:
                wire.send(opening)
            for block in range(base + 1, min(base + window, last) + 1) if base >= 0 else ():
                wire.send(data(block, content[(block - 1) * block_size : block * block_size]))
                top = max(top, block)
            waiting = True
        packet = wire.hear(timer)
        if packet is None:
            silent += 1
            played.timeouts += 1
            if silent > tries:
                return played
            waiting = False
            continue
        played.packets.append(packet)
        if packet.kind == ERROR:
            played.error = packet
            return played
        if base < 0 and (packet.kind == OACK or (packet.kind == ACK and packet.block == 0)):
            base, silent, waiting = 0, 0, False
            continue
        if packet.kind != ACK or base < 0:
            continue
        ahead = (packet.block - base) & 0xFFFF
        if 0 < ahead <= top - base:
            base, silent, waiting = base + ahead, 0, False
    played.complete = True
    return played
