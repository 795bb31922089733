"""Chooses the few inputs that are worth keeping: together they reach what all of them reach.

What an input reaches is the set of moves from line to line in the project and its targets,
watched by the interpreter itself, and how often each is made: once, twice, some times, many
times. Small inputs come first, so that what is kept is small;
what the repository has already comes before all. Must not know who made the inputs.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.catalogue import CORPUS, REPOSITORY, Target, corpus, load

__all__ = ["keep", "reached"]

Move = tuple[str, int, int, int]

MAX_FILES = 60
MAX_OCTETS = 1024
WATCHED = tuple(f"{REPOSITORY}/{part}" for part in ("tftp/", "conformance/", "tests/fuzz/targets/"))


def reached(target: Target, data: bytes) -> set[Move]:
    """Runs a target and returns the moves from line to line that it made, and how often."""
    moves: Counter[tuple[str, int, int]] = Counter()
    before: dict[FrameType, int] = {}

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if event == "call" and not name.startswith(WATCHED):
            return None
        if event == "return":
            before.pop(frame, None)
        else:
            moves[name, before.get(frame, 0), frame.f_lineno] += 1
            before[frame] = frame.f_lineno
        return watch

    outer = sys.gettrace()
    sys.settrace(watch)
    try:
        target(data)
    finally:
        sys.settrace(outer)
    # A power of two more is something new, up to a hundred; beyond that, more is the same.
    return {(*move, min(count.bit_length(), 7)) for move, count in moves.items()}


def keep(name: str, candidates: Iterable[Path]) -> list[Path]:
    """Copies into the repository's corpus what reaches something new; returns the new files."""
    target, known = load(name), set[Move]()
    for path in corpus(name):
        known |= reached(target, path.read_bytes())
    room = MAX_FILES - len(corpus(name))
    inputs = sorted({path.read_bytes() for path in candidates}, key=lambda data: (len(data), data))
    found = [(reached(target, data), data) for data in inputs if len(data) <= MAX_OCTETS]
    made: list[Path] = []
    while found and len(made) < room:
        # The one that adds most for its size; what adds nothing is dropped on the way.
        found = [(moves - known, data) for moves, data in found if moves - known]
        if not found:
            break
        moves, data = max(found, key=lambda pair: (len(pair[0]) / (256 + len(pair[1])), pair[1]))
        known |= moves
        path = CORPUS / name / hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        made.append(path)
    return made
