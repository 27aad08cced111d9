"""A run of plateaus explained as a whole.

Between a settled plateau and the newest one there may be others: another visit's, or a hand's that rested on the board.
The plateaus are the nodes of a lattice. An edge from plateau i to j says "the shelf was truly at i and then truly at j,
and everything between was a hand", at the price of a hand for each plateau skipped. Every path is a complete story;
stories with the same movements are added up, and their shares of the total are the posterior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.fusion.activity import Activity
from edge.fusion.likelihood import LOG_ONE, log_normal
from edge.fusion.links import Edge, Links, Move, Story, log_add
from edge.fusion.model import BoardModel
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau
from edge.fusion.resting import log_hand, log_load, log_rest

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
    """A story with its probability and the steps of its best path."""

    story: Story
    probability: float
    steps: tuple[Step, ...]
    complete: bool


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

    def in_place_of(self, move: Move, told: Story) -> list[tuple[Move | None, float]]:
        """What happened where the story ``told`` has ``move``, with probabilities, best first: ``move`` itself, another
        one of another story, or None for nothing."""
        found: dict[Move | None, float] = {}
        for story, probability in ((other.story, other.probability) for other in self.stories):
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


class _Beam:
    """Stories that end at one plateau."""

    def __init__(self) -> None:
        self.paths: dict[Story, _Path] = {}

    def add(self, story: Story, log_mass: float, log_best: float, steps: tuple[Step, ...]) -> None:
        """Another path to the plateau; paths with the same story are added up."""
        old = self.paths.get(story)
        if old is None:
            self.paths[story] = _Path(log_mass, log_best, steps)
        elif log_best > old.log_best:
            self.paths[story] = _Path(log_add(log_mass, old.log_mass), log_best, steps)
        else:
            self.paths[story] = replace(old, log_mass=log_add(log_mass, old.log_mass))

    def best(self) -> list[tuple[Story, _Path]]:
        """The heaviest stories; equal ones in an order that doesn't depend on how they came."""
        return sorted(self.paths.items(), key=lambda item: (-item[1].log_mass, item[0]))[:BEAM]


def read_chain(chain: Sequence[Plateau], moves: Moves, links: Links, activity: Activity) -> Reading | None:
    """Explain plateaus ``chain[0]`` (settled) to ``chain[-1]`` (newest). None where the cells couldn't see."""
    model, last = links.model, len(chain) - 1
    beams = [_Beam() for _ in chain]
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
                    beams[j].add(
                        prefix + story, path.log_mass + log + rest, path.log_best + log + rest, path.steps + step
                    )
            for prefix, path in best:
                undone = _undo(model, path, edge, moves)
                if undone is not None:
                    gain = rest + undone[1] + link.single
                    story = prefix + undone[0].moves
                    beams[j].add(story, path.log_mass + gain, path.log_best + gain, (*path.steps, undone[0]))
            if j == last and edge.evidence - link.named > 1e-9:
                unnamed = edge.evidence + math.log(-math.expm1(link.named - edge.evidence))
                lost = log_add(lost, best[0][1].log_mass + rest + link.best_path + unnamed)
            if j == last:
                hand = log_hand(chain[last], float(edge.z[0])) + log_load(model, edge.z)
                still = link.still + link.hands_still + hand
                pending += [(story, replace(path, log_mass=path.log_mass + still)) for story, path in best]
    return _reading(beams[last].best(), pending, lost)


def _reading(complete: list[tuple[Story, _Path]], pending: list[tuple[Story, _Path]], lost: float) -> Reading:
    """The posterior out of the masses of complete and pending stories; ``lost`` is mass without a story."""
    total = lost
    for _, path in complete + pending:
        total = log_add(total, path.log_mass)
    stories = [Told(story, math.exp(path.log_mass - total), path.steps, True) for story, path in complete]
    stories += [Told(story, math.exp(path.log_mass - total), path.steps, False) for story, path in pending]
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
