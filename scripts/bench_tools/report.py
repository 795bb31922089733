"""Tables from the raw figures: for the terminal, and in Markdown for the documentation.

Ours beside each peer, the ratio to the best peer of the same run, and whether the goals are
met; then the details, and what the other parts found. Must not know how figures came about.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scripts.bench_tools.figures import Figures, best_peer, cheapest_peer, figures
from scripts.bench_tools.results import Commands, Results, Sample
from scripts.bench_tools.servers import OURS
from scripts.bench_tools.workloads import WORKLOADS, Goal, Workload

DISTURBED = 0.15  # cores that others may use before a figure is marked

MARKS = {
    "*": "grants no window; went lock-step",
    "~": "the load generator was the limit, not the server",
    "^": "not every transfer was done in time",
    "!": "other programs used the processors meanwhile",
}


@dataclass(slots=True)
class Grid:
    """A table with what stands above and below it."""

    title: str
    head: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Returns it in aligned columns."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        drawn = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        drawn.insert(1, "-" * sum(widths, 2 * len(widths) - 2))
        return "\n".join([f"{self.title}\n", *drawn, *self.notes]) + "\n"

    def markdown(self) -> str:
        """Returns it as Markdown."""

        def row(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"

        lines = [f"### {self.title}\n", row(self.head)]
        lines.append(row(["---", *["---:"] * (len(self.head) - 1)]))
        lines += [row(line) for line in self.rows]
        lines += ["", *(f"{note}  " for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"


def grids(results: Results, *, details: bool) -> Iterator[Grid]:
    """Returns every table that the results have something for."""
    if results.get("workloads"):
        yield _throughput(results)
        yield _cost(results)
        if details:
            yield _details(results)
    for race in results.get("clients", []):
        yield _race("Our client beside others, from our server: ", race)
    for race in results.get("bulk", []):
        yield _race("A large file: ", race)
    if "startup" in results:
        yield _startup(results["startup"])
    if "scale" in results:
        yield _scale(results)
    if results.get("workers"):
        yield _workers(results)
    if results.get("idle"):
        yield _idle(results)


def heading(results: Results) -> str:
    """Returns one paragraph: what was measured on, with what, and who is missing."""
    machine = results["machine"]
    lines = [
        f"{results['command']}, {results['when']}, {results['seconds']:.0f} s",
        f"{machine['processor']}, {machine['cores']} processors, "
        f"{machine['memory'] / (1 << 30):.0f} GiB; {machine['kernel']}, {machine['system']}, "
        f"Python {machine['python']}; "
        + ("a private network" if machine["private_network"] else "the machine's own loopback"),
    ]
    there = [
        f"{name} {about['version']}".strip()
        for name, about in results["servers"].items()
        if not about["missing"]
    ]
    lines.append("servers: " + ", ".join(there))
    lines += [
        f"not measured: {name}: {about['missing']}"
        for name, about in results["servers"].items()
        if about["missing"]
    ]
    if machine["load_average"] > 1:
        lines.append(f"the machine was busy when it began: load {machine['load_average']}")
    if results.get("workers_missing"):
        lines.append(f"workers: {results['workers_missing']}")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the goals


def _chosen(results: Results) -> list[Workload]:
    return [workload for workload in WORKLOADS if workload.name in results["workloads"]]


def _names(results: Results) -> list[str]:
    found = next(iter(results["workloads"].values()))
    return list(found)


def _all(results: Results, workload: Workload) -> dict[str, Figures]:
    lanes = results["workloads"][workload.name]
    found = {name: figures(lane) for name, lane in lanes.items()}
    return {name: one for name, one in found.items() if one is not None}


def _marks(one: Figures, workload: Workload) -> str:
    signs = {
        "*": one.window < workload.job.window,
        "~": one.limiting,
        "^": one.unfinished > 0 and workload.job.clients > 1 and not workload.job.endless,
        "!": one.foreign > DISTURBED,
    }
    return "".join(sign for sign, is_set in signs.items() if is_set)


def _explain(grid: Grid) -> Grid:
    text = " ".join(cell for row in grid.rows for cell in row)
    grid.notes += [f"{sign}  {what}" for sign, what in MARKS.items() if sign in text]
    return grid


def _throughput(results: Results) -> Grid:
    names = _names(results)
    head = ["MB/s", *names, "ratio", "floor", "after", "met"]
    grid = Grid("Throughput, medians; the ratio is ours to the best peer", head)
    for workload in _chosen(results):
        found = _all(results, workload)
        row = [workload.title]
        for name in names:
            one = found.get(name)
            row.append(f"{_number(one.speed)}{_marks(one, workload)}" if one else "-")
        peer, ours = best_peer(found), found.get(OURS)
        ratio = ours.speed / peer.speed if ours and peer else None
        row.append(_times(ratio))
        row += _met(workload, ratio, ours)
        grid.rows.append(row)
    return _explain(grid)


def _met(workload: Workload, ratio: float | None, ours: Figures | None) -> list[str]:
    goal = workload.goal
    if goal is None:
        return ["", "", ""]
    verdict = "?" if ratio is None else _verdict(ratio, goal)
    if workload.no_repeats and ours and ours.repeats:
        verdict += f", but {ours.repeats:.0f} repeats"
    return [_times(goal.floor), _times(goal.after), verdict]


def _verdict(ratio: float, goal: Goal) -> str:
    if ratio >= goal.after:
        return "yes"
    return "floor" if ratio >= goal.floor else "NO"


def _cost(results: Results) -> Grid:
    names = _names(results)
    grid = Grid(
        "Server CPU, seconds per GB; the ratio is ours to the cheapest peer",
        ["CPU-s/GB", *names, "ratio", "at most", "met"],
    )
    for workload in _chosen(results):
        found = _all(results, workload)
        row = [workload.title]
        for name in names:
            one = found.get(name)
            row.append(f"{one.cpu:.2f}" if one and one.cpu is not None else "-")
        peer, ours = cheapest_peer(found), found.get(OURS)
        ratio = ours.cpu / peer.cpu if ours and peer and ours.cpu and peer.cpu else None
        row.append(_times(ratio))
        limit = workload.goal.cpu if workload.goal else None
        row.append("" if limit is None else _times(limit))
        row.append("" if limit is None or ratio is None else "yes" if ratio <= limit else "NO")
        grid.rows.append(row)
    return grid


def _details(results: Results) -> Grid:
    grid = Grid(
        "Details: medians, and the spread of the throughput",
        [
            *("workload, server", "MB/s", "lowest", "highest", "p50 ms", "p99 ms"),
            *("repeats", "memory MB", "runs", "remarks"),
        ],
    )
    for workload in _chosen(results):
        for name, lane in results["workloads"][workload.name].items():
            one = figures(lane)
            if one is None:
                grid.rows.append(
                    [f"{workload.name}, {name}", *["-"] * 7, "0", _short(lane["trouble"])]
                )
                continue
            causes = {text for run in lane["runs"] for text in run["tally"]["causes"]}
            remarks = [lane["trouble"]] if lane["trouble"] else []
            remarks += (
                [f"{one.unfinished} not done"]
                if one.unfinished and not workload.job.endless
                else []
            )
            remarks += sorted(causes)
            grid.rows.append(
                [
                    f"{workload.name}, {name}",
                    f"{_number(one.speed)}{_marks(one, workload)}",
                    *(_number(one.low), _number(one.high)),
                    *(_milliseconds(one.p50), _milliseconds(one.p99)),
                    *(f"{one.repeats:.0f}", f"{one.memory / 1e6:.1f}", str(len(lane["runs"]))),
                    _short("; ".join(remarks)),
                ]
            )
    return grid


# ---------------------------------------------------------------- the other parts


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample["seconds"] for sample in samples)


def _race(title: str, race: Commands) -> Grid:
    grid = Grid(
        title + race["title"],
        ["", "MB/s", "seconds", "least", "most", "CPU s", "server CPU s", "remarks"],
    )
    for name, samples in race["samples"].items():
        good = [sample for sample in samples if not sample["trouble"]]
        if not good:
            trouble = samples[-1]["trouble"] if samples else ""
            grid.rows.append([name, *["-"] * 6, _short(trouble)])
            continue
        seconds = _median(good)
        times = [sample["seconds"] for sample in good]
        served = [s["server_cpu"] for s in good if s["server_cpu"] is not None]
        grid.rows.append(
            [
                *(name, _number(race["size"] / seconds / 1e6), f"{seconds:.3f}"),
                *(f"{min(times):.3f}", f"{max(times):.3f}"),
                f"{statistics.median(sample['cpu'] for sample in good):.2f}",
                f"{statistics.median(served):.2f}" if served else "-",
                "",
            ]
        )
    grid.rows += [[name, *["-"] * 6, _short(why)] for name, why in race["missing"].items()]
    return grid


def _startup(race: Commands) -> Grid:
    grid = Grid("Start-up", ["", "ms", "least", "most", "CPU ms"])
    for name, samples in race["samples"].items():
        times = [sample["seconds"] for sample in samples]
        cpu = statistics.median(sample["cpu"] for sample in samples)
        grid.rows.append(
            [name, *map(_milliseconds, (_median(samples), min(times), max(times), cpu))]
        )
    return grid


def _scale(results: Results) -> Grid:
    grid = Grid(
        "Cost per transfer of ours, by clients at once",
        [
            *("clients", "at once", "KiB each", "transfers/s", "CPU us/transfer", "p50 ms"),
            *("p99 ms", "memory MB", "KB/transfer", "repeats", "failed"),
        ],
    )
    for step in results["scale"]:
        run, tally = step["run"], step["run"]["tally"]
        done = max(1, tally["finished"])
        cost = "-" if run["cpu"] is None else f"{run['cpu'] / done * 1e6:.0f}"
        alone = results["scale"][0]["run"]["memory"]
        more = (run["memory"] - alone) / max(1, tally["most_at_once"]) / 1e3
        grid.rows.append(
            [
                *(
                    f"{step['clients']:,}",
                    f"{tally['most_at_once']:,}",
                    f"{step['size'] / 1024:.0f}",
                ),
                *(f"{tally['finished'] / tally['seconds']:,.0f}", cost),
                *(_milliseconds(tally["p50"]), _milliseconds(tally["p99"])),
                *(f"{run['memory'] / 1e6:.1f}", f"{more:.1f}" if step["clients"] >= 1000 else ""),
                f"{tally['again_requests'] + tally['again_acks']}",
                f"{tally['failed'] + tally['unfinished']}",
            ]
        )
    return grid


def _workers(results: Results) -> Grid:
    heads = ["workers", "MB/s", "lowest", "highest", "gain", "a processor each", "gain"]
    grid = Grid("Workers", heads)
    first, alone = 0.0, 0.0
    for team in results["workers"]:
        speeds = [moved / seconds / 1e6 for moved, seconds in team["runs"]]
        speed = statistics.median(speeds)
        first = first or speed
        cells = [_number(speed), _number(min(speeds)), _number(max(speeds)), _times(speed / first)]
        if busiest := team.get("busiest"):  # older figures lack it
            pairs = zip(team["runs"], busiest, strict=True)
            possible = statistics.median(moved / cpu / 1e6 for (moved, _), cpu in pairs)
            alone = alone or possible
            cells += [_number(possible), _times(possible / alone)]
        else:
            cells += ["", ""]
        grid.rows.append([str(team["workers"]), *cells])
    grid.notes.append(
        "a processor each: MB per second of processor time of the busiest worker, which is "
        "what they would reach if the load left them a processor each"
    )
    cores = results["machine"]["cores"]
    if cores < 4:
        grid.notes.append(
            f"{cores} processors: the load shares them, so less than 2 x is there to gain"
        )
    return grid


def _idle(results: Results) -> Grid:
    grid = Grid("Idle", ["", "CPU %", "wake-ups/s", "memory MB"])
    for name, still in results["idle"].items():
        cpu = "-" if still["cpu"] is None else f"{still['cpu'] / still['seconds'] * 100:.2f}"
        woken = f"{still['wakeups'] / still['seconds']:.1f}"
        grid.rows.append([name, cpu, woken, f"{still['memory'] / 1e6:.1f}"])
    return grid


# ---------------------------------------------------------------- cells


def _short(text: str) -> str:
    return " ".join(text.split())[:70]


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} x" if value >= 10 else f"{value:.2f} x"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}" if seconds else "-"
