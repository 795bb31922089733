"""A worker as its parent sees it: a place with sockets, the process on it, and its line.

Over the line the parent gives orders, and the worker a sign of life at each few turns of its
loop. Each message is whole or is none (SOCK_SEQPACKET), and neither side ever waits for the
other: who is hung, or stopped, must not take the rest along. Must not know what is served.
"""

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field

from tftp.net.clock import NEVER
from tftp.server.reload import Settings

__all__ = ["ADOPT", "DRAIN", "END", "Backoff", "Beat", "Seat", "line_pair", "receive_order"]

# What the parent says to a worker. The end of the line means that there is no parent.
DRAIN, END, ADOPT = b"d", b"e", b"s"

HUNG = 30.0  # seconds without a turn of its loop, after which a worker is given up
GRACE = 5.0  # seconds more, in case it was not its fault
ENDING = 5.0  # seconds that an order to end at once may take
EVERY = 5.0  # seconds from one sign of life to the next

SPACE = 1 << 20  # octets of a message, at most
BEATS_AT_ONCE = 64


def line_pair() -> tuple[socket.socket, socket.socket]:
    """Makes a line: the parent's end and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SPACE)
    return ours, theirs


def receive_order(line: socket.socket) -> tuple[bytes, bytes]:
    """Waits for an order, and returns it with what belongs to it; empty: no parent is left."""
    with suppress(ConnectionResetError):  # it died before it heard us
        message = line.recv(SPACE)
        return message[:1], message[1:]
    return b"", b""


class Beat:
    """A worker's chore: its sign of life, which only a loop that turns can give."""

    def __init__(self, line: socket.socket) -> None:
        """Takes the worker's end of the line."""
        self._line = line
        self.due = 0.0
        """When it is to run next."""

    def run(self, now: float) -> None:
        """Gives the sign; a parent that is stopped finds enough of them."""
        with suppress(OSError):
            self._line.send(b".", socket.MSG_DONTWAIT)
        self.due = now + EVERY


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
class Seat:
    """The place of a worker: its sockets, and the process that has them now, if there is one."""

    number: int
    listeners: list[socket.socket]
    pid: int = 0
    line: socket.socket | None = None
    """The parent's end of the line to the worker: it ends when that has ended."""
    since: float = 0.0
    due: float = 0.0
    """When an empty seat is to be filled."""
    replaces: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    settings: Settings | None = None
    """Those that its worker has, or was told; None while they are those of the start."""
    heard: float | None = None
    """When its worker gave the last sign of life; None: none yet."""
    ending: float = NEVER
    """When it was told to end at once."""
    suspected: float | None = None
    """When its patience had ended for the first time."""
    killed: float = NEVER
    """When it was killed for being hung."""

    def fill(self, line: socket.socket, settings: Settings | None, now: float) -> None:
        """Prepares for a new worker."""
        self.line = line
        self.settings = settings
        self.since = now
        self.heard = self.suspected = None
        self.ending = self.killed = NEVER

    def say(self, order: bytes, more: bytes = b"") -> bool:
        """Tells the worker, if there is one; returns whether the line took it."""
        if self.line is not None:
            # A worker that has ended is noticed soon, and one that does not listen is hung.
            with suppress(OSError):
                self.line.send(order + more, socket.MSG_DONTWAIT)
                return True
        return False

    def listen(self, now: float) -> bool:
        """Takes what the worker said; False: it has ended."""
        assert self.line is not None, "there is a worker"
        for _ in range(BEATS_AT_ONCE):
            try:
                if not self.line.recv(16, socket.MSG_DONTWAIT):
                    return False
            except BlockingIOError:
                break
            except OSError:
                return False  # it has ended with orders unread
            self.heard = now
            if self.ending == NEVER:
                self.suspected = None
        return True

    def answers(self, now: float) -> bool:
        """Tells whether there is a worker whose loop turns."""
        return self.line is not None and self.heard is not None and now < self.heard + HUNG

    def patience(self) -> float:
        """Returns when `lost` should be asked.

        A worker that has never given a sign still prepares itself, and has all the time.
        """
        if self.killed != NEVER:
            return self.killed + ENDING
        if self.suspected is not None:
            return self.suspected + GRACE
        hung = NEVER if self.heard is None else self.heard + HUNG
        return min(hung, self.ending + ENDING)

    def lost(self, now: float) -> bool:
        """Tells whether the worker is to be killed: the second time that patience has ended.

        The first time it may be that all of us were stopped: a machine that slept, a container
        that was frozen. Then it needs a moment in which we are awake.
        """
        if self.suspected is None:
            self.suspected = now
            return False
        return True

    def kill(self, now: float) -> None:
        """Kills the worker. It is our child and not awaited yet: the number is its own."""
        self.killed = now
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Forgets the worker."""
        if self.line is not None:
            self.line.close()
            self.line = None

    def deafen(self) -> None:
        """Closes the sockets, as far as this process has them."""
        for sock in self.listeners:
            sock.close()
