"""Where the octets of a call come from and go to: paths, open files, folders.

A download to a folder is put under the last component of the remote name, and never
outside of it, whatever the name says. Only here a text may hold a local path: it is for
the user, who chose that path. Must not know about the wire.
"""

import io
import os
import stat
from pathlib import Path
from typing import IO

from tftp.client.pieces import Pieces
from tftp.errors import LocalError
from tftp.net.files import FileSource, Sink, Source, StreamSink, StreamSource
from tftp.net.refusal import refusal
from tftp.net.upload import download_sink

__all__ = ["Destination", "Origin", "base_name", "open_sink", "open_source"]

Destination = str | os.PathLike[str] | IO[bytes]
Origin = str | os.PathLike[str] | IO[bytes]


def base_name(filename: str) -> str:
    r"""Returns the last component of a remote name, be it divided by / or by \.

    Raises LocalError when that is no name for a file.
    """
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    if name in ("", ".", "..") or "\0" in name:
        raise LocalError(f"{filename!r} gives no file name to save under: name one")
    return name


def open_sink(dest: Destination, filename: str) -> tuple[Sink, str | None]:
    """Returns the sink for `dest`, and its path unless that is an open file.

    Raises LocalError. The sink is the caller's to end. What is no file, but a pipe or a
    device, gets all octets at once.
    """
    if not isinstance(dest, (str, os.PathLike)):
        _refuse_text(dest)
        return StreamSink(dest), None
    path = os.fspath(dest)
    if Path(path).is_dir():
        path = str(Path(path) / base_name(filename))
    sink = download_sink(path)
    return (sink if isinstance(sink, StreamSink) else Pieces(sink)), path


def open_source(origin: Origin, keep: int) -> tuple[Source, int | None, bool]:
    """Returns the source for `origin`, its size where it is known, and whether it may be slow.

    A source that may be slow is read once, forward; it keeps the last `keep` octets.
    Raises LocalError. The source is the caller's to close; an open file stays open.
    """
    if not isinstance(origin, (str, os.PathLike)):
        _refuse_text(origin)
        return StreamSource(origin, keep), _rest(origin), True
    path = os.fspath(origin)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _for_user(path, error) from error
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        source = FileSource(file)
        return source, source.size, False
    if stat.S_ISDIR(mode):
        os.close(file)
        raise LocalError(f"Cannot read {path!r}: it is a folder")
    return _OwnedStream(os.fdopen(file, "rb"), keep), None, True


class _OwnedStream(StreamSource):
    """A pipe or a device that was opened here."""

    __slots__ = ()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _rest(file: IO[bytes]) -> int | None:
    """Returns how many octets an open file still has, where it can tell."""
    try:
        if not file.seekable():
            return None
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (OSError, AttributeError):
        return None
    return max(0, end - here)


def _refuse_text(file: object) -> None:
    if isinstance(file, io.TextIOBase):
        raise TypeError("the file must be open in binary mode")


def _for_user(path: str, error: OSError) -> LocalError:
    return type(refusal(error))(f"Cannot read {path!r}: {error.strerror}")
