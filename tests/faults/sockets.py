"""Sockets that fail as a kernel, a firewall or a network may have them fail."""

import os
import socket
from collections.abc import Callable

import pytest

from tftp.net.udp import Endpoint, bind_listener, bind_transfer
from tftp.protocol.transfer import Address

__all__ = ["Faults", "Faulty"]

MODULES = {"server": "tftp.server.loop", "client": "tftp.client.session"}


class Faults:
    """What goes wrong with the sockets of one test; nothing at first."""

    def __init__(self) -> None:
        self.sending: Callable[[], int | None] = lambda: None
        """Returns the error number of the next send."""
        self.receiving: list[int] = []
        """The error numbers of the next looks into a connected socket."""
        self.tries = 0
        """How often something was to be sent."""

    def every(self, nth: int, number: int) -> None:
        """Has each nth send fail."""
        self.sending = lambda: number if self.tries % nth == 0 else None

    def first(self, count: int, number: int) -> None:
        """Has the first sends fail, from now on."""
        end = self.tries + count
        self.sending = lambda: number if self.tries <= end else None

    def always(self, number: int) -> None:
        self.sending = lambda: number

    def none(self) -> None:
        self.sending = lambda: None

    def before_send(self) -> None:
        self.tries += 1
        number = self.sending()
        if number is not None:
            raise OSError(number, os.strerror(number))

    def before_receive(self) -> None:
        if self.receiving:
            number = self.receiving.pop(0)
            raise OSError(number, os.strerror(number))

    def install(self, monkeypatch: pytest.MonkeyPatch, side: str) -> None:
        """Has all sockets that the "server" or the "client" makes fail so."""
        connect = Endpoint.connect

        def bind(
            family: socket.AddressFamily, local: str, scope: int, ports: range | None
        ) -> Endpoint:
            endpoint = bind_transfer(family, local, scope, ports)
            return Endpoint(Faulty.take(endpoint.socket, self))

        def connected(endpoint: Endpoint, peer: Address) -> bool:
            made = connect(endpoint, peer)
            if endpoint.fast is not None and isinstance(endpoint.socket, Faulty):
                endpoint.fast = Faulty.take(endpoint.fast, self)
            return made

        def listen(
            family: socket.AddressFamily, address: Address, *, shared: bool = False
        ) -> socket.socket:
            return Faulty.take(bind_listener(family, address, shared=shared), self)

        monkeypatch.setattr(f"{MODULES[side]}.bind_transfer", bind)
        monkeypatch.setattr(Endpoint, "connect", connected)
        if side == "server":
            monkeypatch.setattr("tftp.server.server.bind_listener", listen)


class Faulty(socket.socket):
    """A UDP socket that may fail."""

    faults: Faults

    @classmethod
    def take(cls, sock: socket.socket, faults: Faults) -> "Faulty":
        """Makes one of an ordinary socket."""
        blocking = sock.getblocking()
        faulty = cls(fileno=sock.detach())
        faulty.setblocking(blocking)
        faulty.faults = faults
        return faulty

    def send(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        self.faults.before_send()
        return super().send(data)

    def sendto(self, data: bytes | memoryview, to: Address) -> int:  # type: ignore[override]
        self.faults.before_send()
        return super().sendto(data, to)

    def sendmsg(self, *arguments: object) -> int:
        self.faults.before_send()
        return super().sendmsg(*arguments)  # type: ignore[arg-type]

    def recv_into(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self.faults.before_receive()
        return super().recv_into(buffer)
