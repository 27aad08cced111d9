"""What the boards of a scene are made of: as the simulator draws them for tuning, other and wider for reporting.

Tuning uses `drivers.simulated.draw` as it is. Reporting draws here, from other ranges and by other rules, so that
nothing can be tuned to a habit of the one that makes the scenes. Either gives a calibration record that is honest about
its own doubt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calibration.record import BoardCalibration, CellCalibration
from drivers.simulated.hands import AS_MEASURED, Manner
from drivers.simulated.physics import BoardPhysics, CellPhysics, FaultRates, PlatePhysics
from drivers.simulated.stage import seeded
from edge.config.schema import Board
from edge.config.setup import Setup
from edge.node.simulate import calibration_for, physics_for

FULL_SCALE_COUNTS = 2.147e6  # of a cell of 1 mV/V loaded to capacity, at gain 128 (facts/loadcell.md 1)
CAPACITIES_G = (3_000.0, 5_000.0, 10_000.0, 20_000.0, 40_000.0)
RESERVE = 1.4  # cells are bought for so much more than what the shelf is planned to hold


@dataclass(frozen=True)
class Rig:
    """Boards, their calibration records, and the manner of the people in front of them."""

    boards: Mapping[str, BoardPhysics]
    calibration: dict[str, BoardCalibration]
    manner: Manner


def as_drawn(setup: Setup, seed: int) -> Rig:
    """The tuning split: the simulator's own ranges."""
    boards = physics_for(setup, seed)
    return Rig(boards, calibration_for(setup, boards, seed), AS_MEASURED)


def wider(setup: Setup, seed: int) -> Rig:
    """The reporting split: other makers' cells, stiffer and softer plates, hastier and slower people."""
    boards, records = {}, {}
    for name, board in setup.node.boards.items():
        rng = seeded(seed, "wider", name)
        stock_g = sum(slot.count * setup.planogram.skus[slot.sku].weight_g for slot in setup.slots_on(name).values())
        boards[name] = _board(board, stock_g, rng)
        records[name] = _record(name, list(board.cells), boards[name], rng)
    return Rig(boards, records, _manner(seeded(seed, "manner")))


def _board(board: Board, stock_g: float, rng: np.random.Generator) -> BoardPhysics:
    places = [(cell.x_mm, cell.y_mm) for cell in board.cells.values()]
    enough = [each for each in CAPACITIES_G if each * len(places) > RESERVE * stock_g + 4_000.0] or [CAPACITIES_G[-1]]
    capacity_g = enough[min(int(rng.integers(2)), len(enough) - 1)]
    heave_hz = _log_uniform(rng, 10.0, 30.0)
    plate = PlatePhysics(
        board.width_mm,
        board.depth_mm,
        flexibility=float(rng.uniform(0.0, 1.0)),
        heave_hz=heave_hz,
        tilt_x_hz=float(np.clip(heave_hz * rng.uniform(0.8, 1.5), 10.0, 30.0)),
        tilt_y_hz=float(np.clip(heave_hz * rng.uniform(0.8, 1.5), 10.0, 30.0)),
        damping=_log_uniform(rng, 0.015, 0.2),
        softening_g=_log_uniform(rng, 8_000.0, 40_000.0),
        hum_g=_log_uniform(rng, 0.1, 0.8),
    )
    order = 4 if rng.random() < 0.75 else 3
    noise_growth = (board.rate_hz / 10.0) ** float(rng.uniform(0.2, 0.4))
    warms_up = rng.random() < 0.3
    cells = tuple(_cell(place, capacity_g, order, noise_growth, warms_up, rng) for place in places)
    often = _log_uniform(rng, 0.1, 4.0)
    faults = FaultRates(spikes_per_1000=0.1 * often, lost_per_hour=2.0 * often, resets_per_hour=0.5 * often)
    return BoardPhysics(plate, cells, board.rate_hz, faults, marks_settling=bool(rng.random() < 0.5))


def _cell(
    place: tuple[float, float],
    capacity_g: float,
    filter_order: int,
    noise_growth: float,
    warms_up: bool,
    rng: np.random.Generator,
) -> CellPhysics:
    gain = FULL_SCALE_COUNTS * float(rng.uniform(0.7, 2.0)) / capacity_g
    return CellPhysics(
        *place,
        counts_per_gram=gain * (-1.0 if rng.random() < 0.25 else 1.0),
        zero_counts=float(rng.normal(0.0, 120_000.0)),
        capacity_g=capacity_g,
        rate_error=float(rng.uniform(-0.05, 0.2)),
        jitter=_log_uniform(rng, 3e-5, 5e-4),
        filter_order=filter_order,
        noise_counts=_log_uniform(rng, 18.0, 80.0) * noise_growth,
        nonlinearity=float(rng.normal(0.0, 0.0004)),
        creep=tuple((_log_uniform(rng, *tau_s), float(rng.uniform(0.0, most)))
                    for tau_s, most in (((1.5, 7.0), 0.0005), ((20.0, 120.0), 0.0004), ((300.0, 1500.0), 0.0006))),
        walk_counts=_log_uniform(rng, 0.5, 8.0),
        daily_g=float(rng.uniform(0.0, 1.5)),
        daily_phase=float(rng.random()),
        warm_up_counts=float(rng.normal(0.0, 400.0)) if warms_up else 0.0,
        warm_up_s=float(rng.uniform(200.0, 900.0)),
        settling_counts=float(rng.uniform(300.0, 1200.0)),
    )  # fmt: skip


