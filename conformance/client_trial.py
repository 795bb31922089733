"""A case against a client: the suite plays the server, on a port of its own.

The client is started for each case by a `Launcher`: a command of the operator's, a person
who is asked to, or in the suite's own tests a client that lives on virtual time. Judged
are its packets, its exit status and the file that it leaves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn, Protocol, runtime_checkable

from .line import Line, Trial
from .play import Played, receive_file, send_file
from .ports import Address, Arrival, Net
from .verdict import Stop, Verdict
from .wire import ACK, DATA, RRQ, WRQ, Packet, ack, data, oack, parse

__all__ = ["Attentive", "ClientTrial", "Exit", "Job", "Launcher", "Run", "Server"]

STARTS_WITHIN = 10.0
SOMEBODY_STARTS_WITHIN = 180.0  # a person who walks to a board
LOOKS = 0.25  # seconds between two looks whether a client without a request has ended
CANNOT = 127  # exit status of a command that says: I cannot do this


@dataclass(frozen=True, slots=True)
class Job:
    """What a client is to do."""

    put: bool
    remote: str
    server: Address
    content: bytes = b""
    """What a put sends."""
    mode: str = "octet"
    options: tuple[tuple[str, int], ...] = ()
    """Options that it is to ask for, with their values."""
    firm: bool = True
    """Whether it is of no use without these options; else any will do."""
    url: str = ""
    """The URL to fetch, for a client that takes them, in place of server and name."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a client ended."""

    status: int | None
    """Its exit status, 0 for success; None where nobody can tell."""
    content: bytes | None = None
    """The file that a get left; None: there is none, or nobody can tell."""
    text: str = ""
    """What it printed."""
    others: tuple[str, ...] = ()
    """Files that it left beside the one it was told to, by their paths."""


class Run(Protocol):
    """A client at work."""

    def wait(self, within: float) -> Exit | None:
        """Waits for its end; None: it is still at it."""

    def stop(self) -> None:
        """Ends it, if it is still at it."""


class Launcher(Protocol):
    """What starts the client under test."""

    sees_exit: bool
    """Whether exit status and file can be seen: not with a board on somebody's desk."""

    def start(self, job: Job) -> Run | None:
        """Starts a client; None: it cannot be made to do this."""


@runtime_checkable
class Attentive(Protocol):
    """A launcher that wants to know what its clients ask for."""

    def saw(self, job: Job, asked: frozenset[str]) -> None:
        """Takes note of the options in the request that a job led to."""


