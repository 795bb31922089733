"""The socket of a server's transfer, in a simulated network.

Stands in for `tftp.net.udp.Endpoint`, so that the drivers of the product run as they are: with
its second, connected socket, with trains that are laid end to end, and full now and then. What
goes in and out is shown to whoever watches. Must not know which role the transfer has.
"""

from collections import deque
from collections.abc import Callable

from tftp.net.udp import MAX_DATAGRAM, Endpoint
from tftp.protocol.transfer import Address
from tftp.sim.network import Network

__all__ = ["VirtualEndpoint", "Watch"]

SEGMENTS = 64
INBOX = 256
"""Datagrams that a socket holds; more are lost, as in a kernel."""
ALL = INBOX + 1
BUFFER = 8 << 20


class Watch:
    """Is shown what passes through an endpoint."""

    def says(self, datagram: bytes, to: Address) -> None:
        """Sees a datagram before it goes out."""

    def hears(self, datagram: bytes, source: Address) -> None:
        """Sees a datagram before the transfer does."""


class Options:
    """Takes what is set on a socket."""

    def setsockopt(self, *_: int) -> None:
        """Takes an option."""

    def getsockopt(self, *_: int) -> int:
        """Returns the size of a buffer that is large enough."""
        return BUFFER


class Fast:
    """The connected socket: what the peer sends, and nothing else."""

    __slots__ = ("_owner", "inbox", "peer")

    def __init__(self, owner: "VirtualEndpoint", peer: Address) -> None:
        """Begins empty."""
        self._owner = owner
        self.peer = peer
        self.inbox: deque[bytes] = deque()

    def fileno(self) -> int:
        """Returns a number of its own."""
        return self._owner.fileno() + 65536

    def recv_into(self, buffer: memoryview) -> int:
        """Hands out what came first, cut to the buffer. Raises BlockingIOError."""
        if not self.inbox:
            raise BlockingIOError
        datagram = self.inbox.popleft()
        self._owner.watch.hears(datagram, self.peer)
        size = min(len(datagram), len(buffer))
        buffer[:size] = datagram[:size]
        return size

    def send(self, data: bytes | memoryview) -> int:
        """Sends a datagram. Raises BlockingIOError."""
        if self._owner.is_full():
            raise BlockingIOError
        self._owner.put(bytes(data), self.peer)
        return len(data)

    def close(self) -> None:
        """Forgets what it has."""
        self.inbox.clear()


class VirtualEndpoint(Endpoint):
    """An endpoint whose datagrams go through a simulated network."""

    __slots__ = (
        "_can_group",
        "_network",
        "address",
        "arrived",
        "inbox",
        "is_full",
        "open",
        "sent",
        "watch",
    )

    def __init__(self, network: Network, host: str, watch: Watch, *, groups: bool) -> None:
        """Opens a free port of a host; `groups` says whether its kernel can make trains."""
        self._network = network
        self.watch = watch
        self.arrived: Callable[[], None] = lambda: None
        """Is called when something has come."""
        self.is_full: Callable[[], bool] = lambda: False
        """Says whether the socket takes nothing at the moment."""
        self.inbox: deque[tuple[bytes, Address]] = deque()
        self.open = ALL
        """How many of those that wait may be had now."""
        self.sent = 0
        """How many datagrams have gone out."""
        self.socket = Options()  # type: ignore[assignment]  # takes what the product sets
        self.fast = None
        self._grouped = False
        self._can_group = groups
        self.address = network.bind(host, 0, self._take)

    def fileno(self) -> int:
        """Returns a number of its own: the port."""
        return self.address[1]

    def close(self) -> None:
        """Gives the port back. May be repeated."""
        self._network.release(self.address)
        self.disconnect()

    def connect(self, peer: Address) -> bool:
        """Adds the connected socket."""
        self.fast = Fast(self, peer)  # type: ignore[assignment]  # what the drivers use of one
        return True

    def disconnect(self) -> None:
        """Closes the connected socket."""
        if self.fast is not None:
            self.fast.close()
            self.fast = None

    @property
    def quick(self) -> Fast | None:
        """Returns the connected socket as what it is."""
        fast: object = self.fast
        return fast if isinstance(fast, Fast) else None

    def group_arrivals(self) -> None:
        """Has datagrams of one size handed out together."""
        self._grouped = self._can_group

    def plan_trains(self, stride: int) -> int:
        """Returns how many datagrams go into one train."""
        return min(SEGMENTS, MAX_DATAGRAM // stride)

    def send(self, data: bytes | memoryview, to: Address) -> bool:
        """Sends a datagram; no more than a word, for which there is always room."""
        self.put(bytes(data), to)
        return True

    def send_train(self, view: memoryview, stride: int, to: Address) -> int:
        """Sends datagrams that lie end to end, until the socket is full."""
        train = bytes(view)
        for count, start in enumerate(range(0, len(train), stride)):
            if self.is_full():
                return count
            self.put(train[start : start + stride], to)
        return -(-len(train) // stride)

    def put(self, datagram: bytes, to: Address) -> None:
        """Sends a datagram."""
        self.watch.says(datagram, to)
        self.sent += 1
        self._network.send(datagram, self.address, to)

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        """Hands out a datagram, or a train: octets, stride, source; None when there is none."""
        if not self.inbox or not self.open:
            return None
        first, source = self._next()
        size = stride = len(first)
        buffer[:size] = first
        last = stride
        while self._grouped and self._joins(source, stride, last, len(buffer) - size):
            datagram, _ = self._next()
            last = len(datagram)
            buffer[size : size + last] = datagram
            size += last
        return size, stride if size > stride else 0, source

    def _joins(self, source: Address, stride: int, last: int, room: int) -> bool:
        """Tells whether the next datagram continues a train whose last one had `last` octets."""
        if not self.inbox or not self.open or last < stride:
            return False
        datagram, its_source = self.inbox[0]
        return its_source == source and 0 < len(datagram) <= min(stride, room)

    def _next(self) -> tuple[bytes, Address]:
        datagram, source = self.inbox.popleft()
        self.open -= 1
        self.watch.hears(datagram, source)
        return datagram, source

    def _take(self, datagram: bytes, source: Address) -> None:
        quick = self.quick
        if quick is not None and source == quick.peer:
            if len(quick.inbox) < INBOX:
                quick.inbox.append(datagram)
        elif len(self.inbox) < INBOX:
            self.inbox.append((datagram, source))
        self.arrived()
