"""Which targets there are, and where the inputs of each lie.

A target is a function of octets that returns, or raises: then it has found something. The
corpus is part of the repository; what a run adds to it, and what it finds, lies in the
scratch folder. Must not know how targets are run.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

__all__ = ["PLANTED", "SCRATCH", "TARGETS", "Target", "corpus", "load", "module"]

Target = Callable[[bytes], None]

TARGETS = (
    *("codec", "options", "netascii", "sender", "receiver", "service", "root", "url", "reader"),
)
PLANTED = "planted"
REPOSITORY = Path(__file__).parent.parent.parent
SCRATCH = REPOSITORY / ".cache" / "fuzz"
CORPUS = Path(__file__).parent / "corpus"


def module(name: str) -> str:
    """Returns the name of the module that holds a target."""
    return f"tests.fuzz.{name}" if name == PLANTED else f"tests.fuzz.targets.{name}"


def load(name: str) -> Target:
    """Imports a target."""
    target: Target = importlib.import_module(module(name)).target
    return target


def corpus(name: str) -> list[Path]:
    """Returns the inputs in the repository, by name."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
