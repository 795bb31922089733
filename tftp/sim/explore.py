"""Explores every order of events of small transfers: `python -m tftp.sim.explore`.

All interleavings of a sender and a receiver for files of 0 to 4 blocks, in both
directions, plain and negotiated, windows of 1 to 3 (RFC 1350, RFC 2347, RFC 7440), with
up to three faults of any kind at any place. What must hold: no wrong octet, no end
without all of them, nobody who waits for ever, no packet more than the bound; all end
well. Prints one line for each setting. Must not know any rule: see explore_world.
"""

import argparse
import sys
from collections.abc import Iterable

from tftp.sim.explore_search import Broken, Result, explore
from tftp.sim.explore_setting import Setting, everyday, everything

__all__ = ["main", "totals"]

HEAD = f"{'states':>10} {'moves':>10} {'paths':>9} {'DATA':>4} {'ACK':>4} {'long':>4}  setting"


def line(setting: Setting, result: Result) -> str:
    """Returns a result as a line of the table: DATA and ACK are the most that were sent."""
    tally = result.tally
    return (
        f"{result.states:10,} {result.transitions:10,} {tally.paths:9.2e} "
        f"{tally.data:4} {tally.acks:4} {tally.moves:4}  {setting}"
    )


def totals(results: Iterable[Result]) -> str:
    """Returns the sums as a line for people."""
    settings = states = transitions = paths = 0
    for result in results:
        settings += 1
        states += result.states
        transitions += result.transitions
        paths += result.tally.paths
    return f"{settings:,} settings, {states:,} states, {transitions:,} moves, {paths:,} paths"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table. Returns 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tftp.sim.explore", description=__doc__)
    parser.add_argument(
        "--all", action="store_true", help="all settings with all faults (takes minutes)"
    )
    parser.add_argument("--faults", type=int, default=3, help="with --all: how many; default 3")
    parser.add_argument("--only", default="", help="settings whose names begin so")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    print(HEAD)
    for setting in everything(options.faults) if options.all else everyday():
        if not str(setting).startswith(options.only):
            continue
        try:
            results.append(explore(setting))
        except Broken as broken:
            print(broken, file=sys.stderr)
            return 1
        print(line(setting, results[-1]), flush=True)
    print(totals(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
