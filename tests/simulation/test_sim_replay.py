"""A world can be seen again: the same hash in another process, a pcap, a ladder, a command."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tftp.protocol.packets import decode
from tftp.server.service import Admitted, Service
from tftp.sim.__main__ import main
from tftp.sim.play import Play, play
from tftp.sim.scenario import choose
from tftp.sim.trace import Trace

ROOT = Path(__file__).parents[2]
SEEDS = (7, 3)
"""The first one and how many: with strangers, losses and a restart among them."""


def elsewhere(hash_seed: str) -> str:
    """Plays the seeds in a process of its own; returns what that says."""
    command = [sys.executable, "-m", "tftp.sim", "--seed", str(SEEDS[0]), "--count", str(SEEDS[1])]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_same_seed_has_the_same_hash_in_every_process() -> None:
    one, other = elsewhere("1"), elsewhere("2")
    assert one == other
    first = SEEDS[0]
    for seed in range(first, first + SEEDS[1]):
        assert play(seed).digest in one


def test_different_seeds_have_different_hashes() -> None:
    digests = {play(seed).digest for seed in range(20)}
    assert len(digests) == 20


def test_a_hash_covers_what_a_datagram_holds_and_what_became_of_it() -> None:
    a, b = ("10.0.0.1", 69), ("10.0.0.2", 1000)
    digests = []
    for datagram, fate, when in [(b"x", "", 1.0), (b"y", "", 1.0), (b"x", "lost", 1.0)]:
        trace = Trace()
        trace.sent(when, a, b, datagram, fate)
        digests.append(trace.digest)
    later, back = Trace(), Trace()
    later.sent(2.0, a, b, b"x", "")
    back.sent(1.0, b, a, b"x", "")
    assert len({*digests, later.digest, back.digest, Trace().digest}) == 6


def packets(capture: bytes) -> list[tuple[float, bytes]]:
    """Reads a pcap file: times and IP packets."""
    magic, major, minor, _, _, snap, link = struct.unpack_from("<IHHiIII", capture)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    place, found = 24, []
    while place < len(capture):
        seconds, micros, size, whole = struct.unpack_from("<IIII", capture, place)
        assert size == whole <= snap
        assert micros < 1_000_000
        found.append((seconds + micros / 1e6, capture[place + 16 : place + 16 + size]))
        place += 16 + size
    assert place == len(capture)
    return found


def test_the_capture_holds_everything_that_was_sent(tmp_path: Path) -> None:
    file = tmp_path / "capture.pcap"
    assert main(["--seed", str(SEEDS[0]), "--pcap", str(file)]) == 0
    world = Play(choose(SEEDS[0]))
    world.run()
    sent = [line for line in world.trace.ladder() if " > " in line]
    captured = packets(file.read_bytes())
    assert len(captured) == len(sent) > 10
    times = [when for when, _ in captured]
    assert times == sorted(times)
    for _, packet in captured:
        size, protocol = struct.unpack_from("!2xH5xB", packet)
        assert (packet[0], size, protocol) == (0x45, len(packet), 17)
        words = struct.unpack("!10H", packet[:20])
        assert sum(words) % 0xFFFF == 0  # what a right checksum makes of the header
        assert struct.unpack_from("!H", packet, 24)[0] == len(packet) - 20
    requests = [packet for _, packet in captured if packet[22:24] == b"\0\x45"]
    assert decode(requests[0][28:])
    assert packet_ends(requests[0])[1] == "10.0.0.1"


def packet_ends(packet: bytes) -> tuple[str, str]:
    """Returns source and destination host."""
    parts = [".".join(map(str, packet[place : place + 4])) for place in (12, 16)]
    return parts[0], parts[1]


def test_a_failure_is_told_with_its_seed_and_its_ladder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def release(self: Service, admitted: Admitted) -> None:
        """Forgets to count down."""
        self._newest.pop(admitted.peer, None)

    monkeypatch.setattr(Service, "release", release)
    file = tmp_path / "capture.pcap"
    assert main(["--seed", "3", "--pcap", str(file)]) == 1
    said = capsys.readouterr().out
    first, replay, *ladder = said.splitlines()
    assert first.startswith("seed 3: the service still counts ")
    assert "python -m tftp.sim --seed 3" in replay
    assert any(" ACK " in line for line in ladder)
    assert packets(file.read_bytes())


def test_a_crash_of_the_product_is_a_failure_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(self: Service, admitted: Admitted) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(Service, "release", release)
    assert main(["--seed", "3", "--count", "5"]) == 1
    assert "seed 3: KeyError: 'no such thing'" in capsys.readouterr().out


def test_the_ladder_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--ladder"]) == 0
    lines = capsys.readouterr().out.splitlines()
    world = Play(choose(3))
    report = world.run()
    assert lines[:-1] == world.trace.ladder()
    assert report.digest in lines[-1]
    assert f"{report.clients} clients, {report.transfers} transfers" in lines[-1]


def test_many_seeds_end_in_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--count", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    transfers = sum(play(seed).transfers for seed in range(3, 7))
    assert len(lines) == 6
    assert lines[4].startswith(f"4 seeds, {transfers} transfers, ")


def test_a_capture_is_of_one_seed() -> None:
    with pytest.raises(SystemExit):
        main(["--seed", "3", "--count", "2", "--pcap", "x"])
