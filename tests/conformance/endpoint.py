"""The socket of our own transfers, in the world in memory, and what may be wrong with it.

Server and client are run as they are, over this in place of `tftp.net.udp.Endpoint`. A
`Quirk` stands between a transfer and the wire and may change, drop or add datagrams: so
most of the mutants are made. Must not know which role the transfer has.
"""

import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

from tests.conformance.world import Address, Arrival, World
from tftp.net.udp import MAX_DATAGRAM, Endpoint

__all__ = ["Handle", "Quirk", "Said", "VirtualEndpoint"]

SEGMENTS = 64

Said = Iterable[tuple[bytes, Address]]


class Quirk:
    """What is wrong with one socket; with this one, nothing is."""

    endpoint: "VirtualEndpoint"

    def says(self, datagram: bytes, to: Address) -> Said:
        """Yields what really goes out when this should."""
        yield datagram, to

    def hears(self, datagram: bytes, source: Address) -> Said:
        """Yields what the transfer is told when this has come."""
        yield datagram, source


class Handle:
    """Stands for the socket: takes its options, and keeps what ICMP says if that is wanted."""

    family = socket.AF_INET

    def __init__(self) -> None:
        """Starts deaf to ICMP."""
        self.refused: list[Address] = []
        """The closed ports that ICMP has spoken of."""
        self._listens = False

    def listen(self) -> None:
        """Keeps from now on what ICMP says."""
        self._listens = True

    def ignore(self) -> None:
        """Ends that."""
        self._listens = False
        self.refused.clear()

    def refuse(self, closed: Address) -> None:
        """Takes word of a closed port."""
        if self._listens:
            self.refused.append(closed)

    def setsockopt(self, *_: int) -> None:
        """Takes an option."""

    def getsockopt(self, *_: int) -> int:
        """Returns a receive buffer that is large enough."""
        return 8 << 20


class VirtualEndpoint(Endpoint):
    """An endpoint whose datagrams go through a world in memory."""

    __slots__ = ("_bound", "_inbox", "address", "handle", "quirk", "wake", "world")

    def __init__(self, world: World, host: str, port: int, quirk: Quirk) -> None:
        """Binds it. Raises OSError."""
        self.world = world
        self.wake: Callable[[], None] = lambda: None
        """Is called when something has come."""
        self.quirk = quirk
        self.handle = Handle()
        self.socket = cast(socket.socket, self.handle)
        self.fast = None
        self._inbox: deque[tuple[bytes, Address]] = deque()
        self._bound = self.address = world.bind(host, port, self._take)
        quirk.endpoint = self

    def __len__(self) -> int:
        """Returns how many datagrams wait."""
        return len(self._inbox)

    def fileno(self) -> int:
        """Returns a number of its own: the port."""
        return self.address[1]

    def close(self) -> None:
        """Gives the port back."""
        self.world.release(self._bound)

    def connect(self, peer: object) -> bool:
        """Is for real sockets."""
        return False

    def disconnect(self) -> None:
        """Has nothing to undo."""

    def group_arrivals(self) -> None:
        """Has datagrams come one by one all the same."""

    def plan_trains(self, stride: int) -> int:
        """Returns how many datagrams a kernel would take at a time."""
        return min(SEGMENTS, MAX_DATAGRAM // stride)

    def send(self, data: bytes | memoryview, to: Address) -> bool:  # type: ignore[override]
        """Sends a datagram, or what the quirk makes of it."""
        for datagram, target in self.quirk.says(bytes(data), to):
            self.world.send(datagram, self.address, target)
        return True

    def send_train(self, view: memoryview, stride: int, to: Address) -> int:  # type: ignore[override]
        """Sends datagrams that lie end to end."""
        train = bytes(view)
        for start in range(0, len(train), stride):
            self.send(train[start : start + stride], to)
        return -(-len(train) // stride)

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        """Hands out what came first."""
        if not self._inbox:
            return None
        datagram, source = self._inbox.popleft()
        buffer[: len(datagram)] = datagram
        return len(datagram), 0, source

    def take(self, datagram: bytes, source: Address) -> None:
        """Takes a datagram, or what the quirk makes of it."""
        self._inbox += self.quirk.hears(datagram, source)
        self.wake()

    def _take(self, arrival: Arrival) -> None:
        if arrival.unreachable:
            self.handle.refuse(arrival.source)
            self.wake()
        else:
            self.take(arrival.datagram, arrival.source)
