"""The matrix: targets are judged one by one, and what came of each is kept."""

import json
from pathlib import Path

import pytest

from conformance.catalogue import all_cases
from conformance.matrix import MATRIX, choose, draw, judge, keep, kept
from conformance.outputs import Column
from conformance.runner import Result
from conformance.targets import Programs, Target, load_targets
from conformance.verdict import Verdict
from tests.conformance.results import BREAKER, column, result

TARGETS = {target.id: target for target in load_targets()}
OURS = TARGETS["ours-server"]


def verdicts(one: Column) -> dict[object, object]:
    return {row["id"]: row["verdict"] for row in one.rows}


# Choosing


def test_targets_are_chosen_by_id_or_name_in_their_own_order() -> None:
    targets = list(TARGETS.values())
    assert choose(targets, []) == targets
    found = choose(targets, ["curl", "TFTPY", "tftpd-hpa"])
    assert [one.id for one in found] == ["tftpd-hpa", "tftpy-server", "curl", "tftpy-client"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no target hpa; there are ours-server, tftpd-hpa"):
        choose(list(TARGETS.values()), ["hpa"])


# Judging


@pytest.mark.slow
def test_our_server_is_judged_by_its_command() -> None:
    heard: list[Result] = []
    found = judge(OURS, Programs(), ["RFC1350-5-01", "RFC2348-01"], heard.append)
    assert found.missing == ""
    assert found.ends == ()
    assert verdicts(found) == {"RFC1350-5-01": "PASS", "RFC2348-01": "PASS"}
    assert sorted(one.case.name for one in heard) == ["RFC1350-5-01", "RFC2348-01"]
    assert (found.name, found.side) == ("tftpkit", "server")
    assert found.version[0].isdigit()
    assert found.made.count("-") == 2


@pytest.mark.slow
def test_our_client_is_judged_by_its_commands() -> None:
    chosen = ["RFC1350-5-20", "RFC2348-13"]
    found = judge(TARGETS["ours-client"], Programs(), chosen, lambda _: None)
    assert found.missing == ""
    assert verdicts(found) == {"RFC1350-5-20": "PASS", "RFC2348-13": "PASS"}


def test_a_target_that_is_not_here_comes_back_with_the_reason(tmp_path: Path) -> None:
    absent = Target("x", "X", "server", "An X.", "no-such-program --version", start="x")
    found = judge(absent, Programs(tmp_path), [], lambda _: None)
    assert found.rows == ()
    assert "no no-such-program in" in found.missing
    assert (found.name, found.about) == ("X", "An X.")


def test_prefixes_without_cases_are_a_reason() -> None:
    found = judge(TARGETS["ours-client"], Programs(), ["RFC9999"], lambda _: None)
    assert "RFC9999" in found.missing


# Keeping


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    one = column("tftpkit", [result(Verdict.FAIL), result(Verdict.PASS, "RFC2348-01")])
    keep(tmp_path, OURS, one, partial=False)
    (found,) = kept(tmp_path, list(TARGETS.values()))
    assert verdicts(found) == verdicts(one)
    assert found.rows[0] == one.rows[0]


def test_a_run_of_some_cases_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    older = column("x", [result(Verdict.FAIL), result(Verdict.WARN, "RFC2348-01")])
    fresh = column("x", [result(Verdict.PASS, "RFC2348-01")], version="2")
    keep(tmp_path, OURS, older, partial=False)
    keep(tmp_path, OURS, fresh, partial=True)
    (found,) = kept(tmp_path, [OURS])
    assert verdicts(found) == {"RFC1350-5-01": "FAIL", "RFC2348-01": "PASS"}
    assert found.version == "2"
    keep(tmp_path, OURS, fresh, partial=False)
    (found,) = kept(tmp_path, [OURS])
    assert verdicts(found) == {"RFC2348-01": "PASS"}


def test_results_of_cases_that_are_no_more_are_left_out(tmp_path: Path) -> None:
    tried = {case.requirement for case in all_cases("server")}
    assert "RFC1350-5-23" not in tried, "a requirement for clients only"
    one = column("x", [result(Verdict.PASS), result(Verdict.PASS, "RFC1350-5-23")])
    keep(tmp_path, OURS, one, partial=False)
    assert verdicts(kept(tmp_path, [OURS])[0]) == {"RFC1350-5-01": "PASS"}


@pytest.mark.parametrize("text", ["", "[]", '{"name": 1, "colour": 2}'])
def test_a_file_that_holds_no_results_is_named(tmp_path: Path, text: str) -> None:
    keep(tmp_path, OURS, column("x", []), partial=False)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(text)
    with pytest.raises(ValueError, match=r"ours-server\.json holds no results; remove it"):
        kept(tmp_path, [OURS])


# Drawing


def test_the_matrix_is_three_files(tmp_path: Path) -> None:
    columns = [
        column("one", [result(Verdict.FAIL, text=BREAKER)]),
        column("two", [result(Verdict.PASS, side="client")], "client"),
    ]
    paths = draw(tmp_path / "new", columns)
    assert [path.name for path in paths] == list(MATRIX)
    text, page, data = (path.read_text("utf-8") for path in paths)
    assert "| one |" in text
    assert BREAKER not in page
    found = json.loads(data)["targets"]
    assert [(one["name"], one["side"]) for one in found] == [("one", "server"), ("two", "client")]
    assert found[0]["rows"][0]["verdict"] == "FAIL"
    assert found[0]["rows"][0]["ladder"]


def test_drawing_the_same_again_gives_the_same(tmp_path: Path) -> None:
    columns = [column("one", [result(Verdict.FAIL)], made="2026-01-02")]
    first = [path.read_bytes() for path in draw(tmp_path, columns)]
    assert [path.read_bytes() for path in draw(tmp_path, columns)] == first
