"""A small node and small traces that the tests of `edge.trace` share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drivers.samples import SampleBlock, SampleFlag
from edge.config.setup import Setup
from edge.trace.event import Kind, Label
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

NODE = """\
node: bay-1
planogram: planogram.yaml
boards:
  top:
    width: 900 mm
    depth: 400 mm
    rate: 80 Hz
    driver: trace
    cells:
      fl: {x: 30 mm, y: 30 mm}
      fr: {x: 870 mm, y: 30 mm}
  low.er:
    width: 900 mm
    depth: 400 mm
    rate: 10 Hz
    driver: trace
    cells:
      one: {x: 450 mm, y: 200 mm}
"""
PLANOGRAM = """\
skus:
  cola: {name: Cola, weight: 352 g, spread: 2 g}
slots:
  A1: {board: top, sku: cola, x: [0 mm, 110 mm], count: 6}
  B1: {board: low.er, sku: cola, x: [0 mm, 110 mm], count: 6}
"""
LABELS = (
    Label(Kind.PICK, "top", "cola", "A1", 1, 2.0, 3.5),
    Label(Kind.PUT, "low.er", None, None, 2, 10.0, 11.0),
)


def noise(board: str, cells: int, rate_hz: float, begin_s: float, end_s: float, seed: int = 1) -> SampleBlock:
    """Samples with jitter and noise, and a flag now and then."""
    rng = np.random.default_rng(seed)
    times, cell_of = [], []
    for cell in range(cells):
        n_samples = int((end_s - begin_s) * rate_hz * (1 + 0.01 * cell))
        spread = np.sort(rng.integers(int(begin_s * 1e9), int(end_s * 1e9), n_samples))
        times.append(spread)
        cell_of.append(np.full(n_samples, cell, np.uint8))
    time_ns, cell_index = np.concatenate(times), np.concatenate(cell_of)
    order = np.lexsort((cell_index, time_ns))
    counts = (rng.normal(0, 80, time_ns.size) + 50_000.0 * cell_index).astype(np.int32)
    flags = np.where(rng.random(time_ns.size) < 0.01, int(SampleFlag.SPIKE), 0).astype(np.uint16)
    return SampleBlock(board, time_ns[order], cell_index[order], counts[order], flags)


def write_trace(path: Path, setup: Setup | None, begin_s: float = -7.0, end_s: float = 100.0) -> list[SampleBlock]:
    """A trace of both boards (several chunks); the blocks that went into it."""
    blocks = [noise("top", 2, 40, begin_s, end_s, 1), noise("low.er", 1, 10, begin_s, end_s, 2)]
    with TraceWriter(path, setup, LABELS) as writer:
        for second in range(int(begin_s), int(end_s), 10):
            for block in blocks:
                first, last = np.searchsorted(block.time_ns, [second * 10**9, (second + 10) * 10**9])
                writer.write(block.part(int(first), int(last)))
    return blocks


def read_all(reader: TraceReader) -> dict[str, SampleBlock]:
    """Everything in a trace, joined per board."""
    found: dict[str, list[SampleBlock]] = {}
    for blocks in reader.epochs():
        for block in blocks:
            found.setdefault(block.board, []).append(block)
    return {board: SampleBlock.join(blocks) for board, blocks in found.items()}


def same(first: SampleBlock, second: SampleBlock) -> bool:
    """Whether two blocks are equal in every bit."""
    return first.board == second.board and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("time_ns", "cell", "counts", "flags")
    )
