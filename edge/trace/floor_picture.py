"""A floor plan as PNG or SVG by matplotlib: ways coloured by time, boards as they stand, events joined to who."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from edge.trace.event import Kind
from edge.trace.floor_plan import BoardOnFloor, Deed, FloorPlan, Way, clothes_colours
from edge.trace.plot_picture import GROUPS, LONG_S, clock
from edge.trace.whole_file import WholeFile

LONGEST_IN, SHORTEST_IN = 11.0, 4.0
MARGIN_MM = 600.0
TIME_COLOURS = "viridis"
BOARD_COLOUR, BOARD_EDGE, FRONT_COLOUR = "#e9e4da", "#b9ae97", "#8a7a58"
MOST_CAPTIONS = 24
MOST_NAMES = 60
CAPTION_BOX = {"facecolor": "white", "edgecolor": "#d5dae1", "linewidth": 0.5, "boxstyle": "round,pad=0.25"}
TELLING = ("review", "wrong", "false")
"""Events that somebody should look at: their captions come first where there are too many."""


def write_floor_picture(plan: FloorPlan, path: Path) -> None:
    """Draw and save; the format follows from the path's ending."""
    left, low, right, high = plan.extent_mm
    wide, tall = right - left + 2 * MARGIN_MM, high - low + 2 * MARGIN_MM
    mm_per_in = max(wide, tall) / LONGEST_IN
    width_in, height_in = max(wide / mm_per_in, SHORTEST_IN), max(tall / mm_per_in, SHORTEST_IN)
    outside = {"left": 0.7, "right": 1.35, "top": 0.9, "bottom": 0.6}
    full = width_in + outside["left"] + outside["right"], height_in + outside["top"] + outside["bottom"]
    figure = Figure(figsize=full, facecolor="white")
    axes = figure.add_axes(
        (outside["left"] / full[0], outside["bottom"] / full[1], width_in / full[0], height_in / full[1])
    )
    for set_limits, middle, inches in (
        (axes.set_xlim, (left + right) / 2, width_in),
        (axes.set_ylim, (low + high) / 2, height_in),
    ):
        set_limits(middle - 0.5 * inches * mm_per_in, middle + 0.5 * inches * mm_per_in)
    _draw_floor(axes, max(wide, tall))
    colours = Normalize(plan.begin_s, max(plan.end_s, plan.begin_s + 1e-3))
    for board in plan.boards:
        _draw_board(axes, board)
    _draw_ways(axes, plan, colours)
    left_out = _draw_deeds(figure, axes, plan)
    _draw_time(figure, axes, plan, colours, full)
    _draw_heading(figure, plan, full, left_out, outside["left"])
    kind = path.suffix.lower().removeprefix(".")
    with WholeFile(path) as whole:
        figure.savefig(whole.file, format=kind, dpi=130, metadata={"Date": None} if kind == "svg" else None)


def _draw_floor(axes: Axes, longest_mm: float) -> None:
    step_mm = next(step for step in (500, 1000, 2000, 5000, 10_000, 1_000_000) if longest_mm / step <= 14)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(step_mm))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}"))
    axes.grid(color="#eef0f3", linewidth=0.8, zorder=0)
    axes.tick_params(labelsize=8, colors="#5b6672", length=0)
    axes.set_xlabel("x in m", fontsize=8.5, color="#5b6672")
    axes.set_ylabel("y in m", fontsize=8.5, color="#5b6672")
    for spine in axes.spines.values():
        spine.set_color("#d5dae1")


def _draw_board(axes: Axes, board: BoardOnFloor) -> None:
    axes.add_patch(Polygon(board.corners, closed=True, facecolor=BOARD_COLOUR, edgecolor=BOARD_EDGE, linewidth=1))
    (x1, y1), (x2, y2) = board.corners[:2]
    axes.plot([x1, x2], [y1, y2], color=FRONT_COLOUR, linewidth=3, solid_capstyle="butt", zorder=2)
    angle = np.degrees(np.arctan2(y2 - y1, x2 - x1))
    angle = angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle
    axes.text(
        *board.middle, board.name, fontsize=8.5, color="#6d603f", ha="center", va="center", rotation=angle,
        rotation_mode="anchor", weight="bold", zorder=2,
    )  # fmt: skip


