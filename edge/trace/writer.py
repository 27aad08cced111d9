"""Write a trace: an MCAP file of blocks that alone is enough to replay.

Config, planogram, calibration, cameras' records and labels go to the front, so that a file that was cut off still
replays. What cameras saw and their pictures are messages of channels of their own, which those who only want samples
pass over. The file is written as ``<name>.<random>.part`` and gets its name only when it is whole and on the disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from calibration.record import calibration_to_json
from drivers.samples import SampleBlock
from edge.trace import format as layout
from edge.trace import frame_codec, sighting_codec
from edge.trace.block_codec import LAYOUT, MESSAGE_ENCODING, SCHEMA_NAME, encode_block
from edge.trace.epoch import Epoch
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.event import Label
from edge.trace.frame_codec import RecordedFrame, encode_frame
from edge.trace.labels import labels_to_json
from edge.trace.sight_pending import SightPending
from edge.trace.sighting import Sighting
from edge.trace.sighting_codec import encode_sightings
from edge.trace.whole_file import WholeFile

if TYPE_CHECKING:
    from edge.config.setup import Setup

_MAX_TIME_NS = 1 << 62  # leaves room to add and subtract epochs without overflow; 2^62 ns of unix time is the year 2116


class TraceFile(Protocol):
    """What a trace is written to: `WholeFile`, or another idea of what becomes of a file that isn't finished."""

    @property
    def file(self) -> BinaryIO:
        """Open for writing bytes."""

    def finish(self) -> None:
        """All is written: bring it to the disk and give it its name. Raises TraceFileError."""

    def discard(self) -> None:
        """Writing failed or was given up. Never raises."""


