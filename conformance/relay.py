"""A relay for UDP between TFTP clients and one server, that keeps the rule of transfer IDs.

RFC 1350, 4: each side picks a port, and the pair of them is the transfer. So each client
gets a port of the relay's that the server sees, and each port of the server gets one that
clients see; the server's first is where the relay listens. Whoever sends to either is
passed on as itself, strangers too. Must not know about sockets and clocks, nor TFTP.
"""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .ports import Address
from .relay_faults import TO_CLIENT, TO_SERVER, WAYS, Counts, Faults, Road

__all__ = ["Bounds", "Door", "Relay", "Watch"]

Watch = Callable[[float, str, bytes, int], None]
"""Sees a datagram that came: when, on which way, and how many copies go on."""


class Door(Protocol):
    """A UDP port of the relay."""

    @property
    def address(self) -> Address:
        """Returns where it is."""

    def send(self, datagram: bytes, to: Address) -> bool:
        """Sends a datagram; False: the system refused it."""

    def close(self) -> None:
        """Gives the port back."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a relay holds at most, whatever is sent to it."""

    doors: int = 400
    """Ports that stand for clients and for ports of the server, all together."""
    idle: float = 60.0
    """Seconds after which a port that nobody used is given back."""
    datagrams: int = 10_000
    """On their way at once."""
    octets: int = 64 << 20
    """Of all those."""


@dataclass(slots=True, eq=False)
class _StandIn:
    """A door, and whom it stands for on its other side."""

    door: Door
    address: Address
    used: float
    roads: dict[str, Road] | None
    """Both ways of a client; None: it stands for a port of the server."""


class _Due(NamedTuple):
    """A datagram on its way; heaps sort it by time, then by age."""

    at: float
    number: int
    by: _StandIn
    to: Address
    way: str
    datagram: bytes


class Relay:
    """The relay. Whoever runs it brings arrivals, the time, and new doors."""

    def __init__(
        self,
        server: Address,
        listen: Door,
        open_door: Callable[[str], Door],
        faults: Faults,
        *,
        seed: int | str,
        now: float,
        bounds: Bounds | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`open_door` opens a port towards that way, or raises OSError; `now` in seconds."""
        self.counts: Counts = Counts()
        """By way: `carried`, `delivered`, each fault, `crowded` out by a bound, and `refused`."""
        self._faults = faults
        self._seed = seed
        self._bounds = bounds or Bounds()
        self._watch = watch
        self._began = now
        self._open_door = open_door
        self._clients: dict[Address, _StandIn] = {}
        self._fronts: dict[Address, _StandIn] = {}
        self._doors: dict[Door, _StandIn] = {}
        self._idle: OrderedDict[Door, _StandIn] = OrderedDict()  # all but `listen`, oldest first
        self._fronts[server] = self._doors[listen] = _StandIn(listen, server, now, None)
        self._numbers = itertools.count()
        self._known_clients = itertools.count(1)
        self._queue: list[_Due] = []
        self._octets = 0

    @property
    def doors(self) -> int:
        """Returns how many ports it has besides the one where it listens."""
        return len(self._idle)

    @property
    def queued(self) -> int:
        """Returns how many datagrams are on their way."""
        return len(self._queue)

    def arrive(self, door: Door, datagram: bytes, source: Address, now: float) -> None:
        """Takes what came to a door; one that is closed meanwhile takes nothing."""
        here = self._doors.get(door)
        if here is None:
            return
        self._use(here, now)
        if here.roads is None:
            client = self._client(source, now)
            if client is None:
                self.counts[TO_SERVER, "crowded"] += 1
                return
            self._send(client, TO_SERVER, datagram, (client, here.address), now)
        else:
            front = self._front(source, now)
            if front is None:
                self.counts[TO_CLIENT, "crowded"] += 1
                return
            self._send(here, TO_CLIENT, datagram, (front, here.address), now)

    def due(self) -> float | None:
        """Returns when `work` has something to do, if nothing arrives before."""
        times = [self._queue[0].at] if self._queue else []
        if self._idle:
            times.append(next(iter(self._idle.values())).used + self._bounds.idle)
        return min(times, default=None)

    def work(self, now: float) -> None:
        """Delivers what is due, and gives back ports that nobody used for long."""
        while self._queue and self._queue[0].at <= now:
            due = heapq.heappop(self._queue)
            self._octets -= len(due.datagram)
            if due.by.door not in self._doors:
                continue
            sent = due.by.door.send(due.datagram, due.to)
            self.counts[due.way, "delivered" if sent else "refused"] += 1
        while self._idle:
            oldest = next(iter(self._idle.values()))
            if oldest.used + self._bounds.idle > now:
                return
            self._forget(oldest)

    def close(self) -> None:
        """Gives back all ports but the one where it listens; what is on its way is lost."""
        for stand_in in list(self._idle.values()):
            self._forget(stand_in)
        self._queue.clear()
        self._octets = 0

    def _send(
        self,
        client: _StandIn,
        way: str,
        datagram: bytes,
        path: tuple[_StandIn, Address],
        now: float,
    ) -> None:
        """Puts a datagram on a road of that client; it goes out by a door, to an address."""
        by, to = path
        self._use(by, now)
        assert client.roads is not None
        arrivals = client.roads[way].carry(now, now - self._began, len(datagram), to)
        if self._watch is not None:
            self._watch(now, way, datagram, len(arrivals))
        for at in arrivals:
            room = self._octets + len(datagram) <= self._bounds.octets
            if not room or len(self._queue) >= self._bounds.datagrams:
                self.counts[way, "crowded"] += 1
                continue
            self._octets += len(datagram)
            heapq.heappush(self._queue, _Due(at, next(self._numbers), by, to, way, datagram))

    def _client(self, address: Address, now: float) -> _StandIn | None:
        """Returns what stands for a client; None: there is no room for one more."""
        found = self._clients.get(address)
        if found is None and (door := self._open(TO_SERVER)) is not None:
            seed = f"{self._seed} {next(self._known_clients)}"
            roads = {way: Road(self._faults, seed, way, self.counts) for way in WAYS}
            found = self._clients[address] = _StandIn(door, address, now, roads)
            self._doors[door] = self._idle[door] = found
        return found

    def _front(self, address: Address, now: float) -> _StandIn | None:
        """Returns what stands for a port of the server, or of whoever sends in its place."""
        found = self._fronts.get(address)
        if found is None and (door := self._open(TO_CLIENT)) is not None:
            found = self._fronts[address] = _StandIn(door, address, now, None)
            self._doors[door] = self._idle[door] = found
        return found

    def _open(self, way: str) -> Door | None:
        if len(self._idle) >= self._bounds.doors:
            return None
        try:
            return self._open_door(way)
        except OSError:
            return None

    def _use(self, stand_in: _StandIn, now: float) -> None:
        """Notes that it is in use: the others are given back before."""
        stand_in.used = now
        if stand_in.door in self._idle:
            self._idle.move_to_end(stand_in.door)

    def _forget(self, stand_in: _StandIn) -> None:
        del self._idle[stand_in.door], self._doors[stand_in.door]
        del (self._fronts if stand_in.roads is None else self._clients)[stand_in.address]
        stand_in.door.close()
