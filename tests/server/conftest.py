"""What every test of the server may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.desk import Desk
from tests.server.lab import Lab, open_lab
from tftp.server import Upload


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder to serve; its neighbours are out of bounds."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def lab(root: Path) -> Iterator[Lab]:
    """A server that takes uploads of new names, and never sends anything twice."""
    with open_lab(root, upload=Upload.CREATE) as lab:
        yield lab


@pytest.fixture
def desk() -> Desk:
    """A service without sockets."""
    return Desk()
