"""Runs a relay on real sockets: waits, reads, and delivers what is due. One thread.

It reads a bounded number of datagrams from each port in turn, so none starves the others,
and sleeps whenever there is nothing to do. ICMP is not passed on: behind a relay, a server
that is down looks like one that is silent. Must not know what becomes of datagrams.
"""

import os
import selectors
import socket
import time
from contextlib import suppress

from .ports import Address
from .relay import Bounds, Relay, Watch
from .relay_faults import TO_SERVER, Counts, Faults

__all__ = ["UdpRelay"]

BATCH = 32  # datagrams read from a port before the others get their turn
LARGEST = 65535
BUFFER = 1 << 20  # octets that the kernel keeps for a port, if it may: windows come in bursts


class UdpDoor:
    """A UDP port that never waits."""

    def __init__(self, host: str, port: int = 0) -> None:
        """Binds it; no host: any address of that family. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            for name in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                with suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, name, BUFFER)
            self._socket.bind((host, port))
            self._socket.setblocking(False)
        except (OSError, OverflowError):
            self._socket.close()
            raise
        self.address: Address = self._socket.getsockname()[:2]

    def fileno(self) -> int:
        """Returns the number of its descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, datagram: bytes, to: Address) -> bool:
        """Sends a datagram; False: the system refused it."""
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[bytes, Address] | None:
        """Returns what has come, and from where; None: nothing more."""
        try:
            datagram, source = self._socket.recvfrom(LARGEST)
        except OSError:
            return None
        return datagram, source[:2]

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()


class _SelectedDoor(UdpDoor):
    """A port that leaves its selector when it is closed."""

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int = 0) -> None:
        """Binds it and has the selector watch it. Raises OSError."""
        super().__init__(host, port)
        self._selector = selector
        selector.register(self, selectors.EVENT_READ)

    def close(self) -> None:
        """Gives the port back."""
        self._selector.unregister(self)
        super().close()


class UdpRelay:
    """A relay that listens; `run` does its work, `stop` from another thread ends it."""

    def __init__(
        self,
        server: Address,
        listen: Address,
        faults: Faults,
        *,
        seed: int | str,
        bounds: Bounds | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Binds `listen`; port 0 is a free one. Raises OSError, and ValueError for a circle."""
        if server == listen:
            raise ValueError("a relay to itself would go round for ever")
        self._selector = selectors.DefaultSelector()
        self._listen_host = listen[0]
        self._server_host = server[0]
        try:
            self._door = _SelectedDoor(self._selector, *listen)
        except (OSError, OverflowError):
            self._selector.close()
            raise
        self._wake_reader, self._wake_writer = os.pipe()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._relay = Relay(
            server,
            self._door,
            self._open,
            faults,
            seed=seed,
            now=time.monotonic(),
            bounds=bounds,
            watch=watch,
        )

    @property
    def address(self) -> Address:
        """Returns where it listens."""
        return self._door.address

    @property
    def counts(self) -> Counts:
        """Returns what has happened so far."""
        return self._relay.counts

    def run(self, seconds: float | None = None) -> None:
        """Relays for so long; None: until `stop`, or an exception such as Ctrl-C."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if end is not None and now >= end:
                return
            self._relay.work(now)
            wake = min((t for t in (end, self._relay.due()) if t is not None), default=None)
            wait = None if wake is None else max(0.0, wake - now)
            for key, _ in self._selector.select(wait):
                if key.fd == self._wake_reader:
                    os.read(self._wake_reader, 1)
                    return
                assert isinstance(key.fileobj, _SelectedDoor)
                self._read(key.fileobj)

    def stop(self) -> None:
        """Has `run` return, or return at once when it is called next."""
        os.write(self._wake_writer, b"\0")

    def close(self) -> None:
        """Gives back all ports."""
        self._relay.close()
        self._door.close()
        self._selector.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _read(self, door: _SelectedDoor) -> None:
        for _ in range(BATCH):
            arrival = door.receive()
            if arrival is None:
                return
            self._relay.arrive(door, *arrival, time.monotonic())

    def _open(self, way: str) -> _SelectedDoor:
        """Opens a port that the server sees, or one that clients see where they see the first."""
        if way == TO_SERVER:
            return _SelectedDoor(self._selector, "::" if ":" in self._server_host else "0.0.0.0")
        return _SelectedDoor(self._selector, self._listen_host)
