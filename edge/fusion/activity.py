"""The batches between the plateaus of a chain, and how well hypotheses go with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.model import BoardModel
from edge.fusion.moves import Moves
from edge.fusion.path import follow
from edge.fusion.plateau import Plateau
from edge.fusion.stretch import leans, ringing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BatchesBetween = Callable[[int, int, int], tuple[Floats, Ints, int]]
"""(begin_ns, end_ns, mask of cells) -> z [n, 3] of the batches in between, their times and the end [n + 1], and how
many lacked one of the cells."""

BATCH_WEIGHT = 0.4  # neighbouring batches aren't independent, nor are hands as a path says
HAND_OFF_MM = 20.0  # a hand's own place, from the middle of what it moves
EDGE_MM = 8.0
BATCHES_MOST = 240  # longer activities are looked at more coarsely
RING_G = 1.0
LASTS_MOST = 40.0
LEVER_MM = 200.0  # moments are divided by it where they stand beside weights
PLANE_BATCHES = 8
PLANE_FLAT = 4.0  # how much thinner than wide the batches of two hands lie
_NO_PLANE = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches between two plateaus: z [n, 3], absolute, the times they begin at, and where the next plateau begins."""

    z: Floats
    times_ns: Ints
    end_ns: int
    together: int  # batches that each stands for


Gaps = dict[tuple[int, int, int], Gap]
"""By the end of the plateau before, the beginning of the next, and the mask of cells."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Everything between two plateaus of a chain, less the level of the first: what `path.follow` takes."""

    z: Floats
    times_ns: Ints  # [n + 1]
    weight: Floats  # [n]
    lasts: Floats  # [n] batches
    leans: Floats
    noise: Floats  # [n, 3, 3]
    plane: Floats | None


class Activity:
    """The gaps of one chain, looked up once."""

    def __init__(
        self, model: BoardModel, chain: Sequence[Plateau], between: BatchesBetween, gaps: Gaps | None = None
    ) -> None:
        """``gaps``: what earlier activities of this board have looked up; this one's are added."""
        self._model, self._chain, self._between = model, chain, between
        self._gaps: Gaps = {} if gaps is None else gaps
        self._stretches: dict[tuple[int, int], Stretch] = {}

    def path(self, i: int, j: int, moved: Floats, place_sd: Floats) -> tuple[float, Ints, float]:
        """Log likelihood of the stretch from plateau i to j if ``moved`` [moves, 3] happened in it, when, ns, and how
        well hands keep to its places (`path.follow`)."""
        stretch = self.stretch(i, j)
        at = np.zeros(len(moved), np.int64)
        if len(stretch.z) == 0:
            return 0.0, stretch.times_ns[at], 0.0
        log, kept = follow(
            stretch.z,
            stretch.weight,
            stretch.lasts,
            moved,
            place_sd,
            stretch.leans,
            stretch.noise,
            self._model.edges_mm,
            at,
        )
        return float(log), stretch.times_ns[at], float(kept)

    def forces(self, i: int, j: int) -> list[float]:
        """How far from plateau i those on the way to j are, in grams."""
        stretch = self.stretch(i, j)
        return [float(force) for force in stretch.z[stretch.weight == 1.0, 0]]

    def stretch(self, i: int, j: int) -> Stretch:
        """What lies between two plateaus."""
        found = self._stretches.get((i, j))
        if found is None:
            found = self._stretches[i, j] = self._joined(i, j)
        return found

    def _joined(self, i: int, j: int) -> Stretch:
        chain = self._chain
        mask = chain[i].mask
        for plateau in chain[i + 1 : j + 1]:
            mask &= plateau.mask
        transform = self._model.statics.transforms[mask]
        z, times, weight, lasts = [], [], [], []
        for k in range(i, j):
            gap = self._gap(k, mask)
            z.append(gap.z)
            times.append(gap.times_ns)
            weight.append(np.full(len(gap.z), BATCH_WEIGHT))
            lasts.append(np.full(len(gap.z), float(gap.together)))
            if k + 1 < j:  # a hand's plateau: one look at the hand
                z.append((transform @ np.nan_to_num(chain[k + 1].level_g))[None])
                times.append(np.array([gap.end_ns]))
                weight.append(np.ones(1))
                lasts.append(np.array([min(chain[k + 1].seconds * 1e9 / self._model.batch_ns, LASTS_MOST)]))
        joined = np.concatenate(z) - transform @ np.nan_to_num(chain[i].level_g)
        at = np.append(np.concatenate(times), self._gap(j - 1, mask).end_ns)
        change = transform @ np.nan_to_num(chain[j].level_g - chain[i].level_g)
        plane = _plane(joined) if bool(self._model.sees.all()) else None
        return Stretch(
            joined, at, np.concatenate(weight), np.concatenate(lasts), leans(joined, change),
            self._noise(chain[i], joined), plane,
        )  # fmt: skip

    def _gap(self, k: int, mask: int) -> Gap:
        key = (self._chain[k].end_ns, self._chain[k + 1].begin_ns, mask)
        found = self._gaps.get(key)
        if found is None:
            z, times, _ = self._between(*key)
            end = int(times[-1])
            times = times[:-1]
            together = -(-len(z) // BATCHES_MOST)
            if together > 1:
                whole = len(z) // together * together
                z = z[len(z) - whole :].reshape(-1, together, 3).mean(axis=1)
                times = times[len(times) - whole :: together]
            found = self._gaps[key] = Gap(z, times, end, max(together, 1))
        return found

    def _noise(self, before: Plateau, z: Floats) -> Floats:
        edges = self._model.edges_mm
        weight = (RING_G**2 + 2.0 * before.sum_var * before.batches) ** 0.5
        extents = np.array([1.0, 0.25 * (edges[1] - edges[0]), 0.25 * (edges[3] - edges[2])])
        return ringing(z, (weight * extents) ** 2, self._model.sees)


def _plane(z: Floats) -> Floats | None:
    """What two hands leave in common of all batches: the normal of the plane of their two lines, None if there is none.

    In coordinates (W, Mx, My) less the level before; scaled back, so that ``normal @ (1, x, y) = 0`` for both places.
    """
    if len(z) < PLANE_BATCHES:
        return None
    scaled = z / np.array([1.0, LEVER_MM, LEVER_MM])
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(z))
    rms = np.sqrt(np.maximum(values, 0.0))
    if rms[1] < PLANE_FLAT * max(rms[0], 1.0) or abs(vectors[2, 0]) < 0.2:
        return None
    return np.asarray(vectors[:, 0] / np.array([1.0, LEVER_MM, LEVER_MM]))


