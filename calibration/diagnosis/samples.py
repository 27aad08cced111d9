"""What a diagnosis looks at: a board's samples with all that is known of the board, and one cell's part of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration
from drivers.hx711.codes import RAW, SHIFTED
from drivers.hx711.examiner import LEAST_NOISE_COUNTS
from drivers.hx711.forensics import BlockForensics
from drivers.notices import Notice
from drivers.samples import SampleBlock, SampleFlag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FAULTY_CODES = (
    SampleFlag.SATURATED
    | SampleFlag.CORRUPT_CODE
    | SampleFlag.MISSING
    | SampleFlag.NOT_READY
    | SampleFlag.CUT_SHORT
    | SampleFlag.GAIN_SLIP
    | SampleFlag.SETTLING
    | SampleFlag.DESYNC
    | SampleFlag.LONG_PULSE
    | SampleFlag.RESET
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as the node file has it.

    Attributes:
        capacity_g: rated load. gain: of its converter: 128, 64 or 32.
        kind: what its numbers are: RAW codes, SHIFTED (codes less a tare), or OTHER, of `drivers.hx711.codes`.
    """

    name: str
    x_mm: float
    y_mm: float
    capacity_g: float | None = None
    gain: int = 128
    kind: int = RAW


@dataclass(frozen=True, slots=True)
class Slot:
    """What lies where by the planogram; ``count`` units of ``weight_g`` each."""

    name: str
    x_mm: tuple[float, float]
    y_mm: tuple[float, float]
    weight_g: float
    spread_g: float
    count: int


@dataclass(frozen=True, slots=True)
class BoardSamples:
    """One board for 10 to 30 s, or as long as a recording goes.

    Attributes:
        rate_hz: nominal. supply_v: of the amplifiers; None where nobody knows (then nothing is called noisy that could
            be sound at 2.7 V).
        block: its samples in order of time. notices: what its driver told meanwhile.
        expected_s: how long was listened from the board's first sample on; cells that fall silent are judged by it.
        counted: the slots' counts are what the node has counted, not what lies there when all is full.
    """

    board: str
    width_mm: float
    depth_mm: float
    rate_hz: float
    cells: tuple[Cell, ...]
    block: SampleBlock
    expected_s: float
    record: BoardCalibration | None = None
    slots: tuple[Slot, ...] = ()
    notices: tuple[Notice, ...] = ()
    supply_v: float | None = None
    counted: bool = False


@dataclass(frozen=True, slots=True)
class CellSamples:
    """One cell's samples.

    Attributes:
        time_s: float64[n], since the board's first sample. counts: float64[n]. flags: int64[n].
        usable: bool[n]: the code is a measurement, settled and whole.
        counts_per_gram: with sign, by the record, else by the capacity at 1 mV/V, else None.
        weighed: whether that gain is the record's.
        zero_counts: by the record.
    """

    cell: Cell
    time_s: Floats
    counts: Floats
    flags: Ints
    usable: Bools
    counts_per_gram: float | None
    weighed: bool
    zero_counts: float | None = None

    def __len__(self) -> int:
        return int(self.time_s.size)

    @property
    def kind_is_raw(self) -> bool:
        """Whether its numbers are the chip's own codes."""
        return self.cell.kind == RAW

    def share(self, *flags: SampleFlag) -> float:
        """Of the samples that have one of these flags."""
        wanted = int(sum(flags))
        return float(np.count_nonzero(self.flags & wanted)) / max(len(self), 1)

    def number(self, *flags: SampleFlag) -> int:
        """How many have one of these flags."""
        return int(np.count_nonzero(self.flags & int(sum(flags))))


def judged(board: BoardSamples) -> SampleBlock:
    """The board's samples with all the flags that a live driver would give them; flags they have are kept."""
    block = board.block
    if not len(block):
        return block
    kinds = [cell.kind for cell in board.cells]
    least = LEAST_NOISE_COUNTS if all(kind in (RAW, SHIFTED) for kind in kinds) else 0.0
    forensics = BlockForensics(board.board, kinds, [board.rate_hz] * len(kinds), least)
    parts = [forensics.push(block), forensics.finish()]
    return SampleBlock.join([part for part in parts if len(part)] or [block])


def cells_of(board: BoardSamples) -> list[CellSamples]:
    """Each cell's samples, in the board's order."""
    block = judged(board)
    origin_ns = int(block.time_ns[0]) if len(block) else 0
    found = []
    for index, cell in enumerate(board.cells):
        known = board.record.cells.get(cell.name) if board.record is not None else None
        mine = (block.cell == index) & ((block.flags & int(SampleFlag.MISSING)) == 0)
        flags = block.flags[mine].astype(np.int64)
        nominal = (1 << 24) * cell.gain / 1000.0 / cell.capacity_g if cell.capacity_g else None  # 1 mV/V at capacity
        found.append(
            CellSamples(
                _where_it_stands(cell, known.carries if known is not None else None, board.cells),
                (block.time_ns[mine] - origin_ns).astype(np.float64) / 1e9,
                block.counts[mine].astype(np.float64),
                flags,
                (flags & int(FAULTY_CODES)) == 0,
                known.counts_per_gram if known is not None else nominal,
                known is not None,
                known.zero_counts if known is not None else None,
            )
        )
    return found


def _where_it_stands(cell: Cell, carries: str | None, cells: tuple[Cell, ...]) -> Cell:
    """The cell at the place that its calibration found for it, where that isn't the node file's."""
    there = next((other for other in cells if other.name == carries), cell)
    return replace(cell, x_mm=there.x_mm, y_mm=there.y_mm)
