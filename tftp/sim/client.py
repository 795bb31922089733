"""Hosts that fetch and bring files, as boot ROMs do: from the start again when it fails.

They run the core of the product: in lock-step or with windows, with options or without. A
board that is reset forgets everything and may come back with the same port, asking the same
thing. What arrives is judged by `invariants`. Must not know how the server works.
"""

from collections import Counter
from dataclasses import dataclass, field

from tftp.protocol import netascii
from tftp.protocol.blocks import to_wire
from tftp.protocol.options import Wish, propose
from tftp.protocol.pace import Timing
from tftp.protocol.packets import DATA, ERROR, HEADER, RRQ, WRQ, Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Burst, Datagram, Ending
from tftp.sim.clock import Alarm
from tftp.sim.disk import Disk
from tftp.sim.invariants import Broken, Delivery, Flow, check_alive, unmoved
from tftp.sim.network import Network

__all__ = ["Client", "Errand"]

REFUSED = bytes((0, ERROR))
ROOM = 64
"""Blocks that it sends at a time."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a client is to do; times in seconds."""

    name: str
    upload: bytes | None = None
    """What it brings; None: it fetches."""
    mode: str = "octet"
    wishes: tuple[Wish, ...] = (Wish(),)
    """The options of its attempts in turn; the last are asked for again and again."""
    attempts: int = 3
    begins: float = 0.0
    pause: float = 1.0
    """Between two attempts."""
    resets: tuple[float, ...] = ()
    """How long after its beginning the board is reset."""
    same_port: bool = False
    """Whether every attempt has the same port; then all must ask for the same."""
    timing: Timing = field(default_factory=Timing)


class Client:
    """A host with one errand."""

    def __init__(
        self,
        network: Network,
        host: str,
        server: Address,
        disk: Disk,
        errand: Errand,
        kinds: tuple[type[Sender], type[Receiver]] = (Sender, Receiver),
    ) -> None:
        """Begins when the errand says; `disk` is the server's, and tells what is right."""
        self.errand = errand
        self.address: Address = (host, 0)
        self.transfer: Sender | Receiver | None = None
        self.over = False
        self.endings: Counter[Ending] = Counter()
        self.octets = 0
        """The octets that it has got or brought."""
        self._network = network
        self._clock = network.clock
        self._server = server
        self._disk = disk
        self._kinds = kinds
        self._tried = 0
        self._life = 0
        """Counts the resets and the attempts, so that what was meant for an old one is dropped."""
        self._since = 0.0
        self._wire = _wire_form(errand.upload or b"", errand.mode)
        self._delivery = Delivery()
        self._flow = Flow(asks=True)
        self._alarm = Alarm(self._clock, self._ring)
        self._clock.after(errand.begins, self._attempt)
        for seconds in errand.resets:
            self._clock.after(errand.begins + seconds, self._reset)

    def _attempt(self) -> None:
        errand, clock = self.errand, self._clock
        wish = errand.wishes[min(self._tried, len(errand.wishes) - 1)]
        opcode = RRQ if errand.upload is None else WRQ
        request = Request(opcode, errand.name, errand.mode, propose(wish))
        self._tried += 1
        self._life += 1
        port = self.address[1] if errand.same_port else 0
        if not port:
            self._since = clock.now
        self.address = self._network.bind(self.address[0], port, self._take)
        kind = self._kinds[0 if opcode == WRQ else 1]
        self.transfer = kind.requesting(request, self._server, errand.timing, clock.now)
        self._delivery, self._flow = Delivery(), Flow(asks=True)
        self._speak(self.transfer)

    def _reset(self) -> None:
        """Has the board lose its memory; it boots again after a moment."""
        if self.over:
            return
        self._network.trace.note(self._clock.now, f"{self.address[0]} is reset")
        self._stop()
        self._tried = 0
        self._again()

    def _again(self) -> None:
        self._life += 1
        life = self._life

        def begin() -> None:
            if life == self._life:
                self._attempt()

        self._clock.after(self.errand.pause, begin)

    def _stop(self) -> None:
        self._alarm.set(None)
        if self.transfer is not None:
            self._network.release(self.address)
            self.transfer = None

    def _take(self, datagram: bytes, source: Address) -> None:
        transfer = self.transfer
        assert transfer is not None, "a port is open while a transfer lives"
        opening = transfer.state is State.OPENING
        before = transfer.peer
        if source != before and not (opening and source[0] == before[0]):
            with unmoved(transfer):
                self._receive(transfer, datagram, source)
        else:
            self._receive(transfer, datagram, source)
        said = self._speak(transfer)
        if said and datagram[:2] == REFUSED:
            raise Broken("an ERROR is answered")

    def _receive(self, transfer: Sender | Receiver, datagram: bytes, source: Address) -> None:
        now = self._clock.now
        if isinstance(transfer, Sender):
            transfer.receive(datagram, source, now)
            if source == transfer.peer:
                self._flow.heard(datagram)
            return
        payload = transfer.receive(datagram, source, now)
        if payload is not None:
            self._delivery.take(bytes(payload), self._texts())

    def _speak(self, transfer: Sender | Receiver) -> int:
        """Says all that there is to say; returns how many datagrams that was."""
        said = 0
        while (word := transfer.poll(ROOM)) is not None:
            if isinstance(word, Burst):
                assert isinstance(transfer, Sender), "a receiver has no blocks to send"
                said += self._send_blocks(transfer, word)
            else:
                said += self._send(word)
        check_alive(transfer, transfer.deadline, waits=False)
        if transfer.deadline is None:
            self._end(transfer)
        else:
            self._alarm.set(transfer.deadline)
        return said

    def _send(self, word: Datagram) -> int:
        self._flow.said(word.data)
        self._network.send(word.data, self.address, word.to)
        return 1

    def _send_blocks(self, sender: Sender, burst: Burst) -> int:
        size = sender.terms.block_size
        payload = self._wire[burst.offset : burst.offset + burst.count * size]
        count = min(burst.count, len(payload) // size + 1)
        for index in range(count):
            number = to_wire(burst.first + index, sender.terms.rollover)
            data = HEADER.pack(DATA, number) + payload[index * size : (index + 1) * size]
            self._send(Datagram(data, sender.peer))
        sender.sent(burst, len(payload), self._clock.now)
        return count

    def _ring(self) -> None:
        if self.transfer is not None:
            self.transfer.expire(self._clock.now)
            self._speak(self.transfer)

    def _end(self, transfer: Sender | Receiver) -> None:
        outcome = transfer.outcome
        assert outcome is not None, "checked above"
        self.endings[outcome.ending] += 1
        self._stop()
        if outcome.ending is Ending.COMPLETE:
            self._judge(transfer)
        if outcome.ok:
            self.octets += self._delivery.size + len(self._wire)
        if outcome.ok or self._tried >= self.errand.attempts:
            self.over = True
        else:
            self._again()

    def _judge(self, transfer: Sender | Receiver) -> None:
        if isinstance(transfer, Receiver):
            self._delivery.complete(self._texts())
        elif self._disk.stored.get(self.errand.name) != self.errand.upload:
            raise Broken(f"the last block of {self.errand.name!r} is acknowledged but not stored")

    def _texts(self) -> list[bytes]:
        texts = self._disk.texts(self.errand.name, self._since)
        return [_wire_form(text, self.errand.mode) for text in texts]


def _wire_form(text: bytes, mode: str) -> bytes:
    return netascii.encode(text) if mode == "netascii" else text
