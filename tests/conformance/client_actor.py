"""Our client in a world in memory, as a command that the suite starts.

It is the real one, from `tftp.client.Client` down: each call runs in a thread of its own,
which has the word only while the world waits for it, so that all stays deterministic. Its
clock, its poll and its sockets are the world's. A `ClientKind` says what is wrong with it.
"""

import io
import select
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from errno import EACCES, ECONNREFUSED
from types import SimpleNamespace

import pytest

from conformance.client_trial import Exit, Job, Run
from tests.conformance.endpoint import Handle, Quirk, VirtualEndpoint
from tests.conformance.world import BROADCAST, Address, World
from tftp.cli.bar import printable
from tftp.client import api, dally, drive, session
from tftp.client.api import Client, Keywords, Mode
from tftp.client.dally import Dallying
from tftp.client.session import Session
from tftp.client.settings import MODES, OPTION_NAMES
from tftp.client.url import parse_url
from tftp.errors import TftpError
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.sim.clock import Alarm

__all__ = ["ClientActor", "ClientKind", "VirtualLauncher"]

HOST = "127.0.0.1"
LOOPBACK_MTU = 65536
BUFFER = 4 << 20
KEYWORDS = {
    "blksize": "block_size",
    "windowsize": "window",
    "timeout": "server_timeout",
    "rollover": "rollover",
    "tsize": "",
}


@dataclass(frozen=True)
class ClientKind:
    """A sort of client: ours, or ours with something wrong."""

    quirk: type[Quirk] = Quirk
    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver
    session: type[Session] = Session
    eager: bool = False
    """Whether it asks for options by itself, as ours does by default."""
    timeout: float = 1.0
    retries: int = 5
    linger: float = 9.0
    lies: bool = False
    """Whether it reports success whatever happened."""
    leaves: bool = False
    """Whether what it has fetched is left behind after a failure too."""
    raw: bool = False
    """Whether it takes every mode for octet."""
    port: int = 0
    """Where it sends from; 0 is a new port each time."""
    ceiling: float | None = None
    """Where the doubling of its timer stops, in seconds; None: where ours does."""


class Stopped(BaseException):
    """The suite has ended the client."""


class Fiber:
    """Work in a thread that runs only while somebody waits for it to pause or to end."""

    def __init__(self, work: Callable[[], None]) -> None:
        """Begins with the first `go`."""
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._may_go = threading.Lock()
        self._has_paused = threading.Lock()
        self._may_go.acquire()
        self._has_paused.acquire()
        self._stopped = False
        self.over = False
        """Whether the work has ended."""

    def go(self) -> None:
        """Lets it run on until it pauses or ends."""
        if self.over:
            return
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._may_go.release()
        self._has_paused.acquire()

    @property
    def speaks(self) -> bool:
        """Whether this is asked by the work itself."""
        return threading.current_thread() is self._thread

    def pause(self) -> None:
        """Called by the work: gives the word back. Raises Stopped when it is not to go on."""
        self._has_paused.release()
        self._may_go.acquire()
        if self._stopped:
            raise Stopped

    def stop(self) -> None:
        """Ends the work."""
        self._stopped = True
        for _ in range(100):
            self.go()
            if self.over:
                break
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self.over = True
            self._has_paused.release()


class ClientActor:
    """A client at work: what `conformance.client_trial.Run` asks for."""

    def __init__(self, world: World, kind: ClientKind, client: Client, job: Job) -> None:
        """Starts it, as soon as the world runs."""
        self._world = world
        self._kind = kind
        self._client = client
        self._job = job
        self._exit: Exit | None = None
        self._fiber = Fiber(self._work)
        self._alarm = Alarm(world.clock, self._fiber.go)
        world.at(world.now(), self._fiber.go)

    def wait(self, within: float) -> Exit | None:
        """Lets the world run until the client ends."""
        self._world.run(self._world.now() + within, lambda: self._exit is not None)
        return self._exit

    def stop(self) -> None:
        """Ends it."""
        if not self._fiber.over:
            self._fiber.stop()

    @property
    def speaks(self) -> bool:
        """Whether this is asked by the client itself."""
        return self._fiber.speaks

    def sleep(self, endpoint: VirtualEndpoint, until: float) -> None:
        """Called by the client: waits for a datagram or a time."""
        endpoint.wake = self._fiber.go
        self._alarm.set(until)
        while not (len(endpoint) or endpoint.handle.refused or self._world.now() >= until):
            self._fiber.pause()
        self._alarm.set(None)
        endpoint.wake = _ignore

    def _work(self) -> None:
        job, file = self._job, io.BytesIO()
        mode: Mode = "netascii" if job.mode == "netascii" and not self._kind.raw else "octet"
        try:
            if job.put:
                self._client.put(job.remote, job.content, mode=mode)
            else:
                self._client.download(job.remote, file, mode=mode)
            self._exit = Exit(0, None if job.put else file.getvalue())
        except (TftpError, ValueError) as error:
            left = file.getvalue() if self._kind.leaves else None
            self._exit = Exit(0 if self._kind.lies else 1, left, printable(str(error)))
        except Stopped:
            self._exit = Exit(130)
        except BaseException:  # a bug of ours: let the case show it
            self._exit = Exit(70, None, traceback.format_exc())


