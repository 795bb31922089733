"""RFC 2347, what a server grants, tried against servers: names, orders, doubles, refusals.

Each function is one case: its docstring says why it is tried in this way. What happens
after the OACK stands in `server_rfc2347_oack`.
"""

from itertools import permutations

from ..catalogue import server_case
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, OACK, Packet, ack, rrq, wrq
from .terms import ORDINARY, answers, granted_to_writes, known

MISSING = "no-such-file"


@server_case("RFC2347-N-03")
def an_unknown_option_is_passed_over(t: ServerTrial) -> None:
    """An option that nobody has stands in front of a known one.

    It may neither spoil the request nor come back in the OACK.
    """
    t.fixture("b511")
    for name, value in known(t).items():
        _leaves_out_foo(t, name, rrq("b511", options=[("foo", "1"), (name, value)]))
    for name, value in granted_to_writes(t).items():
        _leaves_out_foo(t, name, wrq(t.new_name(), options=[("foo", "1"), (name, value)]))


def _leaves_out_foo(t: ServerTrial, name: str, request: bytes) -> None:
    (answer,) = answers(t, [request])
    if answer is None:
        t.fail("no answer to a request with an unknown option")
    right = name in answer.options and "foo" not in answer.options
    t.check(right, f"foo=1 in front of {name} was answered by {answer}")


@server_case("RFC2347-N-04", exact=True)
def with_no_option_taken_the_answer_is_plain(t: ServerTrial) -> None:
    """The request names only what the target is known not to grant, or what nobody has."""
    octets = t.fixture("b511")
    unknown: list[dict[str, str]] = [{"foo": "1"}, {"foo": "1", "x-bar": "two"}]
    others: dict[str, str] = {"windowsize": "4", "multicast": ""}
    unknown += [{name: others[name]} for name in others if name not in t.manners.options]
    for wish, answer in zip(
        unknown, answers(t, [rrq("b511", options=wish) for wish in unknown]), strict=True
    ):
        plain = answer is not None and answer.kind == DATA and answer.payload == octets
        _judge_plain(t, wish, answer, plain)
    if not t.manners.creates:
        return
    requests = [wrq(t.new_name(), options=wish) for wish in unknown]
    for wish, answer in zip(unknown, answers(t, requests), strict=True):
        _judge_plain(
            t, wish, answer, answer is not None and (answer.kind, answer.block) == (ACK, 0)
        )


def _judge_plain(t: ServerTrial, wish: dict[str, str], answer: Packet | None, plain: bool) -> None:
    what = " ".join(f"{name}={value}" for name, value in wish.items())
    if answer is not None and answer.kind == OACK and not answer.pairs:
        t.lenient(f"{what} was answered by an OACK that names nothing")
    else:
        t.check(plain, f"{what} was answered by {answer or 'nothing'}")


@server_case("RFC2347-N-05")
def an_oack_names_requested_options_only(t: ServerTrial) -> None:
    """Each option is asked for alone, so that whatever else the OACK names was not wanted."""
    t.fixture("b3000")
    options = known(t)
    asked = [(name, rrq("b3000", options={name: value})) for name, value in options.items()]
    if t.manners.creates:
        asked += [
            (name, wrq(t.new_name(), options={name: value})) for name, value in options.items()
        ]
    for (name, _), answer in zip(asked, answers(t, [one for _, one in asked]), strict=True):
        if answer is not None and answer.kind == OACK:
            more = sorted(set(answer.options) - {name})
            t.check(not more, f"asked for {name} alone, and {answer} came")


@server_case("RFC2347-N-06")
def the_order_of_options_has_no_meaning(t: ServerTrial) -> None:
    """All 24 orders of three common options and an unknown one are asked for."""
    known(t)
    t.fixture("b3000")
    wishes = [("blksize", "1024"), ("tsize", "0"), ("foo", "1"), ("timeout", "2")]
    orders = list(permutations(wishes))
    grants: dict[frozenset[tuple[str, str]] | None, str] = {}
    requests = [rrq("b3000", options=order) for order in orders]
    for order, answer in zip(orders, answers(t, requests), strict=True):
        pairs = frozenset(answer.options.items()) if answer is not None else None
        grants.setdefault(pairs, " ".join(name for name, _ in order))
    shown = " but ".join(
        f"{order}: {'silence' if pairs is None else sorted(pairs)}"
        for pairs, order in grants.items()
    )
    t.check(len(grants) == 1, f"the answer depends on the order. {shown}")


@server_case("RFC2347-N-07")
def a_doubled_option_is_answered_once_at_most(t: ServerTrial) -> None:
    """Two block sizes in one request; which of them counts shows in the first DATA.

    What the target grants for each of the two alone is asked first.
    """
    t.needs_option("blksize")
    octets = t.fixture("b3000")
    singles = answers(t, [rrq("b3000", options={"blksize": size}) for size in (1024, 2048)])
    either = {one.options.get("blksize") for one in singles if one is not None}
    client = t.client()
    client.ask(rrq("b3000", options=[("blksize", "1024"), ("blksize", "2048")]))
    answer = client.hear()
    if answer is None:
        t.fail("no answer to a request with a doubled option")
    if answer.kind == ERROR:
        if answer.code not in (4, 8):
            t.lenient(f"a doubled option was refused by {answer}")
        return
    if answer.kind == DATA:
        t.check(answer.payload == octets[:512], f"no OACK, but {answer}")
        return
    values = [value for name, value in answer.pairs if name.lower() == "blksize"]
    t.check(len(values) < 2, f"both values are granted: {answer}")
    t.check(set(values) <= either, f"a third value is granted: {answer}")
    client.send(ack(0))
    client.expect_data(1, octets[: int(values[0]) if values else 512])


