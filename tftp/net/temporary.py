"""The temporary files of uploads: how they are named, held, and swept away.

An upload is written to a file of a recognisable name in the folder where it will appear,
so that publishing it is one rename or link. As long as the upload lives, its file carries
an exclusive flock, which the kernel drops with the process however that dies: a temporary
file that can be locked is the leftover of a killed upload, and `sweep` removes it.
Must not know about roots, policies or final names.
"""

import fcntl
import os
import stat
from contextlib import suppress

from tftp.errors import LocalError
from tftp.net.refusal import refusal

__all__ = ["create_temporary", "is_temporary", "sweep"]

_PREFIX = b".tftp-"
_SUFFIX = b".part"
_RANDOM_BYTES = 6
_LENGTH = len(_PREFIX) + 2 * _RANDOM_BYTES + len(_SUFFIX)
_HEX = frozenset(b"0123456789abcdef")

# A name of 48 random bits is free at once, unless somebody is at work against us.
_ATTEMPTS = 16
# A request names at most 250 folders or so; deeper ones hold nothing of ours.
_SWEEP_DEPTH = 256
# About a second or two of reading folders: a start must not take minutes.
_SWEEP_ENTRIES = 1_000_000

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Writable, since NFS gives an exclusive lock only to a descriptor that may write.
_LEFTOVER = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def is_temporary(name: bytes) -> bool:
    """Says whether a file name (one component) is one that `create_temporary` makes."""
    return (
        len(name) == _LENGTH
        and name.startswith(_PREFIX)
        and name.endswith(_SUFFIX)
        and _HEX.issuperset(name[len(_PREFIX) : -len(_SUFFIX)])
    )


def create_temporary(folder: int, mode: int) -> tuple[int, bytes]:
    """Makes a new, empty, locked file in `folder` and returns its descriptor and name.

    The permission bits are `mode` less the umask, and never execute or set-id. Raises
    AccessDenied, DiskFull or LocalError.
    """
    for _ in range(_ATTEMPTS):
        name = _PREFIX + os.urandom(_RANDOM_BYTES).hex().encode() + _SUFFIX
        try:
            file = os.open(name, _CREATE, mode & 0o666, dir_fd=folder)
        except FileExistsError:
            continue
        except OSError as error:
            raise refusal(error) from error
        if _hold(file):
            return file, name
        os.close(file)
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
    raise LocalError("Local error (no temporary file can be made)")


def sweep(folder: int) -> list[str]:
    """Removes the leftovers of killed uploads at and below `folder`, and returns their names.

    The names are relative to the folder. Links are not followed, files that somebody
    holds are left alone, and what vanishes or cannot be read is passed over in silence.
    Depth and number of entries are bounded.
    """
    broom = _Broom()
    broom.visit(folder, b".", b"", _SWEEP_DEPTH)
    return [name.decode("utf-8", "surrogateescape") for name in broom.removed]


class _Broom:
    """One sweep: how many entries it may still look at, and what it has removed."""

    __slots__ = ("budget", "removed")

    def __init__(self) -> None:
        self.budget = _SWEEP_ENTRIES
        self.removed: list[bytes] = []

    def visit(self, parent: int, name: bytes, path: bytes, depth: int) -> None:
        """Sweeps the folder `name` in `parent`, then those below; `path` leads into it."""
        try:
            folder = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            return
        try:
            below, found = self._list(folder)
            self.removed += [path + file for file in found if _remove_leftover(folder, file)]
            for inner in below if depth else ():
                self.visit(folder, inner, path + inner + b"/", depth - 1)
        finally:
            os.close(folder)

    def _list(self, folder: int) -> tuple[list[bytes], list[bytes]]:
        """Returns the folders and the temporary files that stand in an open folder."""
        below: list[bytes] = []
        found: list[bytes] = []
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if self.budget <= 0:
                    break
                self.budget -= 1
                name = os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    below.append(name)
                elif is_temporary(name) and entry.is_file(follow_symlinks=False):
                    found.append(name)
        return below, found


def _hold(file: int) -> bool:
    """Locks a temporary file just made; False if a sweep was quicker and takes it away."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # No locks on this file system: a sweep gets none either, and leaves the file.
    return os.fstat(file).st_nlink > 0


def _remove_leftover(folder: int, name: bytes) -> bool:
    try:
        file = os.open(name, _LEFTOVER, dir_fd=folder)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return False
        # Held until after the unlink, so that `_hold` sees either the lock or no link.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
