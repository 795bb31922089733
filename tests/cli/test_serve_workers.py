"""`tftp-serve --workers`: what a shell, a log and a service manager see of it."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.test_serve import run
from tests.server.process import COMMAND, Serving, environment
from tests.server.team import ASK, CONTENT, SLOW, Team, take_rest
from tests.server.wire import Peer, ack, rrq
from tftp.cli.serve import app

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir(mode=0o755)
    (folder / "f").write_bytes(CONTENT)
    return folder


@pytest.mark.parametrize(
    "value", ["0", "-1", "abc", "", "1.5", "257", "two", "Auto", "²", "1e1", " 2"]
)
def test_bad_values_are_usage_errors(tmp_path: Path, value: str) -> None:
    """And they are found before the root is, which here is absent."""
    result = CliRunner().invoke(app, [str(tmp_path / "nowhere"), f"--workers={value}"])
    assert result.exit_code == 2, result.output
    assert "--workers" in result.output


def test_the_help_names_it() -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert re.search(r"--workers\s+N\|auto", out)


def test_one_is_the_default_and_no_other_process(root: Path) -> None:
    for options in ((), ("--workers", "1")):
        with Serving(root, *options).listening() as serving, serving.peer() as peer:
            assert serving.seen[-1].endswith("(read only)")
            assert peer.fetch("f", **SLOW) == CONTENT
            assert children(serving.pid) == []


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def test_auto_is_one_for_each_processor(root: Path) -> None:
    """Of those that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    with Serving(root, "--workers", "auto", under=("taskset", "-c", str(allowed[0]))) as serving:
        serving.listening()
        assert serving.seen[-1].endswith("(read only)")
    if len(allowed) == 1:
        return
    two = ",".join(map(str, allowed[:2]))
    with Serving(root, "--workers", "auto", under=("taskset", "-c", two)) as serving:
        serving.listening()
        assert serving.seen[-1].endswith("(read only, 2 workers)")


def test_a_root_that_is_absent_is_said_once(root: Path) -> None:
    status, _, err = run(root / "nowhere", "--port", "0", "--workers", "4")
    assert status == 1
    assert err.endswith(". Name a folder that exists, or make it first.\n")
    assert err.count("\n") == 1


def test_a_host_that_is_not_ours_is_said_once(root: Path) -> None:
    status, _, err = run(root, "--host", "192.0.2.1", "--port", "0", "--workers", "4")
    assert status == 1
    assert "--host" in err
    assert err.count("\n") == 1


def test_a_socket_that_is_handed_over_is_one_too_few(root: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        number = str(sock.fileno())
        script = f'exec 3<&{number}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        done = subprocess.run(
            ["bash", "-c", script, "-", *COMMAND, str(root), "--workers", "2"],
            pass_fds=[sock.fileno()],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "tftp-serve: 2 workers need sockets of their own, but one has been handed over to listen "
        "on. Leave --workers out, or the socket unit.\n"
    )


def test_lines_stay_whole(root: Path) -> None:
    """However long they are, whoever writes at the same time, and however slowly they are read."""
    long = b"\xff" * 1900  # each octet becomes five in such a line
    with (
        Team(root, "--log-format", "json", "--port", "0", "--host", "127.0.0.1") as team,
        ExitStack() as stack,
    ):
        assert team.process.stderr is not None
        fcntl.fcntl(team.process.stderr, fcntl.F_SETPIPE_SZ, 4096)  # takes them in pieces
        found = team.line('"event": "listening"').string
        port = int(json.loads(found)["message"].split(",")[0].rsplit(":", 1)[1])
        peers = [stack.enter_context(Peer(("127.0.0.1", port))) for _ in range(60)]
        for peer in peers:
            peer.ask(rrq(long))
        for peer in peers:
            peer.expect_error(1)
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
    lines = [json.loads(line) for line in team.seen]
    lines = [line for line in lines if line["event"] != "protection"]
    told = [line for line in lines if line["event"] == "transfer"]
    assert len(told) == 60
    assert {line["file"] for line in told} == {r"\xff" * 1900}
    assert [line["event"] for line in lines if line["event"] != "transfer"] == [
        *("listening", "worker", "worker", "stopping", "stopping", "stopped"),
    ]
    assert lines[-1]["message"] == "stopped: 0 done, 0 failed"


