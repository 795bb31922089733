"""Starts the client under test: by command templates, or by asking a person to.

`Commands` runs a command for each job, in a folder and a process group of its own, and ends
it by its process id. `Interactive` says what to start, for boards and for people. Both are
the `Launcher` that `client_trial` wants. Must not know what is judged.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .client_trial import Exit, Job

__all__ = ["Commands", "Interactive"]

Template = str | Sequence[str]

_NAME = re.compile(r"(get|put|url)((?:-[a-z0-9]+)*)")
_PLACE = re.compile(r"\{([a-z][a-z0-9]*)\}")
_PLAIN = {"host", "port", "remote", "local", "mode", "url"}
_OPTION = re.compile(r"[a-z][a-z0-9]*")
_KEPT = 32 << 10  # octets of the output that are kept
_DEPTH = ("a", "b")  # folders between the top of a run and its working folder


class Commands:
    """A client that is a command: templates by what they do.

    `get` is required. Others are `put`, `url` (with {url}, for a client that takes URLs), and
    any of these with `-netascii` or names of options behind it: `get-netascii`,
    `put-blksize`, `get-blksize-windowsize`. A template may hold {host}, {port}, {remote},
    {local}, {mode}, {url}, and the name of each option as {blksize} for its value.
    """

    sees_exit = True

    def __init__(self, templates: Mapping[str, Template]) -> None:
        """Raises ValueError if a template makes no sense, or a command is not there."""
        if "get" not in templates:
            raise ValueError("the template `get` is missing: how does the client fetch a file?")
        self._templates = [_Template(name, text) for name, text in templates.items()]

    @classmethod
    def of(cls, get: Sequence[str], others: Sequence[str] = ()) -> "Commands":
        """Makes it of the words of a `get` and of texts like `put=CMD {local} {host}`.

        Raises ValueError.
        """
        templates: dict[str, Template] = {"get": list(get)}
        for other in others:
            name, equals, text = other.partition("=")
            if not equals:
                raise ValueError(f"{other!r} is no NAME=COMMAND")
            templates[name.strip()] = text
        return cls(templates)

    def start(self, job: Job) -> "CommandRun | None":
        """Starts the command that fits best; None: there is none for this.

        Best is the one that asks for the most of the wanted options and the least of others.
        """
        fitting = [template for template in self._templates if template.fits(job)]
        if not fitting:
            return None
        wanted = {name for name, _ in job.options}
        best = max(fitting, key=lambda one: (len(one.options & wanted), -len(one.options - wanted)))
        return CommandRun(best, job)


class _Template:
    """One way to start the client, and what it is for."""

    def __init__(self, name: str, text: Template) -> None:
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"{name!r} is no name of a template; such are get, put-blksize, url")
        features = set(found[2].split("-")) - {"", "octet"}
        self.way = way = found[1]
        self.mode = "netascii" if "netascii" in features else "octet"
        self.options = frozenset(features - {"netascii"})
        words = shlex.split(text) if isinstance(text, str) else list(text)
        if not words:
            raise ValueError(f"the template {name} is empty")
        self.places = {place for word in words for place in _PLACE.findall(word)}
        for place in self.places - _PLAIN - self.options:
            raise ValueError(
                f"the template {name} holds {{{place}}}: there are {', '.join(sorted(_PLAIN))}, and"
                f" the name of an option in templates named after it, such as {way}-blksize"
            )
        program = shutil.which(words[0])
        if program is None:
            raise ValueError(f"there is no command {words[0]!r}, which the template {name} starts")
        self._words = [str(Path(program).absolute()), *map(_from_here, words[1:])]

    def fits(self, job: Job) -> bool:
        """Tells whether it can do that job, with whatever options."""
        way = "url" if job.url else "put" if job.put else "get"
        modes = {"octet", "netascii"} if self.places & {"mode", "url"} else {self.mode}
        return way == self.way and job.mode in modes and self._values(job).keys() >= self.places

    def words(self, job: Job, local: Path) -> list[str]:
        """Returns the command for a job."""
        values = {**self._values(job), "local": str(local)}
        return [_PLACE.sub(lambda found: values[found[1]], word) for word in self._words]

    def _values(self, job: Job) -> dict[str, str]:
        host, port = job.server
        return {
            **{name: str(value) for name, value in job.options if _OPTION.fullmatch(name)},
            "host": host,
            "port": str(port),
            "remote": job.remote,
            "local": "",
            "mode": job.mode,
            "url": job.url,
        }


class CommandRun:
    """A command at work, in a temporary folder that goes with it."""

    def __init__(self, template: _Template, job: Job) -> None:
        """Starts it. Raises OSError if the system cannot."""
        self._top = Path(tempfile.mkdtemp(prefix="tftp-client-"))
        folder = self._top.joinpath(*_DEPTH)
        folder.mkdir(parents=True)
        self._local = folder / "local"
        self._put = job.put
        if job.put:
            self._local.write_bytes(job.content)
        try:
            self._process = subprocess.Popen(
                template.words(job, self._local),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            shutil.rmtree(self._top, ignore_errors=True)
            raise
        self._status = 0
        self._ended = threading.Event()
        self._output = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()

    def wait(self, within: float) -> Exit | None:
        """Waits for its end; None: it is still at it."""
        if not self._ended.wait(within):
            return None
        self._reader.join(0.3)  # whom it left in the background may hold the pipe for longer
        content = None
        if not self._put and self._local.is_file():
            content = self._local.read_bytes()
        text = bytes(self._output).decode("utf-8", "backslashreplace").strip()
        return Exit(self._status, content, text, self._others())

    def stop(self) -> None:
        """Ends it and all that it has started, and removes its folder."""
        if self._process.returncode is not None:
            return  # done before: its number may be somebody else's by now
        with suppress(OSError):  # its number is still taken, as nobody has reaped it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._waiter.join()
        self._process.wait()
        self._reader.join(1.0)
        shutil.rmtree(self._top, ignore_errors=True)

    def _wait(self) -> None:
        # It stays a zombie until `stop`, so that its group can be killed without any doubt.
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        if found is not None:
            exited = found.si_code == os.CLD_EXITED
            self._status = found.si_status if exited else -found.si_status
        self._ended.set()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None, "it was opened with a pipe"
        with pipe, suppress(OSError):
            while octets := os.read(pipe.fileno(), 65536):
                room = max(0, _KEPT - len(self._output))
                self._output += octets[:room]

    def _others(self) -> tuple[str, ...]:
        found = (path for path in self._top.rglob("*") if not path.is_dir() or path.is_symlink())
        return tuple(
            sorted(str(path.relative_to(self._top)) for path in found if path != self._local)
        )


class Interactive:
    """A client that somebody starts, on a board perhaps, when told to.

    How it ends and what it leaves is not seen. Of a request it remembers the options, since
    a board asks alike each time: what needs others is not asked of anybody.
    """

    sees_exit = False

    def __init__(self, say: Callable[[str], None] = print, folder: Path | None = None) -> None:
        """`say` shows a line; `folder` takes the files of puts, without it there are none."""
        self._say = say
        self._folder = folder
        self._asked: dict[bool, frozenset[str]] = {}

    def start(self, job: Job) -> "Unseen | None":
        """Tells what to start; None: the client is known not to do this."""
        asked = self._asked.get(job.put)
        wanted = {name for name, _ in job.options}
        if asked is not None and wanted and (wanted - asked if job.firm else not asked):
            return None
        if job.url or (job.put and self._folder is None):
            return None
        host, port = job.server
        what = f"get {job.remote} from {host} port {port}"
        if job.put and self._folder is not None:
            path = self._folder / job.remote
            path.write_bytes(job.content)
            what = f"put {path} to {host} port {port}"
        extras = [] if job.mode == "octet" else [f"in {job.mode} mode"]
        if wanted:
            extras.append(
                f"asking for {' and '.join(f'{n} {v}' for n, v in job.options)} if it can"
            )
        self._say(f"Start now: {', '.join([what, *extras])}")
        return Unseen()

    def saw(self, job: Job, asked: frozenset[str]) -> None:
        """Takes note of the options in the request that a job led to."""
        self._asked[job.put] = asked


class Unseen:
    """A client on somebody's desk."""

    def wait(self, within: float) -> Exit | None:
        """Returns None: nobody can tell."""
        return None

    def stop(self) -> None:
        """Does nothing: the ERROR of the case has to do."""


def _from_here(word: str) -> str:
    """Makes the path of a file independent of the folder that a command is started in."""
    if "/" in word and not _PLACE.search(word) and Path(word).is_file():
        return str(Path(word).absolute())
    return word
