"""The suite's own wire code: what it builds, right or wrong, and what it reads.

The octets stand here as literals, for a codec that is checked against itself proves nothing.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.wire import Packet, ack, data, error, oack, parse, rrq, words, wrq

BUILT = {
    "a read": (rrq("f"), b"\0\1f\0octet\0"),
    "a write": (wrq("f", "netascii"), b"\0\2f\0netascii\0"),
    "options": (
        rrq("f", options=[("blksize", 8), ("tsize", "0")]),
        b"\0\1f\0octet\0blksize\0008\0tsize\0000\0",
    ),
    "an option twice": (
        rrq("f", options=[("a", 1), (b"a", b"\xff")]),
        b"\0\1f\0octet\0a\0001\0a\0\xff\0",
    ),
    "a name of octets": (rrq(b"\xff/x", b""), b"\0\1\xff/x\0\0"),
    "a block": (data(1, b"abc"), b"\0\3\0\1abc"),
    "a block number beyond 16 bits": (data(65537), b"\0\3\0\1"),
    "an ACK": (ack(258), b"\0\4\1\2"),
    "an ACK beyond 16 bits": (ack(65536), b"\0\4\0\0"),
    "an ERROR": (error(1, "gone"), b"\0\5\0\1gone\0"),
    "an OACK": (oack({"tsize": 7}), b"\0\6tsize\0007\0"),
    "an empty OACK": (oack({}), b"\0\6"),
}

ODD = {
    b"": "shorter than an opcode",
    b"\0": "shorter than an opcode",
    b"\0\7\0\1": "opcode 7",
    b"\0\0": "opcode 0",
    b"\0\3\0": "DATA cut short",
    b"\0\4": "ACK cut short",
    b"\0\5\0": "ERROR cut short",
    b"\0\4\0\1\0": "1 octets too long",
    b"\0\5\0\1gone": "text without its zero octet",
    b"\0\5\0\1gone\0x": "1 octets behind the text",
    b"\0\1f": "name without end",
    b"\0\1f\0octet": "mode without end",
    b"\0\1f\0octet\0a\0": "an option without a value",
    b"\0\6a\0b": "options without end",
    b"\0\6a\0": "an option without a value",
}


@pytest.mark.parametrize("what", BUILT)
def test_what_is_built(what: str) -> None:
    built, octets = BUILT[what]
    assert built == octets


@pytest.mark.parametrize("datagram", ODD, ids=ODD.values())
def test_odd_forms_are_noted(datagram: bytes) -> None:
    packet = parse(datagram)
    assert packet.odd == ODD[datagram]
    assert packet.odd in words(datagram)


@pytest.mark.parametrize("what", BUILT)
def test_what_is_built_is_read_and_not_odd(what: str) -> None:
    packet = parse(BUILT[what][0], ("192.0.2.1", 7), 3.5)
    assert packet.odd == ""
    assert packet.raw == BUILT[what][1]
    assert (packet.source, packet.at) == (("192.0.2.1", 7), 3.5)


def test_a_request_is_read() -> None:
    packet = parse(wrq("n\xe4me", "OcTet", [("BlkSize", 9), ("tsize", "0")]))
    assert (packet.kind, packet.name, packet.mode) == ("WRQ", "n\xe4me".encode(), "OcTet")
    assert packet.options == {"blksize": "9", "tsize": "0"}
    assert packet.pairs == (("BlkSize", "9"), ("tsize", "0"))


def test_of_a_doubled_option_the_first_counts() -> None:
    packet = parse(oack([("A", 1), ("a", 2)]))
    assert packet.options == {"a": "1"}
    assert packet.pairs == (("A", "1"), ("a", "2"))


def test_the_other_kinds_are_read() -> None:
    block, number, failure = parse(data(65535, b"xy")), parse(ack(9)), parse(error(8, "\xe4"))
    assert (block.kind, block.block, block.payload) == ("DATA", 65535, b"xy")
    assert (number.kind, number.block) == ("ACK", 9)
    assert (failure.kind, failure.code, failure.text) == ("ERROR", 8, "\xe4")
    assert parse(b"\0\7\0\1").kind == "?"


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (rrq("f", options={"blksize": 8}), "RRQ 'f' octet blksize=8"),
        (data(3, b"xy"), "DATA 3, 2 octets"),
        (ack(3), "ACK 3"),
        (ack(3) + b"!", "ACK 3 [1 octets too long]"),
        (error(4, "no"), "ERROR 4 'no'"),
        (oack({"tsize": 1}), "OACK tsize=1"),
        (b"\xff" * 20, "no TFTP packet (opcode 65535), 20 octets: " + "ff " * 16 + "..."),
    ],
)
def test_words(datagram: bytes, said: str) -> None:
    assert words(datagram) == said
    assert str(parse(datagram)) == said


@given(st.binary(max_size=64))
def test_nothing_makes_it_raise(datagram: bytes) -> None:
    packet = parse(datagram)
    assert isinstance(packet, Packet)
    assert packet.raw == datagram
    assert words(datagram).isprintable()


@given(st.sampled_from([b"\0\1", b"\0\2", b"\0\5", b"\0\6"]), st.binary(max_size=64))
def test_no_text_makes_it_raise(opcode: bytes, rest: bytes) -> None:
    parse(opcode + rest)
    words(opcode + rest)
