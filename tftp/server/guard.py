"""What one host may have of the server, and what those may have who never answered.

UDP lets anybody write any source on a request, and RFC 1350 has no handshake before the
first DATA. A host counts as proven once it has acknowledged something: then it hears what
we send. Until then its transfers are few, short of repeats, and the first to give way. Must
not know about sockets, files or what a request names; it is told the time.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Protocol

from tftp.protocol.packets import WRQ, peek
from tftp.protocol.transfer import Address
from tftp.server.access import Access
from tftp.server.config import Limits

__all__ = ["Bucket", "Guard", "Guarded", "TurnAway", "Verdict", "host_of"]

BURST = 8.0  # seconds of its rate that a bucket holds: boots come together, and then none do
UPLOAD_BURST = 10.0
STRANGE_BURST = 16.0  # a building gets its power back at once


class Verdict(Enum):
    """Why a datagram on the listening port gets no answer of its own."""

    NO_REQUEST = "not a request"
    REPEATED = "a copy of a request whose transfer is running"
    BUSY = "as many transfers as allowed are running"
    SHORT = "no descriptor or no memory is left"
    OVERFLOWN = "more requests wait than may, and it came but once"
    MUTED = "its source port is one of other servers"
    DENIED = "the host may not ask"
    HOST_REQUESTS = "the host asks too often"
    HOST_TRANSFERS = "the host has as many transfers as one may have"
    HOST_UNPROVEN = "the host has answered none of its transfers"
    UPLOADS = "as many uploads as allowed are running"
    HOST_UPLOADS = "the host has as many uploads as one may have"
    UPLOAD_REQUESTS = "uploads come too often"


TurnAway = Callable[[Verdict, Address, float, int], None]
"""Hears why requests get no answer, who asked last, when, and how many they are."""


class Guarded(Protocol):
    """A transfer, as far as the guard has to know it."""

    @property
    def peer(self) -> Address:
        """Who asked."""

    @property
    def writes(self) -> bool:
        """Whether it is an upload."""


class Bucket:
    """Tokens that come at a rate and are kept up to a size; a rate of 0 is no limit."""

    __slots__ = ("_at", "_rate", "_size", "_tokens")

    def __init__(self, rate: float, burst: float = BURST) -> None:
        """Starts full; `burst` is the seconds of the rate that it holds."""
        self._rate = rate or math.inf
        self._size = max(1.0, rate * burst) if rate else math.inf
        self._tokens = self._size
        self._at = -math.inf

    def take(self, now: float) -> bool:
        """Takes a token; False when there is none."""
        self._fill(now)
        if self._tokens < 1.0 - 1e-9:  # what floats leave of a sum
            return False
        self._tokens -= 1.0
        return True

    def wait(self, now: float) -> float:
        """Returns the seconds until there is a token."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def _fill(self, now: float) -> None:
        since = now - self._at
        if since > 0.0:
            self._at = now
            if self._tokens < self._size:
                self._tokens = min(self._size, self._tokens + since * self._rate)


class _Shares:
    """What a host has now."""

    __slots__ = ("transfers", "unproven", "uploads")

    def __init__(self) -> None:
        self.transfers = self.unproven = self.uploads = 0


