"""The confined root: opens files by names from the wire and never leaves its folder.

RFC 1123 section 4.2.3.4 asks for access control; this is its innermost part. No path is
ever checked first and opened later. A name is walked component by component, each opened
relative to the folder before it and never through a link; links are read and resolved
here, against a stack of open folders. So whatever is swapped meanwhile by a local user,
every step starts from a descriptor that was reached below the root. Where the kernel can
do that walk itself, it is asked first, and whatever it does not grant is walked here.
Must not know about transfers, policies or what is done with a descriptor.
"""

import errno
import os
import stat
from typing import Self

from tftp.errors import AccessDenied, IllegalOperation, LocalError, NoSuchFile
from tftp.net import openat2
from tftp.net.refusal import ACCESS_VIOLATION, FILE_NOT_FOUND, refusal
from tftp.net.temporary import is_temporary, sweep

__all__ = ["Root"]

# As many as the kernel itself follows in one name.
_MAX_LINKS = 40
# Folders open at once while one name is walked: the stack must not eat all descriptors.
_MAX_DEPTH = 256

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK and O_NOCTTY matter only if a special file is swapped in at the last moment.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_IS_DIRECTORY = "Access violation: it is a directory"
_NO_PLAIN_FILE = "Access violation: it is not a plain file"
_LEADS_OUT = "Access violation: the link leads out"
_TOO_MANY_LINKS = "Access violation: too many links"
_TOO_DEEP = "Access violation: too many folders"


