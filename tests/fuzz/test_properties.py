"""The targets under hypothesis: the same checks without atheris, on every Python.

`derandomize` makes every run try the same inputs, so that a failure is one for everybody.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.fuzz.catalogue import TARGETS, load
from tests.fuzz.feed import Feed
from tests.fuzz.hall import FILES, LINKS, Hall, Party
from tests.fuzz.machines import any_datagram
from tests.fuzz.targets.service import MODES, PATHS, SOURCES, answer, flow
from tests.server.wire import error
from tftp.errors import OptionRefused
from tftp.protocol import netascii
from tftp.protocol.options import Ceiling, Wish, confirm, grant, propose
from tftp.protocol.packets import (
    MAX_REQUEST,
    Ack,
    Data,
    Error,
    Oack,
    Request,
    decode,
    describe,
    encode,
)
from tftp.protocol.transfer import Address
from tftp.server.config import Upload

STEADY = settings(
    deadline=None,
    derandomize=True,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

texts = st.binary(max_size=40).map(lambda octets: octets.replace(b"\0", b""))
ascii_texts = texts.map(lambda octets: octets.decode("ascii", "surrogateescape"))
names = texts.map(lambda octets: octets.decode("utf-8", "surrogateescape"))
pairs = st.lists(
    st.tuples(ascii_texts.filter(bool), ascii_texts), max_size=6, unique_by=lambda p: p[0].lower()
).map(tuple)
ports = st.integers(0, 65535)
packets = st.one_of(
    st.builds(
        Request,
        st.sampled_from([1, 2]),
        names.filter(bool),
        ascii_texts.filter(bool).map(str.lower),
        pairs,
    ),
    st.builds(Data, ports, st.binary(max_size=600)),
    st.builds(Ack, ports),
    st.builds(Error, ports, st.text(st.characters(min_codepoint=32, max_codepoint=126))),
    st.builds(Oack, pairs),
)
sizes = st.integers(8, 65464)
windows = st.integers(1, 65535)
wishes = st.builds(
    Wish,
    st.none() | sizes,
    st.none() | windows,
    st.none() | st.integers(1, 255),
    st.none() | st.integers(0, 2**64),
    st.none() | st.integers(0, 1),
)
ceilings = st.builds(Ceiling, sizes, windows, st.none() | st.integers(0, 2**64))


@pytest.mark.parametrize("name", TARGETS)
def test_any_octets_find_nothing(name: str) -> None:
    target = load(name)

    @STEADY
    @given(st.binary(max_size=300))
    def play(data: bytes) -> None:
        target(data)

    play()


@STEADY
@given(packets, st.data())
def test_packets_make_the_round_trip(
    packet: Request | Data | Ack | Error | Oack, more: st.DataObject
) -> None:
    try:
        octets = encode(packet)
    except ValueError:
        assert isinstance(packet, Request), packet
        assert "longer" in describe_failure(packet)
        return
    if isinstance(packet, Error):
        packet = packet._replace(message=packet.message[:200])
    assert decode(octets) == packet
    # One octet changed, or the end cut off: another packet or none, and nothing else.
    place = more.draw(st.integers(0, len(octets)))
    for other in (octets[:place], octets[:place] + b"\0" + octets[place + 1 :]):
        load("codec")(other)
        assert describe(other)


def describe_failure(packet: Request) -> str:
    with pytest.raises(ValueError, match=str(MAX_REQUEST)) as caught:
        encode(packet)
    return str(caught.value)


@STEADY
@given(wishes, ceilings, st.booleans())
def test_a_client_takes_every_answer_of_our_server(
    wish: Wish, ceiling: Ceiling, reading: bool
) -> None:
    asked = propose(wish)
    terms = grant(asked, ceiling, reading=reading)
    assert confirm(asked, terms.options) == terms
    assert terms.block_size <= max(512, ceiling.block_size)
    assert terms.window <= ceiling.window
    assert {name for name, _ in terms.options} <= {name for name, _ in asked}


@STEADY
@given(wishes, pairs)
def test_a_client_takes_only_what_it_asked_for(
    wish: Wish, answered: tuple[tuple[str, str], ...]
) -> None:
    asked = dict(propose(wish))
    try:
        terms = confirm(propose(wish), answered)
    except OptionRefused:
        return
    assert {name.lower() for name, _ in answered} <= asked.keys()
    assert terms.options == answered


@STEADY
@given(st.lists(st.binary(max_size=9) | st.sampled_from([b"\r", b"\n", b"\r\n", b"\0"])))
def test_netascii_is_the_same_for_any_cut(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    encoder, decoder = netascii.Encoder(), netascii.Decoder()
    wire = [encoder.feed(piece) for piece in pieces]
    assert b"".join(wire) + encoder.finish() == netascii.encode(text)
    local = b"".join([decoder.feed(piece) for piece in wire]) + decoder.finish()
    assert local == text


class ServiceMachine(RuleBasedStateMachine):
    """A service to which anything happens in any order; the hall checks after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.hall = Hall(Upload.OVERWRITE)

    def party(self, place: int) -> Party:
        return self.hall.parties[place % len(self.hall.parties)]

    def teardown(self) -> None:
        self.hall.close()

    @rule(
        opcode=st.sampled_from([b"\0\1", b"\0\2"]),
        path=st.sampled_from(PATHS) | texts,
        mode=st.sampled_from(MODES),
        wish=wishes,
        more=pairs,
        source=st.sampled_from(SOURCES),
    )
    def ask(
        self,
        opcode: bytes,
        path: bytes,
        mode: bytes,
        wish: Wish,
        more: tuple[tuple[str, str], ...],
        source: Address,
    ) -> None:
        texts = [text for pair in (*propose(wish), *more) for text in pair]
        strings = [path, mode, *(text.encode("ascii", "surrogateescape") for text in texts)]
        self.hall.ask(opcode + b"".join(string + b"\0" for string in strings), source)

    @rule(data=st.binary(max_size=30), source=st.sampled_from(SOURCES))
    def ask_nonsense(self, data: bytes, source: Address) -> None:
        self.hall.ask(data, source)

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.5, 1.0, 5.0, 30.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.hall.wait(seconds)

    @rule(
        name=st.sampled_from(sorted(FILES)),
        octets=st.sampled_from([None, b"", b"short", bytes(4000)]),
    )
    def touch(self, name: str, octets: bytes | None) -> None:
        self.hall.touch(name, octets)

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9), choices=st.binary(max_size=8))
    def answer(self, place: int, choices: bytes) -> None:
        answer(self.hall, self.party(place), Feed(choices))

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9), times=st.integers(1, 60))
    def flow(self, place: int, times: int) -> None:
        flow(self.hall, self.party(place), times)

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9), data=st.binary(max_size=60), source=st.sampled_from(SOURCES))
    def hear_anything(self, place: int, data: bytes, source: Address) -> None:
        self.hall.hear(self.party(place), any_datagram(Feed(data)), source)

    @precondition(lambda self: self.hall.parties)
    @rule(
        place=st.integers(0, 9), code=st.integers(0, 9), source=st.none() | st.sampled_from(SOURCES)
    )
    def hear_an_error(self, place: int, code: int, source: Address | None) -> None:
        party = self.party(place)
        self.hall.hear(party, error(code, "no"), source or party.admitted.peer)

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9), full=st.booleans())
    def stall(self, place: int, full: bool) -> None:
        self.hall.stall(self.party(place), full=full)

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9), link=st.none() | st.sampled_from(sorted(LINKS)))
    def ask_again(self, place: int, link: str | None) -> None:
        admitted = self.party(place).admitted
        other = b"\0\1" + (link or "").encode() + b"\0octet\0"
        self.hall.ask(other if link else admitted.datagram, admitted.peer)

    @precondition(lambda self: self.hall.parties)
    @rule(place=st.integers(0, 9))
    def give_up(self, place: int) -> None:
        self.hall.give_up(self.party(place))


TestService = ServiceMachine.TestCase
TestService.settings = settings(STEADY, max_examples=150, stateful_step_count=40)
