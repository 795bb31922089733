"""Starts programs on a chosen processor, and ends every one of them, whatever happens.

A program gets a session of its own, dies with this process, and may enter a control group
first. Once `leave_nothing_behind` is called, none outlives this process. Must not know what
the programs are.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 2.0  # seconds that a program may take to end by itself

_libc = ctypes.CDLL(None, use_errno=True)
_running: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Cores:
    """Which processor does what; with one alone, it does everything."""

    server: int
    load: int
    spare: tuple[int, ...]

    @property
    def shared(self) -> bool:
        """Tells whether server and load have to share one."""
        return self.server == self.load


def pick_cores() -> Cores:
    """Picks two processors that are no two threads of one core, if that can be had."""
    allowed = sorted(os.sched_getaffinity(0))
    server = allowed[0]
    others = [cpu for cpu in allowed if cpu not in _siblings(server)] or allowed[1:] or [server]
    load = others[0]
    spare = tuple(cpu for cpu in allowed if cpu not in (server, load))
    return Cores(server, load, spare)


def _siblings(cpu: int) -> set[int]:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    found = {cpu}
    with contextlib.suppress(OSError, ValueError):
        for part in path.read_text().strip().split(","):
            low, _, high = part.partition("-")
            found.update(range(int(low), int(high or low) + 1))
    return found


def start(
    command: Sequence[str],
    *,
    cpus: Sequence[int] = (),
    group: Path | None = None,
    folder: Path | None = None,
    stdin: int | None = None,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program; `group` is a control group's list of processes, to enter first."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cpus:
            os.sched_setaffinity(0, cpus)
        if group is not None:
            with group.open("w") as entry:
                entry.write("0")

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=output or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environment if environment is not None else clean_environment()),
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - no thread runs when programs are started
    )
    _running[process.pid] = process
    return process


def clean_environment() -> dict[str, str]:
    """Returns the environment without what is meant for this program's own Python."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def stop(process: subprocess.Popen[bytes], *, gently: bool = True) -> None:
    """Ends a program and its session: first by asking, then by force."""
    if gently and process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    # Children that handled its transfers may be left; nobody else is in that session.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _running.pop(process.pid, None)


def family(pid: int) -> list[int]:
    """Returns a process and all its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{parent}/task").glob("*/children"):
                found += [int(child) for child in path.read_text().split()]
    return found


def leave_nothing_behind() -> None:
    """Sees to it that all children end with this process, and what they leave behind, too."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    atexit.register(stop_all)


def stop_all() -> None:
    """Ends everything that was started and still runs, and what that left behind."""
    for process in list(_running.values()):
        stop(process, gently=False)
    for pid in family(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0):
            pass


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command went."""

    code: int
    seconds: float
    cpu: float
    """Seconds of processor time, with those of the children it waited for."""
    output: str


def run(
    command: Sequence[str],
    limit: float,
    *,
    cpus: Sequence[int] = (),
    folder: Path | None = None,
    log: Path | None = None,
) -> Ended:
    """Runs a command to its end and measures it; one that hangs is ended, with code -1."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("w+b")) if log else None
        began = time.perf_counter()
        process = start(command, cpus=cpus, folder=folder, output=output)
        handle = os.pidfd_open(process.pid)
        stack.callback(os.close, handle)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        in_time = bool(poll.poll(limit * 1000))
        seconds = time.perf_counter() - began
        if not in_time:
            stop(process, gently=False)
            return Ended(-1, seconds, 0.0, f"no end after {limit:.0f} s")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        _running.pop(process.pid, None)
        text = ""
        if output is not None:
            output.seek(0)
            text = output.read().decode(errors="replace")
        return Ended(process.returncode, seconds, used.ru_utime + used.ru_stime, text)
