"""What a planted mutant is: a sort of server or client, and the case that has to catch it.

Also the few words in which most of them are written: which kind of packet this is, and a
quirk that changes just those of one kind.
"""

from dataclasses import dataclass

from conformance.verdict import Verdict
from conformance.wire import Packet, parse
from tests.conformance.client_actor import ClientKind
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.server_actor import ServerKind
from tests.conformance.world import Address

__all__ = ["Mutant", "Rewriting", "block_of", "renumbered"]


@dataclass(frozen=True)
class Mutant:
    """An implementation with one wrong behaviour."""

    wrong: str
    """What is wrong with it, in words."""
    caught_by: str
    """The ID of the case that has to find it."""
    kind: ServerKind | ClientKind
    verdict: Verdict = Verdict.FAIL
    """What that case has to say of it."""

    @property
    def side(self) -> str:
        """Returns `server` or `client`."""
        return "server" if isinstance(self.kind, ServerKind) else "client"


class Rewriting(Quirk):
    """Puts another datagram, or none, in the place of some that go out or come in."""

    def says(self, datagram: bytes, to: Address) -> Said:
        """Yields what `sends` makes of it."""
        changed = self.sends(parse(datagram, to))
        if changed is not None:
            yield changed, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        """Yields what `takes` makes of it."""
        changed = self.takes(parse(datagram, source))
        if changed is not None:
            yield changed, source

    def sends(self, packet: Packet) -> bytes | None:
        """Returns what really goes out; `source` of the packet is where it is to go."""
        return packet.raw

    def takes(self, packet: Packet) -> bytes | None:
        """Returns what the transfer is told."""
        return packet.raw


def block_of(datagram: bytes) -> int:
    """Returns the block number of DATA or ACK."""
    return int.from_bytes(datagram[2:4], "big")


def renumbered(datagram: bytes, block: int) -> bytes:
    """Returns the same DATA or ACK with another block number."""
    return datagram[:2] + (block & 0xFFFF).to_bytes(2, "big") + datagram[4:]
