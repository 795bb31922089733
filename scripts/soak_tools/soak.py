"""Plays simulated worlds on all cores, for as long as wanted: the command line of scripts/soak.

Each core has a process of its own that takes every so-many-th seed, counts, and looks at what
it holds: open descriptors and memory. A line a minute and a summary tell how it goes. The exit
status is 1 when an invariant did not hold, a descriptor was left open, or memory has grown.
Here is what the simulator itself must not have: the clock, and processes.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tftp.protocol.transfer import Ending
from tftp.sim.play import play

__all__ = ["main"]

REPORT_EVERY = 5.0
"""Seconds between two words of a process."""
GROWTH = 32 << 20
"""Octets that a process may have more at the end than when it was warm: the largest worlds
come in any order, and an allocator keeps what it once had."""
WARM = 0.2
"""The part of the time after which all kinds of worlds have been seen."""


@dataclass(slots=True)
class Words:
    """What a process says of itself, all since its start."""

    seeds: int = 0
    seed: int = 0
    """The one that it has played last."""
    endings: Counter[Ending] = field(default_factory=Counter)
    octets: int = 0
    forged: int = 0
    descriptors: int = 0
    memory: int = 0
    """In octets, resident."""
    failure: str = ""
    """What did not hold, and how to see it again."""


@dataclass(slots=True)
class Worker:
    """A process as its starter sees it."""

    process: multiprocessing.process.BaseProcess
    words: Words
    first: Words
    warm: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays for as long as the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--minutes", type=float, default=30.0, help="how long; default 30")
    parser.add_argument("--jobs", type=int, default=cores, help="processes; default: all cores")
    parser.add_argument(
        "--worlds-only", action="store_true", help="leave out the server on real sockets"
    )
    parser.add_argument("--first", type=int, help="the first seed; default: another every time")
    given = parser.parse_args(arguments)
    if given.minutes <= 0 or given.jobs < 1:
        parser.error("--minutes is more than 0, --jobs 1 or more")
    first = given.first if given.first is not None else int(time.time()) * 1000
    _say(f"{given.jobs} process(es), {given.minutes:g} minutes, seeds from {first} on")
    beside = None if given.worlds_only else _start_sockets(given.minutes, first)
    workers = _start(first, given.jobs, time.monotonic() + given.minutes * 60)
    try:
        _watch(workers, given.minutes * 60)
    except KeyboardInterrupt:
        _say("stopped before the end")
    finally:
        for worker in workers.values():
            worker.process.terminate()
            worker.process.join()
        if beside is not None:
            beside.wait()  # it ends by itself, or of the same Ctrl-C
    status = _conclude(list(workers.values()))
    return 1 if beside is not None and beside.returncode else status


def _say(line: str) -> None:
    print(f"soak: {line}", flush=True)


def _start_sockets(minutes: float, seed: int) -> subprocess.Popen[bytes]:
    """Has a real server soaked beside the worlds."""
    given = ("--minutes", str(minutes), "--seed", str(seed))
    return subprocess.Popen([sys.executable, "-m", "scripts.soak_tools.sockets", *given])


def _start(first: int, jobs: int, until: float) -> dict[Connection, Worker]:
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, Worker] = {}
    for index in range(jobs):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(writer, first + index, jobs, until))
        process.daemon = True
        process.start()
        writer.close()
        workers[reader] = Worker(process, Words(), Words())
    return workers


def _work(writer: Connection, seed: int, step: int, until: float) -> None:
    """Plays worlds until it is time, and says now and then how far it is."""
    words = Words(seed=seed)
    play(0)  # all that is imported late is there before the first look
    _look(words)
    writer.send(words)
    spoken = time.monotonic()
    try:
        while time.monotonic() < until and not words.failure:
            _play(words, seed)
            seed += step
            if time.monotonic() - spoken >= REPORT_EVERY:
                _look(words)
                writer.send(words)
                spoken = time.monotonic()
        _look(words)
        writer.send(words)
    except KeyboardInterrupt:
        pass


def _play(words: Words, seed: int) -> None:
    try:
        report = play(seed)
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        words.failure = f"seed {seed}: {type(error).__name__}: {error}\n{notes}"
        return
    words.seeds += 1
    words.seed = seed
    words.endings.update(report.endings)
    words.octets += report.octets
    words.forged += report.strangers


def _look(words: Words) -> None:
    """Notes what this process holds."""
    words.descriptors = len(list(Path("/proc/self/fd").iterdir()))
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    words.memory = pages * resource.getpagesize()


def _watch(workers: dict[Connection, Worker], seconds: float) -> None:
    """Listens until all processes have ended, and tells how it goes once a minute."""
    began = told = time.monotonic()
    listening: list[Connection] = list(workers)
    while listening:
        for ready in wait(listening, timeout=1.0):
            assert isinstance(ready, Connection)
            worker = workers[ready]
            try:
                worker.words = ready.recv()
            except EOFError:
                listening.remove(ready)
                continue
            if not worker.first.memory:
                worker.first = worker.words
            if not worker.warm and time.monotonic() - began >= WARM * seconds:
                worker.warm = worker.words.memory
            if worker.words.failure:
                return
        if time.monotonic() - told >= 60:
            told = time.monotonic()
            _tell_progress(list(workers.values()), told - began)


def _tell_progress(workers: list[Worker], seconds: float) -> None:
    seeds = sum(worker.words.seeds for worker in workers)
    transfers = sum(worker.words.endings.total() for worker in workers)
    memory = " + ".join(f"{worker.words.memory >> 20}" for worker in workers)
    _say(f"{seconds / 60:4.0f} min: {seeds:,} seeds, {transfers:,} transfers, {memory} MiB")


def _conclude(workers: list[Worker]) -> int:
    """Prints the summary; returns the exit status."""
    endings: Counter[Ending] = Counter()
    for worker in workers:
        endings.update(worker.words.endings)
    seeds = sum(worker.words.seeds for worker in workers)
    octets = sum(worker.words.octets for worker in workers)
    forged = sum(worker.words.forged for worker in workers)
    failures = [worker.words.failure for worker in workers if worker.words.failure]
    _say(f"{seeds:,} seeds, {endings.total():,} transfers ended, {forged:,} packets forged")
    for ending in Ending:
        _say(f"  {ending.value}: {endings[ending]:,}")
    _say(f"{octets:,} octets came across, {'0 wrong' if not failures else 'see below'}")
    well = not failures
    for number, worker in enumerate(workers):
        well = _tell_worker(number, worker) and well
    for failure in failures:
        _say(f"FAILED: {failure}")
    _say("all invariants held" if well else "NOT well")
    return 0 if well else 1


def _tell_worker(number: int, worker: Worker) -> bool:
    """Prints what a process held; returns whether it held no more in the end."""
    first, last = worker.first, worker.words
    warm = worker.warm or first.memory
    _say(
        f"process {number}: descriptors {first.descriptors} at the start, {last.descriptors} at "
        f"the end; memory {first.memory >> 20} MiB at the start, {warm >> 20} warm, "
        f"{last.memory >> 20} at the end"
    )
    if not last.seeds and not last.failure:
        _say(f"process {number} has played nothing")
        return False
    grown = last.memory - warm > GROWTH and worker.warm > 0
    return last.descriptors == first.descriptors and not grown
