"""A few seconds of every target under atheris, and a planted bug that the runner has to find."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.catalogue import PLANTED, REPOSITORY, TARGETS
from tests.fuzz.runner import run_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python"
    ),
]
SECONDS = 3


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_finds_nothing(name: str, tmp_path: Path) -> None:
    (result,) = run_all([name], SECONDS, 1, tmp_path)
    assert result.finding is None, result.words
    assert result.ok, result.words
    assert result.executions > 10, "it did nothing"
    assert result.edges > 10, "nothing was instrumented"


def test_a_planted_bug_is_found_and_can_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([PLANTED, "--seconds", "60", "--scratch", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "Planted: the planted bug" in said
    (finding,) = (tmp_path / PLANTED / "findings").iterdir()
    assert finding.read_bytes().startswith(b"bug!")
    assert f"--replay {finding}" in said
    again = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", PLANTED, "--replay", str(finding)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert again.returncode == 1
    assert "the planted bug" in again.stderr
