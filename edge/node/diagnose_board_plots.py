"""The pictures of a board in a diagnosis report: loads over time, and where the load lies, as SVG text."""

from __future__ import annotations

import html

import numpy as np
import numpy.typing as npt

from calibration.diagnosis.diagnose import BoardLook
from calibration.diagnosis.samples import CellSamples
from edge.node.svg_frame import COLOURS, HEIGHT, WIDTH, Frame

Floats = npt.NDArray[np.float64]

_BINS, _LEAST_BIN_S = 300, 0.25
_LIGHT_G = 50.0  # below that a centre of pressure is noise
_EDGE = 26


def loads_svg(look: BoardLook) -> str:
    """How each cell's load, and their sum, changed; what is left out leaves a hole. Empty where nothing is weighed."""
    time_s, loads = _loads(look)
    if not loads.size:
        return ""
    loads, total = _since_begin(loads), _since_begin(loads.sum(axis=0)[None])[0]
    known = np.concatenate([loads.ravel(), total])
    known = known[np.isfinite(known)]
    if not known.size:
        return ""
    low, high = float(known.min()), float(known.max())
    margin = max(0.08 * (high - low), 1.0)
    frame = Frame((0.0, float(time_s[-1])), (low - margin, high + margin), "s", "g")
    drawn = [frame.line(time_s, total, "var(--ink)")]
    drawn += [frame.line(time_s, load, f"var(--c{k % COLOURS})") for k, load in enumerate(loads)]
    return frame.drawn(drawn, "load of each cell over time")


def legend(look: BoardLook) -> str:
    """Which colour is which cell, as HTML."""
    names = [(f"var(--c{k % COLOURS})", cell.samples.cell.name) for k, cell in enumerate(look.cells)]
    shown = [*names, ("var(--ink)", "sum")] if len(names) > 1 else names
    return " ".join(
        f'<span class="key" style="background:{colour}"></span>{html.escape(name)}' for colour, name in shown
    )


def place_svg(look: BoardLook) -> str:
    """The board from above, to scale: share of the load on each cell, and where the centre of pressure has been."""
    _, loads = _loads(look)
    board = look.board
    if not loads.size or len(look.cells) < 2:
        return ""
    scale = min((WIDTH - 2 * _EDGE) / max(board.width_mm, 1.0), (HEIGHT - 2 * _EDGE) / max(board.depth_mm, 1.0))
    left, top = (WIDTH - scale * board.width_mm) / 2, (HEIGHT - scale * board.depth_mm) / 2

    def at(x_mm: float, y_mm: float) -> tuple[float, float]:
        return left + scale * x_mm, top + scale * (board.depth_mm - y_mm)

    drawn = [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{scale * board.width_mm:.1f}" '
        f'height="{scale * board.depth_mm:.1f}" fill="none" stroke="var(--soft)"/>'
    ]
    for slot in board.slots:
        x, y = at(slot.x_mm[0], slot.y_mm[1])
        width, height = scale * (slot.x_mm[1] - slot.x_mm[0]), scale * (slot.y_mm[1] - slot.y_mm[0])
        drawn.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none" '
            'stroke="var(--line)"/>'
            f'<text x="{x + width / 2:.1f}" y="{y + height / 2:.1f}" text-anchor="middle" class="dim">'
            f"{html.escape(slot.name)}</text>"
        )
    total = loads.sum(axis=0)
    heavy = np.isfinite(total) & (total > _LIGHT_G)
    middle = np.median(loads[:, heavy], axis=1) if heavy.any() else np.zeros(len(look.cells))
    whole = float(middle.sum())
    for k, (cell, load) in enumerate(zip(look.cells, middle.tolist(), strict=True)):
        x, y = at(cell.samples.cell.x_mm, cell.samples.cell.y_mm)
        share = f" {100 * load / whole:.0f} %" if whole > _LIGHT_G else ""
        anchor = "start" if x < WIDTH / 3 else "end" if x > 2 * WIDTH / 3 else "middle"
        drawn.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="var(--c{k % COLOURS})"/><text x="{x:.1f}" '
            f'y="{y + (18 if y > HEIGHT / 2 else -10):.1f}" text-anchor="{anchor}">'
            f"{html.escape(cell.samples.cell.name)}{share}</text>"
        )
    if heavy.any():
        x_mm = np.array([cell.samples.cell.x_mm for cell in look.cells])
        y_mm = np.array([cell.samples.cell.y_mm for cell in look.cells])
        where = [at(float(x), float(y)) for x, y in zip(
            (x_mm @ loads[:, heavy]) / total[heavy], (y_mm @ loads[:, heavy]) / total[heavy], strict=True
        )]  # fmt: skip
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        x, y = where[-1]
        drawn.append(f'<polyline points="{points}" fill="none" stroke="var(--ink)" opacity=".35"/>')
        drawn.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="var(--ink)" stroke-width="1.5"/>'
            f'<path d="M{x - 9:.1f} {y:.1f}h18M{x:.1f} {y - 9:.1f}v18" stroke="var(--ink)"/>'
        )
    title = "the board from above, with the centre of pressure"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(drawn)}</svg>'


def _since_begin(loads: Floats) -> Floats:
    """Less what each row begins with."""
    first = [row[np.isfinite(row)][:1] for row in loads]
    begins = np.array([float(each[0]) if each.size else 0.0 for each in first])
    changed: Floats = loads - begins[:, None]
    return changed


def _loads(look: BoardLook) -> tuple[Floats, Floats]:
    """Middle of each bin in s, float64[bins], and g in it, float64[cells, bins]; nothing where a cell isn't weighed."""
    cells = [cell.samples for cell in look.cells]
    if not cells or not all(each.weighed and each.zero_counts is not None for each in cells):
        return np.empty(0), np.empty((0, 0))
    end_s = max((float(each.time_s[-1]) for each in cells if len(each)), default=0.0)
    width_s = max(end_s / _BINS, _LEAST_BIN_S)
    bins = max(1, int(end_s / width_s))
    middles: Floats = (np.arange(bins, dtype=np.float64) + 0.5) * width_s
    return middles, np.array([_binned(each, width_s, bins) for each in cells])


def _binned(cell: CellSamples, width_s: float, bins: int) -> Floats:
    at = np.floor(cell.time_s[cell.usable] / width_s).astype(np.int64)
    grams = (cell.counts[cell.usable] - (cell.zero_counts or 0.0)) / (cell.counts_per_gram or 1.0)
    inside = at < bins
    number = np.bincount(at[inside], minlength=bins)
    total = np.bincount(at[inside], grams[inside], minlength=bins)
    means: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means
