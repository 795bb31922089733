"""The catalogue and its cases hang together, and the suite stands beside the product.

Each requirement is tried on each of its sides, or says why that cannot be. What a module
of the suite may import is read off its text.
"""

import ast
import sys
from pathlib import Path

import pytest

import conformance
from conformance import catalogue
from conformance.catalogue import (
    Case,
    Requirement,
    all_cases,
    client_case,
    requirements,
    select,
    server_case,
)
from conformance.client_trial import ClientTrial
from conformance.server_trial import ServerTrial

SUITE = Path(conformance.__file__).parent
MODULES = sorted(SUITE.rglob("*.py"))
CASES = sorted((SUITE / "cases").glob("*.py"))
COMMAND_LINE = {"cli.py", "relay_cli.py", "__main__.py"}
SIDES = ("server", "client")
LEVELS = {"MUST", "SHOULD", "MAY", "DE FACTO", "ROBUST"}
ROLES = {"server-read", "server-write", "client-read", "client-write", "codec"}
MAX_LINES, MAX_FUNCTION_LINES, MIN_DOCSTRING_LINES = 400, 50, 3


def sides(requirement: Requirement) -> set[str]:
    return {role.partition("-")[0] for role in requirement.roles} & set(SIDES)


def tried() -> set[tuple[str, str]]:
    return {(case.requirement, case.side) for side in SIDES for case in all_cases(side)}


def located(path: Path) -> str:
    return path.relative_to(SUITE).as_posix()


# Requirements


@pytest.mark.parametrize("side", SIDES)
def test_each_requirement_has_its_case_or_a_reason(side: str) -> None:
    missing = [
        one.id
        for one in requirements().values()
        if side in sides(one) and not one.untestable and (one.id, side) not in tried()
    ]
    assert missing == []


def test_what_concerns_the_codec_alone_has_a_case_or_a_reason() -> None:
    missing = [
        one.id
        for one in requirements().values()
        if not sides(one)
        and not one.untestable
        and not {(one.id, side) for side in SIDES} & tried()
    ]
    assert missing == []


def test_what_cannot_be_tested_is_not_tested() -> None:
    contradictory = [
        one.id
        for one in requirements().values()
        if one.untestable and {(one.id, side) for side in sides(one) or set(SIDES)} <= tried()
    ]
    assert contradictory == []


def test_enough_is_tried() -> None:
    assert len({identity for identity, _ in tried()}) >= 150


@pytest.mark.parametrize("one", requirements().values(), ids=list(requirements()))
def test_a_requirement_is_complete(one: Requirement) -> None:
    assert one.level in LEVELS
    assert one.roles
    assert set(one.roles) <= ROLES
    assert all([one.clause, one.title, one.text, one.accept])
    assert one.id.split("-")[0].isupper() or one.id.startswith("RFC")


def test_no_requirement_stands_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "requirements"
    folder.mkdir()
    row = '[[requirement]]\nid="A-1"\nclause="c"\nlevel="MUST"\ntitle="t"\ntext="t"\naccept="a"\n'
    for name in ("one", "two"):
        (folder / f"{name}.toml").write_text(row)
    monkeypatch.setattr(catalogue, "HERE", tmp_path)
    requirements.cache_clear()
    try:
        with pytest.raises(ValueError, match="A-1 stands twice"):
            requirements()
    finally:
        requirements.cache_clear()


# Cases


@pytest.mark.parametrize("side", SIDES)
def test_cases_have_their_requirement_side_and_rationale(side: str) -> None:
    for case in all_cases(side):
        one = requirements()[case.requirement]
        assert side in (sides(one) or SIDES), case.name
        assert len(case.rationale) > 20, case.name
        assert case.rationale.endswith((".", "?")), case.name


def test_a_case_without_a_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="RFC0-1 is not in the catalogue"):
        server_case("RFC0-1")(_nothing)


def test_two_cases_for_one_side_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_CASES", {})
    server_case("RFC1350-5-01", alone=True)(_nothing)
    client_case("RFC1350-5-01")(_nothing_either)
    with pytest.raises(ValueError, match="two cases against a server"):
        server_case("RFC1350-5-01")(_something_else)
    assert [case.alone for case in catalogue._CASES.values()] == [True, False]


def _nothing(t: ServerTrial) -> None:
    """Does nothing."""


def _something_else(t: ServerTrial) -> None:
    """Does nothing either."""


def _nothing_either(t: ClientTrial) -> None:
    """Does nothing."""


# Selection


def names(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


def test_all_are_selected_in_the_order_of_the_catalogue() -> None:
    order = list(requirements())
    found = names(select("server", []))
    assert found == sorted(found, key=order.index)
    assert found == names(all_cases("server"))


def test_selection_by_prefix_or_document() -> None:
    found = names(select("server", ["rfc1123-4.2.3.1"]))
    assert found
    assert all(name.startswith("RFC1123-4.2.3.1-") for name in found)
    whole = names(select("server", ["RFC1350"]))
    assert {requirements()[name].document for name in whole} == {"rfc1350"}
    both = names(select("server", ["rfc1123-4.2.3.1", "rfc1350"]))
    assert set(both) == {*found, *whole}
    assert select("server", ["nothing-begins-like-this"]) == []


def test_a_document_is_selected_by_its_name() -> None:
    """Its cases have IDs that begin otherwise."""
    documents = {case.name: requirements()[case.name].document for case in all_cases("server")}
    other = {name for name, document in documents.items() if document == "faults"}
    assert set(names(select("server", ["faults"]))) == other


# The house


@pytest.mark.parametrize("path", MODULES, ids=located)
def test_nothing_is_imported_but_the_suite_and_the_library(path: Path) -> None:
    """Relative only, since the package has another name where it is installed."""
    allowed = set(sys.stdlib_module_names)
    if path.name in COMMAND_LINE:
        allowed |= {"typer", "rich"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = set() if node.level else {str(node.module).partition(".")[0]}
        else:
            continue
        assert found <= allowed, f"line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=located)
def test_a_module_fits_a_head(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_LINES
    docstring = ast.get_docstring(tree) or ""
    tiny = len(text.splitlines()) <= 12
    assert docstring
    assert len(docstring.splitlines()) >= MIN_DOCSTRING_LINES or tiny
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.body[0].lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", CASES, ids=located)
def test_cases_use_no_clock_and_no_socket_of_their_own(path: Path) -> None:
    """They run on virtual time too, and there sleep would be real."""
    tree = ast.parse(path.read_text("utf-8"))
    modules = {alias.name for node in ast.walk(tree) for alias in _imported(node)}
    assert not modules & {"time", "socket", "select", "threading", "asyncio"}


def _imported(node: ast.AST) -> list[ast.alias]:
    if isinstance(node, ast.Import):
        return node.names
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [ast.alias(str(node.module))]
    return []
