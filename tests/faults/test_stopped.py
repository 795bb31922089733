"""A process that stands still for seconds (SIGSTOP, a suspended machine) and goes on.

All its timers have passed then. But what lies in its sockets is older than they are, and
counts first: so the one who slept repeats nothing, and no transfer is lost.
"""

import os
import random
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

import tftp
from tests.cli.commands import LIMIT, start
from tests.client.scripted import Line, Stage
from tests.server.lab import open_lab
from tests.server.process import Serving
from tests.server.wire import PATIENCE, Peer, ack, data, oack, rrq, wrq
from tftp.net.udp import Endpoint
from tftp.protocol.pace import Timing
from tftp.protocol.transfer import Address

pytestmark = pytest.mark.fault

CONTENT = random.Random(7).randbytes(50 * 512 + 100)
LARGE = random.Random(8).randbytes(4_000_000)
HALF = 24  # blocks: by then lock-step has its connected socket
PAUSE = 1.5  # seconds: longer than the first interval of every timer
LONG = 5.0


def stop(pid: int) -> None:
    """Has a process stand still, and returns when it does."""
    os.kill(pid, signal.SIGSTOP)
    until = monotonic() + PATIENCE
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert monotonic() < until, "it does not stop"


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


def forget(peer: Peer) -> None:
    """Reads away copies that were sent before the stop."""
    while not peer.is_silent(0.05):
        pass


@pytest.fixture
def serving(root: Path) -> Serving:
    (root / "f").write_bytes(CONTENT)
    return Serving(root, "--upload", "create")


def check_done(server: Serving) -> None:
    server.line(r"\bf\b.*done|new.*done")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.seen[-1].endswith("1 done, 0 failed")


@pytest.mark.parametrize(("window", "seconds"), [(1, LONG), (4, PAUSE)])
def test_a_server_that_stands_still_in_a_read(
    serving: Serving, window: int, seconds: float
) -> None:
    with serving.listening() as server, server.peer() as peer:
        peer.ask(rrq("f", blksize=512, windowsize=window))
        peer.expect(oack(blksize=512, windowsize=window))
        peer.say(ack(0))
        content = take(peer, 1, HALF, window)
        stop(server.pid)
        forget(peer)
        peer.say(ack(HALF))
        assert peer.is_silent(seconds)
        go_on(server.pid)
        packet = peer.receive()
        assert packet == data(HALF + 1, CONTENT[HALF * 512 :][:512]), "the next, and no copy"
        content += packet[4:]
        if window == 1:
            peer.say(ack(HALF + 1))
        content += take(peer, HALF + 2, 51, window)
        peer.say(ack(51))
        assert content == CONTENT
        check_done(server)


def take(peer: Peer, first: int, last: int, window: int) -> bytes:
    """Takes blocks, copies aside, and acknowledges all windows but the last one."""
    content = b""
    for block in range(first, last + 1):
        while (packet := peer.receive())[:4] != data(block):
            assert packet[:2] == b"\0\3"
        content += packet[4:]
        if block % window == 0 and block < last:
            peer.say(ack(block))
    return content


def test_a_server_that_stands_still_in_a_write(serving: Serving, root: Path) -> None:
    with serving.listening() as server, server.peer() as peer:
        peer.ask(wrq("new"))
        peer.expect(ack(0))
        for block in range(1, 52):
            if block == HALF:
                stop(server.pid)
                forget(peer)
            peer.say(data(block, CONTENT[(block - 1) * 512 : block * 512]))
            if block == HALF:
                assert peer.is_silent(PAUSE)
                go_on(server.pid)
                assert peer.receive() == ack(block), "the next, and no copy"
                continue
            while peer.receive() != ack(block):
                pass
        check_done(server)
    assert (root / "new").read_bytes() == CONTENT


def test_a_request_to_a_server_that_stands_still_is_answered_once(serving: Serving) -> None:
    with serving.listening() as server, server.peer() as peer, server.peer() as other:
        stop(server.pid)
        for _ in range(3):
            peer.ask(rrq("f", timeout=100))
        assert peer.is_silent(PAUSE)
        go_on(server.pid)
        peer.expect(oack(timeout=100))
        assert other.fetch("f", timeout=100) == CONTENT
        assert peer.is_silent()
        peer.say(ack(0))
        assert peer.take() == CONTENT


@pytest.mark.parametrize(("writing", "seconds"), [(False, LONG), (True, PAUSE)])
def test_our_client_outlasts_a_server_that_stands_still(
    root: Path, tmp_path: Path, writing: bool, seconds: float
) -> None:
    (root / "f").write_bytes(LARGE)
    waking: list[threading.Timer] = []
    with Serving(root, "--upload", "create").listening() as server:

        def progress(done: int, _: int | None) -> None:
            if done > 100_000 and not waking:
                stop(server.pid)
                waking.append(threading.Timer(seconds, go_on, [server.pid]))
                waking[0].start()

        host, port = server.address
        if writing:
            tftp.upload(host, "new", root / "f", port=port, progress=progress)
            received = root / "new"
        else:
            received = tmp_path / "got"
            tftp.download(host, "f", received, port=port, progress=progress)
        waking[0].join(PATIENCE)
        assert received.read_bytes() == LARGE
        check_done(server)


def test_a_get_that_stands_still(tmp_path: Path) -> None:
    commands: list[subprocess.Popen[bytes]] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        for block in range(1, 52):
            if block == HALF:
                stop(commands[0].pid)
            line.send(Line.block(CONTENT, block))
            if block == HALF:
                line.expect_silence(LONG)
                go_on(commands[0].pid)
            line.expect(ack(block))

    with Stage(script) as stage:
        commands.append(start("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path))
        commands[0].communicate(timeout=LIMIT)
    assert commands[0].returncode == 0
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_put_that_stands_still(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    commands: list[subprocess.Popen[bytes]] = []
    got: list[bytes] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        for block in range(1, 52):
            while (packet := line.receive())[:4] != data(block):
                pass
            got.append(packet[4:])
            if block == HALF:
                stop(commands[0].pid)
                with suppress(AssertionError):  # a copy that was sent before the stop
                    line.expect_silence(0.05)
                line.send(ack(block))
                line.expect_silence(PAUSE)
                go_on(commands[0].pid)
                continue
            line.send(ack(block))

    with Stage(script) as stage:
        commands.append(start("put", f"{stage.host}:{stage.port}", "f", folder=tmp_path))
        commands[0].communicate(timeout=LIMIT)
    assert commands[0].returncode == 0
    assert b"".join(got) == CONTENT


def test_a_get_that_stands_still_while_the_server_repeats_itself(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes up among copies, and takes each octet once."""
    commands: list[subprocess.Popen[bytes]] = []
    trains = 0
    send_train = Endpoint.send_train

    def watched(endpoint: Endpoint, view: memoryview, stride: int, to: Address) -> int:
        nonlocal trains
        trains += 1
        if trains == 12:
            stop(commands[0].pid)
        if trains == 40:
            go_on(commands[0].pid)
        return send_train(endpoint, view, stride, to)

    monkeypatch.setattr(Endpoint, "send_train", watched)
    (root / "f").write_bytes(LARGE)
    with open_lab(root, timing=Timing(first=0.1, retries=30)) as lab:
        commands.append(start("get", f"{lab.server.host}:{lab.server.port}", "f", folder=tmp_path))
        commands[0].communicate(timeout=LIMIT)
        report = lab.report()
    assert (tmp_path / "f").read_bytes() == LARGE
    assert report.ok
    assert report.resent > 0
