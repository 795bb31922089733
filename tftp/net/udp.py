"""UDP sockets: addresses, buffers, and the kernel's segmentation (`UDP_SEGMENT`, `UDP_GRO`).

A train of equal datagrams leaves in one call and arrives in one, where the kernel and
the path can do that; where they cannot, the same calls fall back to a datagram each.
What a socket can do is probed once, and again given up by the socket that is refused.
Must not know about transfers.
"""

import contextlib
import errno
import os
import random
import socket
import struct
from collections.abc import Sequence
from functools import lru_cache

from tftp.protocol.packets import HEADER
from tftp.protocol.transfer import Address

__all__ = [
    "MAX_DATAGRAM",
    "UPLOAD_BUFFER",
    "Endpoint",
    "bind_listener",
    "bind_transfer",
    "buffer_for",
    "grow_buffer",
    "is_group",
    "max_segments",
    "path_mtu",
    "prepare_listener",
    "receive_budget",
    "receive_request",
    "resolve",
    "send_from",
]

MAX_DATAGRAM = 65507
"""The largest UDP payload over IPv4, and of one call that sends a train."""

LISTEN_BUFFER = 4 << 20
"""Asked for the listening socket: a thousand requests at once must all find room."""

UPLOAD_BUFFER = 4 << 20
"""Asked for a socket that receives windows: half a window lost is a window sent again."""

# Linux's numbers, which the socket module does not name.
SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104
IP_PKTINFO = 8
IP_MTU = 14
IPV6_MTU = 24
SO_RCVBUFFORCE = 33

IP_HEADERS = {socket.AF_INET: 20 + 8, socket.AF_INET6: 40 + 8}
"""Octets of IP and UDP headers, by family."""

_GRO_SPACE = socket.CMSG_SPACE(4)
_INFO_SPACE = socket.CMSG_SPACE(20)

# What a send says when it is the train that the path does not take, not the peer.
_NO_TRAIN = {errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP}


@lru_cache(maxsize=1)
def max_segments() -> int:
    """Returns how many datagrams the kernel takes in one call: 128, 64, or 1 where it cannot.

    Tried once, on a socket of our own that sends to itself over loopback.
    """
    for count in (128, 64):
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial,
        ):
            trial.bind(("127.0.0.1", 0))
            trial.setsockopt(SOL_UDP, UDP_SEGMENT, 1)
            trial.sendto(b"\0" * count, socket.MSG_DONTWAIT, trial.getsockname())
            return count
    return 1


