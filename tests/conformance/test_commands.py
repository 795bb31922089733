"""How the suite starts clients: which command, where, and that nothing of it stays."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.client_trial import ClientTrial, Exit, Job
from conformance.commands import CommandRun, Commands, Interactive
from conformance.ports import UdpNet
from conformance.verdict import Stop, Verdict

SERVER = ("127.0.0.1", 6969)
SAY = [sys.executable, "-c", "import sys; print(*sys.argv[1:], sep='|')"]
WITHIN = 30.0


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def get(**options: int) -> Job:
    return Job(False, "name", SERVER, options=tuple(options.items()))


@contextmanager
def started(commands: Commands, job: Job) -> Iterator[CommandRun]:
    run = commands.start(job)
    assert run is not None
    try:
        yield run
    finally:
        run.stop()


def ended(commands: Commands, job: Job) -> Exit:
    with started(commands, job) as run:
        found = run.wait(WITHIN)
    assert found is not None
    return found


def test_places_are_filled_in() -> None:
    found = ended(Commands({"get": [*SAY, "{host}:{port}", "{remote}", "{mode}"]}), get())
    assert found.text == "127.0.0.1:6969|name|octet"
    assert found.status == 0
    assert found.content is None


def test_the_template_that_fits_best_is_taken() -> None:
    commands = Commands(
        {
            "get": [*SAY, "plain"],
            "get-blksize": [*SAY, "blksize", "{blksize}"],
            "get-blksize-windowsize": [*SAY, "both", "{blksize}", "{windowsize}"],
            "get-netascii": [*SAY, "text"],
        }
    )
    assert ended(commands, get()).text == "plain"
    assert ended(commands, get(timeout=3)).text == "plain"
    assert ended(commands, get(blksize=99)).text == "blksize|99"
    assert ended(commands, get(blksize=99, tsize=0)).text == "blksize|99"
    assert ended(commands, get(windowsize=4)).text == "plain"
    assert ended(commands, get(blksize=99, windowsize=4)).text == "both|99|4"
    assert ended(commands, Job(False, "name", SERVER, mode="netascii")).text == "text"
    assert commands.start(Job(True, "name", SERVER)) is None
    assert commands.start(Job(False, "name", SERVER, url="tftp://127.0.0.1/name")) is None


def test_a_command_line_is_taken_apart() -> None:
    words = ["get", "{remote}"]
    commands = Commands.of(
        [*SAY, *words], [f"put={sys.executable} -c 'print(1)'", "url=echo {url}"]
    )
    assert ended(commands, get()).text == "get|name"
    assert ended(commands, Job(True, "name", SERVER, b"sent")).text == "1"
    assert ended(commands, Job(False, "x", SERVER, url="tftp://h/x")).text == "tftp://h/x"


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        ({}, "`get` is missing"),
        ({"get": []}, "is empty"),
        ({"get": "no-such-command-anywhere {host}"}, "no command 'no-such-command-anywhere'"),
        ({"get": "echo {blksize}"}, "holds {blksize}"),
        ({"get": "echo {nonsense}"}, "holds {nonsense}"),
        ({"get": "echo", "fetch": "echo"}, "'fetch' is no name"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(templates: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Commands(templates)


def test_the_file_and_what_lies_beside_it_are_seen() -> None:
    code = (
        "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(b'got'); "
        "pathlib.Path('../evil').write_bytes(b'x'); sys.exit(3)"
    )
    found = ended(Commands({"get": python(code, "{local}")}), get())
    assert found.status == 3
    assert found.content == b"got"
    assert found.others == ("a/evil",)


def test_the_file_of_a_put_is_there_and_is_no_result() -> None:
    code = "import sys, pathlib; print(pathlib.Path(sys.argv[1]).read_bytes())"
    commands = Commands({"get": "true", "put": python(code, "{local}")})
    found = ended(commands, Job(True, "name", SERVER, b"to be sent"))
    assert found.text == "b'to be sent'"
    assert found.content is None
    assert found.others == ()


def test_a_signal_is_a_negative_status() -> None:
    found = ended(Commands({"get": python("import os; os.kill(os.getpid(), 11)")}), get())
    assert found.status == -11


def test_endless_output_is_bounded() -> None:
    found = ended(Commands({"get": python("print('x' * 10_000_000)")}), get())
    assert len(found.text) == 32 << 10


def test_all_that_it_has_started_ends_with_it() -> None:
    code = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']); "
        "print(child.pid, flush=True)"
    )
    with started(Commands({"get": python(code)}), get()) as run:
        found = run.wait(WITHIN)  # the pipe is still open: the child holds it
        assert found is not None
        child = int(found.text)
        assert is_alive(child)
    deadline = time.monotonic() + WITHIN
    while is_alive(child) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert not is_alive(child)


def test_it_is_ended_once_and_its_folder_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, signal; print(os.getcwd(), flush=True); signal.pause()"
    commands = Commands({"get": python(code)})
    with started(commands, get()) as run:
        assert run.wait(0.0) is None
        run.stop()
        found = run.wait(0.0)
        assert found is not None
        assert found.status == -9
        assert not found.text or not Path(found.text).exists()

        def kill(*_: int) -> None:
            raise AssertionError("the number may be somebody else's by now")

        monkeypatch.setattr(os, "killpg", kill)


def test_status_127_is_no_failure() -> None:
    trial = ClientTrial(UdpNet(), "127.0.0.1", Commands({"get": python("exit(127)")}), 5.0)
    try:
        with pytest.raises(Stop):
            trial.get()
    finally:
        trial.close()
    assert trial.verdict is Verdict.UNSUPPORTED


def test_a_person_is_told_what_to_start(tmp_path: Path) -> None:
    said: list[str] = []
    launcher = Interactive(said.append)
    assert launcher.start(get(blksize=1024)) is not None
    assert launcher.start(Job(True, "up", SERVER, b"x")) is None
    assert said == [
        "Start now: get name from 127.0.0.1 port 6969, asking for blksize 1024 if it can"
    ]
    putting = Interactive(said.append, tmp_path)
    assert putting.start(Job(True, "up", SERVER, b"sent")) is not None
    assert said[-1] == f"Start now: put {tmp_path / 'up'} to 127.0.0.1 port 6969"
    assert (tmp_path / "up").read_bytes() == b"sent"


def test_nobody_is_asked_for_what_a_board_does_not_do() -> None:
    said: list[str] = []
    launcher = Interactive(said.append)
    launcher.saw(get(), frozenset({"tsize"}))
    assert launcher.start(get(blksize=1024)) is None
    assert said == []
    loose = Job(False, "name", SERVER, options=(("blksize", 1024),), firm=False)
    assert launcher.start(loose) is not None
    assert launcher.start(get(tsize=0)) is not None
    launcher.saw(get(), frozenset())
    assert launcher.start(loose) is None
    assert launcher.start(get()) is not None


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
