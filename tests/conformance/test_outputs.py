"""Results as files: JSON and JUnit for machines, captures for the packets."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conformance.outputs import counts, fields, summary, write_json, write_junit, write_pcaps
from conformance.verdict import Verdict
from tests.conformance.results import result, some_results


def test_counts_leave_out_what_nobody_has() -> None:
    results = [result(Verdict.PASS), result(Verdict.PASS), result(Verdict.FAIL)]
    assert counts(results) == {Verdict.PASS: 2, Verdict.FAIL: 1}
    assert summary(results) == "2 PASS, 1 FAIL"


def test_the_keys_of_a_result_are_stable() -> None:
    row = fields(result(Verdict.FAIL), ladder=True)
    assert row == {
        "id": "RFC1350-5-01",
        "side": "server",
        "clause": row["clause"],
        "level": "MUST",
        "title": row["title"],
        "verdict": "FAIL",
        "remarks": [{"verdict": "FAIL", "text": "it did something"}],
        "seconds": 1.25,
        "ladder": row["ladder"],
    }
    assert row["clause"]
    assert row["title"]
    assert "ladder" not in fields(result(Verdict.FAIL), ladder=False)


def test_json_holds_all_results_and_the_ladders_of_those_that_did_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, "server here", some_results())
    found = json.loads(path.read_text())
    assert found["target"] == "server here"
    assert found["counts"] == {str(verdict): 1 for verdict in Verdict}
    for row in found["results"]:
        assert ("ladder" in row) == (row["verdict"] != "PASS")
    failed = next(row for row in found["results"] if row["verdict"] == "FAIL")
    assert [line.split(maxsplit=4)[4] for line in failed["ladder"]] == [
        "RRQ 'it did something' octet",
        "DATA 1, 512 octets",
    ]


def test_json_of_equal_results_is_equal(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    write_json(first, "one", some_results())
    write_json(second, "one", some_results())
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("strict", [False, True])
def test_junit_can_be_read_and_counts_right(tmp_path: Path, strict: bool) -> None:
    path = tmp_path / "junit.xml"
    write_junit(path, "server here", some_results(), strict=strict)
    suite = ET.parse(path).getroot()
    assert suite.tag == "testsuite"
    assert suite.get("tests") == str(len(Verdict))
    found = {
        kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")
    }
    assert found == {"failure": 2 if strict else 1, "error": 1, "skipped": 2}
    assert suite.get("failures") == str(found["failure"])
    assert suite.get("errors") == "1"
    assert suite.get("skipped") == "2"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message", "").endswith(": it did something")


def test_junit_can_be_read_whatever_a_target_has_sent(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    nasty = "\x00\x1b[2J <&>\"' \ufffe \u2028 caf\u00e9 ]]>"
    write_junit(path, nasty, some_results(nasty), strict=True)
    failure = ET.parse(path).getroot().find("testcase/failure")
    assert failure is not None
    assert "\\x1b[2J <&>" in failure.get("message", "")


def test_a_capture_for_each_case(tmp_path: Path) -> None:
    write_pcaps(tmp_path / "new", [result(Verdict.PASS), result(Verdict.FAIL, "RFC1350-5-02")])
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["server-RFC1350-5-01.pcap", "server-RFC1350-5-02.pcap"]
    octets = (tmp_path / "new" / names[0]).read_bytes()
    assert octets[:4] == b"\xa1\xb2\xc3\xd4"
    assert b"it did something\0octet\0" in octets
