"""Servers that negotiate wrongly, or keep to other terms than agreed (RFC 2347-2349, 7440).

Each class is one mistake that real servers make or made; the table at the end names the
case that has to find it.
"""

from conformance.verdict import Verdict
from conformance.wire import ACK, DATA, OACK, WRQ, Packet, ack, error, oack, parse, rrq, wrq
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.mutant import Mutant, Rewriting
from tests.conformance.server_actor import ServerKind
from tests.conformance.world import Address
from tftp.protocol.options import Terms
from tftp.protocol.packets import Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst, Datagram
from tftp.server.service import Service

__all__ = ["OPTION_MUTANTS"]

# The OACK


class Answering(Rewriting):
    """Changes the options of its OACK."""

    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind != OACK:
            return packet.raw
        return oack([pair for name, value in packet.pairs for pair in self.answers(name, value)])

    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        """Returns what it says of one option that it should grant."""
        return [(name, value)]


class OffersMore(Answering):
    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind != OACK or "tsize" in packet.options:
            return packet.raw
        return packet.raw + b"tsize\000512\0"


class SaysItTwice(Answering):
    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, value), (name, value)]


class EndsNoOption(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return packet.raw[:-1] if packet.kind == OACK else packet.raw


class BlksizeMore(Answering):
    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, str(int(value) + 1) if name == "blksize" else value)]


class WindowMore(Answering):
    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, str(int(value) + 1) if name == "windowsize" else value)]


class TimeoutOther(Answering):
    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, "5" if name == "timeout" else value)]


class SizeZero(Answering):
    """Gives back the 0 of a read."""

    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, "0" if name == "tsize" else value)]


