"""What came of a calibration, as data: for `--json`, for a page, and for the screen that shows the same."""

from __future__ import annotations

import math
from typing import Any

from calibration.check import CheckResult
from calibration.findings import Finding
from calibration.outcome import Outcome


def outcome_data(board: str, outcome: Outcome) -> dict[str, Any]:
    """Plain values. Units are in the names; null is not known.

    ``load_error_percent``: standard deviation of what a weight on the board is off by; ``weight_error_percent``: that
    the reference weight itself is off.
    """
    data: dict[str, Any] = {
        "board": board,
        "accepted": outcome.accepted,
        "findings": [finding_data(finding) for finding in outcome.findings],
    }
    fit = outcome.fit
    if fit is None:
        return data
    weight_g = max(place.placement.weight_g for place in fit.places)
    data |= {
        "weight_g": weight_g,
        "load_error_percent": 100 * fit.load_relative_sd,
        "weight_error_percent": 100 * fit.common_relative_sd,
        "smallest_weight_g": outcome.smallest_weight_g,
        "place_sd_mm": {each.place: each.mm for each in outcome.places(weight_g)},
        "zero_return_g": fit.zero_return_g,
        "hysteresis_g": fit.hysteresis_g,
        "repeatability_g": fit.repeatability_g,
        "wiring": {cell.name: cell.channel for cell in fit.cells},
        "cells": [
            {
                "cell": cell.name,
                "counts_per_gram": cell.counts_per_gram,
                "zero_counts": cell.zero_counts,
                "noise_g": cell.noise_g,
                "noise_nv": cell.noise_nv,
                "mv_per_v": cell.mv_per_v,
            }
            for cell in fit.cells
        ],
        "places": [
            {
                "place": each.placement.place,
                "weight_g": each.placement.weight_g,
                "residual_g": each.residual_g,
                "off_mm": _known(math.hypot(each.off_x_mm, each.off_y_mm)),
            }
            for each in fit.places
        ],
    }
    return data


def check_data(board: str, weight_g: float, result: CheckResult) -> dict[str, Any]:
    """What one weight says of the calibration in use."""
    return {
        "board": board,
        "holds": result.holds,
        "weight_g": weight_g,
        "grams": _known(result.grams),
        "sd_g": _known(result.sd_g),
        "x_mm": _known(result.x_mm),
        "y_mm": _known(result.y_mm),
        "zero_g": _known(result.zero_g),
        "findings": [finding_data(finding) for finding in result.findings],
    }


def finding_data(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "reason": str(finding.reason),
        "subject": finding.subject,
        "evidence": finding.evidence,
        "remedy": finding.remedy,
        "refuses": finding.refuses,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
