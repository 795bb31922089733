"""Servers that take files wrongly: ACKs, copies, gaps, strangers, what is stored (RFC 1350).

Each class is one mistake that real servers make or made; the table at the end names the
case that has to find it.
"""

from collections.abc import Sequence
from pathlib import Path

from conformance.verdict import Verdict
from conformance.wire import ACK, DATA, ERROR, OACK, Packet, ack, data, parse
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.mutant import Mutant, Rewriting, renumbered
from tests.conformance.reading_mutants import Minding
from tests.conformance.server_actor import Cupboard, ServerKind
from tests.conformance.world import Address
from tftp.net.files import BufferSink, Readable, Sink
from tftp.net.root import Root
from tftp.protocol.pace import Timing
from tftp.server.config import Upload
from tftp.server.service import Admitted, Service

__all__ = ["WRITING_MUTANTS"]


class SpeaksOfOneMore(Rewriting):
    """Acknowledges the block that it waits for."""

    def sends(self, packet: Packet) -> bytes | None:
        return ack(packet.block + 1) if packet.kind == ACK else packet.raw


class BeginsWithAckOne(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return ack(1) if packet.raw == ack(0) else packet.raw


class SaysNothingToCopies(Quirk):
    """Sends each ACK once, whatever comes again."""

    _last = b""

    def says(self, datagram: bytes, to: Address) -> Said:
        if datagram != self._last or parse(datagram).kind != ACK:
            yield datagram, to
        self._last = datagram


class AnswersCopiesTwice(Quirk):
    """Sends two ACKs for a copy."""

    _last = b""

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, to
        if datagram == self._last and parse(datagram).kind == ACK:
            yield datagram, to
        self._last = datagram


class TakesWhatComes(Quirk):
    """Stores each block behind the one before without a look at its number, but for copies."""

    knows_copies = True

    def __init__(self) -> None:
        self._numbers = [0]

    def hears(self, datagram: bytes, source: Address) -> Said:
        packet, numbers = parse(datagram), self._numbers
        if packet.kind == DATA:
            copy = self.knows_copies and packet.block == numbers[-1] and len(numbers) > 1
            if not copy:
                numbers.append(packet.block)
            datagram = renumbered(datagram, len(numbers) - 1)
        yield datagram, source

    def says(self, datagram: bytes, to: Address) -> Said:
        packet = parse(datagram)
        yield (ack(self._numbers[packet.block]) if packet.kind == ACK else datagram), to


class StoresCopies(TakesWhatComes):
    knows_copies = False


class AcknowledgesGaps(Quirk):
    """Says that it has whatever block comes, and keeps those that it waited for."""

    _next = 1

    def hears(self, datagram: bytes, source: Address) -> Said:
        packet = parse(datagram)
        if packet.kind == DATA and packet.block > self._next:
            self.endpoint.world.send(ack(packet.block), self.endpoint.address, source)
            return
        self._next = packet.block + 1 if packet.kind == DATA else self._next
        yield datagram, source


class CutsBlocks(Rewriting):
    """Takes the first 512 octets of a larger block."""

    def takes(self, packet: Packet) -> bytes | None:
        return packet.raw[:516] if packet.kind == DATA else packet.raw


class WantsOctets(Rewriting):
    """Does not take an empty block for the end of a file."""

    def takes(self, packet: Packet) -> bytes | None:
        empty = packet.kind == DATA and packet.block > 1 and not packet.payload
        return None if empty else packet.raw


class WantsAnOctet(Rewriting):
    """Does not take an empty file."""

    def takes(self, packet: Packet) -> bytes | None:
        return None if packet.raw == data(1) else packet.raw


class StoresAtOnce:
    """A sink that writes to the file itself, and leaves there what has come."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._over = False

    @property
    def written(self) -> int:
        return self._sink.written

    def write(self, views: Sequence[Readable]) -> None:
        self._sink.write(views)

    def commit(self) -> None:
        if not self._over:
            self._over = True
            self._sink.commit()

    def discard(self) -> None:
        self.commit()


class LosesText(Cupboard):
    """Stores netascii as it comes."""

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        return super().write(name, netascii=False, size=size)


class StripsReturns:
    """A sink that drops every CR of a block, and forgets about pairs."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def written(self) -> int:
        return self._sink.written

    def write(self, views: Sequence[Readable]) -> None:
        octets = b"".join(views)
        self._sink.write([octets.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r")])

    def commit(self) -> None:
        self._sink.commit()

    def discard(self) -> None:
        self._sink.discard()


class DecodesBlockByBlock(Cupboard):
    """Loses a pair that spans two blocks."""

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        sink = super().write(name, netascii=False, size=size)
        return StripsReturns(sink) if netascii else sink


class Outside(BufferSink):
    """A sink for a file that stands where its name leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def commit(self) -> None:
        self._path.write_bytes(self.getvalue())


class WritesOutside(Cupboard):
    """Follows a name out of its folder."""

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        if name.startswith("../"):
            return Outside(Path(self.root.path) / name)
        return super().write(name, netascii=netascii, size=size)


class SharesSinks(Cupboard):
    """Has all writers of one name write to one file, in turns."""

    def __init__(self, root: Root, upload: Upload) -> None:
        super().__init__(root, upload)
        self._sinks: dict[str, Sink] = {}

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        if name not in self._sinks:
            self._sinks[name] = StoresAtOnce(super().write(name, netascii=netascii, size=size))
        return self._sinks[name]


class BeginsAnew(Service):
    """Ends a transfer when a copy of its request comes, and begins another."""

    def _is_copy(self, known: Admitted, now: float) -> bool:
        known.transfer.abort(0, "Again?")
        return False


class StrangersWrite(Minding):
    """Stores whatever block comes, and tells its peer."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        block = parse(datagram).kind == DATA and self.strange(source)
        yield datagram, (self.peer or source) if block else source


class Mumbles(Rewriting):
    """Puts two octets too many behind each ACK."""

    def sends(self, packet: Packet) -> bytes | None:
        return packet.raw + b"\0\0" if packet.kind == ACK and packet.block else packet.raw


class TwoAnswers(Quirk):
    """Sends ACK 0 and the OACK."""

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, to
        if parse(datagram).kind == OACK:
            yield ack(0), to


class ForgetsTheOack(Quirk):
    """Repeats ACK 0 where its OACK was not answered."""

    _said = False

    def says(self, datagram: bytes, to: Address) -> Said:
        again = parse(datagram).kind == OACK and self._said
        self._said = True
        yield (ack(0) if again else datagram), to


class TakesAnyMode(Rewriting):
    """Takes a mode that it does not know for octet."""

    def takes(self, packet: Packet) -> bytes | None:
        known = packet.mode.lower() in ("", "octet", "netascii")
        return packet.raw if known else packet.raw.replace(packet.mode.encode(), b"octet")


class AddsToErrors(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return packet.raw + b"more" if packet.kind == ERROR else packet.raw


def _takes(quirk: type[Quirk]) -> ServerKind:
    return ServerKind(quirk=quirk)


def _stores(content: type[Cupboard]) -> ServerKind:
    return ServerKind(content=content)


WRITING_MUTANTS = [
    Mutant("acknowledges the next block", "RFC1350-5-20", _takes(SpeaksOfOneMore)),
    Mutant("begins with ACK 1", "RFC1350-4-01", _takes(BeginsWithAckOne)),
    Mutant("says nothing to a repeated block", "RFC1350-2-04", _takes(SaysNothingToCopies)),
    Mutant("sends two ACKs for a copy", "RFC1123-4.2.3.1-07", _takes(AnswersCopiesTwice)),
    Mutant("stores a repeated block twice", "RFC1350-2-05", _takes(StoresCopies)),
    Mutant("acknowledges a gap", "RFC1350-2-06", _takes(AcknowledgesGaps)),
    Mutant("stores block 0 as the first", "RFC1350-2-07", _takes(TakesWhatComes)),
    Mutant("cuts a block that is too large", "RFC1350-5-22", _takes(CutsBlocks)),
    Mutant("waits for more than an empty block", "RFC1350-6-04", _takes(WantsOctets)),
    Mutant("takes no empty file", "RFC1350-6-05", _takes(WantsAnOctet)),
    Mutant(
        "leaves at once after its last ACK",
        "RFC1350-6-07",
        ServerKind(timing=Timing(dally=0.0)),
        Verdict.WARN,
    ),
    Mutant("stores what a stranger sends", "RFC1350-4-09", _takes(StrangersWrite)),
    Mutant("stores netascii as it comes", "RFC1350-5-33", _stores(LosesText)),
    Mutant("decodes each block by itself", "RFC1350-5-34", _stores(DecodesBlockByBlock)),
    Mutant("mixes two writers of one name", "RFC1350-4-19", _stores(SharesSinks)),
    Mutant("writes out of its folder", "SEC-PATH-02", _stores(WritesOutside)),
    Mutant("begins anew by a repeated request", "RFC1350-4-18", ServerKind(service=BeginsAnew)),
    Mutant("serves any mode", "RFC1350-1-01", _takes(TakesAnyMode)),
    Mutant("stores mail", "RFC1350-1-02", _takes(TakesAnyMode)),
    Mutant("says ACK 0 after its OACK", "RFC2347-N-10", _takes(TwoAnswers)),
    Mutant("repeats ACK 0 for its OACK", "RFC2347-N-02", _takes(ForgetsTheOack)),
    Mutant("sends ACKs of six octets", "RFC1350-5-20", _takes(Mumbles)),
    Mutant("sends text behind an ERROR", "RFC1350-5-28", _takes(AddsToErrors)),
]
