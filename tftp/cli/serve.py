"""`tftp-serve [ROOT]`: serves a folder until it is told to stop.

Translates options into a `Config`, failures into one sentence, signals into `stop`.
Must not know how anything is served.
"""

import errno
import fcntl
import json
import logging
import math
import os
import pwd
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from tftp._version import __version__
from tftp.errors import LocalError, TftpError
from tftp.net.handed import take_listeners
from tftp.protocol.pace import Timing
from tftp.protocol.packets import MAX_BLOCK_SIZE
from tftp.server import EVERYWHERE, Config, Limits, Server, Upload
from tftp.server.journal import Notice, say_swept
from tftp.server.report import Report, spelled
from tftp.server.workers import MOST, Workers

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

LIMITS, TIMING = Limits(), Timing()

DESCRIPTORS_EACH = 3  # of a transfer: its socket, its file, the folder of an upload
DESCRIPTORS_LEAST = 1  # of one that reads what others read too: they share the file
DESCRIPTORS_MORE = 64
DESCRIPTORS_WORKER = 3  # of the parent, for each worker: two sockets and the line to it
SUFFIXES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

NO_RIGHT = (
    "may not listen on port {port}: ports below 1024 need a right. Three ways out: "
    "choose another port (--port 6969); give Python the right "
    "(sudo setcap cap_net_bind_service=+ep {python}); "
    "or let a systemd socket unit open the port (ListenDatagram=69)."
)


def main() -> None:
    """Runs the command."""
    try:
        app(prog_name="tftp-serve")
    finally:
        _leave_output()


def _leave_output() -> None:
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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tftp-serve {__version__}")
        raise typer.Exit


def _parse_size(text: str) -> int:
    """Reads `1500`, `10M`, `4G`."""
    factor = SUFFIXES.get(text[-1:].lower())
    digits = text[:-1] if factor else text
    if not (digits.isascii() and digits.isdigit()):
        raise typer.BadParameter("a size is a number of octets, such as 65536, 10M or 4G")
    return int(digits) * (factor or 1)


def _check_number(value: float) -> float:
    """Refuses `nan`, which is not below any minimum."""
    if math.isnan(value):
        raise typer.BadParameter("a number is needed")
    return value


def _parse_ports(text: str) -> range:
    """Reads `A-B`."""
    first, _, last = text.partition("-")
    if first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= 65535:
        return range(int(first), int(last) + 1)
    raise typer.BadParameter("a range of ports looks like 30000-30999")


def _parse_workers(text: str) -> int:
    """Reads `2`, or `auto` for as many as there are processors for this process."""
    if text == "auto":
        return min(len(os.sched_getaffinity(0)), MOST)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST:
        return int(text)
    raise typer.BadParameter(f"workers are a number from 1 to {MOST}, or auto")


