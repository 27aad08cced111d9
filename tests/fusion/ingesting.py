"""Samples straight into the first kernel, for tests of cleaning and of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.fusion.frames import ingest, new_batches, new_cell_state

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PERIOD_NS = 12_500_000
PER_BATCH = 4
COUNTS_PER_GRAM = 215.0


@dataclass(frozen=True)
class Samples:
    """Samples of one board in order of time."""

    time_ns: Ints
    cell: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint16]

    def without(self, lost: npt.NDArray[np.bool_]) -> Samples:
        """The samples that aren't lost."""
        return Samples(self.time_ns[~lost], self.cell[~lost], self.counts[~lost], self.flags[~lost])


@dataclass(frozen=True)
class Ingested:
    """Batches [n], and the fault counters at the end [cells, kinds]."""

    number: Ints
    ready_ns: Ints
    grams: Floats
    swing_g: Floats
    faults: Ints


def in_order(cells: Sequence[tuple[Ints, Floats]], flags: Sequence[Ints] | None = None) -> Samples:
    """Times and counts of each cell as one stream."""
    time_ns = np.concatenate([times for times, _ in cells])
    cell = np.concatenate([np.full(times.size, index, np.uint8) for index, (times, _) in enumerate(cells)])
    counts = np.concatenate([np.rint(codes).astype(np.int32) for _, codes in cells])
    flag = np.concatenate(list(flags)) if flags else np.zeros(time_ns.size)
    order = np.lexsort((cell, time_ns))
    return Samples(time_ns[order], cell[order], counts[order], flag[order].astype(np.uint16))


def calm(cells: int, seconds: float, grams: float = 1000.0, noise_counts: float = 50.0, seed: int = 1) -> Samples:
    """Cells under a load that doesn't move, each on its own clock."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(cells):
        period_ns = PERIOD_NS / rng.uniform(0.97, 1.17)
        n = int(seconds * 1e9 / period_ns)
        time_ns = np.rint(rng.uniform(0, period_ns) + period_ns * np.arange(n)).astype(np.int64)
        found.append((time_ns, grams * COUNTS_PER_GRAM + noise_counts * rng.standard_normal(n)))
    return in_order(found)


def ingested(
    samples: Samples,
    cells: int,
    counts_per_gram: float = COUNTS_PER_GRAM,
    adc_bits: int = 24,
    period_ns: int = PERIOD_NS,
    per_batch: int = PER_BATCH,
    room: int = 4096,
    cuts: Sequence[int] = (),
) -> Ingested:
    """What the kernel makes of them, all at once or in pieces that begin at ``cuts``."""
    state, out = new_cell_state(cells, period_ns, per_batch), new_batches(room, cells)
    found: list[tuple[Ints, Ints, Floats, Floats]] = []
    begin = 0
    for end in (*cuts, samples.time_ns.size):
        while begin < end:
            used, made = ingest(
                samples.time_ns[begin:end], samples.cell[begin:end], samples.counts[begin:end],
                samples.flags[begin:end], np.zeros(cells), np.full(cells, 1.0 / counts_per_gram),
                np.full(cells, adc_bits), period_ns, per_batch, state, out,
            )  # fmt: skip
            found.append((out.number[:made].copy(), out.ready_ns[:made].copy(), out.grams[:made].copy(),
                          out.swing_g[:made].copy()))  # fmt: skip
            begin += used
    number, ready_ns, grams, swing_g = (np.concatenate(column) for column in zip(*found, strict=True))
    return Ingested(number, ready_ns, grams, swing_g, state.faults)
