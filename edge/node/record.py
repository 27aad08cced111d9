"""Traces out of the ring: which runs are in it, which piece is wanted, and that piece as one trace.

A run is what one fusion saw: from a start of the node, or from a new planogram, to its end. Its segments, joined, are
one trace; two runs never are, because the clock, the planogram or fusion's memory are others.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.node.ring_facts import SegmentFacts, segment_facts
from edge.node.ring_folder import segments_in
from edge.node.ring_segment import CLOCK_NOTE, GAP_NOTE, NS_PER_S, RECORDING_NOTE, ClockReading, Gap, RunFacts
from edge.trace.epoch import Epoch
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.format import EPOCH_NS
from edge.trace.loss import Loss
from edge.trace.reader import TraceReader
from edge.trace.sighting import Sighting
from edge.trace.whole_file import WholeFile, refuse_same_file
from edge.trace.writer import TraceWriter

if TYPE_CHECKING:
    from edge.config.setup import Setup

_QUALITIES = ("synced", "free", "wrong")
_SEEN_AGAIN_NS = 60 * NS_PER_S
Progress = Callable[[int, int], None]


class NothingRecordedError(TraceError):
    """The ring doesn't hold what was asked for; the text says what it holds."""


@dataclass(slots=True)
class Run:
    """A run and its segments, oldest first.

    Attributes:
        clock: the best that is known of wall time in it; None where nothing is.
        is_last: the newest run of the ring.
    """

    facts: RunFacts
    segments: list[SegmentFacts]
    clock: ClockReading | None = None
    is_last: bool = False

    @property
    def begin_ns(self) -> int:
        """The first sample's time, monotonic."""
        return min(segment.begin_ns for segment in self.segments if segment.begin_ns is not None)

    @property
    def end_ns(self) -> int:
        """The last sample's time, monotonic; of a run that wasn't ended, up to a second more."""
        return max(segment.end_ns for segment in self.segments if segment.end_ns is not None)

    @property
    def from_start(self) -> bool:
        """Whether the run's beginning is still in the ring."""
        return self.segments[0].number == 1

    @property
    def is_whole(self) -> bool:
        """Whether it was ended and written to its end."""
        return self.segments[-1].path.suffix != ".part"

    @property
    def gaps(self) -> list[Gap]:
        """What is missing, in order of time: what the recorder told, and segments that have gone."""
        found = [gap for segment in self.segments for gap in segment.gaps]
        for before, after in zip(self.segments, self.segments[1:], strict=False):
            if before.end_ns is None or after.begin_ns is None or not (before.number and after.number):
                continue
            if after.number != before.number + 1:
                why = "a segment is missing" if after.number > before.number else "the recorder was started again"
                found.append(Gap("", before.end_ns, max(before.end_ns, after.begin_ns), 0, 0, why))
        return sorted(found, key=lambda gap: gap.from_ns)

    def wall_ns(self, mono_ns: int) -> int | None:
        """Wall time of an instant of the run, as well as it is known."""
        return None if self.clock is None else mono_ns + self.clock.offset_ns


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of a run from ``begin_ns`` (with it) to ``end_ns`` (without it); None: from its beginning, to its end."""

    run: Run
    begin_ns: int | None = None
    end_ns: int | None = None


@dataclass(slots=True)
class Written:
    """What came out: the trace's first and last sample, gaps in it, and damage that was met.

    Attributes:
        frames_kept: there are pictures of that time, whether they were wanted or not.
    """

    path: Path
    piece: Piece
    samples: int = 0
    sightings: int = 0
    frames: int = 0
    frames_kept: bool = False
    begin_ns: int = 0
    end_ns: int = 0
    from_start: bool = False
    gaps: list[Gap] = field(default_factory=list)
    losses: list[tuple[Path, Loss]] = field(default_factory=list)


def runs_in(folder: Path) -> list[Run]:
    """The ring's runs that have samples, oldest first. Raises OSError when the folder can't be looked into."""
    runs: list[Run] = []
    for name in segments_in(folder):
        facts = segment_facts(name.path)
        if facts is None and name.is_part:  # it may have been finished since we looked
            facts = segment_facts(name.path.with_suffix(""))
        if facts is None or facts.begin_ns is None:
            continue
        whose = facts.run or RunFacts("", name.boot, name.run, "")
        if not runs or (runs[-1].facts.boot, runs[-1].facts.run) != (whose.boot, whose.run):
            runs.append(Run(whose, []))
        runs[-1].segments.append(facts)
    if runs:
        runs[-1].is_last = True
    for run in runs:
        run.clock = _best_clock(run, runs)
    return runs


def _best_clock(run: Run, runs: Sequence[Run]) -> ClockReading | None:
    """The latest reading of the best quality; runs of one start of the machine share the monotonic clock."""
    alike = [
        other for other in runs if other is run or (run.facts.os_boot and other.facts.os_boot == run.facts.os_boot)
    ]
    readings = [clock for other in alike for segment in other.segments for clock in segment.clocks]
    ranked = [(-_rank(clock.quality), clock.mono_ns, clock) for clock in readings]
    return max(ranked, key=lambda item: item[:2])[2] if ranked else None


def _rank(quality: str) -> int:
    return _QUALITIES.index(quality) if quality in _QUALITIES else len(_QUALITIES)


def newest_ns(run: Run) -> int:
    """The very time of a run's newest sample, out of its last segments."""
    for segment in reversed(run.segments):
        newest = None
        with suppress(TraceError, TraceFileError), TraceReader(_still(segment.path), known_only=False) as reader:
            if reader.end_ns is not None:
                return reader.end_ns
            for epoch in reader.whole_epochs(frames=False):
                newest = epoch.times_ns[1]
        if newest is not None:
            return newest
    return run.end_ns - 1


