"""Stays behind for a command that is done, to repeat a last ACK (RFC 1350 section 6).

If the last ACK of a download is lost, the server sends its last block again and, unheard,
would count the transfer as failed. A thread would end with the process, and to wait would
make every command some seconds slower. So a forked child waits: it holds the socket and
nothing else, no terminal, no pipe, no lock of the caller, and is gone when its time is up.
Must not know what was fetched.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from tftp.client.dally import Dallying, serve

__all__ = ["leave_behind"]

FEW_DESCRIPTORS = 1024  # closed where the system does not list those that are open


def leave_behind(dallying: Dallying) -> None:
    """Hands the transfer to a child in the background and returns at once.

    To be called last: the caller's output is flushed, and its threads do not come along.
    Where no child can be made, the server is left without an answer.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child == 0:
        try:
            _let_go(dallying.endpoint.fileno())
            serve(dallying)
        finally:
            os._exit(0)
    dallying.endpoint.close()


def _let_go(kept: int) -> None:
    """Leaves session, folder and every open file but one."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    try:
        others = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    except OSError:
        others = list(range(3, FEW_DESCRIPTORS))
    for descriptor in others:
        if descriptor > 2 and descriptor != kept:
            with suppress(OSError):
                os.close(descriptor)
