"""The calibration records on disk: one in use, earlier ones kept, none ever half-written (P9).

`<folder>/<board>.json` and `<folder>/<camera>.camera.json` are the records in use. Before another takes its place it is
copied to `<folder>/history/<board>/000001.json` (`<camera>.camera/...`), ..., which nobody overwrites; a record that is
restored counts as a new one, so that it can be undone. Who reads the folder's `*.json` never sees the history.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from calibration.camera_record import CameraRecord, camera_from_json, camera_to_json
from calibration.durable import make_folder, replace_durably, sweep_parts
from calibration.folder_lock import PATIENCE_S, hold_folder
from calibration.record import BoardCalibration, CalibrationError, calibration_from_json
from calibration.store_errors import StoreError, not_read, not_saved

HISTORY = "history"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBERED = re.compile(r"([0-9]{6,9})\.json")


R = TypeVar("R", bound=BoardCalibration | CameraRecord)


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """What records are of.

    Attributes:
        what: in error texts: "board". again: the command that makes a record, but for the name.
        suffix: of the name in the record's file and its history's folder.
        named: whose record it is. read: out of a JSON text, with where it stands; raises CalibrationError.
        written: as a JSON text.
    """

    what: str
    again: str
    suffix: str
    named: Callable[[R], str]
    read: Callable[[str, str, str], R]
    written: Callable[[R], str]


@dataclass(frozen=True, slots=True)
class KeptRecord(Generic[R]):
    """A record that is or was in use.

    Attributes:
        number: from 1, in the order in which they were in use.
        record: None where the file can't be read. damage: why.
        in_use: the one that the node weighs with.
    """

    number: int
    record: R | None
    damage: str
    in_use: bool


class RecordStore(Generic[R]):
    """The records of one kind in a folder, which is made when the first one is saved."""

    def __init__(self, folder: Path, kind: Kind[R]) -> None:
        self.folder = folder
        self.kind = kind

    def path(self, name: str) -> Path:
        """Where the record in use lies. Raises StoreError for a name that nothing of that kind has."""
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"'{name}' can't be the name of a {self.kind.what}; expected letters, digits, '.', '_' and '-'"
            )
        return self.folder / f"{name}{self.kind.suffix}.json"

    def current(self, name: str) -> R | None:
        """The record in use; None where there is none.

        Raises StoreError, CalibrationError for one that can't be read, with what to do about it.
        """
        data = _read(self.path(name))
        try:
            return None if data is None else self._record(data, self.path(name), name)
        except CalibrationError as error:
            raise CalibrationError(f"{error}; {self.way_back(name)}") from None

    def way_back(self, name: str) -> str:
        """For an installer whose record in use is damaged. Raises StoreError."""
        if any(self._kept(number, _read(path), path, name, False).record for number, path in self._numbered(name)):
            return (
                f"former ones are kept: `shelfedge calibrate history {name}` lists them, `shelfedge calibrate restore "
                f"{name} NUMBER` puts one into use"
            )
        return f"none before it is kept: calibrate it anew: {self.kind.again} {name}"

    def history(self, name: str) -> list[KeptRecord[R]]:
        """All records that were in use, oldest first, the one in use last. Raises StoreError."""
        kept = [self._kept(number, _read(path), path, name, False) for number, path in self._numbered(name)]
        data = _read(self.path(name))
        if data is None:
            return kept
        number, _ = self._next(name, data)
        return [each for each in kept if each.number != number] + [
            self._kept(number, data, self.path(name), name, True)
        ]

    def export(self, name: str, number: int | None = None) -> str:
        """A record as JSON, the one in use or a numbered one. Raises StoreError, CalibrationError."""
        return self.kind.written(self._chosen(name, number))

    def check_writable(self, name: str) -> None:
        """Try out, before somebody spends minutes on a run, whether its record could be saved. Raises StoreError.

        A folder that wasn't there isn't there afterwards: nothing may come of the run.
        """
        new = not self.folder.is_dir()
        with self._locked(self.path(name)):
            probe = self.path(name).with_name(f"{self.path(name).name}.probe")
            try:
                replace_durably(probe, b"x" * 16_384)
                history = self.folder / HISTORY / f"{name}{self.kind.suffix}"
                if history.is_dir() and not os.access(history, os.W_OK):
                    raise PermissionError(13, "Permission denied", str(history))
            except OSError as error:
                raise not_saved(error, self.path(name)) from None
            finally:
                with contextlib.suppress(OSError):
                    probe.unlink()
                if new:
                    with contextlib.suppress(OSError):  # another program's record is in it meanwhile
                        self.folder.rmdir()

    def save(self, record: R) -> int:
        """Put a record into use and keep the former one; its number.

        Raises StoreError: nothing was changed, unless the text says otherwise.
        """
        with self._locked(self.path(self.kind.named(record))):
            return self._put(record)

    def restore(self, name: str, number: int, note: str = "") -> int:
        """Put a former record into use again, as a new one; its new number.

        Args:
            note: when and by whom, for `made`.
        Raises:
            StoreError: no such record, it is in use already, or the disk refuses. CalibrationError: it can't be read.
        """
        with self._locked(self.path(name)):
            entries = self.history(name)
            if any(entry.in_use and entry.number == number for entry in entries):
                raise StoreError(f"{name}: record {number} is the one in use; nothing was changed")
            record = self._chosen(name, number)
            made = record.made.split("; no. ")[0] + f"; no. {number} restored{' ' + note if note else ''}"
            return self._put(cast("R", record.model_copy(update={"made": made})))

    def _put(self, record: R) -> int:
        path = self.path(self.kind.named(record))
        name = self.kind.named(record)
        try:
            sweep_parts(self.folder, path.name)
            former = _read(path)
            number = self._keep(name, former) + 1 if former is not None else self._last(name) + 1
            _replace(path, (self.kind.written(record) + "\n").encode())
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise not_saved(error, path) from None
        return number

    def _keep(self, name: str, data: bytes) -> int:
        """Copy the record in use into the history, unless an interrupted save has done it; its number there."""
        number, is_there = self._next(name, data)
        if not is_there:
            folder = self.folder / HISTORY / f"{name}{self.kind.suffix}"
            make_folder(folder)
            sweep_parts(folder, "*.json")
            replace_durably(folder / f"{number:06d}.json", data)
        return number

    def _next(self, name: str, data: bytes) -> tuple[int, bool]:
        """The number of the record in use, and whether it lies in the history already."""
        numbered = self._numbered(name)
        if not numbered:
            return 1, False
        number, path = numbered[-1]
        return (number, True) if _read(path) == data else (number + 1, False)

    def _last(self, name: str) -> int:
        return max((number for number, _ in self._numbered(name)), default=0)

    def _numbered(self, name: str) -> list[tuple[int, Path]]:
        folder = self.path(name).parent / HISTORY / f"{name}{self.kind.suffix}"
        try:
            names = [path.name for path in folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise not_read(error, folder) from None
        found = [(int(match[1]), folder / name) for name in names if (match := _NUMBERED.fullmatch(name))]
        return sorted(found)

    def _chosen(self, name: str, number: int | None) -> R:
        if number is None:
            record = self.current(name)
            if record is None:
                raise StoreError(f"{name} was never calibrated: there is no {self.path(name)}")
            return record
        entries = self.history(name)
        for entry in entries:
            if entry.number == number:
                if entry.record is None:
                    raise CalibrationError(f"record {number} of {name} can't be read: {entry.damage}")
                return entry.record
        known = f"there are 1 to {entries[-1].number}" if entries else "it was never calibrated"
        raise StoreError(f"{name} has no record {number}; {known} (shelfedge calibrate history {name})")

    def _kept(self, number: int, data: bytes | None, path: Path, name: str, in_use: bool) -> KeptRecord[R]:
        try:
            return KeptRecord(number, self._record(data or b"", path, name), "", in_use)
        except CalibrationError as error:
            return KeptRecord(number, None, str(error), in_use)

    def _record(self, data: bytes, path: Path, name: str) -> R:
        try:
            return self.kind.read(data.decode("utf-8", "replace").removeprefix("\ufeff"), str(path), name)
        except RecursionError:
            raise CalibrationError(f"{path}: something else in JSON; expected a calibration record") from None

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


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise not_read(error, path) from None


def _board_record(text: str, where: str, name: str) -> BoardCalibration:
    found = calibration_from_json(text, where)
    if name not in found:
        raise CalibrationError(f"{where}: a record of {', '.join(found) or 'no board'}; expected one of {name}")
    return found[name]


def _camera_record(text: str, where: str, name: str) -> CameraRecord:
    found = camera_from_json(text, where)
    if found.camera != name:
        raise CalibrationError(f"{where}: a record of {found.camera}; expected one of {name}")
    return found


def _board_text(record: BoardCalibration) -> str:
    return json.dumps(record.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)


_BOARDS = Kind("board", "shelfedge calibrate", "", lambda record: record.board, _board_record, _board_text)
_CAMERAS = Kind(
    "camera", "shelfedge calibrate camera", ".camera", lambda record: record.camera, _camera_record, camera_to_json
)


class CalibrationStore(RecordStore[BoardCalibration]):
    """The records of a node's boards."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _BOARDS)


class CameraStore(RecordStore[CameraRecord]):
    """The records of a node's cameras; a board's with the same name lies beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _CAMERAS)