def last_piece(runs: Sequence[Run], last_s: float) -> list[Piece]:
    """The last ``last_s`` that were recorded, run by run, oldest first."""
    if not runs:
        return []
    run = runs[-1]
    end_ns = newest_ns(run)
    begin_ns = end_ns - round(last_s * NS_PER_S)
    wall_ns = run.wall_ns(begin_ns)
    earlier = [] if wall_ns is None or begin_ns >= run.begin_ns else wall_piece(runs[:-1], wall_ns, None)
    return [*earlier, Piece(run, begin_ns)]


def wall_piece(runs: Sequence[Run], from_ns: int | None, to_ns: int | None) -> list[Piece]:
    """What was recorded between two wall times, run by run, oldest first; None: no bound."""
    pieces = []
    for run in runs:
        if run.clock is None:
            continue
        begin_ns = None if from_ns is None else from_ns - run.clock.offset_ns
        end_ns = None if to_ns is None else to_ns - run.clock.offset_ns
        if (begin_ns is None or begin_ns < run.end_ns) and (end_ns is None or end_ns > run.begin_ns):
            pieces.append(Piece(run, begin_ns, end_ns))
    return pieces


def piece_around(runs: Sequence[Run], boot: int, time_ns: int, before_s: float, after_s: float) -> Piece | None:
    """The time around an instant of a boot, within the run it lies in; None when the ring doesn't hold the instant."""
    for run in reversed(runs):
        if run.facts.boot == boot and run.begin_ns <= time_ns <= run.end_ns:
            return Piece(run, time_ns - round(before_s * NS_PER_S), time_ns + round(after_s * NS_PER_S))
    return None


def write_piece(
    piece: Piece, target: Path, progress: Progress | None = None, pictures: Run | None = None, with_frames: bool = False
) -> Written:
    """One trace out of a run's segments, with its setup, its clock and its gaps.

    ``pictures``: the same run in the ring of frames; they are only taken along ``with_frames``,
    and then only its owner may read the trace.
    Raises NothingRecordedError when nothing lies in the piece, TraceFileError when the disk refuses.
    """
    run = piece.run
    segments = _inside(run, piece)
    picture_segments = [] if pictures is None else _inside(pictures, piece)
    for segment in [*run.segments, *picture_segments]:
        refuse_same_file(segment.path, target)
    written = Written(target, piece, frames_kept=bool(picture_segments))
    if not with_frames:
        picture_segments = []
    reading = _Reading(piece, written, sum(segment.bytes for segment in [*segments, *picture_segments]), progress)
    setup, attachments = _front(segments)
    with ExitStack() as stack:
        writer: TraceWriter | None = None
        streams = reading.epochs(segments, frames=False), reading.epochs(picture_segments, frames=True)
        for epoch in heapq.merge(*streams, key=lambda epoch: epoch.begin_ns):
            first_ns, last_ns = epoch.times_ns
            if writer is None:
                written.begin_ns = first_ns
                begun = piece.begin_ns is None or piece.begin_ns <= run.begin_ns
                written.from_start = run.from_start and begun and not written.losses
                writer = stack.enter_context(
                    TraceWriter(
                        target,
                        setup,
                        epoch_ns=reading.epoch_ns,
                        attachments=attachments,
                        notes=_notes(run, written, piece),
                        target=WholeFile(target, private=with_frames),
                    )
                )
            writer.write_epoch(epoch)
            written.begin_ns, written.end_ns = min(written.begin_ns, first_ns), max(written.end_ns, last_ns)
        if writer is None:
            raise NothingRecordedError("nothing was recorded in that time")
    written.samples, written.sightings, written.frames = (
        writer.sample_count,
        writer.sighting_count,
        writer.frame_count,
    )
    gaps = [*run.gaps, *(pictures.gaps if pictures is not None and with_frames else [])]
    written.gaps = [gap for gap in gaps if gap.to_ns >= written.begin_ns and gap.from_ns <= written.end_ns]
    return written


