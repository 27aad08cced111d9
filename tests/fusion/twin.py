"""Pure-Python twins of two kernels, written for being read: samples to batches, and explanations of a change.

They share no code with the kernels, only the numbers of what is believed beforehand (`edge.fusion.likelihood`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.fusion import likelihood as belief
from edge.fusion.moves import REWEIGHED_VAR

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class TwinBatches(NamedTuple):
    """Batch numbers [n], means of each cell [n, cells], swing of the total [n]."""

    number: Ints
    grams: Floats
    swing_g: Floats


def batches(
    cells: Sequence[tuple[Ints, Floats]], period_ns: int, frames_per_batch: int, gap_ns: float, window_ns: float
) -> TwinBatches:
    """Batches of a board whose cells sent these times and grams, all of them good; nothing spans a wait of ``gap_ns``.

    Frames stand on the multiples of the period from the board's first sample on, as far as every cell has samples. A
    batch is their mean under a Hann window (Blackman and Tukey 1958) of about ``window_ns``, around its own frames.
    """
    first = -(-min(int(time_ns[0]) for time_ns, _ in cells) // period_ns)
    after = min(int(time_ns[-1]) for time_ns, _ in cells) // period_ns + 1
    lag = max(0, round((window_ns / period_ns - frames_per_batch) / 2))
    length = frames_per_batch + 2 * lag
    window = [math.sin(math.pi * k / (length + 1)) ** 2 for k in range(1, length + 1)]
    frames = np.stack([_frames(*cell, period_ns, first, after, gap_ns) for cell in cells], axis=1)
    before = np.full((len(window), len(cells)), math.nan)
    frames = np.concatenate([before, frames])
    found: list[tuple[int, Floats, float]] = []
    number = -((lag - first) // frames_per_batch)  # the first whose window's middle part has begun
    while (number + 1) * frames_per_batch + lag <= after:
        begin = number * frames_per_batch - lag - first + len(window)
        inside = frames[begin : begin + len(window)]
        means = [_mean(inside[:, cell].tolist(), window) for cell in range(len(cells))]
        totals = [sum(frame) for frame in inside.tolist() if not any(math.isnan(value) for value in frame)]
        found.append((number, np.array(means), float(np.std(totals)) if totals else 0.0))
        number += 1
    return TwinBatches(
        np.array([number for number, _, _ in found], np.int64),
        np.array([means for _, means, _ in found]).reshape(len(found), len(cells)),
        np.array([swing for _, _, swing in found]),
    )


def _frames(time_ns: Ints, grams: Floats, period_ns: int, first: int, after: int, gap_ns: float) -> Floats:
    grid = np.arange(first, after) * period_ns
    values = np.interp(grid, time_ns, grams, left=math.nan, right=math.nan)
    for begin, end in itertools.pairwise(time_ns.tolist()):
        if end - begin > gap_ns:
            values[(grid > begin) & (grid < end)] = math.nan
    return values


def _mean(values: Sequence[float], window: Sequence[float]) -> float:
    known = [(value, weight) for value, weight in zip(values, window, strict=True) if not math.isnan(value)]
    weight = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weight if 2 * weight > sum(window) else math.nan


@dataclass(frozen=True)
class TwinMove:
    """A candidate movement: weight with its sign, box about the moment origin as ((x from, x to), (y from, y to))."""

    kind: tuple[int, int]
    """SKU and slot."""
    weight_g: float
    weight_var: float
    box_mm: tuple[tuple[float, float], tuple[float, float]]
    prior: float
    pairable: bool
    weighed_here: bool


class TwinChange(NamedTuple):
    """A change: weight and moments, their variances, and what doubtful gains add to the weight's."""

    z: Sequence[float]
    var: Sequence[float]
    gain_var: float


class TwinBoard(NamedTuple):
    """Which places the board sees, and its edges about the moment origin."""

    sees: tuple[bool, bool]
    edges_mm: tuple[tuple[float, float], tuple[float, float]]


def explanations(change: TwinChange, board: TwinBoard, moves: Sequence[TwinMove]) -> dict[tuple[int, ...], float]:
    """Log of prior times density of every explanation: () nothing, (-1,) a foreign object, else one to three moves,
    the same one more than once, too."""
    found: dict[tuple[int, ...], float] = {(): belief.LOG_NOTHING + _nothing(change, board)}
    found[(-1,)] = (belief.LOG_FOREIGN if change.z[0] > 0 else belief.LOG_FOREIGN_TAKEN) + _foreign(change, board)
    for i, move in enumerate(moves):
        if move.weight_g * change.z[0] > 0:
            found[(i,)] = belief.LOG_ONE + math.log(move.prior) + _one(change, board, move)
    for count, log_prior in ((2, belief.LOG_TWO), (3, belief.LOG_THREE)):
        for rows in itertools.combinations_with_replacement(range(len(moves)), count):
            several = [moves[row] for row in rows]
            if all(move.pairable for move in several) and _may_add_up(change, several):
                prior = log_prior + sum(math.log(move.prior) for move in several)
                found[rows] = prior + _several(change, board, several)
    return found


