"""The calibration records on disk: one per board in use, all earlier ones kept, none ever half-written (P9).

`<folder>/<board>.json` is the record in use. Before another takes its place it is copied to
`<folder>/history/<board>/000001.json`, ..., which nobody overwrites; a record that is restored counts as a new one, so
that it can be undone. Who reads the folder's `*.json` never sees the history.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from calibration.durable import make_folder, replace_durably, sweep_parts
from calibration.folder_lock import PATIENCE_S, hold_folder
from calibration.record import BoardCalibration, CalibrationError, calibration_from_json
from calibration.store_errors import StoreError, not_read, not_saved

HISTORY = "history"
_BOARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBERED = re.compile(r"([0-9]{6,9})\.json")


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record that is or was in use.

    Attributes:
        number: from 1, in the order in which they were in use.
        record: None where the file can't be read. damage: why.
        in_use: the one that the node weighs with.
    """

    number: int
    record: BoardCalibration | None
    damage: str
    in_use: bool


class CalibrationStore:
    """The records of a node's boards in one folder, which is made when the first one is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, board: str) -> Path:
        """Where the record in use lies. Raises StoreError for a name that no board has."""
        if not _BOARD.fullmatch(board):
            raise StoreError(f"'{board}' can't be the name of a board; expected letters, digits, '.', '_' and '-'")
        return self.folder / f"{board}.json"

    def current(self, board: str) -> BoardCalibration | None:
        """The record in use; None where there is none.

        Raises StoreError, CalibrationError for one that can't be read, with what to do about it.
        """
        data = _read(self.path(board))
        try:
            return None if data is None else _record(data, self.path(board), board)
        except CalibrationError as error:
            raise CalibrationError(f"{error}; {self.way_back(board)}") from None

    def way_back(self, board: str) -> str:
        """For an installer whose record in use is damaged. Raises StoreError."""
        if any(_kept(number, _read(path), path, board, False).record for number, path in self._numbered(board)):
            return (
                f"former ones are kept: `shelfedge calibrate history {board}` lists them, `shelfedge calibrate restore "
                f"{board} NUMBER` puts one into use"
            )
        return f"none before it is kept: calibrate it anew: shelfedge calibrate {board}"

    def history(self, board: str) -> list[KeptRecord]:
        """All records that were in use, oldest first, the one in use last. Raises StoreError."""
        kept = [_kept(number, _read(path), path, board, False) for number, path in self._numbered(board)]
        data = _read(self.path(board))
        if data is None:
            return kept
        number, _ = self._next(board, data)
        return [each for each in kept if each.number != number] + [_kept(number, data, self.path(board), board, True)]

    def export(self, board: str, number: int | None = None) -> str:
        """A record as JSON, the one in use or a numbered one. Raises StoreError, CalibrationError."""
        return _text(self._chosen(board, number))

    def check_writable(self, board: str) -> None:
        """Try out, before somebody spends minutes on a run, whether its record could be saved. Raises StoreError."""
        with self._locked(self.path(board)):
            probe = self.path(board).with_name(f"{board}.json.probe")
            try:
                replace_durably(probe, b"x" * 16_384)
                history = self.folder / HISTORY / board
                if history.is_dir() and not os.access(history, os.W_OK):
                    raise PermissionError(13, "Permission denied", str(history))
            except OSError as error:
                raise not_saved(error, self.path(board)) from None
            finally:
                with contextlib.suppress(OSError):
                    probe.unlink()

    def save(self, record: BoardCalibration) -> int:
        """Put a record into use and keep the former one; its number.

        Raises StoreError: nothing was changed, unless the text says otherwise.
        """
        with self._locked(self.path(record.board)):
            return self._put(record)

    def restore(self, board: str, number: int, note: str = "") -> int:
        """Put a former record into use again, as a new one; its new number.

        Args:
            note: when and by whom, for `made`.
        Raises:
            StoreError: no such record, it is in use already, or the disk refuses. CalibrationError: it can't be read.
        """
        with self._locked(self.path(board)):
            entries = self.history(board)
            if any(entry.in_use and entry.number == number for entry in entries):
                raise StoreError(f"{board}: record {number} is the one in use; nothing was changed")
            record = self._chosen(board, number)
            made = record.made.split("; no. ")[0] + f"; no. {number} restored{' ' + note if note else ''}"
            return self._put(record.model_copy(update={"made": made}))

    def _put(self, record: BoardCalibration) -> int:
        path = self.path(record.board)
        try:
            sweep_parts(self.folder, path.name)
            former = _read(path)
            number = self._keep(record.board, former) + 1 if former is not None else self._last(record.board) + 1
            _replace(path, (_text(record) + "\n").encode())
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise not_saved(error, path) from None
        return number

    def _keep(self, board: str, data: bytes) -> int:
        """Copy the record in use into the history, unless an interrupted save has done it; its number there."""
        number, is_there = self._next(board, data)
        if not is_there:
            folder = self.folder / HISTORY / board
            make_folder(folder)
            sweep_parts(folder, "*.json")
            replace_durably(folder / f"{number:06d}.json", data)
        return number

    def _next(self, board: str, data: bytes) -> tuple[int, bool]:
        """The number of the record in use, and whether it lies in the history already."""
        numbered = self._numbered(board)
        if not numbered:
            return 1, False
        number, path = numbered[-1]
        return (number, True) if _read(path) == data else (number + 1, False)

    def _last(self, board: str) -> int:
        return max((number for number, _ in self._numbered(board)), default=0)

    def _numbered(self, board: str) -> list[tuple[int, Path]]:
        folder = self.path(board).parent / HISTORY / board
        try:
            names = [path.name for path in folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise not_read(error, folder) from None
        found = [(int(match[1]), folder / name) for name in names if (match := _NUMBERED.fullmatch(name))]
        return sorted(found)

    def _chosen(self, board: str, number: int | None) -> BoardCalibration:
        if number is None:
            record = self.current(board)
            if record is None:
                raise StoreError(f"{board} was never calibrated: there is no {self.path(board)}")
            return record
        entries = self.history(board)
        for entry in entries:
            if entry.number == number:
                if entry.record is None:
                    raise CalibrationError(f"record {number} of {board} can't be read: {entry.damage}")
                return entry.record
        known = f"there are 1 to {entries[-1].number}" if entries else "it was never calibrated"
        raise StoreError(f"{board} has no record {number}; {known} (shelfedge calibrate history {board})")

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """One writer at a time; the lock ends with the process in whatever way."""
        try:
            make_folder(self.folder)
            handle = hold_folder(self.folder)
        except TimeoutError:
            raise StoreError(
                f"{self.folder}: another program has been writing calibrations here for {PATIENCE_S:.0f} s; end it and "
                "try again; nothing was changed"
            ) from None
        except OSError as error:
            raise not_saved(error, path) from None
        try:
            yield
        finally:
            os.close(handle)


def _replace(path: Path, data: bytes) -> None:
    """As `replace_durably`, but says so where the new record is in use and only its last step failed."""
    try:
        replace_durably(path, data)
    except OSError as error:
        if _read(path) == data:
            raise StoreError(
                f"{path}: the new record is in use, but the disk can't say that it would survive a power cut "
                f"({error.strerror}); look after the disk and save it again"
            ) from None
        raise


def _kept(number: int, data: bytes | None, path: Path, board: str, in_use: bool) -> KeptRecord:
    try:
        return KeptRecord(number, _record(data or b"", path, board), "", in_use)
    except CalibrationError as error:
        return KeptRecord(number, None, str(error), in_use)


def _record(data: bytes, path: Path, board: str) -> BoardCalibration:
    try:
        found = calibration_from_json(data.decode("utf-8", "replace").removeprefix("\ufeff"), str(path))
    except RecursionError:
        raise CalibrationError(f"{path}: something else in JSON; expected a calibration record") from None
    if board not in found:
        raise CalibrationError(f"{path}: a record of {', '.join(found) or 'no board'}; expected one of {board}")
    return found[board]


def _text(record: BoardCalibration) -> str:
    return json.dumps(record.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise not_read(error, path) from None
