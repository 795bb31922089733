"""Hosts, ports and the links between them: a network that loses, repeats, delays and cuts.

Each pair of hosts has a link of its own in each direction, whose every decision comes from
the seed. A datagram whose octets are changed or cut short on the way fails its checksum, and
the kernel that gets it throws it away: to a program that is a loss, and so it is here, under
its own name. One larger than the link takes vanishes (a path that hides its MTU). A late copy
is one that comes seconds after its twin. There is no ICMP. Must not know about TFTP.
"""

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tftp.protocol.transfer import Address
from tftp.sim.clock import Clock
from tftp.sim.link import Faults, Link
from tftp.sim.trace import Trace

__all__ = ["HEADERS", "Hazards", "Network", "Take"]

HEADERS = 20 + 8
"""Octets of IPv4 and UDP headers, which count against an MTU."""

FIRST_PORT, LAST_PORT = 32_768, 60_999
LARGEST = 65_507

Take = Callable[[bytes, Address], None]
"""Takes a datagram that has arrived, and where it came from."""


@dataclass(frozen=True, slots=True)
class Hazards:
    """What may happen on the way from one host to another; times in seconds."""

    faults: Faults = field(default_factory=Faults)
    damage: float = 0.0
    """How many datagrams have octets changed, or are cut short; none of them is delivered."""
    late: float = 0.0
    """How many have a second copy that comes much later."""
    lateness: float = 4.0
    """How much later at most."""
    mtu: int = 65_535
    """Octets of an IP packet; what is larger vanishes."""
    cuts: tuple[tuple[float, float], ...] = ()
    """From when until when nothing gets through, in this direction only."""

    @property
    def clean(self) -> bool:
        """Whether everything arrives once, in order and soon."""
        faults = self.faults
        rough = faults.loss, faults.duplication, faults.reordering, self.damage, self.late
        return not any(rough) and self.mtu >= 65_535 and not self.cuts


class Wire:
    """One direction of the way between two hosts."""

    __slots__ = ("_chance", "_link", "hazards")

    def __init__(self, hazards: Hazards, seed: str) -> None:
        """Makes a way whose decisions depend on `seed` alone."""
        self.hazards = hazards
        self._link = Link(hazards.faults, seed)
        self._chance = random.Random(seed + " more").random

    def carry(self, size: int, now: float) -> tuple[list[float], str]:
        """Returns when the copies of a datagram of `size` octets arrive, and its fate in a word."""
        hazards = self.hazards
        if size + HEADERS > hazards.mtu:
            return [], "too large"
        for start, end in hazards.cuts:
            if start <= now < end:
                return [], "cut off"
        if hazards.damage and self._chance() < hazards.damage:
            return [], "damaged"
        arrivals = self._link.carry(now)
        if not arrivals:
            return arrivals, "lost"
        if hazards.late and self._chance() < hazards.late:
            return [*arrivals, now + hazards.lateness * self._chance()], "comes again late"
        return arrivals, "doubled" if len(arrivals) > 1 else ""


class Network:
    """The links and the ports of all hosts."""

    def __init__(self, clock: Clock, trace: Trace, seed: int, hazards: Hazards) -> None:
        """Makes a network whose links are all alike until `connect` says otherwise."""
        self.clock = clock
        self.trace = trace
        self.seed = seed
        self._hazards = hazards
        self._had: set[Address] = set()
        self._ports: dict[Address, Take] = {}
        self._wires: dict[tuple[str, str], Wire] = {}
        self._random = random.Random(f"{seed} ports")

    @property
    def open_ports(self) -> list[Address]:
        """Returns all ports that are open, oldest first."""
        return list(self._ports)

    def connect(self, source: str, to: str, hazards: Hazards) -> None:
        """Says what happens on the way from one host to another, in this direction."""
        self._wires[source, to] = Wire(hazards, f"{self.seed} {source} {to}")

    def bind(self, host: str, port: int, take: Take) -> Address:
        """Opens a port; 0 is one that the host has not had before. Raises OSError.

        What was on its way to an earlier transfer must not be taken for one of a later (RFC
        1350 section 4); real systems leave that to chance, and a soak would see it happen.
        """
        while not port:
            port = self._random.randint(FIRST_PORT, LAST_PORT)
            if (host, port) in self._had:
                port = 0
        self._had.add((host, port))
        if (host, port) in self._ports:
            raise OSError(errno.EADDRINUSE, "the port is taken")
        self._ports[host, port] = take
        return host, port

    def release(self, address: Address) -> None:
        """Closes a port. May be repeated."""
        self._ports.pop(address, None)

    def is_open(self, address: Address) -> bool:
        """Tells whether somebody hears what comes to a port."""
        return address in self._ports

    def send(self, datagram: bytes, source: Address, to: Address) -> None:
        """Puts a datagram on its way."""
        if len(datagram) > LARGEST:
            raise OSError(errno.EMSGSIZE, "larger than a datagram can be")
        wire = self._wires.get((source[0], to[0]))
        if wire is None:
            self.connect(source[0], to[0], self._hazards)
            wire = self._wires[source[0], to[0]]
        clock = self.clock
        arrivals, fate = wire.carry(len(datagram), clock.now)
        self.trace.sent(clock.now, source, to, datagram, fate)
        for arrival in arrivals:
            clock.at(arrival, partial(self._deliver, datagram, source, to))

    def inject(self, datagram: bytes, source: Address, to: Address) -> None:
        """Has a datagram arrive at once, from wherever it says it is."""
        self.trace.sent(self.clock.now, source, to, datagram, "forged")
        self._deliver(datagram, source, to)

    def _deliver(self, datagram: bytes, source: Address, to: Address) -> None:
        take = self._ports.get(to)
        self.trace.came(self.clock.now, source, to, datagram, "" if take else "nobody is there")
        if take is not None:
            take(datagram, source)