def test_failures_of_workers_are_told_in_json_and_quietly(root: Path) -> None:
    with Team(root, "--log-format", "json", "--host", "127.0.0.1", "--port", "0") as team:
        worker = int(json.loads(team.line("worker 1 is").string)["message"].split()[-1])
        os.kill(worker, signal.SIGKILL)
        line = json.loads(team.line("was killed").string)
    assert (line["event"], line["level"]) == ("worker", "warning")
    with Serving(root, "-q", "--workers", "2", "--host", "127.0.0.1", "--port", "0") as serving:
        until_two_run(serving)
        os.kill(int(children(serving.pid)[0]), signal.SIGKILL)
        serving.line(r"worker \d .* was killed by signal 9 \(Killed\): another one follows")
        serving.process.terminate()
        assert serving.wait() == 0
        assert len(serving.seen) == 1


def until_two_run(serving: Serving) -> None:
    """For a server that does not say when it is ready."""
    while len(children(serving.pid)) < 2:
        assert serving.process.poll() is None


def test_transfers_are_shared_out(root: Path) -> None:
    """Two in all: one for each worker, which has no room then for any other."""
    with Team(root, "--max-transfers", "2").listening() as team:
        for _ in range(24):
            team.peer().ask(ASK)
        said = [team.line(r"(asks to read|no room for \d+ request)")[1][:4] for _ in range(4)]
        assert sorted(said) == ["asks", "asks", "no r", "no r"]
        team.signal(signal.SIGTERM)
        team.signal(signal.SIGINT)
        assert team.wait() == 0
        assert team.seen[-1].endswith("stopped: 0 done, 2 failed")


def test_descriptors_are_counted_for_each_process(root: Path) -> None:
    under = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh")
    with Team(root, "--max-transfers", "5000", under=under).listening() as team:
        assert "only 100 descriptors are allowed: room for 32 transfers" in team.seen[0]


def test_workers_share_a_range_of_ports(root: Path) -> None:
    first = two_free_ports()
    with Team(root, "--port-range", f"{first}-{first + 1}").listening() as team:
        peers = team.asking(2)
        assert {peer.tid for peer in peers} == {
            ("127.0.0.1", first),
            ("127.0.0.1", first + 1),
        }
        team.peer().ask(ASK)
        team.line("no room for 1 request.*: all ports of the range are taken")
        for peer in peers:
            peer.say(ack(0))
            assert peer.take() == CONTENT


def two_free_ports() -> int:
    """Returns the first of two that follow each other, below those that are given out."""
    for port in range(20_000 + os.getpid() % 5000 * 2, 32_000, 2):
        with ExitStack() as stack:
            try:
                for number in (port, port + 1):
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    stack.enter_context(sock).bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no two ports are free")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_workers_and_their_successors_are_ordinary_users(root: Path) -> None:
    """What was opened as root serves on; a new worker needs nothing of root's any more."""
    root.parent.chmod(0o700)
    root.chmod(0o777)
    options = ("--user", "nobody", "--upload", "create")
    with Team(root, *options).listening() as team:
        before = list(team.workers)
        team.kill(0)
        assert team.workers[0] != before[0]
        for process in (team.pid, *team.workers):
            status = Path(f"/proc/{process}/status").read_text()
            assert f"\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n" in status
            assert "\nCapEff:\t0000000000000000\n" in status
        peers = team.reading()
        team.split(peers)
        take_rest(peers)
        for number in range(24):
            team.peer().store(f"up{number}", b"mine", **SLOW)
        assert {path.stat().st_uid for path in root.glob("up*")} == {NOBODY}
