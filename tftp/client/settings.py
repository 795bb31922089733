"""How a client behaves, and what it asks for (RFC 2347, 2348, 2349, 7440).

A block fills the packets of the path and does not make it fragment them; a window is as
large as the receive buffer that the kernel granted can hold, so that nobody loses what
has already arrived. Must not know about requests that are under way.
"""

import socket
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from tftp.net.udp import IP_HEADERS, buffer_for
from tftp.protocol.options import DEFAULT_BLOCK_SIZE, MAX_WINDOW, MIN_BLOCK_SIZE, Wish
from tftp.protocol.pace import Timing
from tftp.protocol.packets import HEADER, MAX_BLOCK_SIZE

__all__ = [
    "MODES",
    "OPTION_NAMES",
    "PEER_BUFFER",
    "Settings",
    "choose_options",
    "limit_window",
    "schedule",
    "wish_for",
]

MODES = ("octet", "netascii")
"""`mail` is obsolete (RFC 1350 section 1) and no server takes it."""

OPTION_NAMES = frozenset({"blksize", "rollover", "timeout", "tsize", "windowsize"})

LARGEST_DEFAULT_BLOCK = 8192  # loopback would take 65,464, and then one lost block is dear
DEFAULT_WINDOW = 32
PEER_BUFFER = 212992  # of a socket that nobody made larger, on Linux
MAX_KEPT = 16 << 20  # octets of a pipe that are held in case the server wants them again


class Settings(NamedTuple):
    """What the caller decided. None leaves a number to us."""

    block_size: int | None = None
    window: int | None = None
    server_timeout: int | None = None
    """The `timeout` option of RFC 2349, asked of the server, in seconds."""
    rollover: int | None = None
    options: frozenset[str] = OPTION_NAMES
    """The options that may be asked for."""
    timing: Timing = Timing()
    family: socket.AddressFamily = socket.AF_UNSPEC
    local_address: str = ""
    local_ports: range | None = None

    def validate(self) -> None:
        """Raises ValueError for a number out of its range."""
        _check("block_size", self.block_size, MIN_BLOCK_SIZE, MAX_BLOCK_SIZE)
        _check("window", self.window, 1, MAX_WINDOW)
        _check("server_timeout", self.server_timeout, 1, 255)
        _check("rollover", self.rollover, 0, 1)
        _check("retries", self.timing.retries, 0, 1000)
        if not 0.001 <= self.timing.first <= 3600:
            raise ValueError(f"timeout must be from 0.001 to 3600 seconds, not {self.timing.first}")
        if not 0 <= self.timing.dally <= 3600:
            raise ValueError(f"linger must be from 0 to 3600 seconds, not {self.timing.dally}")
        if self.local_ports is not None:
            if not self.local_ports:
                raise ValueError("local_ports is empty")
            for port in (self.local_ports[0], self.local_ports[-1]):
                _check("a local port", port, 1, 65535)


def choose_options(options: bool | Iterable[str]) -> frozenset[str]:
    """Returns the option names that may be asked for. Raises ValueError for an unknown one."""
    if isinstance(options, bool):
        return OPTION_NAMES if options else frozenset()
    if isinstance(options, str):
        raise ValueError("options is True, False or several names, not one string")
    names = frozenset(name.lower() for name in options)
    if unknown := sorted(names - OPTION_NAMES):
        raise ValueError(f"unknown option {unknown[0]!r}: choose from {sorted(OPTION_NAMES)}")
    return names


def wish_for(
    settings: Settings, family: socket.AddressFamily, mtu: int, buffer: int, size: int | None
) -> Wish:
    """Returns what to ask for on a path of that MTU.

    `buffer` is what the receiver's socket can hold. `size` is what goes into tsize, or
    None. A window that the caller chose is not lowered.
    """
    block_size = settings.block_size
    if block_size is None:
        fit = mtu - IP_HEADERS[family] - HEADER.size
        block_size = max(MIN_BLOCK_SIZE, min(fit, LARGEST_DEFAULT_BLOCK))
    window = settings.window
    if window is None:
        asked = block_size if "blksize" in settings.options else DEFAULT_BLOCK_SIZE
        window = max(1, min(DEFAULT_WINDOW, buffer // buffer_for(1, asked)))
    names = settings.options
    return Wish(
        block_size=block_size if "blksize" in names else None,
        window=window if "windowsize" in names else None,
        timeout=settings.server_timeout if "timeout" in names else None,
        size=size if "tsize" in names else None,
        rollover=settings.rollover if "rollover" in names else None,
    )


def limit_window(settings: Settings) -> tuple[Settings, int]:
    """Returns settings for a source that is read once, and how many octets it has to keep.

    That is the largest window that may be agreed on, so the window is limited.
    """
    block = max(settings.block_size or LARGEST_DEFAULT_BLOCK, DEFAULT_BLOCK_SIZE)
    asked = settings.window or DEFAULT_WINDOW
    window = min(asked, MAX_KEPT // block)
    return (settings if window == asked else settings._replace(window=window)), window * block


def schedule(timing: Timing) -> list[float]:
    """Returns when each repeat of a request is due; the last one is when patience ends."""
    return list(
        accumulate(min(timing.first * 2.0**n, timing.ceiling) for n in range(timing.retries + 1))
    )


def _check(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")