class TraceWriter:
    """Records blocks of any size, of any boards of ``setup``, as epochs.

    Blocks of one board come in order of time. Boards may be out of step by up to 60 epochs. Use as a context manager:
    leaving it with an exception removes what was written and leaves a former file of that name untouched.

    Args:
        path: the finished file.
        setup: written into the trace; None only for a copy of a trace whose config was lost.
        labels: what really happened; empty for nothing, None where it isn't known.
        epoch_ns: a block never crosses a multiple of this.
        attachments: for copies of traces: bytes by name, instead of what ``setup`` and ``labels`` would give. Boards
            and cells that the config doesn't have are copied too.
        notes: metadata for the front of the file, name and values, in order (`note` adds more later).
        target: where it is written, instead of a `WholeFile` of that path.
    Raises:
        TraceFileError: the file can't be written.
    """

    def __init__(
        self,
        path: Path,
        setup: Setup | None,
        labels: Iterable[Label] | None = None,
        epoch_ns: int = layout.EPOCH_NS,
        attachments: Mapping[str, bytes] | None = None,
        notes: Sequence[tuple[str, Mapping[str, str]]] = (),
        target: TraceFile | None = None,
    ) -> None:
        from mcap.writer import CompressionType, Writer

        if not 0 < epoch_ns <= 3600 * 10**9:
            raise ValueError(f"epoch_ns is {epoch_ns}; expected up to an hour")
        self.path = path
        self.sample_count = self.sighting_count = self.frame_count = 0
        self._epoch_ns = epoch_ns
        self._cells = {name: list(board.cells) for name, board in setup.node.boards.items()} if setup else {}
        self._copies = attachments is not None  # what a trace holds is copied, whether its config knows it or not
        self._rates_hz = {name: board.rate_hz for name, board in setup.node.boards.items()} if setup else {}
        self._attachments = dict(attachments) if attachments is not None else _attachments(setup, labels)
        self._pending: dict[str, tuple[int, list[SampleBlock]]] = {}
        self._last_ns: dict[str, int] = {}
        self._newest_epoch: int | None = None
        self._sights = SightPending(epoch_ns)
        self._newest_sight_epoch: int | None = None
        self._seen_ns: tuple[int, int] | None = None
        self._chunk_first_epoch: int | None = None
        self._log_origin_ns: int | None = None
        self._begin_ns: int | None = None
        self._end_ns: int | None = None
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._notes = list(notes)
        self._whole: TraceFile = target or WholeFile(path)
        self._mcap: Any = Writer(
            self._whole.file, chunk_size=layout.CHUNK_BYTES, compression=CompressionType.ZSTD, enable_data_crcs=True
        )

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, block: SampleBlock) -> None:
        """Add samples. They are on the disk after at most 10 more epochs.

        Raises TraceError for a board or cell that the config doesn't have, times that decrease within a board or lie
        more than 60 epochs behind another board's; TraceFileError when the disk refuses.
        """
        if not len(block):
            return
        self._check(block)
        self._last_ns[block.board] = int(block.time_ns[-1])
        epochs = block.time_ns // self._epoch_ns
        cuts = [0, *(np.flatnonzero(np.diff(epochs)) + 1).tolist(), len(block)]
        try:
            for begin, end in itertools.pairwise(cuts):
                self._collect(int(epochs[begin]), block.part(begin, end))
        except OSError as error:
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def see(self, sightings: Sequence[Sighting]) -> None:
        """Add what cameras saw, in the order in which fusion is given it; on the disk as soon as samples are.

        Raises TraceError for times more than 60 epochs behind what was written, TraceFileError when the disk refuses.
        """
        for sighting in sightings:
            self._check_sight("a sighting", sighting.time_ns)
        self._sights.add(sightings)
        self.sighting_count += len(sightings)
        try:
            self._emit_silent(self._newest())
            self._emit_sights(self._newest())
        except OSError as error:
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def picture(self, frame: RecordedFrame) -> None:
        """Add a camera's frame. Raises as `see` does."""
        self._check_sight(f"a frame of camera {frame.camera}", frame.time_ns)
        epoch = frame.time_ns // self._epoch_ns
        try:
            self._start(epoch)
            self._message(self._camera_channel(frame.camera), epoch, encode_frame(frame), frame.time_ns)
        except OSError as error:
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None
        self.frame_count += 1

    def write_epoch(self, epoch: Epoch) -> None:
        """Add all of an epoch, as a reader gave it. Raises as `write`, `see` and `picture` do."""
        for block in epoch.blocks:
            self.write(block)
        self.see(epoch.sightings)
        for frame in epoch.frames:
            self.picture(frame)

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """Add metadata (sealed with a CRC) where the file stands. Raises TraceFileError when the disk refuses."""
        if self._log_origin_ns is None:
            self._notes.append((name, values))
            return
        try:
            self._mcap.add_metadata(name, layout.sealed(values))
        except OSError as error:
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def flush(self, pending: bool = False) -> None:
        """Hand what has been collected to the operating system as a chunk of its own, so that readers see it.

        Sightings are written in any case. ``pending``: also the samples of epochs that aren't over; such an epoch comes
        back as two messages, which readers join.
        Raises TraceFileError when the disk refuses.
        """
        try:
            for board in sorted(self._pending, key=lambda name: self._pending[name][0]) if pending else ():
                self._emit(board)
            self._emit_sights(None)
            if self._log_origin_ns is not None:
                self._mcap.flush()
                self._chunk_first_epoch = None
        except OSError as error:
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def close(self) -> None:
        """Write what is pending, then the index; bring the file to the disk; give it its name."""
        if self._whole.file.closed:
            return
        try:
            for board in sorted(self._pending, key=lambda name: self._pending[name][0]):
                self._emit(board)
            self._emit_sights(None)
            self._start()
            totals = {"samples": str(self.sample_count)}
            if self._begin_ns is not None:
                totals |= {"begin_ns": str(self._begin_ns), "end_ns": str(self._end_ns)}
            elif self._seen_ns is not None:
                totals |= {"begin_ns": str(self._seen_ns[0]), "end_ns": str(self._seen_ns[1])}
            self._mcap.add_metadata(layout.METADATA_TOTALS, layout.sealed(totals))
            self._mcap.finish()
            self._whole.finish()
        except TraceFileError:
            raise
        except OSError as error:
            self.abort()
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Remove what was written; nothing appears under the final name."""
        self._whole.discard()

    def _check(self, block: SampleBlock) -> None:
        board = block.board
        if not self._copies:
            if board not in self._cells:
                raise TraceError(f"board {board} isn't in the node file; expected one of {', '.join(self._cells)}")
            if int(block.cell.max()) >= len(self._cells[board]):
                raise TraceError(
                    f"board {board}: sample of cell {int(block.cell.max())}, "
                    f"but the node file gives it {len(self._cells[board])} cells (counted from 0)"
                )
        times = block.time_ns
        first_ns, last_ns = int(times[0]), int(times[-1])
        if first_ns < self._last_ns.get(board, first_ns) or bool((times[1:] < times[:-1]).any()):
            raise TraceError(f"board {board}: times decrease; expected the samples of a board in order of time")
        if first_ns < -_MAX_TIME_NS or last_ns > _MAX_TIME_NS:
            raise TraceError(f"board {board}: time {first_ns} ns is out of range")
        if self._newest_epoch is not None and first_ns // self._epoch_ns < self._newest_epoch - layout.HOLD_EPOCHS:
            behind_s = (self._newest_epoch * self._epoch_ns - first_ns) / 1e9
            raise TraceError(
                f"board {board} is {behind_s:.0f} s behind the other boards; expected boards in step, "
                f"at most {layout.HOLD_EPOCHS} epochs apart"
            )

    def _check_sight(self, what: str, time_ns: int) -> None:
        epoch = time_ns // self._epoch_ns
        behind = 0 if self._newest_epoch is None and self._newest_sight_epoch is None else self._newest() - epoch
        if abs(time_ns) > _MAX_TIME_NS or behind > layout.HOLD_EPOCHS:
            behind_s = behind * self._epoch_ns / 1e9
            raise TraceError(
                f"{what} is {behind_s:.0f} s behind what is in the trace already; "
                f"expected at most {layout.HOLD_EPOCHS} epochs"
            )
        self._newest_sight_epoch = epoch if self._newest_sight_epoch is None else max(self._newest_sight_epoch, epoch)
        first, last = self._seen_ns or (time_ns, time_ns)
        self._seen_ns = min(first, time_ns), max(last, time_ns)

    def _newest(self) -> int:
        return max(
            epoch for epoch in (self._newest_epoch, self._newest_sight_epoch, -_MAX_TIME_NS) if epoch is not None
        )

    def _emit_sights(self, newest_epoch: int | None) -> None:
        """Sightings of epochs before the newest, or all."""
        for epoch, sightings in self._sights.ripe(newest_epoch):
            self._start(epoch)
            payload = encode_sightings(sightings, epoch * self._epoch_ns)
            self._message(self._sight_channel(), epoch, payload, epoch * self._epoch_ns)

    def _collect(self, epoch: int, block: SampleBlock) -> None:
        pending = self._pending.get(block.board)
        if pending and pending[0] == epoch:
            pending[1].append(block)
            return
        if pending:
            self._emit(block.board)
        self._pending[block.board] = (epoch, [block])
        if self._newest_epoch is None or epoch > self._newest_epoch:
            self._newest_epoch = epoch
            self._emit_silent(epoch)
            self._emit_sights(self._newest())

    def _emit_silent(self, newest_epoch: int) -> None:
        """A board that has fallen silent must not keep its last samples in memory."""
        for board in [name for name, (begun, _) in self._pending.items() if begun < newest_epoch - 5]:
            self._emit(board)

    def _emit(self, board: str) -> None:
        epoch, blocks = self._pending.pop(board)
        block = blocks[0] if len(blocks) == 1 else SampleBlock.join(blocks)
        self._start(epoch)
        begin_ns = epoch * self._epoch_ns
        payload = encode_block(block, begin_ns, max(len(self._cells.get(board, ())), int(block.cell.max()) + 1))
        self._message(self._channel(board), epoch, payload, begin_ns)
        self.sample_count += len(block)
        first_ns, last_ns = int(block.time_ns[0]), int(block.time_ns[-1])
        self._begin_ns = first_ns if self._begin_ns is None else min(self._begin_ns, first_ns)
        self._end_ns = last_ns if self._end_ns is None else max(self._end_ns, last_ns)

    def _message(self, channel: int, epoch: int, payload: bytes, time_ns: int) -> None:
        log_ns = max(0, time_ns - (self._log_origin_ns or 0))
        self._mcap.add_message(channel, log_ns, payload, log_ns)
        if self._chunk_first_epoch is None:
            self._chunk_first_epoch = epoch
        elif abs(epoch - self._chunk_first_epoch) >= layout.CHUNK_SPAN_EPOCHS:
            self._mcap.flush()
            self._chunk_first_epoch = None

    def _start(self, first_epoch: int = 0) -> None:
        """The front of the file. Waits for the first block, because MCAP's log times can't be negative and ours can."""
        if self._log_origin_ns is not None:
            return
        self._log_origin_ns = min(0, (first_epoch - layout.HOLD_EPOCHS) * self._epoch_ns)
        self._mcap.start(profile=layout.PROFILE, library=f"shelfedge trace {layout.FORMAT_VERSION}")
        values = {
            "format_version": str(layout.FORMAT_VERSION),
            "epoch_ns": str(self._epoch_ns),
            "log_time_origin_ns": str(self._log_origin_ns),
        }
        self._mcap.add_metadata(layout.METADATA_FORMAT, layout.sealed(values))
        for name, note in self._notes:
            self._mcap.add_metadata(name, layout.sealed(note))
        for name, data in self._attachments.items():
            media_type = layout.MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            self._mcap.add_attachment(create_time=0, log_time=0, name=name, media_type=media_type, data=data)

    def _channel(self, board: str) -> int:
        if board not in self._channels:
            metadata = {"board": board}
            if board in self._cells:
                metadata |= {"cells": " ".join(self._cells[board]), "rate_hz": f"{self._rates_hz[board]:g}"}
            self._channels[board] = self._mcap.register_channel(
                layout.TOPIC_PREFIX + board,
                MESSAGE_ENCODING,
                self._schema(SCHEMA_NAME, "text", LAYOUT.encode()),
                metadata,
            )
        return self._channels[board]

    def _sight_channel(self) -> int:
        topic = layout.SIGHTINGS_TOPIC
        if topic not in self._channels:
            schema = self._schema(sighting_codec.SCHEMA_NAME, "text", sighting_codec.LAYOUT.encode())
            self._channels[topic] = self._mcap.register_channel(topic, sighting_codec.MESSAGE_ENCODING, schema, {})
        return self._channels[topic]

    def _camera_channel(self, camera: str) -> int:
        topic = frame_codec.TOPIC_PREFIX + camera
        if topic not in self._channels:
            schema = self._schema(frame_codec.SCHEMA_NAME, "protobuf", frame_codec.schema_bytes())
            self._channels[topic] = self._mcap.register_channel(
                topic, frame_codec.MESSAGE_ENCODING, schema, {"camera": camera}
            )
        return self._channels[topic]

    def _schema(self, name: str, encoding: str, data: bytes) -> int:
        if name not in self._schemas:
            self._schemas[name] = self._mcap.register_schema(name, encoding, data)
        return self._schemas[name]


def _attachments(setup: Setup | None, labels: Iterable[Label] | None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if setup is not None:
        found[layout.NODE_FILE] = setup.node_text.encode()
        found[layout.PLANOGRAM] = setup.planogram_text.encode()
        if setup.calibration:
            found[layout.CALIBRATION] = calibration_to_json(setup.calibration).encode()
        if setup.cameras:
            from calibration.camera_record import camera_to_json

            for camera, record in setup.cameras.items():
                found[camera + layout.CAMERA_RECORD_SUFFIX] = camera_to_json(record).encode()
    if labels is not None:
        found[layout.LABELS] = labels_to_json(labels).encode()
    return found
