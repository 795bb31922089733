"""What a transfer costs: the golden table of efficiency.toml, and what must hold of it."""

import pytest

from tests.simulation.efficiency import (
    GOLDEN,
    LOSSES,
    REORDERINGS,
    WINDOWS,
    Cell,
    golden,
    link,
    measure,
    render,
)


def row_of(loss: float, reordering: float) -> list[Cell]:
    """Returns the cells of one link, by window."""
    row = golden()[link(loss, reordering)]
    return [row[f"window-{window}"] for window in WINDOWS]


def test_the_table_is_fresh() -> None:
    """`python -m tests.simulation.efficiency` writes it anew after a change that was meant."""
    table = measure()
    assert table == golden()
    assert GOLDEN.read_text("utf-8") == render(table)
    assert len(table) == len(LOSSES) * len(REORDERINGS)


def test_a_clean_link_costs_nothing_extra() -> None:
    """RFC1123-4.2.3.1-01, RFC7440-4-02: each block once, one round trip for each window."""
    for cell in row_of(0, 0):
        assert cell["sent"] == 1.0
        assert cell["seconds"] == cell["seconds-optimum"]


@pytest.mark.parametrize("reordering", REORDERINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_beats_the_optimum(loss: float, reordering: float) -> None:
    """A better figure would be a mistake of the simulator, or of the formula."""
    for cell in row_of(loss, reordering):
        assert cell["sent"] >= 0.995 * cell["sent-optimum"]
        assert cell["seconds"] >= 0.995 * cell["seconds-optimum"]


@pytest.mark.parametrize("reordering", REORDERINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_cell_is_worse_than_going_back_to_each_gap(loss: float, reordering: float) -> None:
    """RFC 7440 section 4: a receiver drops what comes behind a gap, so this is its optimum."""
    for window, cell in zip(WINDOWS, row_of(loss, reordering), strict=True):
        assert cell["sent"] <= 1.1 * going_back(loss / 100, reordering / 100, window)


@pytest.mark.parametrize("loss", LOSSES)
def test_windows_pay(loss: float) -> None:
    """RFC 7440 section 1: with a loss in every window, too."""
    seconds = [cell["seconds"] for cell in row_of(loss, 0)]
    assert seconds[0] > seconds[1] > seconds[2]
    for reordering in REORDERINGS:
        lockstep, _, *large = (cell["seconds"] for cell in row_of(loss, reordering))
        assert all(lockstep > other for other in large)


def test_light_losses_cost_little() -> None:
    """RFC 1123 4.2.3.2: one timer for each lost datagram of lock-step, and that a short one."""
    for cell in row_of(0.1, 0):
        assert cell["sent-ratio"] <= 1.1
        assert cell["seconds-ratio"] <= 1.25
    assert row_of(1, 0)[0]["seconds-ratio"] <= 1.5


def test_reordering_alone_costs_lock_step_nothing() -> None:
    """RFC1123-4.2.3.1-01: a late datagram is no lost one."""
    cell = row_of(0, REORDERINGS[-1])[0]
    assert cell["sent"] == 1.0


def going_back(loss: float, reordering: float, window: int) -> float:
    """Returns blocks sent / needed where a window is in vain from its first gap on.

    `run` is the mean number of blocks that arrive before a gap; an ACK may be lost, too.
    """
    gap = 1 - (1 - loss) * (1 - reordering)
    if not gap:
        return 1.0
    run = (1 - gap) * (1 - (1 - gap) ** window) / gap
    return window / run / (1 - gap)
