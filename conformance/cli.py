"""The command `tftp-conformance`: translates words of the command line, and shows results.

Must not hold any logic of its own.
"""

import hashlib
import signal
import socket
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from .catalogue import all_cases, requirements
from .commands import Commands, Interactive
from .fixtures import write_fixtures
from .judge import JOBS, Unjudged, judge_client, judge_server
from .matrix import FOLDER, PEERS, choose, draw, judge, keep, kept
from .outputs import Column, fields, summary, write_json, write_junit, write_pcaps
from .page import write_page
from .relay_cli import relay
from .runner import Result
from .server_trial import ServerTarget
from .targets import TARGETS, Programs, Target, load_targets
from .verdict import Verdict

__all__ = ["app", "main"]

app = typer.Typer(
    help="Judges any TFTP server and any TFTP client, clause by clause.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

COLOURS = {
    Verdict.PASS: "green",
    Verdict.LENIENT: "cyan",
    Verdict.POLICY: "blue",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "bold magenta",
    Verdict.SKIP: "dim",
    Verdict.UNSUPPORTED: "dim",
}
QUIET = {Verdict.PASS, Verdict.SKIP, Verdict.UNSUPPORTED}

Only = Annotated[
    list[str] | None,
    typer.Option(help="Only cases whose ID or document begins so: rfc7440, RFC2347-N, faults."),
]
Strict = Annotated[bool, typer.Option("--strict", help="A broken SHOULD fails the run, too.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every case, with ladders.")]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")]
Json = Annotated[Path | None, typer.Option(help="Write all results as JSON to this file.")]
Html = Annotated[Path | None, typer.Option(help="Write a page for a browser to this file.")]
Pcap = Annotated[Path | None, typer.Option(help="Write a capture of each case to this folder.")]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Cases at a time.")]


@app.command()
def server(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="HOST, HOST:PORT or [IPv6]:PORT.")
    ],
    fixture: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The folder it serves, if it is on this machine."
        ),
    ] = None,
    read_file: Annotated[
        str | None, typer.Option(help="A file it has, for a target without the fixtures.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Of that file, in hex.")] = None,
    write_prefix: Annotated[
        str | None, typer.Option(help="What names of uploads begin with, such as a folder.")
    ] = None,
    no_write: Annotated[bool, typer.Option("--no-write", help="Try no uploads.")] = False,
    other_host: Annotated[
        str | None, typer.Option(help="A second address of the same server.")
    ] = None,
    only: Only = None,
    strict: Strict = False,
    verbose: Verbose = False,
    junit: Junit = None,
    json: Json = None,
    html: Html = None,
    pcap: Pcap = None,
    jobs: Jobs = JOBS,
) -> None:
    """Judges a server. `tftp-conformance fixtures DIR` writes the files that it should serve."""
    address = _address(target)
    known = None if read_file is None else (read_file, _digest(sha256))
    subject = ServerTarget(
        address,
        root=fixture,
        prefix=write_prefix or "",
        writes=not no_write,
        other_host=other_host,
        known=known,
    )
    try:
        results = _show(judge_server(subject, only or [], jobs), verbose)
    except Unjudged as trouble:
        _stop(str(trouble), 3)
    _finish(f"server {target}", results, strict, junit, json, html, pcap)


@app.command(context_settings={"allow_interspersed_args": False})
def client(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="The command, with {host} {port} {remote} {local} in it."),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="How it does other things: put='CMD', get-blksize='CMD ... {blksize}', ...",
        ),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="A person or a board starts the client.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Where to lay files that it is to put."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to serve on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to serve on; 0: a free one.")
    ] = 0,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds that it may take to give up.")
    ] = 40.0,
    only: Only = None,
    strict: Strict = False,
    verbose: Verbose = False,
    junit: Junit = None,
    json: Json = None,
    html: Html = None,
    pcap: Pcap = None,
    jobs: Jobs = JOBS,
) -> None:
    """Judges a client: starts it for each case, or has it started."""
    try:
        if interactive:
            launcher: Commands | Interactive = Interactive(_ask, folder)
            jobs = 1  # one board, one case
        elif command:
            launcher = Commands.of(command, variant or [])
        else:
            _stop("Which client? Give its command behind `--`, or --interactive.", 2)
        found = judge_client(
            launcher, only or [], host=host, port=port, jobs=jobs, patience=patience
        )
        results = _show(found, verbose)
    except (Unjudged, ValueError) as trouble:
        _stop(str(trouble), 3 if isinstance(trouble, Unjudged) else 2)
    name = command[0] if command else "a client"
    _finish(f"client {name}", results, strict, junit, json, html, pcap)


@app.command()
def matrix(
    only: Annotated[
        list[str] | None, typer.Option(help="Only these targets; the others as they were last.")
    ] = None,
    cases: Annotated[
        list[str] | None, typer.Option(help="Only cases of these prefixes; the others as before.")
    ] = None,
    redraw: Annotated[
        bool, typer.Option("--redraw", help="Judge nothing, draw what is there.")
    ] = False,
    peers: Annotated[
        Path | None, typer.Option(file_okay=False, help="A folder of programs.")
    ] = PEERS,
    targets: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder that describes targets.")
    ] = TARGETS,
    output: Annotated[
        Path, typer.Option(file_okay=False, help="Where results and matrix go.")
    ] = FOLDER,
) -> None:
    """Judges all known servers and clients, and draws requirement by implementation."""
    try:
        known = load_targets(targets)
        for target in [] if redraw else choose(known, only or []):
            _judge_one(target, Programs(peers), cases or [], output)
        columns = kept(output, known)
        if not any(column.rows for column in columns):
            _stop("No target could be judged here", 3)
        for path in draw(output, columns):
            console.print(f"{path}", markup=False)
    except ValueError as trouble:
        _stop(str(trouble), 2)
    except OSError as error:
        _stop(f"Cannot write {error.filename}: {error.strerror}", 1)


