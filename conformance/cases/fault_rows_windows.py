"""The rows of faults in windows (RFC 7440): windows of four, of six for the final ones.

The file has 21 blocks, the last one empty; what befalls a window befalls the second one,
blocks 5 to 8. The final window of six holds the blocks 19 to 21. As a receiver the suite
reports a gap at once, as a sender it restarts where an ACK inside its window says.
"""

from collections.abc import Callable

from ..faults import LAST, MOMENT, Fault, Seen
from ..invariants import Moved
from ..mishaps import (
    cut,
    damage,
    double,
    forge,
    hold,
    later,
    lose,
    other_octets,
    overdue,
    renumber,
    swap,
)
from ..scenes import AT_ONCE, LONG, Plan, Row, Scene, one_of, unusual
from ..wire import ACK, DATA

WINDOW = 4
NEEDED = 21
MOST_SWAPPED = 3 * NEEDED


def window_row(
    identity: str,
    why: str,
    plans: tuple[Plan, ...],
    also: Callable[[Scene], None] | None = None,
    *,
    window: int = WINDOW,
    steady: int = 0,
    may_end: bool = False,
    repeats_last: bool = False,
) -> Row:
    """Makes a row of a windowed transfer."""
    return Row(
        identity,
        why,
        plans,
        window=window,
        files=(LONG,),
        steady=steady,
        may_end=may_end,
        repeats_last=repeats_last,
        also=also,
    )


def gap_reports(scene: Scene, base: int) -> list[Moved]:
    """Returns the ACKs of a block, up to the restart behind it, that no timer has sent."""
    found: list[Moved] = []
    behind = False
    for move in scene.trace().moves:
        if move.ours and move.packet.kind == DATA:
            if behind and found and move.block == base + 1:
                break
            behind = behind or move.block > base + 1
        elif behind and move.packet.kind == ACK and move.block == base and not move.ours:
            quick = not found or move.at - found[-1].at < AT_ONCE
            found += [move] if quick else []
    return found


def reports_gap(base: int, most: int = 1) -> Callable[[Scene], None]:
    """Makes a look at a receiver: it reports what is missing behind `base` at once, and once."""

    def look(scene: Scene) -> None:
        if scene.sends:
            return
        found = gap_reports(scene, base)
        shown = [
            move.at
            for move in scene.trace().moves
            if move.ours and move.packet.kind == DATA and move.block > base + 1
        ]
        if not found or found[0].at - shown[0] > AT_ONCE:
            unusual(scene, "only a timer repairs it: the gap is not reported at once")
        if len(found) > most:
            scene.t.fail(f"{scene.role}: one gap brought {len(found)} times ACK {base}")

    return look


def acks_the_window(scene: Scene) -> None:
    """A copy of block 5 does not count: the window ends with block 8, not with 7."""
    told = _told(scene)
    if not scene.sends and 7 in told and not told & {5, 6}:
        scene.t.fail(f"{scene.role}: the copy counts: ACK 7 came for the blocks 5 to 8")


def no_extra_ack(scene: Scene) -> None:
    """A copy inside the window brings no ACK of its own."""
    told = _told(scene)
    usual = {2, 3} & told  # some acknowledge every block
    if not scene.sends and {5, 6, 7} & told and not usual:
        scene.t.warn(f"{scene.role}: a copy inside a window brought an ACK")


def new_window_counts(scene: Scene) -> None:
    """Behind the gap at 6 a whole window is acknowledged: 9."""
    if not scene.sends and 9 not in _told(scene):
        unusual(scene, "behind a gap the window is not counted anew")


def gap_then_window(scene: Scene) -> None:
    """Looks at the report, and at the window behind it."""
    reports_gap(5)(scene)
    new_window_counts(scene)


def few_data(scene: Scene) -> None:
    """Three times the DATA needed is the most."""
    count = sum(move.ours and move.packet.kind == DATA for move in scene.trace().moves)
    said = f"{scene.role}: {count} DATA had to be sent for {NEEDED} blocks"
    scene.t.check(count <= WINDOW * NEEDED, said)
    if count > MOST_SWAPPED:
        scene.t.warn(said)  # our restarts have their part in it


def once_or_restarted(scene: Scene) -> None:
    """The window behind a doubled ACK comes once; one restart of it is unusual."""
    counts = [scene.wire.count(DATA, block) for block in range(9, 13)]
    if scene.sends and max(counts) > 1:
        unusual(scene, "a doubled ACK restarts the window once")


def _told(scene: Scene) -> set[int]:
    return {move.block for move in scene.trace().said(ACK)}


FIRST = (
    window_row(
        "F-NF-01",
        "Block 5 of the window 5 to 8 is lost, and block 6 shows it.",
        one_of(Fault(DATA, 5, lose())),
        reports_gap(4),
        steady=8,
    ),
    window_row(
        "F-NF-02",
        "Two copies of block 5: a receiver that counts them sends its ACK a block early.",
        one_of(Fault(DATA, 5, double())),
        acks_the_window,
        steady=8,
    ),
    window_row(
        "F-NF-03",
        "Block 5 comes behind block 8, when its absence has been reported.",
        one_of(Fault(DATA, 5, hold(behind=3))),
        reports_gap(4),
        steady=8,
    ),
    window_row(
        "F-NF-04",
        "Foreign octets for block 5 come a little before the true ones.",
        one_of(Fault(DATA, 5, forge(other_octets, own=MOMENT))),
    ),
)

