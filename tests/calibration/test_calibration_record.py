"""The record's newer fields: older records stay as they were, byte for byte, and newer ones come back."""

from __future__ import annotations

import json

import pytest

from calibration.record import (
    BoardCalibration,
    CalibrationError,
    CalibrationRun,
    CellCalibration,
    calibration_from_json,
    calibration_to_json,
)

OLD = """{
 "version": 1,
 "board": "shelf-1",
 "cells": {"l": {"zero_counts": 84213.0, "counts_per_gram": -215.3, "zero_sd_counts": 40, "gain_relative_sd": 0.001}}
}"""


def test_a_record_of_version_1_is_read_and_written_as_it_always_was() -> None:
    records = calibration_from_json(OLD, "old.json")
    written = json.loads(calibration_to_json(records))["shelf-1"]
    assert set(written) == {"version", "board", "made", "gain_common_relative_sd", "cells"}
    assert set(written["cells"]["l"]) == {
        "zero_counts", "counts_per_gram", "zero_sd_counts", "gain_relative_sd", "adc_bits"
    }  # fmt: skip
    assert written["version"] == 1
    assert calibration_from_json(calibration_to_json(records), "again") == records


def test_a_run_and_what_a_channel_carries_come_back() -> None:
    cells = {
        "l": CellCalibration(zero_counts=0, counts_per_gram=200, carries="r"),
        "r": CellCalibration(zero_counts=0, counts_per_gram=-210, carries="l"),
    }
    run = CalibrationRun(when="2026-11-21T18:00:00+00:00", who="Kim", weights=("2 kg M1",), hysteresis_g=0.4)
    record = BoardCalibration(version=2, board="shelf-1", cells=cells, run=run)
    assert calibration_from_json(calibration_to_json({"shelf-1": record}), "x") == {"shelf-1": record}
    assert record.carried(["l", "r"]) == [1, 0]


def test_a_record_of_other_cells_than_the_board_has_is_an_error() -> None:
    record = BoardCalibration(board="b", cells={"l": CellCalibration(zero_counts=0, counts_per_gram=200, carries="x")})
    with pytest.raises(CalibrationError, match="differ in their cells"):
        record.carried(["l"])
    with pytest.raises(CalibrationError, match="differ in their cells"):
        record.carried(["l", "r"])
