"""Where the bytes of a transfer come from and go to: sources and sinks.

A source fills buffers at an offset, and a short read is the end of the file, which is
what ends a transfer (RFC 1350 section 6). A sender goes back when a packet is lost, at
most by a window (RFC 7440 section 4); sources that cannot seek keep that much. Netascii
(RFC 1350 section 1) is a coat around either. Buffers are bytes-like objects of octets.
Must not know about packets, blocks, names or policies (`upload` has the sink with a name).
"""

import os
import select
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Protocol, Self

from tftp.errors import FileChanged
from tftp.net.buffers import IOV_MAX, Readable, Writable, after, scatter
from tftp.net.refusal import refusal
from tftp.net.sealed import identify
from tftp.net.writing import wait_until, write_all, write_to
from tftp.protocol.netascii import Decoder, Encoder

__all__ = [
    "FILE_CHANGED",
    "BufferSink",
    "BytesSource",
    "FileSource",
    "NetasciiSink",
    "NetasciiSource",
    "Readable",
    "Sink",
    "Source",
    "StreamSink",
    "StreamSource",
    "Writable",
    "close_read",
]

FILE_CHANGED = "The file changed while it was being sent"


class Source(Protocol):
    """What a sender reads. Offsets and sizes count octets of what goes over the wire."""

    @property
    def size(self) -> int | None:
        """The number of octets that the transfer will deliver; None if only the end tells."""

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Fills the buffers in order from `offset` on and returns the number of octets.

        Fewer than the buffers hold means that the file ends there. Raises LocalError.
        """

    def close(self) -> None:
        """Gives back what the source owns. May be repeated."""


class Sink(Protocol):
    """What a receiver writes. Exactly one of `commit` and `discard` ends it well."""

    @property
    def written(self) -> int:
        """The number of octets stored so far."""

    def write(self, views: Sequence[Readable]) -> None:
        """Appends all octets, in order. Raises DiskFull or LocalError; then only discard it."""

    def commit(self) -> None:
        """Makes the file durable and visible. Raises LocalError, and then nothing is left."""

    def discard(self) -> None:
        """Leaves nothing behind, unless `commit` came before. May be repeated."""


class _Closing:
    """Lends a source the `with` statement."""

    __slots__ = ()

    def close(self) -> None:
        """Owns nothing that needs closing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileSource(_Closing):
    """A regular file, by its descriptor, which the source owns from here on.

    A file that is rewritten, grows or shrinks meanwhile raises FileChanged, at its end at
    the latest: nobody gets a mixture for a whole. One that loses its name stays as it was.
    """

    __slots__ = ("_changed", "_file", "identity", "size")

    def __init__(self, file: int) -> None:
        self._file = file
        try:
            status = os.fstat(file)
        except OSError as error:
            self.close()
            raise refusal(error) from error
        self.size = status.st_size
        self._changed = status.st_mtime_ns
        self.identity = identify(status, time.time_ns())
        """What tells this content from any other; None while it may change unnoticed."""

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Reads with one `preadv` as a rule; at the end, looks whether it is the same file."""
        room = sum(map(len, buffers))
        wanted = max(0, min(room, self.size - offset))
        done = 0
        while done < wanted:
            try:
                count = os.preadv(self._file, buffers[:IOV_MAX], offset + done)
            except OSError as error:
                raise refusal(error) from error
            if count == 0 and any(buffers[:IOV_MAX]):
                raise FileChanged(FILE_CHANGED)
            done += count
            if done < wanted:
                buffers = after(buffers, count)
        if wanted < room:
            self._check()
        return wanted

    def _check(self) -> None:
        """Raises FileChanged if octets that were read may be younger than others.

        Comes after the last read and before its octets are sent. A writer moves the time of
        the file on before it writes, so that nothing new is read under the old time.
        """
        try:
            status = os.fstat(self._file)
        except OSError as error:
            raise refusal(error) from error
        if status.st_mtime_ns != self._changed or status.st_size != self.size:
            raise FileChanged(FILE_CHANGED)

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._file >= 0:
            file, self._file = self._file, -1
            self._give_back(file)

    def _give_back(self, file: int) -> None:
        close_read(file)


class BytesSource(_Closing):
    """Bytes in memory."""

    __slots__ = ("_data", "size")

    def __init__(self, data: Readable) -> None:
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Copies."""
        return scatter(self._data[offset:], buffers)


