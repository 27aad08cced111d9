"""One segment of the ring: an ordinary trace that says whose it is, and can be read while it is still being written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drivers.samples import SampleBlock
from edge.trace.errors import TraceFileError
from edge.trace.format import EPOCH_NS
from edge.trace.frame_codec import RecordedFrame
from edge.trace.sighting import ShelfLook, Sighting
from edge.trace.writer import TraceWriter

if TYPE_CHECKING:
    from edge.config.setup import Setup

RECORDING_NOTE = "shelfedge.recording"
CLOCK_NOTE = "shelfedge.clock"
GAP_NOTE = "shelfedge.gap"
NS_PER_S = 1_000_000_000
CLOCK_STEP_NS = 50_000_000
SIGHTINGS = "/sightings"
FRAMES = "/frames/"
"""What a gap names instead of a board: sightings, or frames of the camera behind it. No board is called so."""
_BYTES_PER_SAMPLE = 16  # more than any block's bytes, before compression
_BYTES_PER_SIGHTING, _BYTES_PER_SLOT = 160, 256  # as much as they take with all their bits
_BYTES_PER_CHUNK = 8192  # heads, indexes, a gap's note


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples of one board that aren't in the recording, from the first to the last of them (both lost), and why.

    ``board`` may be `SIGHTINGS`, or `FRAMES` and a camera; ``samples`` then counts those.
    """

    board: str
    from_ns: int
    to_ns: int
    samples: int
    blocks: int
    why: str

    def joined(self, later: Gap) -> Gap:
        """This gap and a later one as one."""
        return Gap(
            self.board,
            self.from_ns,
            max(self.to_ns, later.to_ns),
            self.samples + later.samples,
            self.blocks + later.blocks,
            self.why,
        )

    def values(self) -> dict[str, str]:
        """As metadata."""
        return {
            "board": self.board,
            "from_ns": str(self.from_ns),
            "to_ns": str(self.to_ns),
            "samples": str(self.samples),
            "blocks": str(self.blocks),
            "why": self.why,
        }

    @staticmethod
    def of_block(block: SampleBlock, why: str) -> Gap:
        """All of a block is lost."""
        return Gap(block.board, int(block.time_ns[0]), int(block.time_ns[-1]), len(block), 1, why)

    @staticmethod
    def of_sightings(sightings: Sequence[Sighting], why: str) -> Gap:
        """All of them are lost."""
        times = [sighting.time_ns for sighting in sightings]
        return Gap(SIGHTINGS, min(times), max(times), len(times), 0, why)

    @staticmethod
    def of_frame(frame: RecordedFrame, why: str) -> Gap:
        """A frame is lost."""
        return Gap(FRAMES + frame.camera, frame.time_ns, frame.time_ns, 1, 0, why)

    @staticmethod
    def of(values: Mapping[str, str]) -> Gap:
        """Out of metadata. Raises KeyError or ValueError for what isn't a gap."""
        from_ns, to_ns, samples, blocks = (int(values[name]) for name in ("from_ns", "to_ns", "samples", "blocks"))
        return Gap(values["board"], from_ns, to_ns, samples, blocks, values["why"])


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the wall clock said at a monotonic instant. ``quality``: synced, free or wrong."""

    mono_ns: int
    wall_ns: int
    quality: str

    @property
    def offset_ns(self) -> int:
        """Wall minus monotonic."""
        return self.wall_ns - self.mono_ns

    def values(self) -> dict[str, str]:
        """As metadata."""
        return {"mono_ns": str(self.mono_ns), "wall_ns": str(self.wall_ns), "time_quality": self.quality}

    @staticmethod
    def of(values: Mapping[str, str]) -> ClockReading:
        """Out of metadata. Raises KeyError or ValueError for what isn't a reading."""
        return ClockReading(int(values["mono_ns"]), int(values["wall_ns"]), values["time_quality"])


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which stretch of a node's life samples are from: one start of the node, one planogram.

    Attributes:
        boot: the node's start; run: counts the planograms since then, from 1.
        os_boot: the machine's start, within which monotonic times can be compared; "" where it isn't known.
        first_event_number: what fusion's first event of this run was numbered.
    """

    node: str
    boot: int
    run: int
    os_boot: str
    first_event_number: int = 1

    def values(self) -> dict[str, str]:
        """As metadata."""
        return {
            "node": self.node,
            "boot": str(self.boot),
            "run": str(self.run),
            "os_boot": self.os_boot,
            "first_event_number": str(self.first_event_number),
        }

    @staticmethod
    def of(values: Mapping[str, str]) -> RunFacts:
        """Out of metadata. Raises KeyError or ValueError for what isn't a run's."""
        return RunFacts(
            values["node"],
            int(values["boot"]),
            int(values["run"]),
            values["os_boot"],
            int(values["first_event_number"]),
        )


def recorded_run(notes: Iterable[tuple[str, Mapping[str, str]]]) -> RunFacts | None:
    """Which run a trace's `TraceReader.notes` say it is of; None for a trace that no node recorded."""
    for name, values in notes:
        if name == RECORDING_NOTE:
            with contextlib.suppress(KeyError, ValueError):
                return RunFacts.of(values)
    return None


