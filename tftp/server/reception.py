"""The listening sockets, and the requests that wait for an answer (RFC 1350 section 4).

A thousand boards that get power at one moment ask at one moment. To answer takes tens of
microseconds, to take in takes three; so what has arrived is taken in at once, before the
socket's buffer overflows, and answered by and by, between the packets of the transfers that
run. Must not know what a request says.
"""

import socket
from collections import OrderedDict
from typing import NamedTuple

from tftp.net.udp import is_group, receive_request, send_from
from tftp.protocol.transfer import Address
from tftp.server.config import Limits

__all__ = ["Call", "Reception"]

TAKEN_AT_ONCE = 1024  # by one socket, before the others have their turn


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


class Reception:
    """The listeners and the calls that wait, in the order in which they came."""

    def __init__(self, listeners: list[socket.socket], limits: Limits) -> None:
        """Takes ownership of the listeners."""
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._limits = limits
        self.waiting: OrderedDict[tuple[Address, bytes], Call] = OrderedDict()
        """The calls that wait, in the order in which they came."""

    def __len__(self) -> int:
        """Returns how many calls wait."""
        return len(self.waiting)

    def __contains__(self, fd: int) -> bool:
        return fd in self._listeners

    def filenos(self) -> list[int]:
        """Returns the descriptors, to wait on."""
        return list(self._listeners)

    def take(self, fd: int) -> None:
        """Takes in what has arrived by one listener; what finds no room waits in its socket.

        The same call again changes nothing: its client has asked twice for one answer.
        """
        listener = self._listeners[fd]
        for _ in range(min(TAKEN_AT_ONCE, self._limits.waiting - len(self.waiting))):
            arrival = receive_request(listener, self._limits.request)
            if arrival is None:
                return
            datagram, source, local = arrival
            # No answer to a broadcast (RFC 1123 4.2.3.5), and none to nobody.
            if local is not None and not is_group(source):
                call = Call(listener, datagram, source, local)
                self.waiting.setdefault((source, datagram), call)

    def next(self) -> Call | None:
        """Returns the call that has waited longest, and forgets it; None when none waits."""
        return self.waiting.popitem(last=False)[1] if self.waiting else None

    def answer(self, call: Call, datagram: bytes) -> None:
        """Answers from the listener, which has no part in any transfer."""
        send_from(call.listener, datagram, call.source, call.local)

    def close(self) -> None:
        """Closes the listeners; those who still wait will ask again. May be repeated."""
        self.waiting.clear()
        for sock in self._listeners.values():
            sock.close()
        self._listeners.clear()
