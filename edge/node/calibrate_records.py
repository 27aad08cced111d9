"""A node's kept calibration records, of boards and cameras, for `history`, `restore`, `export` and `import`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from calibration.camera_record import CameraRecord, camera_from_json
from calibration.durable import replace_durably
from calibration.long_runs import long_run_words
from calibration.record import BoardCalibration, CalibrationError, calibration_from_json
from calibration.store import CalibrationStore, CameraStore, KeptRecord, R, RecordStore
from edge.config.setup import load_setup
from edge.node.board_source import check_calibrated_thing
from edge.node.calibrate import current_or_none, store_of

_MARKS = {"points": "points", "tags": "sheets"}


def store_for(name: str, node_path: Path) -> CalibrationStore | CameraStore:
    """The store of a node file for a board or a camera of it, which have no name in common.

    Raises ConfigError, UnknownBoardError for what the node doesn't have.
    """
    setup = load_setup(node_path, calibrated=False)
    boards = store_of(setup, node_path)
    if name in setup.node.cameras:
        return CameraStore(boards.folder)
    check_calibrated_thing(setup, name, node_path)
    return boards


def now_text() -> str:
    """This moment for a record, with its offset from UTC."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def restored_note(who: str) -> str:
    """For a restored record's `made`."""
    return now_text() + (f" by {who}" if who else "")


def record_data(record: BoardCalibration) -> dict[str, Any]:
    """As plain values, as a file has them."""
    return record.model_dump(mode="json", exclude_none=True)


def record_text(record: BoardCalibration) -> str:
    """As a file's text."""
    return json.dumps(record_data(record), indent=1, ensure_ascii=False)


def keep_aside(record: BoardCalibration) -> Path | None:
    """Where a record was put that can't be saved where it belongs; None where that failed too."""
    name = f"shelfedge-{record.board}-{datetime.now():%Y%m%d-%H%M%S}.json"
    path = Path(tempfile.gettempdir()) / name
    try:
        replace_durably(path, (record_text(record) + "\n").encode())
    except OSError:
        return None
    return path


def import_record(name: str, node_path: Path, file: Path, note: str) -> tuple[Path, int | None]:
    """Put a record out of a file into use, as `export` writes them; where it lies, and its number there: None for the
    one that is in use already, where nothing is changed.

    Args:
        name: of a board or a camera. note: when and by whom, for `made`.
    Raises:
        CalibrationError: no record of this board and its cells, or of this camera and what it looks at. StoreError,
            ConfigError, UnknownBoardError. OSError: the file can't be read.
    """
    store = store_for(name, node_path)
    text = file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    setup = load_setup(node_path, calibrated=False)
    if isinstance(store, CameraStore):
        camera = camera_from_json(text, str(file))
        if (camera.camera, camera.board) != (name, setup.node.cameras[name].board):
            expected = f"{name}, which looks at {setup.node.cameras[name].board or 'the floor'}"
            raise CalibrationError(
                f"{file}: a record of {camera.camera}, which looks at {camera.board or 'the floor'}; "
                f"expected one of {expected}"
            )
        return store.path(name), _put(store, camera, note)
    found = calibration_from_json(text, str(file))
    if name not in found:
        raise CalibrationError(f"{file}: a record of {', '.join(found) or 'no board'}; expected one of {name}")
    record = found[name]
    cells = list(setup.node.boards[name].cells)
    record.carried(cells)
    if set(record.cells) != set(cells):
        raise CalibrationError(
            f"{file}: a record of the cells {', '.join(record.cells)}; {name} has {', '.join(cells)}"
        )
    return store.path(name), _put(store, record, note)


def _put(store: RecordStore[R], record: R, note: str) -> int | None:
    current = current_or_none(store, store.kind.named(record))
    if current is not None and _as_made(current) == _as_made(record):
        return None
    return store.save(cast("R", record.model_copy(update={"made": f"{record.made}; imported {note}".strip()})))


def _as_made(record: BoardCalibration | CameraRecord) -> BoardCalibration | CameraRecord:
    """Without the notes of when it was imported and restored."""
    return record.model_copy(update={"made": re.split(r"; imported |; no\. ", record.made)[0]})


def history_lines(name: str, kept: Sequence[KeptRecord[Any]], again: str, node_path: Path) -> list[str]:
    """A line each, oldest first. ``again``: the command that makes a record, but for the name and the node file."""
    if not kept:
        return [f"{name} was never calibrated; do it with: {again} {name} {node_path}"]
    return [_line(each) for each in kept]


def kept_data(kept: KeptRecord[Any]) -> dict[str, Any]:
    """As plain values."""
    record = None if kept.record is None else kept.record.model_dump(mode="json", exclude_none=True)
    return {"number": kept.number, "in_use": kept.in_use, "damage": kept.damage, "record": record}


def _line(kept: KeptRecord[Any]) -> str:
    number = f"{kept.number:4}{' in use' if kept.in_use else '':7}  "
    record = kept.record
    if record is None:
        return f"{number}can't be read: {kept.damage}"
    if isinstance(record, CameraRecord):
        seen = "from a picture of {} x {}".format(*record.size)
        known = "" if record.place_sd_mm is None else f"; places to {record.place_sd_mm:.0f} mm"
        return f"{number}{record.made}; {len(record.points)} {_MARKS[record.by]}, {seen}{known}"
    run = record.run
    if run is None:
        return number + "; ".join([record.made or "no run made it", *long_run_words(record)])
    parts = [record.made, f"by {run.who}" if run.who else "", ", ".join(run.weights)]
    parts += long_run_words(record)
    if run.smallest_weight_g is not None:
        parts.append(f"smallest weight {run.smallest_weight_g:.1f} g")
    if run.place_sd_mm is not None:
        parts.append(f"places to {run.place_sd_mm:.1f} mm")
    return number + "; ".join(part for part in parts if part)
