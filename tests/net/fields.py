"""A folder with a root and a secret beside it, within reach of every user of the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.net.children import DROP
from tests.net.trees import CANARY

__all__ = ["AS", "BEGINNING", "open_field"]

BEGINNING = """
import os, signal, socket, sys, threading
from pathlib import Path

def said(deed):
    try:
        deed()
        return "may"
    except OSError as error:
        return error.strerror
"""
"""How pieces of code begin that say what they may do.

The modules are loaded first: the interpreter may stand where nobody else may read.
"""

AS = pytest.mark.parametrize(
    "drop",
    [
        pytest.param("", id="whoever runs the tests"),
        pytest.param(
            DROP,
            id="nobody",
            marks=[
                pytest.mark.root,
                pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody"),
            ],
        ),
    ],
)
"""Runs a test twice: with the rights of whoever runs it, and without those of root."""


@contextmanager
def open_field() -> Iterator[Path]:
    """Makes `root`, where all may write, with files, and `secret` and `bin` beside it."""
    with TemporaryDirectory() as folder:
        field = Path(folder)
        field.chmod(0o755)
        for name, content in {"root/plain": b"plain", "root/sub/in": b"inside"}.items():
            path = field / name
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o777)
            path.write_bytes(content)
            path.chmod(0o666)
        (field / "secret").write_bytes(CANARY)
        (field / "secret").chmod(0o666)
        (field / "root" / "out").symlink_to("../secret")
        program = field / "root" / "program"
        program.write_bytes(b"#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        yield field
