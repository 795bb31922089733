"""Multicast (RFC 2090), and what of the encoding of packets shows in a server.

Each function is one case: its docstring says why it is tried in this way.
"""

from ipaddress import ip_address
from typing import NamedTuple

from ..catalogue import server_case
from ..line import Line
from ..play import receive_file
from ..ports import Address
from ..server_trial import Client, ServerTrial, granted
from ..wire import DATA, ERROR, OACK, Packet, ack, rrq
from .terms import answers, hang_up

PROBE = b"\0\0"  # no TFTP packet


class _Member(NamedTuple):
    """A client of a multicast transfer."""

    client: Client
    master: bool
    group: Address


@server_case("RFC2090-01")
def multicast_is_passed_over_where_it_is_unknown(t: ServerTrial) -> None:
    """The option comes with an empty value, alone and in front of a block size."""
    octets = t.fixture("b3000")
    if "multicast" in t.manners.options:
        t.skip("the target grants multicast, which RFC2090-02 judges")
    alone, followed = answers(
        t,
        [
            rrq("b3000", options=[("multicast", "")]),
            rrq("b3000", options=[("multicast", ""), ("blksize", 1024)]),
        ],
    )
    plain = alone is not None and alone.kind == DATA and alone.payload == octets[:512]
    t.check(plain, f"multicast alone is answered by {alone or 'nothing'}")
    if "blksize" not in t.manners.options:
        t.unsupported("the target grants neither multicast nor blksize")
    right = followed is not None and set(followed.options) == {"blksize"}
    t.check(right, f"blksize behind multicast is answered by {followed or 'nothing'}")


def _asks(t: ServerTrial, name: str) -> _Member:
    """Asks for multicast; fails if the grant has another form than RFC 2090 gives it."""
    t.needs_option("multicast")
    t.fixture(name)
    client = t.client()
    client.ask(rrq(name, options={"multicast": ""}))
    oack = client.expect(OACK)
    fields = oack.options.get("multicast", "").split(",")
    t.check(len(fields) == 3, f"a grant has three fields, not {oack}")
    group, port, flag = fields
    try:
        right = ip_address(group).is_multicast and 0 < int(port) < 65536 and flag in ("0", "1")
    except ValueError:
        right = False
    t.check(right, f"a grant is a group, a port and 0 or 1, not {oack}")
    return _Member(client, flag == "1", (group, int(port)))


def _joined(t: ServerTrial, member: _Member) -> Line:
    """Opens a port in the group; skips the case where nothing that is sent there arrives."""
    try:
        group = t.line(member.client.peer, host=member.group[0], port=member.group[1])
    except OSError as error:
        t.skip(f"this machine cannot join {member.group[0]}: {error.strerror}")
    t.client().send(PROBE, member.group)
    if group.hear(0.5) is None:
        t.skip("multicast does not travel between the target's address and ours")
    return group


@server_case("RFC2090-02", alone=True)
def a_multicast_grant_is_address_port_and_flag(t: ServerTrial) -> None:
    """The first client of a file; nobody else asks meanwhile, so it has to be the master."""
    member = _asks(t, "b3000")
    t.check(member.master, "the first client is not made the master")
    hang_up(member.client)


@server_case("RFC2090-03", alone=True)
def a_masters_ack_selects_the_next_block(t: ServerTrial) -> None:
    """The master asks for blocks 1 and 2, and then jumps to block 5.

    That is what a client does which joined late and has most of the file already.
    """
    member = _asks(t, "b10k")
    if not member.master:
        t.skip("somebody else is the master of the fixture")
    octets = t.fixture("b10k")
    group = _joined(t, member)
    for block in (1, 2, 5):
        member.client.send(ack(block - 1))
        got = group.expect(DATA, block)
        t.check(got.payload == octets[(block - 1) * 512 : block * 512], f"{got} is not that block")
    hang_up(member.client)


