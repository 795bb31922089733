"""What fuzzing is made of: the reader of decisions, the chooser of inputs, the command line."""

from pathlib import Path

import pytest

from tests.fuzz import catalogue, runner
from tests.fuzz import keep as keeping
from tests.fuzz.__main__ import main, report
from tests.fuzz.feed import Feed
from tests.fuzz.planted import Planted


def test_decisions_come_from_the_front_and_are_zero_at_the_end() -> None:
    feed = Feed(b"\x05\x01\x02\x02abrest")
    assert feed.octet() == 5
    assert feed.number(0, 1000) == 258
    assert feed.piece() == b"ab"
    assert feed.left == 4
    assert feed.rest() == b"rest"
    assert (feed.octet(), feed.number(3, 9), feed.piece(), feed.left) == (0, 3, b"", 0)
    assert feed.pick("xyz") == "x"


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (1, 255), (0, 256), (-3, 70_000)])
def test_numbers_stay_within_their_bounds(low: int, high: int) -> None:
    for octet in range(256):
        assert low <= Feed(bytes([octet]) * 4).number(low, high) <= high


def test_only_inputs_that_reach_something_new_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(catalogue, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(keeping, "WATCHED", (str(Path(__file__).parent),))
    for number, data in enumerate([b"b", b"bu", b"bug", b"bug and more", b"x", b"y", b""]):
        (tmp_path / f"{number}").write_bytes(data)
    candidates = [path for path in tmp_path.iterdir() if path.is_file()]
    made = keeping.keep(catalogue.PLANTED, candidates)
    kept = {path.read_bytes() for path in made}
    assert b"bug" in kept
    assert b"bug and more" not in kept, "it reaches nothing that bug does not"
    assert len(kept) <= 4
    assert keeping.keep(catalogue.PLANTED, candidates) == [], "they are known by now"


def test_a_log_is_read() -> None:
    log = (
        "#2\tINITED cov: 7 ft: 9 corp: 1/1b exec/s: 0 rss: 40Mb\n"
        "#900\tNEW    cov: 17 ft: 30 corp: 12/90b exec/s: 0 rss: 40Mb\n"
        " === Uncaught Python exception: ===\nValueError: no\n"
        "==12== ERROR: libFuzzer: fuzz target exited\n"
        "artifact_prefix='x'; Test unit written to /scratch/crash-1\n"
    )
    result = runner._read("codec", log, 77, "")
    assert result[:5] == ("codec", 900, 17, 12, Path("/scratch/crash-1"))
    assert "ValueError: no" in result.words
    assert not result.ok
    assert runner._read("codec", "Traceback\nImportError: x", 1, "").words.endswith(
        "ImportError: x"
    )
    clean = runner._read("codec", "stat::number_of_executed_units: 5\n", 0, "")
    assert clean.ok
    assert clean.executions == 5


def test_findings_are_told_with_the_way_to_repeat_them(capsys: pytest.CaptureFixture[str]) -> None:
    good = runner.Result("codec", 1234, 5, 6, None, "")
    assert report([good]) == 0
    assert "1,234" in capsys.readouterr().out
    bad = runner.Result("root", 1, 2, 3, Path("/scratch/crash"), "AssertionError")
    assert report([good, bad]) == 1
    assert "scripts/fuzz root --replay /scratch/crash" in capsys.readouterr().out
    assert report([runner.Result("url", 0, 0, 0, None, "it could not run")]) == 1


def test_one_input_is_run_without_atheris(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"\0\4\0\1")
    assert main(["codec", "--replay", str(path)]) == 0
    assert "nothing found" in capsys.readouterr().out
    path.write_bytes(b"bug!")
    with pytest.raises(Planted):
        main([catalogue.PLANTED, "--replay", str(path)])


@pytest.mark.parametrize("arguments", [["nothing"], ["codec", "url", "--replay", "x"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
