"""What a diagnosis is of: node, files, software, machine, time, and which calibration each board is weighed with."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.record import BoardCalibration
from calibration.store import CalibrationStore
from edge.config.setup import Setup
from edge.node.calibrate import store_of
from edge.node.parts import package_version
from firmware_bridge.errors import ShelfedgeError

_RESTORED = re.compile(r"; no\. [0-9]+ restored(?: (\S+))?")


def about(
    name: str,
    setup: Setup | None,
    node_path: Path | None,
    health: Mapping[str, Any] | None,
    now: datetime,
    ended: datetime | None = None,
    beside: Path | None = None,
) -> dict[str, str]:
    """By label, for people. ``setup``: the one that was diagnosed with, as the node or the recording has it.

    ``now`` and ``ended``, the time of the newest sample of a recording, with their zones. ``beside``: the node file
    that a recording was diagnosed with, instead of the setup in it.
    """
    found = {"node" if node_path is not None else "recording": name}
    if node_path is not None:
        found["node file"] = str(node_path.absolute())
    found["made"] = _local(now)
    if ended is not None:
        found["recorded until"] = _local(ended)
    versions = ((health or {}).get("host") or {}).get("versions") or {}
    found["software"] = (
        f"shelfedge {versions.get('shelfedge') or package_version()}, Python {platform.python_version()}"
    )
    if node_path is not None:
        found["machine"] = f"{versions.get('model') or platform.machine()}, {platform.node()}"
    if setup is not None:
        store = _store(setup, node_path or beside)
        origin = "" if node_path is not None else f"from {beside.name}" if beside is not None else "from the trace"
        for board in setup.node.boards:
            record = setup.calibration.get(board)
            found[f"calibration of {board}"] = (
                f"none {origin}".rstrip() if record is None else record_text(record, store, now, origin)
            )
    return found


def record_text(record: BoardCalibration, store: CalibrationStore | None, now: datetime, origin: str = "") -> str:
    """Its number among the board's records, when, who, with what: ``record 3, 2026-11-20 by anna, 2 kg; 1 day old``.

    ``origin``: of which file it is, where that isn't plain.
    """
    run = record.run
    parts = [*_number(record, store), *([origin] if origin else [])]
    when = run.when if run is not None and run.when else record.made
    made = _time(when)
    parts.append(f"{made:%Y-%m-%d %H:%M}" if made is not None else when or "nobody wrote down when")
    if run is not None:
        parts += [f"by {run.who}"] if run.who else []
        parts += [", ".join(run.weights)] if run.weights else []
    parts += _restored(record)
    text = ", ".join(parts)
    return text if made is None else f"{text}; {_age(made, now)} old"


def _local(when: datetime) -> str:
    here = when.astimezone()
    return f"{here.isoformat(' ', 'seconds')} ({here.tzname()})"


def _store(setup: Setup, node_path: Path | None) -> CalibrationStore | None:
    if node_path is None:
        return None
    try:
        return store_of(setup, node_path)
    except ShelfedgeError:
        return None


def _number(record: BoardCalibration, store: CalibrationStore | None) -> Iterator[str]:
    if store is None:
        return
    try:
        kept = [each.number for each in store.history(record.board) if each.record == record]
    except (ShelfedgeError, OSError):
        return
    if kept:
        yield f"record {kept[-1]}"


def _restored(record: BoardCalibration) -> Iterator[str]:
    """Its run is as old as ever, but it was taken out of use meanwhile."""
    if found := _RESTORED.search(record.made):
        when = _time(found[1] or "")
        yield f"restored {when:%Y-%m-%d %H:%M}" if when is not None else "restored"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _age(made: datetime, now: datetime) -> str:
    made = made if made.tzinfo is not None else made.replace(tzinfo=now.tzinfo)
    days = (now - made).total_seconds() / 86_400.0
    if days < 1.0:
        return f"{max(0.0, 24 * days):.0f} h"
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.1f} years"