@server_case("RFC2090-04", alone=True)
def the_next_client_becomes_master(t: ServerTrial) -> None:
    """Two clients; the first takes the last block and is done, while the second lacks all.

    The second one is told by an OACK to its own port, and then asks for the block it wants.
    """
    first, second = _asks(t, "b100k"), _asks(t, "b100k")
    if not first.master or second.master or first.group != second.group:
        t.skip("the two clients are not master and listener of one group")
    group = _joined(t, first)
    last = len(t.fixture("b100k")) // 512 + 1
    first.client.send(ack(last - 1))
    group.expect(DATA, last)
    first.client.send(ack(last))
    first.client.ended = True
    told = second.client.expect(OACK, within=t.patience + t.resend)
    flag = told.options.get("multicast", "").rpartition(",")[2]
    t.check(flag == "1", f"when the master is done the next client gets {told}")
    second.client.send(ack(2))
    group.expect(DATA, 3)
    hang_up(second.client)


@server_case("CODEC-03")
def a_damaged_error_ends_a_read(t: ServerTrial) -> None:
    """ERRORs without a text, without its NUL, and with more behind it, in a read each.

    A server that does not take them for ERRORs repeats its block when its timer runs out.
    """
    if t.manners.first_interval is None:
        t.skip("the target does not repeat anything, so it cannot be seen to go on")
    t.fixture("b3000")
    clients = []
    for form in (b"", b"abc", b"a\0b\0"):
        clients.append(t.client())
        clients[-1].ask(rrq("b3000"))
        clients[-1].expect(DATA, 1)
        clients[-1].send(b"\0\5\0\0" + form)
    wait = max(3.0, min(t.resend, 10.0))
    for client in clients:
        late = [packet for packet in client.everything(wait) if packet.at > client.sent_at]
        if late:
            t.fail(f"behind a damaged ERROR the read goes on with {late[0]}")
    t.alive()


@server_case("CODEC-04", alone=True)
def block_numbers_and_sizes_work_at_their_borders(t: ServerTrial) -> None:
    """An empty block and the largest one, and where windows make it quick, numbers 65535 and 0.

    Lock-step transfers over the wrap have cases of their own.
    """
    t.needs_option("blksize")
    _reads_whole(t, "b3000", 1000)
    _reads_whole(t, "b100k", 65464)
    if "windowsize" not in t.manners.options or "roll" in t.manners.missing:
        t.note("the border of block numbers is not tried here")
        return
    _reads_whole(t, "roll", 8, windowsize=32)


def _reads_whole(t: ServerTrial, name: str, size: int, **more: int) -> None:
    octets = t.fixture(name)
    client = t.client()
    client.ask(rrq(name, options={"blksize": size, **more}))
    first = client.hear()
    if first is None or first.options.get("blksize") != str(size):
        t.note(f"blksize={size} is not granted")
        hang_up(client)
        return
    grant, window = granted(first)
    played = receive_file(client, block_size=grant, window=window, opening=ack(0))
    right = played.complete and played.content == octets
    t.check(right, f"{len(octets)} octets in blocks of {grant}: {played.trouble}")


@server_case("CODEC-05", exact=True, alone=True)
def octets_over_127_in_options_stay_as_they_are(t: ServerTrial) -> None:
    """Names that are nearly `blksize`, or no UTF-8 at all, and such values of unknown options.

    Some servers do not live through this, so nothing else runs meanwhile.
    """
    octets = t.fixture("b511")
    pairs: list[tuple[bytes, bytes]] = [
        (b"bl\xffk", b"1"),
        (b"blksize\xff", b"1024"),
        (b"bl\xebksize", b"1024"),
        (b"x-name", b"\xc3\xa9\xe9\xff"),
        (b"\x80", b"\x80"),
    ]
    for pair, answer in zip(
        pairs, answers(t, [rrq("b511", options=[pair]) for pair in pairs]), strict=True
    ):
        _judge_unknown(t, pair, answer, octets)
    t.alive()


def _judge_unknown(
    t: ServerTrial, pair: tuple[bytes, bytes], answer: Packet | None, octets: bytes
) -> None:
    what = f"the option {pair[0]!r}={pair[1]!r} is answered by {answer or 'nothing'}"
    if answer is None or (answer.kind == ERROR and answer.code not in (4, 8)):
        t.warn(what)
    elif answer.kind == ERROR or (answer.kind == OACK and not answer.pairs):
        t.lenient(what)
    else:
        t.check(answer.kind == DATA and answer.payload == octets, what)
