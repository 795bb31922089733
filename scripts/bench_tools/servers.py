"""The servers that are measured: how each is started, and what it cannot do.

All serve the same folder, take uploads where they can, log as little as they can, and are
told to take as many transfers at once as there are clients. Must not know what is measured.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from scripts.bench_tools import account, processes
from scripts.bench_tools.job import HOST, Generator, Job
from scripts.bench_tools.machine import free_port

UPLOADS = "up"
PROBE = "probe"
PROBE_SIZE = 64
MANY = 12_000  # transfers at once that a server with a limit is allowed

OURS = "ours"
TFTP_PORT = 69


class Note(TypedDict):
    """What is known of a server before it is started."""

    version: str
    missing: str
    """Why it is not measured; empty if it is."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server program."""

    name: str
    what: str
    program: Path | None
    command: Callable[[Path, int, Path], list[str]]
    """(program, port, root) -> command line."""
    version: str = ""
    missing: str = ""
    puts: bool = True
    socket_as_input: bool = False
    """It gets its socket as standard input, as from a superserver."""
    port_69: bool = False
    slow: bool = False
    """Far behind on every workload: gets less time."""
    extra: tuple[str, ...] = ()

    def with_options(self, *options: str) -> Server:
        """Returns the same with more options on its command line."""
        return replace(self, extra=(*self.extra, *options))


def _ours(program: Path, port: int, root: Path) -> list[str]:
    # All load comes from one address: what is bounded for one host is not what is measured.
    return [
        *(str(program), str(root), "--host", HOST, "--port", str(port)),
        *("--upload", "overwrite", "--quiet", "--drain", "0"),
        *("--max-host-transfers", "0", "--max-host-unproven", "0", "--host-rate", "0"),
        *("--max-host-uploads", "0", "--upload-rate", "0"),
    ]


def _in_tftpd(program: Path, _port: int, root: Path) -> list[str]:
    return [str(program), "-s", "-c", "-p", "-u", _user(), "-t", "3600", str(root)]


def _atftpd(program: Path, port: int, root: Path) -> list[str]:
    return [
        *(str(program), "--daemon", "--no-fork", "--port", str(port), "--bind-address", HOST),
        *("--maxthread", str(MANY), "--user", f"{_user()}.{_group()}"),
        *("--verbose=0", "--logfile", "/dev/null", str(root)),
    ]


def _dnsmasq(program: Path, _port: int, root: Path) -> list[str]:
    return [
        *(str(program), "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="),
        *("--log-facility=-", "--quiet-tftp", f"--user={_user()}", f"--group={_group()}"),
        *("--port=0", "--bind-interfaces", f"--listen-address={HOST}"),
        *("--enable-tftp", f"--tftp-root={root}", f"--tftp-max={MANY}"),
    ]


def _tftpy(program: Path, port: int, root: Path) -> list[str]:
    return [str(program), "--ip", HOST, "--port", str(port), "--root", str(root)]


def _py3tftp(program: Path, port: int, _root: Path) -> list[str]:
    return [str(program), "--host", HOST, "--port", str(port)]


def _pin(program: Path, port: int, root: Path) -> list[str]:
    return [str(program), f"{HOST}:{port}", str(root)]


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name


# ---------------------------------------------------------------- which there are


class Peers:
    """What scripts/peers found."""

    def __init__(self, folder: Path) -> None:
        path = folder / "peers.json"
        self._rows: dict[str, dict[str, str | None]] = (
            json.loads(path.read_text()) if path.exists() else {}
        )

    def path(self, name: str) -> Path | None:
        """Returns a peer's program, if there is one."""
        found = self._rows.get(name, {}).get("path")
        return Path(found) if found else None

    def version(self, name: str) -> str:
        """Returns the version of a peer."""
        return self._rows.get(name, {}).get("version") or ""

    def reason(self, name: str) -> str:
        """Returns why there is no such peer; empty if there is."""
        if self.path(name):
            return ""
        return self._rows.get(name, {}).get("reason") or "scripts/peers has not found it"


