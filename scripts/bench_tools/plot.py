"""Chooses what is drawn of the results: the pictures of docs/performance.

A picture whose figures are absent is not drawn, and the old one stays. Must not know how SVG
is written.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.bench_tools import svg
from scripts.bench_tools.figures import Figures, best_peer, figures
from scripts.bench_tools.results import Commands, Results
from scripts.bench_tools.servers import OURS
from scripts.bench_tools.workloads import WORKLOADS

LABEL_OF_OURS = "tftpkit"


def draw(results: Results, folder: Path) -> list[Path]:
    """Draws what there are figures for, and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, make in PICTURES.items():
        text = make(results)
        if text is not None:
            path = folder / f"{name}.svg"
            path.write_text(text, encoding="utf-8")
            drawn.append(path)
    return drawn


def _where(results: Results) -> str:
    machine = results["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} processors, {machine['kernel']}, "
        f"Python {machine['python']}; {results['when'].split()[0]}"
    )


def _measured(results: Results) -> list[tuple[str, dict[str, Figures], Sequence[float]]]:
    """Returns title, figures by server, and goals of each workload that was measured."""
    found: list[tuple[str, dict[str, Figures], Sequence[float]]] = []
    for workload in WORKLOADS:
        lanes = results.get("workloads", {}).get(workload.name, {})
        all_figures = {name: figures(lane) for name, lane in lanes.items()}
        known = {name: one for name, one in all_figures.items() if one is not None}
        goal = workload.goal
        if known:
            found.append((workload.title, known, (goal.floor, goal.after) if goal else ()))
    return found


def _throughput(results: Results) -> str | None:
    groups = [
        svg.Group(
            title,
            [
                svg.Bar(_label(name), one.speed, _short(one.speed), name == OURS, one.low, one.high)
                for name, one in known.items()
            ],
        )
        for title, known, _ in _measured(results)
    ]
    title = "Throughput in MB/s: server on one core, load on another"
    return svg.bars(title, _where(results), groups) if groups else None


def _cost(results: Results) -> str | None:
    groups = [
        svg.Group(
            title,
            [
                svg.Bar(_label(name), one.cpu, _short(one.cpu), name == OURS)
                for name, one in known.items()
                if one.cpu is not None
            ],
        )
        for title, known, _ in _measured(results)
    ]
    title = "Server CPU in seconds per GB: less is better"
    return svg.bars(title, _where(results), groups) if groups else None


def _ratio(results: Results) -> str | None:
    rows = []
    for title, known, marks in _measured(results):
        peer = best_peer(known)
        if peer and OURS in known and peer.speed:
            rows.append(svg.Ratio(title, known[OURS].speed / peer.speed, marks))
    title = "Throughput beside the best other server, workload by workload"
    subtitle = f"The marks: floor, and what we are after. {_where(results)}"
    return svg.ratios(title, subtitle, rows) if rows else None


def _scale(results: Results) -> str | None:
    steps = results.get("scale", [])
    cost = [
        (float(step["clients"]), step["run"]["cpu"] / step["run"]["tally"]["finished"] * 1e6)
        for step in steps
        if step["run"]["cpu"] is not None and step["run"]["tally"]["finished"]
    ]
    memory = [(float(step["clients"]), step["run"]["memory"] / 1e6) for step in steps]
    if len(cost) < 2:
        return None
    size = f"{steps[0]['size'] // 1024} KiB, lock-step, 1428"
    return svg.lines(
        f"The cost of one transfer ({size}) by clients at once",
        _where(results),
        [
            svg.Line("Server CPU of one transfer, microseconds", cost),
            svg.Line("Memory of the server at most, MB", memory),
        ],
    )


def _races(title: str, races: Sequence[Commands], results: Results) -> str | None:
    groups = []
    for race in races:
        rows = []
        for name, samples in race["samples"].items():
            times = [sample["seconds"] for sample in samples if not sample["trouble"]]
            if times:
                speed, *ends = (
                    race["size"] / seconds / 1e6
                    for seconds in (statistics.median(times), max(times), min(times))
                )
                mine = name.startswith(("tftp-get", "TFTP"))
                rows.append(svg.Bar(name, speed, _short(speed), mine, *ends))
        groups.append(svg.Group(race["title"], rows))
    return svg.bars(title, _where(results), groups) if groups else None


def _clients(results: Results) -> str | None:
    title = "Clients from the same server: MB/s, start of the program to its end"
    return _races(title, results.get("clients", []), results)


def _bulk(results: Results) -> str | None:
    title = "A large file: MB/s, start of the program to its end"
    return _races(title, results.get("bulk", []), results)


def _label(name: str) -> str:
    return LABEL_OF_OURS if name == OURS else name


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


PICTURES: dict[str, Callable[[Results], str | None]] = {
    "ratio": _ratio,
    "throughput": _throughput,
    "cpu": _cost,
    "scale": _scale,
    "clients": _clients,
    "bulk": _bulk,
}
