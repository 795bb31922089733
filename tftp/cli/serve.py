"""`tftp-serve [ROOT]`: serves a folder until it is told to stop.

Translates options into a `Config`. Must not know how anything is served.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from tftp._version import __version__
from tftp.cli import options, start
from tftp.cli.life import Life
from tftp.cli.logs import set_up_log
from tftp.cli.parsers import parse_networks
from tftp.cli.start import Rights, fail, leave_output, make_room, run
from tftp.errors import LocalError
from tftp.net.handed import take_listeners
from tftp.protocol.pace import Timing
from tftp.server import EVERYWHERE, Config, Limits, Server, Upload
from tftp.server.access import Access
from tftp.server.workers import Workers

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

CONFIG, LIMITS, TIMING = Config(), Limits(), Timing()


def main() -> None:
    """Runs the command."""
    try:
        app(prog_name="tftp-serve")
    finally:
        leave_output()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tftp-serve {__version__}")
        raise typer.Exit


# typer parses the defaults too, so those of options with a parser are words.
@app.command()
def serve(
    root: options.Root = Path(),
    port: options.Port = 69,
    host: options.Hosts = None,
    upload: options.UploadPolicy = Upload.DENY,
    max_upload: options.MaxUpload = None,
    max_uploads: options.MaxUploads = LIMITS.uploads,
    max_host_uploads: options.MaxHostUploads = LIMITS.host_uploads,
    upload_rate: options.UploadRate = LIMITS.upload_requests,
    keep_free: options.KeepFree = str(LIMITS.free),  # type: ignore[assignment]
    allow: options.Allow = None,
    deny: options.Deny = None,
    allow_upload: options.AllowUpload = None,
    deny_upload: options.DenyUpload = None,
    block_size_max: options.BlockSizeMax = LIMITS.block_size,
    block_size_min: options.BlockSizeMin = LIMITS.block_size_least,
    window_max: options.WindowMax = LIMITS.window,
    timeout: options.Timeout = TIMING.first,
    retries: options.Retries = TIMING.retries,
    max_transfers: options.MaxTransfers = None,
    max_host_transfers: options.MaxHostTransfers = LIMITS.host_transfers,
    host_rate: options.HostRate = LIMITS.host_requests,
    max_unproven: options.MaxUnproven = LIMITS.unproven,
    max_host_unproven: options.MaxHostUnproven = LIMITS.host_unproven,
    unproven_repeats: options.UnprovenRepeats = LIMITS.unproven_repeats,
    unproven_rate: options.UnprovenRate = LIMITS.unproven_requests,
    max_seconds: options.MaxSeconds = LIMITS.transfer_seconds,
    max_octets: options.MaxOctets = None,
    muted_ports: options.MutedPorts = None,
    cache: options.Cache = str(LIMITS.cache),  # type: ignore[assignment]
    spin: options.Spin = "auto",
    workers: options.Workers = "1",  # type: ignore[assignment]
    port_range: options.PortRange = None,
    user: options.User = None,
    confine: options.Confine = True,
    check: options.Check = False,
    drain: options.Drain = CONFIG.drain,
    settings: options.SettingsFile = None,
    replace: options.Replace = None,
    log_format: options.LogFormat = "text",
    log_rate: options.LogRate = LIMITS.lines,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
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
    set_up_log(log_format, level, shared=workers > 1)
    config = Config(
        upload=upload,
        limits=Limits(
            transfers=make_room(max_transfers, upload, workers),
            host_transfers=max_host_transfers,
            host_requests=host_rate,
            unproven=max_unproven,
            host_unproven=max_host_unproven,
            unproven_repeats=unproven_repeats,
            unproven_requests=unproven_rate,
            transfer_seconds=max_seconds,
            transfer_octets=max_octets,
            block_size=block_size_max,
            block_size_least=block_size_min,
            window=window_max,
            upload=max_upload,
            uploads=max_uploads,
            host_uploads=max_host_uploads,
            upload_requests=upload_rate,
            free=keep_free,
            muted_ports=LIMITS.muted_ports if muted_ports is None else muted_ports,
            lines=log_rate,
            cache=cache,
        ),
        timing=Timing(first=timeout, retries=retries),
        ports=port_range,
        drain=drain,
        spin=spin == "auto",
        access=Access(*map(parse_networks, (allow, deny, allow_upload, deny_upload))),
    )
    rights = Rights(user, confine)
    if check:
        start.check(root, rights, config)
    else:
        hosts = tuple(host) if host else EVERYWHERE
        try:
            life = Life(settings, replace, config)
        except LocalError as error:
            fail(f"{error}.")
        _serve(root, hosts, port, workers, rights, life)


def _serve(
    root: Path, hosts: tuple[str, ...], port: int, workers: int, rights: Rights, life: Life
) -> None:
    try:
        listeners = take_listeners()
    except LocalError as error:
        fail(f"{error}. Check the socket unit: it needs ListenDatagram=.")
    if workers == 1:
        server = Server(
            root,
            host=hosts,
            port=port,
            config=life.config,
            listeners=listeners,
            joins=life.joins,
            chores=life.chores,
        )
        run(server, root, rights, life)
    elif listeners:
        fail(
            f"{workers} workers need sockets of their own, but one has been handed over to listen "
            "on. Leave --workers out, or the socket unit."
        )
    else:
        team = Workers(
            root,
            workers,
            host=hosts,
            port=port,
            config=life.config,
            joins=life.joins,
            chores=life.chores,
        )
        run(team, root, rights, life, f", {workers} workers")
