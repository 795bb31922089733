"""Plays worlds by their seeds: `python -m tftp.sim --seed N [--count M]`.

Prints a summary and the hash of each trace; with `--ladder` everything that happened, with
`--pcap` a capture of it. When an invariant does not hold it prints the seed, the sentence and
the end of the ladder, and its exit status is 1. The simulator stands above the server, which
it runs (RFC 1350, 2347-2349, 7440). Must not know how a world is made.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tftp.protocol.transfer import Ending
from tftp.sim.invariants import Broken
from tftp.sim.play import Play, Report
from tftp.sim.scenario import choose

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tftp.sim", description="Plays simulated TFTP networks by their seeds."
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed")
    parser.add_argument("--count", type=int, default=1, metavar="M", help="how many seeds")
    parser.add_argument("--pcap", type=Path, metavar="FILE", help="writes a capture; one seed only")
    parser.add_argument("--ladder", action="store_true", help="prints every datagram")
    given = parser.parse_args(arguments)
    if given.count < 1 or (given.pcap and given.count > 1):
        parser.error("--count is 1 or more, and exactly 1 with --pcap")
    total: Counter[Ending] = Counter()
    octets = 0
    for seed in range(given.seed, given.seed + given.count):
        report = _play(seed, given.pcap, ladder=given.ladder)
        if report is None:
            return 1
        total.update(report.endings)
        octets += report.octets
    if given.count > 1:
        print(f"{given.count} seeds, {total.total()} transfers, {octets} octets, 0 wrong")
        print(_endings(total))
    return 0


def _play(seed: int, pcap: Path | None, *, ladder: bool) -> Report | None:
    """Plays one seed and prints what there is to say; None if something did not hold."""
    play, report = Play(choose(seed)), None
    try:
        report = play.run()
    except Exception as error:
        kind = "" if isinstance(error, Broken) else f"{type(error).__name__}: "
        print(f"seed {seed}: {kind}{error}")
        if not ladder:
            print(play.account())
    if ladder:
        print("\n".join(play.trace.ladder()))
    if pcap is not None:
        with pcap.open("wb") as file:
            file.writelines(play.trace.pcap())
    if report is not None:
        print(_summary(report))
    return report


def _summary(report: Report) -> str:
    """Returns the line of a world."""
    return (
        f"seed {report.seed}: {report.clients} clients, {report.transfers} transfers "
        f"({_endings(report.endings)}), {report.octets} octets, {report.strangers} forged, "
        f"{report.events} events in {report.seconds:.1f} s, trace {report.digest}"
    )


def _endings(endings: Counter[Ending]) -> str:
    return ", ".join(f"{ending.value}: {endings[ending]}" for ending in Ending if endings[ending])


if __name__ == "__main__":
    sys.exit(main())
