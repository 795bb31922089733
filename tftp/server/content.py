"""What a name leads to: files of one folder, and uploads into it.

The service asks for a source or a sink by name and gets one, or an error that knows its
wire code (RFC 1350 appendix). Must not know about transfers.
"""

import os
from typing import Protocol

from tftp.errors import AccessDenied, DiskFull
from tftp.net.files import NetasciiSink, NetasciiSource, Sink, Source
from tftp.net.openfiles import OpenFiles
from tftp.net.root import Root
from tftp.net.upload import Policy, UploadSink, room_for
from tftp.server.config import Upload

__all__ = ["Content", "Folder"]

_NO_ROOM = "Disk full"
_NO_ROOM_FOR_IT = "Disk full: no room for the size announced"


class Content(Protocol):
    """Opens what a request names. Both raise LocalError, with a text fit for the wire."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        """Opens a file for an RRQ; `keep` octets back from the furthest can be read again."""

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        """Makes a place for a WRQ whose tsize is `size`, if it told one."""


class Folder:
    """The files below one root."""

    def __init__(self, root: Root, upload: Upload, limit: int | None, free: int = 0) -> None:
        """Serves `root`, which it does not own.

        `limit` is the octets of one upload, and `free` those that uploads leave on the disk.
        """
        self._root = root
        self._upload = upload
        self.limit = limit
        self.free = free
        self._files = OpenFiles()

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        """Opens a regular file inside the root."""
        source = self._files.source(self._root.open_file(name))
        return NetasciiSource(source, keep) if netascii else source

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        """Opens a temporary file in the target folder."""
        if self._upload is Upload.DENY:
            raise AccessDenied("Access violation: uploads are not allowed")
        if size is not None and self.limit is not None and size > self.limit:
            raise DiskFull("Disk full: the file is larger than the limit")
        parent, last = self._root.open_parent(name)
        if not room_for(parent, (size or 0) + self.free):
            os.close(parent)
            raise DiskFull(_NO_ROOM if size is None else _NO_ROOM_FOR_IT)
        # Some clients lose a block and end as if they had not; in netascii the sizes differ.
        least = 0 if netascii else size or 0
        policy = Policy(self._upload)
        sink = UploadSink(parent, last, policy, self.limit, spare=self.free, least=least)
        return NetasciiSink(sink) if netascii else sink
