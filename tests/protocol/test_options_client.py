"""The client's two turns, propose and confirm, and whole negotiations (RFC 2347-2349)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tftp.errors import ErrorCode, OptionRefused
from tftp.protocol.options import (
    MAX_WINDOW,
    Ceiling,
    Terms,
    Wish,
    confirm,
    grant,
    propose,
)
from tftp.protocol.packets import MAX_BLOCK_SIZE, Options

# Propose


def test_a_client_proposes_only_what_it_wishes() -> None:
    """RFC2347-N-24, RFC1123-4.2.3.3-01: each option at most once, and none unasked."""
    assert propose(Wish()) == ()
    assert propose(Wish(block_size=1428)) == (("blksize", "1428"),)
    assert propose(Wish(size=0)) == (("tsize", "0"),)
    assert dict(propose(Wish(1428, 16, 3, 777, 1))) == {
        "tsize": "777",
        "blksize": "1428",
        "windowsize": "16",
        "timeout": "3",
        "rollover": "1",
    }


# Confirm

OFFER: Options = (
    ("tsize", "0"),
    ("blksize", "1428"),
    ("windowsize", "16"),
    ("timeout", "3"),
    ("utimeout", "500000"),
    ("rollover", "1"),
)


@pytest.mark.parametrize(
    ("answer", "terms"),
    [
        ((), Terms()),  # RFC2347-N-20
        ((("blksize", "1428"),), Terms(block_size=1428)),
        ((("blksize", "100"),), Terms(block_size=100)),  # RFC2348-12
        ((("blksize", "8"),), Terms(block_size=8)),
        ((("BLKSIZE", "1024"),), Terms(block_size=1024)),  # RFC2347-P-05
        ((("windowsize", "3"),), Terms(window=3)),  # RFC7440-3-05
        ((("windowsize", "1"),), Terms()),
        ((("timeout", "3"),), Terms(timeout=3.0)),
        ((("utimeout", "500000"),), Terms(timeout=0.5)),
        ((("rollover", "1"),), Terms(rollover=1)),
        ((("tsize", "0"),), Terms(size=0)),  # RFC2349-S-10
        ((("tsize", "4294968296"),), Terms(size=4294968296)),  # RFC2349-S-08
        ((("tsize", "3000"),), Terms(size=3000)),  # RFC2348-15: no blksize means 512
    ],
)
def test_a_client_takes_what_follows_from_its_offer(answer: Options, terms: Terms) -> None:
    assert confirm(OFFER, answer) == terms._replace(options=answer)


@pytest.mark.parametrize(
    "answer",
    [
        (("foo", "1"),),  # RFC2347-N-18
        (("blksize", "1428"), ("multicast", "")),
        (("blksize", "512"), ("blksize", "1024")),  # RFC2347-N-08
        (("blksize", "512"), ("BlkSize", "512")),
        (("blksize", "1429"),),  # RFC2348-13
        (("blksize", "7"),),  # RFC2348-14
        (("blksize", "0"),),
        (("blksize", ""),),
        (("blksize", "abc"),),  # RFC2347-N-19
        (("blksize", "-1"),),
        (("windowsize", "17"),),  # RFC7440-3-04
        (("windowsize", "0"),),
        (("timeout", "4"),),  # RFC2349-T-05
        (("timeout", "2"),),
        (("timeout", "x"),),
        (("utimeout", "500001"),),
        (("rollover", "0"),),
        (("tsize", "big"),),
        (("tsize", "-1"),),
        (("", ""),),
    ],
)
def test_a_client_refuses_what_does_not_follow_from_its_offer(answer: Options) -> None:
    """RFC2347-N-19: with ERROR 8, and a text that names no value of the peer's."""
    with pytest.raises(OptionRefused) as caught:
        confirm(OFFER, answer)
    assert caught.value.code == ErrorCode.OPTION_REFUSED


@pytest.mark.parametrize("name", [name for name, _ in OFFER])
def test_nothing_is_accepted_that_was_not_offered(name: str) -> None:
    """RFC2347-N-18: for every option that we know."""
    offer = tuple(pair for pair in OFFER if pair[0] != name)
    with pytest.raises(OptionRefused):
        confirm(offer, ((name, "8"),))


# Any negotiation

names = st.sampled_from(
    ["blksize", "BLKSIZE", "timeout", "TimeOut", "tsize", "windowsize", "utimeout", "rollover"]
)
values = st.one_of(
    st.integers(-2, 70_000).map(str),
    st.integers(0, 2**70).map(str),
    st.text(st.characters(max_codepoint=0x700), max_size=6),
)
requests: st.SearchStrategy[Options] = st.lists(
    st.tuples(st.one_of(names, st.text(max_size=8)), values), max_size=8
).map(tuple)
ceilings = st.builds(
    Ceiling,
    st.integers(8, MAX_BLOCK_SIZE),
    st.integers(1, MAX_WINDOW),
    st.none() | st.integers(0, 2**63),
)


@given(requests, ceilings, st.booleans())
def test_a_grant_never_exceeds_what_was_asked(
    asked: Options, ceiling: Ceiling, reading: bool
) -> None:
    """RFC2347-N-05, RFC2348-02, RFC7440-3-01: by name a subset in order, by value no more."""
    terms = grant(asked, ceiling, reading=reading)
    rest = iter(asked)
    for name, value in terms.options:
        assert any(pair[0] == name for pair in rest), "an order or a name of its own"
        wishes = [int(v) for n, v in asked if n.lower() == name.lower() and v.isdecimal()]
        if name.lower() != "tsize":
            assert int(value) <= max(wishes)
    spelled = [name.lower() for name, _ in terms.options]
    assert len(set(spelled)) == len(spelled)
    assert 8 <= terms.block_size <= max(512, ceiling.block_size)
    assert 1 <= terms.window <= ceiling.window
    assert terms.timeout is None or 0.01 <= terms.timeout <= 255
    assert terms.rollover in (0, 1)


wishes = st.builds(
    Wish,
    st.none() | st.integers(8, MAX_BLOCK_SIZE),
    st.none() | st.integers(1, MAX_WINDOW),
    st.none() | st.integers(1, 255),
    st.none() | st.integers(0, 2**63),
    st.none() | st.integers(0, 1),
)


@given(wishes, ceilings, st.booleans())
def test_a_client_always_agrees_with_a_right_server(
    wish: Wish, ceiling: Ceiling, reading: bool
) -> None:
    """RFC 2347: both ends come out of the three turns with the same terms."""
    asked = propose(wish)
    granted = grant(asked, ceiling, reading=reading)
    assert confirm(asked, granted.options) == granted


@given(requests, st.booleans())
def test_confirming_raises_nothing_but_a_refusal(answer: Options, full: bool) -> None:
    """RFC2347-N-19, ROB-LOAD-12: whatever the server answers."""
    try:
        terms = confirm(OFFER if full else (), answer)
    except OptionRefused:
        assert answer, "an empty OACK is none to refuse"
        return
    assert 8 <= terms.block_size <= 1428
    assert terms.window <= 16
    assert full or answer == ()
