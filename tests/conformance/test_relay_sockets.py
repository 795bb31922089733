"""The relay on real sockets of the loopback, and the command that starts it."""

import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Run

import tftp
from conformance.cli import app
from conformance.ports import Address
from conformance.relay import Bounds
from conformance.relay_faults import TO_CLIENT, TO_SERVER, Faults
from conformance.relay_loop import UdpRelay
from tftp.server import Server

HOST = "127.0.0.1"
LIMIT = 10.0  # seconds for anything here; far more than it takes
ROOT = Path(__file__).parents[2]


@contextmanager
def running(
    server: Address,
    faults: Faults | None = None,
    *,
    listen: str = HOST,
    bounds: Bounds | None = None,
) -> Iterator[UdpRelay]:
    relay = UdpRelay(server, (listen, 0), faults or Faults(), seed=1, bounds=bounds)
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()
        relay.close()


@contextmanager
def udp(host: str = HOST) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as port:
        port.bind((host, 0))
        port.settimeout(LIMIT)
        yield port


def place(port: socket.socket) -> Address:
    found: Address = port.getsockname()[:2]
    return found


def run(*arguments: object) -> Run:
    return CliRunner().invoke(app, ["relay", *map(str, arguments)])


# Sockets


def test_both_ways_with_transfer_ids() -> None:
    with udp() as server, udp() as transfer, udp() as client, running(place(server)) as relay:
        client.sendto(b"request", relay.address)
        request, source = server.recvfrom(100)
        transfer.sendto(b"data", source)
        data, front = client.recvfrom(100)
        client.sendto(b"ack", front)
        ack, again = transfer.recvfrom(100)
        assert (request, data, ack) == (b"request", b"data", b"ack")
        assert source == again
        assert front not in (relay.address, place(transfer))
    assert relay.counts[TO_SERVER, "delivered"] == 2
    assert relay.counts[TO_CLIENT, "delivered"] == 1


def test_transfers_through_faults_are_exact(tmp_path: Path) -> None:
    """The promise of our client and server, both ways, with a window and without."""
    content = random.Random(5).randbytes(200_000)
    (tmp_path / "file").write_bytes(content)
    faults = Faults(loss=0.05, duplication=0.02, reordering=0.05, delay=0.001, jitter=0.001)
    with (
        Server(str(tmp_path), upload="overwrite") as server,
        running((HOST, server.port), faults) as relay,
    ):
        for window, size in ((16, 1428), (1, 8192)):
            client = tftp.Client(*relay.address, window=window, block_size=size)
            client.download("file", tmp_path / "copy")
            client.upload("sent", tmp_path / "file")
            assert (tmp_path / "copy").read_bytes() == content
            assert (tmp_path / "sent").read_bytes() == content
    assert relay.counts[TO_SERVER, "lost"] + relay.counts[TO_CLIENT, "lost"] > 10


def test_the_largest_datagram_comes_through() -> None:
    with udp() as server, udp() as client, running(place(server)) as relay:
        client.sendto(b"x" * 65507, relay.address)
        assert server.recvfrom(65535)[0] == b"x" * 65507


def test_from_one_ip_version_to_the_other() -> None:
    try:
        with udp("::1") as probe:
            assert place(probe)
    except OSError:
        pytest.skip("this machine has no IPv6")
    for near, far in ((HOST, "::1"), ("::1", HOST), ("::1", "::1")):
        with (
            udp(far) as server,
            udp(near) as client,
            running(place(server), listen=near) as relay,
        ):
            client.sendto(b"request", relay.address)
            request, source = server.recvfrom(100)
            server.sendto(request, source)
            assert client.recvfrom(100)[0] == b"request"


def test_idle_ports_go_back_to_the_system() -> None:
    with (
        udp() as server,
        udp() as client,
        running(place(server), bounds=Bounds(idle=0.05)) as relay,
    ):
        seen = set()
        client.sendto(b"one", relay.address)
        seen.add(server.recvfrom(100)[1])
        closed = threading.Event()
        while relay._relay.doors and not closed.wait(0.01):
            pass
        client.sendto(b"two", relay.address)
        seen.add(server.recvfrom(100)[1])
        assert len(seen) == 2


