"""Runs a server for the suite: starts it, sees that it works, starts it anew, ends it.

It runs in a process group of its own, with fresh fixtures in a temporary folder, and is ended
by its process id. It works when it answers a read. Must not know what is judged: `watch` asks
it after each case whether its server has survived.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .fixtures import write_fixtures
from .room import Room
from .targets import CANNOT, NotAvailable, Programs, Target
from .wire import DATA, ack, parse, rrq

__all__ = ["Server"]

T = TypeVar("T")

HOST = "127.0.0.1"
WELL_KNOWN = 69
PORTS = range(15_000, 30_000)
"""Where free ports are looked for: below those that the system gives to the suite's lines."""

READY = 20.0  # seconds that a server may take to answer, on a busy machine
WORKS = 8.0  # seconds within which one that works answers, beside whatever else it does
ASKS_EVERY = 0.2
ATTEMPTS = 3  # a free port may be taken before the server gets it

# Asks the kernel to end the server with the thread that started it (PR_SET_PDEATHSIG).
TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""


class Server:
    """A server that works, until `stop`."""

    def __init__(self, target: Target, programs: Programs) -> None:
        """Starts it. Raises NotAvailable."""
        self.target = target
        self.ends: list[str] = []
        """How it has ended, each time that it did."""
        self._programs = programs
        try:
            self._room = Room(private=target.launch == "namespace")
        except OSError as error:
            raise NotAvailable(f"no network of its own can be made: {error.strerror}") from error
        self._folder = Path(tempfile.mkdtemp(prefix="tftp-server-"))
        self._folder.chmod(0o755)  # a server may read it as another user
        self.root = self._folder / "root"
        write_fixtures(self.root)
        self.address = (HOST, WELL_KNOWN)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._room.call(self._start)
        except BaseException:
            self.stop()
            raise

    def beside(self, work: Callable[[], T]) -> T:
        """Does the work where the server can be reached; the threads that it starts can, too."""
        return self._room.beside(work)

    def revive(self, *, ask: bool) -> str:
        """Sees to it that the server works; returns how it had ended, or nothing.

        With `ask` it also has to answer a read; else it only has to run. Raises NotAvailable
        if it cannot be started any more.
        """
        if self._process is None:
            raise NotAvailable("it was stopped")
        time.sleep(self.target.pause)
        status = self._status()
        if status is not None:
            end = f"the server has ended, {_cause(status)}{self._last_words()}"
        elif ask and not self._answers(WORKS):
            end = f"the server runs, but answered no read for {WORKS:.0f} s"
        else:
            return ""
        self.ends.append(end)
        self._room.call(self._start)
        return end

    def stop(self) -> None:
        """Ends it, the children that it may have for transfers, and its folder."""
        self._kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._room.close()  # last: it waits for cases that still run

    def _start(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._kill()
            self._process = self._spawn()
            if self._answers(READY):
                return
            status = self._status()
            if status == CANNOT or status is None or attempt == ATTEMPTS:
                state = "does not answer" if status is None else f"has ended, {_cause(status)}"
                raise NotAvailable(f"it {state}{self._last_words()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
            (self._folder / "log").open("wb") as log,
        ):
            if self.target.launch != "namespace":
                self.address = (HOST, _bind(sock, self.address[1]))
            if self.target.launch == "port":
                sock.close()
            by_socket = self.target.launch == "stdin"
            command = self._programs.start(self.target, *self.address, self.root)
            return subprocess.Popen(
                [sys.executable, "-c", TETHER, *command],
                cwd=self.root,
                stdin=sock.fileno() if by_socket else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self, seconds: float) -> bool:
        """Asks for a file until anything comes; False if the server ends, or for too long."""
        deadline = time.monotonic() + seconds
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(ASKS_EVERY)
            while time.monotonic() < deadline and self._status() is None:
                try:
                    sock.sendto(rrq("b1"), self.address)
                    answer, source = sock.recvfrom(1024)
                except OSError:  # no answer yet, or nobody there yet
                    continue
                if parse(answer).kind == DATA:
                    sock.sendto(ack(1), source)
                return True
        return False

    def _status(self) -> int | None:
        """Returns how the process has ended; None: it runs.

        It stays a zombie, so that its number is taken until its group is killed.
        """
        assert self._process is not None, "it was started"
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _kill(self) -> None:
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text("utf-8", "replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


def _bind(sock: socket.socket, wish: int) -> int:
    """Binds to the port that it had before if there is one, else to any free one."""
    for port in (*([wish] if wish != WELL_KNOWN else []), *random.sample(PORTS, 50)):
        try:
            sock.bind((HOST, port))
        except OSError:
            continue
        return port
    raise NotAvailable("no free UDP port was found")


def _cause(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