@app.command()
def serve(
    root: Annotated[Path, typer.Argument(metavar="[ROOT]", help="The folder to serve.")] = Path(),
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="UDP port.")] = 69,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="Address to listen on; repeatable. Default: all, v4 and v6."),
    ] = None,
    upload: Annotated[Upload, typer.Option(help="What becomes of uploads.")] = Upload.DENY,
    max_upload: Annotated[
        int | None,
        typer.Option(parser=_parse_size, metavar="SIZE", help="Most octets of one upload: 10M."),
    ] = None,
    block_size_max: Annotated[
        int, typer.Option(min=8, max=MAX_BLOCK_SIZE, help="Largest block size granted.")
    ] = MAX_BLOCK_SIZE,
    window_max: Annotated[
        int, typer.Option(min=1, max=65535, help="Largest window granted, in blocks.")
    ] = LIMITS.window,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, max=60, callback=_check_number, help="Seconds before the first repeat."
        ),
    ] = TIMING.first,
    retries: Annotated[
        int, typer.Option(min=1, max=50, help="Repeats before giving up on a silent peer.")
    ] = TIMING.retries,
    max_transfers: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Transfers at once; more requests wait.  [default: {LIMITS.transfers}]"
        ),
    ] = None,
    cache: Annotated[
        int,
        typer.Option(
            parser=_parse_size,
            metavar="SIZE",
            help="Octets of packets shared by transfers of a file.",
        ),
    ] = str(LIMITS.cache),  # type: ignore[assignment]  # typer parses the default too
    spin: Annotated[
        str,
        typer.Option(
            metavar="auto|off",
            help="Look for the next packet before sleeping, while they come fast.",
        ),
    ] = "auto",
    workers: Annotated[
        int,
        typer.Option(
            parser=_parse_workers,
            metavar="N|auto",
            help="Processes that serve; auto: one for each processor.",
        ),
    ] = "1",  # type: ignore[assignment]  # as above
    port_range: Annotated[
        range | None,
        typer.Option(parser=_parse_ports, metavar="A-B", help="Ports for the transfers."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="User to become once the port is open (as root).")
    ] = None,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            callback=_check_number,
            help="Seconds for running transfers to end when stopped.",
        ),
    ] = Config().drain,
    log_format: Annotated[str, typer.Option(help="text or json.", metavar="text|json")] = "text",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log requests too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log failures only.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Serve the files of ROOT (default: here) over TFTP until stopped."""
    if log_format not in ("text", "json"):
        raise typer.BadParameter("--log-format is text or json")
    if spin not in ("auto", "off"):
        raise typer.BadParameter("--spin is auto or off")
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    _set_up_log(log_format, level, shared=workers > 1)
    config = Config(
        upload=upload,
        limits=Limits(
            transfers=_make_room(max_transfers, upload, workers),
            block_size=block_size_max,
            window=window_max,
            upload=max_upload,
            cache=cache,
        ),
        timing=Timing(first=timeout, retries=retries),
        ports=port_range,
        drain=drain,
        spin=spin == "auto",
    )
    hosts = tuple(host) if host else EVERYWHERE
    try:
        listeners = take_listeners()
    except LocalError as error:
        _fail(f"{error}. Check the socket unit: it needs ListenDatagram=.")
    if workers == 1:
        server = Server(root, host=hosts, port=port, config=config, listeners=listeners)
        _run(server, root, user, config)
    elif listeners:
        _fail(
            f"{workers} workers need sockets of their own, but one has been handed over to listen "
            "on. Leave --workers out, or the socket unit."
        )
    else:
        team = Workers(root, workers, host=hosts, port=port, config=config)
        _run(team, root, user, config, f", {workers} workers")


def _run(
    server: Server | Workers, root: Path, user: str | None, config: Config, also: str = ""
) -> None:
    account = _find_user(user)
    _open(server)
    if account is not None:
        _become(account)
    say_swept(server.swept)
    where = ", ".join(map(spelled, server.addresses))
    kind = "read only" if config.upload is Upload.DENY else f"uploads: {config.upload}"
    kind += also
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: server.stop())
    _log("listening", f"listening on {where}, serving {os.fspath(root.resolve())} ({kind})")
    server.serve()
    totals = server.totals
    _log("stopped", f"stopped: {totals.completed} done, {totals.failed} failed")


def _open(server: Server | Workers) -> None:
    try:
        server.open()
    except TftpError as error:
        _fail(f"{error}. Name a folder that exists, or make it first.")
    except socket.gaierror as error:
        _fail(f"cannot find an address to listen on: {error.strerror}. Check --host.")
    except PermissionError:
        _fail(NO_RIGHT.format(port=server.port, python=os.path.realpath(sys.executable)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            _fail(
                f"port {server.port} is taken: another TFTP server is running. "
                "Stop that one, or choose another port with --port."
            )
        _fail(f"cannot listen on port {server.port}: {error.strerror}. Check --host and --port.")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"tftp-serve: {sentence}", err=True)
    raise typer.Exit(1)


def _find_user(name: str | None) -> pwd.struct_passwd | None:
    if name is None:
        return None
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        _fail(f"there is no user {name!r} on this machine.")
    if os.geteuid() not in (0, account.pw_uid):
        _fail(f"only root can become {name!r}; start as root or leave --user out.")
    return account


def _become(account: pwd.struct_passwd) -> None:
    """Gives up root for good: groups first, while that is still allowed."""
    if os.geteuid() == 0:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)


def _make_room(wanted: int | None, upload: Upload, workers: int) -> int:
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
        _log(
            "limit",
            f"only {granted} descriptors are allowed: room for {fit} transfers, for {most} if "
            "they read the same file. Raise the limit (ulimit -n) for more",
        )
    return min(wanted or LIMITS.transfers, most)


def _log(event: str, message: str) -> None:
    logging.getLogger("tftp.server").info(Notice(event, message))


def _set_up_log(log_format: str, level: int, *, shared: bool) -> None:
    handler = _Turns(sys.stderr) if shared else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    logger = logging.getLogger("tftp")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    logging.raiseExceptions = False  # a log that cannot be written must not stop the serving


class _Turns(logging.StreamHandler[TextIO]):
    """Lets processes that are forked later write by turns, so that their lines stay whole.

    A pipe that is full takes long lines in pieces. Whoever dies has had its turn.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._turn = os.memfd_create("tftp-log")

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            super().emit(record)
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)


class _Text(logging.Formatter):
    """Local time and the line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{moment} {record.getMessage()}"


class _Json(logging.Formatter):
    """One object a line, with UTC time and level."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
        }
        told = record.msg
        if isinstance(told, Report | Notice):
            line |= told.fields()
        else:
            line["message"] = record.getMessage()
        return json.dumps(line)
