"""The raw figures of a run: what is written as JSON, and read again to draw and to tabulate.

Only raw figures are kept; medians and ratios are the report's. A part that was not measured
is absent. Must not know how anything is measured or shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from scripts.bench_tools.machine import Facts
from scripts.bench_tools.measure import Run, Table


class About(TypedDict):
    """A server in the head of the results."""

    what: str
    version: str
    missing: str


class Sample(TypedDict):
    """One run of a command. `cpu` is its own, `server_cpu` the server's, both in seconds."""

    seconds: float
    cpu: float
    server_cpu: float | None
    trouble: str


class Commands(TypedDict):
    """Commands that move the same file, side by side."""

    title: str
    size: int
    samples: dict[str, list[Sample]]
    missing: dict[str, str]
    """Commands that are not measured, and why."""


class Step(TypedDict):
    """Our server with so many clients at once."""

    clients: int
    size: int
    run: Run


class Still(TypedDict):
    """A server that nobody talks to."""

    seconds: float
    cpu: float | None
    wakeups: int
    memory: int


class Team(TypedDict):
    """So many workers under one load: octets and seconds of each run."""

    workers: int
    runs: list[tuple[int, float]]
    busiest: list[float]
    """Seconds of processor time of the worker that used most, in each run."""


class Results(TypedDict, total=False):
    """Everything that a run of the bench found."""

    when: str
    command: str
    seconds: float
    machine: Facts
    servers: dict[str, About]
    workloads: Table
    clients: list[Commands]
    bulk: list[Commands]
    startup: Commands
    scale: list[Step]
    workers: list[Team]
    workers_missing: str
    idle: dict[str, Still]


def save(results: Results, path: Path) -> None:
    """Writes the results; what was there is replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(results, indent=1) + "\n")
    fresh.rename(path)


def load(path: Path) -> Results:
    """Reads results. Raises OSError, or ValueError where it is no JSON."""
    results: Results = json.loads(path.read_text())
    return results
