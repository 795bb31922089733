"""What the server tells the operator: one line for each transfer, and few others.

Lines go to the standard logger `tftp.server` as objects: `str()` of one is the line for
people, its `fields()` are the line for machines. Whoever runs the server decides on the
form and the place. Lines that a flood could multiply come once in a while, with a count.
Must not know about sockets.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tftp.net.clock import now as clock
from tftp.protocol.packets import RRQ
from tftp.protocol.transfer import Address
from tftp.server.guard import Bucket, Verdict
from tftp.server.report import Report, of_refusal, of_transfer, shown, spelled
from tftp.server.service import Admitted, Refused
from tftp.server.totals import Totals

__all__ = ["Journal", "Notice", "Totals", "say_swept"]

log = logging.getLogger("tftp.server")

QUIET = 5.0  # seconds between two lines about requests that found no room
LINES_BURST = 5.0  # seconds of the lines about failures that may come together
NEVER_TOLD = float("-inf")
UNLOGGED = "there are too many such lines"

# Of these, only the sum is counted.
COUNTED = {Verdict.BUSY: "turned_away", Verdict.SHORT: "turned_away"}


@dataclass(frozen=True, slots=True)
class Notice:
    """A line that is about no single transfer's end."""

    event: str
    message: str

    def __str__(self) -> str:
        """Returns the line for people."""
        return self.message

    def fields(self) -> dict[str, object]:
        """Returns the line for machines."""
        return {"event": self.event, "message": self.message}


class Journal:
    """Writes lines, keeps totals, and calls `listener` with the report of each transfer."""

    def __init__(
        self,
        listener: Callable[[Report], None] | None = None,
        *,
        totals: Totals | None = None,
        keep: Callable[[Totals], None] | None = None,
    ) -> None:
        """Counts on from `totals`, which are zero by default; `keep` gets them at each change."""
        self.totals = totals or Totals()
        self._listener = listener
        self._keep = keep
        self._lines = Bucket(0)
        self._told: dict[str, float] = {}
        self._untold: dict[str, tuple[int, Address]] = {}
        self.due = 0.0
        """When `run` should be called: it tells what has not been told."""

    def limit(self, lines: float) -> None:
        """Writes so many lines a second about what failed or was refused; 0: all of them."""
        self._lines = Bucket(lines, LINES_BURST)

    def began(self, admitted: Admitted) -> None:
        """Notes that a transfer begins: for those who asked for every detail."""
        if log.isEnabledFor(logging.DEBUG):
            request = admitted.request
            verb = "read" if request.opcode == RRQ else "write"
            options = " ".join(f"{name}={value}" for name, value in request.options)
            line = f"{spelled(admitted.peer)} asks to {verb} {shown(request.filename)}"
            self.say(logging.DEBUG, "request", f"{line} in {request.mode} mode, {shown(options)}")

    def ended(self, admitted: Admitted) -> None:
        """Notes that a transfer is over."""
        report = of_transfer(admitted)
        totals = self.totals
        totals.octets += report.size
        totals.resent += report.resent
        if report.probe:
            totals.probes += 1
        elif report.ok:
            totals.completed += 1
        else:
            totals.failed += 1
        self._counted()
        self._write(logging.INFO if report.ok else logging.WARNING, report, admitted.peer)

    def refused(self, refused: Refused, peer: Address) -> None:
        """Notes that a request got an ERROR. Boot loaders ask for much that is not there."""
        self.totals.refused += 1
        self._counted()
        self._write(logging.INFO, of_refusal(refused, peer), peer)

    def busy(self, peer: Address, reason: str, now: float) -> None:
        """Notes that a request found no room; says so once in a while."""
        self.count("turned_away")
        self._mention(peer, reason, now)

    def turn_away(self, verdict: Verdict, peer: Address, now: float, count: int = 1) -> None:
        """Notes that requests get no answer; says so once in a while."""
        self.count(COUNTED.get(verdict, verdict.name.lower()), count)
        self._mention(peer, verdict.value, now, count)

    def count(self, name: str, by: int = 1) -> None:
        """Adds to a total."""
        setattr(self.totals, name, getattr(self.totals, name) + by)
        self._counted()

    def run(self, now: float) -> None:
        """Tells what has been counted only since it was last told of."""
        self.due = now + QUIET
        for reason in list(self._untold):
            self._tell(reason, now)

    def _mention(self, peer: Address, reason: str, now: float, count: int = 1) -> None:
        before, _ = self._untold.get(reason, (0, peer))
        self._untold[reason] = before + count, peer
        if now - self._told.get(reason, NEVER_TOLD) >= QUIET:
            self._tell(reason, now)

    def _tell(self, reason: str, now: float) -> None:
        self._told[reason] = now
        count, peer = self._untold.pop(reason)
        if reason == UNLOGGED:
            line = f"{count} more were refused or failed, the last one of {peer[0]}: {reason}"
        else:
            line = f"no room for {count} request(s), the last one from {peer[0]}: {reason}"
        self.say(logging.WARNING, "busy", line)

    def say(self, level: int, event: str, message: str) -> None:
        """Writes a line that is about no single transfer's end."""
        log.log(level, Notice(event, message))

    def _counted(self) -> None:
        if self._keep is not None:
            self._keep(self.totals)

    def _write(self, level: int, report: Report, peer: Address) -> None:
        if report.ok or self._lines.take(now := clock()):
            log.log(level, report)
        else:
            self.count("unlogged")
            self._mention(peer, UNLOGGED, now)
        if self._listener is None:
            return
        try:
            self._listener(report)
        except Exception:  # whatever it is: it must not end the serving
            log.exception("the listener for transfers failed")


def say_swept(names: Iterable[str]) -> None:
    """Tells of temporary files that were swept away."""
    for name in names:
        line = f"removed {name!r}, left behind by an upload that was killed"
        log.info(Notice("sweep", line))
