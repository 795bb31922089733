"""Runs one target under atheris, in a process of its own: `python -m tests.fuzz.child NAME ...`.

What follows the name goes to libFuzzer, whose loop never returns. The project, its suite and
the targets are instrumented as they are imported, so that the fuzzer sees which branches an
input takes. Must not know where inputs come from.
"""

import importlib
import sys

from tests.fuzz.catalogue import load

__all__ = ["main"]

INSTRUMENTED = ["tftp", "conformance.wire", "tests.fuzz.targets", "tests.fuzz.planted"]
HELPERS = ["tests.fuzz.hall", "tests.fuzz.wire", "tests.fuzz.machines", "tests.fuzz.feed"]


def main() -> None:
    """Imports atheris, then the target, and never returns."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED + HELPERS):
        target = load(sys.argv[1])
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
