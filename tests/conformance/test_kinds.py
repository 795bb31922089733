"""Servers that are right in another way than ours are not called wrong.

A case that knows only our ways would show here: no sound sort of server may FAIL. All cases
are run against one server, as in a real run, so that what one leaves behind shows as well.
What a sort cannot but do wrong stands in a table; an entry that has come to pass has to go.
"""

from pathlib import Path

import pytest

from conformance.catalogue import all_cases
from conformance.fixtures import write_fixtures
from conformance.runner import Result
from conformance.verdict import Verdict
from tests.conformance.kinds import OPTIONLESS, SOUND_KINDS
from tests.conformance.selfrun import judge_server, judge_server_by, short_cases

SHORT = short_cases("server")

WRONG_BY_NATURE = {
    "with one port": {
        "F-SY-06": "two transfers of one peer cannot be told apart at one port",
        "RFC2347-N-26": "for the same reason",
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    write_fixtures(folder)
    return folder


def told(results: list[Result]) -> str:
    return "\n".join(
        "\n".join([f"{one.case.name} {one.verdict} {one.text}", *one.ladder.lines(30)])
        for one in results
    )


@pytest.mark.parametrize("sort", SOUND_KINDS)
def test_a_sound_server_does_not_fail(sort: str, root: Path) -> None:
    results = judge_server_by(SHORT, root, SOUND_KINDS[sort])
    assert len(results) == len(SHORT)
    bad = [one for one in results if one.verdict in (Verdict.FAIL, Verdict.ERROR)]
    known = WRONG_BY_NATURE.get(sort, {})
    assert {one.case.name for one in bad} == set(known), told(bad)


@pytest.mark.parametrize(
    ("sort", "name"),
    [
        ("without options", "RFC1785-02"),
        ("for reading only", "DF-PORT-04"),
        ("with one port", "DF-PORT-01"),
    ],
)
def test_what_only_another_sort_can_show(sort: str, name: str, root: Path) -> None:
    case = next(case for case in all_cases("server") if case.name == name)
    assert judge_server(case, root, SOUND_KINDS[sort]).verdict is Verdict.PASS


def test_features_that_are_not_there_are_not_judged(root: Path) -> None:
    """Not one of them is passed by a server that does not have it."""
    windows = [case for case in SHORT if case.name.startswith("RFC7440")]
    verdicts = {one.verdict for one in judge_server_by(windows, root, OPTIONLESS)}
    assert verdicts <= {Verdict.UNSUPPORTED, Verdict.SKIP}