def _inside(run: Run, piece: Piece) -> list[SegmentFacts]:
    return [
        segment
        for segment in run.segments
        if segment.begin_ns is not None
        and segment.end_ns is not None
        and (piece.end_ns is None or segment.begin_ns < piece.end_ns)
        and (piece.begin_ns is None or segment.end_ns >= piece.begin_ns)
    ]


def _front(segments: Sequence[SegmentFacts]) -> tuple[Setup | None, dict[str, bytes]]:
    """The setup and the attachments of the first segment in which they are intact; they are the same in all."""
    attachments: dict[str, bytes] = {}
    for segment in segments:
        try:
            with TraceReader(_still(segment.path)) as reader:
                attachments = attachments or dict(reader.attachments)
                if reader.stored_setup is not None:
                    return reader.stored_setup, dict(reader.attachments)
        except (TraceError, TraceFileError):
            continue
    return None, attachments


def _still(path: Path) -> Path:
    """Where a segment is now: the running one may have been finished since it was listed."""
    return path.with_suffix("") if path.suffix == ".part" and not path.exists() else path


@dataclass(slots=True)
class _Reading:
    """What of a run's segments lies in a piece, each thing once although segments may overlap."""

    piece: Piece
    written: Written
    total_bytes: int
    progress: Progress | None
    epoch_ns: int = EPOCH_NS
    done_bytes: int = 0

    def epochs(self, segments: Sequence[SegmentFacts], frames: bool) -> Iterator[Epoch]:
        """Frames alone, or all but them."""
        last_ns: dict[str, int] = {}
        seen: set[Sighting] = set()
        for segment in segments:
            try:
                reader = TraceReader(_still(segment.path), known_only=False)
            except (TraceError, TraceFileError) as error:  # damaged, or the ring has let go of it meanwhile
                self.written.losses.append((segment.path, Loss(str(error))))
                continue
            with reader:
                self.epoch_ns = reader.epoch_ns or EPOCH_NS
                before, new = dict(last_ns), []
                for whole in reader.whole_epochs(sightings=not frames, frames=frames):
                    epoch = whole.part(self.piece.begin_ns, self.piece.end_ns)
                    epoch = None if epoch is None else _unread(epoch, before, seen)
                    if epoch is None:
                        continue
                    for block in epoch.blocks:
                        last_ns[block.board] = int(block.time_ns[-1])
                    new += epoch.sightings
                    yield epoch
                    if self.progress:
                        self.progress(self.done_bytes + reader.bytes_read, self.total_bytes)
                seen = _recent([*seen, *new])
                self.written.losses += [
                    (segment.path, loss) for loss in reader.losses if not _is_open_end(reader, loss)
                ]
            self.done_bytes += segment.bytes


def _unread(epoch: Epoch, last_ns: dict[str, int], seen: set[Sighting]) -> Epoch | None:
    """An epoch without what an earlier segment gave: after a disk error what may have been lost is written again."""
    blocks = []
    for block in epoch.blocks:
        known_ns = last_ns.get(block.board)
        first = 0
        if known_ns is not None and int(block.time_ns[0]) < known_ns:
            first = int(np.searchsorted(block.time_ns, known_ns, "right"))
        if first < len(block):
            blocks.append(block.part(first, len(block)))
    sightings = [sighting for sighting in epoch.sightings if sighting not in seen]
    return Epoch(epoch.begin_ns, blocks, sightings, epoch.frames) if blocks or sightings or epoch.frames else None


def _recent(sightings: list[Sighting]) -> set[Sighting]:
    """Those that another segment may hold, too."""
    newest_ns = max((sighting.time_ns for sighting in sightings), default=0)
    return {sighting for sighting in sightings if sighting.time_ns > newest_ns - _SEEN_AGAIN_NS}


def _is_open_end(reader: TraceReader, loss: Loss) -> bool:
    """Whether this only says that the segment is still being written, or that its node died."""
    at_end = loss.offset is not None and loss.offset + (loss.size or 0) >= reader.file_bytes
    return reader.path.suffix == ".part" and at_end


def _notes(run: Run, written: Written, piece: Piece) -> list[tuple[str, dict[str, str]]]:
    front = run.facts.values()
    if run.from_start:
        front["run_begin_ns"] = str(run.begin_ns)
    notes = [(RECORDING_NOTE, front)]
    if run.clock is not None:
        at_ns = written.begin_ns
        clock = ClockReading(at_ns, at_ns + run.clock.offset_ns, run.clock.quality)
        notes.append((CLOCK_NOTE, clock.values()))
    for gap in run.gaps:
        if gap.to_ns >= written.begin_ns and (piece.end_ns is None or gap.from_ns < piece.end_ns):
            notes.append((GAP_NOTE, gap.values()))
    return notes
