"""RFC 1350 sections 1, 4 and 5, tried against servers: modes, and the first answer.

Each function is one case: its docstring says why it is tried in this way.
"""

from ..catalogue import server_case
from ..server_steps import answer_to, answers_to, chunk, finish_read, judge_refusal, reading
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, ERROR, Packet, ack, data, rrq, wrq

INVENTED = ("foo", "en_US.UTF-8", "x" * 300)
OLD_WORDS = ("binary", "ascii")
OCTET = ("octet", "OCTET", "OcTeT")
NETASCII = ("netascii", "NETASCII", "NetAscii")


@server_case("RFC1350-1-01")
def an_unknown_mode_is_refused(t: ServerTrial) -> None:
    """Made-up words, one of them very long, and two that documents before RFC 783 had."""
    t.fixture("b511")
    requests = {f"a read in mode {word[:12]}": rrq("b511", word) for word in INVENTED}
    if t.manners.creates:
        requests["a write in mode foo"] = wrq(t.new_name(), "foo")
    for what, _, answer in answers_to(t, requests):
        judge_refusal(t, answer, (4, 0), what=what, silence="no answer")
    olds = {f"a read in mode {word}": rrq("b511", word) for word in OLD_WORDS}
    for what, _, answer in answers_to(t, olds):
        if answer is not None and answer.kind == DATA:
            t.policy(f"{what}, as documents before RFC 783 had it, is served")
    t.alive()


@server_case("RFC1350-1-02")
def mail_mode_is_not_accepted_for_writing(t: ServerTrial) -> None:
    """A fresh name stands for the recipient: an ACK would make a file of it."""
    answer = answer_to(t, wrq(t.new_name(), "mail"))
    judge_refusal(t, answer, (4, 0, 2, 7), what="a write in mode mail", silence="no answer")
    t.alive()


@server_case("RFC1350-1-03")
def mail_mode_is_not_accepted_for_reading(t: ServerTrial) -> None:
    """The name is one that is served in other modes, so that only the mode can be refused."""
    t.fixture("b511")
    answer = answer_to(t, rrq("b511", "mail"))
    judge_refusal(t, answer, (4, 0), what="a read in mode mail", silence="no answer")
    t.alive()


@server_case("RFC1350-5-01", exact=True)
def plain_read_starts_with_block_1(t: ServerTrial) -> None:
    """The smallest transfer there is; all else rests on it."""
    octets = t.fixture("b511")
    client = t.client()
    client.ask(rrq("b511"))
    asked = client.sent_at
    first = client.expect_data(1, octets)
    if first.at - asked > 2.0:
        t.lenient(f"the first block took {first.at - asked:.1f} s")
    client.send(ack(1))
    client.quiet(t.moment)


@server_case("RFC1350-4-01")
def plain_write_is_answered_with_ack_0(t: ServerTrial) -> None:
    """Without options there is one right answer; the upload is then brought to its end."""
    if not t.target.writes:
        t.unsupported("the target is declared to take no uploads")
    name = f"{t.target.prefix}up-plain-{next(t.target.numbers)}"
    client = t.client()
    client.ask(wrq(name))
    answer = client.hear()
    if answer is None:
        t.fail("a write request is not answered")
    if answer.kind == ERROR and answer.code == 6:
        t.skip("the target says that the name exists")
    if answer.kind == ERROR and not t.manners.creates:
        t.unsupported(f"the target takes no uploads: {answer}")
    t.check(answer.raw == ack(0), f"ACK 0 in four octets was due, and {answer} came")
    client.send(data(1, b"plain"))
    client.expect(ACK, 1)
    t.holds(name, b"plain")


@server_case("RFC1350-4-02")
def a_server_opens_a_port_for_each_transfer(t: ServerTrial) -> None:
    """The first answer to a read and to a write shows where the transfer runs from."""
    t.fixture("b511")
    answers = [answer_to(t, rrq("b511"), t.patience)]
    if t.manners.creates:
        answers.append(answer_to(t, wrq(t.new_name()), t.patience))
    for answer in answers:
        if answer is None:
            t.fail("a request is not answered")
        if answer.source[1] == t.target.address[1]:
            t.warn(f"{answer} came from the listening port")


@server_case("RFC1350-5-02")
def the_mode_word_ignores_letter_case(t: ServerTrial) -> None:
    """The fixture differs in the two modes, so that a spelling that falls back shows."""
    octets = t.fixture("text")
    for word in OCTET:
        played = t.read("text", word)
        t.check(played.complete, f"mode {word}: {played.trouble}")
        t.check(played.content == octets, f"mode {word} gives other octets than octet")
    usual = t.read("text", NETASCII[0])
    if not usual.complete:
        t.lenient(f"netascii is refused in small letters too: {usual.trouble}")
        return
    for word in NETASCII[1:]:
        played = t.read("text", word)
        t.check(played.complete, f"mode {word}: {played.trouble}")
        t.check(played.content == usual.content, f"mode {word} gives other octets than netascii")
    if t.manners.creates:
        name = t.new_name()
        stored = t.write(name, octets, "OCTET")
        t.check(stored.complete, f"a write in mode OCTET: {stored.trouble}")
        t.holds(name, octets)


@server_case("RFC1350-5-19")
def blocks_count_from_1_and_are_full(t: ServerTrial) -> None:
    """Twenty blocks and the empty one behind them; each number and each length is looked at."""
    octets = t.fixture("b10k")
    finish_read(reading(t, "b10k"), octets)


@server_case("RFC1350-5-20")
def an_ack_names_the_block_it_acknowledges(t: ServerTrial) -> None:
    """Six blocks are stored; each ACK must be new, in turn, and four octets long."""
    octets = t.fixture("b3000")
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name))
    _four_octets(t, client.expect(ACK, 0))
    for block in range(1, 7):
        client.send(data(block, chunk(octets, block)))
        _four_octets(t, client.expect(ACK, block))
    client.quiet(t.moment)
    t.holds(name, octets)


def _four_octets(t: ServerTrial, packet: Packet) -> None:
    t.check(len(packet.raw) == 4, f"{packet} is {len(packet.raw)} octets long")


@server_case("RFC1350-5-21")
def octet_mode_changes_no_octet(t: ServerTrial) -> None:
    """Every value there is, one way and the other."""
    octets = t.fixture("all256")
    played = t.read("all256")
    t.check(played.complete, f"the read: {played.trouble}")
    t.check(played.content == octets, "the octets read are not those of the file")
    if t.manners.creates:
        name = t.new_name()
        stored = t.write(name, octets)
        t.check(stored.complete, f"the write: {stored.trouble}")
        t.holds(name, octets)
