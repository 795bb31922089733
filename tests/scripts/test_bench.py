"""scripts/bench on a small scale: it moves the right bytes, says so, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench_tools import account, machine, processes
from scripts.bench_tools.job import Generator, Job
from scripts.bench_tools.measure import measure, name_of, prepare_files
from scripts.bench_tools.servers import OURS, Peers, Running, Server, Stage, find_servers, running

PROJECT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
SIZE = 300_000
LOSSY = Job(SIZE, clients=3, block=1428, loss=5.0, timer=0.2, retries=200)

GETS = {
    "no options": Job(SIZE, clients=3),
    "lock-step": Job(SIZE, clients=3, block=1428),
    "window": Job(SIZE, clients=3, transfers=6, block=1428, window=16),
    "window, at once": Job(SIZE, clients=2, block=1428, window=64, offload=True),
    "storm": Job(SIZE // 10, clients=100, block=1428, storm=True),
    "lossy": LOSSY,
    "lossy window": replace(LOSSY, window=16),
    "lossy window, at once": replace(LOSSY, window=16, offload=True),
    "busy": Job(SIZE, block=1428, busy=True),
}
PUTS = {
    "lock-step": Job(SIZE, clients=3, block=1428, put=True),
    "window": Job(SIZE, clients=3, block=1428, window=16, put=True),
    "window, at once": Job(SIZE, clients=2, block=1428, window=64, put=True, offload=True),
    "lossy window": replace(LOSSY, window=8, put=True),
}


def our_server() -> Server:
    if not (COMMANDS / "tftp-serve").exists():
        pytest.skip("tftp-serve is not installed beside this Python")
    venv = COMMANDS.parent
    known = find_servers(venv, Peers(Path("/nonexistent")), Path("/nonexistent"), False)
    return next(server for server in known if server.name == OURS)


@pytest.fixture
def stage(generator: Generator, folder: Path) -> Stage:
    cores = processes.pick_cores()
    stage = Stage(folder, generator, cores, None)
    prepare_files(stage, [*GETS.values()])
    return stage


@pytest.fixture
def up(stage: Stage) -> Iterator[Running]:
    with running(our_server(), stage) as up:
        yield up


@pytest.mark.parametrize("name", GETS)
def test_the_right_bytes_come(up: Running, stage: Stage, name: str) -> None:
    job = replace(GETS[name], full_check=True)
    tally = stage.generator.run(job, up.port, name_of(job.size))
    assert (tally["finished"], tally["failed"], tally["wrong"]) == (job.count, 0, 0)
    assert tally["bytes"] == job.size * job.count
    assert tally["window"] == job.window
    assert 0 < tally["p50"] <= tally["p99"] <= tally["slowest"] <= tally["seconds"]
    assert (tally["dropped_in"] > 0) == (job.loss > 0)
    assert (tally["gaps"] > 0) == (job.loss > 0 and job.window > 1)


@pytest.mark.parametrize("name", PUTS)
def test_the_right_bytes_arrive(up: Running, stage: Stage, name: str) -> None:
    job = PUTS[name]
    tally = stage.generator.run(job, up.port, "up/file-")
    assert (tally["finished"], tally["failed"]) == (job.count, 0)
    assert tally["bytes"] == job.size * job.count
    for number in range(job.count):
        assert stage.generator.verify(stage.root / f"up/file-{number}", job.size)


def test_a_file_with_other_bytes_is_noticed(up: Running, stage: Stage) -> None:
    path = stage.root / name_of(SIZE)
    whole = bytearray(path.read_bytes())
    whole[1428 * 100] ^= 1  # the first byte of a block
    path.write_bytes(whole)
    tally = stage.generator.run(GETS["window"], up.port, path.name)
    assert tally["wrong"] == tally["failed"] == GETS["window"].count


def test_a_measurement_tells_what_the_server_used(stage: Stage) -> None:
    job = Job(SIZE, transfers=40, block=1428)
    run = measure(our_server(), job, stage, "test", check=True)
    assert run["tally"]["finished"] == 40
    assert run["cpu"] is not None
    assert 0 < run["cpu"] < 60
    assert 1 << 20 < run["memory"] < 1 << 30
    uploads = measure(our_server(), replace(job, put=True, transfers=3), stage, "x", check=True)
    assert (uploads["tally"]["finished"], uploads["tally"]["wrong"]) == (3, 0)
    assert [*(stage.root / "up").iterdir()] == []


# ---------------------------------------------------------------- accounts

BURN = "import time\nuntil = time.process_time() + 0.2\nwhile time.process_time() < until: pass"
FORKS = f"""
import os, signal, sys
if sys.argv[1] == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    exec({BURN!r})
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
print("done", flush=True)
sys.stdin.read()
"""


def forks(how: str, group: account.Group | None = None) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys\nsys.stdin.readline()\n{FORKS}", how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if group is not None:
        group.entry.write_text(str(process.pid))
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    return process


def test_the_time_of_dead_children_counts() -> None:
    with forks("waits") as process:
        assert not account.ignores_children(process.pid)
        assert account.family_cpu(process.pid) > 0.19
        process.kill()


def test_where_it_is_lost_that_is_noticed() -> None:
    with forks("ignores") as process:
        assert account.ignores_children(process.pid)
        assert account.family_cpu(process.pid) < 0.19
        process.kill()


def test_a_group_counts_it_all_the_same() -> None:
    where = account.find_groups()
    if where is None:
        pytest.skip("control groups cannot be made here")
    group = account.Group(*where)
    try:
        with forks("ignores", group) as process:
            assert group.cpu() > 0.19
            process.kill()
    finally:
        group.close()


def test_memory_of_a_family_counts_shared_pages_once() -> None:
    code = (
        "import os, sys\nb = bytearray(40_000_000)\nos.fork()\nprint(flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == process.stdout.readline() == b"\n"
        assert len(processes.family(process.pid)) == 2
        assert 40_000_000 < account.resident(process.pid) < 75_000_000
        process.communicate()


# ---------------------------------------------------------------- the command


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "scripts.bench_tools", *words]


def environment(mark: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "BENCH_TEST": mark}


def marked(mark: str) -> list[str]:
    """Returns the command lines of all processes that have this mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def eventually(check: Callable[[], bool]) -> bool:
    deadline, pause = time.monotonic() + 10, threading.Event()
    while not check():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.005)
    return True


