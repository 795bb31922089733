"""The fuzzer's command line: `python -m tests.fuzz [TARGET...] --minutes N --jobs N`.

Runs targets under atheris and prints what came of it; the exit status is 1 if anything was
found. `--replay FILE` runs one input without atheris, `--keep` chooses inputs for the
repository from what earlier runs have left. Must not know what targets do.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.catalogue import PLANTED, SCRATCH, TARGETS, load
from tests.fuzz.keep import keep
from tests.fuzz.runner import Result, run_all

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--seconds", type=int, help="the same, in seconds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="for what is found")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this one input")
    parser.add_argument("--keep", action="store_true", help="add to the repository's corpus")
    options = parser.parse_args(arguments)
    names = options.targets or list(TARGETS)
    for name in names:
        if name not in (*TARGETS, PLANTED):
            parser.error(f"there is no target {name!r}; there are {', '.join(TARGETS)}")
    if options.replay is not None:
        if len(names) != 1:
            parser.error("--replay takes one target")
        load(names[0])(options.replay.read_bytes())  # raises what it raises
        print(f"{names[0]}: nothing found in {options.replay}")
        return 0
    if options.keep:
        for name in names:
            made = keep(name, (options.scratch / name / "corpus").glob("*"))
            print(f"{name}: {len(made)} new inputs")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: see requirements/dev.txt", file=sys.stderr)
        return 2
    seconds = options.seconds or max(1, round(options.minutes * 60))
    return report(run_all(names, seconds, options.jobs, options.scratch.resolve()))


def report(results: Iterable[Result]) -> int:
    """Prints a line for each result as it comes, then the findings; returns the exit status."""
    print(f"{'target':<10}{'executions':>12}{'edges':>8}{'inputs':>8}{'findings':>10}", flush=True)
    bad = []
    for result in results:
        found = "none" if result.ok else "1"
        figures = f"{result.executions:>12,}{result.edges:>8,}{result.inputs:>8,}{found:>10}"
        print(f"{result.name:<10}{figures}", flush=True)
        if not result.ok:
            bad.append(result)
    for result in bad:
        print(f"\n{result.name}: {result.words}")
        if result.finding is not None:
            print(f"the input lies in {result.finding}; again, without the fuzzer:")
            print(f"  scripts/fuzz {result.name} --replay {result.finding}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
