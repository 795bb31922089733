"""What no RFC says and everybody relies on, tried against servers: wraps, boot ROMs, ports.

Each function is one case; its docstring says why it is tried in this way.
"""

import struct

from ..catalogue import server_case
from ..fixtures import content
from ..play import receive_file
from ..server_steps import Followed, answers_to, judge_refusal
from ..server_trial import ServerTrial
from ..wire import DATA, ERROR, OACK, ack, error, rrq, wrq

TINY = 8  # octets of a block: the numbers wrap after half a mebibyte
TOP = 65535


def _tiny(t: ServerTrial) -> dict[str, int]:
    """Returns the options for blocks of eight octets, with a window where there are windows.

    Lock-step takes a good ten seconds to the wrap.
    """
    t.needs_option("blksize")
    client = t.client()
    client.ask(rrq("b3000", options={"blksize": TINY}))
    answer = client.hear()
    if answer is None or answer.options.get("blksize") != str(TINY):
        t.unsupported(f"the target grants no blocks of {TINY} octets")
    return {"blksize": TINY} | ({"windowsize": 32} if "windowsize" in t.manners.options else {})


def _stores(t: ServerTrial, octets: bytes, options: dict[str, int]) -> None:
    name = t.new_name()
    stored = t.write(name, octets, options=options)
    t.check(stored.complete, f"the upload of {len(octets)} octets was not done: {stored.trouble}")
    t.holds(name, octets)


@server_case("DF-ROLL-01", exact=True)
def a_read_goes_on_behind_block_65535(t: ServerTrial) -> None:
    """Blocks of eight octets bring the wrap within reach; which number follows is looked at."""
    options = _tiny(t)
    octets = t.fixture("roll")
    played = t.read("roll", options=options)
    behind = [packet for packet in played.packets if packet.kind == DATA][TOP : TOP + 1]
    if behind and behind[0].block == 1:
        t.lenient("block 65535 is followed by block 1")
        return
    t.check(played.complete, f"behind block 65535 it came to a stop: {played.trouble}")
    t.check(played.content == octets, "the octets behind the wrap are others")


@server_case("DF-ROLL-02")
def a_write_goes_on_behind_block_65535(t: ServerTrial) -> None:
    """Number 0 must be taken behind it, and the file be whole."""
    _stores(t, content((TOP + 40) * TINY + 3, 5), _tiny(t))


@server_case("DF-ROLL-03")
def sizes_around_the_wrap_end_right(t: ServerTrial) -> None:
    """The last block has the numbers 65535, 0 and 1: empty ones, and one of three octets.

    In lock-step only one of the four is tried, the empty block 0.
    """
    options = _tiny(t)
    sizes = [TOP * TINY, (TOP - 1) * TINY, (TOP + 1) * TINY, TOP * TINY + 3]
    for size in sizes if "windowsize" in options else sizes[:1]:
        _stores(t, content(size, size), options)


@server_case("DF-ROLL-04")
def the_second_wrap_is_like_the_first(t: ServerTrial) -> None:
    """Both ways. Only with a window: without, it would be 131,000 round trips each."""
    t.needs_option("windowsize")
    options = _tiny(t)
    octets = content(2 * (TOP + 1) * TINY + 500, 9)
    name = t.new_name()
    stored = t.write(name, octets, options=options)
    t.check(stored.complete, f"the upload was not finished: {stored.trouble}")
    t.holds(name, octets)
    fetched = t.read(name, options=options)
    t.check(fetched.complete, f"the read was not finished: {fetched.trouble}")
    t.check(fetched.content == octets, "the read brought other octets")


