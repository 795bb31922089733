"""What the tests of faults ask for: a folder to serve, and a server that sends nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.lab import Lab, open_lab
from tftp.server import Upload


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder to serve."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def lab(root: Path) -> Iterator[Lab]:
    """A server that takes uploads of new names, and never sends anything twice."""
    with open_lab(root, upload=Upload.CREATE) as lab:
        yield lab
