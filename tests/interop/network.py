"""A network of its own for a server that insists on port 69 and would disturb the machine.

A thread leaves for a new network namespace, and what it starts or opens is in there; the
namespace goes when the thread and its children have gone. Nothing outside changes.
"""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1


class Network:
    """A network namespace with a loopback device, and a thread that lives in it."""

    def __init__(self) -> None:
        """Makes it. Raises OSError where that is not allowed."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")
        try:
            self._thread.submit(_leave).result()
        except OSError:
            self.close()
            raise

    def call(self, work: Callable[[], T]) -> T:
        """Does the work in there; what it raises comes out here."""
        return self._thread.submit(work).result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()


def _leave() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
