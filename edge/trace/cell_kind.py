"""What a cell's stored numbers are: a converter's codes, codes less a tare, or no codes."""

from __future__ import annotations

from calibration.record import CellCalibration
from drivers.hx711.codes import OTHER, RAW, SHIFTED

COUNTS_PER_GRAM = 1000.0
"""Grams without a value step are stored as counts of a milligram, so that there is one code path from here on."""


def kind_of(record: CellCalibration | None) -> int:
    """RAW, SHIFTED (a tare was taken off, before it was imported in grams) or OTHER, by the cell's calibration."""
    if record is None or record.adc_bits == 24:
        return RAW
    return SHIFTED if record.adc_bits == 0 and record.counts_per_gram != COUNTS_PER_GRAM else OTHER
