"""Runs targets for a time, several at once, and reads what libFuzzer says of them.

Each target has a folder in the scratch place: `corpus` is what earlier runs found worth
keeping, `findings` the inputs that raised, hung or ate the memory, `log` the words of the
last run. Inputs of the repository are read, never written. Must not know what targets do.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.catalogue import CORPUS, REPOSITORY
from tests.fuzz.place import memory

__all__ = ["Result", "run_all"]

MAX_OCTETS = 2048  # of one input
HANG = 20  # seconds for one input
MEMORY = 2048  # MiB
START = 120  # seconds for imports and the first look at the corpus


class Result(NamedTuple):
    """What one run has shown."""

    name: str
    executions: int
    edges: int
    inputs: int
    finding: Path | None
    words: str
    """Why it ended, where that was not the time."""

    @property
    def ok(self) -> bool:
        """Whether it ran, and found nothing."""
        return not self.words and self.finding is None


def run_all(names: list[str], seconds: int, jobs: int, scratch: Path) -> Iterator[Result]:
    """Runs each target for so long, so many at a time; yields results in the order of names."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: _run(name, seconds, scratch), names)


def _run(name: str, seconds: int, scratch: Path) -> Result:
    folder = scratch / name
    places = [folder / "corpus", folder / "findings"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    seeds = CORPUS / name
    command = [
        *(sys.executable, "-m", "tests.fuzz.child", name),
        *(f"-max_total_time={seconds}", f"-max_len={MAX_OCTETS}", f"-timeout={HANG}"),
        *(f"-rss_limit_mb={MEMORY}", "-print_final_stats=1", "-len_control=20"),
        *(f"-artifact_prefix={folder}/findings/", str(places[0])),
        *([str(seeds)] if seeds.is_dir() else []),
    ]
    log = folder / "log"
    # The fuzzer ends without ceremony, so the folders of a target are removed here.
    rest = tempfile.mkdtemp(prefix="tftp-fuzz-", dir=memory())
    try:
        with log.open("wb") as output:
            status = subprocess.run(
                command,
                cwd=REPOSITORY,
                env={**os.environ, "TMPDIR": rest, "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds + START,
                check=False,
            ).returncode
        words = ""
    except subprocess.TimeoutExpired:
        status, words = 1, "it did not end in time"
    finally:
        shutil.rmtree(rest, ignore_errors=True)
    return _read(name, log.read_text("utf-8", "replace"), status, words)


def _read(name: str, log: str, status: int, words: str) -> Result:
    """Reads the log of a run."""
    edges = re.findall(r"cov: (\d+) .*?corp: (\d+)", log)
    executions = re.findall(r"number_of_executed_units: (\d+)", log) or re.findall(
        r"^#(\d+)", log, re.MULTILINE
    )
    found = re.search(r"Test unit written to (.+)$", log, re.MULTILINE)
    if status and not words:
        words = _why(log) if found else f"it could not run:\n{log[-2000:]}"
    return Result(
        name,
        int(executions[-1]) if executions else 0,
        int(edges[-1][0]) if edges else 0,
        int(edges[-1][1]) if edges else 0,
        Path(found[1]) if found else None,
        words,
    )


def _why(log: str) -> str:
    """Returns the traceback of a finding, or the last words of a run."""
    place = log.find("=== Uncaught Python exception: ===")
    if place < 0:
        return log[-1500:].strip()
    end = log.find("\n==", place + 40)
    return log[place : end if end > 0 else None].strip()
