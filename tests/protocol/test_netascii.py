"""Netascii: the octets of RFC 1350 and RFC 764, however the text is cut."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tftp.protocol.netascii import Decoder, Encoder, decode, encode

LETTERS = [b"\n", b"\r", b"\0", b"a", b"\xff"]
texts = st.lists(st.sampled_from(LETTERS), max_size=24).map(b"".join)
cuts = st.lists(st.integers(min_value=0, max_value=48), max_size=8)

PAIRS = [
    pytest.param(b"", b"", id="empty"),
    pytest.param(b"abc", b"abc", id="plain"),
    pytest.param(b"a\n", b"a\r\n", id="line end"),
    pytest.param(b"\r", b"\r\0", id="bare CR"),
    pytest.param(b"\r\n", b"\r\0\r\n", id="CR LF of the file is two things"),
    pytest.param(b"\n\r", b"\r\n\r\0", id="LF CR"),
    pytest.param(b"\r\0", b"\r\0\0", id="CR NUL of the file"),
    pytest.param(b"\r\r", b"\r\0\r\0", id="CR CR"),
    pytest.param(b"\0\t\x80\xff", b"\0\t\x80\xff", id="NUL, TAB and high octets unchanged"),
    pytest.param(
        b"foo\nbar\rbaz\n\r\nqux",
        b"foo\r\nbar\r\0baz\r\n\r\0\r\nqux",
        id="RFC1350-5-30",
    ),
]


def pieces(text: bytes, where: Sequence[int]) -> list[bytes]:
    """Cuts a text at the given places; some pieces may be empty."""
    marks = [0, *sorted(min(place, len(text)) for place in where), len(text)]
    return [text[start:end] for start, end in pairwise(marks)]


def run(converter: Encoder | Decoder, parts: Sequence[bytes]) -> bytes:
    return b"".join([converter.feed(part) for part in parts]) + converter.finish()


@pytest.mark.parametrize(("local", "wire"), PAIRS)
def test_the_wire_form_is_the_one_of_the_rfc(local: bytes, wire: bytes) -> None:
    assert encode(local) == wire
    assert decode(wire) == local


@pytest.mark.parametrize(
    ("wire", "local"),
    [
        pytest.param(b"y\rz\r", b"y\rz\r", id="RFC1350-5-35: kept before a letter and at the end"),
        pytest.param(b"\r\r\n", b"\r\n", id="CR before a pair"),
        pytest.param(b"\r\r\0", b"\r\r", id="CR before CR NUL"),
        pytest.param(b"\r\r\r", b"\r\r\r", id="three CRs"),
        pytest.param(b"a\nb", b"a\nb", id="a bare LF is kept"),
        pytest.param(b"\r\n\0", b"\n\0", id="a NUL after a pair is a NUL"),
        pytest.param(b"\r\0\n", b"\r\n", id="a decoded CR pairs with nothing"),
        pytest.param(b"\r\xff", b"\r\xff", id="CR before a high octet"),
    ],
)
def test_what_the_rfc_leaves_open_loses_and_invents_nothing(wire: bytes, local: bytes) -> None:
    assert decode(wire) == local


@pytest.mark.parametrize(("local", "wire"), PAIRS)
def test_every_single_cut_gives_the_same_bytes(local: bytes, wire: bytes) -> None:
    for place in range(len(wire) + 1):
        assert run(Decoder(), [wire[:place], wire[place:]]) == local
    for place in range(len(local) + 1):
        assert run(Encoder(), [local[:place], local[place:]]) == wire


def test_a_held_cr_waits_for_the_next_octet_and_no_longer() -> None:
    decoder = Decoder()
    assert decoder.feed(b"a\r") == b"a"
    assert decoder.feed(b"") == b""
    assert decoder.feed(b"\n") == b"\n"
    assert decoder.finish() == b""


def test_finish_gives_the_held_cr_once() -> None:
    decoder = Decoder()
    assert decoder.feed(b"a\r") == b"a"
    assert decoder.finish() == b"\r"
    assert decoder.finish() == b""
    assert decoder.feed(b"\n") == b"\n"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_buffer_is_taken(kind: type[bytes]) -> None:
    assert encode(kind(b"a\n")) == b"a\r\n"
    assert decode(kind(b"a\r\n")) == b"a\n"


@given(texts)
def test_round_trip(text: bytes) -> None:
    assert decode(encode(text)) == text


@given(st.binary(max_size=200))
def test_round_trip_of_any_octets(text: bytes) -> None:
    wire = encode(text)
    assert decode(wire) == text
    assert len(wire) == len(text) + text.count(b"\r") + text.count(b"\n")


@given(texts, cuts)
def test_cuts_do_not_matter_when_encoding(text: bytes, where: list[int]) -> None:
    assert run(Encoder(), pieces(text, where)) == encode(text)


@given(texts, cuts)
def test_cuts_do_not_matter_when_decoding_anything(wire: bytes, where: list[int]) -> None:
    assert run(Decoder(), pieces(wire, where)) == decode(wire)


@given(texts)
def test_the_decoder_agrees_with_one_that_reads_octet_by_octet(wire: bytes) -> None:
    local = bytearray()
    place = 0
    while place < len(wire):
        pair = wire[place : place + 2]
        local += {b"\r\n": b"\n", b"\r\0": b"\r"}.get(pair, wire[place : place + 1])
        place += 2 if pair in (b"\r\n", b"\r\0") else 1
    assert decode(wire) == bytes(local)
