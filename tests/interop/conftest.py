"""What all interop tests share: files, servers, and the place of each test in the matrix."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.cases import Case
from tests.interop.matrix import CELL
from tests.interop.running import Pool
from tests.interop.shelf import Shelf


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives a test of the matrix its cell, and a mark for all that talk to peers."""
    if not item.path.is_relative_to(Path(__file__).parent):
        return
    item.add_marker(pytest.mark.peer)
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec is not None else None
    if isinstance(case, Case):
        item.user_properties.append((CELL, f"{case.side}: {case.row}|{case.column}"))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def servers(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(shelf, tmp_path_factory.mktemp("servers"))
    yield pool
    pool.close()
