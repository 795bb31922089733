"""Walks all that can happen: depth first, each scene once, with the tally of what follows.

Scenes that were met are not walked again, so the orders of events are counted without
being walked one by one. A scene that comes back to itself would go on for ever, and one
that goes on too long is taken for the same. What breaks a rule is told by the shortest
way to it, with the fewest faults. Must not know what the rules are.
"""

from collections import deque
from typing import NamedTuple

from tftp.sim.explore_setting import Roles, Setting, raise_curtain
from tftp.sim.explore_world import Move, Scene, Stage, tell

__all__ = ["Broken", "Result", "explore"]

MAX_DEPTH = 400  # moves; the longest ways have not a quarter of that


class Broken(AssertionError):
    """A rule was broken; the message tells which, and by which moves."""


class Tally(NamedTuple):
    """What can follow a scene."""

    paths: int
    """How many orders of events there are until both ends are over."""
    data: int
    """The most DATA packets that are sent in any of them."""
    acks: int
    """The most ACK packets."""
    moves: int
    """The most moves."""


class Result(NamedTuple):
    """What an exploration has found."""

    states: int
    transitions: int
    tally: Tally


END = Tally(1, 0, 0, 0)


def explore(setting: Setting, roles: Roles | None = None) -> Result:
    """Walks all of a setting. Raises Broken where a rule does not hold."""
    roles = roles or Roles()
    search = _Search(*raise_curtain(setting, roles))
    try:
        result = search.run()
    except AssertionError as error:
        path = _shortest(setting, roles) or [*reversed(search.path), str(error)]
        raise Broken("\n".join([str(setting), *path])) from error
    tally = result.tally
    if tally.data > setting.most_data:
        path = search.longest("data")
        raise Broken("\n".join([f"{setting}: sends {tally.data} DATA packets", *path]))
    if tally.acks > setting.most_acks:
        path = search.longest("acks")
        raise Broken("\n".join([f"{setting}: sends {tally.acks} ACK packets", *path]))
    return result


class _Search:
    """One walk."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self._stage = stage
        self._begin = scene
        self._known: dict[Scene, Tally | None] = {}
        self._transitions = 0
        self.path: list[str] = []
        """After an error: the moves that led to it, the last one first."""

    def run(self) -> Result:
        """Walks everything."""
        tally = self._walk(self._begin, 0)
        return Result(len(self._known), self._transitions, tally)

    def _walk(self, scene: Scene, depth: int) -> Tally:
        known = self._known
        if self._stage.is_over(scene):
            known[scene] = END
            return END
        assert depth < MAX_DEPTH, "it goes on and on"
        known[scene] = None  # under way
        paths = data = acks = moves = transitions = 0
        last: Move | None = None
        try:
            for move, step in self._stage.moves(scene):
                last = move
                transitions += 1
                then = step.scene
                if then in known:
                    tally = known[then]
                    assert tally is not None, "it goes round and round"
                else:
                    tally = self._walk(then, depth + 1)
                paths += tally.paths
                data = max(data, tally.data + step.data)
                acks = max(acks, tally.acks + step.acks)
                moves = max(moves, tally.moves + 1)
            assert transitions, "nothing can happen, and it is not over"
        except AssertionError:
            if last is not None:
                self.path.append(tell(last))
            raise
        self._transitions += transitions
        tally = known[scene] = Tally(paths, data, acks, moves)
        return tally

    def longest(self, what: str) -> list[str]:
        """Returns the moves that make for the most packets: `what` is data or acks."""
        scene, lines = self._begin, []
        while not self._stage.is_over(scene):
            left = getattr(self._known[scene], what)
            for move, step in self._stage.moves(scene):
                if getattr(step, what) + getattr(self._known[step.scene], what) == left:
                    lines.append(f"{tell(move)}  ({getattr(step, what)} sent)")
                    scene = step.scene
                    break
        return lines


def _shortest(setting: Setting, roles: Roles) -> list[str]:
    """Returns the fewest moves, with the fewest faults, that break a rule; none: no rule of one."""
    for faults in range(setting.faults + 1):
        stage, begin = raise_curtain(setting._replace(faults=faults), roles)
        came: dict[Scene, tuple[Scene, Move] | None] = {begin: None}
        queue = deque([begin])
        while queue:
            scene = queue.popleft()
            if stage.is_over(scene):
                continue
            try:
                for move, step in stage.moves(scene):
                    if step.scene not in came:
                        came[step.scene] = (scene, move)
                        queue.append(step.scene)
            except AssertionError as error:
                return [*_way_to(scene, came), f"and then: {error}"]
    return []


def _way_to(scene: Scene, came: dict[Scene, tuple[Scene, Move] | None]) -> list[str]:
    lines: list[str] = []
    link = came[scene]
    while link is not None:
        scene, move = link
        lines.append(tell(move))
        link = came[scene]
    return lines[::-1]
