"""Plays the rows of faults against a client: gets and puts on a faulty line.

The client is started anew for each transfer and answered in lock-step with blocks of 512,
unless a row is about an OACK or a window. Must not know which fault a row is about.
"""

from collections.abc import Callable
from itertools import product

from .client_trial import ClientTrial
from .faults import FaultyLine
from .fixtures import content
from .play import Played, receive_file, send_file
from .scenes import (
    AT_ONCE,
    READ,
    SENDER_TIMER,
    WRITE,
    File,
    Plan,
    Row,
    Scene,
    broken_off,
    conduct,
    linger,
    roles,
    slug,
    unusual,
)
from .verdict import Stop, Verdict
from .wire import DATA, Packet, ack, oack

__all__ = ["against_client"]

RESEND = 12.0  # seconds: curl takes five for a repeat, some boards six
LOOK = 0.1  # seconds between two looks whether the client has ended
HOLD = 0.2  # seconds that a packet of ours is held back
TRIES = 12


def against_client(row: Row) -> Callable[[ClientTrial], None]:
    """Makes the case of a row."""

    def case(t: ClientTrial) -> None:
        reasons = []
        wanted = roles(row, "client")
        for role in wanted:
            try:
                for file, plan in product(row.files, row.plans):
                    _judge(_play(t, row, role, plan, file), row)
            except Stop:
                if t.remarks[-1].verdict is not Verdict.UNSUPPORTED:
                    raise
                reasons.append(t.remarks.pop().text)
        if len(reasons) == len(wanted):
            t.unsupported(reasons[0])

    case.__name__ = slug(row)
    case.__doc__ = row.why
    return case


def _play(t: ClientTrial, row: Row, role: str, plan: Plan, file: File) -> Scene:
    octets = content(file.size, 55)
    way = READ if role == "client-read" else WRITE
    request = _request(t, row, way, octets)
    grants = _grants(t, row, way, request, len(octets))
    line = t.server(request)
    wire = FaultyLine(line, plan, last=file.blocks)
    window = int(grants.get("windowsize", "1"))
    scene = Scene(t, role, wire, octets, Played(), AT_ONCE, RESEND, 512, window)
    wire.moment = HOLD
    opening = oack(grants) if grants else None
    if way == READ:
        scene.played = send_file(
            wire, octets, window=window, opening=opening, timer=SENDER_TIMER, tries=TRIES
        )
    else:
        scene.played = receive_file(
            wire, window=window, opening=opening or ack(0), timer=RESEND, tries=1
        )
    linger(scene, row)
    if way == WRITE and scene.played.complete and t.sees_exit:
        _stay(t, scene)
    return scene


def _stay(t: ClientTrial, scene: Scene) -> None:
    """Repeats the last ACK as long as the client asks for it, be it lost more than once."""
    deadline = t.now() + RESEND
    while t.gone() is None and t.now() < deadline:
        packet = scene.wire.hear(LOOK)
        if packet is not None and packet.kind == DATA:
            scene.wire.send(ack(packet.block))


def _request(t: ClientTrial, row: Row, way: str, octets: bytes) -> Packet:
    """Starts the client so that it asks for what the row needs."""
    options = (("windowsize", row.window),) if row.window > 1 else ()
    if way in row.oack and not options:
        options = (("blksize", 512),)
    firm = row.window > 1
    wanted = dict(options)
    if way == READ:
        return t.get("file", mode="octet", firm=firm, beside=False, **wanted)
    return t.put(octets, "file", mode="octet", firm=firm, beside=False, **wanted)


def _grants(t: ClientTrial, row: Row, way: str, request: Packet, size: int) -> dict[str, str]:
    """Returns what the OACK says; empty: there is none, and the transfer is a plain one."""
    if row.window > 1:
        return {"windowsize": str(row.window)}
    if way not in row.oack:
        return {}
    mild = {"tsize": str(size), "windowsize": "1", "timeout": request.options.get("timeout", "")}
    for name, value in mild.items():
        if name in request.options:
            return {name: value}
    if int(request.options.get("blksize", "0")) < 512:
        t.unsupported("the client asks for no option that changes nothing")
    return {"blksize": "512"}


def _judge(scene: Scene, row: Row) -> None:
    t = scene.t
    assert isinstance(t, ClientTrial), "only clients are judged here"
    if not scene.wire.hits:
        t.skip(f"{scene.role}: the packet in question never came")
    if not (scene.wire.hung_up and row.may_end):
        _judge_result(t, scene, row)
    conduct(scene, row)


def _judge_result(t: ClientTrial, scene: Scene, row: Row) -> None:
    played = scene.played
    if not played.complete and row.repeats_last and not scene.sends:
        unusual(scene, "it does not stay to repeat its last ACK")
    elif not played.complete:
        broken_off(scene, row)
        t.fails(None if scene.sends else scene.content)
        return
    if scene.sends:
        t.check(played.content == scene.content, f"{scene.role}: other octets came")
        t.succeeds()
    else:
        t.succeeds(scene.content)
