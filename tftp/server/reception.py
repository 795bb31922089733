"""The listening sockets, and the requests that wait for an answer (RFC 1350 section 4).

A thousand boards that get power at one moment ask at one moment. To answer takes tens of
microseconds, to take in takes three; so what has arrived is taken in at once, before the
socket's buffer overflows, and answered by and by, between the packets of the transfers that
run. What no answer may go to is passed over here, at the least cost. Must not know what a
request says.
"""

import socket
from collections.abc import Iterator
from typing import NamedTuple

from tftp.net.clock import now as clock
from tftp.net.leaving import stop_arrivals
from tftp.net.udp import is_group, receive_request, send_from
from tftp.protocol.transfer import Address
from tftp.server.config import Limits
from tftp.server.guard import Guard, TurnAway, Verdict, host_of
from tftp.server.queue import Queue

__all__ = ["Call", "Reception"]

TAKEN_AT_ONCE = 1024  # by one socket, before the others have their turn
REQUESTS = (b"\0\1", b"\0\2")  # RRQ and WRQ


class Call(NamedTuple):
    """What came by a listener: its octets, who sent it, and which address of ours was asked."""

    listener: socket.socket
    datagram: bytes
    source: Address
    local: str

    @property
    def family(self) -> socket.AddressFamily:
        """Returns the family that the answer needs."""
        return socket.AddressFamily(self.listener.family)

    @property
    def scope(self) -> int:
        """Returns the zone of an IPv6 link-local peer, else 0."""
        return self.source[3] if len(self.source) == 4 else 0


def _nobody_minds(verdict: Verdict, source: Address, now: float, count: int) -> None:
    """Passes over calls without a word."""


class Reception:
    """The listeners and the calls that wait."""

    def __init__(
        self,
        listeners: list[socket.socket],
        limits: Limits,
        guard: Guard,
        turn_away: TurnAway = _nobody_minds,
        sole: bool = False,
    ) -> None:
        """Takes ownership of the listeners; `turn_away` hears of each call that is passed over.

        `sole`: no other process receives from them.
        """
        self._sole = sole
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._limits = limits
        self._guard = guard
        self._turn_away = turn_away
        self._queue: Queue[Call] = Queue(guard, limits.waiting)

    def __len__(self) -> int:
        """Returns how many calls wait."""
        return len(self._queue)

    def __contains__(self, fd: int) -> bool:
        return fd in self._listeners

    def filenos(self) -> list[int]:
        """Returns the descriptors, to wait on."""
        return list(self._listeners)

    def set(self, limits: Limits) -> None:
        """Takes other limits."""
        self._limits = limits
        self._queue.limit = limits.waiting

    def take(self, fd: int, now: float, most: int = TAKEN_AT_ONCE) -> None:
        """Takes in what has arrived by one listener: no more than its share of a turn.

        The same call again changes nothing: its client has asked twice for one answer.
        """
        queue = self._queue
        self._take(self._listeners[fd], now, most)
        if queue.lost:
            self._turn_away(Verdict.OVERFLOWN, queue.loser, now, queue.lost)
            queue.lost = 0

    def _take(self, listener: socket.socket, now: float, most: int) -> None:
        queue = self._queue
        for _ in range(most):
            if queue.full and not queue.yields:
                return  # the others wait in their socket
            arrival = receive_request(listener, self._limits.request)
            if arrival is None:
                return
            datagram, source, local = arrival
            # No answer to a broadcast (RFC 1123 4.2.3.5), and none to nobody.
            if local is None or is_group(source) or datagram[:2] not in REQUESTS:
                continue
            verdict = self._guard.hear(datagram, source, now)
            if verdict is not None:
                self._turn_away(verdict, source, now, 1)
            else:
                queue.put((source, datagram), Call(listener, datagram, source, local), now)

    def next(self, now: float) -> Call | None:
        """Returns the call whose turn it is, and forgets it; None when none has its turn."""
        return self._queue.next(now)

    def wait(self, now: float) -> float | None:
        """Returns the seconds until a call has its turn; None: none waits."""
        return self._queue.wait(now)

    def due(self, now: float) -> bool:
        """Tells whether a call has its turn now."""
        return self._queue.wait(now) == 0.0

    def last_calls(self) -> Iterator[Call]:
        """Yields the calls that have come by now, and lets no more arrive.

        Whoever follows on the port does not know of them. What waits in a socket that others
        receive from too is left to those.
        """
        for sock in self._listeners.values() if self._sole else ():
            stop_arrivals(sock)
        while True:
            now = clock()
            for fd in self.filenos() if self._sole else ():
                self.take(fd, now)
            call = self.next(now)
            if call is None:
                return
            yield call

    def promote(self, source: Address) -> None:
        """Lets the calls of a host that has answered go before those of others."""
        self._queue.promote(host_of(source))

    def answer(self, call: Call, datagram: bytes) -> None:
        """Answers from the listener, which has no part in any transfer."""
        send_from(call.listener, datagram, call.source, call.local)

    def close(self) -> None:
        """Closes the listeners; those who still wait will ask again. May be repeated."""
        self._queue.clear()
        for sock in self._listeners.values():
            sock.close()
        self._listeners.clear()
