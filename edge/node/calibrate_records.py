"""A node's kept calibration records, for `history`, `restore` and `export`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.store import CalibrationStore, KeptRecord
from edge.config.setup import load_setup
from edge.node.board_source import check_board
from edge.node.calibrate import store_of


def store_for(board: str, node_path: Path) -> CalibrationStore:
    """The store of a node file. Raises ConfigError, BoardSourceError for a board that the node doesn't have."""
    setup = load_setup(node_path, calibrated=False)
    check_board(setup, board, node_path)
    return store_of(setup, node_path)


def now_text() -> str:
    """This moment for a record, with its offset from UTC."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def restored_note(who: str) -> str:
    """For a restored record's `made`."""
    return now_text() + (f" by {who}" if who else "")


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
        return number + (record.made or "no run made it")
    parts = [record.made, f"by {run.who}" if run.who else "", ", ".join(run.weights)]
    if run.smallest_weight_g is not None:
        parts.append(f"smallest weight {run.smallest_weight_g:.1f} g")
    if run.place_sd_mm is not None:
        parts.append(f"places to {run.place_sd_mm:.1f} mm")
    return number + "; ".join(part for part in parts if part)
