"""A server in several processes, for more than one core: one parent, and workers that serve.

Each worker has sockets of its own on the same port (SO_REUSEPORT), and the kernel picks one
by the peer's address and port (its TID, RFC 1350 section 4). So a request that comes again
finds the worker that has its transfer, and is known there as a copy or as a new beginning;
two workers never answer one peer. The parent holds all these sockets open: the choice stays
as it is when a worker dies, and what waits for the dead one is its successor's.
The parent forks, watches, replaces and adds up. Must not know about requests or transfers.
"""

import logging
import mmap
import os
import select
import signal
import socket
import struct
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from operator import attrgetter
from typing import NoReturn

from tftp.net.clock import now as clock
from tftp.net.root import Root
from tftp.protocol.transfer import Address
from tftp.server.beside import Bell
from tftp.server.config import Config, Upload
from tftp.server.journal import Journal, Totals, say_swept
from tftp.server.server import Server, bind_listeners

__all__ = ["MOST", "Backoff", "Ledger", "Workers"]

MOST = 256
"""Workers of one server: far more than help, and fewer than would harm the machine."""

# What the parent says to a worker. The end of the line means that there is no parent.
DRAIN, END = b"d", b"e"

# The parent's to handle: from a terminal, or a service manager, they reach all processes.
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Workers:
    """Serves the files of one folder as `Server` does, from `count` processes.

    Folder and sockets are opened once, by `open`, before there is any worker: errors come up
    there, and privileges may be dropped between `open` and `serve`. Each worker gets its
    share of what `Limits` bounds for all transfers together, see `Limits.share`.

    The port is refused if anybody listens there, also another server with workers. It stays
    open to programs of the same user that ask to share it without looking.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        count: int,
        *,
        host: str | Sequence[str] = "127.0.0.1",
        port: int = 0,
        config: Config | None = None,
    ) -> None:
        """Takes the settings; nothing is opened yet."""
        self._path = root
        self._count = count
        self._hosts = [host] if isinstance(host, str) else list(host)
        self._port = port
        self._config = config or Config()
        self._ledger = Ledger(count)
        self._journal = Journal()
        self._seats: list[_Seat] = []
        self._root: Root | None = None
        self._bell: Bell | None = None
        self._stops = 0
        self._told: bytes | None = None
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
        """Returns what all workers have done so far, those that have died included."""
        return self._ledger.total()

    def open(self) -> None:
        """Opens folder and sockets; does not serve yet. Raises LocalError or OSError."""
        root = Root(self._path)
        try:
            if self._config.upload is not Upload.DENY:
                self.swept = root.sweep()
            sets = bind_listeners(self._hosts, self._port, self._count)
        except BaseException:
            root.close()
            raise
        self._root = root
        self._seats = [_Seat(number, listeners) for number, listeners in enumerate(sets)]
        self._bell = Bell()
        self.addresses = [sock.getsockname() for sock in sets[0]]

    def serve(self) -> None:
        """Runs the workers until `stop`, after `open`.

        For the main thread of a process that has no other one: it forks. When it returns,
        or raises, all workers have ended.
        """
        assert self._bell is not None, "open comes first"
        try:
            while not self._stops or self._alive():
                if self._stops:
                    self._pass_on()
                else:
                    self._fill_seats()
                self._watch(self._bell)
        finally:
            self._close(self._bell)

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the serving, as that of a `Server`; a second call ends it at once.

        Fit for signal handlers and for any thread; does not wait for the end.
        """
        self._stops += 2 if at_once else 1
        if self._bell is not None:
            self._bell.ring()

    # ------------------------------------------------------------ the parent

    def _alive(self) -> list["_Seat"]:
        return [seat for seat in self._seats if seat.line is not None]

    def _pass_on(self) -> None:
        """Tells all workers that they are to end, and how; nobody listens any more."""
        order = DRAIN if self._stops == 1 else END
        if order != self._told:
            self._told = order
            for seat in self._seats:
                seat.deafen()
                seat.say(order)

    def _fill_seats(self) -> None:
        for seat in self._seats:
            if seat.line is None and seat.due <= clock():
                self._fill(seat)

    def _watch(self, bell: Bell) -> None:
        """Waits until a worker ends, a seat is to be filled again, or `stop` is called."""
        lines = {seat.line.fileno(): seat for seat in self._seats if seat.line is not None}
        poll = select.poll()
        for fd in (bell.fileno(), *lines):
            poll.register(fd, select.POLLIN)
        due = [seat.due for seat in self._seats if seat.line is None]
        wait = max(0.0, min(due) - clock()) * 1000 if due and not self._stops else None
        for fd, _ in poll.poll(wait):
            if fd in lines:
                self._bury(lines[fd])
            else:
                bell.hush()

    def _fill(self, seat: "_Seat") -> None:
        """Starts a worker. Stop signals wait until it does not take them for its own."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        theirs = None
        try:
            seat.line, theirs = socket.socketpair()
            seat.since = clock()
            seat.pid = os.fork()
            if not seat.pid:
                self._work(seat, theirs, mask)
        except OSError as error:  # no process or no descriptor is to be had
            seat.hang_up()
            self._lament(seat, f"could not be started ({error.strerror})", 0.0)
        finally:
            if theirs is not None:
                theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if seat.line is not None:
            line = f"worker {seat.number + 1} is process {seat.pid}"
            self._journal.say(logging.DEBUG, "worker", line)

    def _bury(self, seat: "_Seat") -> None:
        """Takes note of a worker that has ended."""
        seat.hang_up()
        code = _await(seat.pid)
        if code or not self._stops:
            fate = f"(process {seat.pid}) {_fate(code)}"
            self._lament(seat, fate, clock() - seat.since)

    def _lament(self, seat: "_Seat", fate: str, lived: float) -> None:
        seat.replaces = True
        pause = seat.backoff.ended(lived)
        seat.due = clock() + pause
        if self._stops:
            then = "nobody follows, since the server ends"
        else:
            then = f"another one follows {f'in {pause:g} s' if pause else 'at once'}"
        line = f"worker {seat.number + 1} {fate}: {then}"
        self._journal.say(logging.WARNING, "worker", line)

    def _close(self, bell: Bell) -> None:
        """Closes everything; ends and awaits the workers that are left, after a failure."""
        self._stops = self._stops or 2
        for seat in self._alive():
            seat.say(END)
        for seat in self._alive():
            self._bury(seat)
        for seat in self._seats:
            seat.deafen()
        if self._root is not None:
            self._root.close()
        bell.close()

    # ------------------------------------------------------------ a worker

    def _work(self, seat: "_Seat", line: socket.socket, mask: set[int]) -> NoReturn:
        """Is a worker, from its first moment to its end."""
        status = 1
        try:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._let_go(seat)
            self._serve_at(seat, line)
            status = 0
        except BaseException:
            what = f"worker {seat.number + 1} fails: {traceback.format_exc()}"
            self._journal.say(logging.ERROR, "worker", what)
        finally:
            os._exit(status)

    def _let_go(self, own: "_Seat") -> None:
        """Closes what is the parent's or another worker's: lines would never end otherwise."""
        assert self._bell is not None, "open has made it"
        self._bell.close()
        for seat in self._seats:
            if seat.line is not None:
                seat.line.close()
            if seat is not own:
                seat.deafen()

    def _serve_at(self, seat: "_Seat", line: socket.socket) -> None:
        assert self._root is not None, "open comes first"
        if seat.replaces and self._config.upload is not Upload.DENY:
            # What the dead one was writing. The files of living uploads are locked.
            say_swept(self._root.sweep())
        keep = partial(self._ledger.write, seat.number)
        journal = Journal(totals=self._ledger.read(seat.number), keep=keep)
        config = replace(self._config, limits=self._config.limits.share(self._count))
        server = Server(self._root, config=config, journal=journal, listeners=seat.listeners)
        server.open()
        threading.Thread(target=_obey, args=(line, server), name="tftp-orders", daemon=True).start()
        server.serve()


def _obey(line: socket.socket, server: Server) -> None:
    """Does what the parent says; when it is gone, lets transfers end, and begins no more."""
    told = False
    while order := line.recv(1):
        server.stop(at_once=order == END)
        told = True
    if not told:
        server.stop()


# ---------------------------------------------------------------- what the parent keeps


def _await(pid: int) -> int | None:
    """Waits for the end of a process; returns its status, negative for a signal."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # this process was told, or born, to ignore its children
        return None


