"""Leaving a port without losing what is on its way to it (RFC 1350 section 4: the request).

What a socket holds when it is closed is lost, and its sender waits for a second or more
before it asks again. So the socket is first made one that nothing more arrives at, while
what it has can still be read; then the next server on the port gets all that comes. Must not
know what arrives.
"""

import socket
from contextlib import suppress

__all__ = ["stop_arrivals"]

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def stop_arrivals(sock: socket.socket) -> None:
    """Has nothing more arrive at a bound UDP socket. What has arrived can still be received.

    It is connected to itself, and takes from nobody else then: that leaves no moment in which
    a datagram could come between the last look and the end. Only for a socket that no other
    process listens on.
    """
    with suppress(OSError):  # then it is closed a moment later, with what comes in that moment
        name = sock.getsockname()
        sock.connect((_ANY.get(name[0], name[0]), *name[1:]))
