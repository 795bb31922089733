"""RFC 2347, the form of requests and OACKs, tried against servers.

Each function is one case: its docstring says why it is tried in this way. How terms are
negotiated stands in `server_rfc2347_negotiation`.
"""

from contextlib import suppress

from ..catalogue import server_case
from ..play import receive_file
from ..server_trial import ServerTrial, granted
from ..wire import DATA, ERROR, OACK, Packet, ack, rrq, wrq
from .terms import answers, granted_to_writes, hang_up, known


@server_case("RFC2347-P-01", exact=True, alone=True)
def half_a_pair_is_no_option(t: ServerTrial) -> None:
    """The request ends behind the name `blksize`, once with its NUL and once without.

    What stands in front of it is a complete request.
    """
    octets = t.fixture("b511")
    requests = [rrq("b511") + half for half in (b"blksize\0", b"blksize")]
    for answer in answers(t, requests):
        if answer is None:
            t.warn("no answer to a request that ends in half a pair")
        elif answer.kind == ERROR:
            t.lenient(f"half a pair is refused by {answer}")
        elif answer.kind == OACK:
            t.check("blksize" not in answer.options, f"half a pair was answered by {answer}")
            t.lenient(f"half a pair was answered by {answer}")
        else:
            right = answer.kind == DATA and answer.payload == octets
            t.check(right, f"half a pair was answered by {answer}")
    t.alive()


@server_case("RFC2347-P-02")
def a_request_of_512_octets_is_accepted(t: ServerTrial) -> None:
    """An unknown option with a long name fills the request up to 512 octets.

    The known one stands behind it, where a cut would hit it, and then in front.
    """
    name, value = next(iter(known(t).items()))
    t.fixture("b511")
    spare = 512 - len(rrq("b511", options=[(name, value), ("", "y")]))
    filler = ("x" * spare, "y")
    orders = [[filler, (name, value)], [(name, value), filler]]
    for answer in answers(t, [rrq("b511", options=order) for order in orders]):
        if answer is None:
            t.fail("no answer to a request of 512 octets")
        right = answer.kind == OACK and name in answer.options
        t.check(right, f"a request of 512 octets with {name}={value} was answered by {answer}")


@server_case("RFC2347-P-03", alone=True)
def a_longer_request_is_not_judged_by_its_first_part(t: ServerTrial) -> None:
    """Many unknown options, and then a block size, make requests that common buffers cut.

    Such buffers have 512 octets, an Ethernet frame, a page. What is served has to be the file.
    """
    t.fixture("b511")
    for length in (546, 1500, 9000, 65507):
        request = _long_request("b511", length)
        client = t.client()
        try:
            client.ask(request)
        except OSError:
            t.note(f"this machine cannot send {length} octets")
            continue
        _judge_long(t, client.hear(2.5), length)
        hang_up(client)
    with suppress(OSError):
        _serves_whole(t, _long_request("b511", 546))
    t.alive()


