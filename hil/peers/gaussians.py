"""The overlap of two normal distributions, which both published systems use as the likelihood of a weight."""

from __future__ import annotations

import math


def below(deviations: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-deviations / math.sqrt(2.0))


def overlap_area(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float:
    """Area under both curves, ``integral of min(pdf_a, pdf_b)``: 1 for the same curve, towards 0 far apart.

    Equal spreads cross once, halfway: ``2 Phi(-|a - b| / (2 sd))``. Else the densities cross where
    ``((x - a) / sd_a)^2 - ((x - b) / sd_b)^2 = 2 ln(sd_b / sd_a)``, a quadratic with two roots; between them the wider
    curve is the lower one, outside the narrower. Raises ValueError unless both standard deviations are positive.
    """
    if not (sd_a > 0.0 and sd_b > 0.0):
        raise ValueError(f"expected positive standard deviations, got {sd_a} and {sd_b}")
    if sd_a > sd_b:
        mean_a, sd_a, mean_b, sd_b = mean_b, sd_b, mean_a, sd_a
    if sd_b - sd_a < 1e-9 * sd_b:
        return 2.0 * below(-abs(mean_a - mean_b) / (sd_a + sd_b))
    # With b as origin and unit: the narrow curve has its mean at m and its spread s < 1.
    m, s = (mean_a - mean_b) / sd_b, sd_a / sd_b
    # x^2 (1 - s^2) - 2 m x + m^2 + 2 s^2 ln s = 0
    root = s * math.sqrt(m * m - 2.0 * (1.0 - s * s) * math.log(s))
    low, high = (m - root) / (1.0 - s * s), (m + root) / (1.0 - s * s)
    wide_between = below(high) - below(low) if low < 0.0 else below(-low) - below(-high)
    return wide_between + below((low - m) / s) + below((m - high) / s)
