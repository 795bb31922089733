"""Flood, boards and server, each in its own process; also a program that tells the figures.

    python -m tests.hostile.scene [--rate 20000] [--boards 20] [--raw] [-- OPTIONS OF tftp-serve]

`Scene` is a running `tftp-serve` with the files of the boards. Its log goes to a file, as it
would to a journal. Nothing here asserts: `test_flood` does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

import tftp
from tests.hostile.boots import Boots, lay_out
from tests.hostile.flood import AFTERMATH, HOST, Figures
from tests.server.process import COMMAND, environment

__all__ = ["LONGEST", "Flood", "Scene", "Story", "play"]

LONGEST = 60.0  # seconds that boots may take
SAMPLES = 25
PATIENCE = 20.0


class Scene:
    """A server process, by default as users get it."""

    def __init__(self, folder: Path, *options: str) -> None:
        root, self.log = folder / "root", folder / "log"
        root.mkdir()
        lay_out(root)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*COMMAND, str(root), "--host", HOST, "--port", "0", *options],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            self.port = self._await_port()
        except BaseException:
            self.close()
            raise

    def _await_port(self) -> int:
        until = monotonic() + PATIENCE
        while monotonic() < until and self._process.poll() is None:
            _, found, rest = self.log.read_text().partition(f"listening on {HOST}:")
            if found and "\n" in rest:
                return int(rest.split()[0].rstrip(",;."))
        raise AssertionError(f"the server does not listen: {self.log.read_text()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def peak(self) -> int:
        """Returns the most memory that it has had so far, in kilobytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    def cpu(self) -> float:
        """Returns the seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def boots(self, boards: int = 20) -> Boots:
        """Boots the boards, all at once."""
        done = subprocess.run(
            [
                *_program("boots"),
                str(self.port),
                "--boards",
                str(boards),
                "--longest",
                str(LONGEST),
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            timeout=LONGEST + PATIENCE,
            check=True,
        )
        return Boots(**json.loads(done.stdout))

    def latencies(self) -> list[float]:
        """Returns how long each of some fresh requests waited for its small file."""
        waits = []
        for _ in range(SAMPLES):
            began = monotonic()
            tftp.get(HOST, "default.cfg", port=self.port, local_address="127.0.2.1", linger=0)
            waits.append(monotonic() - began)
        return sorted(waits)

    @contextmanager
    def flooded(self, rate: int, *, raw: bool = False) -> Iterator["Flood"]:
        """Floods the server while the block runs, and for the second of the aftermath."""
        flood = Flood(self.port, rate, raw=raw)
        try:
            yield flood
            flood.end()
        finally:
            flood.close()


class Flood:
    """The process of a flood."""

    def __init__(self, port: int, rate: int, *, raw: bool) -> None:
        options = ["--rate", str(rate), "--seconds", str(LONGEST + PATIENCE), *["--raw"] * raw]
        self._process = subprocess.Popen(
            [*_program("flood"), str(port), *options],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"flooding\n"
        self.figures: Figures | None = None
        """What it was, once it has ended."""

    def end(self) -> None:
        """Ends it; returns when the second after it is over."""
        told, _ = self._process.communicate(timeout=AFTERMATH + PATIENCE)
        self.figures = Figures(**json.loads(told))

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)


class Story(NamedTuple):
    """Boots without and with a flood, and what the server was like then."""

    calm: Boots
    stormy: Boots
    flood: Figures
    calm_peak: int
    """Kilobytes: the most memory that the server had by the end of the undisturbed boots."""
    stormy_peak: int
    """The same by the end of the flood."""
    calm_cpu: float
    """The server's processor time for the undisturbed boots, in seconds."""
    stormy_cpu: float
    """The same for those in the flood, and for the flood."""
    before: list[float]
    """Latencies of fresh requests, in order of size."""
    after: list[float]
    log: int
    """Octets of the log."""

    @property
    def slowdown(self) -> float:
        """Returns how many times longer the boots took."""
        return self.stormy.total / self.calm.total

    @property
    def grown(self) -> int:
        """Returns how many kilobytes the flood took of the server, at the most."""
        return self.stormy_peak - self.calm_peak

    def lines(self) -> list[str]:
        """Returns the figures, for people."""
        flood, middle = self.flood, SAMPLES // 2
        back = "unknown" if flood.octets_back is None else f"{flood.octets_back / 1e6:.1f} MB"
        waits = [
            f"{name} {group[middle] * 1000:.1f} ms, at most {group[-1] * 1000:.1f}"
            for name, group in (("before", self.before), ("after", self.after))
        ]
        slowest = ", ".join(f"{name} {wait:.2f} s" for name, wait in self.stormy.slowest.items())
        sent = f"{flood.sent:,} datagrams in {flood.seconds:.1f} s, {flood.rate:,.0f} a second"
        cost = f"{flood.unsent:,} unsent, {flood.cpu / flood.seconds:.0%} of a core"
        times = self.stormy_cpu / self.calm_cpu
        load = f"{self.calm_cpu:.1f} s of a core, then {self.stormy_cpu:.1f} s (x{times:.2f})"
        return [
            _told("undisturbed", self.calm),
            _told("in the flood", self.stormy),
            f"slowdown: x{self.slowdown:.2f}; slowest files: {slowest}",
            f"flood: {sent}, {cost}",
            f"octets: {flood.octets_sent / 1e6:.1f} MB there, {back} back",
            f"server: {load}; log of {self.log:,} octets",
            f"memory: at most {self.calm_peak / 1024:.1f}, then {self.stormy_peak / 1024:.1f} MiB",
            "a fresh request: " + "; ".join(waits),
            *self.stormy.failures[:5],
        ]


def _told(name: str, boots: Boots) -> str:
    booted = sorted(boots.seconds) or [float("nan")]
    return (
        f"{name}: {len(boots.seconds)} booted, {len(boots.failures)} failed, all in "
        f"{boots.total:.2f} s; a boot took {booted[0]:.2f} to {booted[-1]:.2f} s"
    )


def play(scene: Scene, rate: int = 20_000, boards: int = 20, *, raw: bool = False) -> Story:
    """Boots the boards in calm, then in a flood, and looks at the server afterwards."""
    began = scene.cpu()
    calm = scene.boots(boards)
    calm_cpu = scene.cpu() - began
    before, calm_peak = scene.latencies(), scene.peak()
    began = scene.cpu()
    with scene.flooded(rate, raw=raw) as flood:
        stormy = scene.boots(boards)
        stormy_cpu = scene.cpu() - began
    after = scene.latencies()
    assert flood.figures is not None
    size = scene.log.stat().st_size
    memory = calm_peak, scene.peak()
    return Story(calm, stormy, flood.figures, *memory, calm_cpu, stormy_cpu, before, after, size)


def _program(name: str) -> Sequence[str]:
    return [sys.executable, "-m", f"tests.hostile.{name}"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Boots boards in a flood, and tells the figures.")
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--raw", action="store_true", help="forge the ports too; needs root")
    parser.add_argument("options", nargs="*", help="options of tftp-serve")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), *given.options) as scene:
        story = play(scene, given.rate, given.boards, raw=given.raw)
        for line in story.lines():
            print(line)


if __name__ == "__main__":
    main()
