"""The ring's folder: which segments are in it, how much they take, and which give way.

Names sort by time: ``<serial>-<boot>-<run>-<first sample, monotonic ns>.mcap``, and ``.part`` behind it while the
segment is written or where its node died. The serial number grows whatever clocks and boots do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.node.ring_segment import NS_PER_S, ClockReading, RunFacts

if TYPE_CHECKING:
    from edge.node.ring_facts import SegmentFacts
    from edge.node.ring_segment import Segment

_NAME = re.compile(r"(\d{8,})-(\d+)-(\d+)-(-?\d+)\.mcap(\.part)?")
_LARGE_SHARE = 8  # a segment larger than this part of the whole ring ends early: what is deleted is a small part of it
_EMPTY_PART_BYTES = 1_000_000  # a larger one is worth keeping, whatever it says of itself
_KEPT_SHARE = 10  # on a disk that others have filled, the ring gives way down to this part of its size
_RESERVE_BYTES = 64_000_000
_RESERVE_SHARE = 20  # the last 5 % of a small disk, or 64 MB, are left to the events


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """A file of the ring; they sort in the order in which they were begun."""

    serial: int
    boot: int
    run: int
    begin_ns: int
    is_part: bool
    path: Path


def segments_in(folder: Path) -> list[SegmentName]:
    """The ring's files, oldest first; none where there is no folder. Raises OSError when it can't be looked into."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match and entry.is_file(follow_symlinks=False):
                    serial, boot, run, begin_ns = (int(match[i]) for i in range(1, 5))
                    found.append(SegmentName(serial, boot, run, begin_ns, bool(match[5]), folder / entry.name))
    except FileNotFoundError:
        return []
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _End:
    """When a segment ended, by the clocks of then."""

    os_boot: str
    clock: ClockReading


class RingFolder:
    """Keeps the ring within its size and age. For the recorder's thread; ``bytes`` and ``count`` may be read by others.

    Args:
        path: the folder.
        size_bytes: the most that all files of the ring take, the running one too.
        age_s: segments that ended longer ago are deleted. By the monotonic clock within a start of the machine, else
            by the wall clock if it was right both times, else from the time when they were first seen.
        os_boot: this start of the machine.
        now: the clocks.
        private: others than its owner and group can't look into it.
    """

    def __init__(
        self,
        path: Path,
        size_bytes: int,
        age_s: float,
        os_boot: str,
        now: Callable[[], ClockReading],
        private: bool = False,
    ) -> None:
        self.path = path
        self.bytes = 0
        self.count = 0
        self._size_bytes = size_bytes
        self._age_ns = round(age_s * NS_PER_S)
        self._os_boot = os_boot
        self._now = now
        self._private = private
        self._ends: dict[int, _End] = {}
        self._first_seen_ns: dict[int, int] = {}
        self._last_serial = 0

    def is_large(self, size_bytes: int) -> bool:
        """Whether a segment of this size should end, so that the ring gives way in small steps."""
        return size_bytes * _LARGE_SHARE > self._size_bytes

    def next_path(self, facts: RunFacts, begin_ns: int, front_bytes: int) -> Path:
        """The next segment's name, with room for its front. Raises OSError."""
        self.path.mkdir(mode=0o750 if self._private else 0o777, parents=True, exist_ok=True)
        if self._private and (mode := stat.S_IMODE(self.path.stat().st_mode)) & 0o027:
            with contextlib.suppress(PermissionError):  # another's folder: the files in it are closed all the same
                self.path.chmod(mode & ~0o027)  # an older version made it for everybody
        names = segments_in(self.path)
        if not self._last_serial:
            _remove_empty_parts(names)
        self._last_serial = max([self._last_serial, *(name.serial for name in names)]) + 1
        self.make_room(front_bytes)
        return self.path / f"{self._last_serial:08d}-{facts.boot}-{facts.run}-{begin_ns}.mcap"

    def finished(self, segment: Segment) -> None:
        """Remember when it ended."""
        end_ns = segment.last_ns if segment.last_ns is not None else 0
        now = self._now()
        end = ClockReading(end_ns, end_ns + now.offset_ns, now.quality)
        self._ends[self._last_serial] = _End(segment.facts.os_boot, end)

    def make_room(self, growth_bytes: int, running: Path | None = None) -> None:
        """Delete what is too old, and the oldest until ``growth_bytes`` more fit. Never the running segment.

        Where others have filled the disk, the newest tenth of the ring's size is kept all the same.
        Raises OSError (ENOSPC) when nothing is left to delete and they still don't fit.
        """
        names = segments_in(self.path)
        now = self._now()
        sizes = {name: _size(name.path) for name in names}
        total = sum(sizes.values())
        free = _free_bytes(self.path)
        deletable = [name for name in names if name.path != running]
        newest_expired = max((name.serial for name in deletable if self._is_expired(name, now)), default=-1)
        for name in deletable:
            fits = total + growth_bytes <= self._size_bytes
            roomy = free >= growth_bytes or total * _KEPT_SHARE <= self._size_bytes
            if fits and roomy and name.serial > newest_expired:
                break
            with contextlib.suppress(FileNotFoundError):
                name.path.unlink()
            total -= sizes.pop(name)
            free = _free_bytes(self.path)
            self._ends.pop(name.serial, None)
            self._first_seen_ns.pop(name.serial, None)
        self.bytes, self.count = total, len(sizes)
        if total + growth_bytes > self._size_bytes:
            raise OSError(
                errno.ENOSPC,
                f"the recording's size of {self._size_bytes} bytes is too small for {total + growth_bytes}; "
                "give recording.size more in the node file",
            )
        if free < growth_bytes:
            raise OSError(errno.ENOSPC, "the disk is almost full; the rest is left to the events; make room on it")

    def _is_expired(self, name: SegmentName, now: ClockReading) -> bool:
        end = self._ends.get(name.serial) or self._read_end(name)
        if end is not None and end.os_boot and end.os_boot == self._os_boot:
            return now.mono_ns - end.clock.mono_ns > self._age_ns
        if end is not None and end.clock.quality == now.quality == "synced":
            return now.wall_ns - end.clock.wall_ns > self._age_ns
        first_seen_ns = self._first_seen_ns.setdefault(name.serial, now.mono_ns)
        return now.mono_ns - first_seen_ns > self._age_ns

    def _read_end(self, name: SegmentName) -> _End | None:
        """Out of a segment of an earlier life; once for each."""
        if name.serial in self._first_seen_ns:
            return None
        facts = _facts(name)
        if facts is None or facts.run is None or not facts.clocks or facts.end_ns is None:
            return None
        clock = facts.clocks[-1]
        end = _End(facts.run.os_boot, ClockReading(facts.end_ns, facts.end_ns + clock.offset_ns, clock.quality))
        self._ends[name.serial] = end
        return end


def _facts(name: SegmentName) -> SegmentFacts | None:
    from edge.node.ring_facts import segment_facts

    try:
        return segment_facts(name.path)
    except PermissionError:
        return None


def _remove_empty_parts(names: list[SegmentName]) -> None:
    """What lives left behind that ended before their first chunk: a node that starts in vain makes one each time."""
    for name in names:
        if name.is_part and _size(name.path) <= _EMPTY_PART_BYTES:
            facts = _facts(name)
            if facts is None or facts.begin_ns is None:
                with contextlib.suppress(OSError):
                    name.path.unlink()


def _size(path: Path) -> int:
    """Bytes on the disk as `ls` tells them; 0 for what has gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _free_bytes(folder: Path) -> int:
    """What the ring may still take of the disk: what is free, but for a reserve that is left to the outbox."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    return free - min(_RESERVE_BYTES, disk.f_blocks * disk.f_frsize // _RESERVE_SHARE)
