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

import numpy as np
import numpy.typing as npt

from edge.fusion.activity import Activity, BatchesBetween, movements_as_loads
from edge.fusion.change import change_between
from edge.fusion.likelihood import FOREIGN_PUT, LOG_ONE, NOTHING, TOP, explain, log_normal
from edge.fusion.model import BoardModel
from edge.fusion.moves import FOREIGN, Moves
from edge.fusion.plateau import Plateau
from edge.fusion.resting import log_hand, log_load, log_rest

Floats = npt.NDArray[np.float64]

BEAM = 24  # stories kept per plateau
LOG_UNDONE = math.log(0.1)  # of the movements right after another: they undo it

KEPT_WELL = 1.0  # one hand at one place explains the whole activity: several things need to be likelier beforehand ...
PLAIN = 6.0  # ... or less likely by no more than this, to be looked at
RESTED = -8.0
PEAK_SHARE = 0.0007
SEVERAL_MOST = 12  # explanations by several movements followed per edge
QUICKEST_NS = 500_000_000  # in less than this nobody does two things
LOG_TOO_QUICK, LOG_AT_ONCE = math.log(1e-3), -30.0
_NO_MOVES = np.zeros((0, 3))

Move = tuple[int, int, int, int]  # sign, sku (FOREIGN), slot (-1), quantity
Story = tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """The change from plateau ``i`` to ``j`` and its best explanations, as `likelihood.explain` gives them."""

    i: int
    j: int
    z: Floats
    var: Floats
    gain_var: float
    evidence: float
    top_log: Floats
    top: npt.NDArray[np.int64]

    def ranked(self) -> list[tuple[tuple[int, ...], float]]:
        """Explanations worth following: rows of their moves, and log of prior times density."""
        worth = self.top_log >= self.top_log[0] - 25.0
        return [
            ((row[0], *(other for other in row[1:] if other >= 0)), float(log))
            for row, log in zip(self.top[worth].tolist(), self.top_log[worth], strict=True)
        ]


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

    def confidence(self, move: Move) -> float:
        """Probability that a movement happened."""
        return min(sum(told.probability for told in self.stories if move in told.story), 1.0)

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
            self.paths[story] = _Path(_log_add(log_mass, old.log_mass), log_best, steps)
        else:
            self.paths[story] = replace(old, log_mass=_log_add(log_mass, old.log_mass))

    def best(self) -> list[tuple[Story, _Path]]:
        """The heaviest stories; equal ones in an order that doesn't depend on how they came."""
        return sorted(self.paths.items(), key=lambda item: (-item[1].log_mass, item[0]))[:BEAM]


class Links:
    """What was found out about the edges of one board's chain, for as long as the chain and the candidates last."""

    def __init__(self, model: BoardModel, between: BatchesBetween) -> None:
        self.model, self._between = model, between
        self._moves: Moves | None = None
        self._found: dict[tuple[int, ...], _Link | None] = {}
        self._kept: list[Plateau] = []  # so that no id is given twice

    def renew(self, chain: Sequence[Plateau], moves: Moves) -> Activity:
        """Forget what is out of date."""
        ids = {id(plateau) for plateau in chain}
        if moves is not self._moves:
            self._found.clear()
        else:
            self._found = {key: link for key, link in self._found.items() if ids.issuperset(key)}
        self._kept = list(chain)
        self._moves = moves
        return Activity(self.model, chain, self._between)

    def between(self, chain: Sequence[Plateau], i: int, j: int, activity: Activity, moves: Moves) -> _Link | None:
        """The link from plateau i to plateau j; None where the cells couldn't see."""
        key = tuple(id(plateau) for plateau in chain[i : j + 1])
        if key not in self._found:
            self._found[key] = _link(self.model, chain, i, j, activity, moves)
        link = self._found[key]
        if link is not None and (link.edge.i, link.edge.j) != (i, j):
            link = self._found[key] = replace(link, edge=replace(link.edge, i=i, j=j))
        return link


@dataclass(frozen=True, slots=True)
class _Link:
    """An edge with its explanations and how well they go with everything on the way.

    Attributes:
        ways: rows, moves, and log of prior times density. single: log of the path of any one thing. still: of none.
        named: log of the sum of the ways, less their paths. best_path: of any of the ways.
        hands: log price of the plateaus on the way being hands', if something moved, and if nothing did.
    """

    edge: Edge
    ways: tuple[tuple[tuple[int, ...], Story, float], ...]
    single: float
    still: float
    named: float
    best_path: float
    hands: float
    hands_still: float


