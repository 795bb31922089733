"""RFC 2349, timeout and transfer size, tried against servers.

Each function is one case: its docstring says why it is tried in this way.
"""

import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from ..catalogue import server_case
from ..fixtures import FIXTURES, content
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, OACK, Packet, ack, data, error, rrq, wrq
from .terms import answers, hang_up

SECONDS = 3
WATCH = 10.5  # seconds: 3 and 6 behind one another, and some room


@server_case("RFC2349-T-01")
def a_granted_timeout_is_the_interval_really_used(t: ServerTrial) -> None:
    """Three seconds are far from most defaults and still quick to watch.

    A read falls silent at DATA 1 and an upload at its OACK, side by side. When a datagram
    came is measured, not when it was looked at.
    """
    t.needs_option("timeout")
    t.fixture("b3000")
    reader = _asks(t, rrq("b3000", options={"timeout": SECONDS}))
    if reader is None:
        t.unsupported("a read is not granted timeout=3")
    writer = None
    if t.manners.creates:
        writer = _asks(t, wrq(t.new_name(), options={"timeout": SECONDS}))
    reader.send(ack(0))
    first = reader.expect(DATA, 1)
    _judge_steps(t, reader, first)
    if writer is not None:
        _judge_steps(t, writer, writer.heard[0])


def _asks(t: ServerTrial, request: bytes) -> Client | None:
    client = t.client()
    client.ask(request)
    first = client.hear()
    if first is None or "timeout" not in first.options:
        hang_up(client)
        return None
    return client


def _judge_steps(t: ServerTrial, client: Client, original: Packet) -> None:
    """The first repeat has to come after the agreed seconds, later ones not sooner."""
    times = [original.at]
    times += [again.at for again in client.everything(WATCH) if again.raw == original.raw]
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        t.fail(f"with timeout={SECONDS} granted, {original} was not repeated")
    shown = f"{original} came again after " + ", ".join(f"{gap:.2f}" for gap in gaps) + " s"
    t.check(min(gaps) >= SECONDS - 0.5 and gaps[0] <= SECONDS + 1.5, shown)
    if gaps[0] > SECONDS + 0.5:
        t.lenient(shown)


@server_case("RFC2349-T-03")
def a_granted_timeout_equals_the_requested_one(t: ServerTrial) -> None:
    """Both ends of the range and two numbers between, in reads and in writes."""
    grants = _grants(t, "timeout", ("1", "2", "30", "255"))
    if not any(grant is not None for _, _, grant, _ in grants):
        t.unsupported("none of the intervals is granted")
    for way, value, grant, _ in grants:
        t.check(grant in (None, value), f"{way} with timeout={value} is granted {grant}")


@server_case("RFC2349-T-04", alone=True)
def only_timeouts_of_1_to_255_are_granted(t: ServerTrial) -> None:
    """What lies just outside the range, far outside, and what is no number."""
    grants = _grants(t, "timeout", ("0", "256", "65536", "-1", "x", ""))
    wrong = [
        f"{way} with timeout={value} is granted {grant}"
        for way, value, grant, _ in grants
        if grant is not None
    ]
    t.check(not wrong, ", ".join(wrong))
    t.alive()


def _grants(
    t: ServerTrial, name: str, values: tuple[str, ...]
) -> list[tuple[str, str, str | None, Packet | None]]:
    """Asks for each value in a read and in a write: way, value, what is granted, answer."""
    t.needs_option(name)
    t.fixture("b3000")
    asked = [("a read", value, rrq("b3000", options={name: value})) for value in values]
    if t.manners.creates:
        asked += [("a write", value, wrq(t.new_name(), options={name: value})) for value in values]
    found = answers(t, [request for _, _, request in asked])
    return [
        (way, value, answer.options.get(name) if answer is not None else None, answer)
        for (way, value, _), answer in zip(asked, found, strict=True)
    ]


PORTS, REQUESTS = 100, 4


