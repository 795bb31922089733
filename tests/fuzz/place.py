"""Folders for targets that need real files, and a look at what is open.

They lie in memory where that can be had, are made once per process, and are gone when the
process ends. Must not know what the targets do there.
"""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["descriptors", "make_place", "memory", "opened_since"]


def memory() -> str | None:
    """Returns a folder in memory, if there is one to write to; None stands for the default."""
    return "/dev/shm" if "TMPDIR" not in os.environ and os.access("/dev/shm", os.W_OK) else None


def make_place() -> Path:
    """Makes a folder that lives as long as the process."""
    place = Path(tempfile.mkdtemp(prefix="tftp-fuzz-", dir=memory())).resolve()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def descriptors() -> dict[int, str]:
    """Returns what this process has open, by descriptor."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that reads the list
            found[int(link.name)] = str(link.readlink())
    return found


def opened_since(before: dict[int, str]) -> dict[int, str]:
    """Returns what is open now and was not then; what others have closed is their business."""
    return dict(descriptors().items() - before.items())
