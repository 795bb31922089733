"""Servers that deal wrongly with errors: theirs and those of their peers (RFC 1350 section 7).

Each class is one mistake that real servers make or made; the table at the end names the
case that has to find it.
"""

from conformance.wire import ERROR, Packet, error, parse
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.mutant import Mutant, Rewriting
from tests.conformance.server_actor import ServerKind
from tests.conformance.world import Address

__all__ = ["ERROR_MUTANTS", "AnswersErrors", "DeafToErrors"]


class AnswersErrors(Quirk):
    """Even those of a transfer, with another."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        if parse(datagram).kind == ERROR:
            self.endpoint.send(error(0, "I heard that"), source)
        yield datagram, source


class DeafToErrors(Rewriting):
    def takes(self, packet: Packet) -> bytes | None:
        return None if packet.kind == ERROR else packet.raw


class RepeatsErrors(Quirk):
    """Sends an ERROR again after half a second, as if it needed an answer."""

    def says(self, datagram: bytes, to: Address) -> Said:
        yield datagram, to
        if parse(datagram).kind == ERROR:
            world, here = self.endpoint.world, self.endpoint.address
            world.at(world.now() + 0.5, lambda: world.send(datagram, here, to))


class SaysErrorFour(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return error(4, packet.text) if packet.kind == ERROR and packet.code == 1 else packet.raw


class SaysErrorNine(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return error(9, packet.text) if packet.kind == ERROR else packet.raw


class SaysNothingOfAMissingFile(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return None if packet.kind == ERROR and packet.code == 1 else packet.raw


class ForgetsTheZero(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return packet.raw[:-1] if packet.kind == ERROR else packet.raw


class SpillsItsMemory(Rewriting):
    def sends(self, packet: Packet) -> bytes | None:
        return error(packet.code, "?" * 600) if packet.kind == ERROR else packet.raw


class AnswersAnything(Quirk):
    """Says ERROR 4 to whatever is no request, even to an ERROR."""

    def hears(self, datagram: bytes, source: Address) -> Said:
        if self.endpoint.address[1] == 69 and datagram[:2] not in (b"\0\1", b"\0\2"):
            self.endpoint.send(error(4, "What is this?"), source)
        yield datagram, source


def _with(quirk: type[Quirk]) -> ServerKind:
    return ServerKind(quirk=quirk)


ERROR_MUTANTS = [
    Mutant("answers an ERROR", "RFC1350-7-02", _with(AnswersErrors)),
    Mutant("answers an ERROR at its port", "RFC1350-7-01", _with(AnswersAnything)),
    Mutant("goes on after an ERROR", "RFC1350-7-04", _with(DeafToErrors)),
    Mutant("repeats an ERROR by a timer", "RFC1350-7-06", _with(RepeatsErrors)),
    Mutant("says error 4 of a missing file", "RFC1350-A-03", _with(SaysErrorFour)),
    Mutant("is silent of a missing file", "RFC1350-A-03", _with(SaysNothingOfAMissingFile)),
    Mutant("has error codes of its own", "RFC1350-A-02", _with(SaysErrorNine)),
    Mutant("ends no error text", "RFC1350-5-28", _with(ForgetsTheZero)),
    Mutant("has error texts of 600 octets", "RFC1350-5-29", _with(SpillsItsMemory)),
]
