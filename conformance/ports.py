"""Where datagrams go and come from: UDP ports of this machine, or of a world in memory.

Cases know only `Net` and `Port`, so that the same script judges a real target over sockets
and, in the suite's own tests, one that lives on virtual time. Must not know about TFTP.
"""

import errno
import select
import socket
import struct
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple, Protocol

__all__ = ["Address", "Arrival", "Net", "Port", "UdpNet"]

Address = tuple[str, int]


class Arrival(NamedTuple):
    """What came: a datagram, or word from the network that the port there is closed."""

    datagram: bytes
    source: Address
    at: float
    """When it came, by the clock of the net, not when somebody looked."""
    unreachable: bool = False


class Port(Protocol):
    """One UDP port."""

    @property
    def address(self) -> Address:
        """Returns where it is."""

    def send(self, datagram: bytes, to: Address) -> None:
        """Sends a datagram; one that the network refuses is lost."""

    def receive(self, deadline: float) -> Arrival | None:
        """Waits for what comes next, until `deadline` at most; None: nothing came."""

    def close(self) -> None:
        """Gives the port back."""


class Net(Protocol):
    """What opens ports and knows the time."""

    def now(self) -> float:
        """Returns seconds, of a clock that only its own are compared with."""

    def open(self, host: str, port: int = 0) -> Port:
        """Opens a port; 0 takes a free one, a group's address joins it. Raises OSError."""

    def pause(self, seconds: float) -> None:
        """Lets time pass."""


_IP_RECVERR, _IPV6_RECVERR, _SO_TIMESTAMPNS = 11, 25, 35
_STAMP = struct.Struct("qq")
_RECEIVE_BUFFER = 4 << 20  # a big window must not be lost here


class UdpPort:
    """A real one. It hears ICMP as well, though it is not connected."""

    def __init__(self, host: str, port: int) -> None:
        """Binds it. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            level, name = (
                (socket.IPPROTO_IPV6, _IPV6_RECVERR)
                if family == socket.AF_INET6
                else (socket.IPPROTO_IP, _IP_RECVERR)
            )
            with suppress(OSError):  # not on every system
                self._socket.setsockopt(level, name, 1)
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.bind((host, port))
            if _is_group(host):
                self._join(host)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._poll = select.poll()  # select() knows the first 1,024 descriptors only
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)
        self._address: Address = self._socket.getsockname()[:2]

    @property
    def address(self) -> Address:
        """Returns where it is."""
        return self._address

    def send(self, datagram: bytes, to: Address) -> None:
        """Sends a datagram; one that the network refuses is lost."""
        for _ in range(3):  # each call may hand out an ICMP error of an earlier datagram
            try:
                self._socket.sendto(datagram, to)
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    raise
                continue
            return

    def receive(self, deadline: float) -> Arrival | None:
        """Waits for what comes next, until `deadline` at most; None: nothing came."""
        while True:
            try:
                datagram, extra, _, source = self._socket.recvmsg(65536, 64)
                return Arrival(datagram, source[:2], _arrived(extra))
            except BlockingIOError:
                pass
            except OSError:
                if (refused := self._refused()) is not None:
                    return refused
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            # An error that a send was told of still waits to be read: it would wake us for ever.
            for _, events in self._poll.poll(left * 1000 + 1):
                if events & select.POLLERR and (refused := self._refused()) is not None:
                    return refused

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()

    def _join(self, group: str) -> None:
        """Becomes a member, on the network that the routes name for that group."""
        member = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    def _refused(self) -> Arrival | None:
        """Reads an ICMP error: of which destination it speaks."""
        with suppress(OSError):
            _, _, _, address = self._socket.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            if address:
                return Arrival(b"", address[:2], time.monotonic(), unreachable=True)
        return None


def _is_group(host: str) -> bool:
    """Tells whether that is an IPv4 address of many."""
    with suppress(ValueError):
        address = ip_address(host)
        return address.version == 4 and address.is_multicast
    return False


def _arrived(extra: list[tuple[int, int, bytes]]) -> float:
    """Returns when the kernel took a datagram in: this process may have slept meanwhile."""
    now = time.monotonic()
    for level, kind, stamp in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(stamp) >= _STAMP.size:
            seconds, rest = _STAMP.unpack_from(stamp)
            return float(now - max(0.0, time.time() - (seconds + rest / 1e9)))
    return now


class UdpNet:
    """The network of this machine."""

    def now(self) -> float:
        """Returns seconds of the monotonic clock."""
        return time.monotonic()

    def open(self, host: str, port: int = 0) -> Port:
        """Opens a port; 0 takes a free one. Raises OSError."""
        return UdpPort(host, port)

    def pause(self, seconds: float) -> None:
        """Lets time pass."""
        time.sleep(seconds)
