"""What `tftp-get` and `tftp-put` share: options, targets, sentences, exit codes.

The exit codes are those of curl, so that scripts may change from one to the other. Every
failure is one sentence on standard error, with what to do about it where there is
something to do; what a server says is shown, but never obeyed by the terminal.
Must not know how a file is transferred.
"""

import signal
import socket
from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, NamedTuple, NoReturn

import typer

from tftp._version import __version__
from tftp.cli.bar import Bar, printable, show_size
from tftp.client import Client, Result
from tftp.client.url import Location, is_url, parse_host, parse_url
from tftp.errors import (
    ErrorCode,
    LocalError,
    PeerError,
    ProtocolError,
    SizeMismatch,
    TftpError,
    TransferTimeout,
    UnknownHost,
    Unreachable,
)

__all__ = [
    "EXITS_HELP",
    "Asking",
    "Exit",
    "Mode",
    "explain",
    "find_target",
    "make_app",
    "report",
    "run",
]

TFTP_PORT = 69


class Exit(IntEnum):
    """What the shell is told."""

    OK = 0
    OTHER = 1
    USAGE = 2
    UNKNOWN_HOST = 6
    PARTIAL = 18
    WRITE = 23
    READ = 26
    TIMEOUT = 28
    NOT_FOUND = 68
    ACCESS = 69
    DISK_FULL = 70
    ILLEGAL = 71
    UNKNOWN_TID = 72
    EXISTS = 73
    NO_USER = 74
    INTERRUPTED = 130


EXITS_HELP = (
    "Exit codes are those of curl: 2 wrong call, 6 unknown host, 18 wrong size, "
    "23 cannot write, 26 cannot read, 28 no answer, 68 not found, 69 access, 70 disk full, "
    "71 illegal operation, 72 unknown transfer, 73 exists, 74 no such user, 130 interrupted."
)


class Mode(StrEnum):
    """How the octets go over the wire (RFC 1350 section 1)."""

    OCTET = "octet"
    NETASCII = "netascii"


Operation = Literal["get", "put"]

PEER_EXITS = {
    ErrorCode.FILE_NOT_FOUND: Exit.NOT_FOUND,
    ErrorCode.ACCESS_VIOLATION: Exit.ACCESS,
    ErrorCode.DISK_FULL: Exit.DISK_FULL,
    ErrorCode.ILLEGAL_OPERATION: Exit.ILLEGAL,
    ErrorCode.UNKNOWN_TID: Exit.UNKNOWN_TID,
    ErrorCode.FILE_EXISTS: Exit.EXISTS,
    ErrorCode.NO_SUCH_USER: Exit.NO_USER,
    ErrorCode.OPTION_REFUSED: Exit.ILLEGAL,
}

# What a server means by its error: said for a get, for a put, and what to do.
PEER_SENTENCES: dict[int, tuple[str, str, str]] = {
    1: ("has no file {name}", "has no place for {name}", ""),
    2: (
        "does not give out {name}",
        "does not take {name}",
        "; uploads may be off there (tftp-serve has --upload create)",
    ),
    3: ("ran out of space", "has no space for {name}", ""),
    4: ("does not do what was asked", "does not do what was asked", "; --no-options asks for less"),
    5: ("lost track of the transfer", "lost track of the transfer", "; try again"),
    6: ("says that the file exists", "has a file {name} already", "; give another name as REMOTE"),
    7: ("knows no such user", "knows no such user", ""),
    8: ("refused the options", "refused the options", "; try --no-options"),
}


class Asking(NamedTuple):
    """What both commands hand to the client."""

    port: int | None
    mode: Mode | None
    netascii: bool
    block_size: int | None
    window: int | None
    no_options: bool
    server_timeout: int | None
    timeout: float
    retries: int
    ipv4: bool
    ipv6: bool

    def client(self, location: Location, linger: float) -> Client:
        """Makes the client. Numbers out of their range are a usage error."""
        family = socket.AF_UNSPEC
        if self.ipv4 != self.ipv6:
            family = socket.AF_INET if self.ipv4 else socket.AF_INET6
        try:
            return Client(
                location.host,
                location.port or TFTP_PORT,
                block_size=self.block_size,
                window=self.window,
                options=not self.no_options,
                server_timeout=self.server_timeout,
                timeout=self.timeout,
                retries=self.retries,
                family=family,
                linger=linger,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    def mode_for(self, location: Location) -> Literal["octet", "netascii"]:
        """Returns the mode, which may be given in three places, if they agree."""
        said = {mode.value for mode in (self.mode,) if mode}
        said |= {"netascii"} if self.netascii else set()
        said |= {location.mode} if location.mode else set()
        if len(said) > 1:
            raise typer.BadParameter("two different modes were given")
        return "netascii" if "netascii" in said else "octet"


# The options of both commands, in the order of their help.
PortOption = Annotated[
    int | None, typer.Option("--port", "-p", min=1, max=65535, help="Port of the server.  [69]")
]
ModeOption = Annotated[Mode | None, typer.Option("--mode", help="How to transfer.  [octet]")]
NetasciiOption = Annotated[bool, typer.Option("--netascii", help="The same as --mode netascii.")]
BlockSizeOption = Annotated[
    int | None,
    typer.Option(min=8, max=65464, help="Octets of a block to ask for.  [what fits the path]"),
]
WindowOption = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Blocks before an ACK to ask for.  [32, if they fit]"),
]
NoOptionsOption = Annotated[bool, typer.Option("--no-options", help="Ask as in 1992: no options.")]
ServerTimeoutOption = Annotated[
    int | None, typer.Option(min=1, max=255, help="Seconds between repeats to ask for.")
]
TimeoutOption = Annotated[
    float, typer.Option(min=0.001, max=3600, help="Seconds before the first repeat; they double.")
]
RetriesOption = Annotated[int, typer.Option(min=0, max=1000, help="Repeats before giving up.")]
Ipv4Option = Annotated[bool, typer.Option("-4", help="Use IPv4 only.")]
Ipv6Option = Annotated[bool, typer.Option("-6", help="Use IPv6 only.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what was agreed, how fast, what was repeated.")
]


