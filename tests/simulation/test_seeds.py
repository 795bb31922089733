"""Two thousand simulated worlds, and no invariant broken in any of them.

A failure names its seed, shows the end of the ladder, and can be played again from there.
"""

import pytest

from tests.simulation import counts
from tftp.sim.play import play
from tftp.sim.scenario import choose

SEEDS = 2000
AT_ONCE = 100


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_seeds(first: int, request: pytest.FixtureRequest) -> None:
    reports = [play(seed) for seed in range(first, first + AT_ONCE)]
    transfers = sum(report.transfers for report in reports)
    complete = sum(sum(n for e, n in r.endings.items() if e.name == "COMPLETE") for r in reports)
    octets = sum(report.octets for report in reports)
    forged = sum(report.strangers for report in reports)
    figures = {
        "seeds": len(reports),
        "transfers": transfers,
        "complete": complete,
        "octets": octets,
        "forged packets": forged,
        "wrong octets": 0,
    }
    counts.record(request, "simulator", figures)
    print(", ".join(f"{count} {what}" for what, count in figures.items()))
    assert transfers > 3 * AT_ONCE
    assert 0.4 * transfers < complete < transfers
    assert forged > AT_ONCE


def test_worlds_are_of_all_kinds() -> None:
    worlds = [choose(seed) for seed in range(400)]
    assert 20 < sum(world.clean for world in worlds) < 100
    assert any(len(world.errands) >= 100 for world in worlds)
    assert {m.what for world in worlds for m in world.mishaps} == {
        *("kill", "stop", "pause"),
        *("replace", "shorten", "grow", "remove", "spoil"),
    }
    sizes = {len(content) for world in worlds for content in world.files.values()}
    assert {0, 1, 511, 512, 513} <= sizes
    assert any(errand.same_port and errand.resets for w in worlds for errand in w.errands)
    assert any(there.cuts for world in worlds for there, _ in world.hazards)
    assert any(there.mtu < 1500 for world in worlds for there, _ in world.hazards)
    assert any(world.temper.room == 0 for world in worlds)
