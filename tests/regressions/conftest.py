"""A server that takes uploads, its files, its neighbours, and the read that follows each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.regressions.check import GOOD, HOST, SECRET, check_good
from tests.server.lab import Lab, open_lab
from tftp.server import Upload


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder to serve; beside it lies what nobody may read or change."""
    folder = tmp_path / "root"
    (folder / "incoming").mkdir(parents=True)
    (folder / "good").write_bytes(GOOD)
    (folder / "empty").write_bytes(b"")
    for neighbour in ("root-evil", "root-sibling", "outside"):
        (tmp_path / neighbour).mkdir()
        (tmp_path / neighbour / "secret").write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    return folder


@pytest.fixture
def lab(root: Path) -> Iterator[Lab]:
    """A server of those files; whatever the test did to it, a good read succeeds afterwards."""
    with open_lab(root, host=HOST, upload=Upload.CREATE) as lab:
        yield lab
        check_good(lab)
