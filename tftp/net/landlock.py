"""Landlock: a process gives up, for good, all files but those it names.

The kernel (Linux 5.13) judges each opening by where the file stands, so that even a mistake
in our own handling of names leads to no other file. Children and later threads inherit it,
and nobody can lift it. What it can forbid grows with its version, the ABI: all that is known
there is forbidden, TCP and programs too. Descriptors that are open already stay good, so
sockets and logs are opened before. Must not know what is served.
"""

import errno
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

from tftp.errors import LocalError
from tftp.net.syscalls import call, prctl

__all__ = ["Place", "confine", "enforce", "prepare", "probe"]

Place = str | os.PathLike[str] | int
"""A path, or a descriptor that leads to it."""

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
RULE_PATH_BENEATH = 1
SET_NO_NEW_PRIVS = 38

NEWEST = 7  # the ABI up to which this module knows what can be forbidden

# Rights to what stands in the file system; which ABI brought those after the first 13.
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_FILE, MAKE_REG = 1 << 5, 1 << 8
FIRST_RIGHTS = (1 << 13) - 1
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
LATER_RIGHTS = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE
"""What can be granted for a single file; the other rights are those of folders."""

TCP_ABI, TCP = 4, 1 << 0 | 1 << 1  # to bind, and to connect
SCOPE_ABI, SCOPE_ABSTRACT, SCOPE_SIGNALS = 6, 1 << 0, 1 << 1

READING = READ_FILE | READ_DIR
# No REFER: an upload gets its name in the folder where it arrived.
WRITING = READING | WRITE_FILE | TRUNCATE | REMOVE_FILE | MAKE_REG

FORBIDDEN = struct.Struct("=QQQ")  # in the file system, in the network, beyond the sandbox
ALLOWED = struct.Struct("=Qi")  # rights, and the descriptor of the place


def probe() -> tuple[int, str]:
    """Returns the ABI of this kernel, and why it is 0 if it is."""
    try:
        return call(CREATE_RULESET, None, 0, ASK_VERSION), ""
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return 0, "this kernel has none (it takes Linux 5.13)"
        if error.errno == errno.EOPNOTSUPP:
            return 0, "it is switched off on this machine (boot parameter lsm=)"
        return 0, f"this process may not use it ({error.strerror})"


def confine(readable: Sequence[Place], writable: Sequence[Place] = ()) -> int:
    """Leaves this process only these folders, and files, and what is below; returns the ABI.

    `readable` is for reading; in `writable`, files can also be made, replaced and removed.
    For a process of one thread, see `enforce`. Returns 0, and has done nothing, where there
    is no Landlock. Raises LocalError.
    """
    abi, _ = probe()
    if abi:
        rules = prepare(readable, writable)
        try:
            enforce(rules)
        finally:
            os.close(rules)
    return abi


def prepare(
    readable: Sequence[Place], writable: Sequence[Place] = (), *, scope_abstract: bool = True
) -> int:
    """Returns a descriptor for `enforce`; nothing is forbidden yet.

    So paths can be opened while there is still the right to. Without `scope_abstract`,
    abstract Unix sockets of others can be reached. Raises LocalError.
    """
    abi, why = probe()
    if not abi:
        raise LocalError(f"Landlock is not to be had: {why}")
    handled = FIRST_RIGHTS
    for since, right in LATER_RIGHTS.items():
        handled |= right if abi >= since else 0
    scoped = SCOPE_SIGNALS | (SCOPE_ABSTRACT if scope_abstract else 0)
    # Older kernels know a shorter structure; a longer one is refused unless it ends in zeroes.
    forbidden = FORBIDDEN.pack(
        handled, TCP if abi >= TCP_ABI else 0, scoped if abi >= SCOPE_ABI else 0
    )
    try:
        rules = call(CREATE_RULESET, forbidden, len(forbidden), 0)
    except OSError as error:
        raise LocalError(f"Landlock failed: {error.strerror}") from error
    try:
        for place in readable:
            _allow(rules, place, handled & READING)
        for place in writable:
            _allow(rules, place, handled & WRITING)
    except BaseException:
        os.close(rules)
        raise
    return rules


def enforce(rules: int) -> None:
    """Forbids this thread, and those it will start, what `prepare` did not allow; for good.

    Also sets no_new_privs, which the kernel demands. Raises LocalError, as when there are
    other threads: they would stay free.
    """
    if _threads() > 1:
        raise LocalError("Landlock has to be switched on before there is a second thread")
    try:
        prctl(SET_NO_NEW_PRIVS, 1)
        call(RESTRICT_SELF, rules, 0)
    except OSError as error:
        raise LocalError(f"Landlock failed: {error.strerror}") from error


def _allow(rules: int, place: Place, rights: int) -> None:
    file = -1
    try:
        file = place if isinstance(place, int) else os.open(place, os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            rights &= OF_FILES
        call(ADD_RULE, rules, RULE_PATH_BENEATH, ALLOWED.pack(rights, file), 0)
    except OSError as error:
        raise LocalError(f"Landlock cannot allow {place!r}: {error.strerror}") from error
    finally:
        if file >= 0 and not isinstance(place, int):
            os.close(file)


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:  # there is no /proc: the caller's promise has to do
        return 1