def movements_as_loads(
    rows: Sequence[int], moves: Moves, z: Floats, var: Floats, plane: Floats | None = None
) -> tuple[Floats, Floats]:
    """Weight and moments [moves, 3] of each of several movements whose sum is ``z``, and their places' sd [moves, 2].

    One movement is what was measured. Of more, each is what is known of it beforehand, and the rest of the sum is
    shared out by variance (the posterior mean of independent Normals given their sum). Where the batches between show
    the ``plane`` of two hands' lines, the places lie in it.
    """
    if len(rows) < 2:
        grams = max(abs(float(z[0])), 1.0)
        return z[None].copy(), np.sqrt(HAND_OFF_MM**2 + var[None, 1:] / grams**2)
    chosen = np.array(rows, np.int64)
    return _shared_out(
        moves.weight_g[chosen], moves.weight_var[chosen], moves.box_mm[chosen], z, var,
        plane if plane is not None and len(rows) == 2 else _NO_PLANE,
    )  # fmt: skip


@njit(cache=True)
def _shared_out(
    weight_g: Floats, weight_var: Floats, box_mm: Floats, z: Floats, var: Floats, plane: Floats
) -> tuple[Floats, Floats]:
    """`movements_as_loads` for several. ``plane``: [3], or empty where there is none."""
    k = weight_g.size
    moved, spread, place_sd = np.empty((k, 3)), np.empty((k, 3)), np.empty((k, 2))
    for m in range(k):
        moved[m, 0], spread[m, 0] = weight_g[m], weight_var[m]
        for axis in range(2):
            low, high = box_mm[m, 2 * axis], box_mm[m, 2 * axis + 1]
            middle = 0.5 * (low + high)
            moved[m, 1 + axis] = weight_g[m] * middle
            spread[m, 1 + axis] = weight_var[m] * middle**2 + weight_g[m] ** 2 * ((high - low) ** 2 / 12 + EDGE_MM**2)
    for axis in range(3):
        total, rest = spread[:, axis].sum() + var[axis], z[axis] - moved[:, axis].sum()
        for m in range(k):
            share = spread[m, axis] / total
            moved[m, axis] += share * rest
            if axis > 0:
                off_var = spread[m, axis] * (1.0 - share) / weight_g[m] ** 2
                place_sd[m, axis - 1] = math.sqrt(HAND_OFF_MM**2 + off_var)
    if plane.size:
        inside = True
        y = np.empty(k)
        for m in range(k):
            y[m] = -(plane[0] + plane[1] * moved[m, 1] / moved[m, 0]) / plane[2]
            inside = inside and box_mm[m, 2] - HAND_OFF_MM < y[m] < box_mm[m, 3] + HAND_OFF_MM
        if inside:
            for m in range(k):
                moved[m, 2], place_sd[m, 1] = moved[m, 0] * y[m], HAND_OFF_MM
    return moved, place_sd