class ClientTrial(Trial):
    """What a case against a client has at hand."""

    def __init__(
        self, net: Net, host: str, launcher: Launcher, patience: float, port: int = 0
    ) -> None:
        """`patience`: seconds that a client may take to give up, before we do.

        `port` is the well-known port, 0 a free one. Raises OSError if it is taken.
        """
        super().__init__(net, host)
        self.give_up = patience
        self._launcher = launcher
        self._runs: list[Run] = []
        self._exit: Exit | None = None
        self._older: set[tuple[bytes, Address]] = set()
        self.listener = self.line(port=port)
        """The well-known port, as the client sees it."""

    # The client

    @property
    def sees_exit(self) -> bool:
        """Tells whether exit status and file of a client can be seen."""
        return self._launcher.sees_exit

    def needs_exit(self) -> None:
        """Skips the case if nobody can see how a client ends."""
        if not self.sees_exit:
            self.skip("nobody can see how the client ends")

    def get(
        self,
        remote: str = "file",
        *,
        mode: str = "octet",
        firm: bool = True,
        beside: bool = False,
        **options: int,
    ) -> Packet:
        """Has the client fetch a file; returns its request, and its address is known then.

        UNSUPPORTED if it cannot be made to ask for those options or that mode; unless `firm`,
        it need not ask for them. A client that was started before is ended, unless `beside`.
        """
        job = Job(False, remote, self.listener.address, b"", mode, _pairs(options), firm)
        return self._start(job, beside)

    def put(
        self,
        content: bytes,
        remote: str = "file",
        *,
        mode: str = "octet",
        firm: bool = True,
        beside: bool = False,
        **options: int,
    ) -> Packet:
        """Has the client store a file; returns its request."""
        job = Job(True, remote, self.listener.address, content, mode, _pairs(options), firm)
        return self._start(job, beside)

    def ways(
        self,
        content: bytes,
        *,
        mode: str = "octet",
        firm: bool = True,
        some: bool = False,
        beside: bool = False,
        wanted: Mapping[str, int] = MappingProxyType({}),
        **options: int,
    ) -> Iterator[Packet]:
        """Has the client get and then put a file; yields each request.

        A way that it cannot go is left out; UNSUPPORTED if it can go neither. Options stand
        in `wanted` or by name; a `tsize` is 0 for the get and true for the put. With `some`
        a request has to ask for at least one option, and it does not matter for which.
        `beside` is as in `get`.
        """
        options = {**wanted, **options}
        sizes = ({"tsize": 0}, {"tsize": len(content)}) if "tsize" in options else ({}, {})
        reasons = []
        for put in (False, True):
            try:
                octets, pairs = content if put else b"", _pairs({**options, **sizes[put]})
                request = self._start(
                    Job(put, "file", self.listener.address, octets, mode, pairs, firm and not some),
                    beside,
                )
                if some and not request.options:
                    self.unsupported("the client requests no option")
            except Stop:
                if self.remarks[-1].verdict is not Verdict.UNSUPPORTED:
                    raise
                reasons.append(self.remarks.pop().text)
                self.note(reasons[-1])
                continue
            yield request
        if len(reasons) == 2:
            self.unsupported(reasons[0])

    def launch(self, job: Job, *, beside: bool = False) -> None:
        """Starts a client, without waiting for a request; UNSUPPORTED if that cannot be done."""
        for former in () if beside else self._runs:
            former.stop()
        while not beside and self.listener.hear(0.0) is not None:
            pass  # what the one before said last
        heard = self.listener.heard if beside else []
        self._older = {(packet.raw, packet.source) for packet in heard}
        self._exit = None
        what = " ".join(f"{name}={value}" for name, value in job.options)
        run = self._launcher.start(job)
        if run is None:
            self.unsupported(f"no command makes the client use {what or _way(job)}")
        self._runs.append(run)

    def request(self, within: float | None = None) -> Packet | None:
        """Waits for the request of the client that was started last; None: there is none."""
        if within is None:
            within = STARTS_WITHIN if self.sees_exit else SOMEBODY_STARTS_WITHIN
        deadline = self.now() + within
        ended = False
        while not ended and self.now() < deadline:
            ended = self._runs[-1].wait(0.0) is not None
            packet = self.listener.hear(min(LOOKS, max(0.0, deadline - self.now())))
            while packet is not None and (
                packet.kind not in (RRQ, WRQ) or (packet.raw, packet.source) in self._older
            ):
                packet = self.listener.hear(0.0)
            if packet is not None:
                self.listener.peer, self.listener.ended = packet.source, False
                return packet
        return None

    def server(self, request: Packet, *, host: str | None = None) -> "Server":
        """Opens a port for the transfer, which sends to where the request came from."""
        server = Server(self, self.net.open(host or self.host), request.source)
        self.lines.append(server)
        return server

    def gone(self, within: float = 0.0) -> Exit | None:
        """Returns how the client has ended; None: it is still at it, or nobody can tell."""
        return self._runs[-1].wait(within)

    def exit(self, within: float | None = None) -> Exit:
        """Waits for the client's end; skips the case if it takes longer than that."""
        self.needs_exit()
        if self._exit is None:
            self._exit = self._end(self._runs[-1], self.give_up if within is None else within)
        return self._exit

    def exits(self) -> list[Exit]:
        """Waits for the ends of all clients of this case; skips it if they take too long."""
        self.needs_exit()
        deadline = self.now() + self.give_up
        return [self._end(run, max(0.0, deadline - self.now())) for run in self._runs]

    def succeeds(self, content: bytes | None = None) -> None:
        """Fails unless the client ends well, and a get has left exactly these octets."""
        if not self.sees_exit:
            return
        found = self.exit()
        self.check(found.status == 0, f"the client failed with status {found.status}: {found.text}")
        if content is not None:
            self.check(found.content is not None, "the client left no file")
            self.check(found.content == content, "the file of the client holds other octets")

    def fails(self, content: bytes | None = None) -> None:
        """Fails if the client calls it a success, or leaves a file that looks whole.

        `content` is what the whole file would have been.
        """
        if not self.sees_exit:
            return
        found = self.exit()
        self.check(found.status != 0, "the client reports success")
        if content:
            self.check(found.content != content, "a file that looks whole is there")

    # Playing a server

    def serve(
        self, request: Packet, content: bytes, grants: dict[str, str] | None = None
    ) -> Played:
        """Answers a request from a fresh port as an ordinary server does.

        `grants` None grants blksize, windowsize, tsize and timeout as asked for.
        """
        line = self.server(request)
        options = ordinary(request, len(content)) if grants is None else grants
        size, window = int(options.get("blksize", 512)), int(options.get("windowsize", 1))
        opening = oack(options) if options else None
        if request.kind == RRQ:
            return send_file(line, content, block_size=size, window=window, opening=opening)
        return receive_file(line, block_size=size, window=window, opening=opening or ack(0))

    def close(self) -> None:
        """Ends the client and gives the ports back."""
        super().close()
        for run in self._runs:
            run.stop()

    def _end(self, run: Run, within: float) -> Exit:
        found = run.wait(within)
        if found is None:
            self.skip(f"the client is still at it after {within:.0f} s; --patience waits longer")
        self.note(f"the client ended, status {found.status}")
        return found

    def _start(self, job: Job, beside: bool = False) -> Packet:
        self.launch(job, beside=beside)
        request = self.request()
        if request is None:
            self._silent(job)
        if isinstance(self._launcher, Attentive):
            self._launcher.saw(job, frozenset(request.options))
        kind = WRQ if job.put else RRQ
        self.check(request.kind == kind, f"{kind} was due, and {request} came")
        if request.mode.lower() != job.mode:
            self.unsupported(f"the client asks in mode {request.mode}")
        for name, _ in job.options if job.firm else ():
            if name not in request.options:
                self.unsupported(f"the client does not ask for {name}")
        return request

    def _silent(self, job: Job) -> NoReturn:
        """Ends the case, since no request came."""
        found = self.gone()
        said = f": {found.text}" if found and found.text else ""
        if found and found.status == CANNOT:
            self.unsupported(f"the client says that it cannot do this{said}")
        if found and (job.mode != "octet" or job.options):
            self.unsupported(f"so told, the client sends no request{said}")
        self.skip(f"the client sent no request{said}")