def _draw_ways(axes: Axes, plan: FloorPlan, colours: Normalize) -> None:
    many = len(plan.ways) > MOST_NAMES
    for way in plan.ways:
        points = np.column_stack([way.x_mm, way.y_mm])
        times = np.array(way.time_s)
        if len(points) > 1:
            pieces = np.stack([points[:-1], points[1:]], axis=1)
            gone = np.array(way.hidden[1:]) | (np.diff(times) > 2.0)
            _draw_pieces(axes, pieces[~gone], times[1:][~gone], colours, many, "solid")
            _draw_pieces(axes, pieces[gone], times[1:][gone], colours, many, (0, (1, 1.5)))
        if not many:
            _draw_ends(axes, way)


def _draw_pieces(
    axes: Axes,
    pieces: npt.NDArray[np.float64],
    times: npt.NDArray[np.float64],
    colours: Normalize,
    many: bool,
    style: Any,
) -> None:
    if not len(pieces):
        return
    lines = LineCollection(
        list(pieces), cmap=TIME_COLOURS, norm=colours, linewidths=0.8 if many else 2.2, linestyles=style,
        alpha=0.5 if many else 0.9, capstyle="round", zorder=3,
    )  # fmt: skip
    lines.set_array(times)
    axes.add_collection(lines)


def _draw_ends(axes: Axes, way: Way) -> None:
    """Where somebody came into view, with the colours of the clothes, and where they were seen last."""
    x_mm, y_mm = way.x_mm[0], way.y_mm[0]
    upper, lower = clothes_colours(way.clothes)
    axes.plot(
        [x_mm], [y_mm], "o", fillstyle="top", markerfacecolor=upper, markerfacecoloralt=lower,
        markeredgecolor="#222222", markersize=10, markeredgewidth=1, zorder=6,
    )  # fmt: skip
    axes.plot([way.x_mm[-1]], [way.y_mm[-1]], "s", color="#222222", markersize=4, zorder=6)
    axes.annotate(
        way.name, (x_mm, y_mm), xytext=(0, 9), textcoords="offset points", fontsize=8, ha="center", va="bottom",
        color="#222222", weight="bold", zorder=7,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
    )  # fmt: skip


