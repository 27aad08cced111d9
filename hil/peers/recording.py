"""One scene as the peers see it: for each shelf uniform frames of its cells in grams, made once and used by all.

The published systems read plates that all sample at the same instants; our cells don't. So their samples are put on
one grid: a median over three samples of a cell takes lone converter errors away (facts/field.md 4.1.5; the published
systems had no such guard, it is given to all of them), then straight lines between samples. A gap is bridged, a cell
that fell silent keeps its last weight, one that was never heard weighs nothing: no frame is ever NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.config.setup import Setup

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recording:
    """Good samples of a scene, by board.

    Attributes:
        samples: for each board and each of its cells, in the node file's order: times int64[n] in ns, grams float64[n].
        begin_ns, end_ns: first and last good sample of all boards.
        lanes: the boards, each on one cell, are the lanes of one shelf.
    """

    setup: Setup
    samples: dict[str, list[tuple[Ints, Floats]]]
    begin_ns: int
    end_ns: int
    lanes: bool


def recording_of(setup: Setup, layout: str, blocks: Iterable[Iterable[SampleBlock]]) -> Recording:
    """Read the blocks once. ``setup`` is calibrated; boards without a record are left out.

    Raises ValueError where there isn't a single good sample (blocks that were read before are empty).
    """
    parts: dict[str, list[SampleBlock]] = {name: [] for name in setup.node.boards if name in setup.calibration}
    for together in blocks:
        for block in together:
            if block.board in parts:
                parts[block.board].append(block)
    samples = {name: _cells(setup, name, blocks_of_board) for name, blocks_of_board in parts.items()}
    heard = [times for cells in samples.values() for times, _ in cells if times.size]
    if not heard:
        raise ValueError("no good samples in the scene; expected blocks that nobody has used up before")
    lanes = layout == "lanes" and all(len(setup.node.boards[name].cells) == 1 for name in samples)
    return Recording(
        setup, samples, min(int(times[0]) for times in heard), max(int(times[-1]) for times in heard), lanes
    )


def _cells(setup: Setup, board: str, blocks: list[SampleBlock]) -> list[tuple[Ints, Floats]]:
    """Times and grams of each cell's good samples."""
    joined = SampleBlock.join(blocks) if blocks else SampleBlock.empty(board)
    good = joined.flags == 0
    found = []
    for index, cell in enumerate(setup.node.boards[board].cells):
        known = setup.calibration[board].cells[cell]
        mine = good & (joined.cell == index)
        grams = (joined.counts[mine] - known.zero_counts) / known.counts_per_gram
        found.append((joined.time_ns[mine], _median_of_three(grams)))
    return found


def _median_of_three(values: Floats) -> Floats:
    """Each value replaced by the middle one of itself and its neighbours; the ends stay."""
    if values.size < 3:
        return values
    before, at, after = values[:-2], values[1:-1], values[2:]
    middle = np.maximum(np.minimum(before, at), np.minimum(np.maximum(before, at), after))
    return np.concatenate([values[:1], middle, values[-1:]])


@dataclass(frozen=True, slots=True)
class Frames:
    """Cells of one board (or lanes of one shelf) on a uniform grid.

    Attributes:
        rate_hz: frames per second. begin_ns: time of frame 0.
        grams: float64[cells, frames].
    """

    rate_hz: float
    begin_ns: int
    grams: Floats

    @property
    def sum_g(self) -> Floats:
        """float64[frames], weight on the whole board."""
        return np.asarray(self.grams.sum(axis=0))

    def time_ns(self, frame: float) -> int:
        """Time of a frame; halves lie between two."""
        return self.begin_ns + round(frame * 1e9 / self.rate_hz)


def frames_of(recording: Recording, boards: Iterable[str], rate_hz: float, oversample: int = 1) -> Frames:
    """The cells of ``boards`` together at ``rate_hz``, float64[all their cells, frames].

    ``oversample``: interpolate at so many times that rate, then take means of so many (a plain decimation filter).
    """
    step_ns = 1e9 / (rate_hz * oversample)
    count = int((recording.end_ns - recording.begin_ns) / step_ns / oversample) + 1
    at_ns = np.arange(count * oversample) * step_ns
    rows = []
    for board in boards:
        for times, grams in recording.samples[board]:
            fine = np.interp(at_ns, times - recording.begin_ns, grams) if times.size else np.zeros(at_ns.size)
            rows.append(fine.reshape(count, oversample).mean(axis=1))
    middle_ns = round((oversample - 1) / 2 * step_ns)
    return Frames(rate_hz, recording.begin_ns + middle_ns, np.array(rows))