def _fate(code: int | None) -> str:
    if code is None:
        return "ended"
    if code >= 0:
        return f"ended with status {code}"
    return f"was killed by signal {-code} ({signal.strsignal(-code)})"


class Backoff:
    """How long the place of an ended worker stays empty.

    It is taken again at once, unless the worker had lived for less than a second: then
    after 0.1 s, and twice as long each time that this happens again, up to 5 s.
    """

    SOON = 1.0
    FIRST = 0.1
    LONGEST = 5.0

    def __init__(self) -> None:
        """Starts with no worker that died soon."""
        self._pause = 0.0

    def ended(self, lived: float) -> float:
        """Takes the seconds that a worker lived; returns those until there is another one."""
        if lived >= self.SOON:
            self._pause = 0.0
        else:
            self._pause = min(2 * self._pause or self.FIRST, self.LONGEST)
        return self._pause


@dataclass(slots=True, eq=False)
class _Seat:
    """The place of a worker: its sockets, and the process that has them now, if there is one."""

    number: int
    listeners: list[socket.socket]
    pid: int = 0
    line: socket.socket | None = None
    """The parent's end of the line to the worker: it is readable when that has ended."""
    since: float = 0.0
    due: float = 0.0
    replaces: bool = False
    backoff: Backoff = field(default_factory=Backoff)

    def say(self, order: bytes) -> None:
        """Tells the worker, if there is one."""
        if self.line is not None:
            with suppress(OSError):  # it has ended, which is noticed soon
                self.line.send(order)

    def hang_up(self) -> None:
        """Forgets the worker."""
        if self.line is not None:
            self.line.close()
            self.line = None

    def deafen(self) -> None:
        """Closes the sockets, as far as this process has them."""
        for sock in self.listeners:
            sock.close()


_NAMES = [one.name for one in fields(Totals)]
_values = attrgetter(*_NAMES)
_ROW = struct.Struct(f"{len(_NAMES)}q")


class Ledger:
    """Totals in memory that is shared with processes forked later: a row for each worker.

    What a worker has counted outlives it, and its successor counts on.
    """

    def __init__(self, rows: int) -> None:
        """Starts with zeroes."""
        self._memory = mmap.mmap(-1, rows * _ROW.size)

    def write(self, row: int, totals: Totals) -> None:
        """Replaces a row, which only one process does at a time."""
        _ROW.pack_into(self._memory, row * _ROW.size, *_values(totals))

    def read(self, row: int) -> Totals:
        """Returns a row."""
        return Totals(*_ROW.unpack_from(self._memory, row * _ROW.size))

    def total(self) -> Totals:
        """Returns the sum of all rows."""
        columns = zip(*_ROW.iter_unpack(self._memory), strict=True)
        return Totals(*map(sum, columns))