class Root:
    """A folder, held open, and the only way to the files below it.

    `path` is its real path at the time of opening, for messages to the operator. The
    descriptor stays valid when the folder is renamed or privileges are dropped later.
    Raises NoSuchFile, AccessDenied or LocalError, whose texts name the folder: they are
    for the operator and must not be sent to a peer.
    """

    __slots__ = ("_folder", "_open_below", "_prefixes", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = os.fspath(path)
        self._folder = _open_root(given)
        self._open_below = openat2.find(self._folder)
        self.path = os.path.realpath(given)
        # Absolute links may spell the root as it really is, or as the operator did.
        self._prefixes = [_parts(os.fsencode(self.path))]
        if given.startswith("/"):
            self._prefixes.append(_parts(os.fsencode(given)))

    def open_file(self, name: str) -> int:
        """Opens a regular file for reading and returns its descriptor, which the caller owns.

        `name` is as decoded from the wire (UTF-8 with surrogateescape); `x`, `/x`, `//x`
        and `./x` are one file. Never blocks on a special file, and never opens one. Raises
        IllegalOperation (empty name), NoSuchFile, AccessDenied or LocalError.
        """
        path = _from_wire(name)
        try:
            file = self._open_at_once(path)
            return file if file is not None else self._open_by_walk(path)
        except OSError as error:
            raise refusal(error) from error

    def open_parent(self, name: str) -> tuple[int, str]:
        """Opens the folder of a file to be written; returns its descriptor and the last component.

        The caller owns the descriptor, which serves as `dir_fd` only. The folder must
        exist; the file may or may not. Raises IllegalOperation (empty name), NoSuchFile,
        AccessDenied or LocalError.
        """
        path = _from_wire(name)
        above, _, last = path.rpartition(b"/")
        if last in (b"", b"."):
            raise AccessDenied(_IS_DIRECTORY)
        if is_temporary(last):
            raise AccessDenied(ACCESS_VIOLATION)
        try:
            folder = self._folder_at_once(above)
            return self._walk_to(above) if folder is None else folder, _to_wire(last)
        except OSError as error:
            raise refusal(error) from error

    def sweep(self) -> list[str]:
        """Removes what killed uploads left below the root, and returns the relative names."""
        return sweep(self._folder)

    def close(self) -> None:
        """Closes the folder; descriptors that were handed out stay open. May be repeated."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_at_once(self, path: bytes) -> int | None:
        """Opens the usual: a plain file with no link in its place. None: walk, and see why not.

        Must grant nothing that the walk would not.
        """
        above, _, last = path.rpartition(b"/")
        if last in (b"", b".") or is_temporary(last):
            return None
        folder = self._folder_at_once(above) if above.strip(b"/") else self._folder
        if folder is None:
            return None
        try:
            mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
            return _open_looked_at(last, folder) if stat.S_ISREG(mode) else None
        finally:
            if folder != self._folder:
                os.close(folder)

    def _folder_at_once(self, path: bytes) -> int | None:
        """Has the kernel walk to a folder, links included. None: it cannot, or will not.

        It refuses more than the walk does, such as absolute links that stay inside. What it
        does not find is not there. Raises FileNotFoundError for that.
        """
        if self._open_below is None or path.count(b"/") >= _MAX_DEPTH:
            return None
        try:
            # The dot asks for the right to search the folder too.
            return self._open_below(self._folder, (path.lstrip(b"/") or b".") + b"/.")
        except FileNotFoundError:
            raise
        except OSError:
            return None

    def _open_by_walk(self, path: bytes) -> int:
        walk = _Walk(self._folder, self._prefixes, path)
        try:
            return _open_regular(walk, is_folder_name=path.endswith((b"/", b"/.")))
        finally:
            walk.close()

    def _walk_to(self, path: bytes) -> int:
        walk = _Walk(self._folder, self._prefixes, path)
        try:
            walk.to_end()
            return os.open(b".", _FOLDER, dir_fd=walk.folder)
        finally:
            walk.close()


class _Walk:
    """One name on its way: the folders opened so far, and the components still to go.

    Nothing here asks the kernel to go up: `..`, which only a link can bring in, steps
    back to the folder before, and there is none before the root.
    """

    __slots__ = ("_ahead", "_folders", "_links", "_prefixes")

    def __init__(self, root: int, prefixes: list[list[bytes]], path: bytes) -> None:
        self._folders = [root]
        self._prefixes = prefixes
        self._ahead = _parts(path)[::-1]
        self._links = 0

    @property
    def folder(self) -> int:
        """The folder reached so far."""
        return self._folders[-1]

    def to_last(self) -> bytes | None:
        """Walks until one component is left and returns it; None: the name is a folder's."""
        ahead = self._ahead
        while ahead:
            part = ahead.pop()
            if part == b"..":
                self._step_back()
            elif ahead:
                self._step_into(part)
            else:
                return part
        return None

    def to_end(self) -> None:
        """Walks into every component, the last included."""
        while (last := self.to_last()) is not None:
            self._step_into(last)

    def follow(self, link: bytes) -> None:
        """Puts what a link says in the place of its name."""
        self._links += 1
        if self._links > _MAX_LINKS:
            raise AccessDenied(_TOO_MANY_LINKS)
        try:
            target = os.readlink(link, dir_fd=self.folder)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._ahead.append(link)  # It has stopped being a link since we looked: look again.
            return
        parts = _parts(target)
        if target.startswith(b"/"):
            parts = self._below_root(parts)
            self.close()
        self._ahead.extend(reversed(parts))

    def close(self) -> None:
        """Closes all folders but the root: the walk is back at its start."""
        while len(self._folders) > 1:
            os.close(self._folders.pop())

    def _step_into(self, part: bytes) -> None:
        if len(self._folders) > _MAX_DEPTH:
            raise AccessDenied(_TOO_DEEP)
        try:
            self._folders.append(os.open(part, _FOLDER, dir_fd=self.folder))
        except NotADirectoryError:
            mode = os.stat(part, dir_fd=self.folder, follow_symlinks=False).st_mode
            if not stat.S_ISLNK(mode):
                raise
            self.follow(part)

    def _step_back(self) -> None:
        if len(self._folders) == 1:
            raise AccessDenied(_LEADS_OUT)
        os.close(self._folders.pop())

    def _below_root(self, parts: list[bytes]) -> list[bytes]:
        """Returns an absolute link's way from the root on, compared by whole components."""
        for prefix in self._prefixes:
            if parts[: len(prefix)] == prefix:
                return parts[len(prefix) :]
        raise AccessDenied(_LEADS_OUT)


def _open_regular(walk: _Walk, *, is_folder_name: bool) -> int:
    """Opens what the walk leads to, if it is a regular file that may be served."""
    while True:
        last = walk.to_last()
        if last is None:
            raise AccessDenied(_IS_DIRECTORY)
        mode = os.stat(last, dir_fd=walk.folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            walk.follow(last)
            continue
        if not stat.S_ISREG(mode):
            raise AccessDenied(_IS_DIRECTORY if stat.S_ISDIR(mode) else _NO_PLAIN_FILE)
        if is_folder_name or is_temporary(last):
            raise NoSuchFile(FILE_NOT_FOUND)
        file = _open_looked_at(last, walk.folder)
        if file is not None:
            return file
        walk.follow(last)


def _open_looked_at(name: bytes, folder: int) -> int | None:
    """Opens what was a regular file a moment ago; None if it has become a link since."""
    try:
        file = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise AccessDenied(_NO_PLAIN_FILE)


def _open_root(path: str) -> int:
    folder = -1
    try:
        folder = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.stat(b".", dir_fd=folder)  # O_PATH asks for no permission; this asks to search.
    except FileNotFoundError as error:
        raise NoSuchFile(f"There is no folder {path!r}") from error
    except NotADirectoryError as error:
        raise LocalError(f"{path!r} is not a folder") from error
    except PermissionError as error:
        if folder >= 0:
            os.close(folder)
        raise AccessDenied(f"The folder {path!r} may not be read by this user") from error
    except (OSError, ValueError) as error:
        raise LocalError(f"The folder {path!r} cannot be opened: {error}") from error
    return folder


def _from_wire(name: str) -> bytes:
    """Returns the octets of a name; raises for those that no file below a root can have."""
    if not name:
        raise IllegalOperation("The file name is empty")
    try:
        path = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise NoSuchFile(FILE_NOT_FOUND) from error
    # Refused even where it would stay inside: no honest client asks like this.
    if b"\0" in path or b".." in path.split(b"/"):
        raise AccessDenied(ACCESS_VIOLATION)
    return path


def _to_wire(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]
