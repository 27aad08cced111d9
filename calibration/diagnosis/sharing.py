"""How the cells of a board share load changes: as a sound plate does, or as one with something wrong does.

Each fault (a cell turned over, one with another gain, a corner that hangs, something that carries part of the board
beside its cells, a calibration that is off as a whole) changes forces in a way of its own. Under each, the load changes
have a likelihood (`calibration.diagnosis.plate`); what isn't known of a fault (how much, where) is averaged over. The
one under which they are the likeliest is named, if they are far likelier than with a sound board, and not because of
what happened in one place alone (there the planogram may be wrong).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.changes import Change
from calibration.diagnosis.plate import Plate, Shares
from calibration.diagnosis.samples import BoardSamples, CellSamples, Floats

LEAST_CHANGES = 3
MOST_CHANGES = 60  # of a long recording, the last ones
DEAD_SHARE = 0.01  # of what all cells carry: a hundredth is what mounts and cables give on
SLIPS = (2.0, 4.0, 0.5, 0.25)  # gain 64 or 32 for 128, and back
LEAST_OFF = 0.05  # of a gain: what a technician needn't care for in passing (OIML aside, corners may be 5 % apart)
FACTORS = tuple(float(f) for f in np.exp(np.linspace(math.log(0.18), math.log(5.6), 291)))
STIFFNESS = tuple(float(k) for k in np.exp(np.linspace(math.log(0.12), math.log(4.0), 14)))
"""Of what else carries the board, in a cell's own."""
GIVES = tuple(float(g) for g in np.linspace(0.12, 1.0, 12))
SURE, SURE_OF_ONE, SURE_WITHOUT = 8.0, 10.0, 3.0
UNKNOWN_SURE, UNKNOWN_CHANGES = 12.0, 6  # on a plate of which isn't known how its cells share
"""Log of how much likelier the changes must be than with a sound board: in all; where it is one of some dozens of
cells, places and factors that may be chosen from; and without any one place's."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains the board's load changes better than a sound board does.

    Attributes:
        kind: "dead", "reversed", "slip", "scale" of one cell; "common slip", "common scale" of all; "support":
            something carries part of the board; "loose": a mount gives way.
        cell: index; -1 for all cells.
        factor: what the cell's grams must be multiplied by; of a support its stiffness; of a loose mount the share that
            it gives away.
        at_mm: where the support is.
        fitting, mended, changes: how many changes fit as they are, how many with this put right, and all of them.
        sure: log of how much likelier the changes are so.
    """

    kind: str
    cell: int
    factor: float
    fitting: int
    mended: int
    changes: int
    sure: float
    at_mm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Explanations of one kind, averaged over: ``rows`` of the table of all."""

    kind: str
    cell: int
    rows: slice


def explain(
    board: BoardSamples, cells: list[CellSamples], changes: list[Change], weight_g: float | None = None
) -> Explanation | None:
    """None where a sound board explains the changes well enough, or there are too few.

    ``weight_g``: what lies on the board by its calibration; None where that isn't known.
    """
    changes = changes[-MOST_CHANGES:]
    if len(changes) < LEAST_CHANGES or len(cells) < 1 or not all(cell.weighed for cell in cells):
        return None
    gain = np.array([cell.counts_per_gram or 1.0 for cell in cells])
    forces = np.array([change.counts / gain for change in changes])
    sd = np.array([change.sd / np.abs(gain) for change in changes])
    if np.isnan(forces).any():
        return None
    plate = Plate(board, cells)
    dead = _dead(plate, forces, sd)
    if dead is not None and len(cells) < 4:  # nothing but the weights tells that it had to carry
        table, anyhow = _table(plate, [plate.shares(forces, sd, np.ones((1, len(cells))))], np.abs(forces).sum(axis=1))
        strange = bool(np.mean(table[0] > anyhow + math.log(2.0)) < 0.5)
        dead = dead if strange or _on_a_line(forces, dead) else None
    if dead is not None:
        return Explanation("dead", dead, 1.0, 0, len(changes), len(changes), math.inf)
    return _likeliest(plate, forces, sd, weight_g)


def _likeliest(plate: Plate, forces: Floats, sd: Floats, weight_g: float | None) -> Explanation | None:
    count, cells = forces.shape
    faults, factors = _of_gains(cells)
    parts = [plate.shares(forces, sd, factors)]
    supports = _supports(plate) if cells > 1 else []
    if supports:
        parts.append(_supported(plate, forces, sd, supports))
        faults.append(_Fault("support", -1, slice(len(factors), len(factors) + len(supports))))
    if plate.corners is not None:
        for cell in range(cells):
            first = len(factors) + len(supports) + cell * len(GIVES)
            faults.append(_Fault("loose", cell, slice(first, first + len(GIVES))))
            parts.append(_loosened(plate, forces, plate.shares(forces, sd, np.ones((1, cells))), cell))
    table, anyhow = _table(plate, parts, np.abs(forces).sum(axis=1))
    better = table - table[0]
    if weight_g is not None:  # what all cells have in common shows in what lies there, too
        common = np.where((factors == factors[:, :1]).all(axis=1), factors[:, 0], 1.0)
        stands = np.zeros((len(better), 1))
        stands[: len(factors), 0] = plate.standing(weight_g, common) - plate.standing(weight_g, np.ones(1))
        better = np.concatenate([better, stands], axis=1)
    averages = [_average(better[fault.rows]) for fault in faults]
    best = max(range(len(faults)), key=lambda k: averages[k])
    fault = faults[best]
    guess = fault.cell >= 0 and not plate.all_known
    sure = max(SURE if fault.kind.startswith("common") else SURE_OF_ONE, UNKNOWN_SURE if guess else 0.0)
    if averages[best] < sure or (guess and count < UNKNOWN_CHANGES):
        return None
    row = fault.rows.start + int(np.argmax(better[fault.rows].sum(axis=1)))
    slots = np.array([*plate.nearest(parts[0]), *([-2] if weight_g is not None else [])])
    for slot in set(slots[slots >= 0].tolist()):
        if _average(better[fault.rows][:, slots != slot]) < SURE_WITHOUT:
            return None  # one place alone says so: its planogram may be wrong
    fits = table > anyhow + math.log(2.0)
    at_mm, factor = (0.0, 0.0), 1.0
    if fault.kind == "support":
        x, y, factor = supports[row - len(factors)]
        at_mm = (x, y)
    elif fault.kind == "loose":
        factor = GIVES[row - fault.rows.start]
    else:
        factor = float(factors[row][fault.cell if fault.cell >= 0 else 0])
    if fault.kind in ("scale", "common scale") and abs(math.log(factor)) < math.log1p(LEAST_OFF):
        return None
    return Explanation(
        fault.kind, fault.cell, factor, int(fits[0].sum()), int(fits[row].sum()), count, averages[best], at_mm
    )


def _table(plate: Plate, parts: list[Shares], before: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each change under each explanation, the sound board first; and as no single thing."""
    rows, anyhow = [], np.zeros(before.size)
    for part in parts:
        density, anyhow = plate.log_density(part, before)
        rows.append(density + np.where(density > anyhow + 1.0, plate.again(part), 0.0))
    return np.concatenate(rows), anyhow


