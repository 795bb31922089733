"""The workloads, as data: what the clients do, and what is expected of the product.

A job moves enough for about half a second on a fast server; a slow one is stopped at the
job's limit, and what it moved until then counts. `quick` shrinks the jobs. Must not know how
they are run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scripts.bench_tools.job import ENDLESS, Job

KIB, MIB = 1 << 10, 1 << 20
ETHERNET = 1428  # the block that fits a packet of 1,500 octets, with a VLAN tag to spare


@dataclass(frozen=True, slots=True)
class Goal:
    """Ratios to the best peer: throughput that is the floor, and what we are after; CPU per GB."""

    floor: float
    after: float
    cpu: float | None


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the table."""

    name: str
    title: str
    job: Job
    goal: Goal | None = None
    no_repeats: bool = False
    """The goal also asks for no packet that a client had to send again."""
    long: bool = False
    """Takes seconds with most servers, so the later rounds leave it out."""
    quick: Job | None = None
    """What a quick run does; half as much, if this is not given."""

    def for_quick_run(self) -> Workload:
        """Returns it for a quick run."""
        return replace(self, job=self.quick or _half(self.job))


def _half(job: Job) -> Job:
    if job.count > job.clients:
        return replace(job, transfers=job.count // 2, limit=job.limit / 4)
    return replace(job, size=job.size // 2, limit=job.limit / 4)


STORM = Job(128 * KIB, clients=1000, block=ETHERNET, storm=True, limit=5.0)
# Goodput is of all the time: one lost request, which no server can know of, is a second.
LOSSY = Job(1 * MIB, clients=20, transfers=ENDLESS, block=ETHERNET, loss=1.0, limit=4.0)
LOSSY_WINDOW = replace(LOSSY, window=16, loss=5.0)


WORKLOADS = (
    Workload(
        "get-512",
        "1 client, 512, lock-step",
        Job(4 * MIB, transfers=4, limit=0.8),
        Goal(2.2, 2.5, 1.1),
    ),
    Workload(
        "get-1428",
        "1 client, 1428, lock-step",
        Job(8 * MIB, transfers=4, block=ETHERNET, limit=0.8),
        Goal(2.2, 2.5, 1.1),
    ),
    Workload(
        "get-1428-w16",
        "1 client, 1428, window 16",
        Job(32 * MIB, transfers=8, block=ETHERNET, window=16, limit=0.8),
        Goal(1.5, 2.0, 0.5),
    ),
    Workload(
        "get-1428-w64",
        "1 client, 1428, window 64",
        Job(32 * MIB, transfers=12, block=ETHERNET, window=64, limit=0.8),
        Goal(3.0, 4.0, 0.3),
    ),
    Workload(
        "get-1428-w64-gro",
        "1 client with GRO, 1428, window 64",
        Job(32 * MIB, transfers=16, block=ETHERNET, window=64, offload=True, limit=0.8),
    ),
    Workload(
        "get-8192-w16",
        "1 client, 8192, window 16",
        Job(64 * MIB, transfers=8, block=8192, window=16, limit=0.8),
        Goal(1.3, 1.5, 0.6),
    ),
    Workload(
        "get-100",
        "100 clients, 1428, lock-step",
        Job(2 * MIB, clients=100, block=ETHERNET, limit=2.0),
        Goal(1.0, 1.2, 1.0),
    ),
    Workload(
        "get-1000",
        "1,000 clients at once, 1428, lock-step",
        STORM,
        Goal(2.5, 3.0, 1.0),
        no_repeats=True,
        long=True,
        quick=replace(STORM, limit=2.0),
    ),
    Workload(
        "get-64-w16",
        "64 clients, 1428, window 16",
        Job(8 * MIB, clients=64, block=ETHERNET, window=16, limit=2.0),
        Goal(2.0, 3.0, 0.5),
    ),
    Workload(
        "put-1428",
        "1 upload, 1428, lock-step",
        Job(8 * MIB, transfers=3, block=ETHERNET, put=True, limit=0.8),
        Goal(2.0, 2.5, 1.1),
    ),
    Workload(
        "put-1428-w64",
        "1 upload, 1428, window 64",
        Job(32 * MIB, transfers=6, block=ETHERNET, window=64, put=True, limit=0.8),
        Goal(3.0, 4.0, 0.4),
    ),
    Workload(
        "put-1428-w64-gso",
        "1 upload with GSO, 1428, window 64",
        Job(32 * MIB, transfers=8, block=ETHERNET, window=64, put=True, offload=True, limit=0.8),
    ),
    Workload(
        "put-100",
        "100 uploads, 1428, lock-step",
        Job(1 * MIB, clients=100, block=ETHERNET, put=True, limit=2.0),
        Goal(1.5, 2.0, 1.0),
    ),
    Workload(
        "loss-1",
        "20 clients, 1428, 1 % loss each way",
        LOSSY,
        Goal(20.0, 50.0, None),
        long=True,
        quick=replace(LOSSY, limit=1.5),
    ),
    Workload(
        "loss-5-w16",
        "20 clients, 1428, window 16, 5 % loss",
        LOSSY_WINDOW,
        Goal(20.0, 50.0, None),
        long=True,
        quick=replace(LOSSY_WINDOW, limit=1.5),
    ),
)
