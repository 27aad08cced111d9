"""Cameras, places and tracks in a node file: read as they are meant, and every mistake told where it is."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from config_texts import NODE, PLANOGRAM, Write

from calibration.camera_record import CameraRecord, camera_to_json
from drivers.camera.build import KINDS
from drivers.camera.options import OPTIONS
from edge.config.camera_schema import Place
from edge.config.driver_schema import CAMERA_DRIVER_TYPES
from edge.config.errors import ConfigError
from edge.config.json_schema import json_schema
from edge.config.setup import load_setup, setup_from_texts
from edge.config.summary import summary

CAMERAS = """\
cameras:
  aisle-1: {driver: picamera2, looks_at: floor, model: person.tflite, labels: person.txt, threads: 2}
  eye:
    driver: {type: video, file: tuesday.mp4}
    looks_at: {board: shelf-1}
"""
PLACED = NODE.replace(
    "    driver: simulated\n", "    driver: simulated\n    place: {x: 1.2 m, y: -30 cm, facing: -90 deg}\n"
)


def record(camera: str = "aisle-1", **other: Any) -> str:
    values: dict[str, Any] = {
        "camera": camera,
        "looks_at": "floor",
        "size": (320, 240),
        "origin_mm": (0.0, 0.0),
        "to_pixels": ((0.1, 0.0, 160.0), (0.0, -0.1, 120.0), (0.0, 0.0, 1.0)),
        "covariance": [[1e-6 * (row == column) for column in range(9)] for row in range(9)],
    }
    return camera_to_json(CameraRecord.model_validate({**values, **other}))


def problems(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_setup(path)
    return [(problem.line, problem.key_path, problem.expected) for problem in caught.value.problems]


def test_cameras_are_read_as_they_are_meant(write: Write) -> None:
    node = load_setup(write(PLACED + CAMERAS + "recording: {frames: 5 Hz}\n")).node
    aisle, eye = node.cameras["aisle-1"], node.cameras["eye"]
    assert (aisle.floor, aisle.board, aisle.model, aisle.labels, aisle.threads) == (
        True,
        None,
        "person.tflite",
        "person.txt",
        2,
    )
    assert (eye.floor, eye.board, eye.driver.type, eye.driver.options) == (
        False,
        "shelf-1",
        "video",
        {"file": "tuesday.mp4"},
    )
    assert node.boards["shelf-1"].place == Place(x_mm=1200, y_mm=-300, facing_deg=-90, height_mm=1100)
    assert (node.recording.frames_hz, node.tracks.nodes, node.tracks.publish) == (5.0, [], True)
    assert node.follows_people


def test_a_node_file_without_cameras_means_what_it_did(write: Write) -> None:
    node = load_setup(write()).node
    assert (node.cameras, node.tracks.nodes, node.boards["shelf-1"].place) == ({}, [], None)
    assert node.recording.frames_hz is None, "no picture is kept unless somebody asks for it"
    assert not node.follows_people


def test_every_mistake_is_told_at_once_with_its_line_and_what_is_expected(write: Write) -> None:
    text = PLACED.replace("-30 cm, facing: -90 deg", "2, facing: north, hight: 1 m") + (
        "recording: {frames: fast}\n"
        "tracks: {from: [ceiling, ceiling], publish: perhaps}\n"
        "cameras:\n"
        "  aisle-1: {driver: {type: picamera2, size: [321, 240], iso: 3}, looks_at: flor, labels: x.txt}\n"
        "  eye: {driver: videos, looks_at: {board: shelf-2}, threads: 9, model: m.tflite}\n"
        "  shelf-1: {driver: simulated, looks_at: {shelf: shelf-1}}\n"
        "  played: {driver: {type: video, file: x.mp4, paced: false}, modle: m.tflite}\n"
        "  'a b': {driver: simulated, looks_at: floor}\n"
    )
    found = problems(write(text))
    keys = [key for _, key, _ in found]
    for key in (
        "boards.shelf-1.place.y",
        "boards.shelf-1.place.facing",
        "boards.shelf-1.place.hight",
        "recording.frames",
        "tracks.from",
        "tracks.publish",
        "cameras.aisle-1.driver.iso",
        "cameras.aisle-1.looks_at",
        "cameras.aisle-1.labels",
        "cameras.eye.driver",
        "cameras.eye.looks_at.board",
        "cameras.eye.threads",
        "cameras.shelf-1",
        "cameras.shelf-1.looks_at",
        "cameras.played.looks_at",
        "cameras.played.modle",
        'cameras."a b"',
    ):
        assert key in keys, key
    lines = {key: line for line, key, _ in found}
    assert text.splitlines()[lines["cameras.eye.threads"] - 1].startswith("  eye:")
    said = {key: expected for _, key, expected in found}
    assert "did you mean 'video'?" in said["cameras.eye.driver"]
    assert "did you mean 'shelf-1'?" in said["cameras.eye.looks_at.board"]
    assert "90 deg" in said["boards.shelf-1.place.facing"]
    assert "did you mean 'model'?" in said["cameras.played.modle"]


@pytest.mark.parametrize(
    ("more", "key", "expected"),
    [
        ("recording: {frames: 5 Hz}\n", "recording.frames", "expected cameras"),
        ("tracks: {from: [ceiling]}\n", "tracks.from", "expected uplink"),
        ("uplink: {broker: 'mqtt://localhost'}\ntracks: {from: [bay-1]}\n", "tracks.from", "this node itself"),
        (
            "cameras:\n  a: {driver: {type: video, file: x.mp4, paced: false}, looks_at: floor}\n",
            "cameras.a.driver.paced",
            "in their own time",
        ),
    ],
)
def test_what_means_nothing_alone_is_refused(write: Write, more: str, key: str, expected: str) -> None:
    ((_, found, said),) = problems(write(NODE + more))
    assert found == key
    assert expected in said


def test_a_ceiling_node_needs_neither_boards_nor_a_planogram(write: Write) -> None:
    path = write("node: ceiling\ncameras: {a: {driver: simulated, looks_at: floor}}\n")
    setup = load_setup(path)
    assert (setup.node.boards, setup.planogram.slots) == ({}, {})
    again = setup_from_texts(setup.node_text, setup.planogram_text, "", "x.mcap")
    assert again.node == setup.node
    keys = [key for _, key, _ in problems(write("node: ceiling\n"))]
    assert keys == ["boards", "planogram"]
    assert "planogram" in [key for _, key, _ in problems(write("node: c\ncameras: {}\n"))]


def test_a_camera_record_is_found_by_its_name_and_boards_records_beside_it_too(write: Write) -> None:
    path = write(PLACED + CAMERAS + "calibration: cal\n")
    (path.parent / "cal").mkdir()
    (path.parent / "cal" / "aisle-1.camera.json").write_text(record())
    setup = load_setup(path)
    assert setup.cameras["aisle-1"].size == (320, 240)
    assert list(setup.cameras) == ["aisle-1"]
    assert setup.calibration == {}
    assert "aisle-1: driver picamera2, looks at the floor, calibrated" in summary(setup)
    assert load_setup(path, calibrated=False).cameras == {}
    texts = {"aisle-1": record()}
    assert setup_from_texts(setup.node_text, PLANOGRAM, "", "x.mcap", texts).cameras == setup.cameras


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[\n", "", "not JSON"),
        ("[]", "", "expected a camera's record"),
        (record("aisle-2"), "camera", "as the file is called"),
        (record(looks_at={"board": "shelf-1"}), "looks_at", "looks at the floor"),
        (record(version=99), "version", "newer shelfedge"),
        (record().replace('"size"', '"sise"'), "sise", ""),
    ],
)
def test_a_camera_record_that_doesnt_fit_is_told_with_its_file(
    write: Write, text: str, key: str, expected: str
) -> None:
    path = write(PLACED + CAMERAS + "calibration: cal\n")
    (path.parent / "cal").mkdir()
    file = path.parent / "cal" / "aisle-1.camera.json"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_setup(path)
    mine = [problem for problem in caught.value.problems if problem.key_path == key]
    assert mine, caught.value
    assert mine[0].file == str(file)
    assert expected in mine[0].expected


def test_records_of_cameras_that_were_taken_away_are_told_only_where_there_are_cameras(write: Write) -> None:
    path = write(PLACED + CAMERAS + "calibration: cal\n")
    (path.parent / "cal").mkdir()
    (path.parent / "cal" / "aisle-9.camera.json").write_text(record("aisle-9"))
    ((_, key, said),) = problems(path)
    assert key == "camera"
    assert "no such camera" in said
    write(PLACED + "calibration: cal\n")
    assert load_setup(path).cameras == {}


def test_facing_is_the_way_to_the_shopper_and_x_runs_to_the_right_of_his_look() -> None:
    facing_up = Place(x_mm=1000, y_mm=500, facing_deg=90)  # he stands at larger y and looks towards -y: right is -x
    for (x_mm, y_mm), expected in (((0, 0), (1000, 500)), ((300, 0), (700, 500)), ((0, 200), (1000, 300))):
        assert facing_up.on_floor(x_mm, y_mm) == pytest.approx(expected)
    turned = Place(x_mm=0, y_mm=0, facing_deg=30)
    right_mm, up_mm = turned.on_floor(0, 100)  # the board's depth leads away from him
    assert math.degrees(math.atan2(up_mm, right_mm)) == pytest.approx(30 - 180)


def test_the_json_schema_knows_cameras_and_agrees() -> None:
    schema = json.loads(json.dumps(json_schema("node")))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(PLACED + CAMERAS + "tracks: {from: [ceiling-1]}\n")
    assert check.is_valid(good)
    assert check.is_valid({"node": "c", "cameras": {"a": {"driver": "simulated", "looks_at": "floor"}}})
    assert not check.is_valid({"node": "c"})
    for bad in (
        {"driver": "simulatd", "looks_at": "floor"},
        {"driver": "simulated"},
        {"driver": "simulated", "looks_at": "flor"},
        {"driver": "simulated", "looks_at": {"board": "b", "x": 1}},
        {"driver": "simulated", "looks_at": "floor", "modle": "x"},
    ):
        assert not check.is_valid({**good, "cameras": {"a": bad}}), bad


def test_the_schema_names_the_drivers_that_there_are() -> None:
    assert CAMERA_DRIVER_TYPES == tuple(OPTIONS) == KINDS


def test_the_summary_says_what_is_missing_for_telling_who(write: Write) -> None:
    assert "shelf-1: no place on the floor" in summary(load_setup(write(NODE + CAMERAS)))
    assert "no place" not in summary(load_setup(write(PLACED + CAMERAS)))
    assert "no place" not in summary(load_setup(write(NODE)))


def test_a_node_file_with_cameras_is_checked_without_what_they_need(write: Write) -> None:
    path = write(PLACED + CAMERAS)
    script = (
        "import sys\nfrom pathlib import Path\nfrom edge.config.setup import load_setup\n"
        f"load_setup(Path({str(path)!r}))\n"
        "print([name for name in ('numpy', 'numba', 'av', 'drivers.camera.build') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


def test_files_that_cameras_name_are_missed_all_at_once_but_only_by_who_asks(write: Write, tmp_path: Path) -> None:
    """`config check` asks; a node runs without them."""
    path = write(NODE + CAMERAS)
    load_setup(path)
    with pytest.raises(ConfigError) as caught:
        load_setup(path, camera_files=True)
    told = {problem.key_path: problem.expected for problem in caught.value.problems}
    assert set(told) == {"cameras.aisle-1.model", "cameras.aisle-1.labels", "cameras.eye.driver.file"}
    assert all(problem.line for problem in caught.value.problems)
    for name in ("person.tflite", "person.txt", "tuesday.mp4"):
        (path.parent / name).touch()
    load_setup(path, camera_files=True)
    load_setup(
        write(NODE + CAMERAS.replace("model: person.tflite, labels: person.txt", "model: shipped")), camera_files=True
    )


def test_a_simulated_camera_isnt_called_uncalibrated(write: Write) -> None:
    """It knows where it looks, and works; others are told of."""
    told = summary(load_setup(write(NODE + CAMERAS + "  door: {driver: simulated, looks_at: floor}\n"))).splitlines()
    assert [line for line in told if "door:" in line] == ["  door: driver simulated, looks at the floor"]
    assert "not calibrated" in next(line for line in told if "aisle-1:" in line)