def _average(better: Floats) -> float:
    """Log of the mean over the rows of one kind."""
    total = better.sum(axis=1)
    return float(np.logaddexp.reduce(total) - math.log(total.size))


def _of_gains(cells: int) -> tuple[list[_Fault], Floats]:
    """Faults that multiply cells, and the factors that mend them; row 0 is the sound board."""
    rows, faults = [np.ones(cells)], []

    def add(kind: str, cell: int, factors: tuple[float, ...]) -> None:
        faults.append(_Fault(kind, cell, slice(len(rows), len(rows) + len(factors))))
        for factor in factors:
            row = np.full(cells, factor) if cell < 0 else np.ones(cells)
            if cell >= 0:
                row[cell] = factor
            rows.append(row)

    for cell in range(cells if cells > 1 else 0):
        add("reversed", cell, (-1.0,))
        for slip in SLIPS:
            add("slip", cell, (slip,))
        add("scale", cell, FACTORS)
    for slip in SLIPS:
        add("common slip", -1, (slip,))
    add("common scale", -1, FACTORS)
    return faults, np.array(rows)


def _supports(plate: Plate) -> list[tuple[float, float, float]]:
    """Places along the board's edges away from the cells, and stiffness of something that carries it there."""
    wide, deep = plate.size
    if not (plate.sees[0] and plate.sees[1]):
        places = [(share * wide, deep / 2) if plate.sees[0] else (wide / 2, share * deep) for share in (0.3, 0.5, 0.7)]
    else:
        along = (0.2, 0.35, 0.5, 0.65, 0.8)
        places = [(share * wide, y) for share in along for y in (0.0, deep)]
        places += [(x, share * deep) for share in along for x in (0.0, wide)] + [(wide / 2, deep / 2)]
    return [(x, y, stiff) for x, y in places for stiff in STIFFNESS]


