"""Finds out, before any verdict, what a server offers and how patient its timer is.

Without this a repeat by a quick timer would look like an answer to a repeated ACK, and a
missing file like a broken server.
"""

import hashlib

from .fixtures import FIXTURES
from .play import Played
from .ports import Net
from .server_trial import Client, Manners, ServerTarget, ServerTrial
from .wire import DATA, ERROR, OACK, Packet, Value, ack, error, rrq

__all__ = ["calibrate"]

LEAST = 11 * 1024  # octets of a file that stands in for the fixtures
WATCH = 6.5  # seconds of silence: the slowest common timer is five
OPTIONS: dict[str, Value] = {
    "blksize": 1024,
    "timeout": 3,
    "tsize": 0,
    "windowsize": 4,
    "utimeout": 3_000_000,
    "blksize2": 1024,
    "rollover": 0,
    "multicast": "",
    "mstfwindow": 31416,
}


def calibrate(net: Net, host: str, target: ServerTarget) -> str:
    """Fills in `target.manners`; returns why nothing can be judged, or nothing at all."""
    manners = target.manners = Manners()
    trial = ServerTrial(net, host, target, "cal")
    try:
        if target.known is not None and (trouble := _fetch_known(trial, *target.known)):
            return trouble
        client = trial.client()
        client.ask(rrq("b511"))
        first = client.hear()
        if first is None:
            where = f"{target.address[0]} port {target.address[1]}"
            return f"nothing answers at {where}: is the server there, and is no firewall between?"
        if first.kind != DATA:
            return f"a read of the fixture b511 got {first}: lay the fixtures out for it first"
        manners.single_port = first.source == target.address
        client.send(ack(1))
        manners.missing = frozenset(_missing(trial))
        manners.options = frozenset(_options(trial))
        _writes(trial, manners)
        manners.flow_interval = _flow_interval(trial)
        manners.first_interval = _first_interval(trial)
    finally:
        trial.close()
    return ""


def _fetch_known(trial: ServerTrial, name: str, digest: str) -> str:
    played = trial.read(name)
    if not played.complete:
        return f"{name} could not be fetched: {played.trouble}"
    if hashlib.sha256(played.content).hexdigest() != digest:
        return f"{name} came with another SHA-256 than was given; which is wrong?"
    if len(played.content) < LEAST:
        return f"{name} is too short to try much with; name a file of {LEAST} octets or more"
    trial.target.stand_in = played.content
    return ""


def _missing(trial: ServerTrial) -> list[str]:
    """Names the fixtures that are refused; one that comes wrong is for the cases to judge."""
    return [
        name
        for name, octets in FIXTURES.items()
        if len(octets) < 100_000 and _refused(trial.read(name))
    ]


def _refused(played: Played) -> bool:
    return played.error is not None and all(packet.kind != DATA for packet in played.packets)


def _options(trial: ServerTrial) -> list[str]:
    found = []
    for name, value in OPTIONS.items():
        client = trial.client()
        client.ask(rrq("b3000", options=[(name, value)]))
        answer = client.hear(2.0)
        if answer is not None and answer.kind == OACK and name in answer.options:
            found.append(name)
        if answer is not None and answer.kind != ERROR:
            client.send(error(0, "Only asking"))
    return found


def _writes(trial: ServerTrial, manners: Manners) -> None:
    if not trial.target.writes:
        return
    name = f"{trial.target.prefix}up-cal-{next(trial.target.numbers)}"
    manners.creates = _taken(trial.write(name, b"new"))
    if manners.creates:
        manners.overwrites = _taken(trial.write(name, b"over"))


def _taken(played: Played) -> bool:
    """Tells whether an upload was let in; whether it went right is for the cases to judge."""
    return played.error is None and (played.complete or played.timeouts > 0)


def _first_interval(trial: ServerTrial) -> float | None:
    client = trial.client()
    client.ask(rrq("b3000"))
    return _until_repeat(client)


def _flow_interval(trial: ServerTrial) -> float | None:
    """The timer may follow the round trip: so it is asked for in a quick transfer."""
    client = trial.client()
    client.ask(rrq("b10k"))
    for block in range(1, 15):
        if client.hear() is None:
            return None
        client.send(ack(block))
    return _until_repeat(client)


def _until_repeat(client: Client) -> float | None:
    packet: Packet | None = client.hear()
    if packet is None:
        return None
    began = packet.at
    again = client.hear(WATCH)
    return None if again is None else again.at - began
