"""The efficiency table: loss x reordering x window -> virtual time, blocks sent / needed.

Delivery alone proves little: a sender may get every octet across and still send eleven
times too many blocks. Each cell stands beside the optimum of its link. With loss p each
way, reordering r, round trip R (held back datagrams included), n blocks, window w:

* A block arrives with probability 1 - p, so nobody sends fewer than 1 / (1 - p) for each.
* A round trip carries w blocks at most and needs one ACK, which arrives with 1 - p. So
  there are max(ceil(n / w), n / w / (1 - p)) / (1 - p) of them; the last one ends with its
  blocks, half a round trip earlier; with options, one more opens the transfer. To be as
  quick, one would have to know of each loss after one round trip, without any timer, and
  to keep what comes behind a gap, which RFC 7440 does not.
* A datagram that is overtaken takes 2.5 times its delay longer: R is 2 d (1 + 2.5 r).

`tests/simulation/efficiency.toml` is the golden table; after a change that was meant to
move it, `python -m tests.simulation.efficiency` writes it anew.
"""

import math
import sys
import tomllib
from pathlib import Path

from tests.simulation.play import read
from tftp.protocol.pace import Timing
from tftp.sim.link import Faults

GOLDEN = Path(__file__).with_name("efficiency.toml")
LOSSES = (0, 0.1, 1, 5, 20)  # per cent, each way
REORDERINGS = (0, 2)  # per cent, each way
WINDOWS = (1, 4, 16, 64)
BLOCK_SIZE = 512
SIZE = 400 * BLOCK_SIZE
NEEDED = SIZE // BLOCK_SIZE + 1
DELAY = 0.001
OVERTAKEN = 2.5  # times the delay that a datagram is held back for, in the mean
SEEDS = range(24)
PATIENT = Timing(retries=30)  # what is measured is the pace, not when one gives up
HEADER = """\
# Blocks sent / needed and virtual seconds for 400 blocks of 512 octets, 2 ms round trip,
# mean of {seeds} seeds; loss and reordering are each way. Behind each figure: the optimum for
# such a link (derived in efficiency.py), and how many times that it is. Written by
# `python -m tests.simulation.efficiency`; a change here is a change of the sender.
"""

Cell = dict[str, float]
Table = dict[str, dict[str, Cell]]


def link(loss: float, reordering: float) -> str:
    """Returns the name of a row."""
    return f"loss {loss} %, reordering {reordering} %"


def measure() -> Table:
    """Runs every cell. Deterministic: the same code gives the same table."""
    return {
        link(loss, reordering): {
            f"window-{window}": _cell(loss / 100, reordering / 100, window) for window in WINDOWS
        }
        for reordering in REORDERINGS
        for loss in LOSSES
    }


def golden() -> Table:
    """Reads the table that is stored."""
    table: Table = tomllib.loads(GOLDEN.read_text("utf-8"))
    return table


def render(table: Table) -> str:
    """Returns the table as TOML."""
    lines = [HEADER.format(seeds=len(SEEDS)).rstrip()]
    for row, cells in table.items():
        lines += ["", f'["{row}"]']
        for window, cell in cells.items():
            values = ", ".join(f"{name} = {value}" for name, value in cell.items())
            lines.append(f"{window} = {{ {values} }}")
    return "\n".join(lines) + "\n"


def least_sent(loss: float) -> float:
    """Returns the blocks sent / needed that nobody can do better than."""
    return 1 / (1 - loss)


def least_seconds(loss: float, reordering: float, window: int) -> float:
    """Returns the time that nobody can do better than; see the head of this module."""
    round_trip = 2 * DELAY * (1 + OVERTAKEN * reordering)
    opening = 1 if window > 1 else 0
    trips = max(math.ceil(NEEDED / window), NEEDED / window / (1 - loss))
    return round_trip * ((opening + trips) / (1 - loss) - 0.5)


def _cell(loss: float, reordering: float, window: int) -> Cell:
    content = bytes(SIZE)
    faults = Faults(loss=loss, reordering=reordering, delay=DELAY)
    seeds = SEEDS if loss or reordering else SEEDS[:1]
    sent, seconds = 0, 0.0
    for seed in seeds:
        play = read(content, window, BLOCK_SIZE, faults=faults, seed=seed, timing=PATIENT)
        play.run()
        assert play.delivered == content
        sent += play.blocks_sent
        seconds += play.delivered_at
    return {
        **_beside("sent", sent / len(seeds) / NEEDED, least_sent(loss)),
        **_beside("seconds", seconds / len(seeds), least_seconds(loss, reordering, window)),
    }


def _beside(name: str, figure: float, optimum: float) -> Cell:
    """Returns a figure, its optimum, and how many times that it is."""
    return {
        name: round(figure, 3),
        f"{name}-optimum": round(optimum, 3),
        f"{name}-ratio": round(figure / optimum, 2),
    }


def main() -> None:
    """Writes the table anew, and shows it."""
    text = render(measure())
    GOLDEN.write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