class VirtualLauncher:
    """Starts clients in a world: what `conformance.client_trial.Launcher` asks for."""

    sees_exit = True

    def __init__(self, world: World, kind: ClientKind, patch: pytest.MonkeyPatch) -> None:
        """Has the client live in that world, until `patch` is undone or another is made."""
        self._world = world
        self._kind = kind
        self._actors: list[ClientActor] = []
        self._endpoints: dict[int, tuple[VirtualEndpoint, ClientActor]] = {}
        self._starting: ClientActor | None = None
        self._install(patch)

    def start(self, job: Job) -> Run | None:
        """Starts a client; None: ours has no such option or mode."""
        if job.mode not in MODES or any(name not in KEYWORDS for name, _ in job.options):
            return None
        if job.url:
            try:
                job = _asked_by_url(job)
            except ValueError as error:
                return _Failed(str(error))
        names = [name for name, _ in job.options]
        keywords = Keywords(
            options=OPTION_NAMES if self._kind.eager else names,
            timeout=self._kind.timeout,
            retries=self._kind.retries,
            linger=self._kind.linger,
        )
        for name, value in job.options:
            if KEYWORDS[name]:
                keywords[KEYWORDS[name]] = value  # type: ignore[literal-required]
        client = Client(job.server[0], job.server[1], **keywords)
        if self._kind.ceiling is not None:
            timing = client._settings.timing._replace(ceiling=self._kind.ceiling)
            client._settings = client._settings._replace(timing=timing)
        client.keep = self._keep if self._kind.linger > 0 else None
        actor = ClientActor(self._world, self._kind, client, job)
        self._actors.append(actor)
        return actor

    def close(self) -> None:
        """Ends all clients."""
        for actor in self._actors:
            actor.stop()

    def _install(self, patch: pytest.MonkeyPatch) -> None:
        """Puts the world in place of the clock, of poll and of the sockets."""
        kind, now = self._kind, self._world.now
        patch.setattr(api, "Session", kind.session)
        patch.setattr(session, "Sender", kind.sender)
        patch.setattr(session, "Receiver", kind.receiver)
        patch.setattr(session, "now", now)
        patch.setattr(session, "resolve", _resolve)
        patch.setattr(session, "path_mtu", _path_mtu)
        patch.setattr(session, "grow_buffer", lambda *_: BUFFER)
        patch.setattr(session, "bind_transfer", self._bind)
        patch.setattr(drive, "now", now)
        patch.setattr(drive, "Watch", lambda number: _Watch(self, number))
        icmp = SimpleNamespace(listen=Handle.listen, ignore=Handle.ignore, drain=_drain)
        patch.setattr(drive, "icmp", icmp)
        patch.setattr(dally, "now", now)

    def _bind(self, *_: object) -> VirtualEndpoint:
        endpoint = VirtualEndpoint(self._world, HOST, self._kind.port, self._kind.quirk())
        actor = next(actor for actor in self._actors if actor.speaks)
        self._endpoints[endpoint.fileno()] = endpoint, actor
        return endpoint

    def owner(self, fileno: int) -> tuple[VirtualEndpoint, ClientActor]:
        """Returns an endpoint by its number, and whose it is."""
        return self._endpoints[fileno]

    def now(self) -> float:
        """Returns the time of the world."""
        return self._world.now()

    def _keep(self, dallying: Dallying) -> None:
        """Serves a transfer that only repeats its last ACK, after its client has ended."""
        endpoint, _ = self._endpoints[dallying.endpoint.fileno()]
        buffer = bytearray(65536)

        def look() -> None:
            if dallying.over(self._world.now()):
                endpoint.close()
            else:
                alarm.set(dallying.transfer.deadline)

        def answer() -> None:
            while len(endpoint):
                dallying.answer(buffer)
            look()

        alarm = Alarm(self._world.clock, look)
        endpoint.wake = answer
        look()


class _Failed:
    """A client that has ended before it said anything."""

    def __init__(self, text: str) -> None:
        self._exit = Exit(2, None, text)

    def wait(self, _: float) -> Exit:
        return self._exit

    def stop(self) -> None:
        """Has nothing to end."""


class _Watch:
    """Takes the place of what the client's loop waits with."""

    close = False

    def __init__(self, launcher: VirtualLauncher, number: int) -> None:
        self._launcher = launcher
        self._number = number

    def change(self, number: int, *, room: bool) -> None:
        """There is room always."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        endpoint, actor = self._launcher.owner(self._number)
        actor.sleep(endpoint, self._launcher.now() + seconds)
        refused = select.POLLERR if endpoint.handle.refused else 0
        events = refused | (select.POLLIN if len(endpoint) else 0)
        return [(self._number, events)] if events else []


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    return [(socket.AF_INET, (host, port))]


def _path_mtu(_: int, address: Address) -> tuple[int, Address]:
    if address[0] in BROADCAST:
        raise PermissionError(EACCES, "as the kernel says without SO_BROADCAST")
    return LOOPBACK_MTU, address


def _asked_by_url(job: Job) -> Job:
    """Reads the URL of a job as our command line does. Raises ValueError."""
    place = parse_url(job.url)
    if not place.filename:
        raise ValueError("the URL names no file")
    return replace(
        job,
        remote=place.filename,
        server=(place.host, place.port or 69),
        mode=place.mode or job.mode,
    )


def _drain(handle: Handle) -> list[tuple[int, Address]]:
    found = [(ECONNREFUSED, address) for address in handle.refused]
    handle.refused.clear()
    return found


def _ignore() -> None:
    """Is not waiting."""
