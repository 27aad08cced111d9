"""Whether a drift of a zero is what its temperature explains: for whoever names a drift, by its temperature run."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.record import BoardCalibration

LIKELY_C_PER_H = 2.0
"""A room that is heated, aired or cooled; a drift that needs more than that is something else."""


@dataclass(frozen=True, slots=True)
class ThermalDrift:
    """Attributes:
    celsius_per_h: what the temperature would have to do to explain the drift.
    likely: a room does that. sentence: for a finding's evidence.
    """

    celsius_per_h: float
    likely: bool
    sentence: str


def thermal_drift(record: BoardCalibration | None, cell: str, counts_per_h: float) -> ThermalDrift | None:
    """What the temperature run in a board's record says of a cell's drift; None where it says nothing.

    Args:
        cell: its name. counts_per_h: the drift, as the converter reads.
    """
    known = None if record is None or record.temperature is None else record.temperature.cells.get(cell)
    if record is None or known is None or cell not in record.cells:
        return None
    per_degree = known.counts_per_degree
    if abs(per_degree) < 2.0 * known.counts_per_degree_sd or per_degree == 0.0:
        return None
    celsius_per_h = counts_per_h / per_degree
    gain = record.cells[cell].counts_per_gram
    drift = f"this drift of {counts_per_h / gain:+.1f} g/h is what {celsius_per_h:+.1f} °C/h explain"
    by = f"its zero goes by {per_degree / gain:+.2f} g/°C (temperature run of {record.temperature.when[:10]})"  # type: ignore[union-attr]
    likely = abs(celsius_per_h) <= LIKELY_C_PER_H
    rest = "" if likely else "; no room warms so fast: it is something else, or the sun is on the cell"
    return ThermalDrift(celsius_per_h, likely, f"{drift}: {by}{rest}")
