"""Every order of events of small transfers: no rule is broken, and broken code is found.

The exploration runs in processes of its own, for it takes a minute as it is. What it
covers stands in `tftp.sim.explore_setting.everyday`; `--all` of the command does the rest.
"""

import re
import subprocess
import sys

import pytest

from tests.simulation import counts
from tftp.protocol.packets import ACK, HEADER
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address
from tftp.sim.explore import main
from tftp.sim.explore_search import Broken, explore
from tftp.sim.explore_setting import (
    OPTIONS,
    PLAIN,
    SHAPES,
    TICK,
    TIMEOUT,
    Roles,
    Setting,
    everyday,
    everything,
)

TOTAL = re.compile(r"^([\d,]+) settings, ([\d,]+) states, ([\d,]+) moves, ([\d,]+) paths$", re.M)
WHAT = ("settings", "states", "moves", "orders of events")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}-window{shape[1]}")
@pytest.mark.parametrize("verb", ["read", "write"])
def test_no_order_of_events_breaks_a_rule(
    verb: str, shape: tuple[str, int], request: pytest.FixtureRequest
) -> None:
    """ROB-TIMER-03, RFC1123-4.2.3.1-01, RFC7440-4-19: up to three faults, wherever they fall."""
    name = f"{verb}-{shape[0]}-window{shape[1]}-"
    command = [sys.executable, "-m", "tftp.sim.explore", "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    total = TOTAL.search(done.stdout)
    assert total, done.stdout
    figures = [int(figure.replace(",", "")) for figure in total.groups()]
    counts.record(request, "exploration", dict(zip(WHAT, figures, strict=True)))
    settings, states, moves, paths = figures
    assert settings == len([one for one in everyday() if str(one).startswith(name)]) == 14
    assert paths > moves > states > 50_000


def test_without_faults_there_is_one_order_and_no_packet_too_many() -> None:
    """RFC7440-4-02: each block once, and an ACK for each window."""
    for setting in everything(0):
        tally = explore(setting).tally
        assert tally.paths == 1, setting
        assert tally.data == setting.needed, setting
        windows = -(-setting.needed // setting.window)
        assert windows <= tally.acks <= windows + 1, setting


def test_all_lengths_windows_and_terms_take_part() -> None:
    settings = set(everyday())
    assert {one._replace(faults=0, tick=0.0) for one in settings} == set(everything(0))
    assert {(one.terms, one.needed) for one in settings if one.faults == 3} >= {
        (PLAIN, needed) for needed in range(1, 6)
    }
    assert any(one.tick == TICK and one.faults == 2 for one in settings)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--all", "--faults", "1", "--only", "write-plain-window1-2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:-1]] == [
        "write-plain-window1-2+0-faults1",
        "write-plain-window1-2+5-faults1",
    ]
    assert TOTAL.search(lines[-1])


# Broken code is found


class Apprentice(Sender):
    """Answers each repeated ACK, so that one doubled ACK doubles all that follows."""

    __slots__ = ()

    def _hear_again(self, now: float) -> None:
        super()._hear_again(now)
        self._next = self._base + 1


class Runaway(Sender):
    """Sends one block more than the window allows for."""

    __slots__ = ()

    def _open(self, source: Address, now: float) -> None:
        super()._open(source, now)
        self.terms = self.terms._replace(window=self.terms.window + 1)


class Deaf(Sender):
    """Stays silent for good when it was hushed, though its peer still waits."""

    __slots__ = ()

    def _hear_again(self, now: float) -> None:
        hushed = self._hushed
        super()._hear_again(now)
        self._hushed = hushed


class Trusting(Sender):
    """Takes an ACK from anybody."""

    __slots__ = ()

    def receive(self, datagram: bytes | memoryview, source: Address, now: float) -> None:
        anybody = self.state is State.STREAMING and bytes(datagram[:2]) == HEADER.pack(ACK, 0)[:2]
        super().receive(datagram, self.peer if anybody else source, now)


class Greedy(Receiver):
    """Takes any block of the window for the one that it awaits."""

    __slots__ = ()

    def _receive_data(
        self, number: int, payload: memoryview, source: Address, now: float
    ) -> memoryview | None:
        if self._expected < number < self._expected + self.terms.window:
            number = self._expected
        return super()._receive_data(number, payload, source, now)


class Forgetful(Receiver):
    """Has no deadline once the first block is there."""

    __slots__ = ()

    def _take(self, length: int, now: float) -> None:
        super()._take(length, now)
        if self.state is State.STREAMING:
            self.deadline = None


class Hasty(Receiver):
    """Leaves right after its last ACK."""

    __slots__ = ()

    def _finish(self, now: float) -> None:
        super()._finish(now)
        self.deadline = now + 0.01


class Boastful(Receiver):
    """Acknowledges the block behind the last one that it has."""

    __slots__ = ()

    def _say(self, block: int) -> None:
        super()._say(block + 1)


READ = Setting(reading=True, terms=PLAIN, window=1, blocks=4, rest=0, faults=1)
WINDOW = Setting(reading=True, terms=OPTIONS, window=3, blocks=3, rest=5, faults=2)
EVERY_SECOND = Setting(reading=True, terms=TIMEOUT, window=1, blocks=2, rest=0, faults=2)
OPENED = "arrives   sender   RRQ"
PLANTED = [
    (READ, Roles(sender=Apprentice), "sends 14 DATA packets", "late      sender   ACK 1"),
    (WINDOW, Roles(sender=Runaway), "DATA 4 is too far", "arrives   receiver OACK"),
    (EVERY_SECOND, Roles(sender=Deaf), "receiver has failed", "late      sender   RRQ"),
    (READ, Roles(sender=Trusting), "a stranger makes the sender speak", "sender   ACK 1"),
    (WINDOW, Roles(receiver=Greedy), "wrong bytes at 0", OPENED),
    (READ, Roles(receiver=Forgetful), "receiver waits for ever", OPENED),
    (WINDOW, Roles(receiver=Hasty), "sender has failed", "lost      sender   ACK 4"),
    (WINDOW, Roles(receiver=Boastful), "ACK 1 is false", OPENED),
]


@pytest.mark.parametrize(
    ("setting", "roles", "rule", "move"),
    PLANTED,
    ids=[(roles.sender if roles.sender is not Sender else roles.receiver).__name__
         for _, roles, _, _ in PLANTED],
)  # fmt: skip
def test_a_planted_mistake_is_found(setting: Setting, roles: Roles, rule: str, move: str) -> None:
    """With the moves that lead to it, as few as there can be."""
    with pytest.raises(Broken, match=rule) as found:
        explore(setting, roles)
    told = str(found.value)
    assert str(setting) in told
    assert move in told
    assert len(told.splitlines()) < 60


def test_the_command_tells_a_broken_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Receiver, "_dally", 0.01)
    assert main(["--only", "write-options-window2-1+5"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("write-options-window2-1+5")
    assert "lost      sender   ACK 2" in told
