"""`tftp-put HOST FILE [REMOTE]`: sends a file.

Translates arguments into an upload and its end into a sentence and an exit code.
Must not know how a file is sent.
"""

from pathlib import Path
from typing import IO, Annotated

import typer

from tftp.cli import common
from tftp.cli.bar import Bar
from tftp.client.url import is_url

__all__ = ["main"]

COMMAND = "tftp-put"

app, version_option = common.make_app(COMMAND)


def main() -> None:
    """Runs the command."""
    app(prog_name=COMMAND)


@app.command(
    epilog="A URL, tftp://host:port/path;mode=netascii, may stand in place of HOST, "
    "and names REMOTE; one that ends with / is completed by the name of FILE. " + common.EXITS_HELP
)
def send(
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="Server: name, name:port, [IPv6]:port; or a URL.")
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="File to send; - is standard input.")],
    remote: Annotated[
        str | None, typer.Argument(metavar="[REMOTE]", help="Name of the file on the server.")
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
    quiet: common.QuietOption = False,
    verbose: common.VerboseOption = False,
    version: Annotated[bool, version_option] = False,
) -> None:
    """Send FILE to HOST over TFTP, as REMOTE or under its own name."""
    location = common.find_target(host, remote, port)
    if is_url(host) and remote is not None:
        raise typer.BadParameter("a URL names the file on the server: REMOTE is one too many")
    name = _name_there(location.filename, file)
    asking = common.Asking(
        port, mode, netascii, block_size, window, no_options, server_timeout, timeout, retries,
        ipv4, ipv6,
    )  # fmt: skip
    wire_mode = asking.mode_for(location)
    client = asking.client(location, linger=0.0)  # who sends has nothing to repeat

    def upload(source: str | IO[bytes]) -> None:
        bar = Bar(name, wanted=not quiet)
        try:
            result = client.upload(
                name, source, mode=wire_mode, progress=bar if bar.wanted else None
            )
        finally:
            bar.close()
        common.report(COMMAND, result, bar, verbose=verbose)

    def work() -> None:
        if file != "-":
            upload(file)
            return
        with open(0, "rb", closefd=False) as source:
            upload(source)

    common.run(COMMAND, "put", name, location.host, work)


def _name_there(name: str, file: str) -> str:
    """Returns the name on the server: the one given, or that of the local file."""
    if name and not name.endswith("/"):
        return name
    if file == "-":
        raise typer.BadParameter("standard input has no name: give REMOTE")
    own = Path(file).name
    if not own or own == "..":
        raise typer.BadParameter(f"{file!r} gives no name for the server: give REMOTE")
    return name + own
