"""What a technician should act on, as sentences with their remedy, out of a health report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from drivers.hx711.verdicts import RATE_FROM, RATE_TO

FLAGGED_SHARE = 0.05
DELIVERED_LEAST = 0.90
WARM_UP_S = 10.0  # of the loop: before that, a rate is hardly known and a driver may still be starting
SILENT_S = 3.0
SILENT_PERIODS = 4.0
DISK_LEAST_BYTES = 500_000_000
DISK_LEAST_SHARE = 0.02
HOT_C = 80.0
MEMORY_LEAST_SHARE = 0.05
OUTBOX_FULL = 0.5
"""Of its size, by what isn't delivered. It keeps room in reserve: one that can't take any more is at 0.58 to 0.82."""
LATE_MS = 250.0
REFUSED_SHARE = 0.001
_NUMBER = re.compile(r"(?<![\w-])\d+(?:\.\d+)?(?![\w-])")
_DURATION = re.compile(r" \(for \d+ \w+\)$")
_SUPPLY = "use the Pi's own power supply and a short, thick cable, and take USB load off it"


def problems_of(report: Mapping[str, Any]) -> list[str]:
    """What keeps the node from its work first; none where all is fine. Parts a report doesn't have are no problem."""
    return [*_boards(report), *_cameras(report), *_parts(report), *_stream(report), *_host(report)]


def kind_of(problem: str) -> str:
    """The sentence without its numbers and durations, which change all the time: the same problem has the same kind."""
    problem = _DURATION.sub("", problem)
    place, colon, rest = problem.partition(": ")
    return place + colon + _NUMBER.sub("#", rest) if colon else _NUMBER.sub("#", problem)


def _boards(report: Mapping[str, Any]) -> Iterator[str]:
    warm = (report.get("running_s") or 0.0) >= WARM_UP_S
    still = stood_still(report) is not None
    for name, board in report.get("boards", {}).items():
        if board["state"] == "failed":
            yield f"{name}: its driver has failed and is tried again: {board.get('text') or 'see the log'}"
        elif warm and board["state"] == "silent":
            yield f"{name}: no samples come; check its supply and its cables, and the log (driver {board['driver']})"
        elif warm:
            for cell_name, cell in board["cells"].items():
                yield from _cell(f"{name} {cell_name}", cell, still)
        refused = board.get("refused_samples", 0)
        samples = sum(cell["samples"] for cell in board["cells"].values())
        if refused > REFUSED_SHARE * samples + 10:
            yield (
                f"{name}: {refused} samples came too late or with wrong times and weren't used; check the load of this "
                "node and the cable of the board"
            )
        if board.get("calibration_digest") is None:
            yield f"{name}: not calibrated, so nothing can be weighed with it; calibrate it"


def _cameras(report: Mapping[str, Any]) -> Iterator[str]:
    if not (report.get("cameras") or report.get("tracks")):
        return
    from edge.node.camera_verdicts import camera_problems

    yield from camera_problems(report)


def outbox_filled(outbox: Mapping[str, Any]) -> float:
    """Which share of its size an outbox takes for what isn't delivered; it also holds what was, for a while."""
    size, limit, pending = outbox.get("bytes"), outbox.get("size_bytes"), outbox.get("pending")
    if not size or not limit or not pending:
        return 0.0
    return float(size / limit * min(1.0, pending / (outbox.get("kept") or pending)))


def stood_still(report: Mapping[str, Any]) -> str | None:
    """That the whole process did so in the time that the report is about; None where it didn't."""
    still = report.get("loop", {}).get("stood_still") or {}
    if still.get("last_ago_s") is None or still["last_ago_s"] > (report.get("window_s") or 0.0):
        return None
    lasted_s, ago_s = still["last_s"], still["last_ago_s"]
    return (
        f"the node stood still for {lasted_s:.0f} s, {ago_s:.0f} s ago (it was stopped, "
        "or something else took the CPU, see top); samples of that time that the boards couldn't keep are missing"
    )


