"""Clients that do something wrong: with ports, blocks, options, or in what they report.

Many mistakes are those of the servers, made on the other side. Each class is one that real
clients make or made; the table at the end names the case that has to find it.
"""

from conformance.verdict import Verdict
from conformance.wire import ERROR, OACK, RRQ, WRQ, Packet, ack, error, oack, parse, rrq, wrq
from tests.conformance.client_actor import ClientKind
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.error_mutants import AnswersErrors, DeafToErrors
from tests.conformance.mutant import Mutant, Rewriting
from tests.conformance.option_mutants import (
    AcknowledgesEach,
    SaysItForEachBlock,
    SaysNothingOfGaps,
)
from tests.conformance.reading_mutants import (
    Apprentice,
    LeavesOutTheEmptyBlock,
    NeverRepeats,
    RepeatsOtherOctets,
    SendsOneOctetMore,
    SendsTwoAtATime,
    TakesAnyAck,
)
from tests.conformance.world import Address
from tests.conformance.writing_mutants import (
    AnswersCopiesTwice,
    CutsBlocks,
    SaysNothingToCopies,
    SpeaksOfOneMore,
    TakesWhatComes,
)

__all__ = ["CLIENT_MUTANTS"]

# Ports


class Following(Quirk):
    """Knows where its request went, and who answered it."""

    asked: Address | None = None
    peer: Address | None = None

    def says(self, datagram: bytes, to: Address) -> Said:
        self.asked = self.asked or to
        yield datagram, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        self.peer = self.peer or source
        yield datagram, source


class StaysAtTheListener(Following):
    """Sends everything to the well-known port."""

    def says(self, datagram: bytes, to: Address) -> Said:
        self.asked = self.asked or to
        yield datagram, self.asked


class TrustsAnyPort(Following):
    def hears(self, datagram: bytes, source: Address) -> Said:
        self.peer = self.peer or source
        yield datagram, self.peer


class FollowsTheLatest(Following):
    """Takes whoever spoke last for its server."""

    _latest: Address | None = None

    def hears(self, datagram: bytes, source: Address) -> Said:
        self.peer, self._latest = self.peer or source, source
        yield datagram, self.peer

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, self._latest or to


class DiesOfAnother(Following):
    """Hears nothing more once somebody else has spoken."""

    _dead = False

    def hears(self, datagram: bytes, source: Address) -> Said:
        self.peer = self.peer or source
        self._dead = self._dead or source != self.peer
        if not self._dead:
            yield datagram, source


