"""Our server in a world in memory: its service and its channels, without sockets and threads.

Does what `tftp.server.loop` does, for one datagram at a time. The files are real ones, so
that the cases about names and links have something to look at. A `ServerKind` says what is
different about it, which for the sound server is nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.conformance.endpoint import Quirk, VirtualEndpoint
from tests.conformance.world import Address, World
from tftp.errors import LocalError
from tftp.net.channel import Channel, Inbound, Scratch
from tftp.net.files import FileSource, NetasciiSource, Sink, Source
from tftp.net.root import Root
from tftp.protocol.pace import Timing
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.server import service
from tftp.server.config import Limits, Upload
from tftp.server.content import Folder
from tftp.server.running import drive
from tftp.server.service import Admitted, Reading, Refused, Service, Verdict, Writing
from tftp.sim.clock import Alarm

__all__ = ["Cupboard", "ServerActor", "ServerKind"]

PORT = 69
REQUESTS = (b"\0\1", b"\0\2")
LISTENS = ("127.0.0.1", "127.0.0.2", "::1")
BUFFER = 8 << 20
TIMING = Timing()
LIMITS = Limits()


class Cupboard(Folder):
    """A folder whose files are read at once: a disk that is slow has no place in virtual time."""

    def __init__(self, root: Root, upload: Upload) -> None:
        """Serves `root`, which it does not own."""
        super().__init__(root, upload, None)
        self.root = root

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        """Opens a file."""
        source = FileSource(self.root.open_file(name))
        return NetasciiSource(source, keep) if netascii else source

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        """Opens a temporary file."""
        return super().write(name, netascii=netascii, size=size)


@dataclass(frozen=True)
class ServerKind:
    """A sort of server: ours, or ours with something wrong."""

    quirk: type[Quirk] = Quirk
    """Stands between each transfer, or the listener, and the wire."""
    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver
    service: type[Service] = Service
    content: type[Cupboard] = Cupboard
    timing: Timing = TIMING
    limits: Limits = LIMITS
    upload: Upload = Upload.OVERWRITE
    one_port: bool = False
    """Whether it answers from the listening port."""
    mixes: bool = False
    """Whether all that comes to that one port counts for the newest transfer."""


class ServerActor:
    """A server at port 69 of some hosts of a world."""

    def __init__(
        self, world: World, root: Path, kind: ServerKind, patch: pytest.MonkeyPatch
    ) -> None:
        """Listens at once, and serves the folder `root`, until `patch` is undone."""
        self.kind = kind
        patch.setattr(service, "Sender", kind.sender)
        patch.setattr(service, "Receiver", kind.receiver)
        self._world = world
        self._root = Root(root)
        content = self.kind.content(self._root, self.kind.upload)
        self._service = self.kind.service(content, self.kind.limits, self.kind.timing)
        self._service.receive_budget = BUFFER
        self._scratch = Scratch(self.kind.limits.cache)
        self._running: dict[Admitted, _Served] = {}
        self._shared: dict[Address, VirtualEndpoint] = {}
        self._newest: Address = ("", 0)
        self._listeners = [self._listen(host) for host in LISTENS]

    @property
    def address(self) -> Address:
        """Returns where it listens."""
        return self._listeners[0].address

    @property
    def count(self) -> int:
        """Returns how many transfers live."""
        return self._service.count

    def close(self) -> None:
        """Ends every transfer, and gives files and ports back."""
        for served in list(self._running.values()):
            if served.admitted.transfer.outcome is None:
                served.channel.fail(LocalError("The server is shutting down"), self._world.now())
            served.end()
        for listener in self._listeners:
            listener.close()
        self._root.close()

    def _listen(self, host: str) -> VirtualEndpoint:
        listener = VirtualEndpoint(self._world, host, PORT, self.kind.quirk())
        buffer = bytearray(65536)

        def take() -> None:
            while (arrival := listener.receive_into(buffer)) is not None:
                self._sort(listener, bytes(buffer[: arrival[0]]), arrival[2])

        listener.wake = take
        return listener

    def _sort(self, listener: VirtualEndpoint, datagram: bytes, source: Address) -> None:
        """Gives a datagram to its transfer, if they all share the port; else it is a request."""
        peer = self._newest if self.kind.mixes else source
        endpoint = self._shared.get(peer)
        if endpoint is not None and datagram[:2] not in REQUESTS:
            endpoint.take(datagram, peer)
        else:
            # The real one takes in no more than it needs to know that it is too long.
            self._answer(listener, datagram[: self.kind.limits.request + 1], source)

    def _answer(self, listener: VirtualEndpoint, datagram: bytes, source: Address) -> None:
        now = self._world.now()
        decided = self._service.decide(datagram, source, now)
        match decided:
            case Reading() | Writing():
                self._begin(listener, decided, now)
            case Refused():
                listener.send(decided.datagram, source)
            case Verdict.REPEATED:
                known = self._service.newest(source)
                served = self._running.get(known) if known is not None else None
                if served is not None:
                    served.ask_again()
            case Verdict.BUSY | Verdict.SHORT | Verdict.NO_REQUEST:
                pass

    def _begin(self, listener: VirtualEndpoint, admitted: Admitted, now: float) -> None:
        host = listener.address[0]
        endpoint = VirtualEndpoint(self._world, host, 0, self.kind.quirk())
        if self.kind.one_port:
            endpoint.address = listener.address  # what it says seems to come from there
            self._newest = admitted.peer[:2]
            self._shared[self._newest] = endpoint
        channel = drive(admitted, endpoint, self._scratch)
        self._running[admitted] = _Served(self, admitted, channel)
        channel.flush(now)
        self._running[admitted].after()

    def finish(self, served: "_Served") -> None:
        """Forgets a transfer that is over."""
        del self._running[served.admitted]
        self._service.release(served.admitted)

    @property
    def world(self) -> World:
        """Returns where it lives."""
        return self._world


class _Served:
    """A transfer under way."""

    def __init__(self, server: ServerActor, admitted: Admitted, channel: Channel) -> None:
        self.admitted = admitted
        self.channel = channel
        self._server = server
        self._world = server.world
        self._alarm = Alarm(self._world.clock, self._ring)
        self._endpoint = cast(VirtualEndpoint, channel.endpoint)
        self._endpoint.wake = self._hear

    def ask_again(self) -> None:
        """Takes the request of the peer a second time."""
        now = self._world.now()
        self.admitted.transfer.ask_again(now)
        self.channel.flush(now)
        self.after()

    def after(self) -> None:
        """Looks at the transfer after an input."""
        channel, now = self.channel, self._world.now()
        if isinstance(channel, Inbound) and channel.finishing:
            channel.finished(channel.finish(), now)
        while channel.blocked:
            channel.flush(now)
        if channel.over:
            self.end()
        else:
            self._alarm.set(channel.deadline)

    def end(self) -> None:
        """Closes the port and the file."""
        self._alarm.set(None)
        self.channel.close()
        self._server.finish(self)

    def _hear(self) -> None:
        while len(self._endpoint) and not self.channel.over:
            self.channel.readable(self._world.now())
            self.after()

    def _ring(self) -> None:
        self.channel.expire(self._world.now())
        self.after()