class Guard:
    """Counts what hosts have and ask for, and remembers who has answered."""

    def __init__(self, limits: Limits, access: Access | None = None) -> None:
        """Knows nobody yet."""
        self._shares: dict[str, _Shares] = {}
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._unproven: OrderedDict[Guarded, None] = OrderedDict()
        self._uploads = 0
        self.set(limits, access or Access())

    def set(self, limits: Limits, access: Access) -> None:
        """Takes other limits; what runs goes on, and every host begins with a full bucket."""
        self._limits = limits
        self._access = access
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._upload_bucket = Bucket(limits.upload_requests, UPLOAD_BURST)
        self.strange = Bucket(limits.unproven_requests, STRANGE_BURST)
        """The requests of hosts that have never answered."""

    def is_proven(self, host: str) -> bool:
        """Tells whether a host, as `host_of` names it, has answered."""
        return host in self._proven

    def hear(self, datagram: bytes, source: Address, now: float) -> Verdict | None:
        """Takes a request from the wire; returns what keeps it from being looked at."""
        limits = self._limits
        if source[1] in limits.muted_ports:
            return Verdict.MUTED
        if not self._access.permits(source[0], writing=peek(datagram) == WRQ):
            return Verdict.DENIED
        if not limits.host_requests:
            return None
        host = host_of(source)
        # The others share one bucket, of answers: nothing is kept of a source that is forged.
        if host in self._proven and not self._bucket(host).take(now):
            return Verdict.HOST_REQUESTS
        return None

    def admit(self, source: Address, now: float, *, writes: bool) -> Verdict | None:
        """Tells what keeps a request from becoming a transfer; None: nothing does."""
        limits, host = self._limits, host_of(source)
        shares = self._shares.get(host)
        if shares is not None:
            if _reached(shares.transfers, limits.host_transfers):
                return Verdict.HOST_TRANSFERS
            if host not in self._proven and _reached(shares.unproven, limits.host_unproven):
                return Verdict.HOST_UNPROVEN
            if writes and _reached(shares.uploads, limits.host_uploads):
                return Verdict.HOST_UPLOADS
        if not writes:
            return None
        if _reached(self._uploads, limits.uploads):
            return Verdict.UPLOADS
        return None if self._upload_bucket.take(now) else Verdict.UPLOAD_REQUESTS

    def begin(self, transfer: Guarded) -> None:
        """Counts a transfer whose peer has not answered yet."""
        shares = self._shares.setdefault(host_of(transfer.peer), _Shares())
        shares.transfers += 1
        shares.unproven += 1
        self._unproven[transfer] = None
        if transfer.writes:
            shares.uploads += 1
            self._uploads += 1

    def prove(self, transfer: Guarded) -> bool:
        """Notes that the peer has answered; returns whether its host was not proven before."""
        if transfer in self._unproven:
            del self._unproven[transfer]
            self._shares[host_of(transfer.peer)].unproven -= 1
        host = host_of(transfer.peer)
        was = host in self._proven
        self._proven[host] = None
        self._proven.move_to_end(host)
        if len(self._proven) > self._limits.hosts:
            self._proven.popitem(last=False)
        return not was

    def end(self, transfer: Guarded) -> None:
        """Counts a transfer no more."""
        host = host_of(transfer.peer)
        shares = self._shares[host]
        shares.transfers -= 1
        if transfer in self._unproven:
            del self._unproven[transfer]
            shares.unproven -= 1
        if transfer.writes:
            shares.uploads -= 1
            self._uploads -= 1
        if not shares.transfers:
            del self._shares[host]

    def surplus(self) -> Guarded | None:
        """Returns the oldest transfer without an answer, while there are more than allowed."""
        if self._limits.unproven and len(self._unproven) > self._limits.unproven:
            return next(iter(self._unproven))
        return None

    @property
    def empty(self) -> bool:
        """Whether nothing runs, as far as the guard has counted."""
        return not (self._shares or self._unproven or self._uploads)

    def _bucket(self, host: str) -> Bucket:
        bucket = self._buckets.get(host)
        if bucket is None:
            if len(self._buckets) >= self._limits.hosts:
                self._buckets.popitem(last=False)
            bucket = self._buckets[host] = Bucket(self._limits.host_requests)
        else:
            self._buckets.move_to_end(host)
        return bucket


def host_of(source: Address) -> str:
    """Returns what counts as one host: an IPv4 address, or an IPv6 network of 64 bits."""
    return source[0] if ":" not in source[0] else _network_of(source[0])


@lru_cache(4096)
def _network_of(host: str) -> str:
    return IPv6Address(int(IPv6Address(host.partition("%")[0])) >> 64 << 64).compressed


def _reached(count: int, limit: int) -> bool:
    return bool(limit) and count >= limit
