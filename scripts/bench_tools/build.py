"""Compiles the load generator, once for each state of its source.

The program lies in the cache under a name made from the source and the compiler, so an
edited file is compiled anew and an old program is never run by mistake. Must not know what
the generator does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "load"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


class NoCompiler(RuntimeError):
    """There is no C compiler here, or it lacks the C library's headers."""


def compiler() -> str | None:
    """Returns the path of the first C compiler, if there is one."""
    for name in (os.environ.get("CC", ""), *COMPILERS):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def build(cache: Path) -> Path:
    """Returns the generator's program. Raises NoCompiler, or RuntimeError with the errors."""
    sources = sorted(SOURCE.glob("*.c"))
    program = cache / f"load-{_key(sources)}"
    if program.exists():
        return program
    tool = compiler()
    if tool is None:
        raise NoCompiler("no C compiler (cc, gcc or clang); as root: apt-get install gcc libc6-dev")
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f".load-{os.getpid()}"
    done = subprocess.run(
        [tool, *FLAGS, "-o", fresh, *sources], capture_output=True, text=True, check=False
    )
    if done.returncode:
        fresh.unlink(missing_ok=True)
        if "fatal error" in done.stderr and ".h" in done.stderr:
            raise NoCompiler(f"{tool} lacks headers; as root: apt-get install libc6-dev")
        raise RuntimeError(f"{tool} could not compile the load generator:\n{done.stderr}")
    fresh.rename(program)
    for old in set(cache.glob("load-*")) - {program}:
        old.unlink(missing_ok=True)
    return program


def _key(sources: list[Path]) -> str:
    digest = hashlib.sha256(" ".join([*FLAGS, os.uname().machine]).encode())
    for path in [*sources, *sorted(SOURCE.glob("*.h"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
