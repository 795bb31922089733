"""The machine that is measured on: what it is, a network of its own, a folder in memory.

As root the whole bench moves to a private network namespace with nothing but loopback: a
server may take port 69 there, no firewall of the machine is in the way, and nothing that is
sent can leave. Must not know what is measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import re
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

GIB = 1 << 30


class Facts(TypedDict):
    """What to know about a machine beside a figure from it."""

    processor: str
    cores: int
    memory: int
    kernel: str
    system: str
    python: str
    private_network: bool
    load_average: float


def facts(private_network: bool) -> Facts:
    """Returns what this machine is."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": _system(),
        "python": platform.python_version(),
        "private_network": private_network,
        "load_average": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found[1]
    return platform.machine()


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    return "unknown"


def enter_private_network() -> bool:
    """Leaves for a network of its own with a loopback device; False where that cannot be.

    Has to be called before any thread is started.
    """
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    return True


def memory_available() -> int:
    """Returns the octets that can be had without swapping."""
    text = Path("/proc/meminfo").read_text()
    found = re.search(r"MemAvailable:\s*(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


@contextlib.contextmanager
def folder_in_memory(cache: Path) -> Iterator[Path]:
    """Lends a folder on a file system in memory if there is one with room, else in the cache.

    A disk would be measured along with the servers otherwise.
    """
    place = Path("/dev/shm")
    usable = os.access(place, os.W_OK) and shutil.disk_usage(place).free > GIB
    if not usable:
        place = cache
        place.mkdir(parents=True, exist_ok=True)
        print(f"bench: /dev/shm has no room; files are in {cache}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tftp-bench-", dir=place) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def free_port() -> int:
    """Returns a UDP port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
