"""Clients that the server is tested with: how each is told what to do, and what it can do.

What a client can do stands here as data; the cases of the matrix follow from it.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.peers import PROJECT, Way, require

Options = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Errand:
    """One transfer that a client is sent on. `options` None leaves them to the client."""

    way: Way
    address: str
    port: int
    remote: str
    local: Path
    mode: str = "octet"
    options: Options | None = None


@dataclass(frozen=True, slots=True)
class ClientPeer:
    """A client program."""

    name: str
    command: Callable[[Errand], list[str]]
    option_sets: tuple[tuple[str, ...], ...]
    """Every set of options that it can be made to ask for."""
    usual: tuple[str, ...] = ()
    """What it asks for when it is not told."""
    own_values: tuple[str, ...] = ()
    """Options whose values it chooses by itself."""
    unknown: tuple[str, ...] = ()
    """Options of its own that our server leaves alone."""
    block_sizes: tuple[int, int] | None = None
    """The smallest and the largest that it can be told to ask for."""
    windows: bool = False
    netascii: bool = False
    ipv6: bool = True
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Columns of the matrix that it has no cell in, and why."""

    def start(self, errand: Errand) -> subprocess.Popen[str]:
        """Sends the client on its errand; skips the test where there is no such client."""
        return subprocess.Popen(
            self.command(errand),
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )


def subsets(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Returns all subsets, the empty one first."""
    known = tuple(names)
    return tuple(
        chosen for count in range(len(known) + 1) for chosen in itertools.combinations(known, count)
    )


# ---------------------------------------------------------------- command lines


def _atftp(errand: Errand) -> list[str]:
    settings: dict[str, int | str] = dict(errand.options or {})
    if "multicast" in settings:
        settings["multicast"] = ""
    if errand.mode != "octet":
        settings["mode"] = errand.mode
    # Its manual has `tsize enable`; that puts the word into the RRQ in place of a number.
    return [
        require("atftp"),
        *(f"--option={name} {value}" for name, value in settings.items()),
        f"--{errand.way}",
        f"--remote-file={errand.remote}",
        f"--local-file={errand.local}",
        errand.address,
        str(errand.port),
    ]


def _busybox(errand: Errand) -> list[str]:
    size = (errand.options or {}).get("blksize")
    return [
        *(require("busybox"), "tftp", "-g" if errand.way == "get" else "-p"),
        *(("-b", str(size)) if size is not None else ()),
        *("-r", errand.remote, "-l", str(errand.local), errand.address, str(errand.port)),
    ]


def _curl(errand: Errand) -> list[str]:
    host = f"[{errand.address}]" if ":" in errand.address else errand.address
    mode = f";mode={errand.mode}" if errand.mode != "octet" else ""
    asking: tuple[str, ...] = ()
    if errand.options is not None:
        size = errand.options.get("blksize")
        asking = ("--tftp-no-options",) if size is None else ("--tftp-blksize", str(size))
    return [
        *(require("curl"), "-sS", *asking),
        *("-o" if errand.way == "get" else "-T", str(errand.local)),
        f"tftp://{host}:{errand.port}/{errand.remote}{mode}",
    ]


def _tftp_hpa(errand: Errand) -> list[str]:
    local = str(errand.local)
    files = (errand.remote, local) if errand.way == "get" else (local, errand.remote)
    return [
        *(require("tftp-hpa"), "-6" if ":" in errand.address else "-4"),
        *(errand.address, str(errand.port), "-m", errand.mode, "-c", errand.way, *files),
    ]


def _tftpy(errand: Errand) -> list[str]:
    options = errand.options or {}
    files = ("-D", errand.remote, "-o") if errand.way == "get" else ("-u", errand.remote, "-i")
    return [
        *(require("tftpy"), "-H", errand.address, "-p", str(errand.port)),
        *(("-b", str(options["blksize"])) if "blksize" in options else ()),
        *(("-t",) if "tsize" in options else ()),
        *(*files, str(errand.local)),
    ]


def _ours(errand: Errand) -> list[str]:
    options = errand.options
    flags = {"blksize": "--block-size", "windowsize": "--window", "timeout": "--server-timeout"}
    asking = [f"{flags[name]}={value}" for name, value in (options or {}).items() if name in flags]
    files = (errand.remote, str(errand.local))
    return [
        *(sys.executable, "-c", f"from tftp.cli.{errand.way} import main; main()"),
        *("-q", f"--port={errand.port}", f"--mode={errand.mode}"),
        *(("--no-options",) if options is not None and not options else asking),
        *(errand.address, *(files if errand.way == "get" else reversed(files))),
    ]


# ---------------------------------------------------------------- what each can do

NO_SWITCH = "has no option for it: it always says octet"

OUR_CLIENT = "tftpkit"

CLIENTS = (
    ClientPeer(
        OUR_CLIENT,
        _ours,
        option_sets=(
            (),
            ("blksize", "tsize", "windowsize"),
            ("blksize", "timeout", "tsize", "windowsize"),
        ),
        usual=("blksize", "tsize", "windowsize"),
        block_sizes=(8, 65464),
        windows=True,
        netascii=True,
    ),
    ClientPeer(
        "atftp",
        _atftp,
        option_sets=subsets(("blksize", "timeout", "tsize", "windowsize", "multicast")),
        unknown=("multicast",),
        block_sizes=(8, 65464),
        windows=True,
        netascii=True,
    ),
    ClientPeer(
        "busybox",
        _busybox,
        option_sets=(("tsize",), ("blksize", "tsize")),
        usual=("tsize",),
        # It refuses less than 24; and its buffer of one block has to hold the request.
        block_sizes=(64, 65464),
        lacks={"netascii": NO_SWITCH},
    ),
    ClientPeer(
        "curl",
        _curl,
        option_sets=((), ("blksize", "timeout", "tsize")),
        usual=("blksize", "timeout", "tsize"),
        own_values=("timeout",),
        block_sizes=(8, 65464),
        netascii=True,
    ),
    ClientPeer(
        "tftp-hpa",
        _tftp_hpa,
        option_sets=((),),
        netascii=True,
        lacks={"options": "asks for none"},
    ),
    ClientPeer(
        "tftpy",
        _tftpy,
        option_sets=subsets(("blksize", "tsize")),
        own_values=("tsize",),  # 0, in a WRQ too
        block_sizes=(8, 65464),
        ipv6=False,
        lacks={
            "netascii": "sends and stores octets as they are, whatever the mode",
            "IPv6": "opens sockets of IPv4 only",
        },
    ),
)