def _long_request(name: str, length: int) -> bytes:
    tail = b"blksize\x001024\0"
    fillers = b"".join(b"opt%04d\0value\0" % number for number in range(length // 14 + 1))
    head = rrq(name)
    body = fillers[: (length - len(head) - len(tail)) // 14 * 14]
    spare = length - len(head) - len(body) - len(tail)
    return head + body[:-1] + b"v" * spare + b"\0" + tail


def _judge_long(t: ServerTrial, answer: Packet | None, length: int) -> None:
    if answer is None or answer.kind == ERROR:
        return
    what = f"a request of {length} octets was answered by {answer}"
    if answer.kind == OACK:
        t.check(set(answer.options) <= {"blksize"}, what)
        t.check(answer.options.get("blksize", "1024") in ("1024", "512"), what)
    else:
        t.check(answer.kind == DATA and answer.payload == t.fixture("b511"), what)


def _serves_whole(t: ServerTrial, request: bytes) -> None:
    client = t.client()
    client.ask(request)
    first = client.hear(2.5)
    if first is None or first.kind != OACK:
        return
    size, window = granted(first)
    played = receive_file(client, block_size=size, window=window, opening=ack(0))
    right = played.content == t.fixture("b511")
    t.check(right, "after the OACK to a long request another content comes")


@server_case("RFC2347-P-04")
def option_names_in_any_letter_case(t: ServerTrial) -> None:
    """Each option that the target grants is asked for in small letters, capitals and mixed.

    It is the difference that is judged, for reads and then for writes.
    """
    t.fixture("b3000")
    for name, value in known(t).items():
        _spelled_alike(t, name, [rrq("b3000", options=[(s, value)]) for s in _spellings(name)])
    for name, value in granted_to_writes(t).items():
        requests = [wrq(t.new_name(), options=[(s, value)]) for s in _spellings(name)]
        _spelled_alike(t, name, requests)


def _spellings(name: str) -> tuple[str, ...]:
    mixed = "".join(letter.upper() if i % 2 else letter for i, letter in enumerate(name))
    return name, name.upper(), name.capitalize(), mixed


def _spelled_alike(t: ServerTrial, name: str, requests: list[bytes]) -> None:
    plain, *others = answers(t, requests)
    terms = plain.options if plain is not None else {}
    for answer in others:
        right = answer is not None and answer.kind == OACK and answer.options == terms
        t.check(right, f"{name} in other letters was answered by {answer}, in small by {plain}")


@server_case("RFC2347-P-06")
def an_oack_is_whole_pairs_and_nothing_else(t: ServerTrial) -> None:
    """Each option alone, all of them, and all among unknown ones, in reads and in writes.

    Every OACK has to be names and values in turn, without padding.
    """
    options = known(t)
    t.fixture("b3000")
    wishes = [*({name: value} for name, value in options.items()), options]
    wishes.append({"foo": "1", **options, "bar": "2"})
    requests = [rrq("b3000", options=wish) for wish in wishes]
    if t.manners.creates:
        requests += [wrq(t.new_name(), options=wish) for wish in wishes]
    oacks = [answer for answer in answers(t, requests) if answer and answer.kind == OACK]
    if not oacks:
        t.unsupported("no OACK came")
    for oack in oacks:
        t.check(not oack.odd, f"{oack}")
        empty = any(not name for name, _ in oack.pairs)
        t.check(not empty, f"octets behind the last pair: {oack.raw.hex(' ')}")


OCTETS = 3000
NUMBERS = {"blksize": 512, "timeout": 3, "windowsize": 4, "tsize": 0}
TOO_BIG_MAY_BECOME = {"blksize": (8, 65464), "windowsize": (1, 65535)}


@server_case("RFC2347-P-07", exact=True, alone=True)
def a_number_is_decimal_digits_and_does_not_wrap(t: ServerTrial) -> None:
    """Everything that a number parser may trip over is tried for each option in turn.

    What counts is the number in the OACK. Some servers do not live through this, so nothing
    else runs meanwhile.
    """
    t.fixture("b3000")
    wrong = []
    for name in known(t):
        forms = _forms(NUMBERS[name])
        requests = [rrq("b3000", options=[(name, form)]) for form in forms]
        for form, answer in zip(forms, answers(t, requests), strict=True):
            grant = answer.options.get(name) if answer is not None else None
            if grant is None:
                continue
            shown = f"{name}={form:.25}"
            right = _size_is_right if name == "tsize" else _grant_is_right
            if not right(t, name, form, grant, shown):
                wrong.append(f"{shown} became {grant:.25}")
    t.check(not wrong, ", ".join(wrong))
    t.alive()


def _forms(number: int) -> list[str]:
    """Returns a good form, forms that some parsers take, and bad ones."""
    bad = ["", "abc", f"{number}x", f"-{number or 1}", "9" * 200]
    return [f"0{number}", *_loose(number), *bad, str(2**32 + number), str(2**64 + number)]


def _loose(number: int) -> dict[str, int]:
    """Returns what is no number, and the number that a friendly parser would see in it."""
    digits = "".join(chr(0x660 + int(digit)) for digit in str(number))
    signed = {f" {number}": number, f"+{number}": number}
    return {**signed, f"{number:#x}": number, "1e3": 1000, digits: number}


def _grant_is_right(t: ServerTrial, name: str, form: str, grant: str, shown: str) -> bool:
    number = NUMBERS[name]
    low, high = TOO_BIG_MAY_BECOME.get(name, (number, 0))
    if form == f"0{number}":
        return grant.isdigit() and low <= int(grant) <= number
    if form in _loose(number):
        taken = grant in (form, str(_loose(number)[form]))
        if taken:
            t.policy(f"{shown} is taken for a number")
        return taken
    # Too big: it may be lowered, but what a machine word would leave of it is no limit.
    digits = form.isdigit() and grant.isdigit()
    return digits and low <= int(grant) <= high and int(grant) != number


def _size_is_right(t: ServerTrial, name: str, form: str, grant: str, shown: str) -> bool:
    """The server puts the size of the file there, so the request's number is hardly read."""
    digits = form.isdigit() and form.isascii()
    if grant == str(OCTETS):
        if not digits:
            t.policy(f"{name} is answered by the size, though {shown} is no number")
        return True
    if digits and grant == form:
        t.lenient(f"{shown} is echoed")
        return True
    return False


@server_case("RFC2347-P-08")
def an_empty_value_does_not_disturb_the_next_option(t: ServerTrial) -> None:
    """A known option stands behind one with an empty value.

    A parser that takes two NULs in a row for the end, or loses its count there, misses it.
    """
    t.fixture("b511")
    for name, value in known(t).items():
        options = [("xyzzy", ""), (name, value)]
        (answer,) = answers(t, [rrq("b511", options=options)])
        right = answer is not None and name in answer.options
        t.check(right, f"{name}={value} behind an empty value was answered by {answer}")
