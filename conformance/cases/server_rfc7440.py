"""RFC 7440, section 3 and the plain flow of windows in reads, tried against servers.

Each function is one case: its docstring says why it is tried in this way. ACKs that are
out of the ordinary stand in `server_rfc7440_acks`, uploads in `server_rfc7440_writes`, long
files in `server_rfc7440_long`.
"""

from collections.abc import Callable

from ..catalogue import server_case
from ..fixtures import content
from ..play import receive_file
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, OACK, Packet, ack, data, rrq, wrq
from .terms import answers, hang_up, window_of_reads

MOST = 65535


def _grants(t: ServerTrial, values: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Asks for each window in a read and in a write; returns way, value and what is granted."""
    t.needs_option("windowsize")
    t.fixture("b3000")
    asked = [("a read", value, rrq("b3000", options={"windowsize": value})) for value in values]
    if t.manners.creates:
        asked += [
            ("a write", value, wrq(t.new_name(), options={"windowsize": value})) for value in values
        ]
    found = answers(t, [request for _, _, request in asked])
    return [
        (way, value, answer.options["windowsize"])
        for (way, value, _), answer in zip(asked, found, strict=True)
        if answer is not None and "windowsize" in answer.options
    ]


@server_case("RFC7440-3-01")
def a_granted_window_is_at_most_the_requested_one(t: ServerTrial) -> None:
    """Both ends of the range and common windows between, in reads and in writes."""
    grants = _grants(t, ("1", "2", "4", "64", str(MOST)))
    if not grants:
        t.unsupported("none of the windows is granted")
    for way, value, grant in grants:
        right = grant.isdigit() and 1 <= int(grant) <= int(value)
        t.check(right, f"{way} with windowsize={value} is granted {grant}")


@server_case("RFC7440-3-02", alone=True)
def illegal_windows_are_not_granted_as_they_stand(t: ServerTrial) -> None:
    """0, the first number beyond 16 bits, a negative one, and what is no number."""
    wrong = [
        f"{way} with windowsize={value} is granted {grant}"
        for way, value, grant in _grants(t, ("0", "65536", "-1", "x", ""))
        if value != "65536" or not grant.isdigit() or not 1 <= int(grant) <= MOST
    ]
    t.check(not wrong, ", ".join(wrong))
    t.alive()


@server_case("RFC7440-3-03")
def a_window_of_1_is_lock_step(t: ServerTrial) -> None:
    """The same script runs without the option and with a window of 1.

    What goes wrong only with the option is a FAIL; what goes wrong in both is judged by the
    cases of RFC 1350.
    """
    t.needs_option("windowsize")
    t.fixture("b3000")
    scripts: list[Callable[[ServerTrial, bool], list[str]]] = [_reads_in_lock_step]
    if t.manners.creates:
        scripts.append(_writes_in_lock_step)
    for script in scripts:
        usual = script(t, False)
        more = [trouble for trouble in script(t, True) if trouble not in usual]
        t.check(not more, f"with windowsize=1: {', '.join(more)}")


def _asks(t: ServerTrial, request: Callable[..., bytes], name: str, window: bool) -> Client:
    client = t.client()
    client.ask(request(name, options={"windowsize": 1} if window else {}))
    first = client.hear()
    if window and (first is None or first.options.get("windowsize") != "1"):
        hang_up(client)
        t.unsupported("a window of 1 is not granted")
    return client


def _reads_in_lock_step(t: ServerTrial, window: bool) -> list[str]:
    """Returns what goes wrong in a read: bursts, answers to odd ACKs, no repeat, the file."""
    octets, troubles = t.fixture("b3000"), []
    client = _asks(t, rrq, "b3000", window)
    if window:
        client.send(ack(0))
        client.expect(DATA, 1)
    if client.anything(0.5, repeats=True) is not None:
        troubles.append("a second block comes before the ACK of the first")
    client.send(ack(1))
    client.expect_data(2, octets[512:1024])
    client.send(ack(1))
    if client.anything(t.moment) is not None:
        troubles.append("a repeated ACK is answered")
    client.send(ack(50))
    if client.anything(0.5, repeats=True) is not None:
        troubles.append("the ACK of a block that was not sent is answered")
    if client.ended:
        return troubles
    again = client.hear(max(t.resend, 8.0))
    if again is None or again.block != 2:
        troubles.append("a block without ACK is not repeated")
    if not _rest(client, octets):
        troubles.append("the file is wrong")
    return troubles


def _rest(client: Client, octets: bytes) -> bool:
    """Reads the blocks behind the second one; tells whether they are right."""
    for number in range(3, len(octets) // 512 + 2):
        client.send(ack(number - 1))
        packet = client.hear()
        while packet is not None and packet.block < number:
            packet = client.hear()
        if packet is None or packet.payload != octets[(number - 1) * 512 : number * 512]:
            return False
    client.send(ack(len(octets) // 512 + 1))
    return True


def _writes_in_lock_step(t: ServerTrial, window: bool) -> list[str]:
    """Returns what goes wrong in a write: ACKs, repeated blocks, the file."""
    name, octets, troubles = t.new_name(), content(1500, 6), list[str]()
    client = _asks(t, wrq, name, window)
    for number in (1, 2, 2, 3):
        client.send(data(number, octets[(number - 1) * 512 : number * 512]))
        packet = client.hear()
        while packet is not None and (packet.kind == OACK or packet.block < number):
            packet = client.hear()
        if packet is None or (packet.kind, packet.block) != (ACK, number):
            troubles.append(f"DATA {number} is answered by {packet or 'nothing'}")
            break
    else:
        t.pause(0.5)
        if t.look(name) != octets:
            troubles.append("the stored file is wrong")
    return troubles


@server_case("RFC7440-4-01")
def a_sender_sends_one_window_and_then_waits(t: ServerTrial) -> None:
    """Four blocks of many are granted; a fifth may not come, however long one waits."""
    read = window_of_reads(t, "b10k", 4)
    read.begin()
    read.client.quiet(1.5)


@server_case("RFC7440-4-02")
def the_ack_of_the_last_block_releases_the_next_window(t: ServerTrial) -> None:
    """Whether the next window waits for a timer shows in the time of its first block."""
    read = window_of_reads(t, "b10k", 4)
    read.begin()
    read.client.send(ack(4))
    found = read.caused()
    t.check(found == [5, 6, 7, 8], f"ACK 4 brought the blocks {found} instead of 5 to 8")


@server_case("RFC7440-4-03")
def the_last_window_may_be_shorter(t: ServerTrial) -> None:
    """20 full blocks and an empty one, in windows that leave one, five or no block over."""
    for window in (4, 8, 7):
        read = window_of_reads(t, "b10k", window)
        played = receive_file(read.client, window=window, opening=ack(0))
        t.check(played.complete, f"with windows of {window}: {played.trouble}")
        t.check(played.content == read.content, f"windows of {window} make another file")
        _silent(t, read.client.anything(read.moment), read.last)


@server_case("RFC7440-4-04", exact=True)
def a_file_within_one_window_goes_out_at_once(t: ServerTrial) -> None:
    """Six blocks in a window of 64: none of them may wait for an ACK, none come twice."""
    read = window_of_reads(t, "b3000", 64)
    read.client.send(ack(0))
    found = read.caused()
    t.check(found == [1, 2, 3, 4, 5, 6], f"in a window of 64, 6 blocks come as {found}")
    blocks = [packet.payload for packet in read.client.heard if packet.kind == DATA]
    t.check(b"".join(blocks) == read.content, "the blocks make another file")
    read.client.send(ack(6))
    _silent(t, read.client.anything(read.moment), 6)


def _silent(t: ServerTrial, packet: Packet | None, last: int) -> None:
    t.check(packet is None, f"{packet} came behind the ACK of the final block {last}")


@server_case("RFC7440-4-10")
def a_timeout_resends_from_behind_the_last_ack(t: ServerTrial) -> None:
    """The first window is left without an ACK until it comes again, and then the second one."""
    wish = {"timeout": 1} if "timeout" in t.manners.options else {}
    read = window_of_reads(t, "b10k", 4, wish)
    read.begin()
    _comes_again(t, read.client, (1, 2, 3, 4))
    read.client.send(ack(4))
    read.take(5, 8)
    _comes_again(t, read.client, (5, 6, 7, 8))


def _comes_again(t: ServerTrial, client: Client, blocks: tuple[int, ...]) -> None:
    found: list[int] = []
    deadline = t.now() + max(t.resend, 8.0)
    while len(found) < len(blocks):
        packet = client.hear(max(0.0, deadline - t.now()))
        if packet is None:
            break
        found.append(packet.block)
    t.check(found == list(blocks), f"the window {blocks} is repeated as {found}")


@server_case("RFC7440-4-24", exact=True)
def all_four_options_work_together(t: ServerTrial) -> None:
    """One request with all of them, for octets and for netascii, both ways.

    In netascii the target may grant less; what arrives has to be the encoded text. What is
    stored in netascii is read back in netascii, so its form on disk does not matter.
    """
    wish = {"blksize": 1000, "windowsize": 3, "timeout": 2, "tsize": 0}
    for name in wish:
        t.needs_option(name)
    octets = t.fixture("b10k")
    client = t.client()
    played = client.read("b10k", options=wish)
    terms = client.heard[0].options
    if set(wish) - set(terms):
        t.unsupported(f"granted together: {', '.join(terms)}")
    t.check(terms["tsize"] == "10240", f"with all four options tsize is {terms['tsize']}")
    t.check(played.complete and played.content == octets, f"a read: {played.trouble}")
    text = t.fixture("textb").replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
    encoded = t.read("textb", "netascii", wish)
    if encoded.error is None:
        t.check(encoded.content == text, "a netascii read with all four options is wrong")
    if not t.manners.creates:
        return
    name = t.new_name()
    played = t.write(name, octets, options={**wish, "tsize": len(octets)})
    t.check(played.complete, f"a write: {played.trouble}")
    t.holds(name, octets)
    if encoded.error is None:
        _netascii_comes_back(t, text, {**wish, "tsize": len(text)}, wish)


def _netascii_comes_back(
    t: ServerTrial, text: bytes, put: dict[str, int], get: dict[str, int]
) -> None:
    name = t.new_name()
    played = t.write(name, text, "netascii", put)
    t.check(played.complete, f"a netascii write: {played.trouble}")
    back = t.read(name, "netascii", get)
    t.check(back.content == text, "what a netascii write stored comes back as something else")
