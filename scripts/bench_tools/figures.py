"""What the runs of one server under one workload come to: medians, spread, best peers.

The one place where raw figures become numbers to show; tables and drawings both ask here.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.bench_tools.measure import Lane, Run
from scripts.bench_tools.servers import OURS


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of one server under one workload, and the spread of its throughput."""

    speed: float
    """MB/s, as are `low` and `high`."""
    low: float
    high: float
    cpu: float | None
    """Seconds of the server's processor time per GB."""
    memory: int
    p50: float
    p99: float
    repeats: float
    """Packets that a client had to send again."""
    unfinished: int
    limiting: bool
    """The load generator was short of processor time."""
    window: int
    foreign: float


def figures(lane: Lane) -> Figures | None:
    """Returns the medians of the runs that moved anything; None if none did."""
    runs = [run for run in lane["runs"] if run["tally"]["bytes"]]
    if not runs:
        return None
    speeds = [run["tally"]["bytes"] / run["tally"]["seconds"] / 1e6 for run in runs]
    costs = [run["cpu"] / run["tally"]["bytes"] * 1e9 for run in runs if run["cpu"] is not None]
    done = [run["tally"] for run in runs if run["tally"]["finished"]]
    return Figures(
        speed=statistics.median(speeds),
        low=min(speeds),
        high=max(speeds),
        cpu=statistics.median(costs) if costs else None,
        memory=max(run["memory"] for run in runs),
        p50=statistics.median(tally["p50"] for tally in done) if done else 0.0,
        p99=statistics.median(tally["p99"] for tally in done) if done else 0.0,
        repeats=statistics.median(_repeats(run) for run in runs),
        unfinished=max(run["tally"]["unfinished"] + run["tally"]["failed"] for run in runs),
        limiting=sum(run["tally"]["limiting"] for run in runs) * 2 > len(runs),
        window=runs[-1]["tally"]["window"],
        foreign=statistics.median(run["foreign"] for run in runs),
    )


def _repeats(run: Run) -> int:
    tally = run["tally"]
    return tally["again_requests"] + tally["again_acks"] + tally["again_data"]


def best_peer(found: Mapping[str, Figures]) -> Figures | None:
    """Returns the fastest server that is not ours."""
    peers = [one for name, one in found.items() if name != OURS]
    return max(peers, key=lambda one: one.speed, default=None)


def cheapest_peer(found: Mapping[str, Figures]) -> Figures | None:
    """Returns the server, not ours, that needs the least processor time for a GB."""
    peers = [one for name, one in found.items() if name != OURS and one.cpu]
    return min(peers, key=lambda one: one.cpu or 0.0, default=None)
