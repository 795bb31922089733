"""A place where servers live: a thread that outlives them, in a network of its own if wanted.

A server is started from that thread, so that the kernel can end it with this process. With a
network namespace it can have port 69 without disturbing the machine; the namespace goes when
the last thread and process in there have gone. Must not know about TFTP.
"""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Room"]

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


class Room:
    """A thread, and the network that it lives in."""

    def __init__(self, *, private: bool) -> None:
        """`private`: with a network of its own. Raises OSError where that is not allowed."""
        self._keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="room")
        self._guests = ThreadPoolExecutor(max_workers=1, thread_name_prefix="guest")
        try:
            if private:
                self.call(_leave)
        except OSError:
            self.close()
            raise

    def call(self, work: Callable[[], T]) -> T:
        """Does short work in the thread itself; what it raises comes out here."""
        return self._keeper.submit(work).result()

    def beside(self, work: Callable[[], T]) -> T:
        """Does long work in a second thread in there, which can still call the first."""
        # Threads live in the network of the thread that starts them.
        return self.call(lambda: self._guests.submit(work)).result()

    def close(self) -> None:
        """Ends the threads."""
        self._guests.shutdown()
        self._keeper.shutdown()


def _leave() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