def _record(name: str, cells: list[str], physics: BoardPhysics, rng: np.random.Generator) -> BoardCalibration:
    """What a calibration found: each gain off by its stated doubt, and the whole board by a reference weight's."""
    gain_sd, common_sd = _log_uniform(rng, 0.0004, 0.004), float(rng.uniform(0.0, 0.002))
    common, zero_sd_g = 1.0 + common_sd * float(rng.standard_normal()), _log_uniform(rng, 0.3, 5.0)
    found = {}
    for cell, truth in zip(cells, physics.cells, strict=True):
        zero_sd = zero_sd_g * abs(truth.counts_per_gram)
        found[cell] = CellCalibration(
            zero_counts=truth.zero_counts + zero_sd * float(rng.standard_normal()),
            counts_per_gram=truth.counts_per_gram * common * (1.0 + gain_sd * float(rng.standard_normal())),
            zero_sd_counts=zero_sd,
            gain_relative_sd=gain_sd,
        )
    return BoardCalibration(board=name, made="simulated, wider", gain_common_relative_sd=common_sd, cells=found)


def _manner(rng: np.random.Generator) -> Manner:
    return Manner(
        contact_median_s=_log_uniform(rng, 0.9, 1.8),
        contact_spread=float(rng.uniform(0.25, 0.55)),
        contact_s=(0.35, 3.5),
        lift_s=(float(rng.uniform(0.06, 0.15)), float(rng.uniform(0.4, 0.9))),
        impact=(1.0, float(rng.uniform(1.8, 3.5))),
        pushes_share=float(rng.uniform(0.4, 0.95)),
        touch_share=(0.05, float(rng.uniform(1.0, 4.0))),
        touch_most_g=float(rng.uniform(1_500.0, 3_500.0)),
    )


def noisier(boards: Mapping[str, BoardPhysics], noise_g: float) -> dict[str, BoardPhysics]:
    """Each cell with at least ``noise_g`` grams rms of noise of its own, at its own rate."""
    return {
        name: dataclasses.replace(board, cells=tuple(
            dataclasses.replace(cell, noise_counts=max(cell.noise_counts, noise_g * abs(cell.counts_per_gram)))
            for cell in board.cells))
        for name, board in boards.items()
    }  # fmt: skip


def drifting(boards: Mapping[str, BoardPhysics], g_per_h: float, seed: int, steady: bool) -> dict[str, BoardPhysics]:
    """Each cell with a zero that drifts ``g_per_h`` up or down (``steady``), or anything up to that either way."""
    changed = {}
    for name, board in boards.items():
        rng = seeded(seed, "drift", name)
        drift = g_per_h * (
            rng.choice([-1.0, 1.0], len(board.cells)) if steady else rng.uniform(-1, 1, len(board.cells))
        )
        cells = tuple(
            dataclasses.replace(cell, drift_g_per_h=float(each)) for cell, each in zip(board.cells, drift, strict=True)
        )
        changed[name] = dataclasses.replace(board, cells=cells)
    return changed


def faulty(boards: Mapping[str, BoardPhysics], rates: FaultRates) -> dict[str, BoardPhysics]:
    """The boards with these fault rates."""
    return {name: dataclasses.replace(board, faults=rates) for name, board in boards.items()}


def failing(boards: Mapping[str, BoardPhysics], dies: bool, duration_s: float, seed: int) -> dict[str, BoardPhysics]:
    """One cell of one board dies (no samples any more) or sticks (the same code for ever) midway, at 35-65 %."""
    rng = seeded(seed, "failing")
    name = list(boards)[int(rng.integers(len(boards)))]
    cells = list(boards[name].cells)
    k, at_s = int(rng.integers(len(cells))), float(rng.uniform(0.35, 0.65)) * duration_s
    broken = dataclasses.replace(cells[k], dies_at_s=at_s) if dies else dataclasses.replace(cells[k], sticks_at_s=at_s)
    cells[k] = broken
    return {**boards, name: dataclasses.replace(boards[name], cells=tuple(cells))}


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