def _link(
    model: BoardModel, chain: Sequence[Plateau], i: int, j: int, activity: Activity, moves: Moves
) -> _Link | None:
    loads = np.abs(activity.stretch(i, j).z[:, 0])
    edge = _edge(model, chain, i, j, moves, float(loads.max()) if loads.size else 0.0)
    if edge is None:
        return None
    single, _, kept = activity.path(i, j, *movements_as_loads((0,), moves, edge.z, edge.var))
    enough = PLAIN if kept > KEPT_WELL or len(activity.stretch(i, j).z) == 0 else math.inf
    still = activity.path(i, j, _NO_MOVES, _NO_MOVES[:, 1:])[0]
    forces, net = activity.forces(i, j), float(edge.z[0])
    # What moved did so once: plateaus before that are over the level before, plateaus after it over the level after.
    over_before = [log_hand(p, f) for p, f in zip(chain[i + 1 : j], forces, strict=True)]
    over_after = [log_hand(p, f - net) for p, f in zip(chain[i + 1 : j], forces, strict=True)]
    hands = max(sum(over_before[:k]) + sum(over_after[k:]) for k in range(len(forces) + 1))
    hands_still = sum(over_before)
    if hands < RESTED:
        enough = 0.0  # what is skipped was the shelf at rest, so that there is a likelier way by way of it
    ways, named, best_path, several = [], -math.inf, max(single, still), 0
    for rows, log_density in edge.ranked():
        if len(rows) > 1:
            several += 1
            if several > SEVERAL_MOST or log_density < edge.top_log[0] - enough:
                continue
            path = _log_several(activity, edge, rows, moves)
        else:
            path = still if rows == (NOTHING,) else single
        named = _log_add(named, log_density)
        best_path = max(best_path, path)
        ways.append((rows, _moves_of(rows, moves, edge.z), log_density + path))
    return _Link(edge, tuple(ways), single, still, named, best_path, hands, hands_still)


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
                lost = _log_add(lost, best[0][1].log_mass + rest + link.best_path + unnamed)
            if j == last:
                hand = log_hand(chain[last], float(edge.z[0])) + log_load(model, edge.z)
                still = link.still + link.hands_still + hand
                pending += [(story, replace(path, log_mass=path.log_mass + still)) for story, path in best]
    return _reading(beams[last].best(), pending, lost)


def _log_several(activity: Activity, edge: Edge, rows: tuple[int, ...], moves: Moves) -> float:
    """Log likelihood of what lies between the plateaus if several things moved."""
    log, times_ns, _ = activity.path(
        edge.i, edge.j, *movements_as_loads(rows, moves, edge.z, edge.var, activity.stretch(edge.i, edge.j).plane)
    )
    for a in range(len(rows)):
        for b in range(a):
            if moves.sku[rows[a]] == moves.sku[rows[b]] and abs(int(times_ns[a] - times_ns[b])) < QUICKEST_NS:
                # Taken and put back at once, nobody does; taken twice at once, that is a quantity.
                log += LOG_TOO_QUICK if moves.sign[rows[a]] != moves.sign[rows[b]] else LOG_AT_ONCE
    return log


def _reading(complete: list[tuple[Story, _Path]], pending: list[tuple[Story, _Path]], lost: float) -> Reading:
    """The posterior out of the masses of complete and pending stories; ``lost`` is mass without a story."""
    total = lost
    for _, path in complete + pending:
        total = _log_add(total, path.log_mass)
    stories = [Told(story, math.exp(path.log_mass - total), path.steps, True) for story, path in complete]
    stories += [Told(story, math.exp(path.log_mass - total), path.steps, False) for story, path in pending]
    stories.sort(key=lambda told: (-told.probability, not told.complete, told.story))
    return Reading(tuple(stories), sum(told.probability for told in stories if not told.complete))


def _edge(
    model: BoardModel, chain: Sequence[Plateau], i: int, j: int, moves: Moves, peak_g: float = 0.0
) -> Edge | None:
    """``peak_g``: the greatest load in between, of which cells creep and plates slide for a while."""
    change = change_between(model, chain[i], chain[j])
    if change is None:
        return None
    z, var, gain_var = change
    edges = model.edges_mm
    levers_mm = np.array([1.0, 0.25 * (edges[1] - edges[0]), 0.25 * (edges[3] - edges[2])])
    var = var + (PEAK_SHARE * peak_g * levers_mm) ** 2
    top_log, top = np.empty(TOP), np.empty((TOP, 3), np.int64)
    evidence = explain(z, var, gain_var, model.sees, model.edges_mm, moves, top_log, top)
    return Edge(i, j, z, var, gain_var, float(evidence), top_log, top)


def _moves_of(rows: tuple[int, ...], moves: Moves, z: Floats) -> Story:
    if rows == (NOTHING,):
        return ()
    if rows == (FOREIGN_PUT,):
        return ((1 if z[0] > 0 else -1, FOREIGN, -1, 1),)
    return tuple(move_of(moves, row) for row in rows)


def move_of(moves: Moves, row: int) -> Move:
    """A candidate as sign, SKU, slot and quantity."""
    return int(moves.sign[row]), int(moves.sku[row]), int(moves.slot[row]), int(moves.quantity[row])


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
    log_density = _log_add(same_place, anew) if single else same_place
    undone = tuple((-sign, sku, slot, quantity) for sign, sku, slot, quantity in reversed(before.moves))
    return Step(edge, undone, (), before), log_density


def _log_add(a: float, b: float) -> float:
    """log(exp a + exp b), also of -inf."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
