"""Results for tests of what is made of results: files, pages, tables, exit statuses."""

from conformance.catalogue import Case, requirements
from conformance.ladder import Ladder
from conformance.outputs import Column, fields
from conformance.runner import Result
from conformance.verdict import Remark, Verdict
from conformance.wire import data, rrq

__all__ = ["BREAKER", "column", "result", "some_results"]

US, THEM = ("127.0.0.1", 50000), ("127.0.0.1", 69)

BREAKER = "</script><script>alert(1)</script><!--"
"""What a target might send to break out of a page."""


def result(
    verdict: Verdict,
    identity: str = "RFC1350-5-01",
    *,
    side: str = "server",
    text: str = "it did something",
    steps: int = 1,
) -> Result:
    """Returns a result with a remark and a ladder of so many steps, and one more."""
    ladder = Ladder(0.0)
    ladder.sent(0.0, US, THEM, rrq(text))
    for step in range(steps):
        ladder.heard(0.5 + step, US, THEM, data(step + 1, b"x" * 512))
    remarks = () if verdict is Verdict.PASS else (Remark(verdict, text),)
    return Result(Case(identity, side, lambda _: None), verdict, remarks, 1.25, ladder)


def some_results(text: str = "it did something") -> list[Result]:
    """Returns a result of each verdict, each of a case that exists."""
    identities = list(requirements())
    return [
        result(verdict, identity, text=text)
        for verdict, identity in zip(Verdict, identities, strict=False)
    ]


def column(name: str, results: list[Result], side: str = "server", **about: str) -> Column:
    """Returns the column of a target with these results."""
    return Column(name, side, [fields(one, ladder=True) for one in results], **about)
