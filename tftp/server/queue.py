"""Requests that wait for their answer, and whose turn it is.

While there is time for all, it does not matter. In a flood it decides: hosts that have
answered before go first; then requests that came again, since clients repeat theirs and
forgers have no reason to; then the others. Within each of the three, hosts take turns, so
that no host has more of the server by asking more. Must not know about sockets, or what a
request says.
"""

from collections import OrderedDict
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from tftp.protocol.transfer import Address
from tftp.server.guard import Guard, host_of

__all__ = ["Key", "Queue", "Rank"]

AGAIN_AFTER = 0.2  # seconds; what comes again sooner was doubled by the network
STALE = 1.0  # seconds; by then a client asks again, and whoever does not was none
STALE_AT_ONCE = 512
FORGOTTEN = 50_000  # requests that lost their place, and are known when they come again


class Rank(IntEnum):
    """In which order requests are answered."""

    PROVEN = 0
    AGAIN = 1
    NEW = 2


Key = tuple[Address, bytes]
"""Who asks, and the octets of the request."""
T = TypeVar("T")


class _Place(NamedTuple, Generic[T]):
    call: T
    since: float
    rank: Rank


class _Turns:
    """Requests by host; each host has one turn after the other."""

    def __init__(self) -> None:
        # Most hosts of a flood have asked for one thing, and cost no table of their own.
        self.hosts: OrderedDict[str, Key | OrderedDict[Key, None]] = OrderedDict()

    def push(self, key: Key) -> None:
        host = host_of(key[0])
        keys = self.hosts.get(host)
        if keys is None:
            self.hosts[host] = key
        elif isinstance(keys, OrderedDict):
            keys[key] = None
        else:
            self.hosts[host] = OrderedDict(((keys, None), (key, None)))

    def pop(self) -> Key | None:
        """Returns the oldest request of the host whose turn it is."""
        if not self.hosts:
            return None
        host, keys = self.hosts.popitem(last=False)
        if not isinstance(keys, OrderedDict):
            return keys
        key, _ = keys.popitem(last=False)
        if keys:
            self.hosts[host] = keys
        return key

    def take(self, key: Key) -> None:
        """Takes one out of its turn."""
        host = host_of(key[0])
        keys = self.hosts[host]
        if isinstance(keys, OrderedDict) and len(keys) > 1:
            del keys[key]
        else:
            del self.hosts[host]

    def take_all(self, host: str) -> list[Key]:
        """Takes all of a host."""
        keys = self.hosts.pop(host, None)
        if keys is None:
            return []
        return list(keys) if isinstance(keys, OrderedDict) else [keys]


class _Seen:
    """Which requests have been seen of late, by their hash: a clash costs next to nothing."""

    def __init__(self, count: int) -> None:
        """Remembers at least so many, and at most twice as many."""
        self._count = count
        self._new: set[int] = set()
        self._old: set[int] = set()

    def add(self, key: Key) -> None:
        if len(self._new) >= self._count:
            self._old, self._new = self._new, set()
        self._new.add(hash(key))

    def __contains__(self, key: Key) -> bool:
        number = hash(key)
        return number in self._new or number in self._old


class Queue(Generic[T]):
    """The requests of one server that wait, each once however often it has come.

    Each waits as a `call`: whatever the driver needs to answer it.
    """

    def __init__(self, guard: Guard, limit: int) -> None:
        """Holds at most `limit` requests."""
        self._guard = guard
        self.limit = limit
        """How many may wait; of those that wait already, all stay."""
        self._turns = {rank: _Turns() for rank in Rank}
        self._places: dict[Key, _Place[T]] = {}
        self._forgotten = _Seen(FORGOTTEN)
        self.lost = 0
        """How many requests have lost their place; set back by whoever tells of it."""
        self.loser: Address = ("", 0)
        """Who asked for the last one."""

    def __len__(self) -> int:
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether there is room only for those who take somebody else's place."""
        return len(self._places) >= self.limit

    @property
    def yields(self) -> bool:
        """Whether anybody waits whose place another one may take."""
        return bool(self._turns[Rank.NEW].hosts or self._turns[Rank.AGAIN].hosts)

    def put(self, key: Key, call: T, now: float) -> None:
        """Takes a request, unless it waits already, or there is no place for it."""
        place = self._places.get(key)
        if place is not None:
            if place.rank is Rank.NEW and now - place.since >= AGAIN_AFTER:
                self._turns[Rank.NEW].take(key)
                self._seat(key, place._replace(rank=Rank.AGAIN))
            return
        rank = self._rank(key)
        if not self.full or self._make_room(rank):
            self._seat(key, _Place(call, now, rank))
        else:
            self._forget(key)

    def next(self, now: float) -> T | None:
        """Returns the request whose turn it is, and forgets it; None: none has its turn now."""
        key = self._turns[Rank.PROVEN].pop()
        if key is None and self._places and self._guard.strange.take(now):
            key = self._turns[Rank.AGAIN].pop() or self._next_new(now)
        return self._places.pop(key).call if key is not None else None

    def _next_new(self, now: float) -> Key | None:
        """Returns the next one that has not waited in vain already."""
        for _ in range(STALE_AT_ONCE):
            key = self._turns[Rank.NEW].pop()
            if key is None or now - self._places[key].since < STALE:
                return key
            del self._places[key]
            self._forget(key)
        return None

    def wait(self, now: float) -> float | None:
        """Returns the seconds until some request has its turn; None: none waits."""
        if not self._places:
            return None
        return 0.0 if self._turns[Rank.PROVEN].hosts else self._guard.strange.wait(now)

    def promote(self, host: str) -> None:
        """Moves what a host has asked to the front: it has answered."""
        for rank in (Rank.AGAIN, Rank.NEW):
            for key in self._turns[rank].take_all(host):
                self._seat(key, self._places[key]._replace(rank=Rank.PROVEN))

    def clear(self) -> None:
        """Forgets all that wait."""
        self._places.clear()
        for turns in self._turns.values():
            turns.hosts.clear()

    def _rank(self, key: Key) -> Rank:
        if self._guard.is_proven(host_of(key[0])):
            return Rank.PROVEN
        return Rank.AGAIN if key in self._forgotten else Rank.NEW

    def _seat(self, key: Key, place: _Place[T]) -> None:
        self._places[key] = place
        self._turns[place.rank].push(key)

    def _make_room(self, rank: Rank) -> bool:
        """Takes the place of a request that is worth less than one of `rank`."""
        for worst in (Rank.NEW, Rank.AGAIN):
            if rank < worst and (key := self._turns[worst].pop()) is not None:
                del self._places[key]
                self._forget(key)
                return True
        return False

    def _forget(self, key: Key) -> None:
        """Leaves a request without an answer, but not without a trace."""
        self._forgotten.add(key)
        self.lost += 1
        self.loser = key[0]
