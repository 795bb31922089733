"""The floors of the house, read off the imports: what each part may know, and its size.

Floor 0 is the protocol, floor 1 the kernel, floor 2 server and client, floor 3 the command
line and the simulator, which runs the server's service. A floor knows those below it, never
one beside or above it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
MAX_FUNCTION_LINES = 50
MIN_DOCSTRING_LINES = 3

FLOOR_0_LIBRARY = {"collections.abc", "enum", "struct", "typing"}
FORBIDDEN_ON_FLOOR_0 = {"time", "random", "socket", "os", "asyncio", "threading", "select", "io"}
# A program prints and reads its arguments.
PROGRAM_LIBRARY = {"sys", "argparse"}
OWN_DEPENDENCIES = {"typer", "click", "rich"}  # the command line's, and nobody else's


def modules(*places: str) -> list[Path]:
    """Returns the modules of some folders and files, by path below the root."""
    found: list[Path] = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] * path.exists()
    return found


def imports(path: Path) -> Iterator[str]:
    """Yields every module that is imported anywhere in a file, also inside a function.

    Of `from x import y` it is x, or `x.y` where that is a module of this project.
    """
    package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            for alias in node.names:
                yield f"{base}.{alias.name}" if _is_module(base, alias.name) else base


def _is_module(base: str, name: str) -> bool:
    place = ROOT / base.replace(".", "/")
    return (place / f"{name}.py").exists() or (place / name).is_dir()


def foreign(path: Path, *allowed: str) -> set[str]:
    """Returns what a file imports that is neither the standard library nor `allowed`."""
    return {
        name
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names and not _within(name, allowed)
    }


def _within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in allowed)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FLOOR_0 = modules("tftp/protocol", "tftp/errors.py")
FLOOR_1 = modules("tftp/net")
SIMULATOR = modules("tftp/sim")
FLOOR_2 = modules("tftp/server", "tftp/client.py", "tftp/client")
FLOOR_3 = modules("tftp/cli")
PRODUCT = modules("tftp")
BELOW_1 = ("tftp.protocol", "tftp.errors")
BELOW_2 = (*BELOW_1, "tftp.net", "tftp._version")


def test_there_is_something_to_judge() -> None:
    names = {named(path) for path in FLOOR_0}
    wanted = {"packets", "blocks", "options", "states", "transfer", "sender", "receiver", "train"}
    assert {f"tftp/protocol/{name}.py" for name in wanted} <= names
    assert "tftp/errors.py" in names
    assert {named(path) for path in SIMULATOR} >= {"tftp/sim/link.py", "tftp/sim/world.py"}


@pytest.mark.parametrize("path", FLOOR_0, ids=named)
def test_floor_0_knows_only_itself_and_a_short_list(path: Path) -> None:
    """No clock, no randomness, no I/O: those would come as imports."""
    library = FLOOR_0_LIBRARY | (PROGRAM_LIBRARY if path.name == "__main__.py" else set())
    found = {name for name in imports(path) if not _within(name, BELOW_1)}
    assert found <= library
    assert not found & FORBIDDEN_ON_FLOOR_0


@pytest.mark.parametrize("path", FLOOR_1, ids=named)
def test_floor_1_knows_floor_0_and_itself(path: Path) -> None:
    assert foreign(path, *BELOW_1, "tftp.net") == set()


@pytest.mark.parametrize("path", SIMULATOR, ids=named)
def test_the_simulator_knows_the_server_and_no_kernel(path: Path) -> None:
    """Service and channels run in it as they are; its clock is virtual, its randomness seeded."""
    assert foreign(path, *BELOW_2, "tftp.server", "tftp.sim") == set()
    assert not set(imports(path)) & {"time", "socket", "select", "selectors", "threading"}


@pytest.mark.parametrize("path", FLOOR_2, ids=named)
def test_floor_2_is_two_rooms_without_a_door(path: Path) -> None:
    """Server and client know the floors below, never each other, and never the simulator."""
    room = "tftp.server" if "server" in path.parts else "tftp.client"
    assert foreign(path, *BELOW_2, room) == set()


@pytest.mark.parametrize("path", FLOOR_3, ids=named)
def test_the_command_line_brings_nothing_else_in(path: Path) -> None:
    """Floor 3 may know anything of ours, and the two libraries that it is made of."""
    assert foreign(path, "tftp", *OWN_DEPENDENCIES) == set()


@pytest.mark.parametrize("path", modules("tftp/__init__.py", "tftp/_version.py"), ids=named)
def test_the_package_itself_stays_light(path: Path) -> None:
    """`import tftp` leads to no command line and no simulator."""
    found = foreign(path, "tftp")
    assert found == set()
    assert not any(_within(name, ("tftp.cli", "tftp.sim")) for name in imports(path))


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_no_floor_knows_the_tests(path: Path) -> None:
    assert not any(_within(name, ("tests", "conformance")) for name in imports(path))


def test_conformance_knows_no_tftp() -> None:
    """A shared codec could not catch its own bug; only the self-test runs our own server."""
    for path in modules("conformance"):
        if "selftest" not in path.parts:
            assert not any(_within(name, ("tftp",)) for name in imports(path)), named(path)


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_a_module_says_what_it_is_and_fits_a_head(path: Path) -> None:
    """A docstring of three lines or more, 400 lines at most, and functions that fit a screen.

    The arguments of a function are no part of its length: a command declares its options there.
    """
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_LINES
    docstring = ast.get_docstring(tree) or ""
    tiny = path.name in ("__init__.py", "_version.py") and len(text.splitlines()) <= 12
    assert len(docstring.splitlines()) >= MIN_DOCSTRING_LINES or tiny
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.body[0].lineno < MAX_FUNCTION_LINES, node.name


# The judge itself


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import os.path", {"os.path"}),
        ("from socket import AF_INET", {"socket"}),
        ("from tftp import server", {"tftp.server"}),
        ("from tftp.protocol import sender as s", {"tftp.protocol.sender"}),
        ("from tftp.protocol.sender import Sender", {"tftp.protocol.sender"}),
        ("def f():\n    import time", {"time"}),
        ("from . import packets", {"tftp.protocol.packets"}),
        ("from .packets import decode", {"tftp.protocol.packets"}),
        ("from .. import errors", {"tftp.errors"}),
        ("if True:\n    from ..net import udp", {"tftp.net"}),
    ],
)
def test_imports_are_found_wherever_they_stand(
    line: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ROOT / "tftp" / "protocol" / "states.py"
    monkeypatch.setattr(Path, "read_text", lambda *_: line)
    found = set(imports(path))
    # `tftp.net` is named as a whole, or by the module that is asked for where it exists.
    assert {name.removesuffix(".udp") for name in found} == expected
