"""From raw figures to tables and pictures: medians, ratios, verdicts, and well-formed SVG."""

import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.bench_tools import plot, report, results, svg
from scripts.bench_tools.figures import best_peer, cheapest_peer, figures
from scripts.bench_tools.job import Job, Tally
from scripts.bench_tools.measure import Budget, Lane, Run
from scripts.bench_tools.servers import OURS, Server
from scripts.bench_tools.workloads import WORKLOADS, Workload

MB = 1_000_000


def tally(**changes: object) -> Tally:
    base: dict[str, object] = dict.fromkeys(Tally.__annotations__, 0)
    base |= {"bytes": 100 * MB, "seconds": 1.0, "finished": 10, "block": 1428, "window": 1}
    base |= {"p50": 0.1, "p99": 0.2, "limiting": False, "causes": {}}
    return Tally(**{**base, **changes})  # type: ignore[typeddict-item]


def run(megabytes: float, cpu: float | None = 0.5, **changes: object) -> Run:
    return {
        "tally": tally(bytes=int(megabytes * MB), **changes),
        "cpu": cpu,
        "memory": 20 * MB,
        "foreign": 0.0,
    }


def lane(*runs: Run) -> Lane:
    return {"runs": list(runs), "trouble": ""}


def made(**parts: object) -> results.Results:
    found: results.Results = {
        "when": "2025-01-02 03:04",
        "command": "scripts/bench",
        "seconds": 12.0,
        "machine": {
            "processor": "A processor <fast> & new",
            "cores": 2,
            "memory": 8 << 30,
            "kernel": "Linux 6.1",
            "system": "Debian",
            "python": "3.11.2",
            "private_network": True,
            "load_average": 0.0,
        },
        "servers": {
            OURS: {"what": "", "version": "1", "missing": ""},
            "dnsmasq": {"what": "", "version": "", "missing": "not here"},
        },
    }
    found.update(parts)  # type: ignore[typeddict-item]
    return found


def cells(found: results.Results, title: str, row: str) -> dict[str, str]:
    grids = report.grids(found, details=True)
    grid = next(grid for grid in grids if grid.title.startswith(title))
    line = next(line for line in grid.rows if line[0] == row)
    return dict(zip(grid.head, line, strict=True))


def test_medians_and_spread_of_the_runs_that_moved_anything() -> None:
    one = figures(lane(run(100, 1.0), run(300, 3.0), run(200, 1.0), run(0)))
    assert one is not None
    assert (one.speed, one.low, one.high) == (200, 100, 300)
    assert one.cpu == pytest.approx(10.0)  # 10, 10 and 5 seconds per GB
    assert figures(lane(run(0))) is None


def test_a_server_without_account_has_no_cost() -> None:
    one = figures(lane(run(100, None)))
    assert one is not None
    assert one.cpu is None


def test_the_best_peer_is_not_ours() -> None:
    lanes = {OURS: lane(run(500, 0.1)), "a": lane(run(100, 0.9)), "b": lane(run(90, 0.1))}
    found = {name: one for name, each in lanes.items() if (one := figures(each))}
    assert best_peer(found) is found["a"]
    assert cheapest_peer(found) is found["b"]
    assert best_peer({OURS: found[OURS]}) is None


@pytest.mark.parametrize(
    ("ours", "verdict"), [(100, "NO"), (219, "NO"), (220, "floor"), (249, "floor"), (250, "yes")]
)
def test_verdicts_follow_the_goal(ours: float, verdict: str) -> None:
    workloads = {"get-512": {OURS: lane(run(ours)), "peer": lane(run(100))}}
    found = cells(made(workloads=workloads), "Throughput", "1 client, 512, lock-step")
    assert found["met"] == verdict
    assert (found["floor"], found["after"]) == ("2.20 x", "2.50 x")


def test_repeats_spoil_a_goal_that_forbids_them() -> None:
    workloads = {"get-1000": {OURS: lane(run(400, again_requests=3)), "peer": lane(run(100))}}
    row = next(one.title for one in WORKLOADS if one.name == "get-1000")
    assert cells(made(workloads=workloads), "Throughput", row)["met"] == "yes, but 3 repeats"


def test_cost_is_beside_the_cheapest_peer() -> None:
    lanes = {OURS: lane(run(100, 0.5)), "a": lane(run(100, 1.0)), "b": lane(run(10, 0.04))}
    found = cells(
        made(workloads={"get-1428-w16": lanes}), "Server CPU", "1 client, 1428, window 16"
    )
    assert found["ratio"] == "1.25 x"  # 5 beside 4 seconds per GB
    assert found["met"] == "NO"


