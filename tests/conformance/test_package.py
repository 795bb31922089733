"""How the suite is installed: under another name, with all that it needs beside its code."""

import tomllib
from pathlib import Path

TREE = Path(__file__).parents[2]


def settings() -> dict[str, object]:
    found = tomllib.loads((TREE / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert isinstance(found, dict)
    return found


def test_every_package_of_the_tree_is_installed() -> None:
    folders = {
        path.parent for top in ("tftp", "conformance") for path in (TREE / top).rglob("*.py")
    }
    folders |= {path.parent for path in (TREE / "conformance").rglob("*.toml")}
    names = {".".join(folder.relative_to(TREE).parts) for folder in folders}
    renamed = {"tftp_" + name if name.startswith("conformance") else name for name in names}
    packages = settings()["packages"]
    assert isinstance(packages, list)
    assert sorted(packages) == sorted(renamed)


def test_what_is_no_code_is_installed_too() -> None:
    data = settings()["package-data"]
    assert isinstance(data, dict)
    patterns = [
        (TREE / name.replace("tftp_conformance", "conformance").replace(".", "/"), pattern)
        for name, found in data.items()
        for pattern in found
    ]
    installed = {path for folder, pattern in patterns for path in folder.glob(pattern)}
    suite = TREE / "conformance"
    needed = [*suite.glob("*.html"), *suite.glob("*/*.toml"), TREE / "tftp" / "py.typed"]
    assert installed == set(needed)
