"""The HX711 in numbers: what a count is, and what a sound chip may do. Source of all: facts/loadcell.md section 1."""

from __future__ import annotations

FULL_CODE = 1 << 24
SUPPLIES_V = (2.7, 5.0)
"""Analog supplies that amplifier boards are built for: green boards 2.7 V, the datasheet's circuit 5 V."""
DATASHEET_NV_10, NOISE_GROWTH = 50.0, 0.283  # nV rms at 10 SPS; 90 nV at 80 SPS: 8 ** 0.283 = 1.8
OFFSET_MV = 0.2  # the chip's own offset at gain 128
SOUND_BOARDS = 3.5
"""Times the datasheet's noise that sound boards have: 1 to 2 at 10 SPS, 2.5 at 82 SPS were measured on good ones;
some 20 s of a shelf, with a rack's own trembling in them, tell that to 40 %."""
LEAST_SHARE = 0.3
"""Of the datasheet's noise: a converter makes noise of its own, whatever hangs on it. Section 5 row 6: below 5 counts
nothing is measured, and that is 0.24 of the datasheet's 21."""
RATE_FROM, RATE_TO = 0.9, 1.25  # measured over nominal; +2.5 to +17 % were seen, -3 % is believed
NOISE_CORRELATION = (0.493, 0.050)
"""Of neighbouring samples, and of every second one: a sinc^4 decimator's, as was measured
(facts/field.md 4.1.7: 0.49 and about 0)."""
GRID_HZ = (50.0, 60.0)
GRID_OFF_HZ = 0.1  # a public grid keeps within 0.05 Hz nearly always, 0.2 Hz at worst
HARMONICS = (1, 2, 3)


def mv_per_v(counts: float, gain: int = 128) -> float:
    """Bridge output for a code; independent of the supply, since the converter is ratiometric."""
    return counts * 1000.0 / FULL_CODE / gain


def nv_per_count(supply_v: float, gain: int = 128) -> float:
    """``AVDD / gain / 2^24``: 2.33 nV at 5 V."""
    return supply_v / gain / FULL_CODE * 1e9


def datasheet_noise_nv(rate_hz: float) -> float:
    """rms at gain 128; between and beyond the datasheet's two rates by the power law through them."""
    return float(DATASHEET_NV_10 * (max(rate_hz, 1.0) / 10.0) ** NOISE_GROWTH)


def alias_hz(true_hz: float, rate_hz: float) -> float:
    """Where a line shows that is sampled at ``rate_hz``: ``|f - round(f / fs) fs|``."""
    return abs(true_hz - round(true_hz / rate_hz) * rate_hz)
