"""Servers that the client is tested with: how each is started, and what it can do.

What a server can do stands here as data; the cases of the matrix follow from it. Every
server runs in the foreground as the user of the tests, on a port that is free, and takes
uploads where it can. Must not know how it is run: running.py does.
"""

import grp
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.interop.peers import WAYS, Way, require


class Launch(Enum):
    """How a server comes by its port."""

    PORT = "is told a number"
    SOCKET = "gets a bound socket as standard input, as a superserver gives it"
    NETWORK = "takes port 69 in a network of its own"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is to listen, and what it serves."""

    address: str
    port: int
    root: Path


@dataclass(frozen=True, slots=True)
class ServerPeer:
    """A server program."""

    name: str
    command: Callable[[Place], list[str]]
    launch: Launch
    grants: Mapping[Way, frozenset[str]]
    """The options that every version of it grants."""
    largest_block: int = 65464
    smallest_block: int = 8
    """What to ask for when many blocks are wanted."""
    windows: tuple[Way, ...] = ()
    """Where it sends or takes more than one block for an ACK."""
    netascii: tuple[Way, ...] = WAYS
    ipv6: bool = True
    needs_root: str = ""
    """Why it takes root to run it, if it does."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Columns of the matrix that it has no cell in, and why."""

    @property
    def ways(self) -> tuple[Way, ...]:
        """Returns the directions it serves."""
        return tuple(way for way in WAYS if way in self.grants)


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


# ---------------------------------------------------------------- command lines


def _in_tftpd(place: Place) -> list[str]:
    return [require("in.tftpd"), "-s", "-c", "-p", "-u", _user(), "-t", "3600", str(place.root)]


def _atftpd(place: Place) -> list[str]:
    # Standalone it binds IPv4 addresses only; a superserver's socket can be of either kind.
    return [
        *(require("atftpd"), "--tftpd-timeout", "3600", "--logfile", "/dev/stderr"),
        *("--user", f"{_user()}.{_group()}", str(place.root)),
    ]


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name


def _dnsmasq(place: Place) -> list[str]:
    return [
        *(require("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="),
        *("--log-facility=-", f"--user={_user()}", f"--group={_group()}"),
        *("--port=0", "--bind-interfaces", f"--listen-address={place.address}"),
        *("--enable-tftp", f"--tftp-root={place.root}"),
    ]


def _tftpy(place: Place) -> list[str]:
    return [
        *(require("tftpy", "tftpy_server.py"), "--ip", place.address, "--port", str(place.port)),
        *("--root", str(place.root)),
    ]


def _py3tftp(place: Place) -> list[str]:
    return [require("py3tftp"), "--host", place.address, "--port", str(place.port)]


def _ours(place: Place) -> list[str]:
    return [
        *(sys.executable, "-c", "from tftp.cli.serve import main; main()", str(place.root)),
        *("--host", place.address, "--port", str(place.port), "--upload", "create"),
    ]


# ---------------------------------------------------------------- what each can do


def _both(*names: str) -> Mapping[Way, frozenset[str]]:
    return {way: frozenset(names) for way in WAYS}


OUR_SERVER = "tftp-serve"

SERVERS = (
    ServerPeer(
        OUR_SERVER,
        _ours,
        Launch.PORT,
        grants=_both("blksize", "rollover", "timeout", "tsize", "windowsize"),
        windows=WAYS,
    ),
    ServerPeer(
        "in.tftpd",
        _in_tftpd,
        Launch.SOCKET,
        grants=_both("blksize", "rollover", "timeout", "tsize"),
        needs_root="changes its user for each request",
    ),
    ServerPeer(
        "atftpd",
        _atftpd,
        Launch.SOCKET,
        grants=_both("blksize", "timeout", "tsize", "windowsize"),
        windows=WAYS,
        smallest_block=32,  # it refuses blocks that are smaller than the OACK that grants them
    ),
    ServerPeer(
        "dnsmasq",
        _dnsmasq,
        Launch.NETWORK,
        grants={"get": frozenset({"blksize", "tsize"})},
        largest_block=2048,  # what its buffer holds depends on its DNS settings; 2,263 usually
        netascii=("get",),
        needs_root="listens on port 69 only, so it gets a network of its own",
        lacks={"put": "takes no uploads"},
    ),
    ServerPeer(
        "tftpy",
        _tftpy,
        Launch.PORT,
        grants=_both("blksize", "tsize"),
        netascii=(),
        ipv6=False,
        lacks={
            "netascii": "sends and stores octets as they are, whatever the mode",
            "IPv6": "opens sockets of IPv4 only",
        },
    ),
    ServerPeer(
        "py3tftp",
        _py3tftp,
        Launch.PORT,
        grants=_both("blksize", "tsize", "windowsize"),
        windows=("get",),  # it agrees to a window in uploads, and then answers each block
    ),
)
