"""A diagnosis from where samples are: a running node's recording, the hardware itself, or a trace.

All three give the same thing, a `Gathered`; what is found in it is `calibration.diagnosis`'s affair, and the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibration.diagnosis.diagnose import BoardLook, diagnose_boards
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.link import explained, link_verdict, told_of
from calibration.diagnosis.samples import BoardSamples, Cell, Slot
from calibration.diagnosis.verdicts import Diagnosis, PartVerdict, part
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.node.board_facts import gains_of
from edge.node.ring_segment import CLOCK_NOTE, GAP_NOTE, ClockReading, Gap
from edge.trace.cell_kind import kind_of
from edge.trace.loss import Loss
from edge.trace.reader import TraceReader
from firmware_bridge.errors import ShelfedgeError

USUAL_S, SHORTEST_S, LONGEST_S = 20.0, 8.0, 600.0
TRACE_S = 600.0
"""Of a recording, the last ten minutes are looked at, unless told otherwise."""


_NEEDS_CALM = (Fault.NOISY, Fault.FLOATING, Fault.MAINS, Fault.IMPULSES, Fault.DRIFT, Fault.VIBRATION)


class DiagnosisError(ShelfedgeError, ValueError):
    """A diagnosis is asked for that can't be made. Example: a trace without samples."""


class DiagnosisUsageError(DiagnosisError):
    """Wrong usage. Examples: a board that isn't there, a time in which nothing can be seen."""

    exit_code = 2


@dataclass(frozen=True)
class Gathered:
    """What a diagnosis is made of.

    Attributes:
        source: where it is from, for people.
        blocks: by board, samples in order of time; a board without any is left out.
        expected_s: how long was listened. listened: to hardware, which may have been silent at its end; a recording
            ends with its last sample.
        notices: what drivers told meanwhile. failures: why a board's driver couldn't go on, by board.
        mcus: what is known of the MCU a board hangs on. health: the running node's report.
        losses: what couldn't be used of a damaged recording.
        ended: when the newest sample was taken, where a recording knows.
        cameras: how each does, as in a health report, where they were opened for this.
        stills: JPEGs by camera, where they were asked for.
        counted: the planogram's counts are what the node has counted, not what lies there when all is full.
    """

    source: str
    setup: Setup
    blocks: Mapping[str, SampleBlock]
    expected_s: float
    listened: bool = False
    notices: Sequence[Notice] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    mcus: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    health: Mapping[str, Any] | None = None
    losses: Sequence[Loss] = ()
    counted: bool = False
    ended: datetime | None = None
    cameras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stills: Mapping[str, bytes] = field(default_factory=dict)


def from_trace(path: Path, setup: Setup | None = None, seconds: float = TRACE_S) -> Gathered:
    """The last ``seconds`` of a recording. Damage costs what it hit, and is told in `Gathered.losses`.

    Raises TraceError, TraceFileError where it isn't a trace or has no setup, DiagnosisError where it has no samples.
    """
    with TraceReader(path, setup) as reader:
        found = reader.require_setup()
        kept: list[SampleBlock] = []
        newest_ns = 0
        for blocks in reader.epochs():
            kept += blocks
            newest_ns = max(newest_ns, *(int(block.time_ns[-1]) for block in blocks))
            if len(kept) > 256:
                kept = [block for block in kept if int(block.time_ns[-1]) >= newest_ns - round(seconds * 1e9)]
        losses = list(reader.losses)
        holes, clocks = _noted(reader)
    if not kept:
        raise DiagnosisError(f"{path}: there are no samples in it; expected a recording of at least {SHORTEST_S:g} s")
    begin_ns = newest_ns - round(seconds * 1e9)
    after_ns = max((hole.to_ns for hole in holes), default=begin_ns)  # what the recorder lost is no cell's fault
    if newest_ns - after_ns > round(SHORTEST_S * 1e9):
        begin_ns = max(begin_ns, after_ns)
    by_board = joined(kept, begin_ns)
    first_ns = min(int(block.time_ns[0]) for block in by_board.values())
    ended = datetime.fromtimestamp((newest_ns + clocks[-1].offset_ns) / 1e9, UTC) if clocks else None
    return Gathered(f"trace {path}", found, by_board, (newest_ns - first_ns) / 1e9, losses=losses, ended=ended)


def _noted(reader: TraceReader) -> tuple[list[Gap], list[ClockReading]]:
    """What its recorder wrote down beside the samples; what isn't as it should be is left out."""
    holes, clocks = [], []
    for name, values in reader.notes:
        with contextlib.suppress(KeyError, ValueError):
            if name == GAP_NOTE:
                holes.append(Gap.of(values))
            elif name == CLOCK_NOTE:
                clocks.append(ClockReading.of(values))
    return holes, clocks


