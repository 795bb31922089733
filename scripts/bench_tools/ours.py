"""Questions to our server alone: many clients, several workers, and what it does when idle.

Cost per transfer from one client at once to ten thousand; how much two workers gain; how
often a server wakes up that nobody talks to, beside the peers. Must not know how figures are
shown.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from scripts.bench_tools import account
from scripts.bench_tools.job import ENDLESS, Job
from scripts.bench_tools.measure import name_of, prepare_files, take
from scripts.bench_tools.results import Step, Still, Team
from scripts.bench_tools.servers import NotReady, Running, Server, Stage, running
from scripts.bench_tools.workloads import ETHERNET, KIB, MIB

AT_ONCE = (1, 10, 100, 1_000, 10_000)
AT_LEAST = 1_000  # transfers of each step
STEP_SIZE = 64 * KIB
WARM = 20  # transfers before a step

# So many clients that there is always something to do for each worker.
WORKER_JOB = Job(2 * MIB, clients=128, transfers=ENDLESS, block=ETHERNET, limit=3.0)
WORKER_LOADS = 2


def scale(stage: Stage, ours: Server, small: bool) -> list[Step]:
    """Measures the same transfer with more and more clients at once, from a fresh server."""
    size = STEP_SIZE // (4 if small else 1)
    base = Job(size, block=ETHERNET, limit=30.0)
    prepare_files(stage, [base])
    steps: list[Step] = []
    for clients in AT_ONCE:
        job = replace(base, clients=clients, transfers=max(clients, AT_LEAST))
        with running(ours, stage) as up:
            # All that a transfer ever needs once is there before the first is measured.
            stage.generator.run(replace(base, transfers=WARM), up.port, name_of(size))
            run = take(up, job, stage, "scale")
        steps.append({"clients": clients, "size": size, "run": run})
        tally = run["tally"]
        print(
            f"bench: {clients:>6} clients at once: {tally['finished'] / tally['seconds']:8.0f} "
            f"transfers/s, {tally['most_at_once']} at once at most",
            file=sys.stderr,
        )
    return steps


def has_workers(ours: Server) -> bool:
    """Tells whether our server can be told to have several workers."""
    assert ours.program is not None
    done = subprocess.run([ours.program, "--help"], capture_output=True, text=True, check=True)
    return "--workers" in done.stdout


def workers(stage: Stage, ours: Server, rounds: int) -> list[Team]:
    """Measures one worker and two, in turn, under the load of two generators.

    Servers and loads are not kept on processors of their own: with fewer than four, they
    share them, and the gain that can be had is smaller. So the processor time of the busiest
    worker is noted, too: what was moved in it tells what there is to gain with more.
    """
    prepare_files(stage, [WORKER_JOB])
    free = replace(stage.generator, cpu=None)
    everywhere = (stage.cores.server, stage.cores.load, *stage.cores.spare)
    teams: list[Team] = [{"workers": count, "runs": [], "busiest": []} for count in (1, 2)]
    for _ in range(rounds):
        for team in teams:
            server = ours.with_options("--workers", str(team["workers"]))
            with running(server, stage, cpus=everywhere) as up:
                before = account.cpu_of_each(up.process.pid)
                loads = [
                    free.start(WORKER_JOB, up.port, name_of(WORKER_JOB.size))
                    for _ in range(WORKER_LOADS)
                ]
                tallies = [free.collect(load, WORKER_JOB) for load in loads]
                after = account.cpu_of_each(up.process.pid)
            total = sum(tally["bytes"] for tally in tallies)
            seconds = max(tally["seconds"] for tally in tallies)
            team["runs"].append((total, seconds))
            team["busiest"].append(max(b - a for a, b in zip(before, after, strict=True)))
            print(
                f"bench: {team['workers']} workers {total / seconds / 1e6:.1f} MB/s",
                file=sys.stderr,
            )
    return teams


def idle(stage: Stage, servers: Sequence[Server], seconds: float) -> dict[str, Still]:
    """Starts all servers, leaves them alone, and tells what they did meanwhile."""
    found: dict[str, Still] = {}
    with ExitStack() as stack:
        up: list[Running] = []
        for server in servers:
            try:
                up.append(stack.enter_context(running(server, stage)))
            except NotReady as error:
                print(f"bench: idle {error}", file=sys.stderr)
        time.sleep(1.0)  # the transfer that showed they are ready is over
        before = [(one.cpu(), account.wakeups(one.process.pid)) for one in up]
        time.sleep(seconds)
        for one, (cpu, woken) in zip(up, before, strict=True):
            now = one.cpu()
            found[one.server.name] = {
                "seconds": seconds,
                "cpu": None if now is None or cpu is None else now - cpu,
                "wakeups": account.wakeups(one.process.pid) - woken,
                "memory": account.resident(one.process.pid),
            }
    return found
