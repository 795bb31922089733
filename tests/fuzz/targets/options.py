"""Option negotiation: whatever one side asks or answers, the other gets lawful terms.

An OACK holds nothing that was not asked for and no larger value (RFC 2347, RFC 2348,
RFC 7440), and a client takes every OACK of ours. Must not know about packets.
"""

from tests.fuzz.feed import Feed
from tftp.errors import OptionRefused
from tftp.protocol.options import (
    MAX_WINDOW,
    MIN_BLOCK_SIZE,
    Ceiling,
    Terms,
    Wish,
    confirm,
    grant,
    propose,
)
from tftp.protocol.packets import MAX_BLOCK_SIZE, Oack, Options, decode, encode

__all__ = ["target"]

NAMES = ("blksize", "BLKSIZE", "windowsize", "timeout", "utimeout", "tsize", "rollover", "Tsize")
VALUES = ("0", "1", "7", "8", "512", "65464", "65465", "99999999999999999999", "", "abc", "-1")


def target(data: bytes) -> None:
    """Plays both sides with options, ceilings and wishes read from the input."""
    feed = Feed(data)
    ceiling = Ceiling(
        block_size=feed.number(MIN_BLOCK_SIZE, MAX_BLOCK_SIZE),
        window=feed.number(1, MAX_WINDOW),
        size=feed.pick((None, 0, 511, 2**32, 2**64)),
    )
    wish = Wish(
        block_size=feed.pick((None, 8, 512, 1428, MAX_BLOCK_SIZE)),
        window=feed.pick((None, 1, 4, 64, MAX_WINDOW)),
        timeout=feed.pick((None, 1, 255)),
        size=feed.pick((None, 0, 1, 2**40)),
        rollover=feed.pick((None, 0, 1)),
    )
    proposed = propose(wish)
    strange = _options(feed)
    for reading in (True, False):
        _check_grant(proposed, ceiling, reading=reading)
        _check_grant(strange, ceiling, reading=reading)
        _check_grant(proposed + strange, ceiling, reading=reading)
        # A client understands what our server answers.
        granted = grant(proposed, ceiling, reading=reading)
        confirmed = confirm(proposed, granted.options)
        assert confirmed == granted
    _check_confirm(proposed, strange)
    _check_confirm(proposed, proposed)


def _options(feed: Feed) -> Options:
    """Reads pairs as they could have come from the wire."""
    pairs = []
    for _ in range(feed.number(0, 9)):
        kind = feed.octet()
        name = NAMES[kind % len(NAMES)] if kind < 0xE0 else _text(feed)
        kind = feed.octet()
        value = str(feed.number(0, 70_000)) if kind < 0x80 else _text(feed)
        value = VALUES[kind % len(VALUES)] if kind >= 0xC0 else value
        if name:
            pairs.append((name, value))
    return tuple(pairs)


def _text(feed: Feed) -> str:
    return feed.octets(feed.number(0, 31)).replace(b"\0", b"").decode("ascii", "surrogateescape")


def _check_grant(asked: Options, ceiling: Ceiling, *, reading: bool) -> None:
    terms = grant(asked, ceiling, reading=reading)
    names = [name for name, _ in asked]
    answered = [name for name, _ in terms.options]
    assert set(answered) <= set(names), "never more than was asked for"
    folded = [name.lower() for name in answered]
    assert len(set(folded)) == len(folded), "each once"
    rest = iter(names)
    assert all(name in rest for name in answered), "in the client's order"
    _check_terms(terms)
    granted = dict(zip(folded, (int(value) for _, value in terms.options), strict=True))
    if "blksize" in granted:
        assert terms.block_size == granted["blksize"] <= ceiling.block_size
    if "windowsize" in granted:
        assert terms.window == granted["windowsize"] <= ceiling.window
    for name, value in granted.items():
        sought = [int(text) for key, text in asked if key.lower() == name and text.isdigit()]
        if name in ("blksize", "windowsize"):
            assert value <= max(sought), "never raised"
        elif name == "tsize" and reading:
            assert value == ceiling.size
        else:
            assert value in sought, "echoed"
    if terms.options:
        assert decode(encode(Oack(terms.options))) == Oack(terms.options)


def _check_confirm(asked: Options, answered: Options) -> None:
    try:
        terms = confirm(asked, answered)
    except OptionRefused:
        return
    wishes = dict(asked)
    assert {name.lower() for name, _ in answered} <= wishes.keys()
    _check_terms(terms)
    assert terms.block_size <= int(wishes.get("blksize", "0")) or terms.block_size == 512
    assert terms.window <= int(wishes.get("windowsize", "1"))
    assert terms.rollover == 0 or wishes["rollover"] == "1"
    assert terms.timeout is None or terms.timeout == int(wishes["timeout"])


def _check_terms(terms: Terms) -> None:
    assert MIN_BLOCK_SIZE <= terms.block_size <= MAX_BLOCK_SIZE
    assert 1 <= terms.window <= MAX_WINDOW
    assert terms.timeout is None or 0.01 <= terms.timeout <= 255
    assert terms.rollover in (0, 1)
    assert terms.size is None or terms.size >= 0
