"""A socket that can be told to fail: what a kernel or a path refuses, when a test says so."""

import os
import socket
from collections.abc import Callable

from tftp.protocol.transfer import Address

__all__ = ["Mood", "Moody", "always"]

Mood = Callable[[int], int | None]
"""Is told the octets that shall leave, and returns the error number that stands in their way."""


class Moody(socket.socket):
    """A UDP socket that asks its `mood` before it sends."""

    mood: Mood

    def sendto(self, data: bytes | memoryview, to: Address) -> int:  # type: ignore[override]
        number = self.mood(len(data))
        if number is not None:
            raise OSError(number, os.strerror(number))
        return super().sendto(data, to)


def always(number: int | None) -> Mood:
    """A mood that does not change."""
    return lambda _: number
