"""RFC 1350 section 5, tried against clients: octet and netascii.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_trial import ClientTrial
from ..fixtures import FIXTURES
from ..wire import RRQ, ack

LOCAL = FIXTURES["text"]
WIRE = b"foo\r\nbar\r\0baz\r\n\r\0\r\nqux"
"""The same text as netascii has it."""

ALL = bytes(number * 167 & 0xFF for number in range(256)) + bytes(range(256))
"""Every octet twice, in two orders: among them each way to write a line end."""


@client_case("RFC1350-5-21")
def octet_mode_changes_nothing(t: ClientTrial) -> None:
    """All 256 values, in two orders, both ways."""
    for request in t.ways(ALL):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(ALL)
            t.succeeds(ALL)
        else:
            line.send(ack(0))
            t.check(line.take() == ALL, "the file arrived with other octets")
            t.succeeds()


@client_case("RFC1350-5-30")
def line_ends_are_encoded(t: ClientTrial) -> None:
    """A text with each kind of line end; what matters is its form on the wire."""
    line = t.server(t.put(LOCAL, mode="netascii"))
    line.send(ack(0))
    sent = line.take()
    t.check(sent == WIRE, f"{LOCAL!r} was sent as {sent!r}")
    t.succeeds()


@client_case("RFC1350-5-37")
def netascii_is_translated_both_ways(t: ClientTrial) -> None:
    """The same text once decoded into a local file, once encoded from one."""
    for request in t.ways(LOCAL, mode="netascii"):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(WIRE)
            t.succeeds(LOCAL)
        else:
            line.send(ack(0))
            sent = line.take()
            t.check(sent == WIRE, f"{LOCAL!r} was sent as {sent!r}")
            t.succeeds()