def segment_front_bytes(setup: Setup) -> int:
    """The most that a segment takes before its first sample."""
    calibration = 4096 * len(setup.calibration) + 16_384 * len(setup.cameras)
    return len(setup.node_text.encode()) + len(setup.planogram_text.encode()) + calibration + 2 * _BYTES_PER_CHUNK


def sight_bytes(sightings: Iterable[Sighting]) -> int:
    """The most that these sightings take."""
    return sum(
        _BYTES_PER_SIGHTING + (_BYTES_PER_SLOT * len(seen.slots) if isinstance(seen, ShelfLook) else 0)
        for seen in sightings
    )


def os_boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """The machine's start; "" where the system doesn't tell."""
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class SegmentFile:
    """Keeps `edge.trace.writer.TraceFile`: what has come to the disk stays, also when writing fails.

    ``part``: where it is written until it is finished. ``safe_bytes``: how much of it surely is on the disk.
    ``private``: others than its owner and group can't read it.
    Raises OSError when the disk refuses.
    """

    def __init__(self, path: Path, private: bool = False) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.file = os.fdopen(os.open(self.part, flags, 0o640 if private else 0o666), "wb")
        self.safe_bytes = 0

    def sync(self) -> None:
        """Bring to the disk what was written. Raises FileNotFoundError when somebody has removed the file."""
        self.file.flush()
        os.fdatasync(self.file.fileno())
        opened, found = os.fstat(self.file.fileno()), self.part.stat()
        if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            raise FileNotFoundError(2, "the running recording was removed", str(self.part))
        if not self.safe_bytes:  # the file's name must outlive a power cut, too
            folder = os.open(self.part.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.safe_bytes = self.file.tell()

    def finish(self) -> None:
        """Give it its name."""
        try:
            self.sync()
            self.file.close()
            self.part.replace(self.path)
        except OSError as error:
            self.discard()
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def discard(self) -> None:
        """Let go of it, keeping what is sure: what follows may be half a chunk, and comes again in the next segment."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            if self.safe_bytes:
                os.truncate(self.part, self.safe_bytes)
            else:
                self.part.unlink()


@dataclass(slots=True)
class _Unsure:
    """What a power cut would take now, so that it can be written again after a disk error."""

    blocks: list[SampleBlock] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    samples: int = 0
    sightings: list[Sighting] = field(default_factory=list)
    bytes: int = 0
    frames: int = 0

    def __bool__(self) -> bool:
        """Whether anything is to be brought to the disk."""
        return bool(self.samples or self.bytes)


class Segment:
    """The segment that is being written.

    Args:
        path: its name when it is finished.
        facts: whose it is. clock: the wall clock now. number: counts the run's segments, from 1.
        border_ns: samples from here on belong into the next one.
    Attributes:
        first_ns, last_ns: first and newest sample given, None before the first.
        carried: blocks, sightings and gaps not yet sure to be on the disk; of frames only how much they are, since
            they don't come again.
    Raises:
        OSError (also by every method): the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        setup: Setup,
        facts: RunFacts,
        clock: ClockReading,
        number: int,
        border_ns: int,
        private: bool = False,
    ) -> None:
        self.facts = facts
        self.number = number
        self.border_ns = border_ns
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.carried = _Unsure()
        self._clock = clock
        self._chunk_count = 0
        self._sample_count = 0
        front: dict[str, str] = {**facts.values(), "segment": str(number), **_version()}
        notes = [(RECORDING_NOTE, front), (CLOCK_NOTE, clock.values())]
        self._file = SegmentFile(path, private)
        self._writer = TraceWriter(path, setup, notes=notes, target=self._file)

    @property
    def part(self) -> Path:
        """Where it is while it is being written."""
        return self._file.part

    @property
    def safe_bytes(self) -> int:
        """How much of it surely is on the disk."""
        return self._file.safe_bytes

    def write(self, block: SampleBlock) -> None:
        """Add samples. Raises TraceError for what no trace can hold: that block isn't recorded."""
        self._writer.write(block)
        first_ns, last_ns = int(block.time_ns[0]), int(block.time_ns[-1])
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)
        self.carried.blocks.append(block)
        self.carried.samples += len(block)
        self._sample_count += len(block)

    def see(self, sightings: Sequence[Sighting]) -> None:
        """Add what cameras saw. Raises TraceError as `write` does."""
        self._writer.see(sightings)
        self._saw(sightings)
        self.carried.sightings += sightings
        self.carried.bytes += sight_bytes(sightings)

    def picture(self, frame: RecordedFrame) -> None:
        """Add a frame. Raises TraceError as `write` does."""
        self._writer.picture(frame)
        self._saw([frame])
        self.carried.bytes += len(frame.jpeg) + _BYTES_PER_SIGHTING
        self.carried.frames += 1

    def tell(self, clock: ClockReading, gaps: Sequence[Gap]) -> None:
        """Note what is missing, and the wall clock where it isn't as it was."""
        self.carried.gaps += gaps
        for gap in gaps:
            self._writer.note(GAP_NOTE, gap.values())
        if clock.quality != self._clock.quality or abs(clock.offset_ns - self._clock.offset_ns) > CLOCK_STEP_NS:
            self._clock = clock
            self._writer.note(CLOCK_NOTE, clock.values())

    def growth_bytes(self, samples: int = 0, other_bytes: int = 0) -> int:
        """The most that these samples and bytes, the next `flush` and `finish` can add to the file."""
        most = _BYTES_PER_SAMPLE * (self.carried.samples + samples) + self.carried.bytes + other_bytes
        return most + _BYTES_PER_CHUNK * (1 + len(self.carried.gaps)) + 512 * self._chunk_count

    def flush(self, pending: bool) -> None:
        """Bring everything to the disk; without ``pending``, all but the epoch that each board is in."""
        self._writer.flush(pending)
        self._file.sync()
        self._chunk_count += 1
        self.carried = _Unsure() if pending else self._still_pending()

    def finish(self) -> None:
        """The segment is whole."""
        self._writer.close()
        self.carried = _Unsure()

    def leave(self) -> list[Gap]:
        """Stop writing after an error; what is surely on the disk stays. What must be told in the next segment."""
        self._writer.abort()
        gaps = list(self.carried.gaps)
        lost = self._sample_count - self.carried.samples
        if self._file.safe_bytes and not self._file.part.exists() and self.first_ns is not None and lost:
            gaps.append(Gap("", self.first_ns, self.last_ns or self.first_ns, lost, 0, "the file was removed"))
        return gaps

    def _saw(self, seen: Sequence[Sighting | RecordedFrame]) -> None:
        for each in seen:
            self.first_ns = each.time_ns if self.first_ns is None else min(self.first_ns, each.time_ns)
            self.last_ns = each.time_ns if self.last_ns is None else max(self.last_ns, each.time_ns)

    def _still_pending(self) -> _Unsure:
        """The samples of each board's newest epoch: the writer keeps them until the epoch is over."""
        newest: dict[str, int] = {}
        for block in self.carried.blocks:
            newest[block.board] = int(block.time_ns[-1]) // EPOCH_NS * EPOCH_NS
        kept = []
        for block in self.carried.blocks:
            begin = int(np.searchsorted(block.time_ns, newest[block.board]))
            if begin < len(block):
                kept.append(block.part(begin, len(block)))
        return _Unsure(kept, [], sum(map(len, kept)))


def _version() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"version": version("shelfedge")}
    except PackageNotFoundError:
        return {}
