"""A server in one object: sockets, root, service and loop put together.

`Server` runs in a thread of its own as a context manager, or in the caller's with
`serve`. Must not know about command lines.
"""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Self

from tftp.errors import LocalError
from tftp.net.root import Root
from tftp.net.udp import bind_listener, receive_budget, resolve
from tftp.protocol.transfer import Address
from tftp.server.access import Access
from tftp.server.chores import Chore
from tftp.server.config import Config, Limits, Upload
from tftp.server.content import Folder
from tftp.server.journal import Journal
from tftp.server.loop import Loop
from tftp.server.report import Report
from tftp.server.service import Service
from tftp.server.totals import Totals

__all__ = ["EVERYWHERE", "Server", "bind_listeners"]

EVERYWHERE = ("0.0.0.0", "::")
"""All addresses of the machine, IPv4 and IPv6."""

FREE_PORTS = 20  # tried before giving up on one that is free for all addresses

# What a machine without IPv6 says when it is asked for all IPv6 addresses.
_NO_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


class Server:
    """Serves the files of one folder over TFTP.

    The socket is bound and the folder opened by `start` (or on entering the context), so
    that errors come up there: LocalError and its kind for the folder, OSError for the
    socket. `port` 0 takes a free one; `port` tells which.

        with tftp.Server("files") as server:
            data = tftp.get(server.host, "name", port=server.port)
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Root,
        *,
        host: str | Sequence[str] = "127.0.0.1",
        port: int = 0,
        upload: str = "deny",
        config: Config | None = None,
        journal: Journal | None = None,
        on_transfer: Callable[[Report], None] | None = None,
        listeners: Sequence[socket.socket] = (),
        sole: bool = False,
        joins: bool = False,
        chores: Iterable[Chore] = (),
    ) -> None:
        """Takes the settings; nothing is opened yet.

        A `root` that is open already is not swept, and is closed in the end.
        `upload` is one of deny, create, overwrite, rename, where no `config` says more.
        `on_transfer` is called in the server's thread with the report of each transfer.
        `listeners` are sockets that are bound already, as `take_listeners` returns them;
        the server owns them from `open` on, and then `host` and `port` mean nothing. They
        are `sole` if no other process receives from them. `joins`: another server may listen
        on the port, which is to be replaced.
        `chores` are done in the server's thread, between two turns, whenever they are due.
        """
        self._given_root = root
        self._hosts = [host] if isinstance(host, str) else list(host)
        self._port = port
        self._listeners = list(listeners)
        self._sole = sole or not self._listeners
        self._joins = joins
        self._chores = chores
        self._config = config or Config(upload=Upload(upload))
        self._journal = journal or Journal(listener=on_transfer)
        self._root: Root | None = None
        self._folder: Folder | None = None
        self._service: Service | None = None
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self.addresses: list[Address] = []
        """Where it listens, once it is open."""
        self.swept: list[str] = []
        """What a killed server had left of uploads, and `open` has removed."""

    @property
    def host(self) -> str:
        """Returns the address it listens on, the first one if there are several."""
        return self.addresses[0][0]

    @property
    def port(self) -> int:
        """Returns the port it listens on."""
        return self.addresses[0][1] if self.addresses else self._port

    @property
    def totals(self) -> Totals:
        """Returns what it has done so far."""
        return self._journal.totals

    def open(self) -> None:
        """Opens folder and sockets; does not serve yet. Raises LocalError or OSError."""
        given = self._given_root
        root = given if isinstance(given, Root) else Root(given)
        listeners = self._listeners
        config = self._config
        try:
            if root is not given and config.upload is not Upload.DENY:
                self.swept = root.sweep()
            listeners = listeners or bind_listeners(self._hosts, self._port, joins=self._joins)[0]
            limits = config.limits
            self._folder = Folder(root, config.upload, limits.upload, limits.free)
            service = Service(self._folder, limits, config.timing, config.access)
            self._journal.limit(limits.lines)
            self._loop = Loop(listeners, service, config, self._journal, self._chores, self._sole)
        except BaseException:
            _close_all(listeners)
            root.close()
            raise
        self._root, self._service = root, service
        self.addresses = [sock.getsockname() for sock in listeners]

    def serve(self) -> None:
        """Serves in this thread until `stop`, after `open`."""
        assert self._loop is not None, "open comes first"
        assert self._service is not None, "open comes first"
        assert self._root is not None, "open comes first"
        # Asked only now: privileges may have been dropped since `open`.
        self._service.receive_budget = receive_budget()
        try:
            self._loop.run()
        finally:
            self._root.close()

    def set(self, limits: Limits, access: Access) -> None:
        """Has other limits and rules hold from now on, after `open`; fit for any thread.

        Transfers that run keep what was agreed with their peers. The sizes that are
        reserved at the start stay as they were: the cache.
        """
        assert self._loop is not None, "open comes first"
        assert self._folder is not None, "open comes first"
        self._folder.limit, self._folder.free = limits.upload, limits.free
        self._journal.limit(limits.lines)
        self._loop.set(limits, access)

    def start(self) -> Self:
        """Opens, and serves in a thread of its own."""
        self.open()
        self._thread = threading.Thread(target=self.serve, name="tftp-server", daemon=True)
        self._thread.start()
        return self

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the serving. Running transfers get `config.drain` seconds, or none `at_once`.

        Fit for signal handlers and for any thread. Returns when all is closed if it was
        `start` that began it.
        """
        if self._loop is not None:
            self._loop.stop(at_once=at_once)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(at_once=True)


def bind_listeners(
    hosts: Sequence[str], port: int, sets: int = 1, *, joins: bool = False
) -> list[list[socket.socket]]:
    """Binds a socket for each host, all to the same port, and so many sets of them.

    The sockets of the first set are bound as if they were to stay alone, unless they are to
    join another server's: so a port is found taken also where its owner shares it. Only then
    others may join them: the other sets, and a server that replaces this one.
    Port 0 takes a free one. Raises LocalError or OSError.
    """
    bound = [_bind_set(hosts, port, joins=joins and port > 0)]
    try:
        for first in bound[0]:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(sets - 1):
            bound.append([])
            for first in bound[0]:
                family = socket.AddressFamily(first.family)
                bound[-1].append(bind_listener(family, first.getsockname(), shared=True))
    except BaseException:
        _close_all(sock for group in bound for sock in group)
        raise
    return bound


def _bind_set(hosts: Sequence[str], port: int, *, joins: bool) -> list[socket.socket]:
    """Binds a socket for each host; all get the same port.

    Where any port will do, one that is free for IPv4 may be taken for IPv6.
    """
    for _ in range(0 if port else FREE_PORTS):
        try:
            return _bind_all(hosts, port, joins=joins)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return _bind_all(hosts, port, joins=joins)


def _bind_all(hosts: Sequence[str], port: int, *, joins: bool) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            for family, address in resolve(host, port):
                where = (address[0], port, *address[2:])
                try:
                    sock = bind_listener(family, where, shared=joins)
                except OSError as error:
                    if host == "::" and listeners and error.errno in _NO_FAMILY:
                        continue
                    raise
                listeners.append(sock)
                port = sock.getsockname()[1]
        if not listeners:
            raise LocalError(f"No address to listen on: {', '.join(hosts)}")
    except BaseException:
        _close_all(listeners)
        raise
    return listeners


def _close_all(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        with suppress(OSError):
            sock.close()