@server_case("DF-ROLL-05", exact=True)
def copies_around_the_wrap_are_old(t: ServerTrial) -> None:
    """An ACK from before the wrap comes again behind it: it must not be taken for a new one."""
    _tiny(t)
    t.fixture("roll")
    client = t.client()
    client.ask(rrq("roll", options={"blksize": TINY}))
    client.expect(OACK)
    client.send(ack(0))
    for block in range(1, TOP + 1):
        client.expect(DATA, block)
        client.send(ack(block))
        client.forget()
    after = client.expect(DATA, 0)
    client.send(ack(TOP))
    t.check(client.caused() is None, f"an old ACK 65535 behind {after} caused DATA")
    client.send(ack(0))
    client.expect(DATA, 1)


@server_case("DF-ROLL-07")
def files_over_four_gib(t: ServerTrial) -> None:
    """Only the size is asked for here: to fetch it all would take minutes and the link."""
    if t.target.root is None or not (t.target.root / "big").is_file():
        t.skip("the folder holds no file over 4 GiB; `fixtures --big` makes one")
    t.needs_option("tsize")
    client = t.client()
    client.ask(rrq("big", options={"tsize": 0}))
    answer = client.expect(OACK)
    t.check(answer.options.get("tsize") == str(2**32 + 1000), f"the size was told as {answer}")
    client.send(error(0, "Only asking"))


@server_case("DF-HPA-01")
def blksize2_is_a_power_of_two(t: ServerTrial) -> None:
    """An old option of one server's: a power of two, or left out."""
    both = {"blksize2": 2000, "blksize": 1500}
    requests = {
        "alone": rrq("b3000", options={"blksize2": 1500}),
        "both": rrq("b3000", "octet", both),
    }
    for what, _, answer in answers_to(t, requests):
        t.check(answer is not None and answer.kind in (OACK, DATA), f"{what}: {answer}")
        assert answer is not None
        value = answer.options.get("blksize2")
        if value is None:
            continue
        asked = 1500 if what == "alone" else 2000
        good = value.isdigit() and int(value) <= asked and int(value).bit_count() == 1
        t.check(good, f"{what}: blksize2={value} for {asked}")
        t.check("blksize" not in answer.options, "both block sizes were granted")


@server_case("DF-HPA-02")
def utimeout_is_in_microseconds(t: ServerTrial) -> None:
    """Half a second: where it is granted, the first repeat comes then."""
    client = t.client()
    client.ask(rrq("b3000", options={"utimeout": 500_000}))
    first = client.expect(OACK) if "utimeout" in t.manners.options else client.hear()
    if first is None or "utimeout" not in first.options:
        t.unsupported("the target does not grant utimeout")
    t.check(first.options["utimeout"] == "500000", f"utimeout=500000 became {first}")
    again = client.hear(2.0)
    t.check(again is not None, "no repeat within 2 s")
    assert again is not None
    late = again.at - first.at
    if not 0.35 < late < 0.8:
        t.warn(f"the first repeat came after {late:.2f} s")


@server_case("DF-HPA-03", exact=True)
def the_rollover_option(t: ServerTrial) -> None:
    """Granted, the number behind 65535 is the one agreed; left out, it is 0."""
    t.needs_option("rollover")
    client = t.client()
    client.ask(rrq("roll", options={"rollover": 1}))
    answer = client.expect(OACK)
    t.check(answer.options.get("rollover") == "1", f"rollover=1 became {answer}")


@server_case("DF-MS-01")
def microsofts_window_is_left_out(t: ServerTrial) -> None:
    """An option of one client's: left out by who does not know it; its long ACKs are borne."""
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={"mstfwindow": 31416}))
    first = client.hear()
    t.check(
        first is not None and first.kind in (DATA, OACK), f"mstfwindow was answered with {first}"
    )
    assert first is not None
    if first.kind == OACK:
        t.policy(f"mstfwindow is granted: {first}")
        return
    client.send(ack(1) + struct.pack("!H", 1))
    client.expect_data(2, octets[512:1024])


