"""Plays the rows of faults against a client: it gets and puts, and the suite serves it.

A client may be asked to ask for a timeout of one second; whether it does is its own affair.
Options are granted only as far as a row needs them. Must not know which fault a row is about.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import TypedDict

from .client_trial import ClientTrial
from .faults import AT_MOST, FaultyLine
from .fixtures import content
from .play import receive_file, send_file
from .scenes import (
    READ,
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
from .wire import RRQ, WRQ, Packet, ack, oack

__all__ = ["TIMER", "against_client", "asked", "judge_scene", "serve", "terms"]

TIMER, TRIES = 0.4, 12
"""Of what the suite sends: quicker than clients repeat their ACKs, which would put it off."""
RESEND = 16.0  # seconds that a client may take to repeat something: curl takes 15
ENDS_WITHIN = 20.0  # seconds that a client may stay when all has been said
GONE = 0.5  # seconds that a client is waited for that has ended
LOOKS = 0.2  # seconds between two looks whether the request came again
MOMENT = 0.25  # seconds for which the suite holds something back

WAYS = {"client-read": READ, "client-write": WRITE}


class Wanted(TypedDict, total=False):
    """Options that a client is to ask for."""

    blksize: int
    timeout: int
    windowsize: int


class Attended(FaultyLine):
    """A line to a client; a request that comes again is answered again by the opening."""

    opening = b""

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram of the peer that the plan lets through."""
        trial = self.line.trial
        assert isinstance(trial, ClientTrial), "only clients send requests"
        wait = trial.patience if within is None else within
        if trial.gone() is not None:
            wait = min(wait, GONE)
        deadline = trial.now() + wait
        while not self.line.heard and self.opening:
            packet = super().hear(min(LOOKS, max(0.0, deadline - trial.now())))
            if packet is not None or trial.now() >= deadline:
                return packet
            again = trial.listener.hear(0.0)
            if again is not None and again.source == self.line.peer:
                self.send(self.opening)
        return super().hear(max(0.0, deadline - trial.now()))


def against_client(row: Row) -> Callable[[ClientTrial], None]:
    """Makes the case of a row."""

    def case(t: ClientTrial) -> None:
        for file, plan in product(row.files, row.plans):
            octets = content(file.size, 55)
            for request in asked(t, row, octets):
                scene = serve(t, request, octets, plan, terms(t, request, row, file), row)
                judge_scene(t, scene, row)

    case.__name__ = slug(row)
    case.__doc__ = row.why
    return case


def asked(t: ClientTrial, row: Row, octets: bytes) -> Iterator[Packet]:
    """Has the client do what a row needs, in each of its roles; yields each request."""
    ways = [WAYS[role] for role in roles(row, "client")]
    wanted = Wanted()
    if row.window > 1:
        wanted["windowsize"] = row.window
    elif row.oack:
        wanted["blksize"] = 512
    elif row.hurry:
        wanted["timeout"] = 1
    firm, some = row.window > 1, any(way in row.oack for way in ways)
    if len(ways) == 2:
        yield from t.ways(octets, firm=firm, some=some, **wanted)
        return
    read = ways == [READ]
    request = t.get(firm=firm, **wanted) if read else t.put(octets, firm=firm, **wanted)
    if some and not request.options:
        t.unsupported("the client requests no option")
    yield request


def terms(t: ClientTrial, request: Packet, row: Row, file: File) -> dict[str, str]:
    """Returns what is granted: as little as the row needs, and nothing that changes a size."""
    options = request.options
    way = READ if request.kind == RRQ else WRITE
    if row.window > 1:
        offered = options.get("windowsize", "1")
        if not offered.isdigit() or int(offered) < row.window:
            t.skip(f"the client asks for a window of {offered} where {row.window} is needed")
        return {"windowsize": str(row.window)}
    if way in row.oack:
        return _least(t, options, file)
    if row.hurry and options.get("timeout") == "1":
        return {"timeout": "1"}
    return {}


def _least(t: ClientTrial, options: dict[str, str], file: File) -> dict[str, str]:
    size = options.get("blksize", "0")
    usual = {"blksize": "512", "tsize": str(file.size), "windowsize": "1"}
    usual["timeout"] = options.get("timeout", "")
    if not size.isdigit() or int(size) < 512:
        del usual["blksize"]
    found = [name for name in usual if name in options]
    if not found:
        t.skip(f"the client asks for {', '.join(options)}, which this case cannot grant")
    return {found[0]: usual[found[0]]}


def serve(
    t: ClientTrial,
    request: Packet,
    octets: bytes,
    plan: Plan,
    granted: dict[str, str],
    row: Row,
    size: int = 512,
    *,
    timer: float | None = None,
) -> Scene:
    """Answers a request through a plan, and stays for what comes behind the end."""
    line = t.server(request)
    wire = Attended(line, plan, last=len(octets) // size + 1, moment=MOMENT)
    window = int(granted.get("windowsize", 1))
    opening = oack(granted) if granted else None
    if request.kind == WRQ:
        wire.opening = opening or ack(0)
    if request.kind == RRQ:
        played = send_file(
            wire,
            octets,
            block_size=size,
            window=window,
            opening=opening,
            timer=timer or TIMER,
            tries=TRIES,
        )
    else:
        played = receive_file(
            wire,
            block_size=size,
            window=window,
            opening=opening or ack(0),
            timer=timer or RESEND,
            tries=1,
        )
    role = "client-read" if request.kind == RRQ else "client-write"
    scene = Scene(t, role, wire, octets, played, MOMENT, RESEND, size, window)
    linger(scene, row)
    return scene


def judge_scene(t: ClientTrial, scene: Scene, row: Row) -> None:
    """Judges how the client came through it: its file, its exit status, its packets."""
    judge(scene, row, lambda: _judge_result(t, scene, row))


def _judge_result(t: ClientTrial, scene: Scene, row: Row) -> None:
    played = scene.played
    if not played.complete and row.repeats_last and not scene.sends:
        unusual(scene, "it does not stay to repeat its last ACK")
    elif not played.complete:
        if scene.sends and played.error is None and t.gone() is None:
            t.skip(f"{scene.role}: not at its end after {AT_MOST:.0f} s; its timer is too slow")
        broken_off(scene, row)
        t.fails(None if scene.sends else scene.content)
        return
    if scene.sends:
        t.check(played.content == scene.content, f"{scene.role}: the file came with other octets")
        if row.repeats_last and not scene.again:
            said = f"{scene.role}: the final block, whose ACK was lost, does not come again"
            t.check(t.gone() is None, said)
            t.skip(f"{said} within {RESEND:.0f} s")
    if t.sees_exit and t.gone(ENDS_WITHIN) is None:
        t.fail(f"{scene.role}: the client goes on for {ENDS_WITHIN:.0f} s after the end")
    t.succeeds(None if scene.sends else scene.content)
