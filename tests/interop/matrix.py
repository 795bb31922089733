"""The matrix of interop results, printed at the end of a test run.

Tests carry their row and column as properties of their reports, which travel from the
workers of pytest-xdist to the process that prints. Must not know how a case is tested.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from tests.interop.cases import COLUMNS
from tests.interop.clients import CLIENTS
from tests.interop.servers import SERVERS

CELL = "interop cell"  # the property that holds "row|column"
KNOWN_FAULT = "interop known"  # the property that names a fault of the peer that was met

NAMES = {"passed": "ok", "known": "known", "skipped": "skipped", "failed": "FAILED"}

Cells = Mapping[tuple[str, str], Counter[str]]


def lines(reports: Iterable[object]) -> list[str]:
    """Returns the matrix and what explains it; nothing where no test of it ran."""
    results = list(_of_matrix(reports))
    cells = _count(results)
    return [*draw(cells), *_explain(cells, results)] if cells else []


def property_of(report: pytest.TestReport, name: str) -> str:
    """Returns a property of a report, or nothing."""
    return next((str(value) for key, value in report.user_properties if key == name), "")


def draw(cells: Cells) -> list[str]:
    """Returns the lines of the table."""
    header = ["", *COLUMNS]
    rows = sorted({row for row, _ in cells})
    body = [[row, *(_show(cells.get((row, column))) for column in COLUMNS)] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(COLUMNS))
    return [_line(header, widths), rule, *(_line(row, widths) for row in body)]


def _of_matrix(reports: Iterable[object]) -> Iterator[pytest.TestReport]:
    """Yields one report of each test: of its call, or of the phase that it did not survive."""
    for report in reports:
        if not isinstance(report, pytest.TestReport) or not property_of(report, CELL):
            continue
        if report.when == "call" or not report.passed:
            yield report


def _result(report: pytest.TestReport) -> str:
    return "known" if report.passed and property_of(report, KNOWN_FAULT) else report.outcome


def _count(reports: Iterable[pytest.TestReport]) -> Cells:
    # Of two reports of one test, the second tells of a teardown that failed.
    last = {report.nodeid: report for report in reports}
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for report in last.values():
        row, _, column = property_of(report, CELL).partition("|")
        cells[row, column][_result(report)] += 1
    return cells


def _show(results: Counter[str] | None) -> str:
    if not results:
        return "-"
    return ", ".join(f"{results[key]} {name}" for key, name in NAMES.items() if results[key])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _explain(cells: Cells, reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """Yields why a cell is not simply ok: faults of peers, skips, and what a peer lacks."""
    yield "client: what a peer does with our server; server: what our client does with a peer."
    found: set[tuple[str, str]] = set()
    for report in reports:
        row = property_of(report, CELL).partition("|")[0]
        if _result(report) == "known":
            found.add(("known", f"{row}: {property_of(report, KNOWN_FAULT)}"))
        elif report.skipped and isinstance(report.longrepr, tuple):
            found.add(("skipped", f"{row}: {report.longrepr[2].removeprefix('Skipped: ')}"))
    shown = {row.rpartition(" ")[0] for row, _ in cells}
    for side, peers in (("client", CLIENTS), ("server", SERVERS)):
        for peer in peers:
            if f"{side}: {peer.name}" in shown:
                found |= {
                    ("-", f"{side}: {peer.name}, {what}: {why}") for what, why in peer.lacks.items()
                }
    for kind, text in sorted(found):
        yield f"{kind:8} {text}"