@server_case("DF-PXE-01")
def the_size_probe_of_uefi(t: ServerTrial) -> None:
    """tsize, ERROR, and within milliseconds the request itself, from the same port."""
    t.needs_option("tsize")
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={"tsize": 0, "blksize": 1468}))
    probe = client.expect(OACK)
    client.send(error(8, "User aborted the transfer"))
    client.peer = None
    client.ask(rrq("b3000", options={"blksize": 1468}))
    answer = client.hear()
    t.check(answer is not None and answer.kind in (OACK, DATA), f"after the probe came {answer}")
    assert answer is not None
    if answer.source == probe.source and not t.manners.single_port:
        t.lenient("the second transfer has the port of the first")
    client.peer = answer.source
    size = int(answer.options.get("blksize", "512"))
    opening = ack(0) if answer.kind == OACK else None
    first = None if opening else answer
    played = receive_file(client, block_size=size, opening=opening, first=first)
    t.check(played.content == octets, "the file did not arrive whole")


@server_case("DF-PXE-02")
def requests_sent_four_times(t: ServerTrial) -> None:
    """As some boot ROMs do: the first answer is followed, all others are told ERROR 5."""
    octets = t.fixture("b3000")
    client = t.client()
    for wait in (0.1, 0.2, 0.4, 0.0):
        client.ask(rrq("b3000"))
        t.pause(wait)
    first = client.hear()
    t.check(first is not None and first.kind == DATA, f"four copies of a request got {first}")
    played = receive_file(Followed(client), first=first)
    t.check(played.content == octets, "the file did not arrive whole")


@server_case("DF-PXE-03")
def slashes_in_front_of_a_name(t: ServerTrial) -> None:
    """Boot files are often named so; what the server makes of them is reported."""
    for name, client, answer in answers_to(t, {n: rrq(n) for n in ("/b511", "\\b511", "//b511")}):
        served = answer is not None and answer.kind == DATA
        t.policy(f"{name}: {'served' if served else answer or 'no answer'}")
        if served:
            client.send(ack(1))


@server_case("DF-PORT-01")
def transfers_of_a_single_port(t: ServerTrial) -> None:
    """Where all answers come from one port, only the peer's address tells transfers apart."""
    if not t.manners.single_port:
        t.skip("the target gives each transfer a port of its own")
    octets = t.fixture("b3000")
    clients = [t.client() for _ in range(10)]
    for client in clients:
        client.ask(rrq("b3000"))
        client.expect_data(1, octets[:512])
    stranger = t.client()
    stranger.send(ack(1), t.target.address)
    judge_refusal(t, stranger.hear(1.0), (4, 5), what="an ACK of a stranger")
    for block in range(1, 6):
        for client in clients:
            client.send(ack(block))
            client.expect_data(block + 1, octets[block * 512 : (block + 1) * 512])


@server_case("DF-PORT-02")
def it_works_over_ipv6(t: ServerTrial) -> None:
    """The whole suite may be run against an IPv6 address; this asks whether there is one."""
    if ":" in t.target.address[0]:
        t.alive()
        return
    if not t.target.address[0].startswith("127."):
        t.skip("name the target's IPv6 address to try it there")
    try:
        client = t.client(host="::1")
    except OSError:
        t.skip("this machine has no IPv6")
    client.ask(rrq("b511"), host="::1")
    answer = client.hear(2.0)
    if answer is None:
        t.policy("nothing answers at ::1")
        return
    t.check(answer.payload == t.fixture("b511"), f"over IPv6 came {answer}")
    client.send(ack(1))


@server_case("DF-PORT-04")
def a_server_without_uploads_says_so(t: ServerTrial) -> None:
    """Silence makes the client wait for half a minute; an ERROR tells it at once."""
    if t.manners.creates:
        t.skip("the target takes uploads")
    client = t.client()
    client.ask(wrq(f"{t.target.prefix}refused-{next(t.target.numbers)}"))
    answer = client.hear(2.0)
    t.check(answer is None or answer.kind == ERROR, f"a write was answered with {answer}")
    judge_refusal(t, answer, (2, 4), silence="no answer at all; the client waits in vain")
