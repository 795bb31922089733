"""The command line of scripts/chaos: makes the trips of tests/interop, and tells of them.

Some at a time, for most of it is waiting for timers of the peers. Servers are started once
and end with it, also on Ctrl-C.
"""

import argparse
import dataclasses
import fnmatch
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NoReturn

import pytest

from conformance.relay_faults import Faults
from scripts.chaos_tools.report import line, table, worst
from tests.interop.chaos import FAULTS, Outcome, Trip, travel
from tests.interop.running import Pool, Running
from tests.interop.servers import SERVERS
from tests.interop.shelf import Shelf
from tests.interop.trips import SLICE, trips

ADDRESS = "127.0.0.1"
Found = list[tuple[Trip, Outcome]]


def main() -> int:
    """Makes the trips, as the command line says; returns the exit status."""
    asked = _parser().parse_args()
    try:
        faults = Faults(asked.loss, asked.duplicate, asked.reorder, asked.delay, asked.jitter)
    except ValueError as error:
        sys.exit(f"chaos: {error}")
    chosen = _chosen(asked, faults)
    if asked.list:
        for trip in chosen:
            print(trip.id)
        return 0
    if not chosen:
        sys.exit("chaos: no trip has such a name; --list tells them")
    signal.signal(signal.SIGTERM, _end)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # started as root, some servers become somebody else
        found, missing = _all(chosen, folder, asked)
    print()
    for text in table(found):
        print(text)
    for text in missing:
        print(f"left out: {text}")
    print(f"{len(found)} transfers in {time.monotonic() - began:.0f} s: {worst(found)}")
    return 0 if found and all(outcome.well for _, outcome in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Real clients and servers over a bad network."
    )
    parser.add_argument("--quick", action="store_true", help="the slice that scripts/test has")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="such trips")
    parser.add_argument("--list", action="store_true", help="tell the trips, make none")
    parser.add_argument("--rounds", type=int, default=1, help="each trip so often")
    parser.add_argument("--seed", type=int, default=1, help="the first round's; then one more each")
    parser.add_argument("--jobs", type=int, default=4, help="trips at a time")
    for name, value in (("loss", FAULTS.loss), ("duplicate", FAULTS.duplication)):
        parser.add_argument(f"--{name}", type=float, default=value, help=f"a chance; {value}")
    parser.add_argument("--reorder", type=float, default=FAULTS.reordering, help="a chance")
    for name, value in (("delay", FAULTS.delay), ("jitter", FAULTS.jitter)):
        parser.add_argument(f"--{name}", type=float, default=value, help=f"in seconds; {value}")
    return parser


def _chosen(asked: argparse.Namespace, faults: Faults) -> list[Trip]:
    """Returns the trips that are asked for."""
    known = SLICE if asked.quick else tuple(trips())
    return [
        dataclasses.replace(trip, faults=faults)
        for trip in known
        if not asked.only or any(fnmatch.fnmatch(trip.id, glob) for glob in asked.only)
    ]


def _all(chosen: list[Trip], folder: Path, asked: argparse.Namespace) -> tuple[Found, list[str]]:
    """Makes the trips; returns what became of each, and who is missing."""
    logs = folder / "logs"
    logs.mkdir()
    shelf = Shelf(folder)
    pool = Pool(shelf, logs)
    found: Found = []
    missing: set[str] = set()
    executor = ThreadPoolExecutor(max_workers=max(1, asked.jobs))
    try:
        servers = dict(_started(pool, chosen, missing))
        work: dict[Future[Outcome], tuple[Trip, int]] = {
            executor.submit(travel, trip, servers[trip.server], shelf, seed): (trip, seed)
            for seed in range(asked.seed, asked.seed + max(1, asked.rounds))
            for trip in chosen
            if trip.server in servers
        }
        for done in as_completed(work):
            trip, seed = work[done]
            try:
                outcome = done.result()
            except pytest.skip.Exception as reason:
                missing.add(str(reason))
                continue
            found.append((trip, outcome))
            print(line(trip, outcome, seed), flush=True)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        pool.close()
        executor.shutdown()
    return found, sorted(missing)


def _started(pool: Pool, chosen: list[Trip], missing: set[str]) -> Iterator[tuple[str, Running]]:
    """Yields the servers that are needed and can be had."""
    for peer in SERVERS:
        if any(trip.server == peer.name for trip in chosen):
            try:
                yield peer.name, pool.take(peer, ADDRESS)
            except (pytest.skip.Exception, pytest.fail.Exception) as reason:
                missing.add(str(reason))


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
