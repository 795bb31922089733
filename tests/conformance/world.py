"""A world in memory for the conformance suite: ports, datagrams and virtual time.

It is what `conformance.ports.Net` asks for. Whoever waits at a port lets the world run:
time jumps from event to event, and five seconds of silence take microseconds. All is
deterministic, and only one thing happens at a time. Must not know about TFTP.
"""

import errno
from collections import deque
from collections.abc import Callable

from conformance.ports import Address, Arrival
from tftp.sim.clock import Clock

__all__ = ["BROADCAST", "Address", "Arrival", "World", "WorldPort"]

LATENCY = 0.0001
BROADCAST = ("127.255.255.255", "255.255.255.255")
LARGEST = 65507
FIRST_PORT, LAST_PORT = 20_000, 65_000

Take = Callable[[Arrival], None]


class World:
    """A network of one machine with a few addresses, and its clock."""

    def __init__(self) -> None:
        """Starts at some time other than zero, with nothing in it."""
        self.clock = Clock()
        """What is to happen here; for alarms."""
        self._ports: dict[Address, Take] = {}
        self._next_port = FIRST_PORT

    def now(self) -> float:
        """Returns the virtual time, in seconds."""
        return self.clock.now

    def open(self, host: str, port: int = 0) -> "WorldPort":
        """Opens a port of the suite's. Raises OSError."""
        return WorldPort(self, host, port)

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        self.run(self.clock.now + seconds)

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
        self.at(self.clock.now + LATENCY, lambda: self._deliver(datagram, source, to))

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Has something done at a time."""
        self.clock.at(when, action)

    def run(self, until: float, done: Callable[[], object] = lambda: False) -> None:
        """Lets things happen until a time, or until `done` says something true."""
        clock = self.clock
        while not done():
            if clock.due > until:
                clock.now = max(clock.now, until)
                return
            clock.step()

    def _free_port(self, host: str) -> int:
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < LAST_PORT else FIRST_PORT
            if (host, port) not in self._ports:
                return port

    def _deliver(self, datagram: bytes, source: Address, to: Address) -> None:
        take = self._ports.get(to)
        if take is not None:
            take(Arrival(datagram, source, self.clock.now))
        elif to[0] not in BROADCAST:
            self.at(self.clock.now + LATENCY, lambda: self._bounce(source, to))

    def _bounce(self, source: Address, closed: Address) -> None:
        """Tells a sender by ICMP that a port is closed."""
        take = self._ports.get(source)
        if take is not None:
            take(Arrival(b"", closed, self.clock.now, unreachable=True))


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
