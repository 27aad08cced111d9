"""Axes for a small picture, as SVG text: round numbers at the ticks, the unit at the last, colours from the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 18, 24
_LETTER, _ROW = 6.2, 12  # at most so wide and high is a letter of a label
COLOURS = 8
"""The page has so many for lines: ``var(--c0)`` and on; the same cell has the same everywhere."""


class Frame:
    """Axes of one picture.

    Args:
        x_span, y_span: from, to. A span of nothing is widened.
        x_unit, y_unit: for the axes; empty for none.
        logarithmic: y values are powers of ten.
    """

    def __init__(
        self,
        x_span: tuple[float, float],
        y_span: tuple[float, float],
        x_unit: str = "",
        y_unit: str = "",
        logarithmic: bool = False,
    ) -> None:
        self._x0, self._x1 = _widened(*x_span)
        self._y0, self._y1 = _widened(*y_span)
        self._units = x_unit, y_unit
        self._logarithmic = logarithmic

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return _LEFT + (value - self._x0) / (self._x1 - self._x0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top, kept within the picture."""
        inside = min(max(value, self._y0), self._y1)
        return HEIGHT - _BOTTOM - (inside - self._y0) / (self._y1 - self._y0) * (HEIGHT - _TOP - _BOTTOM)

    def line(self, x: Floats, y: Floats, colour: str = "var(--c0)") -> str:
        """A line through points; NaN interrupts it."""
        pieces, points = [], []
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            if math.isfinite(b):
                points.append(f"{self.x(a):.1f},{self.y(b):.1f}")
            elif points:
                pieces.append(points)
                points = []
        pieces.append(points)
        return "".join(
            f'<polyline points="{" ".join(each)}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
            for each in pieces
            if each
        )

    def dots(self, x: Floats, y: Floats, colour: str = "var(--fail)", radius: float = 2.2) -> str:
        """A dot at each point."""
        return "".join(
            f'<circle cx="{self.x(a):.1f}" cy="{self.y(b):.1f}" r="{radius}" fill="{colour}"/>'
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        )

    def bar(self, x_from: float, x_to: float, y: float, colour: str = "var(--c0)") -> str:
        """A bar from 0 up."""
        top, base = self.y(y), self.y(max(0.0, self._y0))
        left, right = self.x(x_from), self.x(x_to)
        return (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0.5):.1f}" height="{base - top:.1f}" '
            f'fill="{colour}" opacity=".45"/>'
        )

    def uprights(self, marks: Sequence[tuple[float, str, str]]) -> list[str]:
        """Dashed lines upwards at x with a label and a colour; each label in the first row where it hides no other."""
        lines, labels = [], []
        taken: list[float] = []  # by row, where its last label ends
        for x, label, colour in sorted(marks):
            at, wide = self.x(x), _LETTER * len(label)
            begin = at + 2 if at + 2 + wide < WIDTH else at - 2 - wide
            row = next((k for k, end in enumerate(taken) if begin > end), len(taken))
            taken[row : row + 1] = [begin + wide]
            lines.append(
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="{colour}" '
                'stroke-dasharray="3 3"/>'
            )
            labels.append(f'<text x="{begin:.1f}" y="{_TOP + 9 + _ROW * row}" class="halo">{html.escape(label)}</text>')
        return [*lines, *labels]

    def level(self, y: float, label: str, colour: str = "var(--pass)") -> str:
        """A line across, its label above its end."""
        at = self.y(y)
        return (
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{colour}"/>'
            f'<text x="{WIDTH - _RIGHT}" y="{at - 3:.1f}" text-anchor="end">{html.escape(label)}</text>'
        )

    def drawn(self, inside: Sequence[str], title: str) -> str:
        """The whole picture; ``title`` is read to whoever can't see it."""
        bottom, marks = HEIGHT - _BOTTOM, []
        for value in ticks(self._x0, self._x1, 5):
            at = self.x(value)
            marks.append(f'<text x="{at:.1f}" y="{HEIGHT - 9}" text-anchor="middle">{short(value)}</text>')
            marks.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 3}" stroke="var(--soft)"/>')
        for value in self._rows():
            at = self.y(value)
            told = 10.0**value if self._logarithmic else value
            marks.append(f'<text x="{_LEFT - 4}" y="{at + 4:.1f}" text-anchor="end">{short(told)}</text>')
            marks.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="var(--line)"/>')
        x_unit, y_unit = (html.escape(each) for each in self._units)
        marks.append(f'<text x="2" y="{_TOP - 7}">{y_unit}</text>')
        marks.append(f'<text x="{WIDTH - 2}" y="{bottom + 22}" text-anchor="end">{x_unit}</text>')
        axes = f'<path d="M{_LEFT} {_TOP}V{bottom}H{WIDTH - _RIGHT}" fill="none" stroke="var(--soft)"/>'
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
            f"{''.join(marks)}{axes}{''.join(inside)}</svg>"
        )

    def _rows(self) -> list[float]:
        if not self._logarithmic:
            return ticks(self._y0, self._y1, 4)
        whole = [float(k) for k in range(math.ceil(self._y0), math.floor(self._y1) + 1)]
        return whole if len(whole) > 1 else [self._y0 + share * (self._y1 - self._y0) for share in (0.1, 0.9)]


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    raw = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * times for times in (1.0, 2.0, 5.0, 10.0) if power * times >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """At most seven characters or so."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.4g}M"
    if size >= 1e5:
        return f"{value / 1e3:.4g}k"
    return f"{value:.6g}" if size >= 1.0 or size == 0.0 else f"{value:.2g}"


def thinned(x: Floats, y: Floats, columns: int = 260) -> tuple[Floats, Floats]:
    """Least and greatest of each column's samples: what stands out stays."""
    if x.size <= 2 * columns:
        return x, y
    kept = []
    for part in np.array_split(np.arange(x.size), columns):
        kept += sorted({int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])])})
    return x[kept], y[kept]


def _widened(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    return low - 0.5 * max(abs(low), 1.0), low + 0.5 * max(abs(low), 1.0)
