"""What a server gives up once its sockets and its folder are open, and what came of it.

In this order: the account it was started with, all capabilities it can do without, new
rights by programs (no_new_privs), and with Landlock every file outside the folder. What the
kernel says afterwards is told as a `Protection`; nothing there is believed unseen.
Must not know about requests; the sentences are for the operator.
"""

import grp
import json
import os
import pwd
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from tftp.errors import LocalError
from tftp.net import landlock, openat2
from tftp.net.capabilities import (
    DAC_OVERRIDE,
    DAC_READ_SEARCH,
    FOWNER,
    NET_BIND_SERVICE,
    bound,
    held,
    keep_only,
    spelled,
)
from tftp.net.syscalls import prctl

__all__ = ["Measure", "Protection", "apply", "become", "no_new_privs", "probe"]

SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS = 38, 39

# What Python loads only when it first needs it, as to write of a failure: later it cannot.
LATE_MODULES = (
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.unicode_escape",
    "linecache",
    "tokenize",
    "traceback",
    "tracemalloc",
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One protection: whether it is active, and how or why not, as a part of a sentence."""

    active: bool
    text: str


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects the rest of the machine from this process."""

    user: Measure
    groups: Measure
    no_new_privs: Measure
    capabilities: Measure
    landlock: Measure
    openat2: Measure

    def lines(self) -> list[str]:
        """Returns a line for each measure: its name, yes or no, and what that means."""
        found = ((one.name, getattr(self, one.name)) for one in fields(self))
        return [f"{name}: {'yes' if it.active else 'no'}, {it.text}" for name, it in found]


def apply(
    root: str | os.PathLike[str],
    uploads: bool,
    account: pwd.struct_passwd | None = None,
    confine: bool = True,
    *,
    readable: Sequence[landlock.Place] = (),
    low_ports: bool = False,
) -> Protection:
    """Gives up everything that serving `root` does not take; returns what is active now.

    For a process of one thread, whose sockets and root are open, before it forks workers.
    `account` is the user to become, None stays. Who stays root keeps the right to read the
    files of others, and to write them if there are `uploads`; `low_ports` keeps that to bind
    ports below 1024, where it was not lost with the user. `confine` asks for Landlock, where
    there is one; `readable` is what may be read later besides. Raises LocalError when
    something cannot be given up that should be: better not to serve.
    """
    _load_late()
    folder = _open(root)
    rules = -1
    try:
        if confine and landlock.probe()[0]:
            rules = _rules(folder, uploads, readable)
        keep = NET_BIND_SERVICE if low_ports else 0
        if (os.geteuid() if account is None else account.pw_uid) == 0:
            keep |= DAC_READ_SEARCH | (DAC_OVERRIDE | FOWNER if uploads else 0)
        bound(keep)
        if account is not None:
            become(account)
        keep_only(keep)
        no_new_privs()
        names = _user(), _groups(account)  # while the list of users can be read
        if rules >= 0:
            landlock.enforce(rules)
        return Protection(
            *names,
            no_new_privs=_programs(),
            capabilities=_capabilities(keep),
            landlock=_landlock(confine, uploads, os.path.realpath(root)),
            openat2=_openat2(folder),
        )
    except OSError as error:
        raise LocalError(f"Privileges cannot be given up: {error.strerror}") from error
    finally:
        for file in (folder, rules):
            if file >= 0:
                os.close(file)


def probe(
    root: str | os.PathLike[str],
    uploads: bool,
    account: pwd.struct_passwd | None = None,
    confine: bool = True,
    *,
    readable: Sequence[landlock.Place] = (),
    low_ports: bool = False,
) -> Protection:
    """Returns what `apply` would, and keeps everything: a child process tries it.

    For a process of one thread. Raises LocalError as `apply` does.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _try(
            theirs,
            lambda: apply(root, uploads, account, confine, readable=readable, low_ports=low_ports),
        )
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if said.startswith("{"):
        return Protection(**{name: Measure(**it) for name, it in json.loads(said).items()})
    raise LocalError(said or "A child process was to try the protections, and died of it")


def become(account: pwd.struct_passwd) -> None:
    """Becomes a user for good, with its groups and nobody else's; not even root can go back.

    Whoever is that user already stays as they are. Raises LocalError.
    """
    uid, gid = account.pw_uid, account.pw_gid
    if os.geteuid() != 0:
        if os.getresuid() == (uid, uid, uid):
            return
        raise LocalError(f"Only root can become {account.pw_name!r}")
    try:
        os.initgroups(account.pw_name, gid)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if uid != 0:
            keep_only(0)  # some settings let capabilities outlive root
    except OSError as error:
        raise LocalError(f"Cannot become {account.pw_name!r}: {error.strerror}") from error
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
        raise LocalError(f"Cannot become {account.pw_name!r} altogether")
    if uid != 0 and _can_return():
        raise LocalError(f"{account.pw_name!r} can become root again")


def no_new_privs() -> None:
    """Sees to it that no program, set-user-id or not, can give this process new rights."""
    prctl(SET_NO_NEW_PRIVS, 1)


# ---------------------------------------------------------------- giving up


def _load_late() -> None:
    """Loads what could not be loaded any more, the time zone too."""
    for name in LATE_MODULES:
        with suppress(ImportError):
            import_module(name)
    time.localtime()


def _open(root: str | os.PathLike[str]) -> int:
    try:
        return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        shown = os.fspath(root)
        raise LocalError(f"The folder {shown!r} cannot be opened: {error.strerror}") from error


def _rules(folder: int, uploads: bool, readable: Sequence[landlock.Place]) -> int:
    """Returns what Landlock shall enforce."""
    # What Python loads late is no secret, and whoever handles a failure may need it.
    reading: list[landlock.Place] = [*readable, *filter(os.path.isdir, _own_library())]
    writing: list[landlock.Place] = [os.devnull]  # where output goes that nobody reads
    (writing if uploads else reading).append(folder)
    # A service manager may listen on an abstract socket, where it hears how we are.
    abstract = os.environ.get("NOTIFY_SOCKET", "").startswith("@")
    return landlock.prepare(reading, writing, scope_abstract=not abstract)


def _own_library() -> set[str]:
    """Returns where Python's modules and ours lie."""
    return {str(Path(os.__file__).parent), str(Path(__file__).parents[1])}


def _can_return() -> bool:
    with suppress(OSError):
        os.setuid(0)
        return True
    with suppress(OSError):
        os.setgid(0)
        return os.getgid() == 0
    return False


def _try(answer: int, deed: Callable[[], Protection]) -> NoReturn:
    """Does it in a process that ends with that; says what came of it."""
    status = 1
    try:
        said = json.dumps(asdict(deed()))
        status = 0
    except LocalError as error:
        said = str(error)
    except BaseException as error:
        said = repr(error)
    try:
        os.write(answer, said.encode())
    finally:
        os._exit(status)


# ---------------------------------------------------------------- telling


def _user() -> Measure:
    real, effective, saved = os.getresuid()
    if 0 in (real, effective, saved):
        return Measure(False, "it is root")
    name = str(effective)
    with suppress(KeyError):
        name = pwd.getpwuid(effective).pw_name
    return Measure(True, f"it is {name} and cannot become root")


def _groups(account: pwd.struct_passwd | None) -> Measure:
    names = sorted(map(_group_name, {os.getegid(), *os.getgroups()}))
    listed = ", ".join(names)
    if account is None:
        alone = len(names) == 1 and os.getegid() != 0
        return Measure(alone, f"those it was started with: {listed}")
    return Measure(os.getegid() != 0, f"those of {account.pw_name} only: {listed}")


def _group_name(number: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _programs() -> Measure:
    if prctl(GET_NO_NEW_PRIVS) == 1:
        return Measure(True, "no program it starts has more rights than it has")
    return Measure(False, "programs may have more rights than it has")


def _capabilities(wanted: int) -> Measure:
    left = held()
    if left:
        return Measure(left & ~wanted == 0, f"all are dropped but {spelled(left)}")
    return Measure(True, "none is left")


def _landlock(confine: bool, uploads: bool, root: str) -> Measure:
    """Tells what is forbidden, by trying to open the root of all folders."""
    abi, why = landlock.probe()
    if not confine:
        return Measure(False, "it is not asked for")
    if not abi:
        return Measure(False, why)
    if root == "/":
        return Measure(False, "all files of this machine are served")
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except PermissionError:
        may = "read and written" if uploads else "read"
        also = "; no TCP" if abi >= landlock.TCP_ABI else ""
        also += "; no signals to others" if abi >= landlock.SCOPE_ABI else ""
        text = f"of all files only those below {root} can be {may}, and Python's modules read; "
        text += f"no programs{also} (kernel ABI {abi})"
        return Measure(True, text)
    return Measure(False, f"the kernel (ABI {abi}) takes it, but forbids nothing")


def _openat2(folder: int) -> Measure:
    if openat2.find(folder) is not None:
        return Measure(True, "the kernel itself keeps names below the root")
    return Measure(False, "this kernel has none; names are walked step by step, as safe but slower")
