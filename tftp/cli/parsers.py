"""What the words of a command line mean: sizes, ranges, networks, counts.

Each raises typer.BadParameter with a sentence that says what is wanted. Must not know what
is done with them.
"""

import math
import os

import typer

from tftp.server.access import Network, parse_network
from tftp.server.workers import MOST

__all__ = [
    "check_number",
    "parse_networks",
    "parse_port_list",
    "parse_ports",
    "parse_size",
    "parse_workers",
]

SUFFIXES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def parse_size(text: str) -> int:
    """Reads `1500`, `10M`, `4G`."""
    factor = SUFFIXES.get(text[-1:].lower())
    digits = text[:-1] if factor else text
    if not (digits.isascii() and digits.isdigit()):
        raise typer.BadParameter("a size is a number of octets, such as 65536, 10M or 4G")
    return int(digits) * (factor or 1)


def check_number(value: float) -> float:
    """Refuses `nan`, which is not below any minimum."""
    if math.isnan(value):
        raise typer.BadParameter("a number is needed")
    return value


def parse_ports(text: str) -> range:
    """Reads `A-B`."""
    first, _, last = text.partition("-")
    if first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= 65535:
        return range(int(first), int(last) + 1)
    raise typer.BadParameter("a range of ports looks like 30000-30999")


def parse_workers(text: str) -> int:
    """Reads `2`, or `auto` for as many as there are processors for this process."""
    if text == "auto":
        return min(len(os.sched_getaffinity(0)), MOST)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST:
        return int(text)
    raise typer.BadParameter(f"workers are a number from 1 to {MOST}, or auto")


def parse_networks(words: list[str] | None) -> tuple[Network, ...]:
    """Reads `192.0.2.0/24`, or an address, of each."""
    try:
        return tuple(map(parse_network, words or ()))
    except ValueError as error:
        raise typer.BadParameter(f"a network looks like 192.0.2.0/24: {error}") from error


def parse_port_list(text: str) -> frozenset[int]:
    """Reads `7,19,69`, or `none`."""
    if text == "none":
        return frozenset()
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in words):
        raise typer.BadParameter("ports look like 7,19,69, or none")
    return frozenset(map(int, words))
