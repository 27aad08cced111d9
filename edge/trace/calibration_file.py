"""Which calibration a recording gets: its own, the config's, or one given beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.record import BoardCalibration, CalibrationError, calibration_from_json
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.format import CAMERA_RECORD_SUFFIX

if TYPE_CHECKING:
    from edge.config.setup import Setup


def with_calibration_file(setup: Setup, path: Path) -> Setup:
    """``setup`` with the records of ``path`` (a file, or a folder of .json files) in place of those it had.

    Raises CalibrationError, TraceError naming file, board and cell, or TraceFileError.
    """
    records: dict[str, BoardCalibration] = {}
    try:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        files = [file for file in files if not file.name.endswith(CAMERA_RECORD_SUFFIX)]
        for file in files:
            records |= calibration_from_json(file.read_bytes().decode("utf-8-sig"), str(file))
    except OSError as error:
        raise TraceFileError(f"{path}: can't read the calibration: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not UTF-8 text; expected calibration records (JSON)") from None
    if not set(records) & set(setup.node.boards):
        known = ", ".join(setup.node.boards)
        raise TraceError(
            f"{path}: records of {', '.join(records) or 'no board'}; expected boards of the config: {known}"
        )
    for board, record in records.items():
        section = setup.node.boards.get(board)
        missing = [cell for cell in section.cells if cell not in record.cells] if section is not None else []
        if missing:
            raise TraceError(
                f"{path}: board {board}: no calibration of cell {', '.join(missing)}; expected all its cells"
            )
    known_records = {board: record for board, record in records.items() if board in setup.node.boards}
    return replace(setup, calibration={**setup.calibration, **known_records})


def with_stored_cameras(setup: Setup, stored: Setup | None) -> Setup:
    """``setup`` with a trace's own camera records where it has none: for cameras that look at the same in both."""
    cameras = {} if stored is None else stored.cameras
    taken = {
        name: record
        for name, record in cameras.items()
        if name not in setup.cameras and name in setup.node.cameras and setup.node.cameras[name].board == record.board
    }
    return replace(setup, cameras={**setup.cameras, **taken}) if taken else setup


def with_stored_records(setup: Setup, attachment: bytes | None) -> Setup:
    """``setup`` with a trace's own records (``attachment``) where it has none, so that a changed planogram is enough.

    For boards whose recording came in grams the trace's record always counts: their stored numbers never were codes of
    a converter. Records that can't be read, or don't know all cells of a board, change nothing.
    """
    try:
        stored = calibration_from_json((attachment or b"{}").decode("utf-8", "replace"), "")
    except (CalibrationError, RecursionError):
        return setup
    taken = {
        board: record
        for board, record in stored.items()
        if board in setup.node.boards
        and set(setup.node.boards[board].cells) <= set(record.cells)
        and (board not in setup.calibration or all(cell.adc_bits == 0 for cell in record.cells.values()))
    }
    return replace(setup, calibration={**setup.calibration, **taken}) if taken else setup
