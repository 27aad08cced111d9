"""Read a trace from front to back: its config, then its epochs. Damage costs what it hit and nothing else."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from drivers.samples import SampleBlock
from edge.trace import format as layout
from edge.trace.block_codec import DecodedBlock, decode_block
from edge.trace.calibration_file import with_stored_cameras, with_stored_records
from edge.trace.cell_order import CellOrder
from edge.trace.channels import Channels, Content
from edge.trace.chunk import Chunk, ChunkDamagedError, messages
from edge.trace.epoch import Epoch
from edge.trace.errors import BlockDamagedError, TraceDamagedError, TraceError, TraceFileError
from edge.trace.event import Label
from edge.trace.format import MAGIC
from edge.trace.frame_codec import RecordedFrame, decode_frame
from edge.trace.labels import labels_from_json
from edge.trace.loss import Loss, losses_text
from edge.trace.records import Attachment, Header, LooseMessage, Metadata, RecordWalk
from edge.trace.sighting import ShelfLook, Sighting, TrackPoint
from edge.trace.sighting_codec import decode_sightings
from edge.trace.tail import totals
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.config.setup import Setup


class TraceReader:
    """A trace file, whole or damaged.

    Args:
        path: the file; a ``.part`` file of a recording that never ended is fine.
        setup: use this config instead of the one in the trace. Cells are matched by their ids.
        known_only: leave out (and report) samples of boards and cells that the config doesn't have.
    Attributes:
        losses: what couldn't be used so far; complete when `epochs` has been read to its end.
        attachments: intact attachments at the front, bytes by name.
        metadata: ``format_version``, ``epoch_ns`` ... as text; empty where they were damaged.
        notes: other intact metadata of shelfedge at the front, name and values: wall time and gaps of a recording.
        begin_ns, end_ns, sample_count: of the whole trace, or None where the file was never finished or is damaged.
    Raises:
        TraceFileError: there is no such file, or it can't be read.
        TraceError: it isn't a trace of shelfedge.
    """

    def __init__(self, path: Path, setup: Setup | None = None, known_only: bool = True) -> None:
        self.path = path
        self.losses: list[Loss] = []
        self.attachments: dict[str, bytes] = {}
        self.metadata: dict[str, str] = {}
        self.notes: list[tuple[str, dict[str, str]]] = []
        self.setup_problem = ""
        self._given = setup
        self._known_only = known_only
        self._front_losses: list[Loss] = []
        self._labels_lost = False
        self._walk: RecordWalk | None = None
        try:
            self._file = path.open("rb")
            self.file_bytes = path.stat().st_size
        except OSError as error:
            raise TraceFileError(f"{path}: can't read it: {error.strerror}") from None
        try:
            self._read_front()
            self.begin_ns, self.end_ns, self.sample_count = totals(self._file, self.file_bytes)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def epoch_ns(self) -> int | None:
        """How long the epochs were when the trace was written; None where that is damaged."""
        text = self.metadata.get("epoch_ns", "")
        return int(text) if text.isdigit() and 0 < int(text) <= 3600 * 10**9 else None

    @property
    def bytes_read(self) -> int:
        """How far `epochs` has come, out of ``file_bytes``."""
        return self._walk.position if self._walk else 0

    @property
    def camera_texts(self) -> dict[str, str]:
        """The cameras' calibration records in the trace, JSON by camera."""
        suffix = layout.CAMERA_RECORD_SUFFIX
        records = {name: data for name, data in self.attachments.items() if name.endswith(suffix)}
        return {name.removesuffix(suffix): data.decode("utf-8", "replace") for name, data in records.items()}

    @cached_property
    def stored_setup(self) -> Setup | None:
        """The config in the trace; None where it is missing or damaged, and then ``setup_problem`` says why."""
        from edge.config.setup import setup_from_texts

        texts = {}
        for name in (layout.NODE_FILE, layout.PLANOGRAM, layout.CALIBRATION):
            if name in self.attachments:
                texts[name] = self.attachments[name].decode("utf-8", "replace")
            elif name != layout.CALIBRATION:
                self.setup_problem = f"{self.path}: the trace has no intact {name}; give the config with --config"
                return None
        three = texts[layout.NODE_FILE], texts[layout.PLANOGRAM], texts.get(layout.CALIBRATION, "")
        try:
            return setup_from_texts(*three, str(self.path), self.camera_texts)
        except ShelfedgeError as error:
            if self.camera_texts:  # a record that only cameras need mustn't cost the samples their config
                with contextlib.suppress(ShelfedgeError):
                    setup = setup_from_texts(*three, str(self.path))
                    self._front_losses.append(Loss(f"the cameras' records can't be used: {error}"))
                    self.losses.append(self._front_losses[-1])
                    return setup
            self.setup_problem = f"{error}\n{self.path}: the config in the trace can't be used; give one with --config"
            return None

    @cached_property
    def setup(self) -> Setup | None:
        """The config that was given, or else the one in the trace; None where there is neither.

        A given config without a board's or a camera's calibration takes the trace's. A board that was recorded in grams
        keeps it in any case: a converter's says nothing about grams.
        """
        if self._given is None:
            return self.stored_setup
        given = with_stored_records(self._given, self.attachments.get(layout.CALIBRATION))
        return with_stored_cameras(given, self.stored_setup) if self.camera_texts else given

    def require_setup(self) -> Setup:
        """`setup`. Raises TraceError, saying what to do, where there is none."""
        if self.setup is None:
            raise TraceError(self.setup_problem)
        return self.setup

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """The labels in the trace; none where there are none or they can't be read (which is a loss)."""
        data = self.attachments.get(layout.LABELS)
        if data is None:
            return ()
        try:
            return labels_from_json(data.decode("utf-8", "replace"), f"{self.path}: {layout.LABELS}")
        except TraceError as error:
            self._labels_lost = True
            self._front_losses.append(Loss(str(error)))
            self.losses.append(self._front_losses[-1])
            return ()

    @property
    def has_labels(self) -> bool:
        """Whether the trace says what happened, if only that nothing did: a list is attached and can be read."""
        return bool(self.labels) or (layout.LABELS in self.attachments and not self._labels_lost)

    def epochs(self) -> Iterator[list[SampleBlock]]:
        """The blocks of all boards, epoch by epoch in order of time; at most one per board in each list.

        Never sleeps, holds 60 epochs at most. ``losses`` starts anew with each call.
        """
        for epoch in self.whole_epochs(sightings=False, frames=False):
            yield epoch.blocks

    def whole_epochs(self, sightings: bool = True, frames: bool = True) -> Iterator[Epoch]:
        """As `epochs`, with what cameras saw and, if wanted, their frames; there may be epochs without samples."""
        order = CellOrder(self.stored_setup, self.setup) if self._known_only and self.setup is not None else None
        self.losses = list(self._front_losses)
        wanted = (
            {Content.SAMPLES} | ({Content.SIGHTINGS} if sightings else set()) | ({Content.FRAME} if frames else set())
        )
        held: dict[int, _Held] = {}
        waiting: list[int] = []
        last_ns: dict[str, int] = {}
        done_ns: int | None = None
        for content, payload, offset in self._payloads(wanted):
            piece = self._decoded(content, payload, offset)
            if piece is None or (order is not None and not piece.fit(order)):
                continue
            if done_ns is not None and piece.epoch_ns <= done_ns:
                self._lose_late(piece)
                continue
            if piece.epoch_ns not in held:
                held[piece.epoch_ns] = _Held()
                heapq.heappush(waiting, piece.epoch_ns)
            held[piece.epoch_ns].take(piece)
            if len(waiting) > layout.HOLD_EPOCHS + 1:
                done_ns = heapq.heappop(waiting)
                yield from self._in_order(done_ns, held.pop(done_ns), last_ns)
        while waiting:
            epoch_ns = heapq.heappop(waiting)
            yield from self._in_order(epoch_ns, held.pop(epoch_ns), last_ns)
        if order is not None:
            self.losses += order.losses()

    def raise_losses(self) -> None:
        """Raises TraceDamagedError (exit code 3) listing what was lost, if anything was."""
        if self.losses:
            in_file = any(loss.offset is not None for loss in self.losses)
            advice = "; `shelfedge trace recover` writes it to a sound file" if in_file else ""
            raise TraceDamagedError(
                f"{losses_text(str(self.path), self.losses)}\n{self.path}: the rest was used{advice}"
            )

    def _payloads(self, wanted: set[Content]) -> Iterator[tuple[Content, bytes | memoryview, int]]:
        """What is wanted of all messages in the order of the file, and the offset of each one's record."""
        walk = self._walk = RecordWalk(self._file, self.file_bytes)
        walk.losses = self.losses
        channels = Channels()
        for record in walk.records():
            if isinstance(record, LooseMessage):
                content = channels.content(record.channel_id, record.payload)
                if content in wanted:
                    yield content, record.payload, record.offset
            elif isinstance(record, Chunk):
                try:
                    for channel, data, is_channel in messages(record):
                        if is_channel:
                            channels.learn(channel, data)
                        elif (content := channels.content(channel, data)) in wanted:
                            yield content, data, record.offset
                except ChunkDamagedError as error:
                    self.losses.append(Loss(f"the rest of a chunk can't be used: {error}", record.offset))

    def _decoded(self, content: Content, payload: bytes | memoryview, offset: int) -> _Piece | None:
        try:
            if content is Content.SAMPLES:
                decoded = decode_block(payload)
                return _Piece(decoded.epoch_begin_ns, decoded)
            if content is Content.SIGHTINGS:
                seen = decode_sightings(payload, (TrackPoint, ShelfLook))
                if seen.unknown:
                    self.losses.append(
                        Loss(f"{seen.unknown} sightings are of kinds that this shelfedge doesn't know", offset)
                    )
                return _Piece(seen.epoch_begin_ns, None, seen.sightings)
            frame = decode_frame(payload)
        except BlockDamagedError as error:
            self.losses.append(Loss(f"a block of {content.value} can't be used: {error}", offset))
            return None
        epoch_ns = self.epoch_ns or layout.EPOCH_NS
        return _Piece(frame.time_ns // epoch_ns * epoch_ns, None, [], frame)

    def _in_order(self, epoch_ns: int, held: _Held, last_ns: dict[str, int]) -> Iterator[Epoch]:
        """One epoch: parts joined, boards in order of the config, and no board's time ever going back."""
        known = list(self.setup.node.boards) if self.setup is not None else []
        blocks = []
        for board in sorted(held.boards, key=lambda name: (known.index(name) if name in known else len(known), name)):
            parts = held.boards[board]
            block = parts[0] if len(parts) == 1 else _sorted(SampleBlock.join(parts))
            before = int(np.searchsorted(block.time_ns, last_ns[board])) if board in last_ns else 0
            if before:
                self._lose_unordered(block, before)
                block = block.part(before, len(block))
            if len(block):
                last_ns[board] = int(block.time_ns[-1])
                blocks.append(block)
        if blocks or held.sightings or held.frames:
            held.frames.sort(key=lambda frame: (frame.time_ns, frame.camera))
            yield Epoch(epoch_ns, blocks, held.sightings, held.frames)

    def _lose_late(self, piece: _Piece) -> None:
        if piece.decoded is not None:
            self._lose_unordered(piece.decoded.block, len(piece.decoded.block))
            return
        what = "a frame lies" if piece.frame is not None else f"{len(piece.sightings)} sightings lie"
        self.losses.append(Loss(f"{what} before what was already read; not used", None, None, *[piece.epoch_ns] * 2))

    def _lose_unordered(self, block: SampleBlock, n_samples: int) -> None:
        what = f"{n_samples} samples of board {block.board} lie before samples already read; they aren't used"
        self.losses.append(Loss(what, None, None, int(block.time_ns[0]), int(block.time_ns[n_samples - 1])))

    def _read_front(self) -> None:
        """Everything before the samples, and whether it is ours at all."""
        walk = RecordWalk(self._file, self.file_bytes)
        ours = False
        profile = ""
        for record in walk.records():
            if isinstance(record, Header):
                profile = record.profile
                ours = ours or profile == layout.PROFILE
            elif isinstance(record, Attachment):
                ours = ours or record.name in layout.ATTACHMENTS
                self.attachments.setdefault(record.name, record.data)
            elif isinstance(record, Metadata) and record.name == layout.METADATA_FORMAT:
                ours = True
                self.metadata = record.values
            elif isinstance(record, Metadata):
                values = layout.unsealed(record.values)
                if values is not None and record.name != layout.METADATA_TOTALS:
                    self.notes.append((record.name, values))
            elif isinstance(record, Chunk):
                ours = ours or _holds_blocks(record)
                break
        self.losses = walk.losses
        if not ours:
            raise TraceError(f"{self.path}: {_why_not_ours(self._file, self.file_bytes, profile)}")
        version = self.metadata.get("format_version", str(layout.FORMAT_VERSION))
        if not version.isdigit() or int(version) > layout.FORMAT_VERSION:
            raise TraceError(
                f"{self.path}: format version {version}; this shelfedge reads up to {layout.FORMAT_VERSION}; "
                "update shelfedge"
            )


@dataclass(slots=True)
class _Piece:
    """One message, decoded: samples, sightings or a frame."""

    epoch_ns: int
    decoded: DecodedBlock | None = None
    sightings: list[Sighting] = field(default_factory=list)
    frame: RecordedFrame | None = None

    def fit(self, order: CellOrder) -> bool:
        """Whether anything is left once samples are only those of the config."""
        if self.decoded is None:
            return True
        block = order.fitted(self.decoded)
        self.decoded = DecodedBlock(block, self.decoded.epoch_begin_ns, self.decoded.cell_count)
        return len(block) > 0


@dataclass(slots=True)
class _Held:
    """What has been read of an epoch that may not be over."""

    boards: dict[str, list[SampleBlock]] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    frames: list[RecordedFrame] = field(default_factory=list)

    def take(self, piece: _Piece) -> None:
        if piece.decoded is not None:
            self.boards.setdefault(piece.decoded.block.board, []).append(piece.decoded.block)
        self.sightings += piece.sightings
        if piece.frame is not None:
            self.frames.append(piece.frame)


def _holds_blocks(chunk: Chunk) -> bool:
    """Whether its first message is one of ours."""
    channels = Channels()
    with contextlib.suppress(ChunkDamagedError, BlockDamagedError):
        for channel, data, is_channel in messages(chunk):
            if is_channel:
                if channels.learn(channel, data) is not Content.FOREIGN:
                    return True
            else:
                return channels.content(channel, data) is Content.SAMPLES and bool(decode_block(data))
    return False


def _why_not_ours(file: BinaryIO, size: int, profile: str) -> str:
    file.seek(0)
    front = file.read(len(MAGIC))
    if not front:
        return "the file is empty; expected a trace (.mcap)"
    if MAGIC.startswith(front[:size]):
        if size <= len(MAGIC) + 64:
            return "the file ends before its first record; nothing can be read from it"
        by = f" (profile {profile!r})" if profile else ""
        return (
            f"an MCAP file{by}, but not a trace of shelfedge; expected one made by `shelfedge trace import` or a node"
        )
    return "not an MCAP file; expected a trace (.mcap); a CSV is made into one by `shelfedge trace import`"


def _sorted(block: SampleBlock) -> SampleBlock:
    if not bool((block.time_ns[1:] < block.time_ns[:-1]).any()):
        return block
    order = np.lexsort((block.cell, block.time_ns))
    return SampleBlock(block.board, block.time_ns[order], block.cell[order], block.counts[order], block.flags[order])
