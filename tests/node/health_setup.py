"""A node of one board with two cells, and blocks of its samples, for the tests of health."""

from __future__ import annotations

import numpy as np

from calibration.record import BoardCalibration, CellCalibration
from drivers.samples import SampleBlock
from edge.config.driver_schema import DriverOptions
from edge.config.schema import Board, Cell, HealthOptions, NodeFile, Planogram
from edge.config.setup import Setup

RATE_HZ = 80.0
COUNTS_PER_GRAM = 40.0


def small_setup(rate_hz: float = RATE_HZ, every_s: float = 60.0) -> Setup:
    """Board b1, cells l and r; a gram is 40 counts, r is mounted upside down; 0 g at 1000 counts."""
    cells = {"l": Cell(x_mm=0, y_mm=0), "r": Cell(x_mm=100, y_mm=0)}
    board = Board(width_mm=100, depth_mm=100, rate_hz=rate_hz, driver=DriverOptions(type="simulated"), cells=cells)
    record = BoardCalibration(
        board="b1",
        made="2026-11-01, by hand",
        cells={
            "l": CellCalibration(zero_counts=1000, counts_per_gram=COUNTS_PER_GRAM),
            "r": CellCalibration(zero_counts=1000, counts_per_gram=-COUNTS_PER_GRAM),
        },
    )
    node = NodeFile(node="n1", planogram="p.yaml", boards={"b1": board}, health=HealthOptions(every_s=every_s))
    return Setup(node, Planogram(skus={}, slots={}), {"b1": record}, "", "")


def block_of(
    seconds: float,
    begin_ns: int = 0,
    rates_hz: tuple[float, float] = (RATE_HZ, RATE_HZ),
    noise_counts: float = 100.0,
    level_counts: tuple[float, float] = (1000.0, 1000.0),
    seed: int = 1,
) -> SampleBlock:
    """Samples of both cells from ``begin_ns`` on, each at its own rate."""
    rng = np.random.default_rng(seed)
    times, cells = [], []
    for cell, rate_hz in enumerate(rates_hz):
        numbers = np.arange(int(seconds * rate_hz))
        times.append(begin_ns + (numbers * 1e9 / rate_hz).astype(np.int64))
        cells.append(np.full(numbers.size, cell, np.uint8))
    time_ns, cell = np.concatenate(times), np.concatenate(cells)
    order = np.lexsort((cell, time_ns))
    time_ns, cell = time_ns[order], cell[order]
    counts = np.array(level_counts)[cell] + rng.normal(0.0, noise_counts, cell.size)
    return SampleBlock("b1", time_ns, cell, counts.round().astype(np.int32), np.zeros(cell.size, np.uint16))


def in_small_blocks(block: SampleBlock, every_ns: int = 20_000_000) -> list[SampleBlock]:
    """As a node reads them: what came in 20 ms is a block."""
    begin = int(block.time_ns[0])
    edges = np.searchsorted(block.time_ns, np.arange(begin, int(block.time_ns[-1]) + every_ns, every_ns))
    ends = [*edges[1:].tolist(), len(block)]
    return [block.part(a, b) for a, b in zip(edges.tolist(), ends, strict=True) if b > a]
