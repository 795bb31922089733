"""A file system that hangs when a test wants it to: one file over FUSE, without a library.

The kernel's own read-ahead, page cache and waiting are between it and the server, as with
any disk or network. It needs root and /dev/fuse. Speaks the least of protocol 7.31.
"""

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Hanging", "hanging"]

HEADER = struct.Struct("=IIQQIIII")
REPLY = struct.Struct("=IiQ")
INIT = struct.Struct("=IIIIHHIIHHI28x")
ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
ENTRY = struct.Struct("=QQQQII")
READ = struct.Struct("=QQI")
LOOKUP, FORGET, GETATTR, OPEN, READING, RELEASE, FLUSH, INITIAL = 1, 2, 3, 14, 15, 18, 25, 26
SILENT = {FORGET, 36, 42}  # interruptions and forgetting in batches want no answer
FILE, FOLDER = 0o100444, 0o40555
MNT_FORCE, MNT_DETACH = 1, 2
VALID = 3600  # seconds for which the kernel need not ask again


class Hanging:
    """A folder with the file `slow`, whose reads wait until `free` is set."""

    def __init__(self, device: int, folder: Path, content: bytes) -> None:
        """Answers the kernel at `device`, in a thread, until it hangs up."""
        self.free = threading.Event()
        self.held = threading.Event()
        """Set when somebody waits."""
        self._device = device
        self._folder = os.fsencode(folder)
        self._content = content
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Takes the disk away; who waits for it gets an error. May be repeated."""
        ctypes.CDLL(None).umount2(self._folder, MNT_FORCE | MNT_DETACH)
        self._thread.join(20.0)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, 1 << 17)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return  # unmounted
            _, opcode, unique, node, *_ = HEADER.unpack_from(request)
            if opcode == READING:
                threading.Thread(target=self._read, args=(unique, request), daemon=True).start()
            elif opcode not in SILENT:
                self._answer(unique, self._reply(opcode, node, request[HEADER.size :]))

    def _reply(self, opcode: int, node: int, body: bytes) -> bytes | int:
        """Returns the answer, or an error number."""
        if opcode == INITIAL:
            return INIT.pack(7, 31, 1 << 17, 0, 12, 9, 1 << 16, 1, 0, 0, 0)
        if opcode == LOOKUP:
            if body.rstrip(b"\0") != b"slow":
                return errno.ENOENT
            return ENTRY.pack(2, 0, VALID, VALID, 0, 0) + self._attributes(2)
        if opcode == GETATTR:
            return struct.pack("=QII", VALID, 0, 0) + self._attributes(node)
        if opcode == OPEN:
            return bytes(16)
        return b"" if opcode in (RELEASE, FLUSH) else errno.ENOSYS

    def _attributes(self, node: int) -> bytes:
        size = len(self._content) if node == 2 else 0
        mode = FILE if node == 2 else FOLDER
        return ATTRIBUTES.pack(node, size, size >> 9, 1, 1, 1, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _read(self, unique: int, request: bytes) -> None:
        if not self.free.is_set():
            self.held.set()
            self.free.wait()
        _, offset, size = READ.unpack_from(request, HEADER.size)
        with suppress(OSError):  # unmounted meanwhile
            self._answer(unique, self._content[offset : offset + size])

    def _answer(self, unique: int, reply: bytes | int) -> None:
        body, number = (b"", -reply) if isinstance(reply, int) else (reply, 0)
        os.write(self._device, REPLY.pack(REPLY.size + len(body), number, unique) + body)


@contextmanager
def hanging(folder: Path, content: bytes) -> Iterator[Hanging]:
    """Mounts it on `folder` for the time of the block. Raises OSError where that cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(folder)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"hanging", target, b"fuse.hanging", 0, options):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        disk = Hanging(device, folder, content)
        try:
            yield disk
        finally:
            disk.unplug()
            disk.free.set()
    finally:
        os.close(device)
