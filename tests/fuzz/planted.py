"""A target with a bug put into it on purpose: the runner has to find it.

No octet by chance leads there, only coverage: each right octet opens the next branch. It is
no target of the project, and runs only when it is asked for by name.
"""

__all__ = ["target"]


class Planted(Exception):
    """What the runner has to report."""


def target(data: bytes) -> None:
    """Raises for inputs that begin with `bug!`."""
    if data[:1] != b"b":
        return
    if data[1:2] != b"u":
        return
    if data[2:3] != b"g":
        return
    if data[3:4] == b"!":
        raise Planted("the planted bug")
