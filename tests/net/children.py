"""Runs pieces of Python in processes of their own: to be killed, limited, or unprivileged."""

import os
import subprocess
import sys
from pathlib import Path

import tftp

PROJECT = Path(tftp.__path__[0]).parent

# Only after the imports: the interpreter may stand where nobody else may read.
DROP = """
import os
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def command(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "utf-8"}


def run(code: str, *arguments: object, under: tuple[str, ...] = ()) -> str:
    """Runs code with arguments to its end and returns what it printed."""
    done = subprocess.run(
        [*under, *command(code, *arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Starts code that the caller talks to over stdin and stdout, and ends."""
    return subprocess.Popen(
        command(code, *arguments),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def namespace() -> tuple[str, ...] | None:
    """The prefix that runs a command where it may mount; None where the system forbids it."""
    options = "-m" if os.geteuid() == 0 else "-Urm"
    prefix = ("unshare", options)
    try:
        done = subprocess.run(
            [*prefix, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, timeout=20
        )
    except FileNotFoundError:
        return None
    return prefix if done.returncode == 0 else None


def open_files() -> set[str]:
    """What this process has open: numbers and where they lead."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {entry.readlink()}")
        except FileNotFoundError:
            continue  # The descriptor of the listing itself.
    return found
