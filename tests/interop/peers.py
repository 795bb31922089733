"""The foreign programs that the interop tests talk to, and where they are.

`scripts/peers` gathers them and writes `peers.json`; here they are looked up. A program
that could not be had skips its tests by name, and fails them where CI=true: there the
whole matrix is wanted. Must not know what a program can do: clients.py and servers.py do.
"""

import json
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

Way = Literal["get", "put"]
WAYS: tuple[Way, ...] = ("get", "put")

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Program:
    """A foreign program; `path` is None where there is none, for that reason."""

    name: str
    path: str | None
    version: str | None
    reason: str


def folder() -> Path:
    """Returns where scripts/peers puts what it gathers."""
    return Path(os.environ.get("TFTP_PEERS") or PROJECT / ".cache" / "peers")


@cache
def catalogue() -> dict[str, Program]:
    """Returns what scripts/peers found, by name; nothing where it never ran."""
    try:
        entries = json.loads((folder() / "peers.json").read_text())
    except FileNotFoundError:
        return {}
    return {
        name: Program(name, entry["path"], entry["version"], entry["reason"])
        for name, entry in entries.items()
    }


def require(name: str, file: str = "") -> str:
    """Returns the path of a program, or of a `file` beside it; else skips, or fails under CI."""
    program = catalogue().get(name)
    if program is not None and program.path is not None:
        return str(Path(program.path).parent / file) if file else program.path
    reason = program.reason if program is not None else "scripts/peers has not been run"
    if os.environ.get("CI") == "true":
        pytest.fail(f"peer {name}: {reason}", pytrace=False)
    pytest.skip(f"peer {name}: {reason}")


def is_there(name: str) -> bool:
    """Tells whether there is such a program."""
    program = catalogue().get(name)
    return program is not None and program.path is not None


def version_of(name: str) -> str:
    """Returns the version of a program, or nothing where that is not known."""
    program = catalogue().get(name)
    return (program.version or "") if program is not None else ""


@cache
def has_ipv6() -> bool:
    """Tells whether this machine has the loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