def _draw_deeds(figure: Figure, axes: Axes, plan: FloorPlan) -> int:
    """Events, joined to those who may have moved the items; how many captions had no room."""
    for deed in plan.deeds:
        colour = GROUPS[deed.mark.group][0]
        for _, probability, (x_mm, y_mm) in deed.who:
            axes.plot(
                [deed.place[0], x_mm], [deed.place[1], y_mm], color=colour, linewidth=0.6 + 2.2 * probability,
                alpha=0.25 + 0.6 * probability, linestyle="-" if probability >= 0.5 else (0, (3, 2)), zorder=4,
            )  # fmt: skip
            axes.plot([x_mm], [y_mm], "o", color=colour, markersize=3.5, alpha=0.9, zorder=5)
        shape = "v" if deed.mark.event.kind is Kind.PICK else "^"
        axes.plot(
            [deed.place[0]], [deed.place[1]], shape, color=colour, markersize=8, markeredgecolor="white", zorder=8
        )
    ranked = sorted(plan.deeds, key=lambda deed: (deed.mark.group not in TELLING, deed.mark.time_s))
    shown = ranked[:MOST_CAPTIONS]
    for deed, (dx, dy) in zip(shown, _offsets(figure, axes, plan, shown), strict=True):
        axes.annotate(
            deed.caption, deed.place, xytext=(dx, dy), textcoords="offset points", fontsize=7, ha="center",
            va="center", color=GROUPS[deed.mark.group][0], zorder=9, linespacing=1.15, bbox=CAPTION_BOX,
            arrowprops={"arrowstyle": "-", "color": "#9aa5b5", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip
    return len(plan.deeds) - len(shown)


def _offsets(figure: Figure, axes: Axes, plan: FloorPlan, deeds: list[Deed]) -> list[tuple[float, float]]:
    """Where captions stand, in points from their events: behind the board, covering neither each other nor people."""
    per_pixel = 72 / figure.dpi
    events = [np.asarray(axes.transData.transform(deed.place)) * per_pixel for deed in deeds]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in events]
    walked = [np.column_stack([way.x_mm, way.y_mm])[:: max(1, len(way.x_mm) // 300)] for way in plan.ways]
    walked += [np.linspace(deed.place, stood, 12) for deed in plan.deeds for _, _, stood in deed.who]
    walked += [np.linspace(board.corners[0], board.corners[2], 21)[8:13].repeat(3, axis=0) for board in plan.boards]
    people = axes.transData.transform(np.concatenate(walked)) * per_pixel if walked else np.empty((0, 2))
    box = (np.asarray(axes.get_window_extent().extents) * per_pixel).tolist()
    found = []
    for deed, (x, y) in zip(deeds, events, strict=True):
        lines = deed.caption.split("\n")
        half = 0.5 * max(map(len, lines)) * 4.1 + 4, 0.5 * len(lines) * 8.4 + 3
        behind = np.radians(deed.facing_deg + 180)
        best, best_cost = (0.0, half[1] + 12), float("inf")
        for ring in range(1, 10):
            for turn in range(16):
                angle = turn * np.pi / 8
                dx, dy = np.cos(angle) * (half[0] + 8) * ring**0.7, np.sin(angle) * (half[1] + 9) * ring
                mine = x + dx - half[0], y + dy - half[1], x + dx + half[0], y + dy + half[1]
                outside = max(0.0, box[0] - mine[0], box[1] - mine[1], mine[2] - box[2], mine[3] - box[3])
                inside = (np.abs(people - (x + dx, y + dy)) < half).all(axis=1).sum()
                cost = 20 * sum(_overlap(mine, other) for other in taken) + 100 * outside + 6 * float(inside)
                cost += float(np.hypot(dx, dy)) + 40 * (1 - float(np.cos(np.arctan2(dy, dx) - behind)))
                if cost < best_cost:
                    best, best_cost = (float(dx), float(dy)), cost
        taken.append((x + best[0] - half[0], y + best[1] - half[1], x + best[0] + half[0], y + best[1] + half[1]))
        found.append(best)
    return found


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    wide = min(first[2], second[2]) - max(first[0], second[0])
    tall = min(first[3], second[3]) - max(first[1], second[1])
    return wide * tall if wide > 0 and tall > 0 else 0.0


def _draw_time(figure: Figure, axes: Axes, plan: FloorPlan, colours: Normalize, full: tuple[float, float]) -> None:
    place = axes.get_position()
    bar_axes = figure.add_axes((place.x1 + 0.2 / full[0], place.y0, 0.16 / full[0], place.height))
    long = plan.end_s - plan.begin_s > LONG_S
    bar = figure.colorbar(
        mpl.cm.ScalarMappable(norm=colours, cmap=TIME_COLOURS), cax=bar_axes, ticks=MaxNLocator(8),
        format=FuncFormatter(lambda value, _: clock(value) if long else f"{value:g}"),
    )  # fmt: skip
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors="#5b6672", length=2)
    bar.set_label(plan.axis + (" (h:mm:ss)" if long else " in s"), fontsize=8.5, color="#5b6672")


def _draw_heading(figure: Figure, plan: FloorPlan, full: tuple[float, float], left_out: int, left_in: float) -> None:
    def place_y(inches: float) -> float:
        return 1 - inches / full[1]

    left = left_in / full[0]
    people = "1 track" if len(plan.ways) == 1 else f"{len(plan.ways)} tracks"
    events = "1 event" if len(plan.deeds) == 1 else f"{len(plan.deeds)} events"
    figure.text(left, place_y(0.15), plan.title, fontsize=11, weight="bold", va="top")
    more = f"; {left_out} captions left out, plot a part with --from and --to" if left_out else ""
    figure.text(left, place_y(0.38), f"{people}, {events}{more}", fontsize=8.5, va="top", color="#5b6672")
    middle = mpl.colormaps[TIME_COLOURS](0.45)
    entries = [
        Line2D([], [], color=middle, linewidth=2.2, label="way, coloured by time"),
        Line2D([], [], color=middle, linewidth=2.2, linestyle=(0, (1, 1.5)), label="out of sight"),
        Line2D([], [], color="#222222", marker="o", markerfacecolor="white", linestyle="", markersize=8,
               label="first seen (colours of the clothes)"),
        Line2D([], [], color="#222222", marker="s", linestyle="", markersize=4, label="last seen"),
    ]  # fmt: skip
    for group, (colour, name) in GROUPS.items():
        if any(deed.mark.group == group for deed in plan.deeds):
            entries.append(
                Line2D([], [], color=colour, marker="v", markersize=7, linewidth=1.4, label=name + ", and who")
            )
    figure.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(left, place_y(0.58)), ncols=len(entries), fontsize=8,
        frameon=False, borderaxespad=0, borderpad=0, handletextpad=0.5, columnspacing=1.4,
    )  # fmt: skip
