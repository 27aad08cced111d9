"""The edges of a chain: what may have happened between two of its plateaus, how likely, and kept while it lasts.

An explanation has three parts: its density of the change between the two levels (`likelihood`), of everything on the
way (`path`), and the price of the plateaus on the way being hands' (`resting`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.fusion.activity import Activity, BatchesBetween, Gaps, movements_as_loads
from edge.fusion.change import change_between
from edge.fusion.likelihood import FOREIGN_PUT, NOTHING, TOP, explain
from edge.fusion.model import BoardModel
from edge.fusion.moves import FOREIGN, Moves
from edge.fusion.plateau import Plateau
from edge.fusion.resting import log_hand

Floats = npt.NDArray[np.float64]

KEPT_WELL = 1.0  # one hand at one place explains the whole activity: several things need to be likelier beforehand ...
PLAIN = 6.0  # ... or less likely by no more than this, to be looked at
RESTED = -8.0  # log price of hands below which the shelf was at rest on the way
PEAK_SHARE = 0.0007  # of the greatest load on the way: creep, and plates that slide a little
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
class Link:
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


class Links:
    """What was found out about the edges of one board's chain, for as long as the chain and the candidates last."""

    def __init__(self, model: BoardModel, between: BatchesBetween) -> None:
        self.model, self._between = model, between
        self._moves: Moves | None = None
        self._found: dict[tuple[int, ...], Link | None] = {}
        self._kept: list[Plateau] = []  # so that no id is given twice
        self._gaps: Gaps = {}

    def renew(self, chain: Sequence[Plateau], moves: Moves) -> Activity:
        """Forget what is out of date."""
        ids = {id(plateau) for plateau in chain}
        if moves is not self._moves:
            self._found.clear()
        else:
            self._found = {key: link for key, link in self._found.items() if ids.issuperset(key)}
        self._kept = list(chain)
        self._moves = moves
        self._gaps = {key: gap for key, gap in self._gaps.items() if key[0] >= chain[0].begin_ns}
        return Activity(self.model, chain, self._between, self._gaps)

    def between(self, chain: Sequence[Plateau], i: int, j: int, activity: Activity, moves: Moves) -> Link | None:
        """The link from plateau i to plateau j; None where the cells couldn't see."""
        key = tuple(id(plateau) for plateau in chain[i : j + 1])
        if key not in self._found:
            self._found[key] = _link(self.model, chain, i, j, activity, moves)
        link = self._found[key]
        if link is not None and (link.edge.i, link.edge.j) != (i, j):
            link = self._found[key] = replace(link, edge=replace(link.edge, i=i, j=j))
        return link


def _link(model: BoardModel, chain: Sequence[Plateau], i: int, j: int, activity: Activity, moves: Moves) -> Link | None:
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
        named = log_add(named, log_density)
        best_path = max(best_path, path)
        ways.append((rows, _moves_of(rows, moves, edge.z), log_density + path))
    return Link(edge, tuple(ways), single, still, named, best_path, hands, hands_still)


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


def log_add(a: float, b: float) -> float:
    """log(exp a + exp b), also of -inf."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
