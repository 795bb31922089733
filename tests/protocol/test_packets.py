"""The codec: golden octets, round trips, and any octets at all (RFC 1350 section 5, RFC 2347)."""

import itertools
import random
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.protocol.vectors import Vector, load, load_all
from tftp.errors import ErrorCode, MalformedPacket
from tftp.protocol.packets import (
    ACK,
    DATA,
    ERROR,
    MAX_BLOCK_SIZE,
    OACK,
    RRQ,
    WRQ,
    Ack,
    Data,
    Error,
    Oack,
    Opcode,
    Options,
    Packet,
    Request,
    decode,
    decode_request,
    describe,
    encode,
    encode_ack,
    encode_error,
    peek,
)

VECTORS = load_all()
GOOD = [vector for vector in VECTORS if vector.packet is not None]
STRICT = [vector for vector in VECTORS if vector.strict]
BAD = load("malformed")


def named(vector: Vector) -> str:
    return vector.name


def survives(octets: bytes) -> None:
    """Decodes in every way there is; a MalformedPacket is fine, and nothing else is."""
    for read in (decode, decode_request, peek):
        with suppress(MalformedPacket):
            read(octets)
    # RFC1350-5-15: nothing in it forges a line of a log or reaches a terminal raw.
    assert describe(octets).isprintable()


# Golden octets


def test_vectors_have_names_of_their_own() -> None:
    names = [vector.name for vector in VECTORS]
    assert len(set(names)) == len(names) > 90


@pytest.mark.parametrize("vector", GOOD, ids=named)
def test_vector_decodes(vector: Vector) -> None:
    """CODEC-01, CODEC-03, CODEC-04, CODEC-05 and what each vector names."""
    assert decode(vector.octets) == vector.packet
    assert decode(memoryview(vector.octets)) == vector.packet
    assert type(decode(vector.octets)) is type(vector.packet)


@pytest.mark.parametrize("vector", STRICT, ids=named)
def test_strict_vector_encodes_to_the_same_octets(vector: Vector) -> None:
    """CODEC-01, RFC1350-5-27: both directions of the codec, octet for octet."""
    assert vector.packet is not None
    assert encode(vector.packet) == vector.octets


