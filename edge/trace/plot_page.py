"""A plot as one HTML file with nothing outside itself: zoom by wheel or drag, read values by hovering."""

from __future__ import annotations

import html
import json
import math
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.trace.event import Event
from edge.trace.floor_plan import FloorPlan, clothes_colours
from edge.trace.plot import Plot
from edge.trace.whole_file import WholeFile

MOST_FLOOR_POINTS = 60_000  # of all ways: what a browser draws without a pause


def write_page(plot: Plot, path: Path, floor: FloorPlan | None = None) -> None:
    """Write the page. The data stands in it as JSON; weights to 0.1 of their unit, times to 1 ms."""
    template = files("edge.trace").joinpath("plot_page.html").read_text(encoding="utf-8")
    # "</" would end the script element early if it stood in a name
    shown = page_data(plot) if floor is None else {**page_data(plot), "floor": floor_data(floor)}
    data = json.dumps(shown, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    page = template.replace("__TITLE__", html.escape(plot.title)).replace("__DATA__", data)
    with WholeFile(path) as whole:
        whole.file.write(page.encode())


def page_data(plot: Plot) -> dict[str, object]:
    """What the page's script draws: per board the curve's bins, the labels and the events."""
    return {
        "title": plot.title,
        "axis": plot.axis,
        "begin_s": round(plot.begin_s, 3),
        "end_s": round(plot.end_s, 3),
        "boards": [
            {
                "name": curve.board,
                "unit": curve.unit,
                "begin_s": curve.begin_ns / 1e9 - plot.origin_s,
                "step_s": curve.step_ns / 1e9,
                "low": _numbers(curve.low),
                "high": _numbers(curve.high),
                "mean": _numbers(curve.mean),
                "labels": [
                    {
                        "start_s": round(span.start_s, 3),
                        "end_s": round(span.end_s, 3),
                        "caption": span.caption,
                        "missed": span.missed,
                    }
                    for span in plot.spans_on(curve.board)
                ],
                "events": [
                    {
                        "time_s": round(mark.time_s, 3),
                        "kind": mark.event.kind.value,
                        "group": mark.group,
                        "caption": mark.caption,
                        "details": _details(mark.event, plot.origin_s),
                    }
                    for mark in plot.marks_on(curve.board)
                ],
            }
            for curve in plot.curves
        ],
    }


def floor_data(plan: FloorPlan) -> dict[str, object]:
    """What the page draws of the floor: millimetres, and seconds on the plot's axis."""
    total = sum(len(way.time_s) for way in plan.ways)
    step = -(-total // MOST_FLOOR_POINTS) or 1
    left, low, right, high = plan.extent_mm
    return {
        "extent": [round(left), round(low), round(right), round(high)],
        "boards": [{"name": board.name, "corners": [_mm(corner) for corner in board.corners]} for board in plan.boards],
        "ways": [
            {
                "name": way.name,
                "clothes": clothes_colours(way.clothes),
                "time_s": [round(value, 2) for value in way.time_s[::step]],
                "x": [round(value) for value in way.x_mm[::step]],
                "y": [round(value) for value in way.y_mm[::step]],
                "hidden": [int(value) for value in way.hidden[::step]],
            }
            for way in plan.ways
        ],
        "deeds": [
            {
                "time_s": round(deed.mark.time_s, 3),
                "kind": deed.mark.event.kind.value,
                "group": deed.mark.group,
                "place": _mm(deed.place),
                "who": [[name, round(probability, 3), _mm(stood)] for name, probability, stood in deed.who],
                "details": deed.caption.split("\n"),
            }
            for deed in plan.deeds
        ],
    }


def _mm(point: tuple[float, float]) -> list[int]:
    return [round(point[0]), round(point[1])]


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in np.round(values, 1).tolist()]


def _details(event: Event, origin_s: float) -> list[str]:
    """The lines of the box that shows when the pointer is on an event."""
    lines = [
        f"{event.event_id} revision {event.revision}, {event.status.value}"
        + (", needs review" if event.needs_review else ""),
        f"{event.kind.value} {event.quantity} x {event.sku or 'unknown'}" + (f" at {event.slot}" if event.slot else ""),
        ("" if math.isnan(event.grams) else f"{event.grams:+.1f} g, ") + f"confidence {event.confidence:.4f}",
        f"moved {event.time_ns / 1e9 - origin_s:.2f} s, decided {event.decided_ns / 1e9 - origin_s:.2f} s",
    ]
    if event.x_mm is not None:
        lines.append(f"x {event.x_mm:.0f} mm" + ("" if event.y_mm is None else f", y {event.y_mm:.0f} mm"))
    for track, probability in event.who[:4]:
        lines.append(f"by {track or 'somebody unseen'}: {probability:.4f}")
    for other in event.alternatives[:4]:
        what = f"{other.kind.value} {other.quantity} x {other.sku or 'unknown'}" if other.kind else "nothing moved"
        lines.append(f"or {what}" + (f" at {other.slot}" if other.slot else "") + f": {other.probability:.4f}")
    return lines
