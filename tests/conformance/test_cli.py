"""The command: what it prints, what it writes, and how it ends."""

import hashlib
import json
import socket
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Run

from conformance import cli, line
from conformance.cli import app
from conformance.fixtures import FIXTURES, write_fixtures
from conformance.judge import Unjudged
from conformance.runner import Result
from conformance.verdict import Verdict
from tests.conformance.results import result
from tftp.server import Server

QUICK = ["--only", "RFC1350-5-01"]


def run(*arguments: object) -> Run:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sentence(found: Run) -> str:
    """Returns what stands on standard error, as one line; fails if that is a traceback."""
    assert isinstance(found.exception, SystemExit), found.exception
    assert "Traceback" not in found.stderr
    return " ".join(found.stderr.split())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Yields where our server listens, and its folder."""
    root = tmp_path / "root"
    write_fixtures(root)
    with Server(str(root), upload="overwrite") as running:
        yield f"127.0.0.1:{running.port}", root


def judged(monkeypatch: pytest.MonkeyPatch, *results: Result) -> None:
    """Has servers judged with these results."""

    def judge(*_: object) -> Sequence[Result]:
        return list(results)

    monkeypatch.setattr(cli, "judge_server", judge)


# Listing


def test_list_prints_each_requirement_that_has_a_case() -> None:
    found = run("list")
    assert found.exit_code == 0
    lines = found.output.splitlines()
    assert len(lines) >= 150
    assert all(text.split()[0].isupper() for text in lines)
    more = run("list", "--all").output.splitlines()
    assert set(lines) < set(more)


def test_show_tells_all_about_a_requirement() -> None:
    found = run("show", "rfc1350-5-01")
    assert found.exit_code == 0
    assert "RFC1350-5-01" in found.output
    assert "Tried against a server:" in found.output


def test_show_of_something_unknown() -> None:
    found = run("show", "RFC1-1")
    assert found.exit_code == 2
    assert (
        sentence(found)
        == "There is no requirement RFC1-1; `tftp-conformance list --all` shows them."
    )


# Fixtures


def test_fixtures_are_written(tmp_path: Path) -> None:
    found = run("fixtures", tmp_path / "new")
    assert found.exit_code == 0
    assert (tmp_path / "new" / "b511").read_bytes() == FIXTURES["b511"]


def test_fixtures_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run("fixtures", tmp_path / "file" / "new")
    assert found.exit_code == 1
    assert sentence(found).endswith("Not a directory. Name another folder.")


# Servers


def test_a_server_is_judged_and_all_files_are_written(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    address, root = server
    names = {name: tmp_path / name for name in ("json", "junit", "html", "pcap")}
    files = [word for name, path in names.items() for word in (f"--{name}", str(path))]
    found = run("server", address, "--fixture", root, *QUICK, *files)
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[-1] == f"server {address}: 1 PASS"
    assert json.loads(names["json"].read_text())["counts"] == {"PASS": 1}
    assert ET.parse(names["junit"]).getroot().get("tests") == "1"
    assert address in names["html"].read_text()
    assert (names["pcap"] / "server-RFC1350-5-01.pcap").stat().st_size > 500


def test_a_server_without_the_fixtures_but_with_a_known_file(
    server: tuple[str, Path],
) -> None:
    address, root = server
    octets = FIXTURES["b100k"]
    for name in FIXTURES:
        (root / name).unlink()
    (root / "firmware.bin").write_bytes(octets)
    known = ("--read-file", "firmware.bin", "--sha256", hashlib.sha256(octets).hexdigest().upper())
    found = run("server", address, "--no-write", *known, "--only", "RFC2348-01")
    assert found.exit_code == 0, found.output
    other = run("server", address, "--read-file", "firmware.bin", "--sha256", "0" * 64, *QUICK)
    assert other.exit_code == 3
    assert "came with another SHA-256 than was given" in sentence(other)


@pytest.mark.parametrize(
    ("verdict", "strict", "status"),
    [
        (Verdict.PASS, True, 0),
        (Verdict.SKIP, True, 0),
        (Verdict.LENIENT, True, 0),
        (Verdict.WARN, False, 0),
        (Verdict.WARN, True, 1),
        (Verdict.FAIL, False, 1),
        (Verdict.ERROR, False, 1),
    ],
)
def test_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, strict: bool, status: int
) -> None:
    judged(monkeypatch, result(Verdict.PASS, "RFC1350-5-02"), result(verdict))
    found = run("server", "127.0.0.1:1", *(["--strict"] if strict else []))
    assert found.exit_code == status
    assert str(verdict) in found.output


def test_a_fail_is_shown_with_its_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch, result(Verdict.FAIL, text="[bold]no[/bold] markup"), result(Verdict.PASS))
    found = run("server", "127.0.0.1:1")
    assert "[bold]no[/bold] markup" in found.output
    assert "50000 > 69" in found.output
    assert found.output.count("50000 > 69") == 1
    assert run("server", "127.0.0.1:1", "-v").output.count("50000 > 69") == 2


def test_a_port_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PATIENCE", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        found = run("server", f"127.0.0.1:{port}", *QUICK)
    assert found.exit_code == 3
    assert sentence(found).startswith(f"nothing answers at 127.0.0.1 port {port}")


def test_a_host_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = run("server", "tftp.example")
    assert found.exit_code == 3
    assert sentence(found) == "tftp.example is not known here: Name or service not known"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["127.0.0.1:seven"], "127.0.0.1:seven has no port number that makes sense"),
        (["127.0.0.1:1", "--read-file", "x"], "--read-file needs --sha256 with the 64 hex digits"),
        (["127.0.0.1:1", "--read-file", "x", "--sha256", "no"], "--read-file needs --sha256"),
        (["127.0.0.1:1", "--jobs", "0"], "--jobs"),
        (["127.0.0.1:1", "--fixture", "/nowhere/at/all"], "--fixture"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_call(arguments: list[str], said: str) -> None:
    found = run("server", *arguments)
    assert found.exit_code == 2
    assert said in sentence(found)


def test_prefixes_that_no_case_has() -> None:
    found = run("server", "127.0.0.1:1", "--only", "RFC9999")
    assert found.exit_code == 3
    assert sentence(found) == (
        "No case against a server begins with RFC9999; `list` shows them all"
    )


def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judged(monkeypatch, result(Verdict.PASS))
    found = run("server", "127.0.0.1:1", "--json", tmp_path / "none" / "file")
    assert found.exit_code == 1
    assert "Cannot write" in sentence(found)
    assert "No such file or directory" in sentence(found)


# Clients


def test_a_client_is_judged_by_its_command() -> None:
    get = [sys.executable, "-c", "from tftp.cli.get import main; main()"]
    command = [*get, "-q", "--no-options", "-p", "{port}", "{host}", "{remote}", "{local}"]
    found = run("client", *QUICK[:1], "RFC1350-5-23", "--", *command)
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[-1] == f"client {sys.executable}: 1 PASS"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which client? Give its command behind `--`, or --interactive."),
        (["--", "no-such-client", "{host}"], "no-such-client"),
        (["--with", "nonsense", "--", sys.executable], "nonsense"),
        (["--", sys.executable, "{place}"], "{place}"),
    ],
)
def test_a_client_that_cannot_be_started(arguments: list[str], said: str) -> None:
    found = run("client", *arguments)
    assert found.exit_code == 2
    assert said in sentence(found)


# The matrix


def targets(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


SERVER = 'side = "server"\nabout = "A server."\n'


@pytest.mark.slow
def test_a_matrix_is_drawn_and_drawn_again(tmp_path: Path) -> None:
    start = "tftp-serve {root} --host {host} --port {port} --upload overwrite --quiet"
    folder = targets(
        tmp_path / "targets",
        one=f'name = "One"\n{SERVER}version = "tftp-serve --version"\nstart = "{start}"\n',
        two=f'name = "Two"\n{SERVER}version = "no-such-program"\nstart = "x"\n',
    )
    places = ["--targets", folder, "--output", tmp_path / "report"]
    found = run("matrix", *places, "--cases", "RFC1350-5-01")
    assert found.exit_code == 0, found.output
    text = (tmp_path / "report" / "matrix.md").read_text()
    assert "| Requirement | Level | One | Two |" in text
    assert "| MUST | pass | - |" in text
    assert "One (server): 1 PASS" in found.output
    assert "no no-such-program" in " ".join(found.output.split())
    for name in ("matrix.md", "matrix.html", "matrix.json"):
        (tmp_path / "report" / name).unlink()
    again = run("matrix", *places, "--redraw")
    assert again.exit_code == 0
    assert "(server)" not in again.output
    assert (tmp_path / "report" / "matrix.md").read_text() == text


def test_a_matrix_of_nothing(tmp_path: Path) -> None:
    places = ["--output", tmp_path / "report"]
    for more in (["--redraw"], ["--targets", targets(tmp_path / "none")]):
        found = run("matrix", *places, *more)
        assert found.exit_code == 3
        assert sentence(found) == "No target could be judged here"


def test_a_matrix_of_an_unknown_target(tmp_path: Path) -> None:
    found = run("matrix", "--only", "hpa", "--output", tmp_path)
    assert found.exit_code == 2
    assert sentence(found).startswith("There is no target hpa; there are ours-server, tftpd-hpa")


def test_a_target_file_that_makes_no_sense(tmp_path: Path) -> None:
    folder = targets(tmp_path / "targets", bad='name = "x"\n')
    found = run("matrix", "--targets", folder, "--output", tmp_path)
    assert found.exit_code == 2
    assert sentence(found).startswith("bad.toml describes no target")


def test_a_matrix_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "matrix.md")

    monkeypatch.setattr(cli, "kept", full)
    found = run("matrix", "--redraw", "--output", tmp_path)
    assert found.exit_code == 1
    assert sentence(found) == "Cannot write matrix.md: No space left on device"


def test_what_cannot_be_judged_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: object) -> None:
        raise Unjudged("There is no way to it: go another one")

    monkeypatch.setattr(cli, "judge_server", judge)
    found = run("server", "127.0.0.1:1")
    assert found.exit_code == 3
    assert sentence(found) == "There is no way to it: go another one"