def test_it_runs_for_so_long_and_no_longer() -> None:
    relay = UdpRelay((HOST, 9), (HOST, 0), Faults(), seed=1)
    relay.run(0.05)
    relay.stop()
    relay.run()  # it was told to stop, so it returns
    relay.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(relay.address)  # it is free again


def test_a_circle_and_a_taken_place_are_refused() -> None:
    with udp() as port:
        with pytest.raises(OSError, match="in use"):
            UdpRelay((HOST, 9), place(port), Faults(), seed=1)
        with pytest.raises(ValueError, match="round for ever"):
            UdpRelay(place(port), place(port), Faults(), seed=1)


# The command


def test_the_command_says_where_it_listens_and_counts_at_the_end() -> None:
    with udp() as server, udp() as client:
        target = f"{HOST}:{place(server)[1]}"
        command = ["-m", "conformance", "relay", target, "--duplicate", "100%", "--seed", "3"]
        with subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                assert target in line
                assert "seed 3" in line
                port = int(line.split()[1].rpartition(":")[2])
                client.sendto(b"request", (HOST, port))
                assert [server.recv(100) for _ in range(2)] == [b"request", b"request"]
                process.terminate()
                rest, _ = process.communicate(timeout=LIMIT)
            finally:
                process.kill()
        assert process.returncode == 0
        counts = {line[:12].strip(): line[12:].split() for line in rest.splitlines()}
        assert counts["carried"] == ["1", "0"]
        assert counts["duplicated"] == ["1", "0"]
        assert counts["delivered"] == ["2", "0"]
        assert counts["lost"] == ["0", "0"]


def test_the_words_of_the_command_line() -> None:
    found = run(
        *("[::1]:7000", "--loss", "5%", "--duplicate", "0.02", "--reorder", "0.5%"),
        *("--delay", "2ms", "--jitter", "500us", "--mtu", "1500", "--seconds", "0"),
        *("--cut", "to-client:2-5", "--cut", "to-server:0-1.5", "--listen", "127.0.0.1:0"),
    )
    assert (found.exit_code, found.stderr) == (0, "")
    assert "instead of [::1]:7000; seed 1" in found.output
    assert "instead of 127.0.0.1:69;" in run(HOST, "--seconds", "0").output
    assert "instead of [::1]:69;" in run("::1", "--seconds", "0").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--loss", "5x"], "write 5% or 0.05"),
        (["--loss", "101%"], "write 5% or 0.05"),
        (["--reorder", "-1%"], "write 5% or 0.05"),
        (["--loss", "nan"], "write 5% or 0.05"),
        (["--delay", "2min"], "write 2ms or 0.002s"),
        (["--jitter", "61"], "write 2ms or 0.002s"),
        (["--cut", "to-client"], "write to-client:2-5"),
        (["--cut", "up:1-2"], "write to-client:2-5"),
        (["--mtu", "20"], "48"),
        (["--listen", "127.0.0.1:70000"], "write HOST:PORT"),
        (["--listen", ":7000"], "write HOST:PORT"),
    ],
)
def test_a_word_that_makes_no_sense_is_told_with_one_that_does(
    arguments: list[str], told: str
) -> None:
    found = run(HOST, *arguments)
    assert found.exit_code == 2
    assert told in " ".join(found.stderr.split())


def test_a_place_that_cannot_be_had() -> None:
    with udp() as port:
        listen = f"{HOST}:{place(port)[1]}"
        found = run(HOST, "--listen", listen)
    assert found.exit_code == 1
    assert found.stderr == (
        f"Cannot listen on {listen}: Address already in use. Name another place.\n"
    )
    assert run("no-such-host.invalid").exit_code == 3
