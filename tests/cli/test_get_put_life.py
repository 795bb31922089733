"""The life of the commands: signals, terminals, pipes, and who stays behind."""

import os
import pty
import select
import signal
import subprocess
import threading
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.commands import LIMIT, Run, run, running, start, wait_until_gone
from tests.client.scripted import Line, Stage, ack, data, error, oack

CONTENT = bytes(range(256)) * 5


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_signal_in_the_middle_leaves_nothing_and_tells_the_server(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"old")
    commands: list[subprocess.Popen[bytes]] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))
        assert len(listing(tmp_path)) == 2, "the file that is being written"
        commands[0].send_signal(number)
        assert line.expect_error(0) == b"Cancelled"

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        commands.append(start("get", where, "f", folder=tmp_path))
        _, told = commands[0].communicate(timeout=LIMIT)
    assert commands[0].returncode == status
    assert told == (b"tftp-get: interrupted\n" if number == signal.SIGINT else b"")
    assert listing(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_an_interrupt_while_nobody_answers_ends_a_put(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    commands: list[subprocess.Popen[bytes]] = []

    def script(stage: Stage) -> None:
        stage.request()
        commands[0].send_signal(signal.SIGINT)

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        commands.append(start("put", where, "f", folder=tmp_path))
        commands[0].communicate(timeout=LIMIT)
    assert commands[0].returncode == 130


class Terminal:
    """A terminal that remembers what was written to it."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self._seen = b""

    def read_until(self, *texts: str) -> str:
        """Returns all that came until it held all of `texts`; fails when that takes long."""
        end = monotonic() + LIMIT
        while not all(text.encode() in self._seen for text in texts):
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - monotonic()))
            assert ready, f"never came: {texts}; this did: {self._seen!r}"
            self._seen += os.read(self._master, 65536)
        return self._seen.decode()

    def close(self) -> str:
        """Returns all that came."""
        while select.select([self._master], [], [], 0)[0]:
            self._seen += os.read(self._master, 65536)
        os.close(self.slave)
        os.close(self._master)
        return self._seen.decode()


def pause_until_shown(terminal: Terminal, line: Line) -> None:
    """Sends half of a file, waits for the bar, then sends the rest."""
    line.send(oack(blksize=1024, tsize=2047))
    line.expect(ack(0))
    line.send(data(1, bytes(1024)))
    line.expect(ack(1))
    terminal.read_until("kernel", "2.0 kB")
    line.send(data(2, bytes(1023)))
    while line.receive() != ack(2):
        pass  # it may have asked for block 2 again


def test_a_bar_shows_on_a_terminal_when_there_is_something_to_wait_for(tmp_path: Path) -> None:
    terminal = Terminal()
    with Stage(lambda stage: pause_until_shown(terminal, stage.accept())) as stage:
        where = f"{stage.host}:{stage.port}"
        command = start("get", where, "boot/kernel", folder=tmp_path, stderr=terminal.slave)
        assert command.wait(LIMIT) == 0
        assert command.stdout is not None
        assert command.stdout.read() == b""
        command.stdout.close()
    shown = terminal.close()
    assert "1.0/2.0 kB" in shown
    assert "2.0/2.0 kB" in shown
    assert "━" in shown
    assert (tmp_path / "kernel").stat().st_size == 2047


def test_a_quick_transfer_on_a_terminal_says_one_line(tmp_path: Path) -> None:
    terminal = Terminal()
    with Stage(lambda stage: stage.accept().serve(CONTENT)) as stage:
        command = start(
            "get", f"{stage.host}:{stage.port}", "f", folder=tmp_path, stderr=terminal.slave
        )
        assert command.wait(LIMIT) == 0
        command.communicate()
    shown = terminal.close()
    assert shown.startswith("tftp-get: 1.3 kB in ")
    assert shown.count("\n") == 1


def test_quiet_is_quiet_on_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal()

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1), ack(1))  # more than a second goes by
        line.send(data(2, b""))
        line.expect(ack(2))

    with Stage(script) as stage:
        command = start(
            "get", "-q", f"{stage.host}:{stage.port}", "f", folder=tmp_path, stderr=terminal.slave
        )
        assert command.wait(LIMIT) == 0
        command.communicate()
    assert terminal.close() == ""


def test_no_bar_where_the_file_itself_goes_to_the_terminal() -> None:
    terminal = Terminal()
    with Stage(lambda stage: stage.accept().serve(b"text\n")) as stage:
        where = f"{stage.host}:{stage.port}"
        command = start("get", where, "f", "-", stdout=terminal.slave, stderr=terminal.slave)
        assert command.wait(LIMIT) == 0
        terminal.read_until("text")
    assert terminal.close() == "text\r\n"


def test_a_reader_that_leaves_is_an_error_without_a_traceback() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect_error(0)

    read, write = os.pipe()
    os.close(read)
    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        command = start("get", where, "f", "-", stdout=write)
        os.close(write)
        _, told = command.communicate(timeout=LIMIT)
    assert command.returncode == 23
    assert told == b"tftp-get: Cannot write the file: Broken pipe\n"


def test_the_last_ack_is_repeated_after_the_command_has_ended() -> None:
    ended, looked = threading.Event(), threading.Event()

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, b"all"))
        line.expect(ack(1))
        assert ended.wait(LIMIT)
        for _ in range(3):
            line.send(data(1, b"all"))
            line.expect(ack(1))
        assert looked.wait(LIMIT)
        line.send(error(0, "enough"))

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        # Its output is read to the end: so nobody holds the pipes who stays behind.
        assert run("get", where, "f", "-", linger=3600) == Run(0, b"all", "")
        ended.set()
        [child] = running(where)
        open_files = {str(entry.readlink()) for entry in Path(f"/proc/{child}/fd").iterdir()}
        assert {name.split(":")[0] for name in open_files} == {"/dev/null", "socket"}
        assert Path(f"/proc/{child}/cwd").resolve() == Path("/")
        assert os.getsid(child) == child
        looked.set()
        wait_until_gone(where)


@pytest.mark.parametrize(("flags", "linger"), [(["--no-linger"], 60.0), ([], 0.3)])
def test_nobody_is_left_when_the_time_is_up(flags: list[str], linger: float) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, b"all"))
        line.expect(ack(1))

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        assert run("get", where, "f", "-", *flags, linger=linger) == Run(0, b"all", "")
        assert wait_until_gone(where) < 30


def test_nobody_stays_behind_after_a_failure() -> None:
    with Stage(lambda stage: stage.accept().send(b"\0\5\0\1no\0")) as stage:
        where = f"{stage.host}:{stage.port}"
        assert run("get", where, "f", "-", linger=60).code == 68
        assert running(where) == []


@pytest.mark.speed
def test_a_small_file_is_fetched_in_a_moment() -> None:
    times = []
    for _ in range(5):
        with Stage(lambda stage: stage.accept().serve(CONTENT[:1000])) as stage:
            begin = monotonic()
            assert run("get", f"{stage.host}:{stage.port}", "f", "-").code == 0
            times.append(monotonic() - begin)
    assert min(times) < 0.25
