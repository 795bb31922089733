"""Results as files: JSON and JUnit for machines, pcap for the packets.

Must not know how a result came about. The page for people is `page`.
"""

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .runner import Result
from .verdict import Verdict

__all__ = [
    "DOCUMENTS",
    "Column",
    "Row",
    "counts",
    "fields",
    "summary",
    "write_json",
    "write_junit",
    "write_pcaps",
]

DOCUMENTS = {
    "rfc1350": "RFC 1350, the protocol",
    "rfc1123": "RFC 1123, requirements for hosts",
    "rfc2347": "RFC 2347, options",
    "rfc2348": "RFC 2348, block size",
    "rfc2349": "RFC 2349, timeout and transfer size",
    "rfc7440": "RFC 7440, windows",
    "other": "RFC 2090 and 3617, multicast and URLs",
    "historic": "Older RFCs",
    "codec": "Encoding",
    "defacto": "Practice",
    "robustness": "Robustness",
    "security": "Security",
    "faults": "Faults of the network and the peer",
}
"""Documents of the catalogue as people call them, in the order of reading."""

Row = Mapping[str, object]
"""A result as `fields` gives it, or as it was read back from JSON."""


@dataclass(frozen=True, slots=True)
class Column:
    """All that is known of one target."""

    name: str
    side: str
    rows: Sequence[Row]
    about: str = ""
    version: str = ""
    made: str = ""
    """The day on which it was judged."""
    missing: str = ""
    """Why it was not judged, if it was not."""
    ends: Sequence[str] = ()
    """How it ended under the cases, each time that it did."""


def counts(results: Iterable[Result]) -> dict[Verdict, int]:
    """Returns how many results have each verdict; those that nobody has are left out."""
    found = Counter(result.verdict for result in results)
    return {verdict: found[verdict] for verdict in Verdict if found[verdict]}


def summary(results: Iterable[Result]) -> str:
    """Returns the counts in one line."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counts(results).items())


def fields(result: Result, *, ladder: bool) -> dict[str, object]:
    """Returns a result as a machine reads it; the keys are stable."""
    requirement = result.requirement
    row: dict[str, object] = {
        "id": requirement.id,
        "side": result.case.side,
        "clause": requirement.clause,
        "level": requirement.level,
        "title": requirement.title,
        "verdict": str(result.verdict),
        "remarks": [{"verdict": str(r.verdict), "text": r.text} for r in result.remarks],
        "seconds": round(result.seconds, 3),
    }
    if ladder:
        row["ladder"] = result.ladder.lines()
    return row


def write_json(path: Path, target: str, results: Sequence[Result]) -> None:
    """Writes all results, with the ladders of those that did not pass. Raises OSError."""
    rows = [fields(one, ladder=one.verdict is not Verdict.PASS) for one in results]
    tally = {str(verdict): number for verdict, number in counts(results).items()}
    text = json.dumps({"target": target, "counts": tally, "results": rows}, indent=1)
    path.write_text(text + "\n", "utf-8")


def write_junit(path: Path, target: str, results: Sequence[Result], *, strict: bool) -> None:
    """Writes what CI systems read; `strict` makes a WARN a failure. Raises OSError."""
    name = _printable(f"tftp-conformance {target}")
    suite = ET.Element("testsuite", name=name, tests=str(len(results)))
    bad = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
    failures = errors = skipped = 0
    for result in results:
        document = result.requirement.document
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{result.case.side}.{document}",
            name=f"{result.case.name} {result.requirement.title}",
            time=f"{result.seconds:.3f}",
        )
        kind = ""
        if result.verdict is Verdict.ERROR:
            kind, errors = "error", errors + 1
        elif result.verdict in bad:
            kind, failures = "failure", failures + 1
        elif result.verdict in (Verdict.SKIP, Verdict.UNSUPPORTED):
            kind, skipped = "skipped", skipped + 1
        if kind:
            ET.SubElement(case, kind, message=_printable(f"{result.verdict}: {result.text}"))
        if result.verdict is not Verdict.PASS:
            ET.SubElement(case, "system-out").text = _printable("\n".join(result.ladder.lines()))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    suite.set("skipped", str(skipped))
    ET.ElementTree(suite).write(path, "utf-8", xml_declaration=True)


def write_pcaps(folder: Path, results: Iterable[Result]) -> None:
    """Writes a capture for each case, named after it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        result.ladder.write_pcap(folder / f"{result.case.side}-{result.case.name}.pcap")


def _printable(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
