"""What every test run ends with: the matrix of interop results, if any of those tests ran."""

import pytest

from tests.interop import matrix


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix; here, for with pytest-xdist only this file is loaded in time."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    lines = matrix.lines(reports)
    if lines:
        terminalreporter.section("interop matrix")
        for line in lines:
            terminalreporter.write_line(line)
