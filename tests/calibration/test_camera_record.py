"""Camera records: what is wrong with one is said with its key; they are kept as boards' are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from camera_marks import SIZE, laid_sheets, true_plane

from calibration.camera_fit import fit_camera
from calibration.camera_record import CameraRecord, camera_from_json, camera_to_json
from calibration.record import CalibrationError
from calibration.store import CalibrationStore, CameraStore
from calibration.store_errors import StoreError
from edge.config.calibration_records import record_files


def camera_record(seed: int = 1, **changes: Any) -> CameraRecord:
    """A record as a calibration makes it."""
    plane = fit_camera(laid_sheets(true_plane(), 4, np.random.default_rng(seed)), SIZE).plane
    data = {
        "camera": "aisle-1",
        "looks_at": "floor",
        "made": f"run {seed}",
        "size": SIZE,
        "origin_mm": plane.origin_mm.tolist(),
        "to_pixels": plane.to_pixels.tolist(),
        "radial": plane.radial,
        "covariance": plane.covariance.tolist(),
    }
    return CameraRecord.model_validate({**data, **changes})


def test_a_record_is_read_back_bit_for_bit():
    record = camera_record()
    assert camera_from_json(camera_to_json(record), "here") == record


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"camera": None}, "camera: .*string"),
        ({"looks_at": "ceiling"}, "looks_at"),
        ({"size": [1640]}, "size"),
        ({"size": [1640, 0]}, "size.1"),
        ({"to_pixels": [[1, 0, 0], [2, 0, 0], [3, 0, 1]]}, "to_pixels: .*inverted"),
        ({"to_pixels": [[1, 0, 0], [0, 1, 0], [0, 0, 2]]}, "to_pixels: expected 1 as its last element"),
        ({"to_pixels": [[1, 0, 0], [0, 1, 0]]}, "to_pixels.2"),
        ({"radial": -3.0}, "radial"),
        ({"covariance": [[0.0] * 8] * 8}, "covariance: expected 9 rows"),
        ({"covariance": (-np.eye(9)).tolist()}, "covariance: .*below zero"),
        ({"covariance": (np.eye(9) + 2.0 * np.eye(9, k=1)).tolist()}, "covariance"),
        ({"origin_mm": [float("nan"), 0]}, "origin_mm.0"),
        ({"wizard": 1}, "wizard"),
        ({"version": 2}, "version 2 is newer .* update shelfedge"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_with_its_file_and_key(changes, words):
    data = {**camera_record().model_dump(mode="json"), **changes}
    with pytest.raises(CalibrationError, match=f"^cam.json: .*{words}"):
        camera_from_json(json.dumps(data), "cam.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cam.json:1: not JSON"),
        ("[]", "expected a camera record"),
        ('{"version": 1, "board": "b", "cells": {}}', "a board's calibration record"),
        ("[" * 100_000, "cam.json"),
        ("", "not JSON"),
    ],
)
def test_what_is_no_record_at_all_is_said_too(text, words):
    with pytest.raises(CalibrationError, match=words):
        camera_from_json(text, "cam.json")


def test_records_of_cameras_are_kept_and_can_be_had_back(tmp_path):
    """P9."""
    store = CameraStore(tmp_path)
    assert [store.save(camera_record(seed)) for seed in (1, 2, 3)] == [1, 2, 3]
    assert [kept.record for kept in store.history("aisle-1")] == [camera_record(seed) for seed in (1, 2, 3)]
    assert store.restore("aisle-1", 1, "now") == 4
    restored = store.current("aisle-1")
    assert restored is not None
    assert restored.to_pixels == camera_record(1).to_pixels
    assert restored.made == "run 1; no. 1 restored now"


def test_a_camera_and_a_board_have_records_of_their_own_in_one_folder(tmp_path):
    """P9: neither is read or written as the other's."""
    CameraStore(tmp_path).save(camera_record())
    boards = CalibrationStore(tmp_path)
    assert boards.current("aisle-1") is None
    assert boards.history("aisle-1") == []
    assert record_files(tmp_path) == []
    assert (tmp_path / "aisle-1.camera.json").is_file()


def test_a_damaged_record_says_how_to_go_on_and_the_former_one_is_there(tmp_path):
    """P5, P9."""
    store = CameraStore(tmp_path)
    for seed in (1, 2):
        store.save(camera_record(seed))
    path = store.path("aisle-1")
    path.write_text(path.read_text()[:300])
    with pytest.raises(CalibrationError, match="shelfedge calibrate restore aisle-1 NUMBER"):
        store.current("aisle-1")
    store.restore("aisle-1", 1)
    assert store.current("aisle-1") is not None
    assert len(store.history("aisle-1")) == 3


def test_a_record_of_another_camera_isnt_used(tmp_path):
    store = CameraStore(tmp_path)
    (tmp_path / "aisle-2.camera.json").write_text(camera_to_json(camera_record()))
    with pytest.raises(
        CalibrationError, match=r"a record of aisle-1; expected one of aisle-2.*calibrate camera aisle-2"
    ):
        store.current("aisle-2")
    with pytest.raises(StoreError, match="name of a camera"):
        store.path("../x")