def make_app(command: str) -> tuple[typer.Typer, object]:
    """Returns an app without the parts that are slow to load, and its --version option."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{command} {__version__}")
            raise typer.Exit

    option = typer.Option("--version", callback=show, is_eager=True, help="Say which this is.")
    return app, option


def find_target(target: str, filename: str | None, port: int | None) -> Location:
    """Returns the file that HOST FILE or a URL means; anything wrong is a usage error."""
    try:
        if is_url(target):
            location = parse_url(target)
        else:
            location = parse_host(target)._replace(filename=filename or "")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if port and location.port not in (None, port):
        raise typer.BadParameter("two different ports were given")
    return location._replace(port=location.port or port)


def run(command: str, operation: Operation, name: str, host: str, work: Callable[[], None]) -> None:
    """Runs the work of a command; what goes wrong becomes a sentence and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _leave)
    try:
        work()
    except KeyboardInterrupt:
        _fail(command, Exit.INTERRUPTED, "interrupted")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except TftpError as error:
        code, sentence = explain(error, operation, name, host)
        _fail(command, code, sentence)
    except OSError as error:
        _fail(command, Exit.OTHER, error.strerror or str(error))


def explain(error: TftpError, operation: Operation, name: str, host: str) -> tuple[Exit, str]:
    """Returns the exit code of a failure, and the sentence for it."""
    match error:
        case PeerError():
            return _explain_peer(error, operation, name, host)
        case Unreachable():
            return Exit.TIMEOUT, f"{error}; start the server there, or say which --port it has"
        case TransferTimeout():
            return Exit.TIMEOUT, str(error)
        case ProtocolError():
            return Exit.ILLEGAL, f"{host} broke the protocol: {error}; try --no-options"
        case UnknownHost():
            return Exit.UNKNOWN_HOST, str(error)
        case SizeMismatch():
            return Exit.PARTIAL, f"{error}; nothing was kept"
        case LocalError():
            return Exit.WRITE if operation == "get" else Exit.READ, str(error)
        case _:
            return Exit.OTHER, str(error)


def _explain_peer(error: PeerError, operation: Operation, name: str, host: str) -> tuple[Exit, str]:
    said = f', it says: "{error.message}"' if error.message else ""
    text = f" (error {error.code}{said})"
    code = PEER_EXITS.get(ErrorCode(error.code)) if 1 <= error.code <= 8 else None
    if code is None:
        return Exit.OTHER, f"{host} ended the transfer{text}"
    getting, putting, advice = PEER_SENTENCES[error.code]
    what = (getting if operation == "get" else putting).format(name=repr(name))
    if operation == "get" and error.code in (2, 6):
        advice = ""
    return code, f"{host} {what}{text}{advice}"


def report(command: str, result: Result, bar: Bar, *, verbose: bool) -> None:
    """Says what was done: a line where somebody waited without a bar, more if asked for."""
    pace = f"{show_size(result.size)} in {result.seconds:.2f} s, {show_size(result.rate)}/s"
    if not verbose:
        if bar.wanted and not bar.drawn:
            typer.echo(f"{command}: {pace}", err=True)
        return
    agreed = ", ".join(f"{key} {value}" for key, value in result.terms.options)
    waits = "1 timeout" if result.timeouts == 1 else f"{result.timeouts} timeouts"
    if result.path:
        typer.echo(f"{command}: saved as {printable(result.path)}", err=True)
    for note in result.notes:
        typer.echo(f"{command}: {printable(note)}", err=True)
    typer.echo(f"{command}: {pace}", err=True)
    typer.echo(f"{command}: options agreed: {printable(agreed) or 'none'}", err=True)
    typer.echo(f"{command}: {result.resent} sent again, {waits}", err=True)


def _fail(command: str, code: Exit, sentence: str) -> NoReturn:
    typer.echo(f"{command}: {printable(sentence)}", err=True)
    raise typer.Exit(code)


def _leave(number: int, _: object) -> NoReturn:
    """Unwinds, so that no unfinished file stays; the exit code is the shell's for a signal."""
    raise SystemExit(128 + number)
