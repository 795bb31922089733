"""What the tests of scripts/bench share: the load generator, compiled once for each worker."""

from pathlib import Path

import pytest

from scripts.bench_tools.build import NoCompiler, build
from scripts.bench_tools.job import Generator


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    try:
        return Generator(build(tmp_path_factory.mktemp("generator")))
    except NoCompiler as error:
        pytest.skip(f"load generator: {error}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to serve."""
    root = tmp_path / "root"
    root.mkdir()
    return root
