"""The pictures of one cell in a diagnosis report, as SVG text. Each is empty where there is nothing to show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from calibration.diagnosis import physics
from calibration.diagnosis.cell import CellLook
from drivers.hx711.codes import OTHER, RAW, code_name
from drivers.samples import SampleFlag
from edge.node.svg_frame import Frame, short, thinned

Floats = npt.NDArray[np.float64]

_BINS = 31
_AROUND = 24  # samples before and after a fault
_MOST_DOTS = 400


def time_svg(look: CellLook) -> str:
    """Samples over time, at most two points per pixel column; those that aren't used as dots."""
    samples = look.samples
    if len(samples) < 2:
        return ""
    value, unit = _value(look)
    good = samples.usable if samples.usable.any() else np.ones(len(samples), np.bool_)
    low, high = float(value[good].min()), float(value[good].max())
    margin = max(0.06 * (high - low), 1e-3 * max(abs(high), abs(low), 1e-3))
    span = (0.0, float(samples.time_s[-1]))
    frame = Frame(span, (low - margin, high + margin), "s", unit)
    bad = np.flatnonzero(~samples.usable)[:_MOST_DOTS]
    drawn = [frame.line(*thinned(samples.time_s[good], value[good])), frame.dots(samples.time_s[bad], value[bad])]
    return frame.drawn(drawn, "samples over time")


def _value(look: CellLook) -> tuple[Floats, str]:
    """What a cell says, in the best unit that is known."""
    samples = look.samples
    if samples.weighed and samples.counts_per_gram and samples.zero_counts is not None:
        return (samples.counts - samples.zero_counts) / samples.counts_per_gram, "g"
    if samples.cell.kind == RAW:
        return samples.counts * physics.mv_per_v(1.0, samples.cell.gain), "mV/V"
    return samples.counts, "counts"


def histogram_svg(look: CellLook, supply_v: float | None) -> str:
    """What the verdict on the noise is of, as nV of one sample, with what the datasheet allows.

    In grey where the board was hardly left alone, so that no noise was judged.
    """
    samples, noise = look.samples, look.noise
    if noise is None or samples.cell.kind == OTHER or noise.judged_counts.size < 8:
        return ""
    nv = noise.judged_counts * physics.nv_per_count(supply_v or physics.SUPPLIES_V[1], samples.cell.gain)
    allowed = physics.datasheet_noise_nv(look.clock.rate_hz or 10.0)
    reach = max(4.0 * allowed, float(np.percentile(np.abs(nv), 99)))
    many, edges = np.histogram(nv, bins=_BINS, range=(-reach, reach))
    curve_x = np.linspace(-reach, reach, 121)
    width = float(edges[1] - edges[0])
    curve = nv.size * width / allowed / math.sqrt(2 * math.pi) * np.exp(-0.5 * (curve_x / allowed) ** 2)
    top = max(float(many.max()), min(float(curve.max()), 3.0 * float(many.max())), 1.0) * 1.1
    frame = Frame((-reach, reach), (0.0, top), "nV", "samples")
    colour = "var(--soft)" if noise.restless else "var(--c0)"
    bars = [frame.bar(float(a), float(a) + width, float(n), colour) for a, n in zip(edges[:-1], many, strict=True) if n]
    return frame.drawn([*bars, frame.line(curve_x, curve, "var(--pass)")], "noise histogram")


def spectrum_svg(look: CellLook, supply_v: float | None) -> str:
    """Amplitude density over frequency, with where the mains and their harmonics fold to at this cell's own rate."""
    spectrum = look.spectrum
    if spectrum is None or look.samples.cell.kind == OTHER or spectrum.hz.size < 8:
        return ""
    rate_hz = look.clock.rate_hz
    nv = spectrum.rms_counts[1:] * physics.nv_per_count(supply_v or physics.SUPPLIES_V[1], look.samples.cell.gain)
    level = np.log10(np.maximum(nv, 1e-3))
    floor = math.log10(physics.datasheet_noise_nv(rate_hz) / math.sqrt(rate_hz / 2.0))
    span = (min(float(level.min()), floor) - 0.2, max(float(level.max()), floor) + 0.9)
    frame = Frame((0.0, float(spectrum.hz[-1])), span, "Hz", "nV/√Hz", logarithmic=True)
    folded = sorted((physics.alias_hz(true_hz, rate_hz), true_hz) for true_hz in spectrum.searched)
    mains = spectrum.mains.true_hz if spectrum.mains is not None else 0.0
    marks = frame.uprights(
        [
            (at, f"{true_hz:.0f}→{at:.1f}", "var(--fail)" if true_hz == mains else "var(--warn)")
            for at, true_hz in folded
        ]
    )
    drawn = [*marks, frame.level(floor, "datasheet"), frame.line(*thinned(spectrum.hz[1:], level))]
    return frame.drawn(drawn, "spectrum with the mains' aliases")


def interval_svg(look: CellLook) -> str:
    """Time from each sample to the next."""
    samples = look.samples
    if len(samples) < 3:
        return ""
    step_ms = np.diff(samples.time_s) * 1e3
    usual = float(np.median(step_ms))
    high = min(max(float(step_ms.max()), 1.5 * usual), 30.0 * usual)
    frame = Frame((0.0, float(samples.time_s[-1])), (0.0, 1.05 * high), "s", "ms")
    drawn = [frame.line(*thinned(samples.time_s[1:], step_ms)), frame.level(usual, f"{short(round(usual, 2))} ms")]
    return frame.drawn(drawn, "time between samples")


def codes_svg(look: CellLook) -> tuple[str, str]:
    """Raw codes around the first sample that can't be used, and what those that can't be used are, as text."""
    samples = look.samples
    bad = np.flatnonzero(~samples.usable)
    if not bad.size or len(samples) < 3:
        return "", ""
    begins = bad[(bad > 0) & samples.usable[np.maximum(bad - 1, 0)]]  # how it begins tells most
    at = int(begins[0] if begins.size else bad[0])
    first, last = max(0, at - _AROUND), min(len(samples), at + _AROUND)
    code, number = samples.counts[first:last], np.arange(first, last, dtype=np.float64)
    margin = 0.08 * max(float(np.ptp(code)), 10.0)
    frame = Frame((first, last - 1), (float(code.min()) - margin, float(code.max()) + margin), "sample no.", "code")
    unused = ~samples.usable[first:last]
    drawn = [frame.line(number, code), frame.dots(number[~unused], code[~unused], "var(--c0)", 1.6)]
    drawn.append(frame.dots(number[unused], code[unused]))
    listed = [
        f"no. {k} ({samples.time_s[k]:.2f} s): {_code(look, k)} {_flags(int(samples.flags[k]))}".rstrip()
        for k in bad[(bad >= first) & (bad < last)][:4].tolist()
    ]
    return frame.drawn(drawn, "raw codes around a fault"), "; ".join(listed)


def _code(look: CellLook, at: int) -> str:
    code = int(look.samples.counts[at])
    name = code_name(code) if look.samples.kind_is_raw else str(code)
    return name if name == str(code) else f"{code} = {name}"


def _flags(flags: int) -> str:
    return "|".join(flag.name or "" for flag in SampleFlag if flag and flags & int(flag))
