"""Readings of made-up chips for the tests of the examiner: noise as measured, edges on clocks of their own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drivers.hx711.examiner import Examiner
from drivers.hx711.readings import Reading

REAL_PERIOD_NS, REAL_JITTER = 12_191_800, 57e-6  # measured: 82.02 samples per second
WAKE_PERIODS = 4.45  # measured: from the edge whose read the chip was reset in to the next one


def chip(
    count: int,
    cell: int = 0,
    level: float = 83_000.0,
    noise: float = 60.0,
    period_ns: float = REAL_PERIOD_NS,
    jitter: float = REAL_JITTER,
    stamp_ns: float = 0.0,
    begin_ns: int = 1_000_000_000,
    seed: int = 1,
) -> list[Reading]:
    """A healthy chip's readings. ``stamp_ns``: rms by which the stamps of edges are off, each by itself."""
    rng = np.random.default_rng((seed, cell))
    white = rng.standard_normal(count + 1)
    counts = level + noise * (white[1:] + white[:-1]) / np.sqrt(2)  # neighbours share half, as measured
    edges = begin_ns + np.cumsum(period_ns * (1.0 + jitter * rng.standard_normal(count)))
    edges += stamp_ns * rng.standard_normal(count)
    return [
        Reading(cell, round(at), round(value), 0) for at, value in zip(edges.tolist(), counts.tolist(), strict=True)
    ]


def shifted(readings: list[Reading], from_index: int, by_ns: float) -> None:
    """Everything from that index on comes later."""
    for reading in readings[from_index:]:
        reading.edge_ns += round(by_ns)


def cut_short(readings: list[Reading], index: int, bit: int, period_ns: float = REAL_PERIOD_NS) -> None:
    """The chip is reset before bit ``bit`` (0..24) of that read: ones from there on, and a long wait."""
    ones = 24 - bit
    code = (readings[index].counts & 0xFFFFFF) | ((1 << ones) - 1)
    readings[index].counts = code - ((code >> 23) << 24)
    shifted(readings, index + 1, (WAKE_PERIODS - 1) * period_ns)


def examined(readings: Iterable[Reading], cells: int = 1, rate_hz: float = 80.0) -> tuple[list[Reading], Examiner]:
    """All readings in order of time through an examiner, one by one; and the examiner."""
    examiner = Examiner(cells, rate_hz, board="top", names=[f"c{cell}" for cell in range(cells)])
    taken: list[Reading] = []
    for reading in sorted(readings, key=lambda each: (each.edge_ns, each.cell)):
        examiner.push(reading)
        taken += examiner.take(reading.edge_ns + 2_000_000)
    return taken + examiner.flush(), examiner
