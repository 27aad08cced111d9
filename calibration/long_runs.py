"""Creep and temperature runs in a board's record: added as a further version of it, and carried on to the next one."""

from __future__ import annotations

import math

from calibration.creep import CreepFit
from calibration.creep_run import CreepOutcome
from calibration.long_record import CellTemperature, CreepFigures, CreepRecord, TemperatureRecord
from calibration.placements import BoardSite
from calibration.record import BoardCalibration
from calibration.temperature import TemperatureFits

LONG_VERSION = 3
SAME_CELL_SHARE = 0.02
"""A gain that came out so alike is the same cell's: what was found of its creep and its temperature still holds."""


def with_creep(
    record: BoardCalibration, site: BoardSite, outcome: CreepOutcome, when: str, who: str
) -> BoardCalibration:
    """The record with what the run found. Raises ValueError for a run that was refused."""
    if outcome.fits is None or not outcome.accepted:
        raise ValueError("this run was refused: there is nothing to keep of it")
    fit = outcome.fits.board
    named = zip(site.cells, outcome.fits.cells, strict=True)
    creep = CreepRecord(
        when=when,
        who=who,
        weight_g=outcome.weight_g,
        minutes=fit.minutes,
        grade=fit.grade,
        board=_figures(fit),
        grams_30_min=round(fit.grams_30_min, 3),
        recovered=None if math.isnan(fit.recovered) else round(fit.recovered, 3),
        cells={cell.name: _figures(its) for cell, its in named if its is not None},
        temperature_c=None if outcome.celsius is None else round(outcome.celsius[1], 1),
    )
    return record.model_copy(update={"version": LONG_VERSION, "creep": creep, "made": f"{when} creep run"})


def with_temperature(
    record: BoardCalibration, fits: TemperatureFits, thermometer: str, when: str, who: str
) -> BoardCalibration:
    """The record with what the run found; only cells that can be told. Raises ValueError where that is none."""
    cells = {
        cell.name: CellTemperature(
            counts_per_degree=round(cell.counts_per_degree, 2),
            counts_per_degree_sd=round(cell.counts_per_degree_sd, 2),
            lag_min=round(cell.lag_min, 1),
            r2=round(cell.r2, 3),
            grade=cell.grade,
        )
        for cell in fits.cells
        if cell is not None and cell.tells
    }
    if not cells:
        raise ValueError("this run tells nothing of any cell: there is nothing to keep of it")
    whole = len(cells) == len(fits.cells)
    grams, sd = (fits.grams_per_degree, fits.grams_per_degree_sd) if whole else (None, None)
    temperature = TemperatureRecord(
        when=when,
        who=who,
        thermometer=thermometer,
        hours=fits.hours,
        from_c=round(fits.from_c, 1),
        to_c=round(fits.to_c, 1),
        cells=cells,
        grams_per_degree=None if grams is None else round(grams, 4),
        grams_per_degree_sd=None if sd is None else round(sd, 4),
    )
    made = f"{when} temperature run"
    return record.model_copy(update={"version": LONG_VERSION, "temperature": temperature, "made": made})


def carried_on(new: BoardCalibration, former: BoardCalibration | None) -> BoardCalibration:
    """A new calibration with what long runs found before it, if the cells are still the same ones by their gains."""
    if former is None or (former.creep is None and former.temperature is None):
        return new
    if set(new.cells) != set(former.cells):
        return new
    for name, cell in new.cells.items():
        if abs(former.cells[name].counts_per_gram / cell.counts_per_gram - 1.0) > SAME_CELL_SHARE:
            return new
    return new.model_copy(update={"version": LONG_VERSION, "creep": former.creep, "temperature": former.temperature})


def long_run_words(record: BoardCalibration) -> list[str]:
    """What long runs found, a few words each, for `history`."""
    found = []
    if record.creep is not None:
        board = record.creep.board
        found.append(f"creep {board.ppm_per_decade:z.0f} ppm/decade ({record.creep.grade})")
    if record.temperature is not None:
        grams = record.temperature.grams_per_degree
        if grams is None:
            found.append(f"zero against temperature known of {len(record.temperature.cells)} cells")
        else:
            found.append(f"zero {grams:+z.2f} g/°C")
    return found


def _figures(fit: CreepFit) -> CreepFigures:
    return CreepFigures(
        ppm_per_decade=round(1e6 * fit.share_per_decade, 2),
        ppm_per_decade_sd=round(1e6 * fit.share_per_decade_sd, 2),
        load_g=round(fit.load_g, 1),
    )
