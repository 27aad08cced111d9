"""Records to keep, and what the disk holds of them."""

from __future__ import annotations

from calibration.record import BoardCalibration, CalibrationRun, CellCalibration

CELLS = ("fl", "fr", "bl", "br")


def record(number: int, board: str = "shelf-1") -> BoardCalibration:
    """One of many: its zeros tell which."""
    cells = {
        name: CellCalibration(zero_counts=1000.0 * number + k, counts_per_gram=-215.0 + k, gain_relative_sd=0.001)
        for k, name in enumerate(CELLS)
    }
    run = CalibrationRun(when="2026-11-21T09:00:00+01:00", who="ada", weights=("2 kg M1, no. 17",), temperature_c=21.5)
    return BoardCalibration(version=2, board=board, made=f"run {number}", cells=cells, run=run)


def number_of(kept: BoardCalibration) -> int:
    """Which one it is."""
    return round(kept.cells["fl"].zero_counts / 1000.0)
