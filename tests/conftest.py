"""What every test run ends with: what was counted, and the matrix of interop results."""

import pytest

from tests.interop import matrix
from tests.simulation import counts

KINDS = {"fault": "injected faults", "regression": "mistakes of others, CVEs among them"}


def passed_of(reports: list[pytest.TestReport]) -> list[str]:
    """Returns a line for each kind of test, if any of it passed."""
    passed = [one for one in reports if getattr(one, "when", "") == "call" and one.passed]
    found = {kind: sum(kind in one.keywords for one in passed) for kind in KINDS}
    return [f"{KINDS[kind]}: {count:,} tests passed" for kind, count in found.items() if count]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints them; here, for with pytest-xdist only this file is loaded in time."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    counted = counts.lines(reports) + passed_of(reports)
    for title, lines in (("counts", counted), ("interop matrix", matrix.lines(reports))):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)
