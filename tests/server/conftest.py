"""What every test of the server may ask for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.desk import Desk
from tests.server.house import House
from tests.server.lab import Lab, open_lab
from tftp.server import Limits, Upload


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


@pytest.fixture
def open_house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Limits], House]]:
    """Opens a server that makes a turn when it is told to."""
    houses: list[House] = []

    def begin(limits: Limits) -> House:
        houses.append(House(monkeypatch, limits))
        return houses[-1]

    yield begin
    for house in houses:
        house.close()
