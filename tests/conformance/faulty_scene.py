"""A faulty line in a world in memory, for the tests of lines and of what befalls packets.

The other end is a port that is told when to say what, and that shows what it got.
"""

from conformance.faults import Fault, FaultyLine
from conformance.line import Trial
from tests.conformance.world import LATENCY, World

__all__ = ["HOST", "FaultyScene", "octets"]

HOST = "127.0.0.1"


class FaultyScene:
    """A faulty line, and the port that it talks to."""

    def __init__(self, *plan: Fault, last: int = 0, known: bool = True) -> None:
        self.world = World()
        self.trial = Trial(self.world, HOST)
        self.other = self.world.open(HOST)
        peer = self.other.address if known else None
        self.line = self.trial.line(peer)
        self.wire = FaultyLine(self.line, plan, last=last, moment=0.5)

    def says(self, *datagrams: bytes) -> None:
        """Has the other end send these."""
        for datagram in datagrams:
            self.other.send(datagram, self.line.address)

    def arrived(self, within: float = 0.0) -> list[tuple[float, bytes]]:
        """Returns what the other end gets while the line listens, and when it was sent."""
        began, found = self.world.now(), []
        while self.wire.hear(max(0.0, began + within - self.world.now())) is not None:
            pass
        while (arrival := self.other.receive(self.world.now() + 2 * LATENCY)) is not None:
            found.append((round(arrival.at - LATENCY - began, 3), arrival.datagram))
        return found

    def heard(self, within: float = 1.0) -> list[tuple[float, bytes]]:
        """Returns what comes through, and when."""
        began, found = self.world.now(), []
        while (packet := self.wire.hear(began + within - self.world.now())) is not None:
            found.append((round(self.world.now() - began, 3), packet.raw))
        return found


def octets(found: list[tuple[float, bytes]]) -> list[bytes]:
    """Returns the datagrams without their times."""
    return [datagram for _, datagram in found]