def joined(blocks: Sequence[SampleBlock], from_ns: int) -> dict[str, SampleBlock]:
    """By board, what begins at ``from_ns``."""
    by_board: dict[str, list[SampleBlock]] = {}
    for block in blocks:
        first = int(block.time_ns.searchsorted(from_ns))
        if first < len(block):
            by_board.setdefault(block.board, []).append(block.part(first, len(block)))
    return {board: SampleBlock.join(parts) for board, parts in by_board.items()}


def chosen(gathered: Gathered, boards: Sequence[str]) -> Gathered:
    """Only these boards of it; all where none are named. Raises DiagnosisUsageError for one that isn't in the setup."""
    there = gathered.setup.node.boards
    unknown = [board for board in boards if board not in there]
    if unknown:
        raise DiagnosisUsageError(f"no board {unknown[0]!r} here; expected one of {', '.join(there)}")
    if not boards:
        return gathered
    node = gathered.setup.node.model_copy(update={"boards": {name: there[name] for name in there if name in boards}})
    return dataclasses.replace(gathered, setup=dataclasses.replace(gathered.setup, node=node))


def diagnose(
    gathered: Gathered,
    now: datetime | None = None,
    supply_v: float | None = None,
    more: Sequence[PartVerdict] = (),
) -> tuple[Diagnosis, list[BoardLook]]:
    """The verdicts, and what was measured for the report. ``more``: the node's own and its links' verdicts."""
    boards = [_board_samples(gathered, name, supply_v) for name in gathered.setup.node.boards]
    parts, looks = diagnose_boards(boards, now)
    links = [*_links(gathered), *more]
    parts = explained(parts, links)
    if gathered.expected_s < SHORTEST_S:
        parts = [_of_a_moment(each, gathered.expected_s) for each in parts]
    return Diagnosis(gathered.source, gathered.expected_s, (*parts, *links)), looks


def _of_a_moment(whole: PartVerdict, seconds: float) -> PartVerdict:
    """Without what needs a calm stretch: a hand on the board is as loud as a loose wire."""
    left = [each for each in whole.findings if each.fault not in _NEEDS_CALM]
    if len(left) == len(whole.findings):
        return whole
    unseen = f"noise, mains, vibration and drift: {seconds:.1f} s are too few; it takes {SHORTEST_S:g} s"
    return part(whole.kind, whole.name, left, [*whole.unseen, unseen], whole.figures)


def _board_samples(gathered: Gathered, name: str, supply_v: float | None) -> BoardSamples:
    setup, board = gathered.setup, gathered.setup.node.boards[name]
    record = setup.calibration.get(name)
    gains = gains_of(board)
    skus = setup.planogram.skus
    cells = tuple(
        Cell(cell_name, cell.x_mm, cell.y_mm, cell.capacity_g, gains.get(cell_name, 128), kind_of(known))
        for cell_name, cell in board.cells.items()
        for known in [record.cells.get(cell_name) if record is not None else None]
    )
    slots = tuple(
        Slot(
            slot_name,
            slot.x_mm,
            slot.y_mm or (0.0, board.depth_mm),
            skus[slot.sku].weight_g,
            skus[slot.sku].spread_g,
            slot.count,
        )
        for slot_name, slot in setup.slots_on(name).items()
    )
    block = gathered.blocks.get(name, SampleBlock.empty(name))
    expected_s = gathered.expected_s
    if len(block) and not gathered.listened:
        newest_ns = max(int(each.time_ns[-1]) for each in gathered.blocks.values())
        expected_s = (newest_ns - int(block.time_ns[0])) / 1e9
    return BoardSamples(
        name,
        board.width_mm,
        board.depth_mm,
        board.rate_hz,
        cells,
        block,
        expected_s,
        record,
        slots,
        tuple(notice for notice in gathered.notices if notice.board == name),
        supply_v,
        gathered.counted,
    )


def _links(gathered: Gathered) -> list[PartVerdict]:
    """Of boards whose driver could tell something. A running node's are in its health, and a recording has none."""
    from edge.node.diagnose_files import bundled_crc32

    if gathered.health is not None:
        return []
    found = []
    for name in gathered.setup.node.boards:
        mine = [notice for notice in gathered.notices if notice.board == name]
        mcu, failure = gathered.mcus.get(name), gathered.failures.get(name, "")
        if mcu is None and not mine and not failure:
            continue
        samples = len(gathered.blocks.get(name, SampleBlock.empty(name)))
        found.append(link_verdict(name, told_of(mine), samples, mcu, bundled_crc32(), failure))
    return found


def check_seconds(seconds: float) -> float:
    """Raises DiagnosisUsageError for a time in which nothing can be seen, or that nobody would wait for."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise DiagnosisUsageError(f"--seconds {seconds:g}: expected {SHORTEST_S:g} to {LONGEST_S:g}")
    return seconds


def raise_losses(path: Path, losses: Sequence[Loss]) -> None:
    """Raises TraceDamagedError (exit code 3) where a recording was damaged."""
    from edge.trace.errors import TraceDamagedError
    from edge.trace.loss import losses_text

    if losses:
        raise TraceDamagedError(f"{losses_text(str(path), losses)}\n{path}: the rest was used")
