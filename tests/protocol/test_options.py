"""What a server grants, the second turn of the negotiation (RFC 2347-2349, RFC 7440)."""

import itertools

import pytest

from tftp.protocol.options import (
    MAX_WINDOW,
    Ceiling,
    Terms,
    grant,
    number,
)
from tftp.protocol.packets import MAX_BLOCK_SIZE, Options

HIGH = Ceiling(block_size=MAX_BLOCK_SIZE, window=MAX_WINDOW, size=3000)
"""A server that refuses nothing by its own limits; the file has 3,000 octets."""

# RFC2347-P-07: what is no number, whatever the option.
NO_NUMBERS = [
    "",
    "abc",
    "512x",
    " 512",
    "512 ",
    "+512",
    "-1",
    "-512",
    "0x200",
    "1e3",
    "5_12",
    "512.0",
    "1" * 200,
    "\u0665\u0661\u0662",  # 512 in Arabic-Indic digits
    "\u00b2",  # a superscript two: isdigit(), yet no decimal
    "512\udcff",
    "\n512",
]
NUMERIC = ["blksize", "timeout", "tsize", "windowsize", "utimeout", "rollover"]


def one(name: str, value: str, *, reading: bool = True) -> str | None:
    """Returns what the server answers to one option alone."""
    granted = grant(((name, value),), HIGH, reading=reading)
    assert [n for n, _ in granted.options] in ([], [name])
    return granted.options[0][1] if granted.options else None


# Numbers


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number(value: str) -> None:
    """RFC2347-P-07: ASCII decimal digits, and nothing else."""
    assert number(value, 0, 10**30) is None


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("reading", [True, False])
def test_an_option_without_a_number_is_left_out(name: str, value: str, reading: bool) -> None:
    """RFC2347-P-07, RFC2347-N-15: left out of the OACK, and the transfer goes on."""
    asked = ((name, value),)
    assert grant(asked, HIGH, reading=reading) == Terms()
    both = grant((*asked, ("blksize2", "1"), ("windowsize", "2")), HIGH, reading=reading)
    assert both.window == 2


@pytest.mark.parametrize("name", ["blksize", "windowsize", "timeout", "utimeout", "rollover"])
@pytest.mark.parametrize("value", ["4294967808", "18446744073709552128", "65536512"])
def test_big_numbers_do_not_wrap(name: str, value: str) -> None:
    """RFC2347-P-07, RFC2348-02: 2**32 + 512 and 2**64 + 512 are not 512."""
    granted = one(name, value)
    assert granted is None or (name == "utimeout" and granted == value)


def test_leading_zeros_are_decimal() -> None:
    """RFC2347-P-07: "0512" is 512."""
    assert one("blksize", "0512") == "512"
    assert one("timeout", "003") == "3"


def test_number_bounds_are_inclusive() -> None:
    assert [number(str(n), 8, 10) for n in range(7, 12)] == [None, 8, 9, 10, None]
    assert number("9" * 20, 0, 10**20) == 10**20 - 1
    assert number("9" * 21, 0, 10**30) is None


# Ranges


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        # RFC2348-01 .. RFC2348-04
        ("blksize", "0", None),
        ("blksize", "7", None),
        ("blksize", "8", "8"),
        ("blksize", "511", "511"),
        ("blksize", "512", "512"),
        ("blksize", "1428", "1428"),
        ("blksize", "65464", "65464"),
        ("blksize", "65465", None),
        ("blksize", "100000", None),
        # RFC2349-T-03, RFC2349-T-04
        ("timeout", "0", None),
        ("timeout", "1", "1"),
        ("timeout", "255", "255"),
        ("timeout", "256", None),
        ("timeout", "65536", None),
        # RFC7440-3-01, RFC7440-3-02
        ("windowsize", "0", None),
        ("windowsize", "1", "1"),
        ("windowsize", "64", "64"),
        ("windowsize", "32767", "32767"),
        ("windowsize", "65535", "32767"),  # RFC7440-4-23: legal to ask, and lowered
        ("windowsize", "65536", None),
        # DF-HPA-02
        ("utimeout", "9999", None),
        ("utimeout", "10000", "10000"),
        ("utimeout", "255000000", "255000000"),
        ("utimeout", "255000001", None),
        # DF-HPA-03
        ("rollover", "0", "0"),
        ("rollover", "1", "1"),
        ("rollover", "2", None),
        # RFC2347-N-03
        ("foo", "1", None),
        ("blksize2", "1024", None),
        ("mstfwindow", "31416", None),
        ("multicast", "", None),
        ("bl\udcffk", "1", None),
        # CODEC-05: the octets of U+212A, which would lower to "k" if they were one letter
        ("bl\udce2\udc84\udcaasize", "1024", None),
        ("", "1", None),
    ],
)
def test_ranges(name: str, value: str, answer: str | None) -> None:
    assert one(name, value) == answer
    assert one(name, value, reading=False) == answer


def test_granted_values_reach_the_terms() -> None:
    """RFC7440-4-24: all options together."""
    asked = (
        ("blksize", "1000"),
        ("windowsize", "3"),
        ("timeout", "2"),
        ("tsize", "0"),
        ("rollover", "1"),
    )
    granted = grant(asked, HIGH, reading=True)
    answer = tuple((name, "3000" if name == "tsize" else value) for name, value in asked)
    assert granted == Terms(1000, 3, 2.0, 3000, 1, answer)