def _cell(where: str, cell: Mapping[str, Any], stood_still: bool) -> Iterator[str]:
    """``stood_still``: that explains samples that are missing."""
    configured_hz, rate_hz, age_s = cell["configured_hz"], cell["rate_hz"], cell["last_sample_age_s"]
    if age_s is None or age_s > max(SILENT_S, SILENT_PERIODS / configured_hz):
        since = "since the start" if age_s is None else f"for {age_s:.0f} s"
        yield f"{where}: no samples {since} while other cells of the board give theirs; check this cell's amplifier"
        return
    if rate_hz is not None and not RATE_FROM <= rate_hz / configured_hz <= RATE_TO:
        yield (
            f"{where}: {rate_hz:.1f} samples/s, the node file says {configured_hz:g}; check the RATE pin of its chip, "
            "or correct rate in the node file"
        )
    elif not stood_still and rate_hz is not None and (cell["delivered_hz"] or 0.0) < DELIVERED_LEAST * rate_hz:
        come = f"{cell['delivered_hz'] or 0.0:.1f} of {rate_hz:.1f} samples/s come"
        yield f"{where}: only {come}; {_lost(cell['lost_samples'])}"
    if cell["flagged_in_window"] > FLAGGED_SHARE * cell["samples_in_window"]:
        cause = max(cell["flags"], key=cell["flags"].__getitem__, default="flagged").lower().replace("_", " ")
        share = 100.0 * cell["flagged_in_window"] / cell["samples_in_window"]
        yield f"{where}: {share:.0f} % of its samples aren't used, mostly for '{cause}'; check the cell and its wires"


def _lost(lost: Mapping[str, int]) -> str:
    if not lost:
        return "see the notices of its board"
    cause, samples = max(lost.items(), key=lambda each: each[1])
    return f"most were lost by '{cause}' ({samples}), see the notices of its board"


def _parts(report: Mapping[str, Any]) -> Iterator[str]:
    for name, part in (report.get("parts") or {}).items():
        if part.get("given_up"):
            why = part.get("text") or "see the log"
            yield f"{name}: given up after {part.get('restarts', 0)} restarts ({why}); mend that and restart the node"
    still = stood_still(report)
    if still is not None:
        yield still
    late_ms = report.get("loop", {}).get("late_p99_ms")
    if late_ms is not None and late_ms > LATE_MS:
        yield f"the loop that reads the boards is late by {late_ms:.0f} ms (p99); something else takes the CPU: see top"


def _stream(report: Mapping[str, Any]) -> Iterator[str]:
    clock, outbox, uplink = (report.get(name) or {} for name in ("clock", "outbox", "uplink"))
    if clock.get("quality") == "wrong":
        yield "the clock is wrong: it was later already; check the network and the time server (timedatectl)"
    elif clock.get("quality") == "free" and (report.get("up_s") or 0.0) > 300.0:
        yield "the clock isn't synchronised; check the network and the time server (timedatectl)"
    if outbox.get("problem"):
        yield f"outbox: {outbox['problem']}"
    filled = outbox_filled(outbox)
    if filled > OUTBOX_FULL:
        yield (
            f"the outbox is {100.0 * filled:.0f} % full with {outbox['pending']} entries not delivered; "
            "see to the broker, or raise outbox.size in the node file"
        )
    if outbox.get("dropped_total"):
        yield f"{outbox['dropped_total']} entries were dropped undelivered; see the outbox's limits in the node file"
    if outbox.get("damaged_total"):
        yield f"{outbox['damaged_total']} entries were lost by a damaged outbox file; check the disk or the card"
    if uplink.get("problem"):
        since_s = uplink.get("since_s")
        yield f"uplink: {uplink['problem']}" + (f" (for {_duration(since_s)})" if since_s else "")
    if (report.get("ring") or {}).get("trouble"):
        yield f"recording: {report['ring']['trouble']}"
    frames = (report.get("ring") or {}).get("frames") or {}
    if frames.get("trouble"):
        yield f"recording of pictures: {frames['trouble']}"


def _host(report: Mapping[str, Any]) -> Iterator[str]:
    host = report.get("host") or {}
    supply = host.get("throttling") or {}
    if supply.get("under_voltage_now"):
        yield f"the supply voltage is too low: {_SUPPLY}"
    elif supply.get("under_voltage_ever"):
        yield f"the supply voltage was too low since the machine started: {_SUPPLY}"
    if supply.get("throttled_now") or supply.get("soft_temperature_limit_now"):
        yield "the machine is slowed down by heat or by its supply: give it air, a heat sink, and its own power supply"
    for zone, celsius in (host.get("temperatures_c") or {}).items():
        if celsius >= HOT_C:
            yield f"{zone} is at {celsius:.0f} °C; give the machine air or a heat sink"
    free, size = host.get("disk_free_bytes"), host.get("disk_size_bytes")
    if free is not None and size and free < max(DISK_LEAST_SHARE * size, min(DISK_LEAST_BYTES, size / 2)):
        yield f"the disk of the state folder has {free / 1e6:.0f} MB left; delete something, or lower recording.size"
    available, total = host.get("available_memory_bytes"), host.get("total_memory_bytes")
    if available is not None and total and available < MEMORY_LEAST_SHARE * total:
        yield f"{available / 1e6:.0f} MB of memory are left; see which program takes it (top)"


def _duration(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"
