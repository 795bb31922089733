"""A file that appears under its name only when it is complete: uploads and downloads.

RFC 1350 section 5 has error codes for what can go wrong here: 2 (access), 3 (disk full) and
6 (the file exists). The octets go to a temporary file in the target folder; `commit` makes
an upload durable, and gives the file its name in one step, as the policy says. However it
ends before that, the target stays as it was. Two uploads of one name never share a file.
Must not know about roots, requests or the wire; only the texts may go there.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Self, assert_never

from tftp.errors import AccessDenied, DiskFull, FileExists, LocalError
from tftp.net.files import Readable, StreamSink
from tftp.net.refusal import FILE_EXISTS, refusal
from tftp.net.temporary import create_temporary
from tftp.net.writing import write_all

__all__ = ["Policy", "UploadSink", "download_sink", "room_for"]

# `name`, `name.1`, ... up to this; a folder with more of one name needs a person.
_MAX_SUFFIX = 9999

_NO_PLAIN_FILE = "Access violation: it is not a plain file"
_READ_ONLY = "Access violation: the file is write-protected"
_NO_MORE_ROOM = "Disk full: the server keeps the rest free"
_CHECK_EVERY = 1 << 20  # octets: the disk is asked so seldom that it costs nothing
_TOO_SHORT = "The file ended before the size announced"
_TOO_LARGE = "Disk full: the file is larger than the limit"


class Policy(StrEnum):
    """What an upload does about a file that has its name already."""

    CREATE = "create"
    """It is refused with FileExists, at the start or, if somebody was quicker, at the end."""
    OVERWRITE = "overwrite"
    """It replaces the file at the end, and takes over its permission bits."""
    RENAME = "rename"
    """It takes the first free one of `name`, `name.1`, `name.2`, ..."""


class UploadSink:
    """A sink that becomes the file `name` in the folder `parent`.

    Owns the descriptor `parent` from the call on, even if that raises. At most `limit`
    octets are taken. A new file gets `mode` less the umask, and never execute or set-id
    bits. A link of that name is replaced, never followed. Unless `durable`, the octets may
    still be on their way to the disk when the file gets its name. Raises FileExists,
    AccessDenied, DiskFull, NoSuchFile (no such name is possible) or LocalError; the texts
    hold no path. As a context manager it discards what was not committed.
    """

    __slots__ = (
        "_checked",
        "_durable",
        "_file",
        "_least",
        "_limit",
        "_name",
        "_parent",
        "_policy",
        "_spare",
        "_temporary",
        "final_name",
        "written",
    )

    def __init__(
        self,
        parent: int,
        name: str,
        policy: Policy,
        limit: int | None = None,
        mode: int = 0o666,
        *,
        durable: bool = True,
        spare: int = 0,
        least: int = 0,
    ) -> None:
        self._parent = parent
        self._spare = spare
        self._least = least
        self._checked = 0
        self._name = b""
        self._policy = policy
        self._limit = limit
        self._durable = durable
        self._file = -1
        self._temporary = b""
        self.written = 0
        self.final_name: str | None = None
        """The name that `commit` gave; None before."""
        try:
            self._name = name.encode("utf-8", "surrogateescape")
            assert b"/" not in self._name
            bits = self._check_target()
            self._file, self._temporary = create_temporary(parent, mode)
            self._take_over(bits)
        except OSError as error:
            self.discard()
            raise refusal(error) from error
        except BaseException:
            self.discard()
            raise

    def write(self, views: Sequence[Readable]) -> None:
        """Appends to the temporary file. Raises DiskFull, also over the limit, or LocalError."""
        if self._limit is not None and self.written + sum(map(len, views)) > self._limit:
            raise DiskFull(_TOO_LARGE)
        try:
            self.written += write_all(self._file, views)
        except OSError as error:
            raise refusal(error) from error
        if self._spare and self.written - self._checked >= _CHECK_EVERY:
            self._checked = self.written
            if not room_for(self._parent, self._spare):
                raise DiskFull(_NO_MORE_ROOM)

    def commit(self) -> None:
        """Gives the file its name, durable or at least whole; on any failure, discards it."""
        if self._file < 0:
            raise LocalError("Local error (the upload has ended)")
        if self.written < self._least:
            self.discard()
            raise LocalError(_TOO_SHORT)
        try:
            self._settle()
            self.final_name = self._publish().decode("utf-8", "surrogateescape")
            if self._durable:
                self._sync_folder()
        except OSError as error:
            raise refusal(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Removes the temporary file and closes everything."""
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._parent)
            self._temporary = b""
        # Closed after the removal: until then the lock keeps a sweep away.
        for file in (self._file, self._parent):
            if file >= 0:
                with suppress(OSError):
                    os.close(file)
        self._file = self._parent = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def _check_target(self) -> int | None:
        """Raises if the policy forbids the name as things are; returns bits to take over."""
        try:
            mode = os.stat(self._name, dir_fd=self._parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None
        match self._policy:
            case Policy.CREATE:
                raise FileExists(FILE_EXISTS)
            case Policy.RENAME:
                return None
            case Policy.OVERWRITE:
                pass
            case _:
                assert_never(self._policy)
        if stat.S_ISLNK(mode):
            return None
        if not stat.S_ISREG(mode):
            raise AccessDenied(_NO_PLAIN_FILE)
        # A rename asks only for the folder; a file that we may not write stays.
        if not os.access(self._name, os.W_OK, dir_fd=self._parent, effective_ids=True):
            raise AccessDenied(_READ_ONLY)
        return mode & 0o777

    def _take_over(self, bits: int | None) -> None:
        """Gives the temporary file the permission bits of the one it will replace.

        Done at the start, so that a private file is private also while it arrives.
        """
        if bits is not None and bits != os.fstat(self._file).st_mode & 0o777:
            os.fchmod(self._file, bits)

    def _settle(self) -> None:
        """Makes the octets durable, or has the file system say what went wrong with them.

        Some say only at a close that the disk is full. To close a copy of the descriptor
        is enough for that, and the lock stays.
        """
        if self._durable:
            os.fsync(self._file)
        else:
            os.close(os.dup(self._file))

    def _publish(self) -> bytes:
        """Gives the temporary file a name as the policy says, and returns it."""
        match self._policy:
            case Policy.CREATE:
                self._link(self._name)
            case Policy.OVERWRITE:
                self._take_over(self._check_target())
                self._rename(self._name)
            case Policy.RENAME:
                return self._first_free()
            case _:
                assert_never(self._policy)
        return self._name

    def _first_free(self) -> bytes:
        for suffix in range(_MAX_SUFFIX + 1):
            name = b"%s.%d" % (self._name, suffix) if suffix else self._name
            try:
                self._link(name)
            except FileExistsError:
                continue
            return name
        raise FileExists(FILE_EXISTS)

    def _link(self, name: bytes) -> None:
        """Gives a name that must be free, in one step; raises FileExistsError otherwise."""
        try:
            os.link(
                self._temporary,
                name,
                src_dir_fd=self._parent,
                dst_dir_fd=self._parent,
                follow_symlinks=False,
            )
        except FileExistsError:
            raise
        except OSError:
            self._claim(name)  # FAT and some network file systems have no hard links.

    def _claim(self, name: bytes) -> None:
        """Does what `_link` does in two steps: an empty file takes the name, then is replaced."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o600, dir_fd=self._parent))
        try:
            self._rename(name)
        except BaseException:
            os.unlink(name, dir_fd=self._parent)
            raise

    def _rename(self, name: bytes) -> None:
        os.rename(self._temporary, name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self._temporary = b""

    def _sync_folder(self) -> None:
        """Makes the new name durable where the folder can be read; the octets are already."""
        with suppress(OSError):
            folder = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def room_for(folder: int, size: int) -> bool:
    """Says whether the file system of an open folder has room for `size` more octets.

    A guess for a peer that announces its size (RFC 2349): room may come and go. True
    where the system does not say.
    """
    try:
        system = os.fstatvfs(folder)
    except OSError:
        return True
    return system.f_blocks == 0 or size <= system.f_bavail * system.f_frsize


def download_sink(dest: str | os.PathLike[str]) -> UploadSink | StreamSink:
    """Returns the sink for a local path that a user chose; what is there is replaced at the end.

    A link is followed to the file that it means. Devices, pipes and the like are written
    straight into (opening a FIFO waits for its reader). The file is not made durable: a
    download that a power cut takes can be fetched again. Raises LocalError or one of its
    kinds; the text names the path and is for the user.
    """
    shown = os.fspath(dest)
    try:
        special = _open_special(shown)
        if special is not None:
            return StreamSink(special, owned=True)
        folder, name = os.path.split(_behind_link(shown))
        parent = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        name = os.fsencode(name).decode("utf-8", "surrogateescape")
        return UploadSink(parent, name, Policy.OVERWRITE, durable=False)
    except OSError as error:
        raise _for_user(shown, refusal(error), error) from error
    except LocalError as error:
        raise _for_user(shown, error, error.__cause__) from error


def _open_special(path: str) -> int | None:
    """Opens what stands there for writing, unless that is a regular file or nothing."""
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        if not path:
            raise
        return None
    mode = os.fstat(file).st_mode
    os.close(file)
    if stat.S_ISDIR(mode):
        raise LocalError("it is a folder")
    if stat.S_ISREG(mode):
        return None
    return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def _behind_link(path: str) -> str:
    """Returns the path that a link means, and any other as it was given.

    Not the real path always: one may work in a folder that the way from `/` is closed to.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return os.path.realpath(path)
    return path


def _for_user(path: str, error: LocalError, cause: BaseException | None) -> LocalError:
    """Returns the same error with the words that a user knows from other programs."""
    known = isinstance(cause, OSError) and cause.strerror
    reason = known or str(error).removeprefix("Access violation: ")
    return type(error)(f"Cannot write {path!r}: {reason}")
