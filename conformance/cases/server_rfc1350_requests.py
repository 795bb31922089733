"""RFC 1350 section 5, tried against servers: requests and strangers at the listening port.

Malformed requests have no answer in the RFC: an ERROR and silence are both right, a file is
not. What has stopped servers before runs alone, so that it spoils no other case.
"""

from ..catalogue import server_case
from ..fixtures import FIXTURES
from ..server_steps import answer_to, answers_to, judge_refusal
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, ERROR, OACK, ack, data, error, oack, rrq, wrq


@server_case("RFC1350-5-03")
def a_mode_of_zero_length_is_not_served(t: ServerTrial) -> None:
    """All zero octets are there; only the word between them is missing."""
    _not_served(t, b"\0\1b511\0\0", (4, 0))


@server_case("RFC1350-5-04")
def a_name_without_its_zero_octet_is_malformed(t: ServerTrial) -> None:
    """The name of a file that exists: a server that reads past the end would find it."""
    _not_served(t, b"\0\1b511", (4,))


@server_case("RFC1350-5-06")
def a_request_without_a_mode_is_malformed(t: ServerTrial) -> None:
    """The name is complete, and nothing follows it."""
    _not_served(t, b"\0\1b511\0", (4, 0))


def _not_served(t: ServerTrial, request: bytes, codes: tuple[int, ...]) -> None:
    t.fixture("b511")
    judge_refusal(t, answer_to(t, request), codes)
    t.alive()


@server_case("RFC1350-5-05")
def a_mode_without_its_zero_octet_is_malformed(t: ServerTrial) -> None:
    """One octet is missing at the very end; what was meant is still plain."""
    octets = t.fixture("b511")
    answer = answer_to(t, b"\0\1b511\0octet")
    if answer is not None and answer.kind == DATA:
        t.check(answer.payload == octets, f"{answer} holds other octets than the file")
        t.lenient("the file is served as if the zero octet were there")
    else:
        judge_refusal(t, answer, (4,))
    t.alive()


@server_case("RFC1350-5-07")
def a_name_of_zero_length_is_refused(t: ServerTrial) -> None:
    """Such a name may end up as the folder itself: so a read and a write are tried."""
    for way, request in (("read", rrq("")), ("write", wrq(""))):
        judge_refusal(t, answer_to(t, request), (0, 1, 2, 4), what=f"a {way} of no name")
    t.alive()


@server_case("RFC1350-5-08", alone=True)
def tiny_datagrams_do_not_disturb_the_listener(t: ServerTrial) -> None:
    """After each length a good request is tried, since one of them may be enough."""
    for datagram in (b"", b"\1", b"\0\1", b"\0\1\0"):
        shown = datagram.hex(" ") or "no octets at all"
        judge_refusal(t, answer_to(t, datagram, 0.5), (4,), what=f"a datagram of {shown}")
        t.alive()


@server_case("RFC1350-5-09", exact=True, alone=True)
def junk_behind_the_mode_is_tolerated_or_refused(t: ServerTrial) -> None:
    """A word that is no pair and has no end: two odd things that parsers of options meet."""
    octets = t.fixture("b511")
    answer = answer_to(t, rrq("b511") + b"junk")
    if answer is not None and answer.kind == DATA:
        t.check(answer.payload == octets, f"{answer} holds other octets than the file")
    else:
        judge_refusal(t, answer, (4, 0), silence="no answer")
    t.alive()


@server_case("RFC1350-5-10", exact=True)
def zero_octets_as_padding_do_not_matter(t: ServerTrial) -> None:
    """Padded to 512 octets as boot code does it, without options and with one."""
    octets = t.fixture("b511")
    answer = answer_to(t, rrq("b511").ljust(512, b"\0"))
    if answer is None or answer.kind == ERROR:
        t.lenient(f"a padded request got {answer or 'no answer'}")
    else:
        right = answer.kind == DATA and answer.payload == octets
        t.check(right, f"a padded request was answered with {answer}")
    if "blksize" in t.manners.options:
        answer = answer_to(t, rrq("b511", options={"blksize": 1024}).ljust(512, b"\0"))
        if answer is None or answer.kind == ERROR:
            t.lenient(f"a padded request with blksize got {answer or 'no answer'}")
        elif answer.kind == DATA and answer.payload == octets:
            t.lenient("in a padded request the option is not seen")
        else:
            right = answer.kind == OACK and [*answer.options] == ["blksize"]
            t.check(right, f"a padded request with blksize was answered with {answer}")
    t.alive()


@server_case("RFC1350-5-17")
def unknown_opcodes_at_the_listening_port_are_harmless(t: ServerTrial) -> None:
    """Among them a read request as a machine of the other byte order would send it."""
    opcodes = (b"\0\0", b"\0\7", b"\0\x63", b"\1\0")
    requests = {f"opcode {code.hex(' ')}": code + b"b511\0octet\0" for code in opcodes}
    for what, client, answer in answers_to(t, requests):
        judge_refusal(t, answer, (4,), what=what)
        more = client.anything(2.0)
        t.check(more is None, f"{what} was answered twice")
    t.alive()


@server_case("RFC1350-5-18", alone=True)
def data_ack_or_oack_alone_start_nothing(t: ServerTrial) -> None:
    """As a late packet would come whose transfer is over: from a port nobody knows."""
    before = _files(t)
    strays = {
        "a stray DATA": data(1, b"x" * 512),
        "a stray ACK 0": ack(0),
        "a stray ACK 1": ack(1),
        "a stray OACK": oack({"blksize": 512}),
    }
    for what, client, answer in answers_to(t, strays):
        judge_refusal(t, answer, (4, 5), what=what)
        for more in client.everything(2.0):
            judge_refusal(t, more, (4, 5), what=what)
    t.check(_files(t) == before, f"files came into being: {sorted(_files(t) - before)}")
    t.alive()


