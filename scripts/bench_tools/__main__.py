"""The command line of scripts/bench: measures, and shows what was measured.

Everything it starts ends with it, also on Ctrl-C; as root all traffic stays in a private
network. The raw figures go to a JSON file that --plot and --markdown read again.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import os
import resource
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_tools import (
    account,
    build,
    bulk,
    commands,
    debian,
    machine,
    measure,
    ours,
    plot,
    processes,
    report,
    results,
    servers,
    workloads,
)
from scripts.bench_tools.job import Generator

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "bench"
VENV = PROJECT / ".venv"
PICTURES = PROJECT / "docs" / "performance"

PARTS = {
    "clients": "our client beside curl, atftp, tftp-hpa and busybox",
    "bulk": "1 GiB beside HTTP (nginx, curl) and sendfile over TCP",
    "startup": "how long commands take to start",
    "scale": "cost per transfer at 1 to 10,000 clients at once",
    "workers": "one worker and two",
    "idle": "processor time and memory of servers that nobody talks to",
}

ROUNDS, ROUNDS_QUICK = 5, 2
FULL_ROUNDS, FULL_ROUNDS_QUICK = 3, 1  # later ones leave out what takes longest
BUDGET, BUDGET_QUICK = 840.0, 116.0  # seconds; a round that would end later is not begun
FILES_WANTED = 32_768  # open files, for ten thousand clients


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    chosen: list[workloads.Workload]
    parts: list[str]
    rounds: int
    full_rounds: int
    seconds: float | None
    """None: as long as the rounds take."""
    quick: bool


def main() -> int:
    """Measures or shows, as the command line says."""
    parser = _parser()
    asked = parser.parse_args()
    if asked.list:
        _list()
        return 0
    if asked.plot or asked.markdown:
        return _show(asked.json or _newest(), asked)
    try:
        plan = _plan(asked)
    except ValueError as error:
        parser.error(str(error))
    processes.leave_nothing_behind()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        found = _measure(plan, asked)
    except KeyboardInterrupt:
        processes.stop_all()
        print("\nbench: stopped", file=sys.stderr)
        return 130
    except (build.NoCompiler, debian.Unavailable, RuntimeError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    path = asked.json or CACHE / _file_name(asked)
    results.save(found, path)
    print(report.heading(found))
    for grid in report.grids(found, details=asked.details):
        print(grid.text())
    print(f"raw figures: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures our server and client beside others."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="smaller transfers, two rounds: under two minutes")
    add("--only", action="append", metavar="NAME", help="only these (repeatable; * matches)")
    add("--servers", metavar="A,B", help="only these servers")
    add("--rounds", type=int, metavar="N", help="so many rounds, however long it takes")
    add("--go", action="store_true", help="build the Go library's server, fetching Go if needed")
    add("--json", type=Path, metavar="FILE", help="where the raw figures go, or come from")
    add("--details", action="store_true", help="also print spread, times and memory of each")
    add("--list", action="store_true", help="list what can be measured")
    add("--plot", action="store_true", help="draw the figures of the last run, measure nothing")
    add("--markdown", action="store_true", help="print them as Markdown, measure nothing")
    add("--pictures", type=Path, default=PICTURES, metavar="FOLDER", help=argparse.SUPPRESS)
    return parser


def _list() -> None:
    for workload in workloads.WORKLOADS:
        print(f"{workload.name:<17} {workload.title}")
    for name, what in PARTS.items():
        print(f"{name:<17} {what}")


def _file_name(asked: argparse.Namespace) -> str:
    """Returns a name of its own for each kind of run: a small one spoils no large one."""
    if asked.only or asked.servers:
        return "part.json"
    return "quick.json" if asked.quick else "full.json"


def _newest() -> Path:
    found = sorted(CACHE.glob("*.json"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else CACHE / "full.json"


def _show(path: Path, asked: argparse.Namespace) -> int:
    try:
        found = results.load(path)
    except (OSError, ValueError) as error:
        print(f"bench: no figures to show: {error}", file=sys.stderr)
        return 1
    print(f"bench: the figures of {path}", file=sys.stderr)
    if asked.plot:
        for picture in plot.draw(found, asked.pictures):
            print(f"bench: drew {picture}", file=sys.stderr)
    if asked.markdown:
        print(report.heading(found))
        for grid in report.grids(found, details=True):
            print(grid.markdown())
    return 0


def _plan(asked: argparse.Namespace) -> Plan:
    patterns: list[str] = asked.only or ["*"]

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    for pattern in patterns:
        names = [*(workload.name for workload in workloads.WORKLOADS), *PARTS]
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"nothing is called {pattern}; see --list")
    chosen = [workload for workload in workloads.WORKLOADS if wanted(workload.name)]
    if asked.quick:
        chosen = [workload.for_quick_run() for workload in chosen]
    rounds, full, seconds = (
        (ROUNDS_QUICK, FULL_ROUNDS_QUICK, BUDGET_QUICK)
        if asked.quick
        else (ROUNDS, FULL_ROUNDS, BUDGET)
    )
    return Plan(
        chosen=chosen,
        parts=[name for name in PARTS if wanted(name)],
        rounds=asked.rounds or rounds,
        full_rounds=asked.rounds or full,
        seconds=None if asked.rounds else seconds,
        quick=asked.quick,
    )


# ---------------------------------------------------------------- measuring


def _measure(plan: Plan, asked: argparse.Namespace) -> results.Results:
    began = time.monotonic()
    program = build.build(CACHE)
    # All that has to be fetched, before the network is left.
    nginx = _nginx() if "bulk" in plan.parts else ""
    go_server = debian.build_pin_server(CACHE) if asked.go else debian.pin_server(CACHE)
    peers = servers.Peers(Path(os.environ.get("TFTP_PEERS", PROJECT / ".cache" / "peers")))
    before = machine.facts(False)
    private = machine.enter_private_network()
    _raise_limits()
    known = servers.find_servers(VENV, peers, go_server, private)
    cores = processes.pick_cores()
    if cores.shared:
        print("bench: one processor only: load and server share it", file=sys.stderr)
    found: results.Results = {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "command": shlex.join(["scripts/bench", *sys.argv[1:]]),
        "machine": {**before, "private_network": private},
        "servers": {
            one.name: {"what": one.what, "version": one.version, "missing": one.missing}
            for one in known
        },
    }
    chosen = _choose(known, asked.servers)
    with _stage(program, cores) as stage:
        product = next(one for one in known if one.name == servers.OURS)
        _measure_parts(found, plan, stage, product, chosen, peers, nginx)
        if plan.chosen:
            deadline = None if plan.seconds is None else began + plan.seconds
            budget = measure.Budget(plan.rounds, plan.full_rounds, deadline)
            found["workloads"] = measure.measure_all(chosen, plan.chosen, stage, budget)
    found["seconds"] = time.monotonic() - began
    return found


def _measure_parts(
    found: results.Results,
    plan: Plan,
    stage: servers.Stage,
    product: servers.Server,
    chosen: Sequence[servers.Server],
    peers: servers.Peers,
    nginx: list[str] | str,
) -> None:
    rounds = min(plan.rounds, 3)
    if "idle" in plan.parts:
        found["idle"] = ours.idle(stage, chosen, 2.0 if plan.quick else 5.0)
    if "startup" in plan.parts:
        times = 5 if plan.quick else 15
        found["startup"] = commands.time_startup(stage, product, VENV, peers, times)
    if "clients" in plan.parts:
        shrink = 4 if plan.quick else 1
        found["clients"] = commands.compare_clients(stage, product, VENV, peers, rounds, shrink)
    if "bulk" in plan.parts:
        found["bulk"] = bulk.compare_bulk(stage, product, VENV, peers, nginx, rounds, plan.quick)
    if "scale" in plan.parts:
        found["scale"] = ours.scale(stage, product, plan.quick)
    if "workers" in plan.parts:
        if ours.has_workers(product):
            found["workers"] = ours.workers(stage, product, rounds)
        else:
            found["workers_missing"] = "this tftp-serve has no --workers"


def _nginx() -> list[str] | str:
    try:
        return debian.find_nginx(CACHE)
    except debian.Unavailable as error:
        return str(error)


def _choose(known: Sequence[servers.Server], names: str | None) -> list[servers.Server]:
    wanted = names.split(",") if names else [one.name for one in known]
    for name in wanted:
        if name not in {one.name for one in known}:
            raise ValueError(f"no server is called {name}: {', '.join(s.name for s in known)}")
    for one in known:
        if one.name in wanted and one.missing:
            print(f"bench: skipping {one.name}: {one.missing}", file=sys.stderr)
    return [one for one in known if one.name in wanted and not one.missing]


def _raise_limits() -> None:
    """Allows as many open files as the clients need, to all alike."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(hard, FILES_WANTED) if os.geteuid() == 0 else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES_WANTED), most))


@contextlib.contextmanager
def _stage(program: Path, cores: processes.Cores) -> Iterator[servers.Stage]:
    # This program looks on from where it disturbs least.
    os.sched_setaffinity(0, cores.spare or (cores.load,))
    with machine.folder_in_memory(CACHE) as folder:
        root = folder / "root"
        root.mkdir()
        generator = Generator(program, cores.load)
        stage = servers.Stage(root, generator, cores, account.find_groups())
        measure.prepare_files(stage, [])
        yield stage
    processes.stop_all()


if __name__ == "__main__":
    sys.exit(main())