MIDDLE = (
    window_row(
        "F-NM-01",
        "Block 6 of the window 5 to 8 is lost: ACK 5 is due, then 6 to 9 and ACK 9.",
        one_of(Fault(DATA, 6, lose())),
        gap_then_window,
        steady=9,
    ),
    window_row(
        "F-NM-02",
        "The blocks 6 and 7 are lost; block 8 shows it, and one report is enough.",
        one_of(Fault(DATA, range(6, 8), lose())),
        reports_gap(5),
        steady=9,
    ),
    window_row(
        "F-NM-03",
        "Two copies of block 6: nothing is missing, so nothing is to be reported.",
        one_of(Fault(DATA, 6, double())),
        no_extra_ack,
        steady=8,
    ),
    window_row(
        "F-NM-04",
        "The blocks 6 and 7 change places.",
        one_of(Fault(DATA, 6, swap())),
        reports_gap(5),
        steady=9,
    ),
    window_row(
        "F-NM-05",
        "The first copies of all blocks change places in pairs; the DATA it takes is counted.",
        one_of(Fault(DATA, None, swap())),
        few_data,
    ),
    window_row(
        "F-NM-06",
        "Block 6 arrives under the number 7, and the true 7 behind it.",
        one_of(Fault(DATA, 6, damage(renumber(1)))),
        steady=9,
    ),
    window_row(
        "F-NM-07",
        "Block 6 arrives as 3 octets.",
        one_of(Fault(DATA, 6, damage(cut(3)))),
        may_end=True,
        steady=9,
    ),
)

LAST_OF_WINDOW = (
    window_row(
        "F-NL-01",
        "Block 8 is lost, and no later block shows it: a timer has to.",
        one_of(Fault(DATA, 8, lose())),
        steady=8,
    ),
    window_row(
        "F-NL-02",
        "Two copies of block 8, and so two ACKs; the next window should go once.",
        one_of(Fault(DATA, 8, double())),
        once_or_restarted,
        steady=12,
    ),
    window_row(
        "F-NL-03",
        "Block 8 comes just behind its own repeat.",
        one_of(Fault(DATA, 8, overdue())),
        steady=8,
    ),
)

WINDOW_ACKS = (
    window_row(
        "F-NA-01",
        "ACK 8 is lost once; what comes again must not be stored twice.",
        one_of(Fault(ACK, 8, lose())),
        steady=8,
    ),
    window_row(
        "F-NA-02",
        "Block 6 is lost, and so is the ACK 5 that tells of it.",
        ((Fault(DATA, 6, lose()), Fault(ACK, 5, lose())),),
        steady=9,
    ),
    window_row(
        "F-NA-03",
        "Two copies of ACK 8 back to back; one restart of the next window is right as well.",
        one_of(Fault(ACK, 8, double())),
        steady=12,
    ),
    window_row(
        "F-NA-04",
        "ACK 4 comes again when the window 9 to 12 is outstanding, and ACK 12 waits a little.",
        ((Fault(ACK, 4, later(until=Seen(DATA, 12))), Fault(ACK, 12, hold(MOMENT))),),
        steady=12,
    ),
    window_row(
        "F-NA-05",
        "A copy of ACK 4 comes behind ACK 8.",
        one_of(Fault(ACK, 4, later(behind=1))),
        steady=8,
    ),
    window_row(
        "F-NA-06",
        "ACK 8 comes just behind its own repeat.",
        one_of(Fault(ACK, 8, overdue())),
        steady=12,
    ),
    window_row(
        "F-NA-07",
        "ACK 8 has a number a hundred too high; the true one follows a little later.",
        one_of(Fault(ACK, 8, damage(renumber(100), mended=MOMENT))),
        may_end=True,
    ),
    window_row(
        "F-NA-08",
        "A stranger's ACK 8 comes a little before the true one.",
        one_of(Fault(ACK, 8, forge(own=MOMENT))),
    ),
)

FINAL = (
    window_row(
        "F-NP-01",
        "Of a final window of three blocks in place of six the last one is lost.",
        one_of(Fault(DATA, LAST, lose())),
        window=6,
    ),
    window_row(
        "F-NP-02",
        "Of a final window of three blocks the one before the last is lost.",
        one_of(Fault(DATA, -2, lose())),
        reports_gap(19),
        window=6,
    ),
    window_row(
        "F-NP-03",
        "Two copies of the file's last block.",
        one_of(Fault(DATA, LAST, double())),
        window=6,
    ),
    window_row(
        "F-NP-04",
        "The last ACK is lost once; the final window has to come again.",
        one_of(Fault(ACK, LAST, lose())),
        window=6,
        repeats_last=True,
    ),
)

ROWS = (*FIRST, *MIDDLE, *LAST_OF_WINDOW, *WINDOW_ACKS, *FINAL)