def _files(t: ServerTrial) -> set[str]:
    root = t.target.root
    return set() if root is None else {path.name for path in root.iterdir()}


@server_case("RFC1350-7-01")
def an_error_at_the_listening_port_is_not_answered(t: ServerTrial) -> None:
    """Several forms of it; with a forged sender two servers could feed each other for ever."""
    forms = (error(0, "x"), error(5, "x"), error(99), b"\0\5\0\0", b"\0\5")
    requests = {f"the ERROR {form.hex(' ')}": form for form in forms}
    for what, _, answer in answers_to(t, requests, 1.5):
        t.check(answer is None, f"{what} was answered with {answer}")
    t.alive()


@server_case("RFC1350-5-11", alone=True)
def names_beyond_the_limits_are_refused(t: ServerTrial) -> None:
    """One octet within and beyond what a name may have, more than that, and a deep path."""
    names = {f"a name of {len(n)} octets": n for n in ("n" * 255, "n" * 256, "n" * 399)}
    names["a deep path"] = "a/" * 200
    for what, _, answer in answers_to(t, {what: rrq(name) for what, name in names.items()}):
        judge_refusal(t, answer, (1, 0, 2, 4), what=what, silence="no answer")
    if t.manners.creates:
        names = {what: f"{t.target.prefix}up-{name}" for what, name in names.items()}
        writes = {what: wrq(name) for what, name in names.items()}
        for what, client, answer in answers_to(t, writes):
            if answer is None:
                t.lenient(f"a write to {what}: no answer")
            elif answer.kind == ACK:
                client.send(data(1, b"long"))
                last = client.anything(2.0, repeats=True)
                if last is not None and last.raw == ack(1):
                    back = t.read(names[what])
                    right = back.content == b"long"
                    t.check(right, f"{what} was stored, and not under that name")
    t.alive()


@server_case("RFC1350-5-12", alone=True)
def utf_8_names_work(t: ServerTrial) -> None:
    """A name with an accent that is there, and one in another script that is not."""
    wanted = FIXTURES["caf\u00e9"]
    answer = answer_to(t, rrq("caf\u00e9"))
    if answer is None:
        t.lenient("a name beyond ASCII is not answered")
    elif answer.kind == ERROR:
        t.policy(f"a name beyond ASCII is refused, or that fixture is missing: {answer}")
    else:
        right = answer.kind == DATA and answer.payload == wanted
        t.check(right, f"a name beyond ASCII was answered with {answer}")
    answer = answer_to(t, rrq("\u65e5"))
    judge_refusal(t, answer, (1,), what="an absent name beyond ASCII", silence="no answer")
    t.alive()
    if t.manners.creates:
        name = t.new_name() + "-\u00e9"
        stored = t.write(name, wanted)
        if stored.complete:
            t.holds(name, wanted)
        elif stored.error is None:
            t.lenient("a write to a name beyond ASCII is not answered")
        t.alive()


@server_case("RFC1350-5-13", alone=True)
def names_that_are_not_utf_8_are_harmless(t: ServerTrial) -> None:
    """The last one spells the two dots in a way that only a careless decoder takes for dots."""
    for name in (b"caf\xe9", b"\xff\xfe", b"\xc0\xae\xc0\xae/canary"):
        judge_refusal(t, answer_to(t, rrq(name), 1.0), (1, 2, 4), what=f"the name {name!r}")
        t.alive()


@server_case("RFC1350-5-14")
def names_are_taken_literally(t: ServerTrial) -> None:
    """Each of these characters means something to a shell, a URL or a web server."""
    names = ("sp ace", "a%20b", "a+b", "a;b", "it's")
    for name, _, answer in answers_to(t, {name: rrq(name) for name in names}):
        if answer is None or answer.kind == ERROR:
            t.lenient(f"{name!r} got {answer or 'no answer'}")
        else:
            t.check(answer.payload == FIXTURES[name], f"{name!r} leads to another file")


@server_case("RFC1350-5-15")
def control_characters_in_names_stay_inert(t: ServerTrial) -> None:
    """Where the folder is known, the names hold commands that would leave a file in it."""
    marks = [f"ran-{next(t.target.numbers)}" for _ in range(3)]
    root = t.target.root
    paths = [mark if root is None else str(root / mark) for mark in marks]
    names = (
        *("x\n2026-01-01 00:00:00 forged", "\x1b[2J", "\7\x7f"),
        *(f"$(touch {paths[0]})", f"`touch {paths[1]}`", f"|touch {paths[2]}"),
    )
    for name, _, answer in answers_to(t, {name: rrq(name) for name in names}):
        judge_refusal(t, answer, (1, 2), what=f"the name {name!r}", silence="no answer")
    if root is not None:
        ran = [mark for mark in marks if (root / mark).exists()]
        t.check(not ran, f"a command in a name was carried out: {ran}")
    t.note("the target's log is not known: whether it holds raw control octets stays open")
    t.alive()


@server_case("RFC1350-5-16")
def file_names_keep_their_letter_case(t: ServerTrial) -> None:
    """The fixture stands there in capitals and is asked for in small letters."""
    t.fixture("UPPER")
    if t.target.root is not None and (t.target.root / "upper").exists():
        t.skip("the file system of the target ignores letter case")
    answer = answer_to(t, rrq("upper"))
    if answer is not None and answer.kind == DATA:
        t.policy("a name in the wrong letter case is served")
    else:
        judge_refusal(t, answer, (1,), what="the wrong letter case", silence="no answer")
