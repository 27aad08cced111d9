"""A run of plateaus explained as a whole.

Between a settled plateau and the newest one there may be others: another visit's, or a hand's that rested on the board.
The plateaus are the nodes of a lattice. An edge from plateau i to j says "the shelf was truly at i and then truly at j,
and everything between was a hand", at the price of a hand for each plateau skipped. Every path is a complete story;
stories with the same movements are added up, and their shares of the total are the posterior.

Where a shelf camera has seen something of it, each path also has its mass with the camera believed; a story's mass is
``(1 - e)`` of that and ``e`` of the scale's own, with the camera's doubt e (`edge.fusion.credit`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.fusion.activity import Activity
from edge.fusion.likelihood import LOG_ONE, log_normal
from edge.fusion.links import Edge, Links, Move, Story, log_add
from edge.fusion.model import BoardModel
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau
from edge.fusion.resting import log_hand, log_load, log_rest

if TYPE_CHECKING:
    from edge.fusion.seen import Seen

BEAM = 24  # stories kept per plateau
LOG_UNDONE = math.log(0.1)  # of the movements right after another: they undo it


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a story, with its moves and their rows.

    Without moves the shelf only rested in between. ``undoes``: the step before it that it reverses, whatever that was;
    then it has no rows of its own.
    """

    edge: Edge
    moves: Story
    rows: tuple[int, ...]
    undoes: Step | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A story with its probability and the steps of its best path; ``plain``: its probability by the scale alone."""

    story: Story
    probability: float
    steps: tuple[Step, ...]
    complete: bool
    plain: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The posterior over stories.

    Attributes:
        stories: best first. One that isn't complete ends before the newest plateaus, which are a hand's in it.
        undecided: probability that the story isn't complete.
    """

    stories: tuple[Told, ...]
    undecided: float

    def best(self, complete: bool) -> Told:
        """The best story, or the best complete one."""
        return next((told for told in self.stories if told.complete or not complete), self.stories[0])

    def confidence(self, move: Move, times: int = 1) -> float:
        """Probability that a movement happened, and as often as ``times``."""
        return min(sum(told.probability for told in self.stories if told.story.count(move) >= times), 1.0)

    def in_place_of(self, move: Move, told: Story, plain: bool = False) -> list[tuple[Move | None, float]]:
        """What happened where the story ``told`` has ``move``, with probabilities, best first: ``move`` itself, another
        one of another story, or None for nothing. ``plain``: by the scale alone."""
        found: dict[Move | None, float] = {}
        for one in self.stories:
            story, probability = one.story, one.plain if plain else one.probability
            instead: Move | None = move
            if move not in story:
                others = [other for other in story if other not in told]
                same_way = [other for other in others if other[0] == move[0]]
                instead = next(iter(same_way or others), None)
            found[instead] = found.get(instead, 0.0) + probability
        return sorted(found.items(), key=lambda item: -item[1])


@dataclass(frozen=True, slots=True)
class _Path:
    log_mass: float  # all paths with this story
    log_best: float
    steps: tuple[Step, ...]  # of the best one
    log_seen: float = 0.0  # log_mass if the camera is believed; not kept without one


class _Beam:
    """Stories that end at one plateau. ``wrong``: doubt about the camera; None without one."""

    def __init__(self, wrong: float | None = None) -> None:
        self.paths: dict[Story, _Path] = {}
        self._wrong = wrong

    def add(
        self, story: Story, log_mass: float, log_best: float, steps: tuple[Step, ...], log_seen: float = 0.0
    ) -> None:
        """Another path to the plateau; paths with the same story are added up."""
        old = self.paths.get(story)
        if old is None:
            self.paths[story] = _Path(log_mass, log_best, steps, log_seen)
            return
        log_mass = log_add(log_mass, old.log_mass)
        if self._wrong is not None:
            log_seen = log_add(log_seen, old.log_seen)
        if log_best > old.log_best:
            self.paths[story] = _Path(log_mass, log_best, steps, log_seen)
        else:
            self.paths[story] = replace(old, log_mass=log_mass, log_seen=log_seen)

    def best(self) -> list[tuple[Story, _Path]]:
        """The heaviest stories; equal ones in an order that doesn't depend on how they came."""
        return sorted(self.paths.items(), key=lambda item: (-_mass(item[1], self._wrong), item[0]))[:BEAM]


def _mass(path: _Path, wrong: float | None) -> float:
    if wrong is None:
        return path.log_mass
    return log_add(math.log1p(-wrong) + path.log_seen, math.log(wrong) + path.log_mass)


