"""Reads decisions off the octets of an input: numbers, pieces, choices.

What is read is a plain function of the octets, so that an input means the same wherever it
is run: under the fuzzer, as a file of the corpus, under hypothesis. At the end of the
octets everything is zero or empty. Must not know what the decisions are for.
"""

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Feed"]

T = TypeVar("T")


class Feed:
    """The octets of one input, taken from the front."""

    def __init__(self, data: bytes) -> None:
        """Starts at the first octet."""
        self._data = data
        self._place = 0

    @property
    def left(self) -> int:
        """Returns how many octets have not been taken."""
        return len(self._data) - self._place

    def octet(self) -> int:
        """Takes one octet."""
        if self._place == len(self._data):
            return 0
        self._place += 1
        return self._data[self._place - 1]

    def number(self, low: int, high: int) -> int:
        """Takes as many octets as a number between these bounds needs."""
        span, value = high - low, 0
        for _ in range((span.bit_length() + 7) // 8):
            value = value << 8 | self.octet()
        return low + value % (span + 1)

    def octets(self, count: int) -> bytes:
        """Takes that many octets, or what is left."""
        start = self._place
        self._place = min(len(self._data), start + count)
        return self._data[start : self._place]

    def piece(self) -> bytes:
        """Takes a piece whose length comes first, in one octet."""
        return self.octets(self.octet())

    def rest(self) -> bytes:
        """Takes all that is left."""
        return self.octets(self.left)

    def pick(self, choices: Sequence[T]) -> T:
        """Takes one of the choices."""
        return choices[self.number(0, len(choices) - 1)]
