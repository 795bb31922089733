"""What a transfer costs: the golden table of efficiency.toml, and what must hold of it."""

from tests.simulation.efficiency import GOLDEN, LOSSES, WINDOWS, golden, measure, render


def test_the_table_is_fresh() -> None:
    """`python -m tests.simulation.efficiency` writes it anew after a change that was meant."""
    table = measure()
    assert table == golden()
    assert GOLDEN.read_text("utf-8") == render(table)


def test_a_clean_link_costs_nothing_extra() -> None:
    """RFC1123-4.2.3.1-01, RFC7440-4-02: each block once, one round trip for each window."""
    clean = golden()["loss-0"]
    assert [clean[f"window-{window}"]["sent"] for window in WINDOWS] == [1.0] * len(WINDOWS)
    assert clean["window-1"]["seconds"] <= 0.002 * 402


def test_windows_pay_and_losses_cost() -> None:
    """RFC 7440 section 4: and no cell is worse than going back to each loss has to be."""
    table = golden()
    for loss in LOSSES:
        row = table[f"loss-{loss}"]
        seconds = [row[f"window-{window}"]["seconds"] for window in WINDOWS]
        assert seconds[0] > seconds[1] > seconds[2]
        for window in WINDOWS:
            assert row[f"window-{window}"]["sent"] <= 1.1 * expected(loss / 100, window)


def expected(loss: float, window: int) -> float:
    """Returns blocks sent / needed where a window is in vain from its first loss on.

    `run` is the mean number of blocks that arrive before one is lost; an ACK may be lost, too.
    """
    if not loss:
        return 1.0
    run = (1 - loss) * (1 - (1 - loss) ** window) / loss
    return window / run / (1 - loss)
