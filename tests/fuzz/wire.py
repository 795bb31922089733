"""An endpoint without sockets, with or without a connected one beside it.

What arrives is given by whoever plays the network, what leaves is kept for him, and sending
fails like that of a full socket when he says so. Must not know what the packets mean.
"""

import socket
from collections import deque

from tftp.net.udp import Endpoint
from tftp.protocol.transfer import Address

__all__ = ["Wire"]


class Wire(Endpoint):
    """An endpoint without a socket: what arrives is given, what leaves is kept."""

    __slots__ = ("arrivals", "fast_arrivals", "full", "sent")

    def __init__(self) -> None:  # no socket to take
        self.fast = None
        self.full = False
        self.arrivals: deque[tuple[bytes, int, Address]] = deque()
        self.fast_arrivals: deque[bytes] = deque()
        """What waits in the connected socket."""
        self.sent: list[tuple[bytes, Address]] = []

    def arrive(self, data: bytes, stride: int, source: Address, peer: Address) -> None:
        """Takes a datagram, or a train; a connected socket gets all that the peer sends."""
        if self.fast is None or source != peer:
            self.arrivals.append((data, stride, source))
        else:
            step = stride or len(data) or 1
            self.fast_arrivals += [
                data[start : start + step] for start in range(0, len(data) or 1, step)
            ]

    def connect(self, peer: Address) -> bool:
        """Adds a connected socket."""
        self.fast = Fast(self, peer)
        return True

    def close(self) -> None:
        """Has nothing to give back."""

    def send(self, data: bytes | memoryview, to: Address) -> bool:
        """Keeps a datagram, unless it is full."""
        if not self.full:
            self.sent.append((bytes(data), to))
        return not self.full

    def plan_trains(self, stride: int) -> int:
        """Takes trains of four."""
        return 4

    def send_train(self, view: memoryview, stride: int, to: Address) -> int:
        """Takes a train apart; one that is full has had room for its first datagram."""
        count = -(-len(view) // stride)
        left = 1 if self.full and count > 1 else 0 if self.full else count
        pieces = [view[index * stride : (index + 1) * stride] for index in range(left)]
        self.sent += [(bytes(piece), to) for piece in pieces]
        return left

    def receive_into(self, buffer: memoryview | bytearray) -> tuple[int, int, Address] | None:
        """Gives what has arrived."""
        if not self.arrivals:
            return None
        data, stride, source = self.arrivals.popleft()
        buffer[: len(data)] = data
        return len(data), stride if stride < len(data) else 0, source


class Fast(socket.socket):
    """The connected socket of a wire; it has no descriptor."""

    def __init__(self, wire: Wire, peer: Address) -> None:  # the kernel is not asked
        self.wire = wire
        self.peer = peer

    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        """Gives what has arrived, cut to the room there is."""
        if not self.wire.fast_arrivals:
            raise BlockingIOError
        data = self.wire.fast_arrivals.popleft()[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        """Keeps a datagram, unless the wire is full."""
        if self.wire.full:
            raise BlockingIOError
        self.wire.sent.append((bytes(data), self.peer))
        return len(data)

    def close(self) -> None:
        """Has nothing to give back."""
