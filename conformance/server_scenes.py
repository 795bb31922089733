"""Plays the rows of faults against a server: reads and writes on a faulty line.

Where its timer is slow and it grants the option, the server is asked for a timeout of one
second, so that a loss costs no more. Must not know which fault a row is about.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

from .faults import FaultyLine
from .fixtures import content
from .play import Played, receive_file, send_file
from .scenes import (
    EMPTY,
    LONG,
    READ,
    SENDER_TIMER,
    SHORT,
    WRITE,
    File,
    Plan,
    Row,
    Scene,
    broken_off,
    judge,
    linger,
    roles,
    slug,
    unusual,
)
from .server_trial import ServerTrial, granted
from .wire import ERROR, OACK, Packet, Value, ack, rrq, wrq

__all__ = ["against_server", "an_option", "hurried", "open_line", "play_read", "play_write"]

FIXTURES_LIKE = {SHORT: "b3000", EMPTY: "b1024", LONG: "b10k"}
RESENDS_SLOWLY = 1.5  # seconds
SHORTEST_TIMER, SENDER_PATIENCE = 0.1, 4.0  # seconds
BACKED_OFF = 9.0  # seconds that a timer which has backed off may take
HURRIED = 0.4  # seconds: a moment, where the timeout is one second
ACK_HOLD = 0.2  # seconds that a block is held back where no timer of the target matters


class Terms(NamedTuple):
    """What is asked for."""

    wishes: dict[str, Value]
    oack: bool
    """Whether nothing can be tried without an OACK."""


Request = Callable[[Mapping[str, Value]], bytes]
Opened = tuple[FaultyLine, Packet]


def against_server(row: Row) -> Callable[[ServerTrial], None]:
    """Makes the case of a row."""

    def case(t: ServerTrial) -> None:
        if row.window > 1:
            t.needs_option("windowsize")
        wanted = roles(row, "server")
        for role in wanted:
            if role == "server-write" and len(wanted) > 1 and not t.manners.creates:
                continue
            play = play_read if role == "server-read" else play_write
            for file, plan in product(row.files, row.plans):
                _judge(play(t, row, plan, file), row)
        t.alive()

    case.__name__ = slug(row)
    case.__doc__ = row.why
    return case


def an_option(t: ServerTrial) -> dict[str, Value]:
    """Returns an option that the target grants and that changes least; UNSUPPORTED without."""
    usual: dict[str, Value] = {"timeout": 1, "blksize": 512, "tsize": 0, "windowsize": 1}
    found = [name for name in usual if name in t.manners.options]
    if not found:
        t.unsupported("the target grants no option")
    return {found[0]: usual[found[0]]}


def hurried(t: ServerTrial, *, always: bool = False) -> dict[str, Value]:
    """Returns a wish for a quick timer, if the target's own is slow and it takes wishes."""
    slow = always or (t.manners.first_interval or 9.0) > RESENDS_SLOWLY
    return {"timeout": 1} if slow and "timeout" in t.manners.options else {}


def open_line(t: ServerTrial, request: Request, terms: Terms, plan: Plan, last: int) -> Opened:
    """Sends a request and returns the line, and the first answer that came through.

    What the target does not repeat by itself is asked for again, as clients do.
    """
    client = t.client()
    wire = FaultyLine(client, plan, last=last)
    client.ask(request(terms.wishes))
    first = wire.hear(max(t.patience, _resend(t, terms.wishes)))
    if first is None:
        client.ask(request(terms.wishes))
        first = wire.hear()
    if first is None:
        t.fail("nothing answers the request, not even the second time")
    _opened(t, wire, first, terms)
    return wire, first


def terms_of(t: ServerTrial, row: Row, way: str) -> Terms:
    """Returns what a row asks for in a read or a write."""
    wishes: dict[str, Value] = {} if way in row.plain else hurried(t, always=row.hurry)
    if way in row.oack and not wishes:
        wishes = an_option(t)
    if row.window > 1:
        wishes["windowsize"] = row.window
    return Terms(wishes, way in row.oack)


