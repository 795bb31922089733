"""The matrix counts each test once, and shows what failed, was skipped, or is known."""

from typing import Literal

import pytest

from tests.interop.matrix import CELL, KNOWN_FAULT, lines


def report(
    test: str,
    column: str,
    outcome: Literal["passed", "failed", "skipped"] = "passed",
    when: Literal["setup", "call", "teardown"] = "call",
    known: str = "",
) -> pytest.TestReport:
    properties: list[tuple[str, object]] = [(CELL, f"client: peer get|{column}")]
    properties += [(KNOWN_FAULT, known)] if known else []
    longrepr = ("file", 1, "Skipped: peer peer: no such program") if outcome == "skipped" else None
    return pytest.TestReport(
        test, ("file", 1, test), {}, outcome, longrepr, when, user_properties=properties
    )


def test_each_result_has_its_word() -> None:
    _, _, row, _, *notes = lines(
        [
            report("a", "sizes"),
            report("b", "sizes", known="eats bytes"),
            report("c", "options", "failed"),
            report("d", "wrap", "skipped", "setup"),
        ]
    )
    cells = [cell.strip() for cell in row.split("  ") if cell.strip()]
    assert cells == ["client: peer get", "1 ok, 1 known", "1 FAILED", "1 skipped", "-", "-", "-"]
    assert notes == [
        "known    client: peer get: eats bytes",
        "skipped  client: peer get: peer peer: no such program",
    ]


def test_phases_of_one_test_count_once() -> None:
    reports = [report("a", "sizes", when=when) for when in ("setup", "call", "teardown")]
    assert "  1 ok  " in lines(reports)[2]


def test_failed_teardown_counts_as_failure() -> None:
    row = lines([report("a", "sizes"), report("a", "sizes", "failed", "teardown")])[2]
    assert "1 FAILED" in row
    assert "ok" not in row


def test_nothing_is_shown_where_no_test_of_the_matrix_ran() -> None:
    assert lines(["warning"]) == []
