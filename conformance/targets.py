"""The known targets: how each server and client is started, and what it needs.

One file for each in `targets/*.toml`, whose keys are the fields of `Target`. Programs are
looked for in a folder of peers first, then beside this Python, then on PATH. Must not know
how a target is run or judged.
"""

import grp
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["TARGETS", "NotAvailable", "Programs", "Target", "load_targets"]

TARGETS = Path(__file__).parent / "targets"
CANNOT = 127  # exit status of a command that is not there, or says that it cannot
LAUNCHES = ("port", "stdin", "namespace")
SIDES = ("server", "client")
_VERSION = re.compile(r"\d+(?:\.\d+)+[-+~\w.]*")
_PLACE = re.compile(r"\{([a-z]+)\}")


class NotAvailable(Exception):
    """A target cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server or client that can be judged."""

    id: str
    """Its file's name without the ending: what it is selected by, and its results are kept by."""
    name: str
    side: str
    """`server` or `client`."""
    about: str
    """One sentence for the reader of the matrix."""
    version: str
    """A command; the first version number in its output counts."""
    place: int = 100
    """The order among the targets of its side."""
    start: str = ""
    """Of a server: the command, with {host} {port} {root} {user} {group} in it."""
    launch: str = "port"
    """How it comes by its port: `port` (it is told), `stdin` (a bound socket, as a superserver
    gives it), `namespace` (it takes port 69, in a network of its own)."""
    writes: bool = True
    """Whether uploads may be tried on it."""
    write_prefix: str = ""
    """What the names of uploads begin with."""
    needs_root: str = ""
    """Why it takes root to run it, if it does."""
    jobs: int = 24
    """Cases at a time."""
    pause: float = 0.0
    """Seconds of rest before and after each case."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Of a client: its templates, as `commands` knows them."""

    def __post_init__(self) -> None:
        """Raises ValueError if it makes no sense."""
        if self.side not in SIDES:
            raise ValueError(f"{self.id}: side is {self.side!r}, not server or client")
        if self.launch not in LAUNCHES:
            raise ValueError(f"{self.id}: launch is {self.launch!r}, not {', '.join(LAUNCHES)}")
        if bool(self.start) != (self.side == "server") or bool(self.commands) == bool(self.start):
            raise ValueError(f"{self.id}: a server has a start, a client has commands")


def load_targets(folder: Path = TARGETS) -> list[Target]:
    """Returns all targets, servers first. Raises ValueError for a file that makes no sense."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append(Target(id=path.stem, **tomllib.loads(path.read_text("utf-8"))))
        except (TypeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{path.name} describes no target: {error}") from error
    return sorted(found, key=lambda one: (SIDES.index(one.side), one.place, one.id))


class Programs:
    """Where the programs of targets are."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is looked in first; scripts/peers fills one."""
        self._folder = folder
        places = [str(folder)] if folder is not None else []
        places += [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        self._path = os.pathsep.join([*places, "/usr/local/sbin", "/usr/sbin", "/sbin"])

    def words(self, command: str, **values: str) -> list[str]:
        """Returns the words of a command, its program with its whole path.

        Places like {host} are filled in where there is a value. Raises NotAvailable.
        """
        words = [_PLACE.sub(lambda at: values.get(at[1], at[0]), w) for w in shlex.split(command)]
        program = shutil.which(words[0], path=self._path)
        if program is None:
            where = f"{self._folder} or on PATH" if self._folder is not None else "on PATH"
            raise NotAvailable(f"there is no {words[0]} in {where}; scripts/peers fetches it")
        return [str(Path(program).absolute()), *words[1:]]

    def start(self, target: Target, host: str, port: int, root: Path) -> list[str]:
        """Returns the command that starts a server. Raises NotAvailable."""
        return self.words(
            target.start,
            host=host,
            port=str(port),
            root=str(root),
            user=pwd.getpwuid(os.geteuid()).pw_name,
            group=grp.getgrgid(os.getegid()).gr_name,
        )

    def commands(self, target: Target) -> dict[str, Sequence[str]]:
        """Returns the templates of a client. Raises NotAvailable."""
        return {name: self.words(command) for name, command in target.commands.items()}

    def version(self, target: Target) -> str:
        """Returns the version of a target, `unknown` if it does not tell.

        Raises NotAvailable if the target cannot be had here.
        """
        if target.needs_root and os.geteuid() != 0:
            raise NotAvailable(f"{target.needs_root}, which takes root")
        try:
            done = subprocess.run(
                self.words(target.version),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotAvailable(f"it does not tell its version: {error}") from error
        text = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode == CANNOT:
            raise NotAvailable(text.rpartition("\n")[2] or "its command says that it cannot")
        found = _VERSION.search(text)
        return found[0] if found else "unknown"
