"""One large file: our server to our client, beside HTTP from nginx and a plain copy over TCP.

All from the same file in memory, to /dev/null and to a file in memory; each server on one
processor, its client on the other. Must not know about other TFTP programs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from scripts.bench_tools import account, processes
from scripts.bench_tools.commands import DEST, NOWHERE, Command, Race, serve_file
from scripts.bench_tools.job import HOST
from scripts.bench_tools.machine import memory_available
from scripts.bench_tools.results import Commands
from scripts.bench_tools.servers import Peers, Server, Stage, running
from scripts.bench_tools.workloads import ETHERNET, MIB

COPY = Path(__file__).parent / "tcp_copy.py"
READY = 5.0  # seconds
ROOMY = 6 << 30  # octets of free memory above which the file has 1 GiB

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/1;
    proxy_temp_path {folder}/2;
    fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4;
    scgi_temp_path {folder}/5;
    server {{ listen {host}:{port}; root {root}; }}
}}
"""


def compare_bulk(
    stage: Stage,
    ours: Server,
    venv: Path,
    peers: Peers,
    nginx: list[str] | str,
    rounds: int,
    small: bool,
) -> list[Commands]:
    """Compares the ways to move one large file. `nginx` is its command, or why there is none."""
    size = 256 * MIB if small or memory_available() < ROOMY else 1024 * MIB
    name = serve_file(stage, size)
    missing = {"HTTP, nginx to curl": nginx} if isinstance(nginx, str) else {}
    asked = ["--block-size", str(ETHERNET), "--window", "64"]
    script = [str(venv / "bin/python3"), str(COPY)]
    web, copy = _free_tcp_port(), _free_tcp_port()
    with ExitStack() as stack:
        up = stack.enter_context(running(ours, stage))
        get = [str(venv / "bin/tftp-get"), "-q", f"{HOST}:{up.port}", name, DEST]
        lines = [
            Command("TFTP, 1428 x 64", [*get, *asked], up.cpu),
            Command("TFTP, our defaults", get, up.cpu),
        ]
        if isinstance(nginx, list):
            cpu = stack.enter_context(_nginx(stage, nginx, web))
            curl = [str(peers.path("curl") or "curl"), "-sS", "-o", DEST]
            lines.append(
                Command("HTTP, nginx to curl", [*curl, f"http://{HOST}:{web}/{name}"], cpu)
            )
        serve = [*script, "serve", str(copy), str(stage.root / name)]
        cpu = stack.enter_context(_other(stage, serve, copy))
        lines.append(Command("TCP, sendfile", [*script, "fetch", str(copy), DEST], cpu))
        races = [
            Race(stage, f"{size // MIB} MiB to a file", size, lines, missing),
            Race(stage, f"{size // MIB} MiB to /dev/null", size, _to_nowhere(lines), missing),
        ]
        found = [race.run(rounds) for race in races]
    (stage.root / name).unlink()
    return found


def _to_nowhere(lines: list[Command]) -> list[Command]:
    return [
        replace(line, words=[NOWHERE if word == DEST else word for word in line.words])
        for line in lines
    ]


@contextmanager
def _nginx(stage: Stage, nginx: list[str], port: int) -> Iterator[Callable[[], float | None]]:
    with tempfile.TemporaryDirectory(prefix="nginx-", dir=stage.root.parent) as folder:
        text = NGINX.format(
            folder=folder,
            host=HOST,
            port=port,
            root=stage.root,
            user="user root;" if os.geteuid() == 0 else "",
        )
        settings = Path(folder) / "nginx.conf"
        settings.write_text(text)
        command = [*nginx, "-e", "stderr", "-p", folder, "-c", str(settings)]
        with _other(stage, command, port) as cpu:
            yield cpu


@contextmanager
def _other(stage: Stage, command: list[str], port: int) -> Iterator[Callable[[], float | None]]:
    """Runs a server of another kind; gives what tells its processor time so far."""
    group = account.Group(*stage.groups) if stage.groups else None
    process = processes.start(
        command, cpus=(stage.cores.server,), group=group.entry if group else None
    )
    try:
        _wait_for(process, port)
        yield group.cpu if group else lambda: account.family_cpu(process.pid)
    finally:
        processes.stop(process)
        if group:
            group.close()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
            return
        time.sleep(0.02)
    print(f"bench: {process.args!r} did not come up", file=sys.stderr)
    raise RuntimeError("a server to compare with did not come up")


def _free_tcp_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port
