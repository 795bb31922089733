"""Starting a server from the command line: sockets, user, limits of the process, signals.

Every failure is one sentence that says what to do. Must not know about options.
"""

import errno
import logging
import math
import os
import pwd
import resource
import socket
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer

from tftp.cli.life import Life
from tftp.cli.logs import say
from tftp.errors import LocalError, TftpError
from tftp.net import privileges
from tftp.server import Config, Limits, Server, Upload
from tftp.server.journal import say_swept
from tftp.server.report import spelled
from tftp.server.workers import Workers

__all__ = ["Rights", "check", "fail", "leave_output", "make_room", "run"]

LIMITS = Limits()

DESCRIPTORS_EACH = 3  # of a transfer: its socket, its file, the folder of an upload
DESCRIPTORS_LEAST = 1  # of one that reads what others read too: they share the file
DESCRIPTORS_MORE = 64
DESCRIPTORS_WORKER = 3  # of the parent, for each worker: two sockets and the line to it

NO_RIGHT = (
    "may not listen on port {port}: ports below 1024 need a right. Three ways out: "
    "choose another port (--port 6969); give Python the right "
    "(sudo setcap cap_net_bind_service=+ep {python}); "
    "or let a systemd socket unit open the port (ListenDatagram=69)."
)


def leave_output() -> None:
    """Lets go of output that nobody reads any more.

    What lies in a buffer would be written at exit, fail again, and turn the exit status
    into a failure.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Rights(NamedTuple):
    """What the process is to give up before it serves."""

    user: str | None = None
    confine: bool = True


def check(root: Path, rights: Rights, config: Config) -> None:
    """Prints what would protect this machine, and serves nothing."""
    try:
        protection = privileges.probe(*_terms(root, rights, config), low_ports=_low(config))
    except LocalError as error:
        fail(f"{error}.")
    typer.echo("\n".join(protection.lines()))


def run(server: Server | Workers, root: Path, rights: Rights, life: Life, also: str = "") -> None:
    """Opens the server, gives up rights, and serves until a signal says to stop."""
    config = life.config
    terms = _terms(root, rights, config)
    shown = os.fspath(root.resolve())
    _open(server)
    try:
        protection = privileges.apply(*terms, readable=life.readable, low_ports=_low(config))
    except LocalError as error:
        fail(f"{error}.")
    say_swept(server.swept)
    where = ", ".join(map(spelled, server.addresses))
    kind = "read only" if config.upload is Upload.DENY else f"uploads: {config.upload}"
    kind += also
    life.handle_signals(server)
    life.tell(f"Serving on {where}")
    say("listening", f"listening on {where}, serving {shown} ({kind})")
    for line in protection.lines():
        say("protection", line, logging.DEBUG)
    server.serve()
    totals = server.totals
    say("stopped", f"stopped: {totals.completed} done, {totals.failed} failed")


def _terms(
    root: Path, rights: Rights, config: Config
) -> tuple[Path, bool, pwd.struct_passwd | None, bool]:
    uploads = config.upload is not Upload.DENY
    return root, uploads, _find_user(rights.user), rights.confine


def _low(config: Config) -> bool:
    return config.ports is not None and config.ports.start < 1024


def _open(server: Server | Workers) -> None:
    try:
        server.open()
    except TftpError as error:
        fail(f"{error}. Name a folder that exists, or make it first.")
    except socket.gaierror as error:
        fail(f"cannot find an address to listen on: {error.strerror}. Check --host.")
    except PermissionError:
        fail(NO_RIGHT.format(port=server.port, python=os.path.realpath(sys.executable)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(
                f"port {server.port} is taken: another TFTP server is running. "
                "Stop that one, or choose another port with --port."
            )
        fail(f"cannot listen on port {server.port}: {error.strerror}. Check --host and --port.")


def fail(sentence: str) -> NoReturn:
    """Ends the command, with a sentence that says what to do."""
    typer.echo(f"tftp-serve: {sentence}", err=True)
    raise typer.Exit(1)


def _find_user(name: str | None) -> pwd.struct_passwd | None:
    if name is None:
        return None
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        fail(f"there is no user {name!r} on this machine.")
    if os.geteuid() not in (0, account.pw_uid):
        fail(f"only root can become {name!r}; start as root or leave --user out.")
    return account


def make_room(wanted: int | None, upload: Upload, workers: int) -> int:
    """Raises the limit of descriptors for `wanted` transfers; returns how many may be tried.

    The limit is one of each process, and with room to spare a transfer gets a second socket.
    Says so when it is too low: for a number that the user gave, whatever they read; for the
    default, even if all read one file.
    """
    each = DESCRIPTORS_EACH - (upload is Upload.DENY)
    more = DESCRIPTORS_MORE + DESCRIPTORS_WORKER * (workers - 1)
    needed = math.ceil((wanted or LIMITS.transfers) / workers) * (each + 1) + more
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted or LIMITS.transfers
    granted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    fit, most = (max(1, (granted - more) // n) * workers for n in (each, DESCRIPTORS_LEAST))
    if most < LIMITS.transfers if wanted is None else fit < wanted:
        say(
            "limit",
            f"only {granted} descriptors are allowed: room for {fit} transfers, for {most} if "
            "they read the same file. Raise the limit (ulimit -n) for more",
        )
    return min(wanted or LIMITS.transfers, most)
