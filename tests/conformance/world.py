"""A world in memory for the conformance suite: ports, datagrams and virtual time.

It is what `conformance.ports.Net` asks for. Whoever waits at a port lets the world run:
time jumps from event to event, and five seconds of silence take microseconds. All is
deterministic, and only one thing happens at a time. Must not know about TFTP.
"""

import errno
import heapq
from collections import deque
from collections.abc import Callable

from conformance.ports import Address, Arrival

__all__ = ["BROADCAST", "Address", "Alarm", "Arrival", "World", "WorldPort"]

LATENCY = 0.0001
BROADCAST = ("127.255.255.255", "255.255.255.255")
LARGEST = 65507
FIRST_PORT, LAST_PORT = 20_000, 65_000
NEVER = float("inf")

Take = Callable[[Arrival], None]


class World:
    """A network of one machine with a few addresses, and its clock."""

    def __init__(self) -> None:
        """Starts at some time other than zero, with nothing in it."""
        self._now = 1000.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._ports: dict[Address, Take] = {}
        self._next_port = FIRST_PORT

    def now(self) -> float:
        """Returns the virtual time, in seconds."""
        return self._now

    def open(self, host: str, port: int = 0) -> "WorldPort":
        """Opens a port of the suite's. Raises OSError."""
        return WorldPort(self, host, port)

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        self.run(self._now + seconds)

    def bind(self, host: str, port: int, take: Take) -> Address:
        """Gives a port to whoever `take`s what arrives there; 0 is a free one. Raises OSError."""
        if not host.startswith("127.") and host != "::1":
            raise OSError(errno.EADDRNOTAVAIL, "no address of this world")
        if port == 0:
            port = self._free_port(host)
        if (host, port) in self._ports:
            raise OSError(errno.EADDRINUSE, "the port is taken")
        self._ports[host, port] = take
        return host, port

    def release(self, address: Address) -> None:
        """Closes a port."""
        self._ports.pop(address, None)

    def send(self, datagram: bytes, source: Address, to: Address) -> None:
        """Puts a datagram on its way."""
        if len(datagram) > LARGEST:
            raise OSError(errno.EMSGSIZE, "larger than a datagram can be")
        self.at(self._now + LATENCY, lambda: self._deliver(datagram, source, to))

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Has something done at a time."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def run(self, until: float, done: Callable[[], object] = lambda: False) -> None:
        """Lets things happen until a time, or until `done` says something true."""
        events = self._events
        while not done():
            if not events or events[0][0] > until:
                self._now = max(self._now, until)
                return
            self._now, _, action = heapq.heappop(events)
            action()

    def _free_port(self, host: str) -> int:
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < LAST_PORT else FIRST_PORT
            if (host, port) not in self._ports:
                return port

    def _deliver(self, datagram: bytes, source: Address, to: Address) -> None:
        take = self._ports.get(to)
        if take is not None:
            take(Arrival(datagram, source, self._now))
        elif to[0] not in BROADCAST:
            self.at(self._now + LATENCY, lambda: self._bounce(source, to))

    def _bounce(self, source: Address, closed: Address) -> None:
        """Tells a sender by ICMP that a port is closed."""
        take = self._ports.get(source)
        if take is not None:
            take(Arrival(b"", closed, self._now, unreachable=True))


class WorldPort:
    """A port of the suite's."""

    def __init__(self, world: World, host: str, port: int) -> None:
        """Binds it. Raises OSError."""
        self._world = world
        self._inbox: deque[Arrival] = deque()
        self.address = world.bind(host, port, self._inbox.append)

    def send(self, datagram: bytes, to: Address) -> None:
        """Sends a datagram."""
        self._world.send(bytes(datagram), self.address, to)

    def receive(self, deadline: float) -> Arrival | None:
        """Lets the world run until something comes, or until `deadline`."""
        self._world.run(deadline, self._inbox.__len__)
        return self._inbox.popleft() if self._inbox else None

    def close(self) -> None:
        """Gives the port back."""
        self._world.release(self.address)


class Alarm:
    """The deadline of an actor, which may move with every packet."""

    def __init__(self, world: World, ring: Callable[[], None]) -> None:
        """Has `ring` called when the deadline has come."""
        self._world = world
        self._ring = ring
        self._deadline: float | None = None
        self._due = NEVER

    def set(self, deadline: float | None) -> None:
        """Moves the deadline; None: there is none."""
        self._deadline = deadline
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self._world.at(deadline, lambda: self._look(deadline))

    def _look(self, due: float) -> None:
        """Rings, or, if the deadline has moved on meanwhile, looks again then."""
        if due != self._due:
            return  # an earlier look was called for, and has been had
        self._due = NEVER
        if self._deadline is None:
            return
        if self._deadline <= self._world.now():
            self._ring()
        else:
            self.set(self._deadline)