@pytest.mark.parametrize("vector", BAD, ids=named)
def test_malformed_vector_is_refused(vector: Vector) -> None:
    """RFC1350-5-04, -05, -06, -08, -17, -24: no value comes out of what is no packet."""
    with pytest.raises(MalformedPacket) as caught:
        decode(vector.octets)
    assert caught.value.code == ErrorCode.ILLEGAL_OPERATION
    assert describe(vector.octets).startswith("malformed (")


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_every_truncation_and_bit_flip_of_a_vector_is_survived(vector: Vector) -> None:
    """CODEC-02: cut anywhere, or with any one bit turned."""
    for end in range(len(vector.octets)):
        survives(vector.octets[:end])
    for place in range(min(len(vector.octets), 64) * 8):
        turned = bytearray(vector.octets)
        turned[place // 8] ^= 1 << place % 8
        survives(bytes(turned))


@pytest.mark.parametrize("vector", load("firmware")[:10], ids=named)
def test_truncated_firmware_request_loses_options_only_from_its_end(vector: Vector) -> None:
    """RFC1350-5-04, RFC1350-5-05: a cut request is malformed, or has the first options."""
    whole = vector.packet
    assert isinstance(whole, Request)
    for end in range(len(vector.octets)):
        try:
            part = decode_request(vector.octets[:end])
        except MalformedPacket:
            assert vector.octets[:end].count(0) - 1 < 2
            continue
        assert part._replace(options=()) == whole._replace(options=())
        assert part.options == whole.options[: len(part.options)]
        assert len(part.options) < len(whole.options) or not whole.options


# Small spaces, wholly


def test_all_strings_of_up_to_two_octets() -> None:
    """CODEC-02, RFC1350-5-08: only an OACK without options is a packet this short."""
    for length in range(3):
        for octets in itertools.product(range(256), repeat=length):
            datagram = bytes(octets)
            if datagram == b"\0\6":
                assert decode(datagram) == Oack(())
                continue
            with pytest.raises(MalformedPacket):
                decode(datagram)


def test_sampled_strings_of_three_octets() -> None:
    """CODEC-02: every opcode with every third octet that could matter, and a sample."""
    generator = random.Random(3)
    sample = {bytes(generator.randbytes(3)) for _ in range(20_000)}
    sample |= {bytes([0, opcode, third]) for opcode in range(10) for third in range(256)}
    for datagram in sample:
        if datagram[:2] == b"\0\6":
            assert decode(datagram) == Oack(())
            continue
        with pytest.raises(MalformedPacket):
            decode(datagram)


@given(st.integers(0, 9), st.binary(max_size=80))
@example(1, b"\0\0\0\0\0\0")
@example(6, b"\0a\0b\0")
def test_arbitrary_octets_never_raise_anything_else(opcode: int, rest: bytes) -> None:
    """CODEC-02, ROB-LOAD-09: with an opcode in front that makes it interesting."""
    survives(rest)
    survives(bytes([0, opcode]) + rest)


@pytest.mark.parametrize("opcode", range(8))
def test_the_largest_datagram(opcode: int) -> None:
    """CODEC-02, RFC2347-P-03: 65,507 octets is what UDP carries at most."""
    for filler in (b"\0", b"a", b"a\0", b"\xff"):
        survives((bytes([0, opcode]) + filler * 65_507)[:65_507])


# Round trips

ascii_text = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
octet_text = st.binary(max_size=12).map(
    lambda octets: octets.replace(b"\0", b"").decode("ascii", "surrogateescape")
)
file_names = (
    st.binary(min_size=1, max_size=60)
    .map(lambda octets: octets.replace(b"\0", b"\xff").decode("utf-8", "surrogateescape"))
    .filter(bool)
)
option_names = octet_text.filter(bool)
option_lists: st.SearchStrategy[Options] = st.lists(
    st.tuples(option_names, octet_text), max_size=8, unique_by=lambda pair: pair[0].lower()
).map(tuple)
wire_numbers = st.integers(0, 65535)
requests = st.builds(
    Request,
    st.sampled_from([RRQ, WRQ]),
    file_names,
    ascii_text.filter(bool).map(str.lower),
    option_lists,
)
packets: st.SearchStrategy[Packet] = st.one_of(
    requests,
    st.builds(Data, wire_numbers, st.binary(max_size=600)),
    st.builds(Ack, wire_numbers),
    st.builds(
        Error,
        wire_numbers,
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200),
    ),
    st.builds(Oack, option_lists),
)


@given(packets)
def test_what_is_encoded_decodes_to_itself(packet: Packet) -> None:
    """CODEC-01."""
    assert decode(encode(packet)) == packet


@given(st.binary(max_size=120), st.sampled_from([1, 2, 3, 4, 5, 6]))
def test_what_is_decoded_encodes_to_a_fixed_point(rest: bytes, opcode: int) -> None:
    """CODEC-01, CODEC-05: whatever decodes either has no strict form, or one that is stable."""
    try:
        packet = decode(bytes([0, opcode]) + rest)
        strict = encode(packet)
    except ValueError:
        assert opcode in (RRQ, WRQ, OACK)
        return
    except MalformedPacket:
        return
    again = decode(strict)
    assert encode(again) == strict
    if not isinstance(packet, Error):  # its text is made printable
        assert again == packet


@given(st.binary(min_size=1, max_size=400).filter(lambda octets: b"\0" not in octets))
def test_every_name_makes_the_way_back_to_its_octets(name: bytes) -> None:
    """CODEC-05, RFC1350-5-13: no octet of a name becomes another one."""
    request = decode_request(b"\0\1" + name + b"\0octet\0")
    assert request.filename.encode("utf-8", "surrogateescape") == name
    assert encode(request) == b"\0\1" + name + b"\0octet\0"


@pytest.mark.parametrize("block", [0, 1, 255, 256, 65535])
@pytest.mark.parametrize("length", [0, 1, 512, MAX_BLOCK_SIZE])
def test_data_at_its_bounds(block: int, length: int) -> None:
    """CODEC-04."""
    payload = bytes(i & 255 for i in range(length))
    octets = encode(Data(block, payload))
    assert octets == b"\0\3" + block.to_bytes(2, "big") + payload
    assert decode(octets) == Data(block, payload)


def test_a_decoded_payload_is_a_view_of_the_datagram() -> None:
    datagram = bytearray(b"\0\3\0\1abc")
    packet = decode(memoryview(datagram))
    assert isinstance(packet, Data)
    datagram[4] = ord("z")
    assert packet.payload == b"zbc"


# What encoding refuses

