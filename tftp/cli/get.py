"""`tftp-get HOST FILE [DEST]`: fetches a file.

Translates arguments into a download and its end into a sentence and an exit code.
Must not know how a file is fetched.
"""

from pathlib import Path
from typing import IO, Annotated

import typer

from tftp.cli import common
from tftp.cli.bar import Bar
from tftp.cli.linger import leave_behind
from tftp.client.dally import Dallying
from tftp.client.places import base_name
from tftp.client.url import Location, is_url
from tftp.errors import LocalError

__all__ = ["main"]

COMMAND = "tftp-get"
LINGER = 6.0
"""Seconds that a child stays to repeat the last ACK: servers ask again after 1 to 5."""

app, version_option = common.make_app(COMMAND)


def main() -> None:
    """Runs the command."""
    app(prog_name=COMMAND)


@app.command(
    epilog="A URL, tftp://host:port/path;mode=netascii, may stand in place of HOST FILE. "
    + common.EXITS_HELP
)
def fetch(
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="Server: name, name:port, [IPv6]:port; or a URL.")
    ],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Name of the file on the server.")
    ] = None,
    dest: Annotated[
        str | None,
        typer.Argument(metavar="[DEST]", help="File or folder to save to; - is standard output."),
    ] = None,
    port: common.PortOption = None,
    mode: common.ModeOption = None,
    netascii: common.NetasciiOption = False,
    block_size: common.BlockSizeOption = None,
    window: common.WindowOption = None,
    no_options: common.NoOptionsOption = False,
    server_timeout: common.ServerTimeoutOption = None,
    timeout: common.TimeoutOption = 1.0,
    retries: common.RetriesOption = 5,
    ipv4: common.Ipv4Option = False,
    ipv6: common.Ipv6Option = False,
    no_linger: Annotated[
        bool,
        typer.Option("--no-linger", help="Leave nobody behind to repeat a lost last ACK."),
    ] = False,
    quiet: common.QuietOption = False,
    verbose: common.VerboseOption = False,
    version: Annotated[bool, version_option] = False,
) -> None:
    """Fetch FILE from HOST over TFTP, into DEST or under its own name."""
    if is_url(host):
        if dest is not None:
            raise typer.BadParameter("behind a URL there is only DEST")
        file, dest = None, file
    location = common.find_target(host, file, port)
    if not location.filename:
        raise typer.BadParameter("which FILE of the server?")
    asking = common.Asking(
        port, mode, netascii, block_size, window, no_options, server_timeout, timeout, retries,
        ipv4, ipv6,
    )  # fmt: skip
    get = _Get(location, dest, asking, linger=0.0 if no_linger else LINGER, verbose=verbose)
    name = location.filename
    common.run(COMMAND, "get", name, location.host, lambda: get.run(wanted=not quiet))


class _Get:
    """One run of the command."""

    def __init__(
        self,
        location: Location,
        dest: str | None,
        asking: common.Asking,
        *,
        linger: float,
        verbose: bool,
    ) -> None:
        self._location = location
        self._dest = dest
        self._mode = asking.mode_for(location)
        self._client = asking.client(location, linger)
        self._behind: list[Dallying] = []
        if linger:
            self._client.keep = self._behind.append
        self._verbose = verbose

    def run(self, *, wanted: bool) -> None:
        """Fetches the file. Raises TftpError."""
        name = self._location.filename
        if self._dest == "-":
            with open(1, "wb", buffering=0, closefd=False) as output:
                self._download(output, Bar(name, wanted=wanted and not output.isatty()))
            return
        self._download(self._dest or _own_name(name), Bar(name, wanted=wanted))

    def _download(self, dest: str | IO[bytes], bar: Bar) -> None:
        name = self._location.filename
        progress = bar if bar.wanted else None
        try:
            result = self._client.download(name, dest, mode=self._mode, progress=progress)
        finally:
            bar.close()
        common.report(COMMAND, result, bar, verbose=self._verbose)
        for dallying in self._behind:
            leave_behind(dallying)


def _own_name(filename: str) -> str:
    """Returns where a file goes without DEST: here, under the last part of its name."""
    try:
        name = base_name(filename)
    except LocalError as error:
        raise typer.BadParameter(f"{error} as DEST") from error
    if Path(name).is_dir():
        raise LocalError(f"Cannot write {name!r}: it is a folder; name a DEST")
    return name
