"""One job for the load generator, and what the generator says when it is done.

`Job` is a value: the workloads are made of it, and so are warm-ups and probes. What it means
on the wire is the generator's (load/load.c), which tests and measurements run through `run`.
Must not know about servers.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

HOST = "127.0.0.1"

ENDLESS = 100_000  # transfers that no server gets done: the clients go on until the limit

SPARE = 15.0  # seconds beyond its own limit before a generator counts as hung


class Tally(TypedDict):
    """What the generator counted; times in seconds."""

    bytes: int
    seconds: float
    finished: int
    failed: int
    unfinished: int
    p50: float
    p99: float
    slowest: float
    again_requests: int
    again_acks: int
    again_data: int
    duplicates: int
    gaps: int
    dropped_in: int
    dropped_out: int
    blocks: int
    packets_in: int
    packets_out: int
    wrong: int
    block: int
    window: int
    most_at_once: int
    cpu: float
    limiting: bool
    causes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Job:
    """What the clients do. `block` 0 asks without options; losses are per cent, each way."""

    size: int
    clients: int = 1
    transfers: int = 0
    """0: as many as there are clients."""
    block: int = 0
    window: int = 1
    put: bool = False
    loss: float = 0.0
    offload: bool = False
    """Take and give whole windows at once (UDP_GRO, UDP_SEGMENT)."""
    storm: bool = False
    """Send every request before any answer is read."""
    busy: bool = False
    """Look for answers without sleeping, as boot ROMs do."""
    full_check: bool = False
    """Check every byte, not only the first and last eight of each block."""
    seed: int = 1
    timer: float = 1.0
    retries: int = 30
    limit: float = 60.0

    @property
    def count(self) -> int:
        """Returns how many transfers it is."""
        return self.transfers or self.clients

    @property
    def endless(self) -> bool:
        """Whether it only ends with its time: what is not done then is no flaw."""
        return self.transfers >= ENDLESS

    def arguments(self, port: int, name: str) -> list[str]:
        """Returns the generator's command line; uploads get `name` and a number."""
        words: dict[str, object] = {
            "host": HOST,
            "port": port,
            "file": name,
            "size": self.size,
            "clients": self.clients,
            "transfers": self.count,
            "block": self.block,
            "window": self.window,
            "loss-in": self.loss,
            "loss-out": self.loss,
            "seed": self.seed,
            "timer": self.timer,
            "retries": self.retries,
            "limit": self.limit,
            "check": "full" if self.full_check else "ends",
        }
        flags = {
            "put": self.put,
            "numbered": self.put,
            "offload": self.offload,
            "storm": self.storm,
            "busy": self.busy,
        }
        pairs = [text for name, value in words.items() for text in (f"--{name}", str(value))]
        return pairs + [f"--{name}" for name, wanted in flags.items() if wanted]


@dataclass(frozen=True, slots=True)
class Generator:
    """The load generator's program, and the processor that it is kept on."""

    program: Path
    cpu: int | None = None

    def start(self, job: Job, port: int, name: str) -> subprocess.Popen[str]:
        """Starts it. The caller collects it."""
        command = [str(self.program), *job.arguments(port, name)]
        if self.cpu is not None:
            command += ["--cpu", str(self.cpu)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def collect(self, process: subprocess.Popen[str], job: Job) -> Tally:
        """Waits for it. Raises RuntimeError where it could not do its work."""
        try:
            output, errors = process.communicate(timeout=job.limit + SPARE)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if process.returncode:
            raise RuntimeError(f"the load generator failed: {errors.strip()}")
        tally: Tally = json.loads(output)
        return tally

    def run(self, job: Job, port: int, name: str) -> Tally:
        """Does the job and returns the tally."""
        return self.collect(self.start(job, port, name), job)

    def make(self, path: Path, size: int) -> None:
        """Writes a file with the content that the generator knows."""
        subprocess.run([self.program, "make", path, str(size)], check=True)

    def verify(self, path: Path, size: int) -> bool:
        """Tells whether the file has that content."""
        command = [str(self.program), "verify", str(path), str(size)]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
