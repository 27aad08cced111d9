"""Cases of a board that something carries beside its cells, or whose cells carry it unequally."""

from __future__ import annotations

import dataclasses

import numpy as np

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import BoardSamples
from drivers.simulated.physics import BoardPhysics
from hil.diagnosis_cases import Bay, Case, Floats, Technician, bay, smooth

STIFF_PLATE = 0.3  # flexibility up to which a plate feels unequal mounts; a soft one bends instead


def leaning(stiffness: float, seed: int) -> Case:
    """Something stands against the board between two cells and carries it there: a spring of so many cells' stiffness.

    A rigid plate with springs at the cells and one at ``s`` sinks by ``z = K^-1 load``, ``K = S^T S + k s s^T``.
    """
    there = bay(seed, least_cells=3, visits=True, seconds=45.0)
    name = next(iter(there.blocks))
    statics = _statics(there, name)
    board = there.setup.node.boards[name]
    along = float(there.rng.uniform(0.3, 0.7))
    at = [(along, 0.0), (along, 1.0), (0.0, along), (1.0, along)][int(there.rng.integers(4))]
    place = np.array([1.0, at[0] * board.width_mm, at[1] * board.depth_mm])
    springs = statics.T @ statics
    rigid = statics @ np.linalg.pinv(springs) @ statics.T
    held = statics @ np.linalg.pinv(springs + stiffness * np.outer(place, place)) @ statics.T
    return Case(_remapped(there, name, np.eye(len(statics)) + held - rigid), (Fault.UNEVEN,), name)


def loose_mount(stiffness: float, seed: int) -> Case:
    """One of four mounts is softer than the others: a rubber foot gone, a bolt loose. Weight and place stay right.

    It shows in the twist alone, and what a thing in the middle of the board has of that is nothing: a technician who is
    looking for it lifts things in eight places, which takes 70 s. Of five places in 45 s, one mount in five that is
    0.4 times as stiff goes unseen.
    """

    def alter(board: BoardPhysics, rng: np.random.Generator) -> BoardPhysics:
        flexibility = float(rng.uniform(0.0, STIFF_PLATE))
        return dataclasses.replace(board, plate=dataclasses.replace(board.plate, flexibility=flexibility))

    there = bay(seed, least_cells=3, seconds=70.0, scene=Technician(seed, places=8), alter=alter)
    name = next(iter(there.blocks))
    statics = _statics(there, name)
    x, y = statics[:, 1], statics[:, 2]
    signs = np.where((x > x.mean()) == (y > y.mean()), 1.0, -1.0)
    cell = int(there.rng.integers(len(statics)))
    # Springs in parallel with one of 1/d compliance: its share s of the twist is -f (1/d - 1) / (1/d + 3).
    give = (1.0 / stiffness - 1.0) / (1.0 / stiffness + 3.0) * (1.0 - there.boards[name].plate.flexibility)
    rigid = statics @ np.linalg.pinv(statics.T @ statics) @ statics.T
    matrix = np.eye(len(statics)) - give * np.outer(signs, signs[cell] * rigid[cell])
    return Case(_remapped(there, name, matrix), (Fault.UNEVEN,), name)


def _statics(there: Bay, name: str) -> Floats:
    cells = there.setup.node.boards[name].cells.values()
    return np.array([[1.0, cell.x_mm, cell.y_mm] for cell in cells])


def _remapped(there: Bay, name: str, matrix: Floats) -> list[BoardSamples]:
    """The board's samples with what its cells change by put through ``matrix``, noise and all else left alone."""
    block = there.blocks[name]
    cells = there.boards[name].cells
    time_s = block.time_ns.astype(np.float64) / 1e9
    counts = block.counts.astype(np.float64)
    mine = [np.flatnonzero(block.cell == k) for k in range(len(cells))]
    grams = []
    for k, cell in enumerate(cells):
        load = smooth(counts[mine[k]]) / cell.counts_per_gram
        grams.append(load - np.median(load[:40]))
    for k, cell in enumerate(cells):
        for j in range(len(cells)):
            share = float(matrix[k, j] - (k == j))
            counts[mine[k]] += share * cell.counts_per_gram * np.interp(time_s[mine[k]], time_s[mine[j]], grams[j])
    clipped = np.clip(np.rint(counts), -0x800000, 0x7FFFFF).astype(np.int32)
    return there.samples({**there.blocks, name: dataclasses.replace(block, counts=clipped)})
