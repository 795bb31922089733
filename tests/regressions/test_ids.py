"""Every weakness of the list has its test, and every test here is on the list."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.regressions.ids import IDS, MORE, spelled

HERE = Path(__file__).parent


def named() -> Iterator[tuple[str, str]]:
    """Yields the name and the module of every test of this folder but those of this module."""
    for path in sorted(HERE.glob("test_*.py")):
        if path.name != Path(__file__).name:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    yield node.name, path.name


def is_named_after(test: str, name: str) -> bool:
    return re.match(rf"test_(.*_and_)?{spelled(name)}(_|$)", test) is not None


@pytest.mark.parametrize("name", IDS + MORE)
def test_each_has_its_test(name: str) -> None:
    assert [test for test, _ in named() if is_named_after(test, name)]


def test_each_test_is_named_after_one() -> None:
    nameless = [test for test, _ in named() if not any(is_named_after(test, n) for n in IDS + MORE)]
    assert nameless == []


def test_no_name_stands_twice() -> None:
    assert len({spelled(name) for name in IDS + MORE}) == len(IDS + MORE)


def test_no_test_stands_twice() -> None:
    names = [test for test, _ in named()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", sorted({module for _, module in named()}))
def test_each_module_bears_the_mark(module: str) -> None:
    assert "\npytestmark = pytest.mark.regression\n" in (HERE / module).read_text("utf-8")
