"""What peers do wrong, by name, with the reason and the evidence.

A case that an entry fits must end with exactly its `symptom`. It may also end well, but
not in the version that the fault was seen in: there an entry that is no longer true is
found out. Nothing here excuses our side; the evidence says where in the peer the fault is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.interop.cases import Case
from tests.interop.matrix import KNOWN_FAULT
from tests.interop.peers import version_of

Record = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Known:
    """A fault of a peer."""

    side: str
    peer: str
    fits: Callable[[Case], bool]
    symptom: str
    reason: str
    evidence: str
    seen_in: str
    """How that version of the peer begins."""
    hangs: bool = False
    """Whether the peer would go on for ever after the transfer."""


KNOWN = (
    # ------------------------------------------------------------ clients
    Known(
        "client",
        "curl",
        lambda case: case.way == "get" and case.content == 0 and case.options is None,
        symptom="exit 71, nothing arrived",
        reason="takes a tsize of 0 for an error, so it cannot fetch an empty file",
        evidence="lib/tftp.c, tftp_parse_option_ack: 'invalid tsize'; --tftp-no-options helps",
        seen_in="7.88.1",
    ),
    Known(
        "client",
        "curl",
        lambda case: case.way == "get" and case.column == "netascii",
        symptom="exit 0, left in wire form",
        reason="says netascii, but stores what comes over the wire",
        evidence="lib/tftp.c, tftp_rx: writes the octets of DATA as they are",
        seen_in="7.88.1",
    ),
    Known(
        "client",
        "curl",
        # A line feed alone, and a carriage return before a letter, read the same either way.
        lambda case: case.way == "put" and case.column == "netascii" and case.label != "bordering",
        symptom="exit 0, sent without translation",
        reason="says netascii, but sends the file as it is",
        evidence="lib/tftp.c, tftp_tx: reads straight into the packet",
        seen_in="7.88.1",
    ),
    Known(
        "client",
        "curl",
        lambda case: case.way == "put" and case.label in ("65535 blocks of 8", "65536 blocks of 8"),
        symptom="hangs, same bytes",
        reason="does not see that it has sent all where the next number would be 0 or 1",
        evidence="lib/tftp.c, tftp_tx: the end is `block > 1 && sbytes < blksize`, wrapped or not",
        seen_in="7.88.1",
        hangs=True,
    ),
    Known(
        "client",
        "tftp-hpa",
        lambda case: case.way == "put" and case.label == "65536 blocks of 512",
        symptom="hangs, same bytes",
        reason="sends one more block after a last block of number 0, and waits for its ACK",
        evidence="tftp/tftp.c, tftp_sendfile: goes on `while (size == SEGSIZE || block == 1)`",
        seen_in="5.2",
        hangs=True,
    ),
    # ------------------------------------------------------------ servers
    Known(
        "server",
        "tftpy",
        lambda case: bool(case.options) and "blksize" not in (case.options or {}),
        symptom="OptionRefused",
        reason="answers any option with a blksize too, which RFC 2347 forbids if nobody asked",
        evidence="TftpStates.py, TftpServerState.serverInitial: sets the default blksize",
        seen_in="0.8.7",
    ),
    Known(
        "server",
        "py3tftp",
        lambda case: "timeout" in (case.options or {}),
        symptom="OptionRefused",
        reason="grants a timeout of 2 as `2.0`, which is not the value that was asked",
        evidence="tftp_parsing.py, timeout_parser: makes a float of it",
        seen_in="1.3.0",
    ),
)


def find_known(case: Case) -> Known | None:
    """Returns the fault that a case runs into, if there is one."""
    for known in KNOWN:
        if (known.side, known.peer) == (case.side, case.peer) and known.fits(case):
            return known
    return None


def judge(case: Case, symptom: str, well: str, details: str, record: Record) -> bool:
    """Fails the test unless all went `well`, or wrong just as it is known to.

    Returns whether it went well.
    """
    known = find_known(case)
    if known is None or (symptom == well and not version_of(case.peer).startswith(known.seen_in)):
        assert symptom == well, f"{case.id}: {symptom}\n{details}"
        return True
    record(KNOWN_FAULT, known.reason)
    assert symptom == known.symptom, (
        f"{case.id} was known for {known.symptom!r}, and now there is {symptom!r}: "
        f"look at the entry {known.reason!r}\n{details}"
    )
    return False
