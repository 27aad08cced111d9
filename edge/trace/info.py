"""What is in a trace, for a person: `shelfedge trace info`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock, SampleFlag
from edge.trace.chip_findings import CellFindings, findings_text
from edge.trace.counted import counted
from edge.trace.epoch import Epoch
from edge.trace.format import FORMAT_VERSION
from edge.trace.info_sights import SightsSummary
from edge.trace.reader import TraceReader
from edge.trace.runs import LongestRun

_STEPS_TO_KNOW = 8
_STUCK_LEAST = 10  # equal codes; at slow rates a second holds fewer
_GAP_PERIODS = 3.0  # a pause this many times the usual one is a gap; an HX711 that skips one conversion makes two


@dataclass(slots=True)
class CellSummary:
    """Attributes:
    sample_count, flagged_count: samples, and those of them with any flag.
    steady_s, steady_steps: time and steps between samples outside gaps; their quotient is the measured rate.
    gap_count, longest_gap_s: pauses of over three usual periods.
    run: the longest run of one code among the samples that have a value.
    """

    sample_count: int = 0
    flagged_count: int = 0
    steady_s: float = 0.0
    steady_steps: int = 0
    gap_count: int = 0
    longest_gap_s: float = 0.0
    usual_ns: float = 0.0
    usual_steps: int = 0
    last_ns: int | None = None
    run: LongestRun = field(default_factory=LongestRun)

    @property
    def rate_hz(self) -> float | None:
        """Samples per second outside gaps; None for fewer than two samples."""
        return self.steady_steps / self.steady_s if self.steady_s > 0 else None

    def add(self, time_ns: npt.NDArray[np.int64], counts: npt.NDArray[np.int32], flags: npt.NDArray[np.uint16]) -> None:
        """The next samples of the cell."""
        has_value = (flags & SampleFlag.MISSING.value) == 0
        self.run.add(time_ns[has_value], counts[has_value])
        self.sample_count += time_ns.size
        self.flagged_count += int(np.count_nonzero(flags))
        steps = np.diff(time_ns) if self.last_ns is None else np.diff(time_ns, prepend=np.int64(self.last_ns))
        self.last_ns = int(time_ns[-1])
        if not steps.size:
            return
        if self.usual_steps < _STEPS_TO_KNOW and steps.size > self.usual_steps:
            # What is usual comes from the samples: the config's rate may be wrong, which is what this table shows.
            self.usual_ns, self.usual_steps = float(np.median(steps)), steps.size
        gaps = steps > _GAP_PERIODS * self.usual_ns
        self.gap_count += int(np.count_nonzero(gaps))
        if gaps.any():
            self.longest_gap_s = max(self.longest_gap_s, float(steps[gaps].max()) / 1e9)
        self.steady_s += float(steps[~gaps].sum()) / 1e9
        self.steady_steps += int(np.count_nonzero(~gaps))


@dataclass(slots=True)
class TraceSummary:
    """Everything counted in one pass. ``cells`` by board and index of the cell; ``chips`` only those of the config.

    ``begin_ns``, ``end_ns``: of the samples. ``seen_ns``: first and last time of the epochs in which a camera saw.
    """

    begin_ns: int | None = None
    end_ns: int | None = None
    cells: dict[tuple[str, int], CellSummary] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    chips: dict[tuple[str, int], CellFindings] = field(default_factory=dict)
    sights: SightsSummary = field(default_factory=SightsSummary)
    seen_ns: tuple[int, int] | None = None

    @property
    def sample_count(self) -> int:
        """Samples of all cells."""
        return sum(cell.sample_count for cell in self.cells.values())

    def add(self, block: SampleBlock) -> None:
        """The next block of a board."""
        first, last = int(block.time_ns[0]), int(block.time_ns[-1])
        self.begin_ns = first if self.begin_ns is None else min(self.begin_ns, first)
        self.end_ns = last if self.end_ns is None else max(self.end_ns, last)
        for index in np.unique(block.cell).tolist():
            at = block.cell == index
            self.cells.setdefault((block.board, index), CellSummary()).add(
                block.time_ns[at], block.counts[at], block.flags[at]
            )
            chip = self.chips.get((block.board, index))
            at &= (block.flags & SampleFlag.MISSING.value) == 0
            if chip is not None and at.any():
                chip.add(block.time_ns[at], block.counts[at], block.flags[at])
        if block.flags.any():
            for flag in SampleFlag:
                count = int(np.count_nonzero(block.flags & flag.value))
                if count:
                    name = (flag.name or str(flag.value)).lower().replace("_", " ")
                    self.flags[name] = self.flags.get(name, 0) + count

    def saw(self, epoch: Epoch) -> None:
        """What cameras saw in an epoch."""
        self.sights.add(epoch.sightings, epoch.frames)
        first, last = epoch.times_ns
        known = self.seen_ns or (first, last)
        self.seen_ns = min(known[0], first), max(known[1], last)


def summarize(reader: TraceReader, progress: Callable[[int, int], None] | None = None) -> TraceSummary:
    """One pass over a trace that was opened with ``known_only=False``."""
    summary = TraceSummary()
    setup = reader.setup
    for name, board in setup.node.boards.items() if setup is not None else ():
        records = setup.calibration[name].cells if setup is not None and name in setup.calibration else {}
        for index, cell in enumerate(board.cells):
            summary.chips[name, index] = CellFindings.of(records.get(cell))
    for epoch in reader.whole_epochs():
        for block in epoch.blocks:
            summary.add(block)
        if epoch.sightings or epoch.frames:
            summary.saw(epoch)
        if progress:
            progress(reader.bytes_read, reader.file_bytes)
    return summary


def info_text(reader: TraceReader, summary: TraceSummary) -> str:
    """The page that `shelfedge trace info` prints."""
    setup = reader.setup
    boards = sorted({board for board, _ in summary.cells} | set(setup.node.boards if setup is not None else ()))
    lines = [f"trace     {reader.path}"]
    if setup is not None:
        lines.append(f"node      {setup.node.node}")
    begin_ns, end_ns = summary.begin_ns, summary.end_ns
    if begin_ns is None and summary.seen_ns is not None:  # a trace of cameras alone
        begin_ns, end_ns = summary.seen_ns
    if begin_ns is not None and end_ns is not None:
        seconds = (end_ns - begin_ns) / 1e9
        lines.append(f"duration  {seconds:.3f} s (from {begin_ns / 1e9:.3f} s to {end_ns / 1e9:.3f} s)")
    total = summary.sample_count
    per_sample = f", {reader.file_bytes / total:.2f} bytes per sample" if total else ""
    lines.append(f"samples   {total} of {counted(len(boards), 'board')}, {counted(len(summary.cells), 'cell')}")
    lines.append(f"size      {reader.file_bytes} bytes{per_sample}")
    lines.append(f"format    shelfedge trace, version {reader.metadata.get('format_version', f'{FORMAT_VERSION}?')}")
    lines.append(f"labels    {_labels_text(reader)}")
    if setup is not None:
        calibrated = [board for board in setup.node.boards if board in setup.calibration]
        lines.append(f"weighed   {', '.join(calibrated) or 'no board has a calibration'}")
    else:
        lines.append(f"config    {reader.setup_problem}")
    lines += summary.sights.lines(reader.camera_texts)
    flags = ", ".join(f"{count} {name}" for name, count in sorted(summary.flags.items()))
    lines.append(f"flags     {flags or 'none'}")
    lines += ["", *_table(reader, summary, boards)]
    chips = _chips(reader, summary)
    if chips:
        lines += ["", *chips]
    stuck = _stuck_cells(reader, summary)
    if stuck:
        lines += ["", *stuck]
    if reader.losses:
        lines += ["", f"DAMAGED   {counted(len(reader.losses), 'place')}, listed below"]
    return "\n".join(lines)


def _labels_text(reader: TraceReader) -> str:
    if not reader.has_labels:
        return "none attached"
    return f"{len(reader.labels)}" if reader.labels else "0 (an empty list is attached: nothing happened)"


def _table(reader: TraceReader, summary: TraceSummary, boards: list[str]) -> list[str]:
    setup = reader.setup
    rows = [("board", "cell", "samples", "rate Hz", "nominal", "gaps", "longest s", "flagged")]
    for board in boards:
        section = setup.node.boards.get(board) if setup is not None else None
        names = list(section.cells) if section is not None else []
        seen = [index for name, index in summary.cells if name == board]
        for index in range(max(len(names), max(seen, default=-1) + 1)):
            cell = summary.cells.get((board, index), CellSummary())
            rows.append(
                (
                    board if section is not None or setup is None else f"{board} (not in the config)",
                    names[index] if index < len(names) else f"number {index}",
                    str(cell.sample_count),
                    "-" if cell.rate_hz is None else f"{cell.rate_hz:.3f}",
                    "-" if section is None else f"{section.rate_hz:g}",
                    str(cell.gap_count),
                    f"{cell.longest_gap_s:.3f}" if cell.gap_count else "-",
                    str(cell.flagged_count),
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _chips(reader: TraceReader, summary: TraceSummary) -> list[str]:
    """A line for each cell whose converter was read wrongly, restarted, or wasn't read."""
    setup = reader.setup
    lines = []
    for (board, index), found in sorted(summary.chips.items()):
        text = findings_text(found)
        if text and setup is not None:
            lines.append(f"chip      {board} cell {list(setup.node.boards[board].cells)[index]}: {text}")
    return lines


def _stuck_cells(reader: TraceReader, summary: TraceSummary) -> list[str]:
    """A line for each cell that repeated one code for over a second of samples; grams repeat, so those don't count."""
    setup = reader.setup
    lines = []
    for (board, index), cell in sorted(summary.cells.items()):
        section = setup.node.boards.get(board) if setup is not None else None
        names = list(section.cells) if section is not None else []
        name = names[index] if index < len(names) else f"number {index}"
        record = setup.calibration.get(board) if setup is not None else None
        known = record.cells.get(name) if record is not None else None
        if known is not None and known.adc_bits == 0:
            continue
        run = cell.run
        if run.length > max(cell.rate_hz or 0.0, _STUCK_LEAST):
            lines.append(
                f"stuck     {board} cell {name}: code {run.code} for {run.length} samples in a row, "
                f"from {run.begin_ns / 1e9:.3f} s to {run.end_ns / 1e9:.3f} s"
            )
    return lines


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    names = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
    return names + [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
