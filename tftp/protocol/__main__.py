"""Draws the state machine: `python -m tftp.protocol > docs/states.md`.

The page is made from `MACHINE` and the texts of `State` and `Stimulus` alone, so it
cannot say anything that the code does not do (RFC 1350 sections 2, 4, 6 and 7; RFC 2347;
RFC 7440 section 4). Must not know how a transfer reacts beyond its next state.
"""

import sys

from tftp.protocol.states import MACHINE, State, Stimulus

__all__ = ["page"]

TITLE = "# The state machine of a transfer"
ABOUT = """\
Both roles, sender and receiver, on both sides, server and client, run through the same
five states. This page is generated from the table in `tftp/protocol/states.py` by
`python -m tftp.protocol > docs/states.md`; a test fails when it is stale. An empty field
means that the stimulus cannot occur in that state, or that it is passed over."""


def page() -> str:
    """Returns the whole page as Markdown."""
    parts = [TITLE, ABOUT, _states(), _moves(), _diagram()]
    return "\n\n".join(parts) + "\n"


def _states() -> str:
    lines = ["## States", "", "| State | Meaning |", "|---|---|"]
    lines += [f"| {state.name} | {state.value} |" for state in State]
    return "\n".join(lines)


def _moves() -> str:
    live = [state for state in State if MACHINE[state]]
    lines = ["## Next state", ""]
    lines.append(f"| Stimulus | Meaning | {' | '.join(state.name for state in live)} |")
    lines.append("|---|---|" + "---|" * len(live))
    for stimulus in Stimulus:
        cells = [_next(state, stimulus) for state in live]
        lines.append(f"| {stimulus.name} | {stimulus.value} | {' | '.join(cells)} |")
    ends = " and ".join(state.name for state in State if not MACHINE[state])
    lines += ["", f"{ends} are final: nothing that arrives there has any effect."]
    return "\n".join(lines)


def _next(state: State, stimulus: Stimulus) -> str:
    target = MACHINE[state].get(stimulus)
    if target is None:
        return ""
    return target.name if target is not state else f"{target.name} (stays)"


def _diagram() -> str:
    lines = ["## Drawing", "", "```mermaid", "stateDiagram-v2", "    [*] --> OPENING"]
    for state, moves in MACHINE.items():
        by_target: dict[State, list[str]] = {}
        for stimulus, target in moves.items():
            by_target.setdefault(target, []).append(stimulus.name)
        for target, names in by_target.items():
            lines.append(f"    {state.name} --> {target.name}: {', '.join(names)}")
        if not moves:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    sys.stdout.write(page())
