"""What a server used: processor time and memory, with those of its children, dead or alive.

A control group counts the time of everything that was ever in it, to the microsecond. Where
none can be made (no root), the processes are asked: then the time of children that their
parent does not wait for is lost, and a server that works that way has no figure. Must not
know what servers do.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
from pathlib import Path
from types import TracebackType

from scripts.bench_tools.processes import family

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
LOOK_AT = 16  # processes of a crowd whose memory is looked at; the others are like them
LOOK_EVERY = 0.1  # seconds


class Group:
    """A control group of one server."""

    _numbers = itertools.count(1)

    def __init__(self, parent: Path, usage: str) -> None:
        """Makes it. Raises OSError where that is not allowed."""
        self._folder = parent / f"tftp-bench-{os.getpid()}-{next(self._numbers)}"
        self._usage = usage
        self._folder.mkdir()
        self.entry = self._folder / "cgroup.procs"

    def cpu(self) -> float:
        """Returns the seconds of processor time used in it so far."""
        text = (self._folder / self._usage).read_text()
        found = re.search(r"usage_usec (\d+)", text)
        return int(found[1]) / 1e6 if found else int(text) / 1e9

    def close(self) -> None:
        """Removes it. All its processes have to be gone."""
        deadline = time.monotonic() + 2.0
        pause = threading.Event()
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            pause.wait(0.01)


def find_groups() -> tuple[Path, str] | None:
    """Returns the folder that groups can be made in, and the file that tells their time."""
    for mount, controller, usage in _mounts():
        own = _own_path(controller)
        if own is None:
            continue
        parent = mount / own.lstrip("/")
        try:
            group = Group(parent, usage)
        except OSError:
            continue
        try:
            group.cpu()
            with group.entry.open("w"):
                return parent, usage
        except (OSError, ValueError):
            continue
        finally:
            group.close()
    return None


def _mounts() -> list[tuple[Path, str, str]]:
    """Returns where groups are mounted: version 2 first, which has no controllers to name."""
    rows = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    new = [(Path(row[1]), "", "cpu.stat") for row in rows if row[2] == "cgroup2"]
    old = [
        (Path(row[1]), "cpuacct", "cpuacct.usage")
        for row in rows
        if row[2] == "cgroup" and "cpuacct" in row[3].split(",")
    ]
    return new + old


def _own_path(controller: str) -> str | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path
    return None


# ---------------------------------------------------------------- processes


def family_cpu(pid: int) -> float:
    """Returns the seconds that the family used, with children that were waited for."""
    total = 0.0
    for member in family(pid):
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~member << 3 | 2)  # CLOCK_PROCESS_CPUTIME_ID of another
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[13]) + int(fields[14])) / TICK  # cutime, cstime
    return total


def cpu_of_each(pid: int) -> list[float]:
    """Returns the seconds that each member of the family used, without what ended children did."""
    return [time.clock_gettime(~member << 3 | 2) for member in family(pid)]


def ignores_children(pid: int) -> bool:
    """Tells whether the time of its ended children is lost: it ignores SIGCHLD."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    found = re.search(r"SigIgn:\s*([0-9a-f]+)", text)
    return bool(found and int(found[1], 16) >> 16 & 1)


def resident(pid: int) -> int:
    """Returns the octets in memory now: of a family, each page that is shared counts once."""
    members = family(pid)
    if len(members) == 1:
        return _status(pid, "VmRSS")
    sample = members[:1] + members[1 : 1 + LOOK_AT]
    shares = [_proportional(member) for member in sample]
    rest = len(members) - len(sample)
    others = shares[1:]
    return sum(shares) + (rest * sum(others) // len(others) if others else 0)


def peak(pid: int) -> int:
    """Returns the most octets that one process ever had in memory."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"{name}:\s*(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"Pss:\s*(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def wakeups(pid: int) -> int:
    """Returns how often the family went to sleep so far: what an idle server should not do."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{member}/task").glob("*/status"):
                found = re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", path.read_text())
                total += int(found[1]) if found else 0
    return total


def machine_cpu() -> float:
    """Returns the seconds that all processors were busy so far, by anybody."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    busy = sum(int(fields[i]) for i in (0, 1, 2, 5, 6, 7))  # user nice system irq softirq steal
    return busy / TICK


class PeakOfFamily:
    """Watches the memory of a family while the block runs; `octets` is the most it saw."""

    def __init__(self, pid: int) -> None:
        self.octets = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakOfFamily:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self.octets = max(self.octets, resident(self._pid), peak(self._pid))

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            if len(family(self._pid)) > 1:
                self.octets = max(self.octets, resident(self._pid))
