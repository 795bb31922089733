"""The soak: it plays, it counts, and it says so when something is not as it should be."""

import os
import re
import subprocess
import sys
from multiprocessing import Process
from pathlib import Path

import pytest

from scripts.soak_tools import soak
from tftp.protocol.transfer import Ending
from tftp.sim.invariants import Broken
from tftp.sim.play import Report

ROOT = Path(__file__).parents[2]
MIB = 1 << 20


def test_it_plays_for_as_long_as_wanted_and_counts() -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.soak_tools",
        "--minutes",
        "0.02",
        "--jobs",
        "2",
        "--worlds-only",
    ]
    done = subprocess.run(
        [*command, "--first", "5000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 process(es), 0.02 minutes, seeds from 5000 on" in done.stdout
    counted = re.search(r"([\d,]+) seeds, ([\d,]+) transfers ended", done.stdout)
    assert counted is not None
    assert all(int(number.replace(",", "")) > 0 for number in counted.groups())
    assert "0 wrong" in done.stdout
    assert len(re.findall(r"descriptors (\d+) at the start, \1 at the end", done.stdout)) == 2
    assert done.stdout.endswith("soak: all invariants held\n")


@pytest.mark.parametrize("arguments", [["--minutes", "0"], ["--jobs", "0"]])
def test_it_refuses_what_makes_no_sense(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        soak.main(arguments)


def test_what_does_not_hold_ends_a_process_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(seed: int) -> Report:
        error = Broken("it does not hold")
        error.add_note(f"python -m tftp.sim --seed {seed}")
        raise error

    monkeypatch.setattr(soak, "play", play)
    words = soak.Words()
    soak._play(words, 17)
    assert words.failure == "seed 17: Broken: it does not hold\npython -m tftp.sim --seed 17"
    assert words.seeds == 0


def worker(**last: object) -> soak.Worker:
    """Returns a process that has played 10 seeds, with what else it says at the end."""
    first = soak.Words(descriptors=5, memory=20 * MIB)
    words = soak.Words(seeds=10, descriptors=5, memory=50 * MIB)
    words.endings[Ending.COMPLETE] = 30
    for name, value in last.items():
        setattr(words, name, value)
    return soak.Worker(Process(), words, first, warm=40 * MIB)


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak._conclude([worker(), worker()]) == 0
    said = capsys.readouterr().out
    assert "20 seeds, 60 transfers ended" in said
    assert "memory 20 MiB at the start, 40 warm, 50 at the end" in said


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ({"failure": "seed 3: Broken: it does not hold"}, "FAILED: seed 3"),
        ({"descriptors": 6}, "descriptors 5 at the start, 6 at the end"),
        ({"memory": 90 * MIB}, "40 warm, 90 at the end"),
        ({"seeds": 0}, "has played nothing"),
    ],
)
def test_one_process_that_is_not_well_is_enough(
    last: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak._conclude([worker(), worker(**last)]) == 1
    said = capsys.readouterr().out
    assert says in said
    assert "NOT well" in said


@pytest.mark.slow
def test_a_real_server_is_soaked() -> None:
    """Through a relay that loses and doubles: all arrives, and the server keeps nothing."""
    command = [sys.executable, "-m", "scripts.soak_tools.sockets", "--minutes", "0.05"]
    done = subprocess.run(
        [*command, "--seed", "7"], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"descriptors: \d+ at the start, \d+ at the end", done.stdout)
    assert re.search(r"[1-9][\d,]* read, [1-9][\d,]* written", done.stdout)