@pytest.mark.parametrize(("asked", "ceiling"), [("1428", 512), ("1428", 1427), ("65464", 8)])
def test_a_lower_ceiling_lowers_the_answer(asked: str, ceiling: int) -> None:
    """RFC2348-01, RFC7440-3-01: less than asked is allowed, more never."""
    low = Ceiling(block_size=ceiling, window=4)
    terms = grant((("blksize", asked), ("windowsize", "16")), low, reading=True)
    assert terms.options == (("blksize", str(ceiling)), ("windowsize", "4"))
    assert (terms.block_size, terms.window) == (ceiling, 4)
    under = grant((("blksize", "8"), ("windowsize", "2")), Ceiling(512, 4), reading=True)
    assert (under.block_size, under.window) == (8, 2)


# tsize


@pytest.mark.parametrize("size", [0, 1, 3000, 2**31, 2**32 - 1, 2**32, 2**32 + 1000, 10**18])
def test_a_reader_is_told_the_size(size: int) -> None:
    """RFC2349-S-01, RFC2349-S-02, RFC2349-S-08."""
    terms = grant((("tsize", "0"),), Ceiling(size=size), reading=True)
    assert terms.options == (("tsize", str(size)),)
    assert terms.size == size


def test_a_reader_that_sends_a_size_is_told_the_right_one() -> None:
    """RFC2349-S-03: never an echo, which the client would show as the file's size."""
    assert one("tsize", "5") == "3000"


def test_an_unknown_size_is_left_out() -> None:
    """RFC2349-S-07: as in netascii, where only the encoded length would be right."""
    assert grant((("tsize", "0"),), Ceiling(size=None), reading=True) == Terms()


@pytest.mark.parametrize("size", ["0", "777", "4294967301", "1000000000000000000"])
def test_a_writers_size_is_echoed(size: str) -> None:
    """RFC2349-S-04, RFC2349-S-05: refusing what cannot be stored is not the negotiation's."""
    terms = grant((("tsize", size),), HIGH, reading=False)
    assert terms.options == (("tsize", size),)
    assert terms.size == int(size)


# Subset, order, spelling

FULL: Options = (("blksize", "1024"), ("tsize", "0"), ("foo", "1"), ("timeout", "2"))


@pytest.mark.parametrize("order", list(itertools.permutations(FULL)))
def test_order_means_nothing_and_is_kept(order: Options) -> None:
    """RFC2347-N-06: the same pairs for all 24 orders, and in the client's own order."""
    terms = grant(order, HIGH, reading=True)
    answer = {"blksize": "1024", "tsize": "3000", "timeout": "2"}
    assert terms.options == tuple((name, answer[name]) for name, _ in order if name in answer)
    assert terms._replace(options=()) == Terms(1024, 1, 2.0, 3000, 0)


EVERY: Options = (
    ("blksize", "1024"),
    ("tsize", "0"),
    ("timeout", "2"),
    ("windowsize", "4"),
    ("rollover", "1"),
    ("utimeout", "500000"),
    ("foo", "1"),
)


@pytest.mark.parametrize("count", range(len(EVERY) + 1))
def test_only_what_was_asked_is_answered_and_used(count: int) -> None:
    """RFC2347-N-03, -04, -05, -25: over all subsets of the options."""
    for asked in itertools.combinations(EVERY, count):
        names = {name for name, _ in asked}
        terms = grant(asked, HIGH, reading=True)
        answered = [name for name, _ in terms.options]
        expected = [name for name, _ in asked if name != "foo"]
        if {"timeout", "utimeout"} <= names:
            expected.remove("utimeout")
        assert answered == expected
        assert terms.block_size == (1024 if "blksize" in names else 512)
        assert terms.window == (4 if "windowsize" in names else 1)
        assert terms.size == (3000 if "tsize" in names else None)
        assert terms.rollover == (1 if "rollover" in names else 0)
        interval = 2.0 if "timeout" in names else 0.5 if "utimeout" in names else None
        assert terms.timeout == interval


@pytest.mark.parametrize("name", ["BLKSIZE", "BlkSize", "blksize"])
def test_names_match_in_any_case_and_keep_their_spelling(name: str) -> None:
    """RFC2347-P-04."""
    terms = grant(((name, "1024"),), HIGH, reading=True)
    assert terms.options == ((name, "1024"),)
    assert terms.block_size == 1024


@pytest.mark.parametrize("second", ["blksize", "BLKSIZE"])
def test_of_an_option_named_twice_the_first_counts(second: str) -> None:
    """RFC2347-N-07."""
    terms = grant((("blksize", "1024"), (second, "2048")), HIGH, reading=True)
    assert terms.options == (("blksize", "1024"),)
    assert terms.block_size == 1024


def test_of_an_option_named_twice_the_first_usable_counts() -> None:
    """RFC2347-N-07, RFC2347-N-15: an unusable value is as good as not there."""
    terms = grant((("blksize", "7"), ("blksize", "2048")), HIGH, reading=True)
    assert terms.options == (("blksize", "2048"),)


@pytest.mark.parametrize(
    ("asked", "interval"),
    [
        ((("timeout", "3"), ("utimeout", "500000")), 3.0),
        ((("utimeout", "500000"), ("timeout", "3")), 0.5),
        ((("timeout", "0"), ("utimeout", "500000")), 0.5),
        ((("utimeout", "1"), ("timeout", "3")), 3.0),
    ],
)
def test_timeout_and_utimeout_set_one_clock(asked: Options, interval: float) -> None:
    """DF-HPA-02, RFC2349-T-03: the first usable one is taken, and answered alone."""
    terms = grant(asked, HIGH, reading=True)
    assert terms.timeout == interval
    assert len(terms.options) == 1


def test_a_hundred_unknown_options_are_passed_over() -> None:
    """RFC2347-P-03, RFC2347-N-03."""
    asked = (*((f"opt{n}", "1") for n in range(100)), ("blksize", "1024"))
    assert grant(asked, HIGH, reading=True).options == (("blksize", "1024"),)
