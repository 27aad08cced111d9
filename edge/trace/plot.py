"""What a plot of a trace shows: curves, labels and events on one time axis; drawn by `picture` or as a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge.trace.curves import BoardCurve
from edge.trace.event import Event, Kind, Label, Status
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.trace.floor_plan import FloorPlan

SUFFIXES = (".png", ".svg", ".html")
_UNIX_TIME_S = 1e9


class PlotError(ShelfedgeError, ValueError):
    """A plot can't be made. Examples: a file type that isn't known, nothing in the chosen part, matplotlib missing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An event as it is drawn. ``group``: accepted, review, wrong or false. ``time_s``: on the plot's axis."""

    event: Event
    group: str
    time_s: float
    caption: str


@dataclass(frozen=True, slots=True)
class Span:
    """A label as it is drawn, times on the plot's axis. ``missed``: no event was found for it."""

    label: Label
    missed: bool
    start_s: float
    end_s: float
    caption: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything drawn. The axis runs from ``begin_s`` to ``end_s`` and is 0 at ``origin_s`` of the trace's clock."""

    title: str
    axis: str
    origin_s: float
    begin_s: float
    end_s: float
    curves: tuple[BoardCurve, ...]
    marks: tuple[Mark, ...]
    spans: tuple[Span, ...]

    def marks_on(self, board: str) -> list[Mark]:
        return [mark for mark in self.marks if mark.event.board == board]

    def spans_on(self, board: str) -> list[Span]:
        return [span for span in self.spans if span.label.board == board]


def make_plot(
    title: str,
    curves: Sequence[BoardCurve],
    labels: Sequence[Label],
    events: Iterable[Event],
    origin_s: float,
    event_verdicts: Mapping[str, str] | None = None,
    label_verdicts: Sequence[str] | None = None,
) -> Plot:
    """Put together what is seen of the time that the curves cover.

    Of each event its last revision is shown, unless retracted. The verdicts, if any, are those of `shelfedge score`:
    right, wrong or false per event id; right, wrong or missed per label. Raises PlotError where there is no sample.
    """
    covered = [curve for curve in curves if curve.mean.size]
    if not covered:
        raise PlotError(
            f"{title}: no samples to plot in this part of the trace; see `shelfedge trace info` for its times"
        )
    begin_s = min(curve.begin_ns for curve in covered) / 1e9 - origin_s
    end_s = max(curve.begin_ns + curve.mean.size * curve.step_ns for curve in covered) / 1e9 - origin_s
    verdicts = event_verdicts or {}
    last = {event.event_id: event for event in sorted(events, key=lambda event: event.revision)}
    marks = [
        Mark(event, _group(event, verdicts.get(event.event_id)), event.time_ns / 1e9 - origin_s, event_caption(event))
        for event in sorted(last.values(), key=lambda event: (event.time_ns, event.event_id))
        if event.status is not Status.RETRACTED and begin_s <= event.time_ns / 1e9 - origin_s <= end_s
    ]
    spans = [
        _span(label, verdict == "missed", origin_s)
        for label, verdict in zip(labels, label_verdicts or [""] * len(labels), strict=True)
        if label.end_s - origin_s >= begin_s and label.start_s - origin_s <= end_s
    ]
    spans.sort(key=lambda span: span.start_s)
    return Plot(title, _axis_name(origin_s), origin_s, begin_s, end_s, tuple(curves), tuple(marks), tuple(spans))


def check_target(path: Path) -> None:
    """Refuse early what `write_plot` couldn't write. Raises PlotError."""
    if path.suffix.lower() not in SUFFIXES:
        raise PlotError(
            f"{path}: don't know how to plot to '{path.suffix}'; expected a name ending in .png, .svg or .html"
        )
    if path.suffix.lower() != ".html":
        _picture_writer()


def check_floor_target(path: Path) -> None:
    """Refuse early what `write_floor` couldn't write. Raises PlotError."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise PlotError(f"{path}: a floor plan is drawn as a picture; expected a name ending in .png or .svg")
    _picture_writer()


def write_plot(plot: Plot, path: Path, floor: FloorPlan | None = None) -> None:
    """Write it as PNG, SVG or HTML, by the file's ending; a page shows the floor, too. Raises PlotError, OSError."""
    check_target(path)
    if path.suffix.lower() == ".html":
        from edge.trace.plot_page import write_page

        write_page(plot, path, floor)
    else:
        _picture_writer()(plot, path)


def event_caption(event: Event) -> str:
    """For example ``−2 cola-033 @A1 98 %``. The percentage is rounded down, so that 100 % means certainty."""
    sign = "−" if event.kind is Kind.PICK else "+"
    place = f" @{event.slot}" if event.slot is not None else ""
    return f"{sign}{event.quantity} {event.sku or 'unknown'}{place} {math.floor(event.confidence * 100)} %"


def label_caption(label: Label) -> str:
    """For example ``−2 cola-033 @A1``; what the labeller didn't know is left out, a foreign object is "unknown"."""
    sign = "−" if label.kind is Kind.PICK else "+"
    place = f" @{label.slot}" if label.slot is not None else ""
    return f"{sign}{label.quantity} {label.sku or ('unknown' if label.foreign else label.kind.value)}{place}"


def _span(label: Label, missed: bool, origin_s: float) -> Span:
    caption = label_caption(label) + (" missed" if missed else "")
    return Span(label, missed, label.start_s - origin_s, label.end_s - origin_s, caption)


def _group(event: Event, verdict: str | None) -> str:
    if verdict == "false":
        return "false"
    if event.needs_review:
        return "review"
    return "wrong" if verdict == "wrong" else "accepted"


def _axis_name(origin_s: float) -> str:
    if origin_s == 0:
        return "time"
    if origin_s > _UNIX_TIME_S:
        return f"time since {datetime.fromtimestamp(origin_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"time since {origin_s:.3f} s of the trace's clock"


def _picture_writer() -> Callable[[Plot, Path], None]:
    try:
        from edge.trace.plot_picture import write_picture
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise PlotError(
            "PNG and SVG need matplotlib, which isn't installed: pip install 'shelfedge[plot]' (or plot to .html)"
        ) from None
    return write_picture
