"""A trace out of a trace: what is intact (`recover`), or a piece (`cut`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge.trace.errors import TraceError
from edge.trace.format import EPOCH_NS, LABELS
from edge.trace.labels import labels_to_json
from edge.trace.loss import losses_text
from edge.trace.reader import TraceReader
from edge.trace.whole_file import WholeFile, refuse_same_file
from edge.trace.writer import TraceWriter

Progress = Callable[[int, int], None]


def recover(reader: TraceReader, target: Path, progress: Progress | None = None) -> int:
    """Write all that is intact as a sound trace; returns its samples. ``reader.losses`` says what is missing.

    What cameras saw and their frames go along.

    ``reader`` must have been opened with ``known_only=False``. Raises TraceError, writing nothing, when nothing is
    intact.
    """
    return _copy(reader, target, dict(reader.attachments), None, None, progress)


def cut(
    reader: TraceReader, target: Path, from_s: float | None, to_s: float | None, progress: Progress | None = None
) -> int:
    """Write samples, sightings and frames from ``from_s`` (with it) to ``to_s`` (without it); returns the samples.

    Seconds count from the first sample; None: from the beginning, to the end. Times in the piece stay those of the
    trace's clock. Labels of moves that lie wholly inside go along. Raises TraceError, writing nothing, for a piece
    without samples.
    """
    if from_s is not None and to_s is not None and from_s >= to_s:
        raise TraceError(f"--from {from_s:g} isn't before --to {to_s:g}; expected the beginning first")
    start_ns = first_time_ns(reader)
    begin_ns = start_ns + round(from_s * 1e9) if from_s is not None else None
    end_ns = start_ns + round(to_s * 1e9) if to_s is not None else None
    attachments = dict(reader.attachments)
    inside = [
        label
        for label in reader.labels
        if (begin_ns is None or label.start_s * 1e9 >= begin_ns) and (end_ns is None or label.end_s * 1e9 < end_ns)
    ]
    if reader.has_labels:
        attachments[LABELS] = labels_to_json(inside).encode()

    try:
        return _copy(reader, target, attachments, begin_ns, end_ns, progress)
    except _NothingToCopyError:
        length = "" if reader.end_ns is None else f"; the trace is {(reader.end_ns - start_ns) / 1e9:.3f} s long"
        raise TraceError(f"{reader.path}: no samples in that piece{length}") from None


def first_time_ns(reader: TraceReader) -> int:
    """When the trace begins. Raises TraceError for a trace without intact samples."""
    if reader.begin_ns is not None:
        return reader.begin_ns
    for blocks in reader.epochs():
        return min(int(block.time_ns[0]) for block in blocks)
    for epoch in reader.whole_epochs():
        return epoch.times_ns[0]
    raise TraceError(f"{reader.path}: no intact samples in it")


class _NothingToCopyError(TraceError):
    """Nothing was left to write."""


def _is_private(path: Path) -> bool:
    """Not everybody may read it: then nobody but us reads a copy, since there may be pictures of people in it."""
    return not path.stat().st_mode & 0o004


def _copy(
    reader: TraceReader,
    target: Path,
    attachments: dict[str, bytes],
    begin_ns: int | None,
    end_ns: int | None,
    progress: Progress | None,
) -> int:
    refuse_same_file(reader.path, target)
    epoch_ns = reader.epoch_ns or EPOCH_NS
    with ExitStack() as stack:
        writer: TraceWriter | None = None
        for epoch in reader.whole_epochs():
            if end_ns is not None and epoch.begin_ns >= end_ns:
                break
            piece = epoch.part(begin_ns, end_ns)
            if piece is not None:
                writer = writer or stack.enter_context(
                    TraceWriter(
                        target,
                        reader.stored_setup,
                        epoch_ns=epoch_ns,
                        attachments=attachments,
                        notes=reader.notes,
                        target=WholeFile(target, private=_is_private(reader.path)),
                    )
                )
                writer.write_epoch(piece)
            if progress:
                progress(reader.bytes_read, reader.file_bytes)
        if writer is None:
            lost = losses_text(str(reader.path), reader.losses) + "\n" if reader.losses else ""
            raise _NothingToCopyError(f"{lost}{reader.path}: no intact samples in it; nothing was written")
    return writer.sample_count
