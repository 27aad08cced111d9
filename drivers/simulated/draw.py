"""Boards at random: plates, cells and converters as different from each other as those that were measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.simulated.physics import BoardPhysics, CellPhysics, FaultRates, PlatePhysics
from drivers.simulated.room import DAY_S, Room, Wave

# Sources as in `physics`: LC is facts/loadcell.md, FR facts/field.md.
COUNTS_AT_1_MV_PER_V = 2.147e6  # LC 1: full capacity of a 1 mV/V cell at gain 128
SENSITIVITY_MV_PER_V = (0.85, 1.15)  # LC 6 YZC-133: 1.0 ± 0.15
REVERSED_SHARE = 0.1  # LC 5 row 8: polarity reversed
RATE_ERROR = (-0.03, 0.17)  # the brief; LC 1 "Measured rates"
NOISE_AT_10_SPS = (25.0, 60.0)  # the brief; LC 1: 21-33 by datasheet, FR 4.1.7: 19-41
DAMPING = (0.02, 0.15)  # the brief; AIM3S shelves ring on for one to three seconds at 10-15 Hz, so mostly the low end
NOISE_GROWTH = 0.283  # LC 1: 50 nV at 10 SPS, 90 nV at 80: 8^0.283 = 1.8
CHIP_OFFSET_COUNTS = 1.0e5  # LC 1 "Offset": 86-100 k counts
ZERO_BALANCE = 0.02  # LC 6: ±1.5 to ±5 % of capacity
CAPACITY_G = 10_000.0


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Where a cell carries the board; rated load and, where a calibration record exists, its gain and zero."""

    x_mm: float
    y_mm: float
    capacity_g: float | None = None
    counts_per_gram: float | None = None
    zero_counts: float | None = None


def draw_plate(width_mm: float, depth_mm: float, rng: np.random.Generator) -> PlatePhysics:
    """A plate of that size: the brief's 10-30 Hz and damping 0.02-0.15."""
    heave_hz = float(rng.uniform(13.0, 24.0))
    return PlatePhysics(
        width_mm,
        depth_mm,
        flexibility=float(rng.uniform(0.0, 0.6)),
        heave_hz=heave_hz,
        tilt_x_hz=heave_hz * float(rng.uniform(1.05, 1.25)),
        tilt_y_hz=heave_hz * float(rng.uniform(1.05, 1.25)),
        damping=float(np.exp(rng.uniform(*np.log(DAMPING)))),
        hum_g=float(rng.uniform(0.2, 0.5)),
    )


def draw_cell(place: CellPlace, rate_hz: float, rng: np.random.Generator) -> CellPhysics:
    """A hobby cell with an HX711; gain and zero as in the record, give or take what calibration leaves (0.1 %)."""
    capacity_g = place.capacity_g or CAPACITY_G
    drawn = COUNTS_AT_1_MV_PER_V * float(rng.uniform(*SENSITIVITY_MV_PER_V)) / capacity_g
    sign = -1.0 if rng.random() < REVERSED_SHARE else 1.0
    zero = float(rng.uniform(-1, 1)) * (CHIP_OFFSET_COUNTS + ZERO_BALANCE * drawn * capacity_g)
    return CellPhysics(
        place.x_mm,
        place.y_mm,
        counts_per_gram=sign * drawn if place.counts_per_gram is None else place.counts_per_gram,
        zero_counts=zero if place.zero_counts is None else place.zero_counts,
        capacity_g=capacity_g,
        rate_error=float(rng.uniform(*RATE_ERROR)),
        noise_counts=float(rng.uniform(*NOISE_AT_10_SPS)) * (rate_hz / 10.0) ** NOISE_GROWTH,
        nonlinearity=float(rng.uniform(-1, 1)) * 0.0005,
        creep=tuple((tau_s, most * float(rng.uniform(0.2, 1.0)))
                    for tau_s, most in ((3.0, 0.0003), (60.0, 0.0002), (600.0, 0.0004))),
        walk_counts=float(rng.uniform(1.0, 5.0)),
        daily_g=float(rng.uniform(0.2, 1.0)),
        daily_phase=float(rng.random()),
        settling_counts=float(rng.uniform(480.0, 980.0)),
    )  # fmt: skip


def in_a_room(board: BoardPhysics, rng: np.random.Generator) -> BoardPhysics:
    """The board for runs of hours: its zeros follow the temperature of one room, each as much and as late as it does.

    The day's amplitude of the cell becomes grams per degree of a room that goes by 2 to 3.5 °C up and down. The walk of
    the zero was measured over minutes (FR 4.1.8: hardly more in 10 min than in one); over hours it goes on slower.
    """
    celsius = float(rng.uniform(2.0, 3.5))
    waves = (
        Wave(celsius, DAY_S, float(rng.random())),
        Wave(0.4, float(rng.uniform(3600.0, 9000.0)), float(rng.random())),
    )
    cells = tuple(
        dataclasses.replace(
            cell,
            zero_g_per_degree=cell.daily_g / 2.0 * (1.0 if rng.random() < 0.5 else -1.0),
            lags_s=(float(rng.uniform(600.0, 1800.0)), float(rng.uniform(60.0, 400.0))),
            daily_g=0.0,
            walk_counts=0.1 * cell.walk_counts,
        )
        for cell in board.cells
    )
    return dataclasses.replace(board, cells=cells, room=Room(21.0, waves))


def draw_board(
    width_mm: float,
    depth_mm: float,
    rate_hz: float,
    cells: Sequence[CellPlace],
    rng: np.random.Generator,
    faults: FaultRates | None = None,
) -> BoardPhysics:
    """A board of that geometry with everything else at random."""
    plate = draw_plate(width_mm, depth_mm, rng)
    drawn = tuple(draw_cell(place, rate_hz, rng) for place in cells)
    return BoardPhysics(plate, drawn, rate_hz, FaultRates() if faults is None else faults)
