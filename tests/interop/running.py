"""Starts foreign servers, waits until they answer, and ends them.

A server is ready when it answers an RRQ for a small file: the request is repeated until it
does, for a bounded time. Its log is kept and shown when a test of it fails.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.interop.network import Network
from tests.interop.peers import PROJECT
from tests.interop.servers import Launch, Place, ServerPeer
from tests.interop.shelf import Shelf

T = TypeVar("T")

PROBE = "1"
"""A file of one octet: its first block is its last."""

# Asks the kernel to end the server with the test run, however that ends (PR_SET_PDEATHSIG).
TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execv(sys.argv[1], sys.argv[1:])
"""

READY = 20.0  # seconds that a server may take to answer, on a busy machine
ATTEMPTS = 3  # a free port may be taken before the server gets it
LOG_TAIL = 3000


class Running:
    """A server that listens, until `stop`."""

    def __init__(self, peer: ServerPeer, address: str, shelf: Shelf, folder: Path) -> None:
        """Starts it. Skips or fails the test where it cannot be started."""
        if peer.needs_root and os.geteuid() != 0:
            pytest.skip(f"peer {peer.name}: {peer.needs_root}, which takes root")
        self.peer = peer
        self.address = address
        self.port = 69
        self._shelf = shelf
        self._log = folder / f"{peer.name}-{address.replace(':', '_')}.log"
        self._network: Network | None = None
        if peer.launch is Launch.NETWORK:
            try:
                self._network = Network()
            except OSError as error:
                reason = f"cannot make a network namespace: {error.strerror}"
                pytest.skip(f"peer {peer.name}: {reason}")
        try:
            self._process = self._start()
        except BaseException:
            self._close_network()
            raise

    def call(self, work: Callable[[], T]) -> T:
        """Does the work where the server can be reached."""
        return self._network.call(work) if self._network is not None else work()

    @property
    def process_id(self) -> int:
        """Returns the number of the process that listens."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tells whether it has not ended by itself."""
        return self._process.poll() is None

    def log(self) -> str:
        """Returns the end of what it has written."""
        state = "running" if self.alive else f"ended with {self._process.returncode}"
        text = self._log.read_text(errors="replace")[-LOG_TAIL:]
        return f"--- {self.peer.name} is {state}; its log ends with\n{text}"

    def stop(self) -> None:
        """Ends it, and the children it may have for transfers."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(timeout=5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        self._close_network()

    def _close_network(self) -> None:
        if self._network is not None:
            self._network.close()

    def _start(self) -> subprocess.Popen[bytes]:
        for attempt in range(1, ATTEMPTS + 1):
            self._process = self.call(self._spawn)
            if self.call(self._answers):
                return self._process
            if self.alive or attempt == ATTEMPTS:
                log = self.log()
                os.killpg(self._process.pid, signal.SIGKILL) if self.alive else None
                self._process.wait()
                pytest.fail(f"peer {self.peer.name} did not come up\n{log}", pytrace=False)
        raise AssertionError("unreachable")

    def _spawn(self) -> subprocess.Popen[bytes]:
        launch = self.peer.launch
        with (
            socket.socket(family_of(self.address), socket.SOCK_DGRAM) as sock,
            self._log.open("wb") as log,
        ):
            if launch is not Launch.NETWORK:
                sock.bind((self.address, 0))
                self.port = sock.getsockname()[1]
            if launch is Launch.PORT:
                sock.close()
            command = self.peer.command(Place(self.address, self.port, self._shelf.root))
            return subprocess.Popen(
                [sys.executable, "-c", TETHER, *command],
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                cwd=self._shelf.root,
                stdin=sock.fileno() if launch is Launch.SOCKET else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Asks for a file until it comes; False if the server ends, or for too long."""
        request = b"\0\1" + PROBE.encode() + b"\0octet\0"
        deadline = time.monotonic() + READY
        with (
            self._shelf.file(int(PROBE)),
            socket.socket(family_of(self.address), socket.SOCK_DGRAM) as sock,
        ):
            sock.settimeout(0.2)
            while time.monotonic() < deadline and self.alive:
                sock.sendto(request, (self.address, self.port))
                try:
                    answer, source = sock.recvfrom(1024)
                except (TimeoutError, ConnectionError):
                    continue
                if answer[:4] == b"\0\3\0\1":
                    sock.sendto(struct.pack("!HH", 4, 1), source)
                    return True
        return False


class Pool:
    """The servers of a test run, each started when it is first wanted."""

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self._shelf = shelf
        self._folder = folder
        self._running: dict[tuple[str, str], Running] = {}

    def take(self, peer: ServerPeer, address: str) -> Running:
        """Returns the server, started anew where it has died."""
        key = (peer.name, address)
        server = self._running.get(key)
        if server is not None and not server.alive:
            server.stop()
            server = None
        if server is None:
            server = self._running[key] = Running(peer, address, self._shelf, self._folder)
        return server

    def close(self) -> None:
        """Stops them all."""
        for server in self._running.values():
            server.stop()


def family_of(address: str) -> socket.AddressFamily:
    """Returns the address family of a literal address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def eventually(check: Callable[[], bool], seconds: float) -> bool:
    """Asks again and again until the answer is yes, or the time is over."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True
