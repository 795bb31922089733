"""Sockets that somebody else has opened for us, as systemd's socket units do.

The protocol is that of sd_listen_fds(3): `LISTEN_FDS` descriptors from number 3 on, meant
for the process `LISTEN_PID`. So port 69 needs no right of ours. A datagram socket of the
Internet families is taken, and told to say where requests were sent to.
Must not know about requests.
"""

import os
import socket

from tftp.errors import LocalError
from tftp.net.udp import IP_HEADERS, prepare_listener

__all__ = ["take_listeners"]

FIRST = 3  # SD_LISTEN_FDS_START


def take_listeners() -> list[socket.socket]:
    """Returns the sockets handed over, ready to listen on; none when there are none.

    They are taken once: the variables are removed, so that no child takes them again.
    Raises LocalError for what is no UDP socket.
    """
    count, process = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdigit():
        return []
    return [_take(number) for number in range(FIRST, FIRST + int(count))]


def _take(number: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise LocalError(f"Descriptor {number}, handed over to listen on, is no socket") from error
    if sock.type != socket.SOCK_DGRAM or sock.family not in IP_HEADERS:
        sock.detach()
        raise LocalError(f"Descriptor {number}, handed over to listen on, is no UDP socket")
    sock.set_inheritable(False)
    prepare_listener(sock)
    return sock