TOO_LONG = "n" * (512 - 2 - 1 - 6 + 1)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(Request(RRQ, ""), id="empty name"),
        pytest.param(Request(RRQ, "f", ""), id="empty mode"),
        pytest.param(Request(RRQ, "a\0b"), id="NUL in the name"),
        pytest.param(Request(RRQ, "f", "oct\0et"), id="NUL in the mode"),
        pytest.param(Request(RRQ, "f", "öctet"), id="mode that is not ASCII"),
        pytest.param(Request(WRQ, "f", "octet", (("a\0", "1"),)), id="NUL in an option"),
        pytest.param(Request(WRQ, "f", "octet", (("a", "1\0"),)), id="NUL in a value"),
        pytest.param(Request(WRQ, "f", "octet", (("a", "é"),)), id="value that is not ASCII"),
        pytest.param(Request(RRQ, "f", "octet", (("", "1"),)), id="option without a name"),
        pytest.param(Request(RRQ, "f", "octet", (("a", "1"), ("A", "2"))), id="option twice"),
        pytest.param(Request(RRQ, TOO_LONG), id="513 octets"),
        pytest.param(Request(WRQ, "é" * 252 + "n"), id="513 octets in UTF-8"),
        pytest.param(Request(DATA, "f"), id="no request at all"),
        pytest.param(Request(0, "f"), id="opcode 0"),
        pytest.param(Oack((("a", "1"), ("a", "1"))), id="OACK with an option twice"),
        pytest.param(Oack((("", ""),)), id="OACK with an empty name"),
        pytest.param(Oack((("a\0b", ""),)), id="OACK with a NUL"),
        pytest.param(Data(1, bytes(MAX_BLOCK_SIZE + 1)), id="block too large"),
    ],
)
def test_encoding_refuses_what_has_no_strict_form(packet: Packet) -> None:
    """CODEC-06, RFC2347-N-24, RFC2347-P-09: refused before anything is sent."""
    with pytest.raises(ValueError, match=r"\w"):
        encode(packet)


def test_the_longest_request_is_made() -> None:
    """RFC2347-P-09: 512 octets are allowed."""
    assert len(encode(Request(RRQ, TOO_LONG[:-1]))) == 512


def test_the_mode_is_sent_in_lower_case() -> None:
    """CODEC-06."""
    assert encode(Request(RRQ, "f", "OCTET")) == b"\0\1f\0octet\0"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("File not found", b"File not found"),
        ("", b""),
        ("caf\u00e9\0\n\x1b[2J", b"caf????[2J"),
        ("~ !\x7f", b"~ !?"),
        ("x" * 201, b"x" * 200),
    ],
)
def test_error_text_is_printable_ascii_of_bounded_length(message: str, text: bytes) -> None:
    """CODEC-06, ROB-ERR-01: no NUL ends it early, no control octet leaves us."""
    assert encode_error(3, message) == b"\0\5\0\3" + text + b"\0"


@pytest.mark.parametrize("block", [0, 1, 65535])
def test_ack_is_four_octets(block: int) -> None:
    """RFC1350-5-20."""
    assert encode_ack(block) == b"\0\4" + block.to_bytes(2, "big") == encode(Ack(block))


def test_plain_opcodes_are_those_of_the_enum() -> None:
    """RFC 1350 section 5, RFC 2347."""
    assert [RRQ, WRQ, DATA, ACK, ERROR, OACK] == [1, 2, 3, 4, 5, 6] == list(Opcode)
    assert [peek(bytes([0, opcode])) for opcode in Opcode] == list(Opcode)


def test_only_requests_decode_as_requests() -> None:
    for octets in (b"\0\3\0\1", b"\0\4\0\1", b"\0\6a\0b\0", b"\0\0f\0octet\0"):
        with pytest.raises(MalformedPacket):
            decode_request(octets)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\0\1f\0Octet\0tsize\x000\0", "RRQ 'f' octet tsize=0"),
        (b"\0\2f\0octet\0", "WRQ 'f' octet"),
        (b"\0\3\1\0abc", "DATA 256 (3 octets)"),
        (b"\0\4\0\7", "ACK 7"),
        (b"\0\5\0\1no\0", "ERROR 1 'no'"),
        (b"\0\6a\x001\0b\x002\0", "OACK a=1 b=2"),
        (b"\0\4\0", "malformed (Packet shorter than its header, 3 octets)"),
    ],
)
def test_describe(octets: bytes, words: str) -> None:
    assert describe(octets) == words