class Server(Line):
    """A line to a client: what a server does, block by block.

    It hears its client only: ports are many, and other servers of this machine may still
    repeat something to whoever had this one before.
    """

    def answer(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram that did not come before; None: none came in that time.

        The time counts from what was sent last.
        """
        return self.anything(self.trial.patience if within is None else within, repeats=True)

    def give(
        self, content: bytes, first: int = 1, last: int | None = None, *, size: int = 512
    ) -> None:
        """Sends the blocks from `first` to `last`, each after the ACK of the one before it.

        Without `last` it sends all of the file. Another answer than the ACK is a FAIL.
        """
        for block in range(first, (last or len(content) // size + 1) + 1):
            self.send(data(block, content[(block - 1) * size : block * size]))
            self.expect(ACK, block)

    def take(self, first: int = 1, last: int | None = None, *, size: int = 512) -> bytes:
        """Takes blocks from `first` to the short one or `last`, and acknowledges each.

        Returns their octets. Another block than the one that is due is a FAIL.
        """
        content, block = b"", first
        while True:
            payload = self.expect(DATA, block).payload
            self.trial.check(len(payload) <= size, f"DATA {block} has {len(payload)} octets")
            self.send(ack(block))
            content += payload
            if len(payload) < size or block == last:
                return content
            block += 1

    def _take(self, arrival: Arrival) -> Packet | None:
        if not arrival.unreachable and arrival.source != self.peer:
            host, port = arrival.source
            self.trial.note(f"from elsewhere, {host} port {port}: {parse(arrival.datagram)}")
            return None
        return super()._take(arrival)


def ordinary(request: Packet, size: int) -> dict[str, str]:
    """Returns what an ordinary server grants of a request; empty: it answers without OACK."""
    granted = {}
    for name, value in request.options.items():
        if name == "tsize":
            granted[name] = str(size) if request.kind == RRQ else value
        elif name in ("blksize", "windowsize", "timeout"):
            granted[name] = value
    return granted


def _pairs(options: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(options.items())


def _way(job: Job) -> str:
    return "a URL" if job.url else f"{job.mode} mode" if job.mode != "octet" else "WRQ"
