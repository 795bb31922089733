"""Servers that send files wrongly: blocks, repeats, strangers, endings (RFC 1350, RFC 1123).

Each class is one mistake that real servers make or made; the table at the end names the
case that has to find it.
"""

from conformance.verdict import Verdict
from conformance.wire import ACK, DATA, ERROR, Packet, ack, parse
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.mutant import Mutant, Rewriting, block_of, renumbered
from tests.conformance.server_actor import Cupboard, ServerKind
from tests.conformance.world import Address
from tftp.net.files import BytesSource, Source
from tftp.protocol.pace import Timing

__all__ = ["READING_MUTANTS"]


class StartsAtTwo(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return renumbered(packet.raw, packet.block + 1) if packet.kind == DATA else packet.raw


class StartsAtZero(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return renumbered(packet.raw, packet.block - 1) if packet.kind == DATA else packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return ack(packet.block + 1) if packet.kind == ACK else packet.raw


class Apprentice(Quirk):
    """The Sorcerer's: an ACK that comes again has the block behind it sent again."""

    _last = b""
    _heard = -1

    def says(self, datagram: bytes, to: Address) -> Said:
        self._last = datagram if parse(datagram).kind == DATA else self._last
        yield datagram, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        packet = parse(datagram)
        if packet.kind == ACK and packet.block == self._heard and self._last:
            self.endpoint.send(self._last, source)
        self._heard = packet.block
        yield datagram, source


class AnswersEveryOldAck(Quirk):
    """Sends the block that any ACK asks for, however old it is."""

    def __init__(self) -> None:
        self._sent: dict[int, bytes] = {}

    def says(self, datagram: bytes, to: Address) -> Said:
        if parse(datagram).kind == DATA:
            self._sent[block_of(datagram)] = datagram
        yield datagram, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        packet = parse(datagram)
        old = packet.kind == ACK and packet.block + 2 in self._sent
        if old:
            self.endpoint.world.send(self._sent[packet.block + 1], self.endpoint.address, source)
        yield datagram, source


class TakesAnyAck(Rewriting):
    """Counts its ACKs and does not read them."""

    _at = 0

    def sends(self, packet: Packet) -> bytes | None:
        self._at = packet.block if packet.kind == DATA else self._at
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return ack(self._at) if packet.kind == ACK else packet.raw


class SkipsToAnAckAhead(Rewriting):
    """Takes an ACK ahead of it for that of its block."""

    _at = 0

    def sends(self, packet: Packet) -> bytes | None:
        self._at = packet.block if packet.kind == DATA else self._at
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return ack(self._at) if packet.kind == ACK and packet.block > self._at else packet.raw


class SendsTwoAtATime(Quirk):
    """Has a second block on its way before the first is acknowledged."""

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, to
        packet = parse(datagram)
        if packet.kind == DATA and packet.block == 1 and len(packet.payload) == 512:
            yield renumbered(datagram, 2), to


class NeverRepeats(Quirk):
    def __init__(self) -> None:
        self._said: set[bytes] = set()

    def says(self, datagram: bytes, to: Address) -> Said:
        if datagram not in self._said:
            yield datagram, to
        self._said.add(datagram)


class RepeatsOtherOctets(Quirk):
    """Sends something else when it has to send a block again."""

    def __init__(self) -> None:
        self._said: set[bytes] = set()

    def says(self, datagram: bytes, to: Address) -> Said:
        again = datagram in self._said and parse(datagram).kind == DATA
        self._said.add(datagram)
        yield (datagram[:-1] + b"\xff" if again else datagram), to


class NeverHearsTheEnd(Rewriting):
    """Sends its last block again and again, though its ACK has come."""

    _last = -1

    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind == DATA and len(packet.payload) < 512:
            self._last = packet.block
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return None if packet.kind == ACK and packet.block == self._last else packet.raw


class LeavesOutTheEmptyBlock(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        empty = packet.kind == DATA and packet.block > 1 and not packet.payload
        return None if empty else packet.raw


class SendsNothingOfAnEmptyFile(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return None if packet.kind == DATA and not packet.payload else packet.raw


class SendsOneOctetMore(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        full = packet.kind == DATA and len(packet.payload) == 512
        return packet.raw + b"\0" if full else packet.raw


class PadsTheLastBlock(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        short = packet.kind == DATA and 0 < len(packet.payload) < 512
        return packet.raw + b"\0" if short and len(packet.payload) % 2 else packet.raw


class WrapsToOne(Rewriting):
    """Leaves out number 0 without having been asked to."""

    _turns = 0

    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind == DATA and packet.block == 0:
            self._turns = 1
        return self._shifted(packet, DATA, self._turns)

    def takes(self, packet: Packet) -> bytes | None:
        return self._shifted(packet, ACK, -self._turns)

    def _shifted(self, packet: Packet, kind: str, by: int) -> bytes:
        wrapped = packet.kind == kind and packet.block < 0x8000
        return renumbered(packet.raw, packet.block + by) if wrapped else packet.raw


class CountsToHalf(Rewriting):
    """Keeps its number in 15 bits."""

    def sends(self, packet: Packet) -> bytes | None:
        return renumbered(packet.raw, packet.block & 0x7FFF) if packet.kind == DATA else packet.raw


# Strangers


class Minding(Quirk):
    """Knows its peer: the first that it has spoken to, or that has spoken to it."""

    peer: Address | None = None

    def says(self, datagram: bytes, to: Address) -> Said:
        self.peer = self.peer or to
        yield datagram, to

    def strange(self, source: Address) -> bool:
        """Tells whether this is somebody else, to a transfer."""
        return self.peer not in (None, source) and self.endpoint.address[1] != 69


class DiesOfAStranger(Minding):
    _dead = False

    def hears(self, datagram: bytes, source: Address) -> Said:
        self._dead = self._dead or self.strange(source)
        if not self._dead:
            yield datagram, source


class IgnoresStrangers(Minding):
    def hears(self, datagram: bytes, source: Address) -> Said:
        if not self.strange(source):
            yield datagram, source


class TrustsEverybody(Minding):
    """Does not look at where a packet comes from."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        yield datagram, (self.peer or source) if self.strange(source) else source


class ComparesPortsOnly(Minding):
    def hears(self, datagram: bytes, source: Address) -> Said:
        same = self.peer is not None and self.peer[1] == source[1]
        yield datagram, (self.peer or source) if same else source


class DiesOfAStrangersError(Minding):
    def hears(self, datagram: bytes, source: Address) -> Said:
        fatal = parse(datagram).kind == ERROR and self.strange(source)
        yield datagram, (self.peer or source) if fatal else source


# Content


class SendsTextAsItIs(Cupboard):
    """Leaves netascii untranslated."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        return super().read(name, netascii=False, keep=keep)


class TranslatesEverything(Cupboard):
    """Takes octet for netascii."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        return super().read(name, netascii=True, keep=keep)


class BreaksPairs(Cupboard):
    """Translates each block for itself, and cuts what has grown too long."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        source = super().read(name, netascii=netascii, keep=keep)
        if not netascii:
            return source
        whole = bytearray(1 << 20)
        size = source.read_into([whole], 0)
        cut = [bytes(whole[start : min(size, start + 512)]) for start in range(0, size, 512)]
        source.close()
        return BytesSource(
            b"".join(block[:-1] + b" " if block[-1] == 13 else block for block in cut)
        )


class Wanders(Cupboard):
    """Follows a name out of its folder."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        if name.endswith("../canary"):
            return BytesSource(b"This must never leave the server.\n")
        return super().read(name, netascii=netascii, keep=keep)


# Requests


class Pedantic(Rewriting):
    """Knows modes in small letters only."""

    def takes(self, packet: Packet) -> bytes | None:
        known = not packet.mode or packet.mode.islower()
        return packet.raw if known else packet.raw.replace(packet.mode.encode(), b"odd")


def _reads(quirk: type[Quirk]) -> ServerKind:
    return ServerKind(quirk=quirk)


def _content(content: type[Cupboard]) -> ServerKind:
    return ServerKind(content=content)


READING_MUTANTS = [
    Mutant("answers with DATA 2 first", "RFC1350-5-01", _reads(StartsAtTwo)),
    Mutant("counts its blocks from 0", "RFC1350-5-19", _reads(StartsAtZero)),
    Mutant("sends a block for each copy of an ACK", "RFC1123-4.2.3.1-01", _reads(Apprentice)),
    Mutant("sends a block for an old ACK", "RFC1350-2-03", _reads(AnswersEveryOldAck)),
    Mutant("does not read the number of an ACK", "RFC1123-4.2.3.1-02", _reads(TakesAnyAck)),
    Mutant("moves on by an ACK ahead of it", "RFC1350-2-02", _reads(SkipsToAnAckAhead)),
    Mutant("has two blocks in flight", "RFC1350-2-01", _reads(SendsTwoAtATime)),
    Mutant("never sends anything again", "RFC1350-2-12", _reads(NeverRepeats)),
    Mutant("sends a block again changed", "RFC1350-2-12", _reads(RepeatsOtherOctets)),
    Mutant("does not end by the last ACK", "RFC1350-6-11", _reads(NeverHearsTheEnd)),
    Mutant("leaves out the empty last block", "RFC1350-6-02", _reads(LeavesOutTheEmptyBlock)),
    Mutant("sends nothing of an empty file", "RFC1350-6-03", _reads(SendsNothingOfAnEmptyFile)),
    Mutant("sends 513 octets", "RFC1350-5-19", _reads(SendsOneOctetMore)),
    Mutant("pads the last block", "RFC1350-5-01", _reads(PadsTheLastBlock)),
    Mutant("wraps to 1 unasked", "DF-ROLL-01", _reads(WrapsToOne), Verdict.LENIENT),
    Mutant("counts to 32,767", "DF-ROLL-01", _reads(CountsToHalf)),
    Mutant("dies of a stranger's packet", "RFC1350-4-06", _reads(DiesOfAStranger)),
    Mutant("says nothing to strangers", "RFC1350-4-06", _reads(IgnoresStrangers), Verdict.WARN),
    Mutant("takes the ACK of a stranger", "F-AM-12", _reads(TrustsEverybody)),
    Mutant("compares ports without hosts", "RFC1350-4-08", _reads(ComparesPortsOnly)),
    Mutant("ends by a stranger's ERROR", "RFC1350-4-07", _reads(DiesOfAStrangersError)),
    Mutant("sends netascii untranslated", "RFC1350-5-30", _content(SendsTextAsItIs)),
    Mutant("translates octet as well", "RFC1350-5-21", _content(TranslatesEverything)),
    Mutant("breaks a pair between blocks", "RFC1350-5-31", _content(BreaksPairs)),
    Mutant("leads out of its folder", "SEC-PATH-01", _content(Wanders)),
    Mutant("knows modes in small letters only", "RFC1350-5-02", _reads(Pedantic)),
    Mutant(
        "has a timer that never grows",
        "RFC1123-4.2.3.2-01",
        ServerKind(timing=Timing(floor=1.0, least=1.0, ceiling=1.0)),
    ),
    Mutant("gives up after one silence", "F-DM-02", ServerKind(timing=Timing(retries=0))),
    Mutant("mixes all transfers up", "RFC1350-4-03", ServerKind(one_port=True, mixes=True)),
]