@server_case("RFC2349-T-06", exact=True, alone=True)
def a_timeout_of_255_does_not_tie_a_server_up(t: ServerTrial) -> None:
    """Requests with the longest interval are left alone, 400 of them, from 100 ports.

    After each 40 an ordinary read has to be served. All that was opened is ended at last.
    """
    t.needs_option("timeout")
    octets = t.fixture("b511")
    t.fixture("b3000")
    if _grants(t, "timeout", ("255",))[0][2] is None:
        t.unsupported("timeout=255 is not granted")
    clients = [t.client() for _ in range(PORTS)]
    try:
        for number in range(PORTS * REQUESTS):
            wish = {"timeout": 255, "x-number": number // PORTS}
            clients[number % PORTS].ask(rrq("b3000", options=wish))
            if number % 40 == 39:
                _still_serves(t, octets, number + 1)
    finally:
        for client in clients:
            while client.hear(0.0) is not None:
                pass  # so that each of its transfers is known, and ended with the case


def _still_serves(t: ServerTrial, octets: bytes, abandoned: int) -> None:
    client = t.client()
    client.ask(rrq("b511"))
    first = client.hear()
    behind = f"behind {abandoned} abandoned requests"
    if first is None:
        t.fail(f"{behind} a read is not answered")
    if first.kind == ERROR:
        t.lenient(f"{behind} a read is refused by {first}")
        return
    t.check(first.kind == DATA and first.payload == octets, f"{behind} a read gets {first}")
    client.send(ack(1))


def _size_of(t: ServerTrial, name: str, value: int = 0, mode: str = "octet") -> Packet | None:
    (answer,) = answers(t, [rrq(name, mode, {"tsize": value})])
    return answer


@server_case("RFC2349-S-01", exact=True)
def a_read_with_transfer_size_0_learns_the_size(t: ServerTrial) -> None:
    """Sizes at and around a block, and the largest fixture that each target has."""
    t.needs_option("tsize")
    for name in ("b1", "b511", "b512", "b3000", "b100k", "roll"):
        if name in t.manners.missing:
            continue
        answer = _size_of(t, name)
        size = answer.options.get("tsize") if answer is not None else None
        right = size in (None, str(len(FIXTURES[name])))
        t.check(right, f"{len(FIXTURES[name])} octets are announced as {size}")


@server_case("RFC2349-S-02")
def an_empty_file_has_transfer_size_0(t: ServerTrial) -> None:
    """The one file whose size looks like the question."""
    t.needs_option("tsize")
    t.fixture("empty")
    answer = _size_of(t, "empty")
    if answer is None:
        t.fail("tsize=0 of an empty file is not answered")
    plain = answer.kind == DATA and not answer.payload
    granted = answer.kind == OACK and answer.options.get("tsize", "0") == "0"
    t.check(plain or granted, f"tsize=0 of an empty file is answered by {answer}")


@server_case("RFC2349-S-03", exact=True)
def a_transfer_size_other_than_0_in_a_read_is_not_echoed(t: ServerTrial) -> None:
    """A client that sends 5 would show five octets, if it got them back."""
    t.needs_option("tsize")
    t.fixture("b3000")
    answer = _size_of(t, "b3000", 5)
    if answer is None or (answer.kind == ERROR and answer.code != 8):
        t.warn(f"tsize=5 in a read is answered by {answer or 'nothing'}")
        return
    size = answer.options.get("tsize")
    t.check(size in (None, "3000", "5"), f"tsize=5 became {size}, for a file of 3000 octets")
    if size == "5":
        t.lenient("the client's number is echoed as the size of a file of 3000 octets")


@server_case("RFC2349-S-04")
def the_transfer_size_of_a_write_comes_back_unchanged(t: ServerTrial) -> None:
    """An ordinary number, none at all, and one that 32 bits do not hold."""
    t.new_name()
    grants = _grants(t, "tsize", ("777", "0", str(2**32 + 5)))
    writes = [(value, grant) for way, value, grant, _ in grants if way == "a write"]
    if not any(grant is not None for _, grant in writes):
        t.unsupported("a write is not granted tsize")
    for value, grant in writes:
        t.check(grant in (None, value), f"tsize={value} of a write became {grant}")


@server_case("RFC2349-S-05")
def an_upload_too_large_may_be_refused_at_once(t: ServerTrial) -> None:
    """10^18 octets are announced and 700 are sent.

    Whoever makes the file as long as announced is found out while the upload is open, where
    the folder can be seen, and by what is stored in the end.
    """
    t.needs_option("tsize")
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name, options={"tsize": 10**18}))
    first = client.hear()
    if first is None:
        t.fail("no answer to an upload with tsize=10^18")
    if first.kind == ERROR:
        _judge_no_room(t, first)
        return
    if "tsize" not in first.options:
        t.unsupported("tsize is not granted to this write")
    octets = content(700, 8)
    client.send(data(1, octets[:512]))
    client.expect(ACK, 1)
    largest = max(_sizes(t.target.root), default=0)
    t.check(largest < 10**15, f"while the upload runs a file has {largest} octets")
    client.send(data(2, octets[512:]))
    client.expect(ACK, 2)
    t.holds(name, octets)
    t.alive()


