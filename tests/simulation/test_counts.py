"""Counts of many tests become one line for each group, at the end of a run."""

from types import SimpleNamespace

import pytest

from tests.simulation import counts


def test_counts_are_summed_by_group(request: pytest.FixtureRequest) -> None:
    counts.record(request, "worlds", {"seeds": 1000, "transfers": 7})
    mine = request.node.user_properties.pop()
    again = (counts.PROPERTY, ["worlds", {"seeds": 500}])
    other = (counts.PROPERTY, ["paths", {"states": 3}])
    reports = [
        SimpleNamespace(when="setup", user_properties=[mine]),
        SimpleNamespace(when="call", user_properties=[mine, ("else", 1)]),
        SimpleNamespace(when="call", user_properties=[again, other]),
        SimpleNamespace(),
    ]
    assert counts.lines(reports) == ["paths: 3 states", "worlds: 1,500 seeds, 7 transfers"]
    assert counts.lines([]) == []