class Endpoint:
    """A non-blocking UDP socket that one transfer owns.

    Unconnected, so that a stranger is heard and can be told so (RFC 1350 section 4); a
    connected socket alone would leave that to the kernel, which knows ICMP only. `connect`
    adds a connected one on the same port: the kernel hands it all that the peer sends,
    at a lower cost, and the first one is left for strangers.
    """

    __slots__ = ("_grouped", "_segment", "fast", "socket")

    def __init__(self, sock: socket.socket) -> None:
        """Takes ownership of a bound socket."""
        sock.setblocking(False)
        self.socket = sock
        self.fast: socket.socket | None = None
        """The connected socket, once there is one."""
        self._segment = 0
        self._grouped = False

    def fileno(self) -> int:
        """Returns the descriptor, to wait on."""
        return self.socket.fileno()

    def close(self) -> None:
        """Closes the socket, or both."""
        self.socket.close()
        self.disconnect()

    def connect(self, peer: Address) -> bool:
        """Adds a connected socket for the peer; False where the system has none to give.

        Both may share the port only while they are being bound, so that no other socket
        ever gets it.
        """
        try:
            fast = socket.socket(self.socket.family, socket.SOCK_DGRAM)
        except OSError:
            return False
        try:
            fast.setblocking(False)
            for sock in (self.socket, fast):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            size = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            if size > fast.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF):
                grow_buffer(fast, size // 2)  # the kernel doubles what it is asked for
            fast.bind(self.socket.getsockname())
            fast.connect(peer)
        except OSError:
            fast.close()
            return False
        finally:
            for sock in (self.socket, fast):
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.fast = fast
        return True

    def disconnect(self) -> None:
        """Closes the connected socket; what it had not given out is lost, as on any link."""
        if self.fast is not None:
            self.fast.close()
            self.fast = None

    def send(self, data: bytes | memoryview, to: Address) -> bool:
        """Sends one datagram; False when it should be tried again once the socket is writable.

        Whatever else keeps it from leaving (no route, a firewall, no memory) is a lost packet
        to TFTP: the socket would be writable at once, and again to no avail.
        """
        if 0 < self._segment < len(data):
            self._forgo_trains()  # blocks are so small that the kernel would cut an ERROR
        try:
            self.socket.sendto(data, to)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def plan_trains(self, stride: int) -> int:
        """Prepares for datagrams of `stride` octets; returns how many fit into one train."""
        count = min(max_segments(), MAX_DATAGRAM // stride)
        if count > 1:
            try:
                self.socket.setsockopt(SOL_UDP, UDP_SEGMENT, stride)
                self._segment = stride
            except OSError:
                count = 1
        return count

    def send_train(self, view: memoryview, stride: int, to: Address) -> int:
        """Sends the datagrams that lie end to end in `view`, each `stride` octets but the last.

        Returns how many left (or were lost, as on any link); fewer than all when the
        socket is full, and the rest should be tried again once it is writable.
        """
        count = -(-len(view) // stride)
        if self._segment == stride or count == 1:
            try:
                self.socket.sendto(view, to)
                return count
            except BlockingIOError:
                return 0
            except OSError as error:
                if not self._segment or error.errno not in _NO_TRAIN:
                    return count
                self._forgo_trains()
        for index in range(count):
            if not self.send(view[index * stride : (index + 1) * stride], to):
                return index
        return count

    def _forgo_trains(self) -> None:
        self._segment = 0
        with contextlib.suppress(OSError):
            self.socket.setsockopt(SOL_UDP, UDP_SEGMENT, 0)

    def group_arrivals(self) -> None:
        """Asks the kernel to hand over trains whole; without it they come one by one."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(SOL_UDP, UDP_GRO, 1)
            self._grouped = True

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        """Receives one datagram or one train: octets, stride, source; None when there is none.

        The stride is 0 for a single datagram. `buffer` should hold 65,536 octets.
        """
        try:
            if not self._grouped:
                size, source = self.socket.recvfrom_into(buffer)
                return size, 0, source
            size, extra, _, source = self.socket.recvmsg_into([buffer], _GRO_SPACE)
        except BlockingIOError:
            return None
        except OSError:
            return None  # an ICMP error of an earlier send; the timer decides
        if not extra:
            return size, 0, source
        stride = struct.unpack_from("i", extra[0][2])[0]
        return size, stride if stride < size else 0, source


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    """Returns the addresses of a host, in the system's order. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return [(info[0], info[4]) for info in found if info[0] in IP_HEADERS]  # type: ignore[misc]


def path_mtu(family: socket.AddressFamily, address: Address) -> tuple[int, Address]:
    """Returns the MTU of the way to an address, and the address as the kernel spells it.

    Nothing is sent. Raises OSError when there is no way.
    """
    level, option = (
        (socket.IPPROTO_IP, IP_MTU) if family == socket.AF_INET else (socket.IPPROTO_IPV6, IPV6_MTU)
    )
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        trial.connect(address)
        peer: Address = trial.getpeername()
        try:
            return trial.getsockopt(level, option), peer
        except OSError:
            return 1500 if family == socket.AF_INET else 1280, peer


def receive_budget() -> int:
    """Returns how large a receive buffer this process gets when it asks for UPLOAD_BUFFER."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        return grow_buffer(trial, UPLOAD_BUFFER)


def buffer_for(window: int, block_size: int) -> int:
    """Returns the receive buffer that holds a window of single datagrams.

    The kernel counts what it allocates, not what arrives: up to twice the octets, and more
    for small datagrams.
    """
    return window * (2 * (block_size + HEADER.size) + 1024)


def grow_buffer(sock: socket.socket, size: int) -> int:
    """Asks for a receive buffer; returns what was granted, in octets of payload and overhead."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except OSError:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def bind_listener(
    family: socket.AddressFamily, address: Address, *, shared: bool = False
) -> socket.socket:
    """Makes a socket for requests. It tells the address that each was sent to. Raises OSError.

    A `shared` one joins others that listen there, if they let it (`SO_REUSEPORT`).
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        prepare_listener(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def prepare_listener(sock: socket.socket) -> None:
    """Has a socket tell where each request was sent to, and hold many of them."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    grow_buffer(sock, LISTEN_BUFFER)
    sock.setblocking(False)


def receive_request(sock: socket.socket, limit: int) -> tuple[bytes, Address, str | None] | None:
    """Receives from a listener: octets (at most `limit` + 1), source, and the address asked.

    That address is None where the kernel does not tell it, or where the datagram went to
    a group or to everybody. Returns None when nothing is there.
    """
    try:
        data, extra, _, source = sock.recvmsg(limit + 1, _INFO_SPACE)
    except BlockingIOError:
        return None
    except OSError:
        return b"", ("", 0), None  # an ICMP error of an earlier answer
    return data, source, _asked(extra)


def _asked(extra: Sequence[tuple[int, int, bytes]]) -> str | None:
    for level, kind, info in extra:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, local, destination = struct.unpack_from("i4s4s", info)
            # They differ when the datagram was broadcast (RFC 1123 4.2.3.5). One that waited
            # in a socket handed over to us comes without: then the address itself must tell.
            asked = socket.inet_ntop(socket.AF_INET, destination)
            known = local == destination or (local == bytes(4) and not is_group((asked, 69)))
            return asked if known else None
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return None if info[0] == 0xFF else socket.inet_ntop(socket.AF_INET6, info[:16])
    return None


def is_group(source: Address) -> bool:
    """Tells whether an address can be no host's own: a group, everybody, or port 0."""
    host = source[0]
    if source[1] == 0:
        return True
    if ":" in host:
        return host.lower().startswith("ff")
    first = int(host.split(".", 1)[0])
    return first >= 224 or first == 0


def send_from(sock: socket.socket, data: bytes, to: Address, local: str) -> None:
    """Answers from a listener, from the address that was asked. A failure is a lost packet."""
    info: tuple[int, int, bytes]
    if sock.family == socket.AF_INET6:
        address = socket.inet_pton(socket.AF_INET6, local)
        scope = to[3] if len(to) == 4 else 0
        info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("16si", address, scope))
    else:
        address = socket.inet_pton(socket.AF_INET, local)
        info = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("i4s4s", 0, address, b"\0\0\0\0"))
    with contextlib.suppress(OSError):
        sock.sendmsg([data], [info], 0, to)


def bind_transfer(
    family: socket.AddressFamily, local: str, scope: int, ports: range | None
) -> Endpoint:
    """Makes the endpoint of a transfer: one ephemeral port, or a free one out of `ports`.

    Raises OSError: EADDRINUSE when all of `ports` are taken, EMFILE without descriptors.
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if ports is None:
            sock.bind(_local(family, local, 0, scope))
        else:
            _bind_within(sock, family, local, scope, ports)
        return Endpoint(sock)
    except BaseException:
        sock.close()
        raise


def _bind_within(
    sock: socket.socket, family: socket.AddressFamily, local: str, scope: int, ports: range
) -> None:
    # From a random place on, so that a port is not used again at once (RFC 1350 section 4).
    start = random.randrange(len(ports))
    for index in range(len(ports)):
        port = ports[(start + index) % len(ports)]
        try:
            sock.bind(_local(family, local, port, scope))
            return
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _local(family: socket.AddressFamily, local: str, port: int, scope: int) -> Address:
    return (local, port) if family == socket.AF_INET else (local, port, 0, scope)