def _judge_no_room(t: ServerTrial, answer: Packet) -> None:
    if answer.code != 3:
        t.lenient(f"an upload of 10^18 octets is refused by {answer}")


def _sizes(root: Path | None) -> list[int]:
    found = []
    for folder, _, names in os.walk(root) if root is not None else ():
        for name in names:
            with suppress(OSError):  # other cases' files come and go meanwhile
                found.append(Path(folder, name).lstat().st_size)
    return found


@server_case("RFC2349-S-06")
def the_transfer_size_of_an_upload_is_only_a_hint(t: ServerTrial) -> None:
    """1000 octets are announced, and then 700 come, or 1500."""
    t.needs_option("tsize")
    for size in (700, 1500):
        name = t.new_name()
        octets = content(size, size)
        client = t.client()
        played = client.write(name, octets, options={"tsize": 1000})
        if not any("tsize" in packet.options for packet in client.heard):
            t.unsupported("a write is not granted tsize")
        if played.error is None:
            t.check(played.complete, f"{size} octets instead of 1000: {played.trouble}")
            t.holds(name, octets)
        elif played.error.code not in (0, 3):
            t.lenient(f"{size} octets instead of 1000: {played.trouble}")


@server_case("RFC2349-S-07")
def in_netascii_the_transfer_size_is_the_encoded_one_or_none(t: ServerTrial) -> None:
    """A file of 17 octets whose line ends make it 22 on the wire."""
    t.needs_option("tsize")
    t.fixture("text")
    (plain,) = answers(t, [rrq("text", "netascii")])
    if plain is None or plain.kind != DATA:
        t.unsupported("the target does not serve netascii")
    answer = _size_of(t, "text", 0, "netascii")
    if answer is None:
        t.fail("tsize=0 of a netascii read is not answered")
    t.check(answer.kind in (OACK, DATA), f"tsize=0 of a netascii read is answered by {answer}")
    size = answer.options.get("tsize")
    t.check(size in (None, "17", "22"), f"17 octets, 22 encoded, are announced as {size}")
    if size == "17":
        t.lenient("a netascii read is announced with its length on disk")


BIG = 4 * 2**30 + 1000


@server_case("RFC2349-S-08")
def transfer_sizes_beyond_32_bits_are_right(t: ServerTrial) -> None:
    """The fixture `big` is sparse, a little over 2^32 octets long. Only its size is asked."""
    t.needs_option("tsize")
    client = t.client()
    client.ask(rrq("big", options={"tsize": 0}))
    answer = client.hear()
    if answer is None:
        t.fail("tsize=0 of a file over 4 GiB is not answered")
    if answer.kind == ERROR:
        if answer.code == 1:
            t.skip("the fixture big is not there; `fixtures --big` makes it")
        t.lenient(f"a file over 4 GiB is refused by {answer}")
        return
    client.send(error(8, "Only asking"))
    client.ended = True
    size = answer.options.get("tsize")
    t.check(size in (None, str(BIG)), f"{BIG} octets are announced as {size}")
    if size is None:
        t.unsupported("tsize is left out for a file over 4 GiB")
