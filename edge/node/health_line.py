"""A health report in one line, for the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def health_line(report: Mapping[str, Any]) -> str:
    """For example ``2 of 2 boards, 639.8 samples/s, loop p99 0.4 ms, outbox 0 pending, 51.2 °C, ok``."""
    boards = report.get("boards", {})
    running = sum(board["state"] == "running" for board in boards.values())
    cells = [cell for board in boards.values() for cell in board["cells"].values()]
    rate_hz = sum(cell["delivered_hz"] or 0.0 for cell in cells)
    parts = [f"{running} of {len(boards)} boards", f"{rate_hz:.1f} samples/s"]
    cameras = report.get("cameras") or {}
    if cameras:
        seeing = sum(camera["state"] == "running" and not camera["verdict"] for camera in cameras.values())
        people = sum(camera["people"] or 0 for camera in cameras.values())
        parts.append(f"{seeing} of {len(cameras)} cameras, {people} {'person' if people == 1 else 'people'}")
    late_ms = report.get("loop", {}).get("late_p99_ms")
    if late_ms is not None:
        parts.append(f"loop p99 {late_ms:.1f} ms")
    pending = (report.get("outbox") or {}).get("pending")
    if pending is not None:
        parts.append(f"outbox {pending} pending")
    uplink = (report.get("uplink") or {}).get("state")
    if uplink is not None:
        parts.append(f"uplink {uplink}")
    heat = (report.get("host") or {}).get("temperatures_c")
    if heat:
        parts.append(f"{max(heat.values()):.1f} °C")
    problems = report.get("problems", [])
    parts.append(f"{len(problems)} to see to: {'; '.join(problems)}" if problems else "ok")
    return ", ".join(parts)
