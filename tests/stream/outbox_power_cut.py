"""What a power cut may leave of recorded changes: what was synced, and of the rest any part, in any order, torn
anywhere.

A file's content is safe once the file was synced; what was made, renamed and removed in a folder once the folder was.
Of what wasn't synced, each write is there, or not, or some sectors of it; changes of the folder are there up to some
point.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from outbox_shim import Change

SECTOR_BYTES = 512


class _Content:
    """A file's bytes: those that are safe, and the changes since."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.since: list[Change] = []

    def sync(self) -> None:
        for change in self.since:
            _apply(self.safe, change)
        self.since = []

    def after_cut(self, draw: random.Random, share: float) -> bytes:
        data = bytearray(self.safe)
        for change in self.since:
            if draw.random() < share:
                _apply(data, change)
            elif change.what == "write" and draw.random() < 0.5:
                _apply_torn(data, change, draw)
        return bytes(data)


class Disk:
    """Follows recorded changes; at any point, `after_cut` draws a state that a power cut could leave."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._safe_names: dict[str, _Content] = {}
        self._names: dict[str, _Content] = {}
        self._history: list[dict[str, _Content]] = []  # of the names, since the folder was synced

    def follow(self, change: Change) -> None:
        """The next change."""
        if change.what == "make":
            self._renamed({**self._names, change.path: _Content()})
        elif change.what == "unlink":
            self._renamed({name: content for name, content in self._names.items() if name != change.path})
        elif change.what == "rename":
            names = {name: content for name, content in self._names.items() if name != change.path}
            self._renamed({**names, change.other: self._names[change.path]})
        elif change.what == "sync" and change.path == self._folder:
            self._safe_names, self._history = self._names, []
        elif change.what == "sync":
            self._names[change.path].sync()
        elif change.what in ("write", "cut") and change.path in self._names:
            self._names[change.path].since.append(change)

    def after_cut(self, draw: random.Random) -> dict[str, bytes]:
        """Files by name."""
        names = draw.choice([self._safe_names, *self._history])
        share = draw.choice((0.0, 0.3, 0.7, 1.0))
        return {
            Path(name).name: content.after_cut(draw, share)
            for name, content in names.items()
            if not name.endswith(("-shm", ".lock"))
        }

    def _renamed(self, names: dict[str, _Content]) -> None:
        self._names = names
        self._history.append(names)


def _apply(data: bytearray, change: Change) -> None:
    if change.what == "cut":
        del data[change.offset :]
        data.extend(bytes(change.offset - len(data)))
        return
    data.extend(bytes(max(0, change.offset - len(data))))
    data[change.offset : change.offset + len(change.data)] = change.data


def _apply_torn(data: bytearray, change: Change, draw: random.Random) -> None:
    """Some of the sectors."""
    end = change.offset + len(change.data)
    at = change.offset
    while at < end:
        upto = min(end, at - at % SECTOR_BYTES + SECTOR_BYTES)
        if draw.random() < 0.5:
            part = change.data[at - change.offset : upto - change.offset]
            _apply(data, Change("write", change.path, "", at, part))
        at = upto


def cuts(changes: Sequence[Change], folder: Path, draw: random.Random, per_place: int):  # type: ignore[no-untyped-def]
    """Yields (place, files by name, what was marked by then): before each change, some states of the disk."""
    disk, marks = Disk(folder), []
    for place, change in enumerate(changes):
        if change.what == "mark":
            marks.append(change.path)
            continue
        for _ in range(per_place if change.what in ("sync", "rename", "unlink", "make", "cut") else 1):
            yield place, disk.after_cut(draw), list(marks)
        disk.follow(change)
    yield len(changes), disk.after_cut(draw), list(marks)
