"""`Client` and the four functions: what a program calls (RFC 1350, 2347-2349, 7440).

A `Client` is a server's address and a way to behave; it holds no connection, and any
thread may use it at any time. Each call is one transfer, in the thread that calls.
Must not know how a transfer is run: session.py does.
"""

import os
import socket
from collections.abc import Callable, Iterable
from typing import Literal, TypedDict, Unpack

from tftp.client import dally
from tftp.client.drive import Metered, Progress, Report
from tftp.client.places import Destination, Origin, open_sink, open_source
from tftp.client.session import Result, Session
from tftp.client.settings import MODES, Settings, choose_options, limit_window
from tftp.net.files import BufferSink, BytesSource, NetasciiSink, NetasciiSource, Sink, Source
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request, encode

__all__ = ["Client", "Keywords", "Mode", "download", "get", "put", "upload"]

Mode = Literal["octet", "netascii"]

# Takes how much to keep; returns a source, its size where known, and whether it may be slow.
Opener = Callable[[int], tuple[Source, int | None, bool]]


class Keywords(TypedDict, total=False):
    """The keyword arguments of `Client`, for the functions that make one."""

    block_size: int | None
    window: int | None
    timeout: float
    retries: int
    options: bool | Iterable[str]
    server_timeout: int | None
    rollover: int | None
    family: socket.AddressFamily
    local_address: str
    local_ports: range | None
    linger: float


class Client:
    """Fetches from and sends to one server.

    `host` is a name or a literal address; `port` is where requests go.

    `block_size` (8 to 65,464) and `window` (1 to 65,535) are what is asked for; None
    chooses a block that fits the path MTU, 8,192 octets at most, and a window of 32, or
    as many blocks as the socket's receive buffer holds. A server may grant less.

    `timeout` is after how many seconds a request goes out again the first time; the
    interval doubles up to 8 s, and adapts once round trips are known. `retries` is how
    often; the two together are how long silence is borne, 31 seconds by default.

    `options` is which options may be asked for: all, none, or some by name (`blksize`,
    `tsize`, `windowsize`, `timeout`, `rollover`). A server that refuses them, or is
    silent, is asked once more without.

    `server_timeout` (1 to 255) asks for that interval by the option of RFC 2349, and then
    both sides keep it. `rollover` (0 or 1) asks for the block number behind 65,535.

    `family` is AF_INET or AF_INET6 to use one of them only. `local_address` and
    `local_ports` are where we send from; None is any port.

    `linger` is for how many seconds a daemon thread answers a server that has not heard
    the last ACK of a download (RFC 1350 section 6); 0 is not at all.

    Raises ValueError for a number out of its range.
    """

    def __init__(
        self,
        host: str,
        port: int = 69,
        *,
        block_size: int | None = None,
        window: int | None = None,
        timeout: float = 1.0,
        retries: int = 5,
        options: bool | Iterable[str] = True,
        server_timeout: int | None = None,
        rollover: int | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        local_address: str = "",
        local_ports: range | None = None,
        linger: float = 9.0,
    ) -> None:
        if not 1 <= port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, not {port}")
        self.host = host
        self.port = port
        usual = Timing()
        self._settings = Settings(
            block_size=block_size,
            window=window,
            server_timeout=server_timeout,
            rollover=rollover,
            options=choose_options(options),
            timing=Timing(
                first=timeout,
                floor=min(usual.floor, timeout),
                ceiling=max(usual.ceiling, timeout),
                retries=retries,
                dally=linger,
            ),
            family=family,
            local_address=local_address,
            local_ports=local_ports,
        )
        self._settings.validate()
        self.keep: dally.Keep | None = dally.keep if linger > 0 else None
        """Takes over a transfer that waits for a repeated last block, and its socket."""

    def __repr__(self) -> str:
        return f"Client({self.host!r}, {self.port})"

    def get(self, filename: str, *, mode: Mode = "octet") -> bytes:
        """Returns the file. Raises as `download` does."""
        _check(RRQ, filename, mode)
        sink = BufferSink()
        self._fetch(filename, mode, sink, "", None)
        return sink.getvalue()

    def put(self, filename: str, data: bytes, *, mode: Mode = "octet") -> None:
        """Sends `data` as a file. Raises as `upload` does."""
        _check(WRQ, filename, mode)
        self._send(filename, mode, lambda _: (BytesSource(data), len(data), False), "", None)

    def download(
        self,
        filename: str,
        dest: Destination,
        *,
        mode: Mode = "octet",
        progress: Progress | None = None,
    ) -> Result:
        """Fetches a file into `dest`: a path, a folder, or a file object open for bytes.

        A path gets the file in one step when all of it is here, in place of what was
        there; whatever goes wrong, what was there stays. Nobody waits until it is on the
        disk (fsync): it can be fetched again. In a folder it is put under the last
        component of `filename`. `progress` is called with the octets so far and
        the octets in all, if the server tells, at most 20 times a second, and at the end.

        Raises PeerError, TransferTimeout, OptionRefused, IllegalOperation, SizeMismatch,
        LocalError (all are TftpError), and ValueError for what cannot be asked for.
        """
        _check(RRQ, filename, mode)
        sink, path = open_sink(dest, filename)
        return self._fetch(filename, mode, sink, path or "", progress)._replace(path=path)

    def upload(
        self,
        filename: str,
        source: Origin,
        *,
        mode: Mode = "octet",
        progress: Progress | None = None,
    ) -> Result:
        """Sends `source`: a path, or a file object open for bytes, from where it stands on.

        Raises as `download` does. A TransferTimeout may mean that only the last ACK is
        missing; its text says so.
        """
        _check(WRQ, filename, mode)
        local = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        return self._send(filename, mode, lambda keep: open_source(source, keep), local, progress)

    def _fetch(
        self, filename: str, mode: Mode, sink: Sink, local: str, progress: Progress | None
    ) -> Result:
        work = NetasciiSink(sink) if mode == "netascii" else sink
        try:
            return self._run(self._settings, filename, mode, work, local, progress)
        except BaseException:
            sink.discard()
            raise

    def _send(
        self, filename: str, mode: Mode, opener: Opener, local: str, progress: Progress | None
    ) -> Result:
        settings, ahead = limit_window(self._settings)
        source, size, slow = opener(2 * ahead)
        if mode == "netascii":
            source, size = NetasciiSource(source, 2 * ahead), None
        elif not slow:
            settings = self._settings  # it can be read anew at any place
        work = Metered(source, size, ahead if slow else 0)
        try:
            return self._run(settings, filename, mode, work, local, progress)
        finally:
            work.close()

    def _run(
        self,
        settings: Settings,
        filename: str,
        mode: Mode,
        work: Sink | Metered,
        local: str,
        progress: Progress | None,
    ) -> Result:
        report = Report(progress)
        return Session(
            self.host, self.port, settings, filename, mode, work, report, local, self.keep
        ).run()