class SizeInBlocks(Answering):
    def answers(self, name: str, value: str) -> list[tuple[str, str]]:
        return [(name, str(-(-int(value) // 512)) if name == "tsize" else value)]


class Both(Quirk):
    """Does not wait for the ACK of its OACK."""

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, to
        if parse(datagram).kind == OACK:
            self.endpoint.take(ack(0), to)


class TakesAckOne(Rewriting):
    """Takes ACK 1 for the answer to its OACK."""

    _waits = False

    def sends(self, packet: Packet) -> bytes | None:
        self._waits = packet.kind == OACK
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return ack(0) if self._waits and packet.kind == ACK else packet.raw


class OackOnce(Quirk):
    """Sends its OACK once."""

    _said = False

    def says(self, datagram: bytes, to: Address) -> Said:
        again = parse(datagram).kind == OACK and self._said
        self._said = True
        if not again:
            yield datagram, to


# What is asked


class Asked(Quirk):
    """Reads the options of a request in its own way."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        packet = parse(datagram)
        if packet.kind not in ("RRQ", "WRQ"):
            yield datagram, source
            return
        build = wrq if packet.kind == WRQ else rrq
        options = [(name, self.reads(name, value)) for name, value in packet.pairs]
        kept = [(name, value) for name, value in options if value is not None]
        yield build(packet.name, packet.mode, kept), source

    def reads(self, name: str, value: str) -> str | None:
        """Returns the value that it takes; None: it does not know the option."""
        return value


class SmallLetters(Asked):
    def reads(self, name: str, value: str) -> str | None:
        return value if name.islower() else None


class BlksizeUp(Asked):
    """Raises a block size that is too small."""

    def reads(self, name: str, value: str) -> str | None:
        return "8" if name == "blksize" and value.isdigit() and int(value) < 8 else value


class WrapsNumbers(Asked):
    """Keeps a number in 16 bits."""

    def reads(self, name: str, value: str) -> str | None:
        return str(int(value) & 0xFFFF) if name == "blksize" and value.isdecimal() else value


class RefusesUnknown(Quirk):
    """Says ERROR 8 to an option that it does not know."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        known = {"blksize", "timeout", "tsize", "windowsize", "utimeout", "rollover"}
        if parse(datagram).options.keys() - known:
            self.endpoint.send(error(8, "What is this?"), source)
        else:
            yield datagram, source


# The terms


class IgnoresTimeout(Service):
    """Grants a timeout, and keeps to its own timer."""

    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        return super()._grant(request, size, window)._replace(timeout=None)


class IgnoresBlksize(Service):
    """Grants a block size, and goes on with 512."""

    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        return super()._grant(request, size, window)._replace(block_size=512)


class IgnoresWindow(Service):
    """Grants a window, and goes on in lock-step."""

    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        return super()._grant(request, size, window)._replace(window=1)


class SilentTimeout(Service):
    """Grants timeouts out of their range."""

    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        terms = super()._grant(request, size, window)
        for name, value in request.options:
            if name == "timeout" and value in ("0", "256"):
                terms = terms._replace(options=(*terms.options, (name, value)))
        return terms


# Windows


class WindowAndOne(Sender):
    """Sends a block more than agreed."""

    __slots__ = ()

    def poll(self, room: int = 1) -> Datagram | Burst | None:
        terms = self.terms
        wide = terms.window > 1 and terms.options
        self.terms = terms._replace(window=terms.window + 1) if wide else terms
        try:
            return super().poll(room)
        finally:
            self.terms = terms

    def sent(self, burst: Burst, payload_bytes: int, now: float) -> None:
        terms = self.terms
        self.terms = terms._replace(window=terms.window + 1)
        try:
            super().sent(burst, payload_bytes, now)
        finally:
            self.terms = terms


class NeverGoesBack(Sender):
    """Waits for its timer when an ACK shows a gap."""

    __slots__ = ()

    def _rewind(self, now: float) -> None:
        """Leaves it to the timer."""


class GoesBackEachTime(Quirk):
    """Sends all again that it has sent since an ACK, for each copy of that ACK."""

    def __init__(self) -> None:
        self._window: list[bytes] = []
        self._heard = b""

    def says(self, datagram: bytes, to: Address) -> Said:
        if parse(datagram).kind == DATA:
            self._window.append(datagram)
        yield datagram, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        if parse(datagram).kind == ACK and datagram == self._heard:
            for block in tuple(self._window):
                self.endpoint.send(block, source)
        elif parse(datagram).kind == ACK:
            self._heard, self._window = datagram, []
        yield datagram, source


class GoesBackToTheStart(Quirk):
    """Sends all blocks again when it has to send some."""

    def __init__(self) -> None:
        self._said: list[bytes] = []

    def says(self, datagram: bytes, to: Address) -> Said:
        if datagram in self._said and parse(datagram).kind == DATA:
            for block in self._said[: self._said.index(datagram)]:
                yield block, to
        elif parse(datagram).kind == DATA:
            self._said.append(datagram)
        yield datagram, to


class AcknowledgesEach(Receiver):
    """Sends an ACK for each block of a window."""

    __slots__ = ()

    def _complete_window(self) -> None:
        self._acknowledge()


class SaysNothingOfGaps(Receiver):
    """Waits for its timer when a block is missing."""

    __slots__ = ()

    def _receive_out_of_order(self, ahead: int) -> None:
        """Leaves it to the timer."""


class SaysItForEachBlock(Receiver):
    """Reports a gap once for each block behind it."""

    __slots__ = ()

    def _receive_out_of_order(self, ahead: int) -> None:
        self._gap = 0
        super()._receive_out_of_order(ahead)


def _speaks(quirk: type[Quirk]) -> ServerKind:
    return ServerKind(quirk=quirk)


OPTION_MUTANTS = [
    Mutant("names an option not asked for", "RFC2347-N-05", _speaks(OffersMore)),
    Mutant("answers an option twice", "RFC2347-N-07", _speaks(SaysItTwice)),
    Mutant("does not end its OACK", "RFC2347-P-06", _speaks(EndsNoOption)),
    Mutant("does not wait for ACK 0", "RFC2347-N-09", _speaks(Both)),
    Mutant("takes ACK 1 for its OACK", "RFC2347-N-12", _speaks(TakesAckOne)),
    Mutant("sends its OACK once", "RFC2347-N-01", _speaks(OackOnce)),
    Mutant("knows options in small letters only", "RFC2347-P-04", _speaks(SmallLetters)),
    Mutant("refuses what it does not know", "RFC2347-N-03", _speaks(RefusesUnknown)),
    Mutant("grants a larger block", "RFC2348-01", _speaks(BlksizeMore)),
    Mutant("raises a block size below 8", "RFC2348-02", _speaks(BlksizeUp)),
    Mutant("keeps block sizes in 16 bits", "RFC2347-P-07", _speaks(WrapsNumbers)),
    Mutant("does not keep to the block size", "RFC2348-05", ServerKind(service=IgnoresBlksize)),
    Mutant("grants a larger window", "RFC7440-3-01", _speaks(WindowMore)),
    Mutant("does not keep to the window", "RFC7440-4-01", ServerKind(service=IgnoresWindow)),
    Mutant("changes the timeout", "RFC2349-T-03", _speaks(TimeoutOther)),
    Mutant("does not keep to the timeout", "RFC2349-T-01", ServerKind(service=IgnoresTimeout)),
    Mutant("grants a timeout of 0", "RFC2349-T-04", ServerKind(service=SilentTimeout)),
    Mutant("answers tsize with 0", "RFC2349-S-01", _speaks(SizeZero)),
    Mutant("changes the tsize of a write", "RFC2349-S-04", _speaks(SizeInBlocks)),
    Mutant("sends more than the window", "RFC7440-4-01", ServerKind(sender=WindowAndOne)),
    Mutant("does not go back to a gap", "RFC7440-4-05", ServerKind(sender=NeverGoesBack)),
    Mutant("goes back for each copy of an ACK", "RFC7440-4-06", _speaks(GoesBackEachTime)),
    Mutant("goes back to the start", "RFC7440-4-10", _speaks(GoesBackToTheStart)),
    Mutant(
        "acknowledges each block",
        "RFC7440-4-12",
        ServerKind(receiver=AcknowledgesEach),
        Verdict.LENIENT,
    ),
    Mutant(
        "says nothing of a gap",
        "RFC7440-4-13",
        ServerKind(receiver=SaysNothingOfGaps),
        Verdict.WARN,
    ),
    Mutant(
        "reports a gap for each block",
        "RFC7440-4-15",
        ServerKind(receiver=SaysItForEachBlock),
        Verdict.WARN,
    ),
]
