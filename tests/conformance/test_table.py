"""The matrix as Markdown: tables that a renderer takes as such, whatever names hold."""

import re
from itertools import groupby

from conformance.outputs import Column
from conformance.table import WORDS, markdown
from conformance.verdict import Verdict
from tests.conformance.results import column, result, some_results


def tables(text: str) -> list[list[list[str]]]:
    """Returns the cells of all tables, row by row."""
    lines = text.splitlines()
    found = []
    for inside, group in groupby(lines, key=lambda line: line.startswith("|")):
        if inside:
            found.append([re.split(r"(?<!\\)\|", row)[1:-1] for row in group])
    return [[[cell.strip() for cell in row] for row in table] for table in found]


def two_sides() -> list[Column]:
    servers = [
        column("ours", [result(Verdict.PASS), result(Verdict.PASS, "RFC2348-01")], version="1.0"),
        column("theirs", [result(Verdict.FAIL)], about="A server.", made="2026-01-02"),
        column("absent", [], missing="there is no engine for it"),
    ]
    return [*servers, column("ours", [result(Verdict.LENIENT, side="client")], "client")]


def test_every_table_is_one() -> None:
    found = tables(markdown(two_sides()))
    assert len(found) == 5  # totals and documents of the servers, and of the clients
    for table in found:
        assert len({len(row) for row in table}) == 1
        assert all(re.fullmatch(r":?-+:?", cell) for cell in table[1])


def test_servers_and_clients_stand_apart_document_by_document() -> None:
    headings = [line for line in markdown(two_sides()).splitlines() if line.startswith("##")]
    assert headings == [
        "## Servers",
        "### RFC 1350, the protocol",
        "### RFC 2348, block size",
        "## Clients",
        "### RFC 1350, the protocol",
    ]


def test_a_word_for_each_verdict_and_a_dash_where_there_is_none() -> None:
    _, first, second, _, clients = tables(markdown(two_sides()))
    assert first[0] == ["Requirement", "Level", "ours", "theirs", "absent"]
    assert first[2][0].endswith("`RFC1350-5-01`")
    assert first[2][1:] == ["MUST", "pass", "**FAIL**", "-"]
    assert second[2][2:] == ["pass", "-", "-"]
    assert clients[2][2:] == ["lenient"]


def test_totals_count_every_result() -> None:
    columns = [column("one", some_results()), column("two", [result(Verdict.PASS)] * 3)]
    totals = tables(markdown(columns))[0]
    assert totals[0] == ["Verdict", "one", "two"]
    assert {row[0]: row[1:] for row in totals[2:]} == {
        word: ["1", "3" if word == "pass" else "0"] for word in WORDS.values()
    }


def test_each_target_is_introduced() -> None:
    text = markdown(two_sides())
    assert "- **ours** 1.0:" in text
    assert "- **theirs**: A server. Judged on 2026-01-02." in text
    assert "**Not judged here**: there is no engine for it." in text
    ended = Column("weak", "server", [], ends=("it ended", "it ended"))
    assert "It ended 2 times under the cases." in markdown([ended])


def test_names_do_not_make_markup() -> None:
    name = "a|b*c_<d>`e`\nf"
    text = markdown([column(name, [result(Verdict.PASS)], missing=name)])
    assert tables(text)[0][0] == ["Verdict", r"a\|b\*c\_\<d\>\`e\` f"]
    assert "<d" not in text.replace(r"\<d", "")
