"""The pictures of a diagnosis report, as SVG text: samples over time, noise histogram, spectrum with mains marks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.diagnosis import physics
from calibration.diagnosis.cell import CellLook
from drivers.hx711.codes import OTHER, RAW

Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 22
_COLUMNS = 260
_BINS = 31


def time_svg(look: CellLook) -> str:
    """Samples over time, at most two points per pixel column; empty where there are none."""
    samples = look.samples
    if len(samples) < 2:
        return ""
    value = samples.counts
    if samples.weighed and samples.counts_per_gram and samples.zero_counts is not None:
        value = (value - samples.zero_counts) / samples.counts_per_gram
    elif samples.cell.kind == RAW:
        value = value * physics.mv_per_v(1.0, samples.cell.gain)
    good = samples.usable
    if not good.any():
        good = np.ones(len(samples), np.bool_)
    low, high = float(value[good].min()), float(value[good].max())
    margin = max(0.05 * (high - low), 1e-3 * max(abs(high), 1e-3))
    frame = _Frame((float(samples.time_s[0]), float(samples.time_s[-1])), (low - margin, high + margin))
    left_out = [
        f'<circle cx="{frame.x(at):.1f}" cy="{frame.y(min(max(y, low), high)):.1f}" r="2" fill="var(--fail)"/>'
        for at, y in zip(samples.time_s[~good][:400].tolist(), value[~good][:400].tolist(), strict=True)
    ]
    line = _polyline(frame, *_thinned(samples.time_s[good], value[good]))
    return frame.drawn([line, *left_out], "s")


def histogram_svg(look: CellLook, supply_v: float | None) -> str:
    """Differences of calm samples two apart, as nV of one sample; empty where noise couldn't be measured."""
    samples, noise = look.samples, look.noise
    if noise is None or samples.cell.kind == OTHER or not noise.calm.any():
        return ""
    counts = samples.counts[samples.usable]
    both = noise.calm[2:] & noise.calm[:-2]
    off = (counts[2:] - counts[:-2])[both] / math.sqrt(2.0 * (1.0 - physics.NOISE_CORRELATION[1]))
    if off.size < 8:
        return ""
    nv = off * physics.nv_per_count(supply_v or physics.SUPPLIES_V[1], samples.cell.gain)
    allowed = physics.datasheet_noise_nv(look.clock.rate_hz or 10.0)
    reach = max(4.0 * allowed, float(np.percentile(np.abs(nv), 99)))
    many, edges = np.histogram(nv, bins=_BINS, range=(-reach, reach))
    curve_x = np.linspace(-reach, reach, 121)
    width = float(edges[1] - edges[0])
    curve = nv.size * width / allowed / math.sqrt(2 * math.pi) * np.exp(-0.5 * (curve_x / allowed) ** 2)
    top = max(float(many.max()), 1.0) * 1.15
    frame = _Frame((-reach, reach), (0.0, top))
    bars = [
        f'<rect x="{frame.x(float(a)):.1f}" y="{frame.y(float(n)):.1f}" width="{frame.x(width) - frame.x(0.0):.1f}" '
        f'height="{frame.y(0.0) - frame.y(float(n)):.1f}" fill="var(--trace)" opacity=".45"/>'
        for a, n in zip(edges[:-1], many, strict=True)
        if n
    ]
    datasheet = _polyline(frame, curve_x, np.minimum(curve, top), "var(--pass)")
    return frame.drawn([*bars, datasheet], "nV")


def spectrum_svg(look: CellLook, supply_v: float | None) -> str:
    """Amplitude density over frequency, logarithmic upwards, with what the mains fold to; empty where there is none."""
    spectrum = look.spectrum
    if spectrum is None or look.samples.cell.kind == OTHER or spectrum.hz.size < 8:
        return ""
    nv = spectrum.rms_counts[1:] * physics.nv_per_count(supply_v or physics.SUPPLIES_V[1], look.samples.cell.gain)
    level = np.log10(np.maximum(nv, 1e-3))
    frame = _Frame(
        (0.0, float(spectrum.hz[-1])), (float(level.min()) - 0.1, float(level.max()) + 0.25), logarithmic=True
    )
    marks: list[str] = []
    for true_hz in spectrum.searched:
        x = frame.x(physics.alias_hz(true_hz, look.clock.rate_hz))
        marks.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="var(--warn)" '
            f'stroke-dasharray="3 3" opacity=".7"/><text x="{x + 2:.1f}" y="{_TOP + 10 + 11 * (len(marks) % 3)}">'
            f"{true_hz:.0f}</text>"
        )
    return frame.drawn([*marks, _polyline(frame, spectrum.hz[1:], level)], "Hz")


class _Frame:
    """Axes of one picture. ``logarithmic``: y values are powers of ten."""

    def __init__(self, x_span: tuple[float, float], y_span: tuple[float, float], logarithmic: bool = False) -> None:
        self._x0, self._x1 = x_span[0], x_span[1] if x_span[1] > x_span[0] else x_span[0] + 1.0
        self._y0, self._y1 = y_span[0], y_span[1] if y_span[1] > y_span[0] else y_span[0] + 1.0
        self._logarithmic = logarithmic

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return _LEFT + (value - self._x0) / (self._x1 - self._x0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT - _BOTTOM - (value - self._y0) / (self._y1 - self._y0) * (HEIGHT - _TOP - _BOTTOM)

    def drawn(self, inside: Sequence[str], unit: str) -> str:
        """The whole picture."""
        bottom = HEIGHT - _BOTTOM
        marks = [
            f'<text x="{self.x(at):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{at:.4g}{tail}</text>'
            for at, anchor, tail in (
                (self._x0, "start", ""),
                ((self._x0 + self._x1) / 2, "middle", ""),
                (self._x1, "end", f" {unit}"),
            )
        ]
        for share in (0.04, 0.5, 0.96):
            value = self._y0 + share * (self._y1 - self._y0)
            told = 10.0**value if self._logarithmic else value
            y = self.y(value)
            marks.append(
                f'<text x="{_LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{_short(told)}</text>'
                f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            )
        axes = f'<path d="M{_LEFT} {_TOP}V{bottom}H{WIDTH - _RIGHT}" fill="none" stroke="var(--soft)"/>'
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(marks)}{axes}{"".join(inside)}</svg>'


def _polyline(frame: _Frame, x: Floats, y: Floats, colour: str = "var(--trace)") -> str:
    points = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>'


def _short(value: float) -> str:
    """At most six characters."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if size >= 1e4 else f"{value:.4g}" if size >= 1.0 else f"{value:.2g}"


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Least and greatest of each column's samples: what stands out stays."""
    if x.size <= 2 * _COLUMNS:
        return x, y
    kept = []
    for part in np.array_split(np.arange(x.size), _COLUMNS):
        kept += sorted({int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])])})
    return x[kept], y[kept]
