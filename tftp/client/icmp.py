"""What ICMP says about a datagram that an unconnected socket sent (RFC 1122 4.1.3.3).

A connected socket would be told "connection refused" by the kernel; ours is unconnected,
so that it hears strangers, and has to ask. It does so only until the server has
answered: after that the peer's packets count, and a forged ICMP message is not believed.
Must not know about transfers.
"""

import contextlib
import socket
import struct

from tftp.protocol.transfer import Address

__all__ = ["drain", "ignore", "listen"]

# Linux's numbers, which the socket module does not name.
_LEVELS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_SPACE = socket.CMSG_SPACE(16 + 28)  # struct sock_extended_err and an address
_ERRNO = struct.Struct("=I")
_MAX_REPORTS = 16  # taken at a time


def listen(sock: socket.socket) -> None:
    """Asks the kernel to keep ICMP errors for `drain`; where it cannot, there are none."""
    _switch(sock, 1)


def ignore(sock: socket.socket) -> None:
    """Ends that, and forgets what has not been fetched."""
    _switch(sock, 0)


def drain(sock: socket.socket) -> list[tuple[int, Address]]:
    """Returns the errors that came, each as errno and the address that we had sent to."""
    reports: list[tuple[int, Address]] = []
    wanted = _LEVELS[sock.family]
    for _ in range(_MAX_REPORTS):
        try:
            _, extra, _, target = sock.recvmsg(0, _SPACE, socket.MSG_ERRQUEUE)
        except OSError:
            break
        for level, kind, data in extra:
            if (level, kind) == wanted:
                reports.append((_ERRNO.unpack_from(data)[0], target))
    return reports


def _switch(sock: socket.socket, value: int) -> None:
    level, option = _LEVELS[sock.family]
    with contextlib.suppress(OSError):
        sock.setsockopt(level, option, value)
