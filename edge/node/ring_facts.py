"""What a segment says of itself, without its samples: read from the heads of its records in milliseconds."""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from edge.node.ring_segment import CLOCK_NOTE, GAP_NOTE, RECORDING_NOTE, ClockReading, Gap, RunFacts
from edge.trace import format as layout
from edge.trace.metadata import metadata
from edge.trace.records import CHUNK, DATA_END, METADATA
from edge.trace.tail import totals

_HEAD = struct.Struct("<BQ")
_EXTENT = struct.Struct("<QQ")
_MOST_METADATA_BYTES = 1 << 20


@dataclass(slots=True)
class SegmentFacts:
    """Attributes:
    run: whose it is; None where that is damaged or hasn't been written yet.
    number: counts the run's segments from 1; 0 where it isn't known.
    begin_ns, end_ns: first and last sample, monotonic; of an unfinished segment the epochs they lie in, from the first
        one's begin to the last one's end. None without samples.
    gaps, clocks: in the order in which they were noted.
    """

    path: Path
    bytes: int = 0
    run: RunFacts | None = None
    number: int = 0
    begin_ns: int | None = None
    end_ns: int | None = None
    gaps: list[Gap] = field(default_factory=list)
    clocks: list[ClockReading] = field(default_factory=list)
    _origin_ns: int = 0
    _epoch_ns: int = layout.EPOCH_NS

    def hear(self, name: str, values: dict[str, str]) -> None:
        """A metadata record; one that isn't as it was written is left out."""
        inner = layout.unsealed(values)
        if inner is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            if name == layout.METADATA_FORMAT:
                self._origin_ns, self._epoch_ns = int(inner["log_time_origin_ns"]), int(inner["epoch_ns"])
            elif name == RECORDING_NOTE:
                self.run, self.number = RunFacts.of(inner), int(inner.get("segment", "0"))
            elif name == CLOCK_NOTE:
                self.clocks.append(ClockReading.of(inner))
            elif name == GAP_NOTE:
                self.gaps.append(Gap.of(inner))

    def hear_chunk(self, first_log: int, last_log: int) -> None:
        """A chunk's extent."""
        begin_ns, end_ns = first_log + self._origin_ns, last_log + self._origin_ns + self._epoch_ns
        self.begin_ns = begin_ns if self.begin_ns is None else min(self.begin_ns, begin_ns)
        self.end_ns = end_ns if self.end_ns is None else max(self.end_ns, end_ns)


def segment_facts(path: Path) -> SegmentFacts | None:
    """What the file says; None when it has gone, can't be read, or is no MCAP file. Raises PermissionError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            facts = SegmentFacts(path, size)
            file.seek(0)
            if file.read(len(layout.MAGIC)) != layout.MAGIC:
                return None
            _walk(file, size, facts)
            begin_ns, end_ns, _ = totals(file, size)
            if begin_ns is not None and end_ns is not None:
                facts.begin_ns, facts.end_ns = begin_ns, end_ns
            return facts
    except PermissionError:
        raise
    except OSError:
        return None


def _walk(file: BinaryIO, size: int, facts: SegmentFacts) -> None:
    """All whole records from the front, to the end of the data or to where the file breaks off."""
    at = len(layout.MAGIC)
    while True:
        file.seek(at)
        head = file.read(9 + _EXTENT.size)
        if len(head) < 9:
            return
        opcode, length = _HEAD.unpack_from(head)
        if opcode == 0 or at + 9 + length > size or opcode == DATA_END:
            return
        if opcode == CHUNK and length >= _EXTENT.size:
            facts.hear_chunk(*_EXTENT.unpack_from(head, 9))
        elif opcode == METADATA and length <= _MOST_METADATA_BYTES:
            file.seek(at + 9)
            found = metadata(file.read(length))
            if found is not None:
                facts.hear(*found)
        at += 9 + length