class SaysNothingToStrangers(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return None if packet.kind == ERROR and packet.code == 5 else packet.raw


# Options


class Hearing(Rewriting):
    """Makes of an OACK what it likes to hear; `asked` is what its request named."""

    asked: dict[str, str] = {}  # noqa: RUF012  # replaced, never changed

    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind in (RRQ, WRQ):
            self.asked = packet.options
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        return oack(self.likes(packet.options)) if packet.kind == OACK else packet.raw

    def likes(self, granted: dict[str, str]) -> dict[str, str]:
        """Returns the options that it hears of."""
        return granted


class TakesWhatItIsGiven(Hearing):
    """Passes over options that it did not ask for."""

    def likes(self, granted: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in granted.items() if name in self.asked}


class KeepsToItsWish(Hearing):
    """Does not look at the values that it is granted."""

    def likes(self, granted: dict[str, str]) -> dict[str, str]:
        return {name: self.asked.get(name, value) for name, value in granted.items()}


class HasItsWishAnyway(Hearing):
    """Uses what it asked for, also where the OACK leaves it out."""

    def likes(self, granted: dict[str, str]) -> dict[str, str]:
        return {**self.asked, **granted}


class TakesTinyBlocks(Hearing):
    """Takes a block size below 8 for 8."""

    def likes(self, granted: dict[str, str]) -> dict[str, str]:
        small = int(granted.get("blksize", "8")) < 8
        return {**granted, "blksize": "8"} if small else granted


class ReadsSmallLetters(Rewriting):
    """Knows its options in the letters in which it wrote them."""

    def takes(self, packet: Packet) -> bytes | None:
        if packet.kind != OACK:
            return packet.raw
        return oack([(name, value) for name, value in packet.pairs if name.islower()])


class SaysNoAckZero(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return None if packet.raw == ack(0) else packet.raw


class AcknowledgesBeforeItSends(Quirk):
    """Answers the OACK of a write with ACK 0, and then sends."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        if parse(datagram).kind == OACK:
            self.endpoint.world.send(ack(0), self.endpoint.address, source)
        yield datagram, source


class RefusesASecondOack(Quirk):
    """Says ERROR 8 to a copy of its OACK."""

    _heard = False

    def hears(self, datagram: bytes, source: Address) -> Said:
        opens = parse(datagram).kind == OACK
        if opens and self._heard:
            self.endpoint.send(error(8, "Again?"), source)
        self._heard = self._heard or opens
        yield datagram, source


class Asking(Rewriting):
    """Changes its request."""

    def sends(self, packet: Packet) -> bytes | None:
        if packet.kind not in (RRQ, WRQ):
            return packet.raw
        build = rrq if packet.kind == RRQ else wrq
        return build(packet.name, self.mode(packet.mode), self.asks(packet.pairs))

    def mode(self, mode: str) -> str:
        """Returns the mode that it names."""
        return mode

    def asks(self, pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        """Returns the options that it names."""
        return list(pairs)


class AsksTwice(Asking):
    def asks(self, pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [*pairs, *pairs]


class AsksForASize(Asking):
    """Puts a size into a read, and none into a write."""

    def asks(self, pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [(name, "7" if name == "tsize" else value) for name, value in pairs]


class NamesNetascii(Asking):
    """Says netascii, and does nothing about it."""

    def mode(self, mode: str) -> str:
        return "netascii"


def _with(quirk: type[Quirk]) -> ClientKind:
    return ClientKind(quirk=quirk)


def _eager(quirk: type[Quirk]) -> ClientKind:
    return ClientKind(quirk=quirk, eager=True)


def _plain_text() -> ClientKind:
    return ClientKind(quirk=NamesNetascii, raw=True)


CLIENT_MUTANTS = [
    Mutant("stays at the well-known port", "RFC1350-4-10", _with(StaysAtTheListener)),
    Mutant("takes DATA from any port", "RFC1350-4-11", _with(TrustsAnyPort)),
    Mutant("follows whoever spoke last", "RFC1350-4-13", _with(FollowsTheLatest)),
    Mutant("dies of a second answer", "RFC1350-4-13", _with(DiesOfAnother)),
    Mutant(
        "says nothing to strangers", "RFC1350-4-12", _with(SaysNothingToStrangers), Verdict.WARN
    ),
    Mutant("has one port for all", "RFC1350-4-15", ClientKind(port=3000), Verdict.WARN),
    Mutant("asks once", "RFC1350-2-14", _with(NeverRepeats)),
    Mutant("reports success after an ERROR", "RFC1350-7-07", ClientKind(lies=True)),
    Mutant("answers an ERROR", "RFC1350-7-03", _with(AnswersErrors)),
    Mutant("goes on after an ERROR", "RFC1350-7-05", _with(DeafToErrors)),
    Mutant("leaves with its last ACK", "RFC1350-6-08", ClientKind(linger=0.0), Verdict.WARN),
    Mutant("says nothing to a repeated block", "RFC1350-2-08", _with(SaysNothingToCopies)),
    Mutant("sends two ACKs for a copy", "RFC1123-4.2.3.1-07", _with(AnswersCopiesTwice)),
    Mutant("takes a block out of turn", "RFC1350-2-09", _with(TakesWhatComes)),
    Mutant("cuts a block that is too large", "RFC1350-5-23", _with(CutsBlocks)),
    Mutant("acknowledges the next block", "RFC1350-5-20", _with(SpeaksOfOneMore)),
    Mutant("sends a block for each copy of an ACK", "RFC1123-4.2.3.1-06", _with(Apprentice)),
    Mutant("does not read the number of an ACK", "RFC1350-2-10", _with(TakesAnyAck)),
    Mutant("has two blocks in flight", "RFC1350-2-01", _with(SendsTwoAtATime)),
    Mutant("never sends a block again", "RFC1350-2-16", _with(NeverRepeats)),
    Mutant("sends a block again changed", "RFC1350-2-12", _with(RepeatsOtherOctets)),
    Mutant("leaves out the empty last block", "RFC1350-6-06", _with(LeavesOutTheEmptyBlock)),
    Mutant("sends 513 octets", "RFC1350-5-19", _with(SendsOneOctetMore)),
    Mutant(
        "stores netascii as it comes", "RFC1350-5-37", ClientKind(quirk=NamesNetascii, raw=True)
    ),
    Mutant(
        "sends netascii untranslated", "RFC1350-5-30", ClientKind(quirk=NamesNetascii, raw=True)
    ),
    Mutant("has a timer that never grows", "RFC1123-4.2.3.2-01", ClientKind(ceiling=1.0)),
    Mutant("gives up after one silence", "RFC1350-2-15", ClientKind(retries=0), Verdict.WARN),
    Mutant(
        "passes over an option not asked for",
        "RFC2347-N-18",
        _eager(TakesWhatItIsGiven),
        Verdict.WARN,
    ),
    Mutant("goes on with a larger block size", "RFC2348-13", _eager(KeepsToItsWish)),
    Mutant("goes on with a block size below 8", "RFC2348-14", _eager(TakesTinyBlocks)),
    Mutant("goes on with a larger window", "RFC7440-3-04", _eager(KeepsToItsWish)),
    Mutant("does not use a smaller block size", "RFC2348-12", _eager(KeepsToItsWish)),
    Mutant("uses a block size left out", "RFC2348-15", _eager(HasItsWishAnyway)),
    Mutant("reads options in small letters only", "RFC2347-P-05", _eager(ReadsSmallLetters)),
    Mutant("says nothing to an OACK", "RFC2347-N-16", _eager(SaysNoAckZero)),
    Mutant("refuses a second OACK", "RFC2347-N-21", _eager(RefusesASecondOack)),
    Mutant("says ACK 0 before it sends", "RFC2347-N-17", _eager(AcknowledgesBeforeItSends)),
    Mutant("asks for an option twice", "RFC2347-N-24", _eager(AsksTwice)),
    Mutant("puts a size into its read", "RFC2349-S-09", _eager(AsksForASize)),
    Mutant("calls a part the whole", "ROB-TIMER-05", ClientKind(leaves=True, lies=True)),
    Mutant("leaves a part behind", "RFC1350-7-07", ClientKind(leaves=True), Verdict.LENIENT),
    Mutant(
        "says nothing of a gap",
        "RFC7440-4-13",
        ClientKind(receiver=SaysNothingOfGaps),
        Verdict.WARN,
    ),
    Mutant(
        "reports a gap for each block",
        "RFC7440-4-15",
        ClientKind(receiver=SaysItForEachBlock),
        Verdict.WARN,
    ),
    Mutant(
        "acknowledges each block",
        "RFC7440-4-12",
        ClientKind(receiver=AcknowledgesEach),
        Verdict.LENIENT,
    ),
]
