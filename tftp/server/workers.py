"""A server in several processes, for more than one core: one parent, and workers that serve.

Each worker has sockets of its own on the same port (SO_REUSEPORT), and the kernel picks one
by the peer's address and port (its TID, RFC 1350 section 4). So a request that comes again
finds the worker that has its transfer, and is known there as a copy or as a new beginning;
two workers never answer one peer. The parent holds all these sockets open: the choice stays
as it is when a worker dies, and what waits for the dead one is its successor's.
The parent forks, watches, replaces and adds up. Must not know about requests or transfers.
"""

import logging
import os
import select
import signal
import socket
import threading
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

from tftp.net.clock import NEVER
from tftp.net.clock import now as clock
from tftp.net.root import Root
from tftp.protocol.transfer import Address
from tftp.server import seats
from tftp.server.beside import Bell
from tftp.server.chores import Chore, Chores
from tftp.server.config import Config, Upload
from tftp.server.journal import Journal, say_swept
from tftp.server.ledger import Ledger
from tftp.server.reload import Reloader, Settings
from tftp.server.seats import ADOPT, DRAIN, END, Beat, Seat
from tftp.server.server import Server, bind_listeners
from tftp.server.totals import Totals

__all__ = ["MOST", "Workers"]

MOST = 256
"""Workers of one server: far more than help, and fewer than would harm the machine."""