def needs_commands() -> None:
    if not (PROJECT / ".venv/bin/tftp-serve").exists():
        pytest.skip("scripts/bench runs the commands of .venv, which is not set up")


@pytest.mark.slow
def test_it_measures_writes_and_leaves_nothing_behind(generator: Generator, tmp_path: Path) -> None:
    needs_commands()
    mark, path = uuid.uuid4().hex, tmp_path / "figures.json"
    words = ["--quick", "--rounds", "1", "--servers", "ours", "--json", str(path)]
    done = subprocess.run(
        command(*words, "--only", "get-1428-w16", "--only", "put-1428"),
        env=environment(mark),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert marked(mark) == []
    assert "1 client, 1428, window 16" in done.stdout
    figures = json.loads(path.read_text())
    for name in ("get-1428-w16", "put-1428"):
        (run,) = figures["workloads"][name][OURS]["runs"]
        assert run["tally"]["bytes"] > 0
        assert run["tally"]["wrong"] == 0
        assert run["memory"] > 0
    shown = subprocess.run(
        command("--markdown", "--plot", "--json", str(path), "--pictures", str(tmp_path / "p")),
        env=environment(mark),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert shown.returncode == 0, shown.stderr
    assert "| 1 client, 1428, window 16 |" in shown.stdout
    assert (tmp_path / "p/throughput.svg").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(generator: Generator, number: signal.Signals) -> None:
    needs_commands()
    mark = uuid.uuid4().hex
    words = ["--quick", "--rounds", "1000", "--servers", "ours", "--only", "get-1428-w16"]
    process = subprocess.Popen(
        command(*words, "--json", "/dev/null"),
        env=environment(mark),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "round 1" in process.stderr.readline()
        during = eventually(lambda: len(marked(mark)) > 1)
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
    assert during
    assert eventually(lambda: not marked(mark))


def test_names_that_do_not_exist_are_refused() -> None:
    for words in (["--only", "no-such"], ["--rounds", "x"]):
        done = subprocess.run(
            command(*words), env=environment("x"), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_everything_is_listed() -> None:
    done = subprocess.run(
        command("--list"), env=environment("x"), capture_output=True, text=True, timeout=60
    )
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert {"get-512", "get-1000", "put-100", "loss-5-w16", "bulk", "idle"} <= set(names)
    assert len(names) == len(set(names))


def test_a_folder_in_memory_goes_away(tmp_path: Path) -> None:
    with machine.folder_in_memory(tmp_path) as folder:
        (folder / "file").write_bytes(b"x")
    assert not folder.exists()