def read_chain(
    chain: Sequence[Plateau], moves: Moves, links: Links, activity: Activity, seen: Seen | None = None,
    wrong: float | None = None,
) -> Reading | None:  # fmt: skip
    """Explain plateaus ``chain[0]`` (settled) to ``chain[-1]`` (newest). None where the cells couldn't see.

    ``seen``: what a camera makes of it; ``wrong``: the doubt about that camera.
    """
    model, last = links.model, len(chain) - 1
    wrong = None if seen is None else wrong
    beams = [_Beam(wrong) for _ in chain]
    beams[0].add((), 0.0, 0.0, ())
    lost = -math.inf  # mass of explanations too many to name
    pending: list[tuple[Story, _Path]] = []
    rests = [log_rest(plateau) for plateau in chain]
    for i in range(last):
        best = beams[i].best()
        if not best:
            continue
        for j in range(i + 1, last + 1):
            link = links.between(chain, i, j, activity, moves)
            if link is None:
                return None
            edge, rest = link.edge, rests[j] + link.hands
            for rows, story, log in link.ways:
                step = (Step(edge, story, rows),)
                for prefix, path in best:
                    log_seen = 0.0
                    if seen is not None:
                        log_seen = path.log_seen + log + rest + seen.step(path.steps, i, j, story)
                    beams[j].add(
                        prefix + story,
                        path.log_mass + log + rest,
                        path.log_best + log + rest,
                        path.steps + step,
                        log_seen,
                    )
            for prefix, path in best:
                undone = _undo(model, path, edge, moves)
                if undone is not None:
                    gain = rest + undone[1] + link.single
                    story = prefix + undone[0].moves
                    log_seen = 0.0
                    if seen is not None:
                        log_seen = path.log_seen + gain + seen.step(path.steps, i, j, undone[0].moves)
                    steps = (*path.steps, undone[0])
                    beams[j].add(story, path.log_mass + gain, path.log_best + gain, steps, log_seen)
            if j == last and edge.evidence - link.named > 1e-9:
                unnamed = edge.evidence + math.log(-math.expm1(link.named - edge.evidence))
                lost = log_add(lost, best[0][1].log_mass + rest + link.best_path + unnamed)
            if j == last:
                hand = log_hand(chain[last], float(edge.z[0])) + log_load(model, edge.z)
                still = link.still + link.hands_still + hand
                held = seen.pending(i) if seen is not None else 0.0
                pending += [
                    (story, replace(path, log_mass=path.log_mass + still, log_seen=path.log_seen + still + held))
                    for story, path in best
                ]
    return _reading(beams[last].best(), pending, lost, wrong)


def _reading(
    complete: list[tuple[Story, _Path]], pending: list[tuple[Story, _Path]], lost: float, wrong: float | None
) -> Reading:
    """The posterior out of the masses of complete and pending stories; ``lost`` is mass without a story."""
    plain = lost
    for _, path in complete + pending:
        plain = log_add(plain, path.log_mass)
    total = plain
    if wrong is not None:
        # What has no story is taken to go with the camera as well as what has one, on the whole.
        seen = mass = -math.inf
        for _, path in complete + pending:
            seen, mass = log_add(seen, path.log_seen), log_add(mass, path.log_mass)
        total = _mass(_Path(lost, lost, (), lost + seen - mass), wrong)
        for _, path in complete + pending:
            total = log_add(total, _mass(path, wrong))
    stories = [
        Told(story, math.exp(_mass(path, wrong) - total), path.steps, done, math.exp(path.log_mass - plain))
        for paths, done in ((complete, True), (pending, False))
        for story, path in paths
    ]
    stories.sort(key=lambda told: (-told.probability, not told.complete, told.story))
    return Reading(tuple(stories), sum(told.probability for told in stories if not told.complete))


def _undo(model: BoardModel, path: _Path, edge: Edge, moves: Moves) -> tuple[Step, float] | None:
    """The step that undoes the last movement of a path, with its log of prior times density.

    The same unit, taken, looked at and put back, or the reverse: the two changes cancel to within the noise, in weight
    and, half of the time, in place. Without this, coming back to the very same level would speak for a hand and against
    two movements; and what has just come may be something that no list of candidates holds.
    """
    before = next((step for step in reversed(path.steps) if step.moves), None)
    if before is None:
        return None
    off, var = edge.z + before.edge.z, edge.var + before.edge.var
    same_place = anew = LOG_ONE + LOG_UNDONE + math.log(0.5) + float(log_normal(off[0], var[0]))
    single = len(before.rows) == 1 and before.rows[0] >= 0
    for axis in (1, 2):
        if model.sees[axis]:
            same_place += float(log_normal(off[axis], var[axis]))
            low, high = moves.box_mm[before.rows[0], 2 * axis - 2 : 2 * axis] if single else (0.0, 1.0)
            anew -= math.log(high - low) + math.log(max(abs(float(edge.z[0])), 1.0))
    log_density = log_add(same_place, anew) if single else same_place
    undone = tuple((-sign, sku, slot, quantity) for sign, sku, slot, quantity in reversed(before.moves))
    return Step(edge, undone, (), before), log_density