# The parent's to handle: from a terminal, or a service manager, they reach all processes.
STOPPING = (signal.SIGINT, signal.SIGTERM)
THE_PARENTS = (*STOPPING, signal.SIGHUP)


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
        chores: Iterable[Chore] = (),
        joins: bool = False,
    ) -> None:
        """Takes the settings; nothing is opened yet.

        `chores` are the parent's: it does them while all workers answer, and not otherwise.
        `joins`: another server may listen there, which is to be replaced.
        """
        self._path = root
        self._count = count
        self._hosts = [host] if isinstance(host, str) else list(host)
        self._port = port
        self._config = config or Config()
        self._chores = Chores(chores)
        self._joins = joins
        self._ledger = Ledger(count)
        self._journal = Journal()
        self._seats: list[Seat] = []
        self._root: Root | None = None
        self._bell: Bell | None = None
        self._settings: Settings | None = None
        self._asked: Reloader | None = None
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
            sets = bind_listeners(self._hosts, self._port, self._count, joins=self._joins)
        except BaseException:
            root.close()
            raise
        self._root = root
        self._seats = [Seat(number, listeners) for number, listeners in enumerate(sets)]
        self._bell = Bell()
        self.addresses = [sock.getsockname() for sock in sets[0]]

    def serve(self) -> None:
        """Runs the workers until `stop`, after `open`.

        For the main thread of a process that has no other one: it forks. When it returns,
        or raises, all workers have ended.
        """
        assert self._bell is not None, "open comes first"
        try:
            self._run(self._bell)
        finally:
            self._close(self._bell)

    def reload(self, reloader: Reloader) -> None:
        """Has all workers take the settings that `reloader` finds now.

        Fit for signal handlers; does not wait for it.
        """
        self._asked = reloader
        if self._bell is not None:
            self._bell.ring()

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the serving, as that of a `Server`; a second call ends it at once.

        Fit for signal handlers and for any thread; does not wait for the end.
        """
        self._stops += 2 if at_once else 1
        if self._bell is not None:
            self._bell.ring()

    # ------------------------------------------------------------ the parent

    def _run(self, bell: Bell) -> None:
        """Watches over the workers until it is to stop and none is left."""
        while not self._stops or self._alive():
            if self._stops:
                self._pass_on()
            else:
                self._fill_seats()
            self._watch(bell)
            self._judge()
            self._do_chores()
            self._reread()
            self._tell_settings()

    def _alive(self) -> list[Seat]:
        return [seat for seat in self._seats if seat.line is not None]

    def _pass_on(self) -> None:
        """Tells all workers that they are to end, and how; nobody listens any more."""
        order = DRAIN if self._stops == 1 else END
        if order != self._told:
            self._told = order
            for seat in self._seats:
                seat.deafen()
                seat.say(order)
                seat.ending = clock() if order == END else NEVER

    def _fill_seats(self) -> None:
        for seat in self._seats:
            if seat.line is None and seat.due <= clock():
                self._fill(seat)

    def _watch(self, bell: Bell) -> None:
        """Waits until a worker says something or ends, something is due, or `stop` is called."""
        lines = {seat.line.fileno(): seat for seat in self._seats if seat.line is not None}
        poll = select.poll()
        for fd in (bell.fileno(), *lines):
            poll.register(fd, select.POLLIN)
        now = clock()
        until = self._until(now)
        arrived = poll.poll(None if until == NEVER else 1000 * max(0.0, until - now))
        now = clock()
        for fd, _ in arrived:
            if fd not in lines:
                bell.hush()
            elif not lines[fd].listen(now):
                self._bury(lines[fd])

    def _until(self, now: float) -> float:
        """Returns when something is due."""
        due = [seat.due for seat in self._seats if seat.line is None and not self._stops]
        due += [seat.patience() for seat in self._alive()]
        if self._answer(now):
            due.append(self._chores.due)
        return min(due, default=NEVER)

    def _answer(self, now: float) -> bool:
        """Tells whether all workers answer: those that are left, when they are to end."""
        return all(seat.answers(now) for seat in (self._alive() if self._stops else self._seats))

    def _judge(self) -> None:
        """Kills the workers that are hung, and gives up those that even that does not end."""
        now = clock()
        for seat in self._alive():
            if seat.patience() > now:
                continue
            who = f"worker {seat.number + 1} (process {seat.pid})"
            if seat.killed == NEVER:
                if seat.lost(now):
                    self._journal.say(logging.WARNING, "worker", f"{who} is hung: it is killed")
                    seat.kill(now)
            elif self._stops:  # a disk that never answers holds it: nothing more can be done
                self._journal.say(logging.WARNING, "worker", f"{who} is left behind, killed")
                seat.hang_up()
            else:
                seat.killed = now  # its place is taken once it has ended

    def _do_chores(self) -> None:
        now = clock()
        if self._chores.due <= now and self._answer(now):
            self._chores.run(now)

    def _reread(self) -> None:
        """Takes other settings, if somebody asked for that and they are good."""
        asked, self._asked = self._asked, None
        settings = asked.reread() if asked is not None else None
        if settings is not None:
            self._settings = settings

    def _tell_settings(self) -> None:
        """Tells the newest settings to the workers that have older ones."""
        settings = self._settings
        if settings is None:
            return
        for seat in self._alive():
            if seat.settings is not settings and seat.say(ADOPT, settings.pack()):
                seat.settings = settings

    def _fill(self, seat: Seat) -> None:
        """Starts a worker. Stop signals wait until it does not take them for its own."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, THE_PARENTS)
        theirs = None
        try:
            ours, theirs = seats.line_pair()
            seat.fill(ours, self._settings, clock())
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

    def _bury(self, seat: Seat) -> None:
        """Takes note of a worker that has ended."""
        seat.hang_up()
        code = _await(seat.pid)
        if code or not self._stops:
            fate = f"(process {seat.pid}) {_fate(code)}"
            self._lament(seat, fate, clock() - seat.since)

    def _lament(self, seat: Seat, fate: str, lived: float) -> None:
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
        try:
            if self._alive():
                self._stops = max(self._stops, 2)
                self._run(bell)
        finally:
            for seat in self._seats:
                seat.deafen()
            if self._root is not None:
                self._root.close()
            bell.close()

    # ------------------------------------------------------------ a worker

    def _work(self, seat: Seat, line: socket.socket, mask: set[int]) -> NoReturn:
        """Is a worker, from its first moment to its end."""
        status = 1
        try:
            for number in THE_PARENTS:
                if number in STOPPING or signal.getsignal(number) is not signal.SIG_DFL:
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

    def _let_go(self, own: Seat) -> None:
        """Closes what is the parent's or another worker's: lines would never end otherwise."""
        assert self._bell is not None, "open has made it"
        self._bell.close()
        for seat in self._seats:
            if seat.line is not None:
                seat.line.close()
            if seat is not own:
                seat.deafen()

    def _serve_at(self, seat: Seat, line: socket.socket) -> None:
        assert self._root is not None, "open comes first"
        if seat.replaces and self._config.upload is not Upload.DENY:
            # What the dead one was writing. The files of living uploads are locked.
            say_swept(self._root.sweep())
        keep = partial(self._ledger.write, seat.number)
        journal = Journal(totals=self._ledger.read(seat.number), keep=keep)
        server = Server(
            self._root,
            config=self._share(seat.settings),
            journal=journal,
            listeners=seat.listeners,
            sole=True,
            chores=[Beat(line)],
        )
        server.open()
        obey = partial(self._obey, line, server)
        threading.Thread(target=obey, name="tftp-orders", daemon=True).start()
        server.serve()

    def _share(self, settings: Settings | None) -> Config:
        """Returns what this worker gets of the newest settings."""
        config = self._config if settings is None else settings.applied(self._config)
        return replace(config, limits=config.limits.share(self._count))

    def _obey(self, line: socket.socket, server: Server) -> None:
        """Does what the parent says; when it is gone, lets transfers end, and begins no more."""
        told = False
        while True:
            order, more = seats.receive_order(line)
            if order == ADOPT:
                limits, access = Settings.unpack(more)
                server.set(limits.share(self._count), access)
            elif order:
                server.stop(at_once=order == END)
                told = True
            else:
                break
        if not told:
            server.stop()


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