class _Replay(_Closing, ABC):
    """Random access to the last `keep` octets of something that can only be read once.

    `keep` must be at least a window: how far behind the furthest octet ever asked for a
    sender may begin again. To go back further is a bug of the caller: ValueError.
    """

    __slots__ = ("_ended", "_keep", "_kept", "_start")
    size: None = None

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._kept = bytearray()
        self._start = 0  # The offset of the first octet kept.
        self._ended = False

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Reads on as far as needed, blocking if it must, and fills the buffers."""
        first = offset - self._start
        if first < 0:
            raise ValueError(f"offset {offset} is gone: only {self._keep} octets are kept")
        wanted = sum(map(len, buffers))
        while len(self._kept) < first + wanted and not self._ended:
            try:
                more = self._more(first + wanted - len(self._kept))
            except OSError as error:
                raise refusal(error) from error
            self._kept += more
            self._ended = not more
        with memoryview(self._kept) as kept, kept[first:] as source:
            count = scatter(source, buffers)
        done = first + count - self._keep
        if count and done > 0:
            del self._kept[:done]
            self._start += done
        return count

    @abstractmethod
    def _more(self, wanted: int) -> bytes:
        """Returns some octets, as near to `wanted` as it can; none at the end."""


class StreamSource(_Replay):
    """A pipe, a terminal or any binary file object; read forward only, never closed."""

    __slots__ = ("_file",)

    def __init__(self, file: IO[bytes], keep: int) -> None:
        super().__init__(keep)
        self._file = file

    def _more(self, wanted: int) -> bytes:
        # A non-blocking file says None for "nothing yet", though its type denies it.
        data: bytes | None = self._file.read(wanted)
        while data is None:
            wait_until(select.POLLIN, self._file.fileno())
            data = self._file.read(wanted)
        return data


class NetasciiSource(_Replay):
    """The netascii form of another source, which it owns from here on.

    The size is not known before the end, so that no tsize is offered (RFC 2349).
    """

    __slots__ = ("_encoder", "_offset", "_source")

    def __init__(self, source: Source, keep: int) -> None:
        super().__init__(keep)
        self._source = source
        self._encoder = Encoder()
        self._offset = 0

    def close(self) -> None:
        """Closes the source beneath."""
        self._source.close()

    def _more(self, wanted: int) -> bytes:
        # The wire form is never the shorter one: `wanted` local octets are enough.
        text = bytearray(wanted)
        count = self._source.read_into([text], self._offset)
        self._offset += count
        return self._encoder.feed(memoryview(text)[:count])


class BufferSink:
    """Keeps everything in memory."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def written(self) -> int:
        """The number of octets kept."""
        return len(self._data)

    def write(self, views: Sequence[Readable]) -> None:
        """Appends copies."""
        for view in views:
            self._data += view

    def commit(self) -> None:
        """Has nothing to do."""

    def discard(self) -> None:
        """Forgets everything."""
        self._data.clear()

    def getvalue(self) -> bytes:
        """Returns all octets."""
        return bytes(self._data)


class StreamSink:
    """A pipe, a terminal or a device: what is written is out and cannot be taken back.

    `file` is a descriptor or a binary file object; both are waited for if they do not
    block. It is closed by `commit` and `discard` only if it is `owned`.
    """

    __slots__ = ("_file", "_owned", "written")

    def __init__(self, file: IO[bytes] | int, *, owned: bool = False) -> None:
        self._file = file
        self._owned = owned
        self.written = 0

    def write(self, views: Sequence[Readable]) -> None:
        """Writes through."""
        try:
            if isinstance(self._file, int):
                self.written += write_all(self._file, views)
                return
            for view in views:
                self.written += write_to(self._file, view)
        except OSError as error:
            raise refusal(error) from error

    def commit(self) -> None:
        """Flushes."""
        try:
            if not isinstance(self._file, int):
                self._file.flush()
            self._release()
        except OSError as error:
            raise refusal(error) from error

    def discard(self) -> None:
        """Ends the stream where it is."""
        with suppress(OSError):
            self._release()

    def _release(self) -> None:
        owned, self._owned = self._owned, False
        if not owned:
            return
        if isinstance(self._file, int):
            os.close(self._file)
        else:
            self._file.close()


class NetasciiSink:
    """Turns netascii into local text on its way to another sink, which it owns.

    A pair may be split over two writes; what RFC 764 leaves open is kept as it came.
    """

    __slots__ = ("_decoder", "_sink")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._decoder = Decoder()

    @property
    def written(self) -> int:
        """The number of local octets stored: not what came over the wire."""
        return self._sink.written

    def write(self, views: Sequence[Readable]) -> None:
        """Writes all that is decided by now."""
        self._sink.write([self._decoder.feed(b"".join(views))])

    def commit(self) -> None:
        """Writes a CR that ended the file, then commits the sink beneath."""
        try:
            self._sink.write([self._decoder.finish()])
        except BaseException:
            self._sink.discard()
            raise
        self._sink.commit()

    def discard(self) -> None:
        """Discards the sink beneath."""
        self._sink.discard()


def close_read(file: int) -> None:
    """Closes a file that was only read: an error of its disk changes nothing any more."""
    with suppress(OSError):
        os.close(file)
