"""Runs `tftp-get` and `tftp-put` as a shell would."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import IO, NamedTuple

__all__ = ["LIMIT", "Run", "program", "run", "running", "start"]

ROOT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds for a command; far more than it takes
LINGER = 0.2  # of `tftp-get`, so that tests leave nobody behind for long

GET = "import sys, tftp.cli.get as g; g.LINGER = float(sys.argv.pop(1)); g.main()"
PUT = "import sys, tftp.cli.put as p; sys.argv.pop(1); p.main()"


class Run(NamedTuple):
    """A command that has ended."""

    code: int
    out: bytes
    err: str


def program(command: str, *arguments: str, linger: float = LINGER) -> list[str]:
    """Returns the command line of `get` or `put`."""
    return [sys.executable, "-c", GET if command == "get" else PUT, str(linger), *arguments]


def environment() -> Mapping[str, str]:
    return os.environ | {"TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}


def run(
    command: str,
    *arguments: str,
    stdin: bytes = b"",
    folder: Path | None = None,
    linger: float = LINGER,
) -> Run:
    """Runs a command to its end."""
    ended = subprocess.run(
        program(command, *arguments, linger=linger),
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=environment(),
        timeout=LIMIT,
    )
    return Run(ended.returncode, ended.stdout, ended.stderr.decode())


def start(
    command: str,
    *arguments: str,
    folder: Path | None = None,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    linger: float = LINGER,
) -> subprocess.Popen[bytes]:
    """Starts a command."""
    return subprocess.Popen(
        program(command, *arguments, linger=linger),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=folder,
        env=environment(),
    )


def running(mark: str) -> list[int]:
    """Returns the processes that have an argument `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in arguments:
                found.append(int(entry.name))
    return found


def wait_until_gone(mark: str) -> float:
    """Waits for the last process with that argument; returns how long it took."""
    begin = monotonic()
    while running(mark):
        assert monotonic() - begin < LIMIT, "somebody stays for ever"
    return monotonic() - begin
