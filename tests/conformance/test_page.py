"""The page for a browser: one file that needs no network, whatever targets have sent."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from conformance.catalogue import requirements
from conformance.outputs import DOCUMENTS
from conformance.page import LADDER_LINES, page, page_data, write_page
from conformance.verdict import Verdict
from tests.conformance.results import BREAKER, column, result, some_results


class Outline(HTMLParser):
    """The tags of a page, with what refers to elsewhere, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        self.references += [v or "" for n, v in attrs if n in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def data_of(text: str) -> dict[str, object]:
    """Returns the data that stands in the script of a page."""
    (script,) = Outline(text).scripts
    found = re.search(r"^const DATA = (.*);$", script, re.MULTILINE)
    assert found is not None
    data = json.loads(found[1])
    assert isinstance(data, dict)
    return data


def test_the_page_refers_to_nothing_outside() -> None:
    text = page([column("one", some_results())])
    outline = Outline(text)
    assert outline.references == []
    assert "link" not in outline.tags
    assert not re.search(r"(?i)\bhttps?:|//\w+\.\w|@import|\burl\(|\bfetch\(|\bimport\(", text)


def test_the_data_stands_in_the_page() -> None:
    columns = [column("one", some_results(), version="1.2", about="A server.")]
    assert data_of(page(columns)) == json.loads(json.dumps(page_data(columns)))


def test_nothing_that_a_target_sent_breaks_out_of_the_script() -> None:
    plain = Outline(page([column("one", some_results())]))
    nasty = page([column(BREAKER, some_results(BREAKER), version=BREAKER, missing=BREAKER)])
    outline = Outline(nasty)
    assert outline.tags == plain.tags
    assert BREAKER not in nasty
    assert BREAKER in json.dumps(data_of(nasty))


def test_each_target_has_its_results() -> None:
    columns = [
        column("both", [result(Verdict.FAIL, text="it broke")]),
        column("both", [result(Verdict.PASS, side="client")], "client"),
        column("none", [], missing="it is not here"),
    ]
    data = page_data(columns)
    found = json.loads(json.dumps(data))["targets"]
    assert [(one["name"], one["side"]) for one in found] == [
        ("both", "server"),
        ("both", "client"),
        ("none", "server"),
    ]
    assert found[0]["results"]["RFC1350-5-01"]["v"] == "FAIL"
    assert found[0]["results"]["RFC1350-5-01"]["r"] == ["FAIL: it broke"]
    assert len(found[0]["results"]["RFC1350-5-01"]["l"]) == 2
    assert found[1]["results"] == {"RFC1350-5-01": {"v": "PASS"}}
    assert (found[2]["results"], found[2]["missing"]) == ({}, "it is not here")


def test_only_requirements_that_were_tried_are_listed_in_the_order_of_reading() -> None:
    identities = ["F-RD-01", "RFC2348-01", "RFC1350-5-02", "RFC1350-5-01"]
    known = [one for one in identities if one in requirements()]
    columns = [column("one", [result(Verdict.PASS, one) for one in known])]
    found = json.loads(json.dumps(page_data(columns)))["requirements"]
    assert sorted(one["id"] for one in found) == sorted(known)
    titles = list(DOCUMENTS.values())
    places = [titles.index(one["document"]) for one in found]
    assert places == sorted(places)


def test_every_document_has_a_title() -> None:
    assert {one.document for one in requirements().values()} == set(DOCUMENTS)


def test_of_a_long_ladder_the_two_ends_are_shown() -> None:
    columns = [column("one", [result(Verdict.FAIL, steps=150)])]
    cell = json.loads(json.dumps(page_data(columns)))["targets"][0]["results"]["RFC1350-5-01"]
    assert len(cell["l"]) == LADDER_LINES + 1
    assert "RRQ" in cell["l"][0]
    assert "DATA 150," in cell["l"][-1]


def test_the_page_is_written_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, [column("caf\u00e9", some_results("\u00fc"))])
    assert path.read_bytes().startswith(b"<!doctype html>")
    assert "caf\u00e9" in json.dumps(data_of(path.read_text("utf-8")), ensure_ascii=False)
