"""Soaks a real server on loopback: clients read and write through a relay with faults.

The server is stopped, or killed, now and then, and another one takes its port at once. Every
octet that arrives is compared; a transfer may fail only if a server was stopped or killed
during it. Descriptors and memory are looked at when a server has been warm for a while and
again before it goes. Must not know the simulator.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import tftp
from conformance.relay import Bounds
from conformance.relay_faults import Faults
from conformance.relay_loop import UdpRelay

HOST = f"127.77.{os.getpid() // 254 % 254}.{os.getpid() % 254 + 1}"
"""An address of our own: what other programs' servers repeat to ports that are ours now would
else pass for an answer."""
CLIENTS = 8
SIZES = (0, 100, 512, 5_000, 20_000, 150_000)
FAULTS = Faults(loss=0.01, duplication=0.01, reordering=0.02, delay=0.0005, jitter=0.0005)
LIFE = 150.0
"""Seconds that a server lives; memory is compared between a third of it and its end."""
GROWTH = 16 << 20
BOUNDS = Bounds(doors=8_000, idle=20.0)
"""A silent port is given back later than the longest pause of either side, 8 s."""
DESCRIPTORS = 10_000
IDLE = 60.0
"""Seconds until what was left of transfers is given up, at most."""
IDLE_DESCRIPTORS = 3
"""More than at its start, as those of threads that are kept."""
ALIBI = 60.0
"""A transfer that fails for want of a server ends no later than this after that went."""


def say(line: str) -> None:
    """Tells the operator."""
    print(f"soak: sockets: {line}", flush=True)


class Served:
    """A process that serves, and those that follow it on the same port."""

    def __init__(self, root: Path) -> None:
        """Starts the first one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]
        self._root = root
        self.gone_at = -ALIBI
        self.process = self._start()

    def descriptors(self) -> int:
        """Returns how many it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def memory(self) -> int:
        """Returns its resident octets."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()

    def replace(self, *, kill: bool) -> None:
        """Ends it, and starts another one."""
        self.end(kill=kill)
        self.gone_at = time.monotonic()
        self.process = self._start()

    def end(self, *, kill: bool = False) -> None:
        """Ends it: lets its transfers end, or not."""
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _start(self) -> subprocess.Popen[str]:
        program = Path(sys.executable).with_name("tftp-serve")
        process = subprocess.Popen(
            [
                *(program, self._root, "--host", HOST, "--port", str(self.port)),
                *("--upload", "overwrite", "--drain", "2"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        first = process.stderr.readline()
        while first and "listening" not in first:  # it may have swept first
            first = process.stderr.readline()
        if not first:
            raise RuntimeError("the server does not start")
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        return process


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    with process.stderr as lines, suppress(ValueError):
        for _ in lines:
            pass


class Soak:
    """The clients, and what became of their transfers."""

    def __init__(self, server: Served, port: int, root: Path, seed: int) -> None:
        """Starts nobody yet."""
        self.fates: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.octets = 0
        self._server = server
        self._port = port
        self._root = root
        self._seed = seed
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._live, args=(n,)) for n in range(CLIENTS)]

    def begin(self) -> None:
        """Starts the clients."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Lets each end the transfer that it is at."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _live(self, number: int) -> None:
        chance = random.Random(f"{self._seed} {number}")
        for turn in count():
            if self._over.is_set() or self.wrong:
                return
            content = chance.randbytes(chance.choice(SIZES))
            window, block = chance.choice((1, 1, 4, 16)), chance.choice((512, 1428, 8192))
            client = tftp.Client(HOST, self._port, window=window, block_size=block)
            name = f"{number}-{turn % 20}"
            began = time.monotonic()
            try:
                client.put(name, content)
                fate = self._compare(f"put {name}", (self._root / name).read_bytes(), content)
                if fate == "written":
                    self._note(fate, len(content))
                    fate = self._compare(f"get {name}", client.get(name), content, "read")
            except (tftp.TftpError, OSError) as error:
                fate = self._excuse(f"{name}, turn {turn}: {error!r}", began)
            self._note(fate, len(content))

    def _compare(self, what: str, found: bytes, content: bytes, fate: str = "written") -> str:
        if found == content:
            return fate
        self.wrong.append(f"{what}: {len(found)} octets, other than the {len(content)} sent")
        return "wrong"

    def _excuse(self, what: str, began: float) -> str:
        """A server that has gone since, or shortly before, is an excuse; nothing else is."""
        if self._server.gone_at > began - ALIBI:
            return "lost with a server"
        self.wrong.append(what)
        return "failed without a reason"

    def _note(self, fate: str, octets: int) -> None:
        with self._lock:
            self.fates[fate] += 1
            self.octets += octets if fate in ("written", "read") else 0


def _watch(server: Served, soak: Soak, until: float) -> list[str]:
    """Replaces servers until it is time; returns what was wrong with them."""
    faults: list[str] = []
    lives = 0
    while time.monotonic() < until and not soak.wrong and not faults:
        began = time.monotonic()
        warm = 0
        life = min(LIFE, until - began)
        while (age := time.monotonic() - began) < life and not soak.wrong:
            if server.process.poll() is not None:
                return [*faults, f"the server ended with status {server.process.returncode}"]
            if not warm and age > life / 3:
                warm = server.memory()
            time.sleep(0.5)
        memory, descriptors = server.memory(), server.descriptors()
        if warm and memory - warm > GROWTH:
            faults.append(f"memory has grown from {warm >> 20} to {memory >> 20} MiB")
        done = soak.fates["written"] + soak.fates["read"]
        say(f"{done:,} transfers, {warm >> 20} then {memory >> 20} MiB, {descriptors} descriptors")
        lives += 1
        if time.monotonic() < until - LIFE / 2:
            server.replace(kill=bool(lives % 2))
    return faults


def _check_idle(server: Served, before: int) -> list[str]:
    """Waits until nothing is left of the last transfers."""
    until = time.monotonic() + IDLE
    while (left := server.descriptors()) > before + IDLE_DESCRIPTORS:
        if time.monotonic() > until:
            return [f"{left} descriptors are open, and were {before} at the start"]
        time.sleep(0.5)
    say(f"descriptors: {before} at the start, {left} at the end")
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Soaks for as long as the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="soak_sockets", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args(arguments)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        more = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    root = Path(tempfile.mkdtemp(prefix="tftp-soak-"))
    server = Served(root)
    relay = UdpRelay((HOST, server.port), (HOST, 0), FAULTS, seed=given.seed, bounds=BOUNDS)
    road = threading.Thread(target=relay.run, daemon=True)
    soak = Soak(server, relay.address[1], root, given.seed)
    try:
        before = server.descriptors()
        road.start()
        soak.begin()
        try:
            faults = _watch(server, soak, time.monotonic() + given.minutes * 60)
        finally:
            soak.end()
        faults += _check_idle(server, before)
    finally:
        server.end(kill=True)
        relay.stop()
        road.join()
        shutil.rmtree(root)
    told = ", ".join(f"{number:,} {fate}" for fate, number in sorted(soak.fates.items()))
    say(f"{told}; {soak.octets:,} octets came across")
    for fault in (*soak.wrong, *faults):
        say(f"FAILED: {fault}")
    return 1 if soak.wrong or faults else 0


if __name__ == "__main__":
    sys.exit(main())