def get(
    host: str, filename: str, *, port: int = 69, mode: Mode = "octet", **keywords: Unpack[Keywords]
) -> bytes:
    """Returns a file of a server. `Client` explains the keywords, `Client.download` the errors."""
    return Client(host, port, **keywords).get(filename, mode=mode)


def put(
    host: str,
    filename: str,
    data: bytes,
    *,
    port: int = 69,
    mode: Mode = "octet",
    **keywords: Unpack[Keywords],
) -> None:
    """Sends bytes to a server as a file. `Client` explains the keywords."""
    Client(host, port, **keywords).put(filename, data, mode=mode)


def download(
    host: str,
    filename: str,
    dest: Destination,
    *,
    port: int = 69,
    mode: Mode = "octet",
    progress: Progress | None = None,
    **keywords: Unpack[Keywords],
) -> Result:
    """Fetches a file of a server into a path, a folder or a file object. See `Client.download`."""
    return Client(host, port, **keywords).download(filename, dest, mode=mode, progress=progress)


def upload(
    host: str,
    filename: str,
    source: Origin,
    *,
    port: int = 69,
    mode: Mode = "octet",
    progress: Progress | None = None,
    **keywords: Unpack[Keywords],
) -> Result:
    """Sends a path or a file object to a server. See `Client.upload`."""
    return Client(host, port, **keywords).upload(filename, source, mode=mode, progress=progress)


def _check(opcode: int, filename: str, mode: str) -> None:
    """Raises ValueError for what no request can say, before anything is opened."""
    if mode not in MODES:
        raise ValueError(f"the mode is octet or netascii, not {mode!r}")
    encode(Request(opcode, filename, mode))