def log_sum(logs: Sequence[float]) -> float:
    """Log of the sum of what these are the logs of."""
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs))


def _normal(off: float, var: float) -> float:
    return -off * off / (2 * var) - math.log(math.sqrt(2 * math.pi * var))


def _laplace(off: float, scale: float) -> float:
    return -abs(off) / scale - math.log(2 * scale)


def _mixed(share: float, a: float, b: float) -> float:
    """``share`` of b, the rest of a."""
    return log_sum([math.log(1 - share) + a, math.log(share) + b])


def blurred_box(x: float, low: float, high: float, sd: float) -> float:
    """Log density of a uniform place in [low, high] plus a Normal error."""
    if x > (low + high) / 2:
        x, low, high = -x, -high, -low
    # Both terms are tails above x, so that their difference keeps its digits far outside.
    inside = (math.erfc((low - x) / (sd * math.sqrt(2))) - math.erfc((high - x) / (sd * math.sqrt(2)))) / 2
    return math.log(max(inside, 1e-300) / (high - low))


def _nothing(change: TwinChange, board: TwinBoard) -> float:
    calm = _normal(change.z[0], change.var[0])
    jolt = _laplace(change.z[0], belief.JOLT_GRAMS + math.sqrt(change.var[0]))
    for axis in (0, 1):
        if board.sees[axis]:
            moment, var = change.z[1 + axis], change.var[1 + axis]
            calm += _normal(moment, var)
            jolt += _laplace(moment, belief.SLIDE_GRAM_MM + math.sqrt(var))
    return _mixed(belief.JOLT_SHARE, calm, jolt)


def _foreign(change: TwinChange, board: TwinBoard) -> float:
    grams = abs(change.z[0])
    if grams < 1.0:
        return -1e9
    off = math.log(grams) - belief.FOREIGN_LOG_G
    density = _normal(off, belief.FOREIGN_LOG_SD**2) - math.log(grams) - math.log(2)  # come or gone
    for axis in (0, 1):
        if board.sees[axis]:
            reach = grams + 2.0
            low, high = board.edges_mm[axis]
            density += blurred_box(change.z[1 + axis] / reach, low, high, 25.0) - math.log(reach)
    return density


def _one(change: TwinChange, board: TwinBoard, move: TwinMove) -> float:
    z, var = change.z, change.var
    item_var = move.weight_var + (0.0 if move.weighed_here else change.gain_var)
    off, seen_var = z[0] - move.weight_g, item_var + var[0]
    wide_var = 16.0 * seen_var + (0.015 * move.weight_g) ** 2
    density = _mixed(belief.TAIL_SHARE, _normal(off, seen_var), _normal(off, wide_var))
    # What the item weighs by both: its kind and the measurement, each with the other's variance as its weight.
    grams = (move.weight_g * var[0] + z[0] * item_var) / seen_var
    grams_var = item_var * var[0] / seen_var
    for axis in (0, 1):
        if board.sees[axis]:
            place = z[1 + axis] / grams
            sd = math.sqrt(belief.EDGE_MM**2 + var[1 + axis] / grams**2 + place**2 * grams_var / grams**2)
            density += blurred_box(place, *move.box_mm[axis], sd) - math.log(abs(grams))
    return density


def _may_add_up(change: TwinChange, moves: Sequence[TwinMove]) -> bool:
    off = change.z[0] - sum(move.weight_g for move in moves)
    return abs(off) <= belief.PAIR_SIGMAS * math.sqrt(_sum_var(change, moves))


def _sum_var(change: TwinChange, moves: Sequence[TwinMove]) -> float:
    return change.var[0] + change.gain_var + sum(move.weight_var for move in moves)


def _sum_of(change: TwinChange, moves: Sequence[TwinMove]) -> float:
    return _normal(change.z[0] - sum(move.weight_g for move in moves), _sum_var(change, moves))


def _several(change: TwinChange, board: TwinBoard, moves: Sequence[TwinMove]) -> float:
    density = _sum_of(change, moves)
    for i, j in itertools.combinations(range(len(moves)), 2):
        if moves[i].kind[0] == moves[j].kind[0] and moves[i].weight_g * moves[j].weight_g < 0:
            # Taken and put back: most likely one and the same unit, which weighs what it weighs.
            others = [move for k, move in enumerate(moves) if k not in (i, j)]
            weighed_twice = change._replace(gain_var=change.gain_var + REWEIGHED_VAR)
            density = _mixed(belief.SAME_UNIT_SHARE, density, _sum_of(weighed_twice, others))
            break
    for axis in (0, 1):
        if not board.sees[axis]:
            continue
        mean, var = 0.0, change.var[1 + axis]
        for move in moves:
            low, high = move.box_mm[axis]
            middle = (low + high) / 2
            mean += move.weight_g * middle
            var += move.weight_g**2 * ((high - low) ** 2 / 12 + belief.EDGE_MM**2) + middle**2 * move.weight_var
        density += _normal(change.z[1 + axis] - mean, var)
    return density