@app.command()
def fixtures(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")],
    big: Annotated[bool, typer.Option("--big", help="With a sparse file over 4 GiB.")] = False,
) -> None:
    """Writes the files that a server under test should serve."""
    try:
        troubles = write_fixtures(folder, big=big)
    except OSError as error:
        _stop(f"Cannot write to {folder}: {error.strerror}. Name another folder.", 1)
    for trouble in troubles:
        errors.print(f"not made: {trouble}; its cases will be skipped", markup=False)
    console.print(f"{folder} is ready; serve it, and run: tftp-conformance server HOST:PORT")


@app.command(name="list")
def list_requirements(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what no black box can be asked.")
    ] = False,
) -> None:
    """Prints the catalogue: each requirement, its level, whom it is tried against."""
    sides: dict[str, list[str]] = {}
    for side in ("server", "client"):
        for case in all_cases(side):
            sides.setdefault(case.requirement, []).append(side)
    for one in requirements().values():
        if one.id in sides:
            typer.echo(f"{one.id:18} {one.level:9} {','.join(sides[one.id]):14} {one.title}")
        elif everything:
            typer.echo(f"{one.id:18} {one.level:9} {'-':14} {one.title}: {one.untestable}")


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Such as RFC1350-5-01.")],
) -> None:
    """Tells all about one requirement."""
    one = requirements().get(identity.upper()) or requirements().get(identity)
    if one is None:
        _stop(f"There is no requirement {identity}; `tftp-conformance list --all` shows them.", 2)
    parts = {
        "": f"{one.id}  {one.title}\n{one.clause}, {one.level}, for {', '.join(one.roles)}",
        "What": one.text,
        "Verdicts": one.accept,
        "How we read it": one.reading,
        "Not tried": one.untestable,
    }
    for case in [*all_cases("server"), *all_cases("client")]:
        if case.requirement == one.id:
            parts[f"Tried against a {case.side}"] = case.rationale
    for name, text in parts.items():
        if text:
            typer.echo(f"{name}: {text}" if name else text)


app.command()(relay)


def main() -> None:
    """Runs the command; told to end, it still ends what it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


def _judge_one(target: Target, programs: Programs, prefixes: list[str], folder: Path) -> None:
    """Judges a target of the matrix, shows how far it is, and keeps what came of it."""
    began = monotonic()
    name = f"{target.name} ({target.side})"
    found: list[Result] = []
    with console.status(f"{name} ...") as status:

        def tell(result: Result) -> None:
            found.append(result)
            status.update(f"{name}: {summary(found)}")

        column = judge(target, programs, prefixes, tell)
    keep(folder, target, column, partial=bool(prefixes))
    said = f"not judged: {column.missing}" if column.missing else summary(found)
    console.print(f"{name}: {said}, {monotonic() - began:.0f} s", markup=False)


def _show(results: Iterable[Result], verbose: bool) -> list[Result]:
    """Prints results as they come, those that say something."""
    found = []
    for result in results:
        found.append(result)
        if result.verdict in QUIET and not verbose:
            continue
        line = Text(f"{result.verdict:11} ", COLOURS[result.verdict])
        line.append(f"{result.case.name}  ", "bold")
        line.append(result.requirement.title, "default")
        if result.text:
            line.append(f"\n            {result.text}", "dim")
        console.print(line)
        if verbose or result.verdict in (Verdict.FAIL, Verdict.ERROR):
            for step in result.ladder.lines(60):
                console.print(f"            {step}", markup=False)
    return found


def _finish(
    name: str,
    results: list[Result],
    strict: bool,
    junit: Path | None,
    json: Path | None,
    html: Path | None,
    pcap: Path | None,
) -> None:
    """Writes the files that were asked for, prints the sum and exits."""
    results.sort(key=lambda result: list(requirements()).index(result.case.requirement))
    try:
        if junit:
            write_junit(junit, name, results, strict=strict)
        if json:
            write_json(json, name, results)
        if html:
            side, _, who = name.partition(" ")
            rows = [fields(one, ladder=True) for one in results]
            write_page(html, [Column(who, side, rows)])
        if pcap:
            write_pcaps(pcap, results)
    except OSError as error:
        _stop(f"Cannot write {error.filename}: {error.strerror}", 1)
    console.print(f"{name}: {summary(results)}", markup=False)
    bad = {Verdict.FAIL, Verdict.ERROR} | ({Verdict.WARN} if strict else set())
    raise typer.Exit(1 if any(result.verdict in bad for result in results) else 0)


def _ask(text: str) -> None:
    console.print(text, style="bold", markup=False)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or ("]" not in text and text.count(":") > 1):
        host, port = text, "69"
    try:
        number = int(port)
        found = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_DGRAM)
    except (ValueError, OverflowError):
        _stop(f"{text} has no port number that makes sense", 2)
    except OSError as error:
        _stop(f"{host} is not known here: {error.strerror}", 3)
    address = found[0][4]
    return str(address[0]), int(address[1])


def _digest(text: str | None) -> str:
    size = hashlib.sha256().digest_size * 2
    if text is None or len(text) != size or set(text.lower()) - set("0123456789abcdef"):
        _stop("--read-file needs --sha256 with the 64 hex digits of that file", 2)
    return text.lower()


def _stop(text: str, status: int) -> NoReturn:
    errors.print(text, markup=False)
    raise typer.Exit(status)
