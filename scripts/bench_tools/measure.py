"""Runs the workloads: every server in turn, round after round, each time started anew.

One measurement is one server under one workload: started, warmed up with a small transfer of
the same kind, measured, ended. Rounds are the outermost loop, so that a machine that changes
its mind half-way spoils all servers alike. Must not know how figures are shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypedDict

from scripts.bench_tools import account
from scripts.bench_tools.job import Job, Tally
from scripts.bench_tools.servers import (
    PROBE,
    PROBE_SIZE,
    UPLOADS,
    NotReady,
    Running,
    Server,
    Stage,
    running,
)
from scripts.bench_tools.workloads import KIB, MIB, Workload

WARM_UP = 1 * MIB
WARM_UP_PUT = 256 * KIB
WARM_UP_LIMIT = 0.5
SLOW_LIMIT = 0.4  # share of a job's time that a server far behind gets
SETTLE = 0.02  # seconds for the last packets of a transfer to be dealt with


class Run(TypedDict):
    """One measurement. `cpu` and `memory` are the server's: seconds, octets at most."""

    tally: Tally
    cpu: float | None
    memory: int
    foreign: float
    """Processor time of others meanwhile, in cores: what disturbed."""


class Lane(TypedDict):
    """One server under one workload."""

    runs: list[Run]
    trouble: str
    """Why there is no run, or what went wrong in one; empty if nothing."""


Table = dict[str, dict[str, Lane]]  # workload -> server -> lane


@dataclass(slots=True)
class Budget:
    """How many rounds, and how long they may take all together.

    Slow servers and long workloads are left out of the rounds after the first `full_rounds`.
    """

    rounds: int
    full_rounds: int
    deadline: float | None
    """On the monotonic clock; a round that would end later is not begun."""
    took: dict[tuple[str, str], float] = field(default_factory=dict)

    def allows(self, pairs: Iterable[tuple[Workload, Server]]) -> bool:
        """Tells whether these measurements fit, as long as they took the last time."""
        if self.deadline is None:
            return True
        needed = sum(self.took.get((workload.name, server.name), 0.0) for workload, server in pairs)
        return time.monotonic() + needed < self.deadline


def prepare_files(stage: Stage, jobs: Iterable[Job]) -> None:
    """Makes the files that these jobs get, and the folder for what they put."""
    (stage.root / UPLOADS).mkdir(exist_ok=True)
    (stage.root / UPLOADS).chmod(0o777)
    wanted = {job.size for job in jobs if not job.put} | {WARM_UP}
    for size in sorted(wanted):
        path = stage.root / name_of(size)
        if not path.exists():
            stage.generator.make(path, size)
            path.chmod(0o644)
    stage.generator.make(stage.root / PROBE, PROBE_SIZE)
    (stage.root / PROBE).chmod(0o644)


def name_of(size: int) -> str:
    """Returns the name of the served file of a size."""
    return f"{size}.bin"


def measure_all(
    servers: list[Server], workloads: list[Workload], stage: Stage, budget: Budget
) -> Table:
    """Measures every server under every workload, as many rounds as the budget allows."""
    prepare_files(stage, (workload.job for workload in workloads))
    table: Table = {
        workload.name: {server.name: {"runs": [], "trouble": ""} for server in servers}
        for workload in workloads
    }
    for number in range(budget.rounds):
        pairs = [
            (workload, server)
            for workload in workloads
            for server in servers
            if number < budget.full_rounds or not (workload.long or server.slow)
        ]
        if number and not (pairs and budget.allows(pairs)):
            break
        for workload, server in pairs:
            lane = table[workload.name][server.name]
            if workload.job.put and not server.puts:
                lane["trouble"] = "takes no uploads"
                continue
            began = time.monotonic()
            _measure_into(lane, server, workload, stage, number)
            budget.took[workload.name, server.name] = time.monotonic() - began
    return table


def _measure_into(
    lane: Lane, server: Server, workload: Workload, stage: Stage, number: int
) -> None:
    job = replace(workload.job, seed=number + 1)
    if server.slow:
        job = replace(job, limit=job.limit * SLOW_LIMIT)
    try:
        run = measure(server, job, stage, workload.name, check=number == 0)
    except (NotReady, RuntimeError) as error:
        lane["trouble"] = str(error)
        print(f"bench: {workload.name} {server.name}: {error}", file=sys.stderr)
        return
    lane["runs"].append(run)
    if run["tally"]["wrong"]:
        lane["trouble"] = "wrong bytes"
    tally = run["tally"]
    note = "; ".join(f"{count} x {text}" for text, count in tally["causes"].items())
    print(
        f"bench: round {number + 1}  {workload.name:<17} {server.name:<9} "
        f"{tally['bytes'] / tally['seconds'] / 1e6:8.1f} MB/s  {note}",
        file=sys.stderr,
    )


def measure(server: Server, job: Job, stage: Stage, label: str, *, check: bool) -> Run:
    """Makes one measurement. `check`: compares uploaded files, too. Raises NotReady."""
    with running(server, stage) as up:
        try:
            _warm_up(up, job, stage)
            run = take(up, job, stage, label)
            if up.process.poll() is not None:  # what it moved before still counts
                run["tally"]["causes"][f"the server ended with {up.process.returncode}"] = 1
            if check and job.put and run["tally"]["finished"] == job.count:
                _check_uploads(stage, job, label, run["tally"])
        finally:
            for path in (stage.root / UPLOADS).iterdir():
                path.unlink(missing_ok=True)  # the server may be tidying up, too
    return run


def take(up: Running, job: Job, stage: Stage, label: str) -> Run:
    """Makes one measurement of a server that runs."""
    name = f"{UPLOADS}/{label}-" if job.put else name_of(job.size)
    before, foreign = up.cpu(), account.machine_cpu()
    with account.PeakOfFamily(up.process.pid) as memory:
        tally = stage.generator.run(job, up.port, name)
        time.sleep(SETTLE)
    after, foreign = up.cpu(), account.machine_cpu() - foreign
    cpu = after - before if after is not None and before is not None else None
    others = foreign - tally["cpu"] - (cpu or 0.0)
    return {
        "tally": tally,
        "cpu": cpu,
        "memory": memory.octets,
        "foreign": max(0.0, others / tally["seconds"]) if cpu is not None else 0.0,
    }


def _warm_up(up: Running, job: Job, stage: Stage) -> None:
    small = replace(
        job,
        size=WARM_UP_PUT if job.put else WARM_UP,
        clients=1,
        transfers=1,
        loss=0.0,
        storm=False,
        limit=WARM_UP_LIMIT,
    )
    stage.generator.run(small, up.port, f"{UPLOADS}/warm-" if job.put else name_of(WARM_UP))


def _check_uploads(stage: Stage, job: Job, label: str, tally: Tally) -> None:
    for number in {0, job.count - 1}:
        path = stage.root / UPLOADS / f"{label}-{number}"
        if not stage.generator.verify(path, job.size):
            tally["wrong"] += 1
            tally["causes"][f"stored other bytes than upload {number}"] = 1