def test_what_a_figure_does_not_tell_is_marked() -> None:
    lanes = {
        OURS: lane(run(100, window=16, limiting=True)),
        "a": lane(run(100, window=1, unfinished=5)),
        "b": lane(),
    }
    lanes["b"]["trouble"] = "died"
    text = [
        grid.text() for grid in report.grids(made(workloads={"get-64-w16": lanes}), details=True)
    ]
    assert "100~" in text[0]
    assert "100*^" in text[0]
    assert "the load generator was the limit" in text[0]
    assert "died" in text[2]


def test_the_heading_names_who_is_missing() -> None:
    text = report.heading(made())
    assert "not measured: dnsmasq: not here" in text
    assert "servers: ours 1" in text


def test_markdown_has_as_many_cells_as_heads() -> None:
    lanes = {OURS: lane(run(100)), "a": lane(run(50))}
    for grid in report.grids(made(workloads={"get-512": lanes}), details=True):
        rows = [line for line in grid.markdown().splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1


def test_results_survive_the_file(tmp_path: Path) -> None:
    found = made(workloads={"get-512": {OURS: lane(run(100))}})
    results.save(found, tmp_path / "new" / "figures.json")
    assert results.load(tmp_path / "new" / "figures.json") == found


def everything() -> results.Results:
    sample: results.Sample = {"seconds": 0.5, "cpu": 0.1, "server_cpu": 0.2, "trouble": ""}
    broken: results.Sample = {**sample, "trouble": "exit code 1"}
    race: results.Commands = {
        "title": "1 MiB <x>",
        "size": 1 << 20,
        "samples": {"tftp-get": [sample, sample], "curl": [broken]},
        "missing": {"busybox": "not here"},
    }
    return made(
        workloads={
            one.name: {OURS: lane(run(300)), "a": lane(run(100)), "b": lane()} for one in WORKLOADS
        },
        clients=[race],
        bulk=[race],
        startup=race,
        scale=[{"clients": n, "size": 65536, "run": run(100)} for n in (1, 10, 100)],
        workers=[
            {"workers": 1, "runs": [(100, 1.0)], "busiest": [0.5]},
            {"workers": 2, "runs": [(180, 1.0)], "busiest": [0.48]},
        ],
        idle={OURS: {"seconds": 5.0, "cpu": 0.0, "wakeups": 0, "memory": 20 * MB}},
    )


def test_every_part_has_its_table() -> None:
    grids = {grid.title: grid for grid in report.grids(everything(), details=True)}
    assert len(grids) == 9
    assert "1.80 x" in grids["Workers"].text()
    assert "1.88 x" in grids["Workers"].text(), "what there is to gain with a processor each"
    assert "not here" in grids["A large file: 1 MiB <x>"].markdown()


def test_pictures_are_well_formed_and_tell_both_sides(tmp_path: Path) -> None:
    drawn = plot.draw(everything(), tmp_path)
    assert {path.stem for path in drawn} == {*plot.PICTURES}
    for path in drawn:
        tree = ET.parse(path)
        words = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
        assert any(word and "A processor <fast> & new" in word for word in words)
        width, height = (float(tree.getroot().get(name) or 0) for name in ("width", "height"))
        for box in tree.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(box.get("x") or 0) + float(box.get("width") or 0) <= width
            assert float(box.get("y") or 0) + float(box.get("height") or 0) <= height
    assert "tftpkit" in (tmp_path / "throughput.svg").read_text()


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "bulk.svg").write_text("old")
    assert plot.draw(made(), tmp_path) == []
    assert (tmp_path / "bulk.svg").read_text() == "old"


def test_longer_bars_for_larger_values() -> None:
    bars = [svg.Bar("a", 10, "10", low=8, high=12), svg.Bar("b", 20, "20", ours=True)]
    tree = ET.fromstring(svg.bars("t", "s", [svg.Group("g", bars)]))
    boxes = [node for node in tree.iter("{http://www.w3.org/2000/svg}rect") if node.get("x")]
    first, second = (float(box.get("width") or 0) for box in boxes)
    assert second == pytest.approx(2 * first, abs=0.3)
    assert [box.get("class") for box in boxes] == ["bar", "ours"]


def test_a_round_that_does_not_fit_is_not_begun() -> None:
    workload = Workload("w", "w", Job(1))
    server = Server("s", "", None, lambda *_: [])
    budget = Budget(5, 5, time.monotonic() + 10)
    assert budget.allows([(workload, server)])
    budget.took["w", "s"] = 20.0
    assert not budget.allows([(workload, server)])
    assert Budget(5, 5, None, budget.took).allows([(workload, server)])


def test_quick_runs_are_smaller_and_keep_their_kind() -> None:
    for workload in WORKLOADS:
        quick = workload.for_quick_run()
        assert (quick.name, quick.goal) == (workload.name, workload.goal)
        assert quick.job.limit < workload.job.limit
        assert quick.job.size * quick.job.count <= workload.job.size * workload.job.count
        same = ("clients", "block", "window", "put", "loss", "offload", "storm")
        assert all(getattr(quick.job, n) == getattr(workload.job, n) for n in same)