@server_case("RFC2347-N-13")
def a_missing_file_is_reported_before_any_option(t: ServerTrial) -> None:
    """All options are asked for at once, of a name that is not there.

    For a write it is a name in a folder that is not there; the answer to the same write
    without options is the measure.
    """
    client = t.client()
    client.ask(rrq(MISSING, options=ORDINARY))
    client.expect_error(1)
    if not t.manners.creates:
        return
    name = f"{t.target.prefix}no-such-folder/{t.new_name()}"
    plain, wished = answers(t, [wrq(name), wrq(name, options=ORDINARY)])
    if plain is None or plain.kind != ERROR:
        t.note("the target takes a write into a folder that is not there")
        return
    right = wished is not None and (wished.kind, wished.code) == (ERROR, plain.code)
    t.check(right, f"a write gets {plain}, with options {wished}")


UNUSABLE = {
    "blksize": ("0", "7", "65465", "abc", "512x", "-1", ""),
    "timeout": ("0", "256", "x", "-1", ""),
    "windowsize": ("0", "65536", "x", "-1", ""),
    "tsize": ("x", "-1", "1e3"),
}


@server_case("RFC2347-N-15", alone=True)
def an_unusable_value_is_left_out_changed_or_refused(t: ServerTrial) -> None:
    """Values out of range, and what is no number, for each option that the target has.

    Whether an OACK goes too far is judged by the option's own cases. Some servers do not
    live through this, so nothing else runs meanwhile.
    """
    options = known(t)
    t.fixture("b3000")
    asked = [(name, value) for name in options for value in UNUSABLE[name]]
    requests = [rrq("b3000", options=[one]) for one in asked]
    _judge_answers(t, "reads", asked, answers(t, requests))
    if t.manners.creates:
        requests = [wrq(t.new_name(), options=[one]) for one in asked]
        _judge_answers(t, "writes", asked, answers(t, requests))
    t.alive()


def _judge_answers(
    t: ServerTrial, way: str, asked: list[tuple[str, str]], found: list[Packet | None]
) -> None:
    silent, odd = [], []
    for (name, value), answer in zip(asked, found, strict=True):
        if answer is None:
            silent.append(f"{name}={value}")
        elif answer.kind == ERROR and answer.code != 8:
            odd.append(f"{name}={value} (code {answer.code})")
    if silent:
        t.warn(f"{way} with these values get no answer: {', '.join(silent)}")
    if odd:
        t.warn(f"{way} with these values get another ERROR than 8: {', '.join(odd)}")


@server_case("RFC2347-N-25")
def an_option_left_out_of_the_oack_is_not_used(t: ServerTrial) -> None:
    """Options that the target does not have, or an illegal value in its place, beside others.

    What the OACK leaves out must not show: the first DATA tells the block size, what follows
    it the window, its repeat the timer.
    """
    options = known(t)
    octets = t.fixture("b3000")
    measured = [_size_not_used(t, options, octets), _window_not_used(t, options)]
    measured.append(_timer_not_used(t, options))
    if not any(measured):
        t.skip("the target grants all that can be measured")


def _beside(t: ServerTrial, options: dict[str, str], name: str, value: str) -> Client | None:
    """Asks for an option among others; returns the client if the answer leaves it out."""
    wishes = {key: wish for key, wish in options.items() if key in ("tsize", "blksize")}
    wishes[name] = value
    client = t.client()
    client.ask(rrq("b3000", options=wishes))
    first = client.hear()
    if first is None or first.kind not in (DATA, OACK) or name in first.options:
        return None
    if first.kind == OACK:
        client.send(ack(0))
        client.expect(DATA, 1)
    return client


def _size_not_used(t: ServerTrial, options: dict[str, str], octets: bytes) -> bool:
    client = _beside(t, options, "blksize", "7" if "blksize" in options else "1024")
    if client is not None:
        right = client.heard[-1].payload == octets[:512]
        t.check(right, f"blksize was not granted, and {client.heard[-1]} came")
    return client is not None


def _window_not_used(t: ServerTrial, options: dict[str, str]) -> bool:
    client = _beside(t, options, "windowsize", "0" if "windowsize" in options else "4")
    if client is not None:
        client.quiet(1.0)
    return client is not None


def _timer_not_used(t: ServerTrial, options: dict[str, str]) -> bool:
    usual = t.manners.first_interval
    if "timeout" in options or usual is None:
        return False
    wish = 1 if usual > 3 else 6
    client = _beside(t, options, "timeout", str(wish))
    if client is None:
        return False
    sent = client.heard[-1]
    again = client.hear(wish + 0.5)
    if again is not None:
        gap = again.at - sent.at
        used = abs(gap - wish) < 0.3 and abs(gap - usual) > 1.0
        t.check(not used, f"timeout={wish} was not granted, and DATA 1 is repeated after it")
    return True
