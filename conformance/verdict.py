"""Verdicts, and how a case comes to one.

A case that says nothing has passed. It may make remarks on its way, each with a verdict,
and the gravest counts; some end it at once. Must not know what is being judged.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

__all__ = ["Remark", "Remarks", "Stop", "Verdict"]


class Verdict(StrEnum):
    """How an implementation stands to a requirement."""

    PASS = "PASS"
    POLICY = "POLICY"  # the RFC is silent: what was observed
    LENIENT = "LENIENT"  # allowed, but unusual
    WARN = "WARN"  # breaks a SHOULD
    FAIL = "FAIL"  # breaks a MUST, or does harm
    UNSUPPORTED = "UNSUPPORTED"  # an optional feature that is not there
    SKIP = "SKIP"  # could not be tried here
    ERROR = "ERROR"  # of the suite itself

    @property
    def gravity(self) -> int:
        """Returns a number that grows with what a reader must see first."""
        return _ORDER.index(self)


_ORDER = (
    Verdict.PASS,
    Verdict.SKIP,
    Verdict.UNSUPPORTED,
    Verdict.POLICY,
    Verdict.LENIENT,
    Verdict.WARN,
    Verdict.FAIL,
    Verdict.ERROR,
)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was observed, and what it amounts to."""

    verdict: Verdict
    text: str


class Stop(Exception):
    """Ends a case with its last remark."""


@dataclass(slots=True)
class Remarks:
    """What a case has to say; the base of all trials."""

    remarks: list[Remark] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Returns the gravest verdict so far."""
        found = [remark.verdict for remark in self.remarks]
        return max(found, key=lambda verdict: verdict.gravity, default=Verdict.PASS)

    def fail(self, text: str) -> NoReturn:
        """Ends the case: a MUST is broken, or harm was done."""
        self._stop(Verdict.FAIL, text)

    def skip(self, text: str) -> NoReturn:
        """Ends the case: it cannot be tried on this target or machine."""
        self._stop(Verdict.SKIP, text)

    def unsupported(self, text: str) -> NoReturn:
        """Ends the case: the target lacks an optional feature."""
        self._stop(Verdict.UNSUPPORTED, text)

    def check(self, right: bool, text: str) -> None:
        """Fails with `text` unless `right`."""
        if not right:
            self.fail(text)

    def warn(self, text: str) -> None:
        """Notes a SHOULD that is not kept, and goes on."""
        self.remarks.append(Remark(Verdict.WARN, text))

    def lenient(self, text: str) -> None:
        """Notes what is allowed but unusual, and goes on."""
        self.remarks.append(Remark(Verdict.LENIENT, text))

    def policy(self, text: str) -> None:
        """Notes a choice that the RFC leaves open, and goes on."""
        self.remarks.append(Remark(Verdict.POLICY, text))

    def _stop(self, verdict: Verdict, text: str) -> NoReturn:
        self.remarks.append(Remark(verdict, text))
        raise Stop