def _supported(plate: Plate, forces: Floats, sd: Floats, supports: list[tuple[float, float, float]]) -> Shares:
    """A spring beside the cells takes ``stiffness`` times what a cell at its place would carry: put that back.

    A rigid plate sinks by ``z = S G^-1 load`` (springs of 1, ``G = S^T S``), and the load is what cells and spring
    carry together, ``load + k s z(s)`` with the place ``s = [1, x, y]``.
    """
    sound = plate.shares(forces, sd, np.ones((1, forces.shape[1])))
    inverse = np.linalg.pinv(plate.statics.T @ plate.statics, rcond=1e-9)
    loads, volumes, doubts = [], [], []
    for x, y, stiff in supports:
        at = np.array([1.0, x, y])
        put_back = np.eye(3) + stiff * np.outer(at, inverse @ at)
        loads.append(sound.loads[0] @ put_back.T)
        volumes.append(abs(1.0 + stiff * float(at @ inverse @ at)))
        doubts.append(np.sqrt(((plate.statics @ put_back[0]) ** 2 * sd**2).sum(axis=1)))
    many = (len(supports), 1)
    return Shares(
        np.array(loads),
        np.array(doubts),
        np.tile(sound.place_mm, many),
        np.tile(sound.rest, (*many, 1)),
        np.tile(sound.rest_sd, many),
        np.array(volumes),
    )


def _loosened(plate: Plate, forces: Floats, sound: Shares, cell: int) -> Shares:
    """One of four mounts is softer by ``1/d``: it gives away ``(1/d - 1) / (1/d + 3)`` of what a stiff plate would hand
    it, as a twist; weight and place stay what they are. A plate that bends gives away less.
    """
    signs = np.sign(plate.beyond[:, 0])
    rigid = plate.statics @ plate.rigid[cell]
    given = (forces @ rigid) * signs[cell]
    rest = sound.rest[0][None] + np.array(GIVES)[:, None, None] * given[None, :, None]
    many = (len(GIVES), 1)
    return Shares(
        np.tile(sound.loads, (*many, 1)), np.tile(sound.sd_g, many), np.tile(sound.place_mm, many), rest,
        np.tile(sound.rest_sd, many), np.ones(len(GIVES)),
    )  # fmt: skip


def _on_a_line(forces: Floats, dead: int) -> bool:
    """Whether, by the cells, all loads lay exactly on the line between the other two of three, in several places.

    Things on a shelf don't; on two cells it would be one place, where things may well be taken from again and again.
    """
    if forces.shape[1] != 3:
        return False
    others = np.delete(forces, dead, axis=1)
    along = np.sort(others[:, 0] / np.where(others.sum(axis=1) == 0.0, 1.0, others.sum(axis=1)))
    return int(np.count_nonzero(np.diff(along) > 0.08)) >= 2


def _dead(plate: Plate, forces: Floats, sd: Floats) -> int | None:
    """A cell that never moves though, by what the others say, it had to.

    On four corners the missing force lies between ``b + c - o`` (a stiff plate: no twist) and ``b c / o`` (a soft
    one: bilinear), with the neighbours b and c and the opposite corner o.
    """
    carried = np.abs(forces).sum(axis=1)
    for cell in range(forces.shape[1] if forces.shape[1] > 1 else 0):
        own = np.abs(forces[:, cell])
        if float(own.sum()) > DEAD_SHARE * float(carried.sum()) + 3.0 * float(np.sqrt((sd[:, cell] ** 2).sum())):
            continue
        if plate.corners is None:
            others = np.arange(forces.shape[1]) != cell
            sinks = forces[:, others] @ np.linalg.pinv(plate.statics[others]).T @ plate.statics[cell]
            had_to = 0.5 * np.where(carried > 0, sinks * np.sign(forces.sum(axis=1)), 0.0)
            clear = int(np.count_nonzero(had_to > 8.0 * DEAD_SHARE * carried)) >= LEAST_CHANGES
            if len(forces) > LEAST_CHANGES and (forces.shape[1] < 4 or clear):
                return cell
            continue
        fl, fr, bl, br = plate.corners
        opposite = {fl: br, br: fl, fr: bl, bl: fr}[cell]
        b, c = (np.abs(forces[:, corner]) for corner in plate.corners if corner not in (cell, opposite))
        o = np.maximum(np.abs(forces[:, opposite]), 0.02 * carried)
        had_to = np.minimum(np.maximum(b + c - o, 0.0), b * c / o)
        had_to = np.where(own < DEAD_SHARE * carried + 3.0 * sd[:, cell], had_to, 0.0)
        doubt = 4.0 * np.sqrt((sd**2).sum(axis=1))  # what a neighbour of nearly nothing says is noise
        if int(np.count_nonzero(had_to > 8.0 * DEAD_SHARE * carried + doubt)) >= 2:
            return cell
    return None
