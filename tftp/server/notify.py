"""Telling the service manager how we are: the protocol of sd_notify(3).

`NOTIFY_SOCKET` names a datagram socket (a path, or with `@` an abstract name) that takes
lines such as READY=1. It is connected once, before privileges are dropped, and kept. With
`WATCHDOG_USEC` the manager wants a sign of life, or starts us anew: it gets one in half that
time, from the loop that serves. A manager that is gone, deaf or slow never harms the serving.
Must not know about requests.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Self

from tftp.net.clock import NEVER

__all__ = ["Manager", "Watch"]

ALIVE = b"WATCHDOG=1"
KEPT = 16  # messages for a manager that does not take them now
AGAIN = 1.0  # seconds until they are tried again


class Manager:
    """The line to the service manager; without one, all of it does nothing."""

    def __init__(self, address: str | None, beat: float | None = None) -> None:
        """Connects. `beat` is the time in seconds from one sign of life to the next."""
        self.beat = beat
        address = address or ""
        self._name = "\0" + address[1:] if address[:1] == "@" else address
        self._unsent: deque[bytes] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        if self._name:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._connect()

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Self:
        """Connects to the manager that started this process, if one did.

        The variables are removed, so that no child takes them for its own.
        """
        address = environment.pop("NOTIFY_SOCKET", "")
        period = environment.pop("WATCHDOG_USEC", "")
        process = environment.pop("WATCHDOG_PID", "")
        beat = None
        if process in ("", str(os.getpid())) and period.isascii() and period.isdigit():
            beat = int(period) / 2e6 or None
        # Other kinds of address (vsock:) are for virtual machines.
        return cls(address if address[:1] in ("/", "@") else None, beat)

    @property
    def waits(self) -> bool:
        """Whether there are messages that it has not taken yet."""
        return bool(self._unsent)

    def ready(self) -> None:
        """Tells that requests are answered now, and that this process is the one to signal."""
        self._tell("READY=1", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Tells that settings are being read again; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tells that transfers are ending and no more begin. Fit for signal handlers."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Tells in a line for people what is going on."""
        self._tell("STATUS=" + " ".join(text.split()))

    def alive(self) -> None:
        """Gives the sign of life. Only for whom the watchdog is to watch."""
        if ALIVE not in self._unsent:
            self._tell(ALIVE.decode())

    def flush(self) -> None:
        """Sends what the manager would not take before."""
        # Another thread is here, or a signal came while this one was: it sends ours too.
        while self._unsent and self._lock.acquire(blocking=False):
            try:
                message = self._unsent.popleft()
                if not self._send(message):
                    self._unsent.appendleft(message)
                    return
            finally:
                self._lock.release()

    def close(self) -> None:
        """Closes the line; nothing is told any more."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            self._unsent.append("\n".join(lines).encode(errors="replace"))
            self.flush()

    def _send(self, message: bytes) -> bool:
        """Returns whether it was taken. A manager that was started anew is found again."""
        for _ in range(2):
            if self._socket is None:
                return True
            try:
                self._socket.send(message)
            except BlockingIOError:
                return False
            except OSError:
                self._connect()
            else:
                return True
        return False

    def _connect(self) -> None:
        assert self._socket is not None, "there is a name to connect to"
        with suppress(OSError, ValueError):  # nobody there, or no name: noticed when we send
            self._socket.connect(self._name)


class Watch:
    """The chore that announces readiness at its first run, and then gives signs of life."""

    def __init__(self, manager: Manager, then: Callable[[], None] | None = None) -> None:
        """Calls `then` once, after readiness is told; it raises nothing."""
        self._manager = manager
        self._then = then
        self._ready = False
        self.due = 0.0
        """When it is to run next."""

    def run(self, now: float) -> None:
        """Says what is to be said now."""
        if not self._ready:
            self._ready = True
            self._manager.ready()
            if self._then is not None:
                self._then()
        if self._manager.beat is not None:
            self._manager.alive()
        else:
            self._manager.flush()
        self.due = now + (self._manager.beat or NEVER)
        if self._manager.waits:
            self.due = min(self.due, now + AGAIN)
