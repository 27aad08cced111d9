"""A node's kept calibration records, for `history`, `restore`, `export` and `import`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.durable import replace_durably
from calibration.long_runs import long_run_words
from calibration.record import BoardCalibration, CalibrationError, calibration_from_json
from calibration.store import CalibrationStore, KeptRecord
from edge.config.setup import load_setup
from edge.node.board_source import check_board
from edge.node.calibrate import current_or_none, store_of


def store_for(board: str, node_path: Path) -> CalibrationStore:
    """The store of a node file. Raises ConfigError, UnknownBoardError for a board that the node doesn't have."""
    setup = load_setup(node_path, calibrated=False)
    check_board(setup, board, node_path)
    return store_of(setup, node_path)


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


def import_record(board: str, node_path: Path, file: Path, note: str) -> tuple[CalibrationStore, int | None]:
    """Put a record out of a file into use, as `export` writes them; the store, and its number there: None for the one
    that is in use already, where nothing is changed.

    Args:
        note: when and by whom, for `made`.
    Raises:
        CalibrationError: no record of this board and its cells. StoreError, ConfigError, UnknownBoardError. OSError:
            the file can't be read.
    """
    store = store_for(board, node_path)
    found = calibration_from_json(file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff"), str(file))
    if board not in found:
        raise CalibrationError(f"{file}: a record of {', '.join(found) or 'no board'}; expected one of {board}")
    record = found[board]
    cells = list(load_setup(node_path, calibrated=False).node.boards[board].cells)
    record.carried(cells)
    if set(record.cells) != set(cells):
        raise CalibrationError(
            f"{file}: a record of the cells {', '.join(record.cells)}; {board} has {', '.join(cells)}"
        )
    current = current_or_none(store, board)
    if current is not None and _as_made(current) == _as_made(record):
        return store, None
    return store, store.save(record.model_copy(update={"made": f"{record.made}; imported {note}".strip()}))


def _as_made(record: BoardCalibration) -> BoardCalibration:
    """Without the notes of when it was imported and restored."""
    return record.model_copy(update={"made": re.split(r"; imported |; no\. ", record.made)[0]})


def history_lines(board: str, kept: Sequence[KeptRecord]) -> list[str]:
    """A line each, oldest first."""
    if not kept:
        return [f"{board} was never calibrated; do it with: shelfedge calibrate {board}"]
    return [_line(each) for each in kept]


def kept_data(kept: KeptRecord) -> dict[str, Any]:
    """As plain values."""
    record = None if kept.record is None else kept.record.model_dump(mode="json", exclude_none=True)
    return {"number": kept.number, "in_use": kept.in_use, "damage": kept.damage, "record": record}


def _line(kept: KeptRecord) -> str:
    number = f"{kept.number:4}{' in use' if kept.in_use else '':7}  "
    record = kept.record
    if record is None:
        return f"{number}can't be read: {kept.damage}"
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
