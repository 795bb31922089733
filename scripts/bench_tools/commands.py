"""Whole commands, timed from outside: our client beside others, and how fast commands start.

What a user waits for: from the start of a program to its end. Commands of one race fetch the
same file, in rounds; what arrived is compared once. Must not know about the load generator's
workloads.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_tools import processes
from scripts.bench_tools.job import HOST
from scripts.bench_tools.measure import name_of
from scripts.bench_tools.results import Commands, Sample
from scripts.bench_tools.servers import Peers, Server, Stage, running
from scripts.bench_tools.workloads import ETHERNET, KIB, MIB

DEST = "{dest}"  # the word of a command line that stands for the place to save to
NOWHERE = "/dev/null"
LIMIT = 20.0  # seconds that one command may take


def _unknown() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Command:
    """A command that fetches the file; what arrives is compared if DEST is in its words."""

    name: str
    words: Sequence[str]
    server_cpu: Callable[[], float | None] = _unknown


@dataclass(frozen=True, slots=True)
class Race:
    """Commands that are run in turn."""

    stage: Stage
    title: str
    size: int
    commands: Sequence[Command]
    missing: dict[str, str]

    def run(self, rounds: int) -> Commands:
        """Runs every command `rounds` times; one that fails is not run again."""
        samples: dict[str, list[Sample]] = {command.name: [] for command in self.commands}
        for number in range(rounds):
            for command in self.commands:
                earlier = samples[command.name]
                if not any(sample["trouble"] for sample in earlier):
                    earlier.append(self._one(command, check=number == 0))
        for name, found in samples.items():
            seconds = statistics.median(sample["seconds"] for sample in found)
            trouble = found[-1]["trouble"]
            print(f"bench: {self.title}: {name:<22} {seconds:.3f} s {trouble}", file=sys.stderr)
        return {
            "title": self.title,
            "size": self.size,
            "samples": samples,
            "missing": self.missing,
        }

    def _one(self, command: Command, *, check: bool) -> Sample:
        arrived = self.stage.root.parent / "arrived"
        if DEST in command.words:
            _warm(arrived, self.size)
        before = command.server_cpu()
        ended = processes.run(
            [str(arrived) if word == DEST else word for word in command.words],
            LIMIT,
            cpus=(self.stage.cores.load,),
            folder=arrived.parent,
            log=arrived.with_name("client.log"),
        )
        after = command.server_cpu()
        trouble = ""
        if ended.code:
            trouble = f"exit code {ended.code}: {ended.output.strip()[-200:]}"
        elif check and DEST in command.words:
            right = self.stage.generator.verify(arrived, self.size)
            trouble = "" if right else "not the same bytes"
        arrived.unlink(missing_ok=True)
        return {
            "seconds": ended.seconds,
            "cpu": ended.cpu,
            "server_cpu": None if before is None or after is None else after - before,
            "trouble": trouble,
        }


def _warm(path: Path, size: int) -> None:
    """Writes and removes a file of that size.

    A virtual machine hands pages that were free for a while back to its host; who writes
    next pays for them, and it is not always the same command's turn.
    """
    piece = bytes(MIB)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(piece)
    path.unlink()


def serve_file(stage: Stage, size: int) -> str:
    """Makes the file of that size if it is not there, and returns its name."""
    path = stage.root / name_of(size)
    if not path.exists():
        stage.generator.make(path, size)
        path.chmod(0o644)
    return path.name


# ---------------------------------------------------------------- clients


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client is to ask for; block 0 is no options at all."""

    title: str
    size: int
    block: int
    window: int


ASKED = (
    Asked("no options: 512, lock-step", 8 * MIB, 0, 1),
    Asked("1428, lock-step", 16 * MIB, ETHERNET, 1),
    Asked("1428, window 64", 128 * MIB, ETHERNET, 64),
)


def compare_clients(
    stage: Stage, ours: Server, venv: Path, peers: Peers, rounds: int, shrink: int
) -> list[Commands]:
    """Compares our client with others, all from our server, with the same options."""
    found = []
    with running(ours, stage) as up:
        for asked in ASKED:
            size = asked.size // shrink
            lines = _clients(venv, peers, up.port, serve_file(stage, size), asked)
            commands = [Command(tool, words, up.cpu) for tool, (words, why) in lines if not why]
            missing = {tool: why for tool, (_, why) in lines if why}
            found.append(Race(stage, asked.title, size, commands, missing).run(rounds))
    return found


def _clients(
    venv: Path, peers: Peers, port: int, name: str, asked: Asked
) -> list[tuple[str, tuple[list[str], str]]]:
    """Returns each client with its command line, and why it cannot take part, if so."""
    block, window = str(asked.block), str(asked.window)
    address, place = f"{HOST}:{port}", [HOST, str(port)]
    ours = ["--block-size", block, "--window", window] if asked.block else ["--no-options"]
    curl = ["--tftp-blksize", block] if asked.block else ["--tftp-no-options"]
    atftp = ["--option", f"blksize {block}"] if asked.block else []
    atftp += ["--option", f"windowsize {window}"] if asked.window > 1 else []
    busybox = ["-b", block] if asked.block else []
    lockstep = "" if asked.window == 1 else "has no windows"
    classic = "asks for no options" if asked.block else ""

    def tool(name: str) -> str:
        return str(peers.path(name) or name)

    return [
        ("tftp-get", ([str(venv / "bin/tftp-get"), "-q", address, name, DEST, *ours], "")),
        (
            "curl",
            (
                [tool("curl"), "-sS", *curl, "-o", DEST, f"tftp://{address}/{name}"],
                peers.reason("curl") or lockstep,
            ),
        ),
        (
            "atftp",
            (
                [tool("atftp"), "--get", "-r", name, "-l", DEST, *atftp, *place],
                peers.reason("atftp"),
            ),
        ),
        (
            "tftp-hpa",
            (
                [tool("tftp-hpa"), "-m", "binary", *place, "-c", "get", name, DEST],
                peers.reason("tftp-hpa") or classic,
            ),
        ),
        (
            "busybox",
            (
                [tool("busybox"), "tftp", "-g", "-r", name, "-l", DEST, *busybox, *place],
                peers.reason("busybox") or lockstep,
            ),
        ),
    ]


# ---------------------------------------------------------------- start-up


def time_startup(stage: Stage, ours: Server, venv: Path, peers: Peers, rounds: int) -> Commands:
    """Times what hardly moves anything: how long commands take to start and end."""
    name = serve_file(stage, KIB)
    python = str(venv / "bin/python3")
    get = str(venv / "bin/tftp-get")
    with running(ours, stage) as up:
        commands = [
            Command("python -c pass", [python, "-c", "pass"]),
            Command("import tftp", [python, "-c", "import tftp"]),
            Command("tftp-get --version", [get, "--version"]),
            Command("tftp-get of 1 KB", [get, "-q", f"{HOST}:{up.port}", name, DEST]),
        ]
        curl = peers.path("curl")
        if curl:
            url = f"tftp://{HOST}:{up.port}/{name}"
            commands.append(Command("curl of 1 KB", [str(curl), "-sS", "-o", DEST, url]))
        return Race(stage, "start-up", KIB, commands, {}).run(rounds)
