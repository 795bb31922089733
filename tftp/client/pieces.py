"""Small writes made large: a coat around the sink of a file.

A block, or a window of them, ends anywhere in a page; a file system has less to do for
pieces of a round size at round places. Nobody sees the file before it is whole, so it does
no harm that a part of it is still here: what goes wrong with that part shows at the end.
Must not know about blocks, or where the file is.
"""

from collections.abc import Sequence

from tftp.net.files import Readable, Sink

__all__ = ["PIECE", "Pieces"]

PIECE = 64 << 10
"""Octets: all writes but the last have a multiple of it, and begin at one."""


class Pieces:
    """Hands octets on to another sink, which it owns, in whole pieces."""

    __slots__ = ("_rest", "_sink")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = bytearray()

    @property
    def written(self) -> int:
        """The number of octets taken, those included that are still here."""
        return self._sink.written + len(self._rest)

    def write(self, views: Sequence[Readable]) -> None:
        """Keeps copies until there is a piece. Raises as the sink beneath does."""
        rest = self._rest
        for view in views:  # a join would need memory of its own, which may come anew each time
            rest += view
        if len(rest) >= PIECE:
            whole = len(rest) // PIECE * PIECE
            with memoryview(rest) as octets, octets[:whole] as pieces:
                self._sink.write([pieces])
            del rest[:whole]

    def commit(self) -> None:
        """Writes the rest, then commits the sink beneath; on any failure, discards it."""
        try:
            if self._rest:
                self._sink.write([self._rest])
        except BaseException:
            self._sink.discard()
            raise
        self._rest = bytearray()
        self._sink.commit()

    def discard(self) -> None:
        """Discards the sink beneath."""
        self._rest = bytearray()
        self._sink.discard()