def find_servers(venv: Path, peers: Peers, go_server: Path, private: bool) -> list[Server]:
    """Returns all servers, also those that cannot be measured here, with the reason."""
    version = subprocess.run(
        [venv / "bin/tftp-serve", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    root = "" if os.geteuid() == 0 else "changes its user for each request, which takes root"
    network = "" if private else "takes port 69 only: needs root, for a network of its own"

    def about(name: str, also: str = "") -> tuple[str, str]:
        return peers.version(name), peers.reason(name) or also

    def program(name: str, file: str = "") -> Path | None:
        found = peers.path(name)
        return found.with_name(file) if found and file else found

    pin = "" if go_server.exists() else "not built; scripts/bench --go does"
    forks = Server(
        "tftpd-hpa",
        "C, a process for each request",
        program("in.tftpd"),
        _in_tftpd,
        *about("in.tftpd", root),
        socket_as_input=True,
    )
    threads = Server(
        "atftpd", "C, a thread for each client", program("atftpd"), _atftpd, *about("atftpd")
    )
    loop = Server(
        "dnsmasq",
        "C, one loop",
        program("dnsmasq"),
        _dnsmasq,
        *about("dnsmasq", network),
        puts=False,
        port_69=True,
    )
    go = Server("pin/tftp", "Go library", go_server, _pin, "2.2.0", pin)
    select = Server(
        "tftpy",
        "Python, select",
        program("tftpy", "tftpy_server.py"),
        _tftpy,
        *about("tftpy"),
        slow=True,
    )
    asyncio = Server(
        "py3tftp", "Python, asyncio", program("py3tftp"), _py3tftp, *about("py3tftp"), slow=True
    )
    product = Server(OURS, "tftpkit", venv / "bin/tftp-serve", _ours, version)
    return [product, forks, threads, loop, go, select, asyncio]


# ---------------------------------------------------------------- one that runs


@dataclass(frozen=True, slots=True)
class Stage:
    """What every server is run with."""

    root: Path
    """The served folder."""
    generator: Generator
    cores: processes.Cores
    groups: tuple[Path, str] | None
    """Where control groups can be made, see account.find_groups."""


class NotReady(RuntimeError):
    """A server did not answer, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    group: account.Group | None
    log: Path

    def cpu(self) -> float | None:
        """Returns the seconds it used so far, with its children; None if that cannot be known."""
        if self.group is not None:
            return self.group.cpu()
        if account.ignores_children(self.process.pid):
            return None
        return account.family_cpu(self.process.pid)

    def complaint(self) -> str:
        """Returns the end of its log."""
        text = self.log.read_text(errors="replace").strip()
        return text[-400:] or "it wrote nothing"


@contextmanager
def running(server: Server, stage: Stage, cpus: tuple[int, ...] | None = None) -> Iterator[Running]:
    """Starts a server, waits until it answers, and ends it after the block."""
    assert server.program is not None
    group = account.Group(*stage.groups) if stage.groups else None
    try:
        with tempfile.TemporaryDirectory(prefix="log-", dir=stage.root.parent) as folder:
            log = Path(folder) / "log"
            process, port = _launch(server, server.program, stage, cpus, group, log)
            try:
                up = Running(server, process, port, group, log)
                _wait_until_ready(up, stage.generator)
                yield up
            finally:
                processes.stop(process)
    finally:
        if group is not None:
            group.close()


def _launch(
    server: Server,
    program: Path,
    stage: Stage,
    cpus: tuple[int, ...] | None,
    group: account.Group | None,
    log: Path,
) -> tuple[subprocess.Popen[bytes], int]:
    port = TFTP_PORT if server.port_69 else free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, log.open("wb") as output:
        if server.socket_as_input:
            sock.bind((HOST, port))
        process = processes.start(
            [*server.command(program, port, stage.root), *server.extra],
            cpus=(stage.cores.server,) if cpus is None else cpus,
            group=group.entry if group else None,
            folder=stage.root,
            stdin=sock.fileno() if server.socket_as_input else None,
            output=output,
        )
    return process, port


def _wait_until_ready(up: Running, generator: Generator) -> None:
    for _ in range(20):
        probe = Job(PROBE_SIZE, timer=0.02, retries=1000, limit=1.0)
        if generator.run(probe, up.port, PROBE)["finished"]:
            return
        if up.process.poll() is not None:
            raise NotReady(f"{up.server.name} ended at once: {up.complaint()}")
    raise NotReady(f"{up.server.name} does not answer: {up.complaint()}")
