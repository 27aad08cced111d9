"""A temperature run on one of a node's boards: samples and a thermometer into the rows of a log, and a log's fit.

The log is what counts: Ctrl-C, kill -9 and power cuts leave it whole up to its last row, and it can be gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.findings import Finding, Reason
from calibration.placements import BoardSite, CalibrationInputError
from calibration.record import BoardCalibration
from calibration.temperature import CellFit, TemperatureFits, fit_temperature
from calibration.temperature_log import LogError, LogRow, LogWriter, read_log
from calibration.temperature_run import MINUTE_NS, TemperatureRun
from edge.config.setup import Setup
from edge.config.state_folder import state_folder
from edge.node.board_source import BoardSource
from edge.node.calibrate_result import finding_data
from edge.node.simulated_installer import SimulatedSource
from edge.node.temperature_sensor import SensorError, Thermometer

READ_EVERY_NS = 5_000_000_000
HARDWARE_STEP_S, SIMULATED_STEP_S = 0.05, 1.0
FOLDER = "temperature"
TRIED = 3  # readings in vain before it is refused to begin
SENSOR_GONE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Minute:
    """A row, with what a person is told of it. ``trouble``: why the thermometer says nothing; empty where it does."""

    row: LogRow
    rows: int
    trouble: str


@dataclass(frozen=True, slots=True)
class TemperatureOutcome:
    """What a log tells. ``fits``: None where there is nothing to fit. ``findings``: why it isn't kept; empty: it is."""

    fits: TemperatureFits | None
    findings: tuple[Finding, ...]
    thermometer: str
    left_out: int

    @property
    def accepted(self) -> bool:
        """One cell at least can be told."""
        return self.fits is not None and not self.findings


def log_path(setup: Setup, node_path: Path, board: str, at_s: float) -> Path:
    """Where a new log lies: in the node's state folder, by board and time."""
    name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at_s))
    return state_folder(node_path, setup.node) / FOLDER / f"{board}-{name}.csv"


def try_thermometer(thermometer: Thermometer | None, source: BoardSource, seconds: float = 3.0) -> Thermometer:
    """The thermometer, once it has said something; an MCU needs a second or two for that. Raises SensorError."""
    if thermometer is None:
        raise SensorError(
            "this board has no thermometer: give --sensor (a DS18B20: /sys/bus/w1/devices/28-.../temperature), "
            "name it as `thermometer` of the board in the node file, or wire a TMP36 to the shelf MCU's A7"
        )
    until_ns = source.clock() + round(seconds * 1e9)
    while True:
        source.read(source.clock())
        try:
            thermometer.celsius(source.clock())
        except SensorError:
            if source.clock() >= until_ns:
                raise
        else:
            return thermometer
        source.clock.sleep(HARDWARE_STEP_S)


def minutes(
    site: BoardSite,
    source: BoardSource,
    thermometer: Thermometer,
    writer: LogWriter,
    wall_s: Callable[[int], float],
    hours: float | None = None,
    row_ns: int = MINUTE_NS,
) -> Iterator[Minute]:
    """Log, a row each minute, until ``hours`` have passed, or for ever; each row is on the disk when it comes out.

    Args:
        wall_s: Unix time at a moment of the source's clock.
    Raises:
        StoreError: the disk refuses; DriverError: the hardware is gone.
    """
    run = TemperatureRun(site.board, len(site.cells), row_ns)
    begin_ns = source.clock()
    read_ns = begin_ns - READ_EVERY_NS
    step_s = SIMULATED_STEP_S if isinstance(source, SimulatedSource) else HARDWARE_STEP_S
    trouble = ""
    while not source.over and (hours is None or source.clock() - begin_ns <= hours * 3600e9):
        now_ns = source.clock()
        if now_ns - read_ns >= READ_EVERY_NS:
            read_ns = now_ns
            try:
                run.take_celsius(thermometer.celsius(now_ns))
                trouble = ""
            except SensorError as error:
                trouble = str(error)
        row = run.push(source.read(now_ns), now_ns, wall_s(now_ns))
        if row is not None:
            writer.write(row)
            yield Minute(row, writer.rows, trouble if np.isnan(row.celsius) else "")
        source.clock.sleep(step_s)


def fit_log(path: Path, site: BoardSite, record: BoardCalibration | None) -> TemperatureOutcome:
    """Fit a log. Raises StoreError, LogError for one that can't be read or is another board's."""
    log = read_log(path)
    names = tuple(cell.name for cell in site.cells)
    if (log.board, log.cells) != (site.board, names):
        raise LogError(f"{path}: the log of {log.board} ({', '.join(log.cells)}); expected one of {site.board}")
    gains = None
    if record is not None and set(names) <= set(record.cells):
        gains = np.array([record.cells[name].counts_per_gram for name in names])
    try:
        fits = fit_temperature(log.series, site.cells, gains, log.scale_sd)
    except CalibrationInputError as error:
        reason = Reason.TOO_STEADY if "the temperature went" in str(error) else Reason.TOO_SHORT
        if not np.isfinite(log.series.celsius).any():
            reason = Reason.NO_THERMOMETER
        finding = Finding(reason, "", str(error), f"go on with the log: --log {path}")
        return TemperatureOutcome(None, (finding,), log.thermometer, log.left_out)
    findings = []
    if not any(cell is not None and cell.tells for cell in fits.cells):
        r2 = max((cell.r2 for cell in fits.cells if cell is not None), default=0.0)
        evidence = f"the temperature explains {100 * r2:.0f} % of any cell's zero at most, in {fits.hours:.1f} h"
        remedy = f"nothing may move on the board meanwhile; go on over a whole day: --log {path}"
        findings.append(Finding(Reason.UNRELATED, "", evidence, remedy))
    return TemperatureOutcome(fits, tuple(findings), log.thermometer, log.left_out)


def temperature_data(board: str, outcome: TemperatureOutcome) -> dict[str, Any]:
    """Plain values. Units are in the names; null is not known; errors are standard deviations."""
    fits = outcome.fits
    data: dict[str, Any] = {
        "board": board,
        "accepted": outcome.accepted,
        "findings": [finding_data(finding) for finding in outcome.findings],
        "thermometer": outcome.thermometer,
        "rows_left_out": outcome.left_out,
    }
    if fits is None:
        return data
    return data | {
        "hours": fits.hours,
        "rows": fits.rows,
        "from_c": fits.from_c,
        "to_c": fits.to_c,
        "moved": fits.moved,
        "grams_per_degree": fits.grams_per_degree,
        "grams_per_degree_sd": fits.grams_per_degree_sd,
        "cells": [_cell_data(cell) for cell in fits.cells if cell is not None],
    }


def _cell_data(cell: CellFit) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "tells": cell.tells,
        "grade": cell.grade,
        "counts_per_degree": cell.counts_per_degree,
        "counts_per_degree_sd": cell.counts_per_degree_sd,
        "grams_per_degree": cell.grams_per_degree,
        "grams_per_degree_sd": cell.grams_per_degree_sd,
        "nv_per_degree": cell.nv_per_degree,
        "lag_min": cell.lag_min,
        "lag_sd_min": cell.lag_sd_min,
        "r2": cell.r2,
    }
