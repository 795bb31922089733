"""Open files that sources share: one descriptor for all that send the same content.

Ten thousand boards that fetch one image, each in a transfer of its own (RFC 1350 section 4),
would have it open ten thousand times. Reads name their offset, so that one descriptor does.
What makes two files the same is their identity (device, inode, size, time of change): a file
that was replaced, rewritten or has just changed is opened by itself. Each source is still
opened by its name, so that every reader is checked. Must not know who reads, or how names
are found.
"""

from tftp.net.disk import DiskSource
from tftp.net.files import close_read
from tftp.net.sealed import Identity

__all__ = ["OpenFiles", "SharedSource"]


class OpenFiles:
    """The descriptors in use, each with the number of its users. For one thread only."""

    def __init__(self) -> None:
        """Starts with none."""
        self._files: dict[Identity, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Returns how many descriptors are shared, or could be."""
        return len(self._files)

    def source(self, file: int) -> DiskSource:
        """Returns a source for an open file, of which it takes ownership. Raises LocalError."""
        return SharedSource(file, self)

    def join(self, identity: Identity, file: int) -> int:
        """Returns the descriptor to use; `file` is that, or is closed. `leave` it in the end."""
        kept, users = self._files.get(identity, (file, 0))
        self._files[identity] = kept, users + 1
        if kept != file:
            close_read(file)
        return kept

    def leave(self, identity: Identity) -> None:
        """Forgets one user; the last one closes the descriptor."""
        file, users = self._files[identity]
        if users > 1:
            self._files[identity] = file, users - 1
        else:
            del self._files[identity]
            close_read(file)


class SharedSource(DiskSource):
    """A regular file whose descriptor others may use too."""

    __slots__ = ("_others",)

    def __init__(self, file: int, others: OpenFiles) -> None:
        """Takes ownership of `file`."""
        self._others: OpenFiles | None = None
        super().__init__(file)
        if self.identity is not None:
            self._file = others.join(self.identity, file)
            self._others = others

    def _give_back(self, file: int) -> None:
        if self._others is None or self.identity is None:
            super()._give_back(file)
        else:
            self._others.leave(self.identity)
