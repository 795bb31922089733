"""What all workers of a server have done, added up in memory that they share.

Each has a row of its own and only writes that; the parent reads them all. A row outlives
the worker that wrote it. Must not know what is counted.
"""

import mmap
import struct
from dataclasses import fields
from operator import attrgetter

from tftp.server.journal import Totals

__all__ = ["Ledger"]

_NAMES = [one.name for one in fields(Totals)]
_values = attrgetter(*_NAMES)
_ROW = struct.Struct(f"{len(_NAMES)}q")


class Ledger:
    """Totals in memory that is shared with processes forked later: a row for each worker.

    What a worker has counted outlives it, and its successor counts on.
    """

    def __init__(self, rows: int) -> None:
        """Starts with zeroes."""
        self._memory = mmap.mmap(-1, rows * _ROW.size)

    def write(self, row: int, totals: Totals) -> None:
        """Replaces a row, which only one process does at a time."""
        _ROW.pack_into(self._memory, row * _ROW.size, *_values(totals))

    def read(self, row: int) -> Totals:
        """Returns a row."""
        return Totals(*_ROW.unpack_from(self._memory, row * _ROW.size))

    def total(self) -> Totals:
        """Returns the sum of all rows."""
        columns = zip(*_ROW.iter_unpack(self._memory), strict=True)
        return Totals(*map(sum, columns))