def play_read(t: ServerTrial, row: Row, plan: Plan, file: File) -> Scene:
    """Reads a fixture through a plan."""
    name = FIXTURES_LIKE[file]
    octets = t.fixture(name)
    terms = terms_of(t, row, READ)
    last = len(octets) // 512 + 1
    wire, first = open_line(t, lambda wishes: rrq(name, options=wishes), terms, plan, last)
    scene = _scene(t, "server-read", wire, octets, first)
    wire.moment = scene.moment
    if first.kind == ERROR:
        scene.played = Played(error=first)
    else:
        scene.played = receive_file(
            wire,
            window=scene.window,
            opening=ack(0) if first.kind == OACK else None,
            first=None if first.kind == OACK else first,
            timer=scene.resend,
            tries=1,
        )
    linger(scene, row)
    return scene


def play_write(t: ServerTrial, row: Row, plan: Plan, file: File) -> Scene:
    """Stores a file under a new name through a plan."""
    octets = content(file.size, 55)
    name = t.new_name()
    terms = terms_of(t, row, WRITE)
    wire, first = open_line(t, lambda wishes: wrq(name, options=wishes), terms, plan, file.blocks)
    scene = _scene(t, "server-write", wire, octets, first)
    scene.name = name
    wire.moment = ACK_HOLD
    if first.kind == ERROR:
        scene.played = Played(error=first)
    else:
        # Its timer has to be quicker than the target's, whose repeated ACKs would put it off.
        timer = max(SHORTEST_TIMER, min(SENDER_TIMER, scene.moment))
        tries = round(SENDER_PATIENCE / timer)
        scene.played = send_file(wire, octets, window=scene.window, timer=timer, tries=tries)
    linger(scene, row)
    return scene


def _judge(scene: Scene, row: Row) -> None:
    t = scene.t
    assert isinstance(t, ServerTrial), "only servers are judged here"
    judge(scene, row, lambda: _judge_result(t, scene, row))


def _judge_result(t: ServerTrial, scene: Scene, row: Row) -> None:
    played = scene.played
    if not played.complete and row.repeats_last and not scene.sends:
        unusual(scene, "it does not stay to repeat its last ACK")
    elif not played.complete:
        broken_off(scene, row)
        return
    if scene.sends:
        t.check(played.content == scene.content, f"{scene.role}: the file came with other octets")
        if row.repeats_last and not scene.again:
            t.fail(f"{scene.role}: the final block, whose ACK was lost, does not come again")
    else:
        t.holds(scene.name, scene.content)


def _scene(t: ServerTrial, role: str, wire: FaultyLine, octets: bytes, first: Packet) -> Scene:
    _, window = granted(first)
    moment = HURRIED if first.options.get("timeout") == "1" else t.moment
    resend = _resend(t, first.options)
    return Scene(t, role, wire, octets, Played(), moment, resend, 512, window)


def _resend(t: ServerTrial, options: Mapping[str, Value]) -> float:
    return 4.0 if str(options.get("timeout", "")) == "1" else max(t.resend, BACKED_OFF)


def _opened(t: ServerTrial, wire: FaultyLine, first: Packet, terms: Terms) -> None:
    """Looks at the answer that came through: the terms are those of the first that was sent."""
    if first.kind == ERROR:
        return
    sent = next(packet for packet in wire.line.heard if packet.kind != ERROR)
    same = sent.kind == first.kind
    t.check(same, f"{sent} was not acknowledged, and then {first} came in its place")
    if terms.oack and first.kind != OACK:
        t.unsupported("the target grants no option here")
    for name, usual in (("windowsize", "1"), ("blksize", "512")):
        wish, grant = str(terms.wishes.get(name, usual)), first.options.get(name, usual)
        if grant != wish:
            t.skip(f"{name}={grant} is granted where {wish} was asked for")
