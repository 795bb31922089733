"""One line for each transfer: who, what, how much, how fast, how it ended.

Two forms: a sentence for people, and fields for machines. Names come from the network, so
they are quoted and no control character gets through. Must not know where lines go.
"""

from dataclasses import dataclass

from tftp.errors import ErrorCode
from tftp.protocol.packets import RRQ, Options
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address, Ending, Outcome
from tftp.server.service import Admitted, Refused

__all__ = ["Report", "escaped", "of_refusal", "of_transfer", "shown", "spelled"]

MAX_TEXT = 200  # characters of a peer's own words; a datagram has room for 65,000


@dataclass(frozen=True, slots=True)
class Report:
    """A transfer that is over, or a request that was refused."""

    peer: Address
    verb: str
    """What the peer wanted: `read`, `write` or `request`."""
    file: str
    mode: str
    size: int
    """Octets that went across."""
    seconds: float
    options: Options
    resent: int
    timeouts: int
    outcome: str
    """In words."""
    ok: bool
    probe: bool = False
    """Whether the peer only asked for the size, as UEFI does before each transfer."""

    @property
    def rate(self) -> float:
        """Returns octets a second."""
        return self.size / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        """Returns the line for people."""
        words = [spelled(self.peer), self.verb, shown(self.file)]
        if self.mode == "netascii":
            words.append("as netascii")
        if self.ok and not self.probe:
            words.append(f"{self.size} bytes in {self.seconds:.3f} s, {_rate(self.rate)}")
        elif self.size:
            words.append(f"{self.size} bytes")
        if self.options:
            words.append("(" + " ".join(f"{name}={value}" for name, value in self.options) + ")")
        if self.resent or self.timeouts:
            words.append(f"{self.resent} sent again, {self.timeouts} timeouts")
        return " ".join(words) + ": " + self.outcome

    def fields(self) -> dict[str, object]:
        """Returns the line for machines; the keys are stable."""
        return {
            "event": "probe" if self.probe else "transfer",
            "peer": self.peer[0],
            "port": self.peer[1],
            "operation": self.verb,
            "file": escaped(self.file),
            "mode": self.mode,
            "bytes": self.size,
            "seconds": round(self.seconds, 6),
            "rate": round(self.rate),
            "options": {escaped(name): escaped(value) for name, value in self.options},
            "resent": self.resent,
            "timeouts": self.timeouts,
            "ok": self.ok,
            "outcome": self.outcome,
        }


def of_transfer(admitted: Admitted) -> Report:
    """Tells of a transfer that is over."""
    transfer, request = admitted.transfer, admitted.request
    outcome = transfer.outcome
    assert outcome is not None, "a transfer that is over has an outcome"
    probe = _is_probe(transfer, outcome)
    return Report(
        peer=admitted.peer,
        verb="read" if request.opcode == RRQ else "write",
        file=request.filename,
        mode=request.mode,
        size=transfer.received_bytes if isinstance(transfer, Receiver) else transfer.sent_bytes,
        seconds=transfer.heard_at - admitted.started,
        options=transfer.terms.options,
        resent=transfer.resent,
        timeouts=transfer.timeouts,
        outcome="size probe" if probe else _words(outcome),
        ok=outcome.ok or probe,
        probe=probe,
    )


def of_refusal(refused: Refused, peer: Address) -> Report:
    """Tells of a request that became no transfer."""
    request = refused.request
    verb, name, mode = "request", "", ""
    if request is not None:
        verb = "read" if request.opcode == RRQ else "write"
        name, mode = request.filename, request.mode
    outcome = f"refused with error {int(refused.code)}, {refused.message}"
    return Report(peer, verb, name, escaped(mode), 0, 0.0, (), 0, 0, outcome, ok=False)


def spelled(address: Address) -> str:
    """Returns address and port as people write them."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def shown(name: str) -> str:
    """Returns a name in quotes, with all that is not printable escaped."""
    return '"' + escaped(name).replace('"', '\\"') + '"'


def escaped(name: str) -> str:
    """Returns a text from the network with all that is not printable escaped."""
    return "".join(c if c.isprintable() else _escape(c) for c in name)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # an octet that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _is_probe(transfer: Sender | Receiver, outcome: Outcome) -> bool:
    return (
        outcome.ending is Ending.PEER_ERROR
        and outcome.code == ErrorCode.OPTION_REFUSED
        and isinstance(transfer, Sender)
        and transfer.sent_blocks == 0
        and transfer.terms.size is not None
    )


def _words(outcome: Outcome) -> str:
    match outcome.ending:
        case Ending.COMPLETE:
            return "done"
        case Ending.UNCONFIRMED:
            return "done, but the last ACK is missing"
        case Ending.PEER_ERROR:
            text = shown(outcome.message[:MAX_TEXT])
            return f"the peer ended it with error {outcome.code}, {text}"
        case Ending.TIMEOUT:
            return "failed, the peer stopped answering"
        case Ending.SUPERSEDED:
            return "given up, the peer began anew"
        case Ending.REFUSED | Ending.ILLEGAL | Ending.ABORTED:
            return f"failed with error {outcome.code}, {outcome.message}"


def _rate(rate: float) -> str:
    for unit in ("B/s", "kB/s", "MB/s"):
        if rate < 1000:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} GB/s"
