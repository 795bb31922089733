"""The efficiency table: loss x window -> virtual time, blocks sent / needed.

Delivery alone proves little: a sender may get every octet across and still send eleven
times too many blocks. `tests/simulation/efficiency.toml` is the golden table; after a
change that was meant to move it, `python -m tests.simulation.efficiency` writes it anew.
"""

import sys
import tomllib
from pathlib import Path

from tests.simulation.play import read
from tftp.protocol.pace import Timing

GOLDEN = Path(__file__).with_name("efficiency.toml")
LOSSES = (0, 1, 5, 20)  # per cent, each way
WINDOWS = (1, 4, 16, 64)
BLOCK_SIZE = 512
SIZE = 400 * BLOCK_SIZE
SEEDS = range(12)
PATIENT = Timing(retries=30)  # what is measured is the pace, not when one gives up
HEADER = """\
# Blocks sent / needed and virtual seconds for 400 blocks of 512 octets, 2 ms round trip,
# mean of {seeds} seeds; keys are loss in per cent each way and the window. Written by
# `python -m tests.simulation.efficiency`; a change here is a change of the sender.
"""

Table = dict[str, dict[str, dict[str, float]]]


def measure() -> Table:
    """Runs every cell. Deterministic: the same code gives the same table."""
    return {
        f"loss-{loss}": {f"window-{window}": _cell(loss, window) for window in WINDOWS}
        for loss in LOSSES
    }


def golden() -> Table:
    """Reads the table that is stored."""
    table: Table = tomllib.loads(GOLDEN.read_text("utf-8"))
    return table


def render(table: Table) -> str:
    """Returns the table as TOML."""
    lines = [HEADER.format(seeds=len(SEEDS)).rstrip()]
    for loss, row in table.items():
        lines += ["", f"[{loss}]"]
        for window, cell in row.items():
            values = ", ".join(f"{name} = {value}" for name, value in cell.items())
            lines.append(f"{window} = {{ {values} }}")
    return "\n".join(lines) + "\n"


def _cell(loss: int, window: int) -> dict[str, float]:
    content = bytes(SIZE)
    seeds = SEEDS if loss else SEEDS[:1]
    sent, seconds = 0, 0.0
    for seed in seeds:
        play = read(content, window, BLOCK_SIZE, loss=loss / 100, seed=seed, timing=PATIENT)
        play.run()
        assert play.delivered == content
        sent += play.blocks_sent
        seconds += play.delivered_at
    needed = (len(content) // BLOCK_SIZE + 1) * len(seeds)
    return {"sent": round(sent / needed, 2), "seconds": round(seconds / len(seeds), 2)}


def main() -> None:
    """Writes the table anew, and shows it."""
    text = render(measure())
    GOLDEN.write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
