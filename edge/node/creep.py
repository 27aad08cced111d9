"""A creep run on one of a node's boards: what it needs of the node file and the record, and what came of it as data."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.creep import CREEP_RUN_S, CreepFit
from calibration.creep_run import RECOVERY_S, CreepOutcome, CreepRun
from calibration.creep_verdict import meaning
from calibration.placements import BoardSite, CalibrationInputError
from calibration.prompts import Progress, Prompt
from calibration.record import BoardCalibration
from drivers.samples import SampleBlock
from edge.node.calibrate import CalibrateError
from edge.node.calibrate_result import finding_data
from edge.node.temperature_sensor import SensorError, Thermometer

READ_EVERY_NS = 5_000_000_000


class CreepRunner:
    """A `CreepRun` as a `Procedure`.

    Attributes:
        thermometer: asked now and then, once the board is open; None for none.
    """

    def __init__(
        self,
        site: BoardSite,
        record: BoardCalibration,
        weight_g: float,
        lasts_s: float = CREEP_RUN_S,
        recovery_s: float = RECOVERY_S,
    ) -> None:
        """Raises CalibrateError for a weight or a time that can't be, CalibrationError for another board's record."""
        names = [cell.name for cell in site.cells]
        record.carried(names)
        capacities = [cell.capacity_g for cell in site.cells if cell.capacity_g]
        if len(capacities) == len(names) and weight_g > 0.9 * sum(capacities):
            raise CalibrateError(
                f"{weight_g:g} g nearly overloads the cells of {site.board} ({sum(capacities):g} g together)"
            )
        gains = np.array([1.0 / record.cells[name].counts_per_gram for name in names])
        known = None if record.temperature is None else record.temperature.grams_per_degree
        try:
            self.run = CreepRun(site, gains, weight_g, lasts_s, recovery_s, known)
        except CalibrationInputError as error:
            raise CalibrateError(str(error)) from None
        self.thermometer: Thermometer | None = None
        self._read_ns = -READ_EVERY_NS

    @property
    def is_over(self) -> bool:
        """As `Procedure` says."""
        return self.run.outcome is not None

    @property
    def outcome(self) -> CreepOutcome:
        """What it came to; ends it where it goes on."""
        self.run.end()
        assert self.run.outcome is not None
        return self.run.outcome

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """As the run's."""
        if self.thermometer is not None and now_ns - self._read_ns >= READ_EVERY_NS:
            self._read_ns = now_ns
            with contextlib.suppress(SensorError):  # a creep run can do without
                self.run.take_celsius(self.thermometer.celsius(now_ns))
        return self.run.push(blocks, now_ns)

    def end(self) -> None:
        """As `Procedure` says."""
        self.run.end()


def creep_data(site: BoardSite, outcome: CreepOutcome) -> dict[str, Any]:
    """Plain values. Units are in the names; null is not known; errors are standard deviations."""
    data: dict[str, Any] = {
        "board": site.board,
        "accepted": outcome.accepted,
        "weight_g": outcome.weight_g,
        "findings": [finding_data(finding) for finding in outcome.findings],
        "temperature_c": None if outcome.celsius is None else list(outcome.celsius),
    }
    if outcome.fits is None:
        return data
    fit = outcome.fits.board
    data |= {
        **_fit_data(fit),
        "grade": fit.grade,
        "drift_g_per_h": fit.drift_g_per_h,
        "drift_sd_g_per_h": fit.drift_sd,
        "recovered": None if math.isnan(fit.recovered) else fit.recovered,
        "minutes": fit.minutes,
        "meaning": meaning(fit, shelf_load_g(site)),
        "cells": [
            {"cell": cell.name, **({"tells": False} if its is None else {"tells": True, **_fit_data(its)})}
            for cell, its in zip(site.cells, outcome.fits.cells, strict=True)
        ],
    }
    return data


def shelf_load_g(site: BoardSite) -> float | None:
    """What a well filled shelf carries: half of what its cells may; None where nobody knows."""
    capacities = [cell.capacity_g for cell in site.cells]
    return None if None in capacities else 0.5 * sum(each for each in capacities if each is not None)


def _fit_data(fit: CreepFit) -> dict[str, float | None]:
    return {
        "load_g": fit.load_g,
        "ppm_per_decade": 1e6 * fit.share_per_decade,
        "ppm_per_decade_sd": 1e6 * fit.share_per_decade_sd,
        "ppm_30_min": 1e6 * fit.share_30_min,
        "ppm_30_min_sd": 1e6 * fit.share_30_min_sd,
        "grams_30_min": fit.grams_30_min,
        "ppm_20_to_30_min": None if math.isnan(fit.late_share) else 1e6 * fit.late_share,
        "ppm_20_to_30_min_sd": None if math.isnan(fit.late_share) else 1e6 * fit.late_share_sd,
    }
