"""A plot as PNG or SVG by matplotlib: one panel per board, captions in lanes so that none covers another."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from edge.trace.curves import BoardCurve
from edge.trace.event import Kind
from edge.trace.plot import Mark, Plot, Span
from edge.trace.whole_file import WholeFile

WIDTH_IN = 14.0
CURVE_IN = 1.35  # height of the part of a panel that the curve has for itself
LANE_IN = 0.15
MOST_LANES = 5
CROWDED_SHARE = 0.25
MANY_MARKS = 100
MOST_HEIGHT_IN = 60.0
MARGINS_IN = {"left": 0.85, "right": 0.2, "top": 0.75, "bottom": 0.55, "between": 0.12}
FONT_PT = 7.5
LONG_S = 180.0
MOST_TICKS = 14
LEAST_MARGIN_G = 15.0  # so that a board where nothing happens looks like one
BOLD_STEP_NS = 250_000_000
GROUPS = {
    "accepted": ("#00795a", "event, accepted"),
    "review": ("#c77700", "event, for review"),
    "wrong": ("#b0307f", "accepted, but the wrong item or slot"),
    "false": ("#d01c1c", "event where nothing happened"),
}
CURVE_COLOUR, RAW_COLOUR, LABEL_COLOUR, MISSED_COLOUR = "#24466e", "#bccbe0", "#4f7a4f", "#d01c1c"
_Item = TypeVar("_Item")


def write_picture(plot: Plot, path: Path) -> None:
    """Draw and save; the format follows from the path's ending."""
    lanes = [_Lanes(plot, curve.board) for curve in plot.curves]
    heights = [CURVE_IN + LANE_IN * (each.above + each.below) for each in lanes]
    outside = MARGINS_IN["top"] + MARGINS_IN["bottom"]
    height_in = min(sum(heights) + MARGINS_IN["between"] * (len(heights) - 1) + outside, MOST_HEIGHT_IN)
    figure = Figure(figsize=(WIDTH_IN, height_in))
    rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})
    figure.subplots_adjust(
        left=MARGINS_IN["left"] / WIDTH_IN,
        right=1 - MARGINS_IN["right"] / WIDTH_IN,
        top=1 - MARGINS_IN["top"] / height_in,
        bottom=MARGINS_IN["bottom"] / height_in,
        hspace=MARGINS_IN["between"] / float(np.mean(heights)),
    )
    for axes, curve, each in zip(rows[:, 0], plot.curves, lanes, strict=True):
        _draw_panel(axes, plot, curve, each)
    figure.align_ylabels(rows[:, 0])
    last = rows[-1, 0]
    last.set_xlim(plot.begin_s, plot.end_s)
    long = plot.end_s - plot.begin_s > LONG_S
    last.xaxis.set_major_locator(_clock_ticks(plot.end_s - plot.begin_s) if long else MaxNLocator(12))
    last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value) if long else f"{value:g}"))
    last.set_xlabel(plot.axis + (" (h:mm:ss)" if long else " in s"), fontsize=8.5)
    _draw_heading(figure, plot, height_in, sum(each.left_out for each in lanes))
    kind = path.suffix.lower().removeprefix(".")
    with WholeFile(path) as whole:
        figure.savefig(whole.file, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03`` (minutes and seconds), with a sign where it is negative."""
    whole = round(abs(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return ("−" if seconds < 0 and whole else "") + text


def _clock_ticks(span_s: float) -> MultipleLocator:
    """Ticks at times that people count in."""
    steps_s = (15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200)
    return MultipleLocator(next((step for step in steps_s if span_s / step <= MOST_TICKS), 86_400))


class _Lanes:
    """In which lane each caption of a panel stands: the lowest where it overlaps nobody."""

    def __init__(self, plot: Plot, board: str) -> None:
        axis_in = WIDTH_IN - MARGINS_IN["left"] - MARGINS_IN["right"]
        self._s_per_in = (plot.end_s - plot.begin_s) / axis_in
        self._begin_s, self._end_s = plot.begin_s, plot.end_s
        marks = [(mark, mark.time_s, mark.caption, mark.group != "accepted") for mark in plot.marks_on(board)]
        spans = [(s, (s.start_s + s.end_s) / 2, s.caption, s.missed) for s in plot.spans_on(board)]
        self.marks = self._assign_or_thin(marks)
        self.spans = self._assign_or_thin(spans)
        self.above = 1 + max((lane for _, lane, _ in self.marks if lane is not None), default=-1)
        self.below = 1 + max((lane for _, lane, _ in self.spans if lane is not None), default=-1)
        self.left_out = sum(lane is None for _, lane, _ in [*self.marks, *self.spans])

    def _assign_or_thin(self, items: list[tuple[_Item, float, str, bool]]) -> list[tuple[_Item, int | None, float]]:
        """Lanes for all captions; where far too many, only for those that somebody should look at."""
        placed = self._assign([item[:3] for item in items])
        if sum(lane is None for _, lane, _ in placed) <= CROWDED_SHARE * len(items):
            return placed
        telling = self._assign([item[:3] for item in items if item[3]])
        rest: list[tuple[_Item, int | None, float]] = [(item[0], None, item[1]) for item in items if not item[3]]
        return rest + telling  # what is telling is drawn last, on top

    def _assign(self, items: list[tuple[_Item, float, str]]) -> list[tuple[_Item, int | None, float]]:
        ends_s: list[float] = []
        placed: list[tuple[_Item, int | None, float]] = []
        for item, time_s, caption in items:
            half_s = 0.5 * len(caption) * FONT_PT * 0.58 / 72 * self._s_per_in
            middle_s = min(max(time_s, self._begin_s + half_s), max(self._end_s - half_s, self._begin_s + half_s))
            lane = next((lane for lane, end_s in enumerate(ends_s) if end_s <= middle_s - half_s), len(ends_s))
            if lane >= MOST_LANES:
                placed.append((item, None, middle_s))
                continue
            gap_s = 0.08 * self._s_per_in
            ends_s[lane : lane + 1] = [middle_s + half_s + gap_s]
            placed.append((item, lane, middle_s))
        return placed


def _draw_panel(axes: Axes, plot: Plot, curve: BoardCurve, lanes: _Lanes) -> None:
    bold = curve.coarser(max(1, round(max(BOLD_STEP_NS, (plot.end_s - plot.begin_s) * 1e9 / 2500) / curve.step_ns)))
    raw = curve.coarser(max(1, curve.mean.size // 5000))
    low, high = y_range(curve, bold, plot)
    unit_per_in = (high - low) / CURVE_IN
    bottom, top = low - unit_per_in * LANE_IN * lanes.below, high + unit_per_in * LANE_IN * lanes.above
    axes.set_ylim(bottom, top)
    raw_s, bold_s = raw.time_s() - plot.origin_s, bold.time_s() - plot.origin_s
    axes.fill_between(raw_s, raw.low, raw.high, color=RAW_COLOUR, linewidth=0.7, zorder=1)
    axes.plot(bold_s, bold.mean, color=CURVE_COLOUR, linewidth=1.5, zorder=3)
    _draw_clipped(axes, raw_s, raw, bottom, top)
    for span, lane, middle_s in lanes.spans:
        _draw_span(axes, span, middle_s, None if lane is None else low - unit_per_in * LANE_IN * (lane + 0.5))
    known = ~np.isnan(bold.mean)
    for mark, lane, middle_s in lanes.marks:
        weight = float(np.interp(mark.time_s, bold_s[known], bold.mean[known])) if known.any() else low
        lane_y = None if lane is None else high + unit_per_in * LANE_IN * (lane + 0.5)
        _draw_mark(axes, mark, min(max(weight, low), high), middle_s, lane_y, 5 if len(lanes.marks) > MANY_MARKS else 8)
    axes.set_ylabel(f"{curve.board} ({curve.unit})", fontsize=9, weight="bold")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=8)
    axes.grid(color="#e4e7ec", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if curve.mean.size == 0:
        axes.text(0.5, 0.5, "no samples", transform=axes.transAxes, ha="center", va="center", color="#888888")


def y_range(curve: BoardCurve, bold: BoardCurve, plot: Plot) -> tuple[float, float]:
    """What the axis must show: nearly all of the curve, all of it near events and labels, and no corrupted code."""
    known = bold.mean[~np.isnan(bold.mean)]
    if known.size == 0:
        return 0.0, 1.0
    seen = [np.quantile(known, [0.005, 0.995]), np.nanquantile(curve.low, [0.02]), np.nanquantile(curve.high, [0.98])]
    middles_s = bold.time_s() - plot.origin_s
    near = np.zeros(bold.mean.size, np.bool_)
    for start_s, end_s in [
        *((mark.time_s, mark.time_s) for mark in plot.marks_on(curve.board)),
        *((span.start_s, span.end_s) for span in plot.spans_on(curve.board)),
    ]:
        near |= (middles_s >= start_s - 2) & (middles_s <= end_s + 2)
    if (near & ~np.isnan(bold.mean)).any():
        seen.append(np.nanquantile(bold.mean[near], [0.0, 1.0]))
    low, high = float(min(map(np.min, seen))), float(max(map(np.max, seen)))
    margin = max(0.08 * (high - low), LEAST_MARGIN_G if curve.unit == "g" else 1.0)
    return low - margin, high + margin


def _draw_clipped(axes: Axes, time_s: npt.NDArray[np.float64], raw: BoardCurve, bottom: float, top: float) -> None:
    """Small grey arrows at the edge, where the raw samples go beyond the axis."""
    for beyond, edge, marker in ((raw.high > top, top, "^"), (raw.low < bottom, bottom, "v")):
        axes.plot(
            time_s[beyond],
            np.full(int(beyond.sum()), edge),
            marker,
            color="#9aa5b5",
            markersize=3.5,
            clip_on=False,
            zorder=4,
        )


def _draw_span(axes: Axes, span: Span, middle_s: float, lane_y: float | None) -> None:
    colour = MISSED_COLOUR if span.missed else LABEL_COLOUR
    axes.axvspan(span.start_s, span.end_s, color=colour, alpha=0.18, linewidth=0, zorder=0)
    if lane_y is not None:
        axes.text(middle_s, lane_y, span.caption, fontsize=FONT_PT, color=colour, ha="center", va="center", zorder=6)


def _draw_mark(axes: Axes, mark: Mark, weight: float, middle_s: float, lane_y: float | None, size_pt: float) -> None:
    colour = GROUPS[mark.group][0]
    shape = "v" if mark.event.kind is Kind.PICK else "^"
    axes.plot(
        [mark.time_s],
        [weight],
        shape,
        color=colour,
        markersize=size_pt,
        markeredgewidth=size_pt / 8,
        markeredgecolor="white",
        zorder=5,
    )
    if lane_y is not None:
        axes.plot([mark.time_s, mark.time_s], [weight, lane_y], color=colour, linewidth=0.6, alpha=0.6, zorder=2)
        axes.text(
            middle_s, lane_y, mark.caption, fontsize=FONT_PT, color=colour, ha="center", va="center", zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _draw_heading(figure: Figure, plot: Plot, height_in: float, left_out: int) -> None:
    def place_y(inches: float) -> float:
        return 1 - inches / height_in

    left = MARGINS_IN["left"] / WIDTH_IN
    figure.text(left, place_y(0.13), plot.title, fontsize=11, weight="bold", va="top")
    if left_out:
        text = f"{left_out} captions left out; plot a part with --from and --to"
        figure.text(
            1 - MARGINS_IN["right"] / WIDTH_IN, place_y(0.15), text, fontsize=8, va="top", ha="right", color="#666666"
        )
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=CURVE_COLOUR, linewidth=1.8, label="weight, 0.25 s mean"),
        Line2D([], [], color=RAW_COLOUR, linewidth=4, label="single samples"),
    ]
    if plot.spans:
        entries.append(Patch(color=LABEL_COLOUR, alpha=0.25, label="label: what really happened"))
    if any(span.missed for span in plot.spans):
        entries.append(Patch(color=MISSED_COLOUR, alpha=0.25, label="label, missed"))
    for group, (colour, name) in GROUPS.items():
        if any(mark.group == group for mark in plot.marks):
            entries.append(Line2D([], [], color=colour, marker="v", linestyle="", markersize=7, label=name))
    if plot.marks:
        entries.append(Line2D([], [], linestyle="", label="(▼ pick, ▲ put)"))
    figure.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(left, place_y(0.36)), ncols=len(entries), fontsize=8,
        frameon=False, borderaxespad=0, borderpad=0, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip
