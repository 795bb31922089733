"""`tftp-serve`: what a shell sees of it."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.net.children import DROP
from tests.server.process import COMMAND, Serving, environment
from tests.server.test_addresses import needs_ipv6, network_namespace
from tests.server.wire import PATIENCE, Peer, ack, data, error, oack, rrq, wrq
from tftp._version import __version__
from tftp.cli.serve import app

CONTENT = bytes(range(256)) * 10
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir(mode=0o755)
    (folder / "f").write_bytes(CONTENT)
    return folder


def run(*arguments: str | Path, under: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Runs it to its end: exit status, stdout, stderr."""
    done = subprocess.run(
        [*under, *COMMAND, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def run_unprivileged(*arguments: str | Path, under: tuple[str, ...] = ()) -> tuple[int, str]:
    """Runs it as an ordinary user: exit status and stderr."""
    code = f"import encodings.idna\nfrom tftp.cli.serve import main\n{DROP}\nmain()"
    done = subprocess.run(
        [*under, sys.executable, "-c", code, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    return done.returncode, done.stderr


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def begin_read(serving: Serving, peer: Peer) -> None:
    peer.ask(rrq("f", blksize=1000))
    peer.expect(oack(blksize=1000))
    peer.say(ack(0))
    peer.expect(data(1, CONTENT[:1000]))


def test_it_says_where_it_listens_and_serves(root: Path) -> None:
    with Serving(root).listening() as serving, serving.peer() as peer:
        line = serving.seen[0]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d listening on .*", line)
        port = serving.address[1]
        assert line[20:] == f"listening on 127.0.0.1:{port}, serving {root} (read only)"
        assert peer.fetch("f") == CONTENT
        assert serving.line("read")[0]
        assert f'127.0.0.1:{peer.address[1]} read "f" 2560 bytes in ' in serving.seen[-1]
        assert serving.seen[-1].endswith(": done")
        serving.process.terminate()
        assert serving.wait() == 0
        assert serving.seen[-1].endswith("stopped: 1 done, 0 failed")


@needs_ipv6
def test_all_addresses_are_the_default(root: Path) -> None:
    with Serving(root, "--port", "0").listening() as serving:
        port = serving.address[1]
        assert f"listening on 0.0.0.0:{port}, [::]:{port}, serving" in serving.seen[0]
        for host in ("127.0.0.1", "::1"):
            with Peer((host, port)) as peer:
                assert peer.fetch("f") == CONTENT


def test_here_is_the_default(root: Path) -> None:
    under = ("sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", str(root))
    # The folder is not named: what stands in its place is an option.
    with Serving("--quiet", "--port", port := str(free_port()), under=under) as serving:
        peer = Peer(("127.0.0.1", int(port)))
        with peer:
            ask_until_answered(peer, "f")
        serving.process.terminate()
        assert serving.wait() == 0


def ask_until_answered(peer: Peer, name: str) -> None:
    """For a server that does not say when it is ready."""
    for _ in range(round(PATIENCE / 0.05)):
        peer.ask(rrq(name))
        peer.socket.settimeout(0.05)
        try:
            assert peer.receive()[:4] == data(1)
        except TimeoutError:
            continue
        peer.say(error(0, "it is there"))
        return
    raise AssertionError("nobody answers")


def test_options_reach_the_server(root: Path) -> None:
    first = free_port()
    options = (
        *("--upload", "rename", "--max-upload", "1k", "--block-size-max", "600"),
        *("--window-max", "3", "--timeout", "0.1", "--retries", "1"),
        *("--max-transfers", "2", "--port-range", f"{first}-{first}"),
    )
    with Serving(root, *options).listening() as serving, serving.peer() as peer:
        assert serving.seen[-1].endswith("(uploads: rename)")
        peer.ask(rrq("f", blksize=1428, windowsize=64))
        peer.expect(oack(blksize=600, windowsize=3))
        assert peer.tid == ("127.0.0.1", first)
        serving.line("failed, the peer stopped answering")
        peer.ask(wrq("new", tsize=1001))
        while (packet := peer.receive()) == oack(blksize=600, windowsize=3):
            peer.tid = None  # what was repeated meanwhile
        assert packet[:4] == error(3)[:4]
        with serving.peer() as other:
            other.store("f", b"new")
        assert (root / "f.1").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["nowhere", "root/f"])
def test_a_root_that_is_no_folder(root: Path, name: str) -> None:
    status, out, err = run(root.parent / name, "--port", "0")
    assert status == 1
    assert out == ""
    assert err.startswith("tftp-serve: ")
    assert str(root.parent / name) in err
    assert err.endswith(". Name a folder that exists, or make it first.\n")
    assert err.count("\n") == 1


def test_a_port_that_is_taken(root: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        status, _, err = run(root, "--host", "127.0.0.1", "--port", str(port))
    assert status == 1
    assert f"port {port} is taken" in err
    assert "--port" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_ours(root: Path, host: str) -> None:
    status, _, err = run(root, "--host", host, "--port", "0")
    assert status == 1
    assert "--host" in err
    assert err.count("\n") == 1


def test_a_port_that_needs_a_right(root: Path) -> None:
    """One message, and in it the three ways out."""
    under = network_namespace() if os.geteuid() == 0 else ()
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if not under and lowest <= 69:
        pytest.skip("every user may open port 69 here")
    os.chmod(root.parent, 0o755)  # noqa: PTH101
    status, err = run_unprivileged(".", "--host", "0.0.0.0", under=under or ())
    assert status == 1
    assert "may not listen on port 69" in err
    for way in ("--port 6969", "setcap cap_net_bind_service=+ep", "systemd socket unit"):
        assert way in err
    assert err.count("\n") == 1


def test_help() -> None:
    status, out, _ = run("--help")
    assert status == 0
    for option in (
        *("--port", "--host", "--upload", "--max-upload", "--block-size-max", "--window-max"),
        *("--timeout", "--retries", "--max-transfers", "--port-range", "--user", "--drain"),
        *("--log-format", "--verbose", "-v", "--quiet", "-q", "--version", "[ROOT]"),
    ):
        assert option in out


def test_version() -> None:
    assert run("--version") == (0, f"tftp-serve {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "tftp"),
        ("--upload", "sometimes"),
        ("--max-upload", ""),
        ("--max-upload", "-1"),
        ("--max-upload", "1.5M"),
        ("--max-upload", "many"),
        ("--block-size-max", "7"),
        ("--block-size-max", "65465"),
        ("--window-max", "0"),
        ("--window-max", "65536"),
        ("--timeout", "0"),
        ("--timeout", "61"),
        ("--timeout", "nan"),
        ("--retries", "0"),
        ("--max-transfers", "0"),
        ("--port-range", "2000"),
        ("--port-range", "2000-1000"),
        ("--port-range", "0-10"),
        ("--port-range", "1-65536"),
        ("--port-range", "²-³"),
        ("--drain", "-1"),
        ("--drain", "nan"),
        ("--log-format", "xml"),
        ("--no-such-option",),
        ("second", "third"),
    ],
    ids=" ".join,
)
def test_bad_values_are_usage_errors(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """And they are found before the root is, which here is absent."""
    result = CliRunner().invoke(app, [str(tmp_path / "nowhere"), *arguments])
    assert result.exit_code == 2, result.output


def test_a_usage_error_in_a_shell(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "--timeout", "nan")
    assert status == 2
    assert out == ""
    assert "--timeout" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("size", "octets"), [("0", 0), ("1500", 1500), ("10k", 10_000), ("2M", 2_000_000)]
)
def test_sizes(root: Path, size: str, octets: int) -> None:
    options = ("--upload", "create", "--max-upload", size)
    with Serving(root, *options).listening() as serving, serving.peer() as peer:
        peer.ask(wrq("new", tsize=octets + 1))
        peer.expect_error(3)
        peer.ask(wrq("new", tsize=octets))
        peer.expect(oack(tsize=octets))


def test_a_user_that_does_not_exist(root: Path) -> None:
    status, _, err = run(root, "--port", "0", "--user", "no such user")
    assert status == 1
    assert "there is no user 'no such user'" in err


def test_only_root_becomes_somebody_else(root: Path) -> None:
    os.chmod(root.parent, 0o755)  # noqa: PTH101
    status, err = run_unprivileged(".", "--port", "0", "--user", "root")
    assert status == 1
    assert "only root can become 'root'" in err


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_an_ordinary_user(root: Path) -> None:
    root.chmod(0o777)
    options = ("--user", "nobody", "--upload", "create")
    with Serving(root, *options).listening() as serving, serving.peer() as peer:
        assert serving.status("Uid").split() == [str(NOBODY)] * 4
        assert serving.status("Gid").split() == [str(NOBODY)] * 4
        assert set(serving.status("Groups").split()) <= {str(NOBODY)}
        assert int(serving.status("CapEff"), 16) == 0
        assert peer.fetch("f") == CONTENT
        peer.store("new", b"mine")
        assert (root / "new").stat().st_uid == NOBODY


def test_lines_for_machines(root: Path) -> None:
    options = ("--log-format", "json", "-v", "--drain", "0.05")
    with Serving(root, *options) as serving, Peer(("127.0.0.1", 0)) as peer:
        found = serving.line('"event": "listening"').string
        port = int(json.loads(found)["message"].split(",")[0].rsplit(":", 1)[1])
        peer.server = ("127.0.0.1", port)
        peer.fetch("f", blksize=1000)
        peer.ask(rrq("f", tsize=0))
        peer.expect(oack(tsize=len(CONTENT)))
        peer.say(error(8, "User aborted the transfer"))
        serving.line('"event": "probe"')
        peer.ask(rrq("x\n\xff"))
        peer.expect_error(1)
        peer.ask(rrq("f"))
        peer.receive()
        serving.process.terminate()
        assert serving.wait() == 0
    lines = [json.loads(line) for line in serving.seen]
    told = [line["message"] for line in lines if line["event"] == "protection"]
    assert any("no_new_privs: yes" in line for line in told)
    lines = [line for line in lines if line["event"] != "protection"]
    assert [line["event"] for line in lines] == [
        "listening",
        *("request", "transfer", "request", "probe", "transfer", "request"),
        *("stopping", "transfer", "stopped"),
    ]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert [line["level"] for line in lines if line["event"] == "transfer"] == [
        *("info", "info", "warning"),
    ]
    done = lines[2]
    assert (done["file"], done["bytes"], done["ok"]) == ("f", len(CONTENT), True)
    assert done["options"] == {"blksize": "1000"}
    assert done["port"] == peer_port(lines)


def peer_port(lines: list[dict[str, object]]) -> object:
    return next(line["port"] for line in lines if line["event"] == "probe")


def test_quiet_is_about_failures_only(root: Path) -> None:
    port = str(free_port())
    with Serving(root, "-q", "--host", "127.0.0.1", "--port", port) as serving:
        with Peer(("127.0.0.1", int(port))) as peer:
            ask_until_answered(peer, "f")
            serving.line("the peer ended it with error 0")
            peer.socket.settimeout(PATIENCE)
            assert peer.fetch("f") == CONTENT
            peer.ask(rrq("nope"))
            peer.expect_error(1)
        serving.process.terminate()
        assert serving.wait() == 0
    assert all("the peer ended it with error 0" in line for line in serving.seen)


def test_verbose_is_about_requests_too(root: Path) -> None:
    with Serving(root, "-v").listening() as serving, serving.peer() as peer:
        peer.fetch("f", blksize=1000)
        serving.line('asks to read "f" in octet mode, "blksize=1000"')
        serving.line(": done")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_transfers_end(root: Path, number: signal.Signals) -> None:
    with Serving(root, "--drain", "100").listening() as serving, serving.peer() as peer:
        begin_read(serving, peer)
        serving.signal(number)
        serving.line(r"stopping: 1 transfer\(s\) get up to 100 s to end")
        with serving.peer() as late:
            late.ask(rrq("f"))
            peer.say(ack(1))
            assert peer.take(1000, first=2) == CONTENT[1000:]
            assert serving.wait() == 0
            assert late.is_silent()
        assert serving.seen[-1].endswith("stopped: 1 done, 0 failed")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(
    root: Path, first: signal.Signals, second: signal.Signals
) -> None:
    with Serving(root, "--drain", "100").listening() as serving, serving.peer() as peer:
        begin_read(serving, peer)
        serving.signal(first)
        serving.line("stopping")
        serving.signal(second)
        assert serving.wait() == 0
        assert peer.expect_error(0) == "The server is shutting down"
        assert serving.seen[-1].endswith("stopped: 0 done, 1 failed")


@pytest.mark.parametrize("drain", ["0", "0.05"])
def test_drain_has_an_end(root: Path, drain: str) -> None:
    with Serving(root, "--drain", drain).listening() as serving, serving.peer() as peer:
        begin_read(serving, peer)
        serving.signal(signal.SIGTERM)
        assert serving.wait() == 0
        peer.expect_error(0)


def test_drain_may_be_without_end(root: Path) -> None:
    with Serving(root, "--drain", "inf").listening() as serving, serving.peer() as peer:
        begin_read(serving, peer)
        serving.signal(signal.SIGTERM)
        serving.line("stopping")
        peer.say(ack(1))
        assert peer.take(1000, first=2) == CONTENT[1000:]
        assert serving.wait() == 0


@pytest.mark.parametrize("how", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_from_the_start(root: Path, how: str) -> None:
    port = free_port()
    under = ("sh", "-c", f'exec "$@" {how}', "sh")
    with (
        Serving(root, "--host", "127.0.0.1", "--port", str(port), under=under) as serving,
        Peer(("127.0.0.1", port)) as peer,
    ):
        ask_until_answered(peer, "f")
        peer.socket.settimeout(PATIENCE)
        assert peer.fetch("f") == CONTENT
        serving.process.terminate()
        assert serving.wait() == 0


def test_closed_later(root: Path) -> None:
    """Nobody reads the log any more: the serving goes on, and ends as it should."""
    port = free_port()
    command = [*COMMAND, str(root), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process, Peer(("127.0.0.1", port)) as peer:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"listening" in process.stderr.readline()
        process.stderr.close()
        for _ in range(3):
            assert peer.fetch("f") == CONTENT
            peer.ask(rrq("nope"))
            peer.expect_error(1)
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_too_few_descriptors_for_what_was_asked(root: Path) -> None:
    under = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh")
    with Serving(root, "--max-transfers", "5000", under=under).listening() as serving:
        assert "only 100 descriptors are allowed: room for 18 transfers" in serving.seen[0]
        assert "for 36 if they read the same file" in serving.seen[0]
        assert "ulimit -n" in serving.seen[0]
    with Serving(root, under=under).listening() as serving:
        assert "only 100 descriptors are allowed" in serving.seen[0], "the default is too many"
    with Serving(root, "--max-transfers", "18", under=under).listening() as serving:
        assert len(serving.seen) == 1, "that many fit"
    with Serving(root, "--upload", "create", "--max-transfers", "18", under=under) as serving:
        serving.listening()
        assert "room for 12 transfers, for 36 if they read" in serving.seen[0]


def test_descriptors_for_the_default_or_for_the_most_part_of_it(root: Path) -> None:
    """Different files take two each; that the same ones fit is enough for silence."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 12_000:
        pytest.skip(f"{hard} descriptors are allowed here")
    under = ("sh", "-c", 'ulimit -n 12000; exec "$@"', "sh")
    with Serving(root, under=under).listening() as serving:
        assert len(serving.seen) == 1
        limits = (Path("/proc") / str(serving.process.pid) / "limits").read_text()
        assert re.search(r"Max open files +12000 +12000", limits)


def test_as_many_transfers_as_it_says(root: Path) -> None:
    """With that limit of descriptors there is room for that many, and for no more."""
    under = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh")
    with Serving(root, "--max-transfers", "5000", under=under).listening() as serving:
        os.utime(root / "f", (1, 1))  # what has just changed is not shared
        peers = [serving.peer() for _ in range(38)]
        for peer in peers:
            peer.ask(rrq("f"))
        for peer in peers[:36]:
            peer.expect(data(1, CONTENT[:512]))
        serving.line("no room for 1 request.*: as many transfers as allowed are running")
        assert all(peer.is_silent() for peer in peers[36:])
        for peer in peers:
            peer.close()
