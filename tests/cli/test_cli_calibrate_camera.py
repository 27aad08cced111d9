"""`shelfedge calibrate camera`, as an installer types it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from calibration.store import CameraStore
from drivers.camera.scenes.ceiling import Shop
from edge.node.calibrate_camera_picture import encoded
from edge.vision.camera_map import map_of
from hil.tag_scene import LaidSheet, TruePlane, picture_of

TRUE = TruePlane(Shop(1280, 960, height_m=2.8, tilt_deg=25.0), (7000.0, 9000.0), 0.6, -0.04)
SPOTS = np.array([(0.2, 0.8), (0.8, 0.8), (0.78, 0.22), (0.22, 0.25), (0.5, 0.5)])
NODE = """\
node: eye-1
cameras:
  aisle-1: {driver: simulated, looks_at: floor}
  # the next one
  aisle-2: {driver: {type: simulated, size: [640, 360]}, looks_at: floor}
"""


@pytest.fixture(scope="module")
def sheets() -> tuple[list[str], bytes]:
    """What to type of five sheets that lie under a camera, and its picture."""
    rng = np.random.default_rng(4)
    options, laid = [], []
    for number, (x, y) in enumerate(TRUE.places(SPOTS * TRUE.size), 1):
        direction = rng.uniform(-3.0, 3.0)
        laid.append(LaidSheet(number, float(x), float(y), direction))
        off_x, off_y = rng.normal(0.0, 5.0, 2)
        degrees = math.degrees(direction) + rng.normal(0.0, 1.0)
        options += ["--sheet-at", f"{number}: {x + off_x:.0f} mm, {y + off_y:.0f} mm, {degrees:.0f} deg"]
    grey = picture_of(TRUE, laid, rng)
    return options, encoded(grey[:, :, None].repeat(3, axis=2), Path("floor.png"))


@pytest.fixture
def node(tmp_path: Path, sheets: tuple[list[str], bytes]) -> Path:
    (tmp_path / "node.yaml").write_text(NODE)
    (tmp_path / "floor.png").write_bytes(sheets[1])
    return tmp_path


def points(count: int, rng_seed: int = 1) -> list[str]:
    """Tape marks, seen to a pixel."""
    rng = np.random.default_rng(rng_seed)
    pixels = (rng.uniform(0.1, 0.9, (count, 2)) if count > 5 else SPOTS[:count]) * TRUE.size
    return [
        f"{x:.0f} mm, {y:.0f} mm = {u:.0f}, {v:.0f}" for (x, y), (u, v) in zip(TRUE.places(pixels), pixels, strict=True)
    ]


def with_option(option: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def test_sheets_on_the_floor_become_a_record_that_knows_places_and_former_ones_can_be_had_back(shelfedge, node, sheets):
    """P9."""
    options, _ = sheets
    done = shelfedge("calibrate", "camera", "aisle-1", *options, "--picture", "floor.png", "--save-picture", "grid.png",
                     "--who", "ada", "--json", cwd=node)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "PASS"
    assert told["saved"]["number"] == 1
    assert max(mark["error_mm"] for mark in told["marks"]) < 25.0
    assert "CALIBRATED" in done.stderr
    assert (node / "grid.png").read_bytes()[:4] == b"\x89PNG"
    assert (node / "grid.png").stat().st_mode & 0o777 == 0o600, "it may show people"
    assert "calibration: calibration" in (node / "node.yaml").read_text()
    record = CameraStore(node / "calibration").current("aisle-1")
    assert record is not None
    assert (record.by, record.board, record.size) == ("tags", None, (1280, 960))
    places = TRUE.places(np.array([[300.0, 700.0], [900.0, 400.0]]))
    small = map_of(record, 320, 240)
    for place, pixel in zip(places, TRUE.pixels(places) / 4.0, strict=True):
        found, covariance = small.place(*pixel)
        assert np.hypot(*(found - place)) < 3.0 * math.sqrt(np.trace(covariance))

    again = shelfedge("calibrate", "camera", "aisle-1", *options[:8], "--picture", "floor.png", cwd=node)
    assert again.returncode == 0, again.stderr
    assert "number 2; number 1 is kept" in again.stdout
    assert "sheet 5 is in the picture" in again.stderr
    history = shelfedge("calibrate", "history", "aisle-1", cwd=node)
    assert "5 sheets, from a picture of 1280 x 960" in history.stdout.splitlines()[0]
    assert "4 sheets" in history.stdout.splitlines()[1]
    assert shelfedge("calibrate", "restore", "aisle-1", "1", cwd=node).returncode == 0
    restored = CameraStore(node / "calibration").current("aisle-1")
    assert restored is not None
    assert restored.to_pixels == record.to_pixels
    assert shelfedge("calibrate", "export", "aisle-1", "-o", "out.json", cwd=node).returncode == 0
    assert "in use already" in shelfedge("calibrate", "import", "aisle-1", "out.json", cwd=node).stdout
    wrong = shelfedge("calibrate", "import", "aisle-2", "out.json", cwd=node)
    assert wrong.returncode == 1
    assert "a record of aisle-1, which looks at the floor; expected one of aisle-2" in wrong.stderr


def test_one_sheet_isnt_enough_and_it_is_said_where_another_helps(shelfedge, node, sheets):
    done = shelfedge("calibrate", "camera", "aisle-1", *sheets[0][:2], "--picture", "floor.png", cwd=node)
    assert done.returncode == 1
    assert "NOT CALIBRATED, nothing was changed" in done.stdout
    assert "put another sheet near" in done.stdout
    assert not (node / "calibration").exists()


def test_points_need_no_picture_and_are_checked_against_the_record_later(shelfedge, node):
    first = shelfedge(
        "calibrate", "camera", "aisle-1", *with_option("--point", points(8)), "--size", "1280x960", cwd=node
    )
    assert first.returncode == 0, first.stdout + first.stderr
    (node / "known.csv").write_text(
        "x_mm,y_mm,x_px,y_px\n"
        + "\n".join(line.replace(" mm", "").replace(" = ", ",").replace(" ", "") for line in points(3, 7))
    )
    holds = shelfedge(
        "calibrate", "camera", "aisle-1", "--marks", "known.csv", "--size", "1280x960", "--check", cwd=node
    )
    assert holds.returncode == 0, holds.stdout + holds.stderr
    assert "THE CALIBRATION HOLDS" in holds.stdout
    place, pixel = points(1)[0].split(" = ")
    moved = f"{place} = {float(pixel.split(',')[0]) + 100:.0f},{pixel.split(',')[1]}"
    off = shelfedge("calibrate", "camera", "aisle-1", "--point", moved, "--size", "1280x960", "--check", cwd=node)
    assert off.returncode == 1
    assert "CALIBRATE AGAIN" in off.stdout
    assert "the camera was moved" in off.stdout
    assert len(list((node / "calibration").glob("*.json"))) == 1


def test_a_point_that_is_wrong_is_named_and_nothing_is_saved(shelfedge, node):
    told = points(8)
    place, pixel = told[2].split(" = ")
    told[2] = f"{float(place.split(' mm')[0]) + 700:.0f} mm,{place.split(',')[1]} = {pixel}"
    done = shelfedge("calibrate", "camera", "aisle-1", *with_option("--point", told), "--size", "1280x960", cwd=node)
    assert done.returncode == 1
    assert "MARK ELSEWHERE (POINT 3)" in done.stdout
    assert "by the other 7 it lies at" in done.stdout
    assert not (node / "calibration" / "aisle-1.camera.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["aisle-3", "--point", "1 mm, 1 mm = 1, 1"], 2, "has no camera 'aisle-3'; did you mean 'aisle-"),
        (["aisle-1"], 2, "say what lies where: --sheet-at"),
        (["aisle-1", "--point", "1 mm, 1 mm = 1, 1", "--size", "big"], 2, "for example 1640x1232"),
        (["aisle-1", "--point", "1, 1 = 1, 1"], 1, "without a unit"),
        (["aisle-1", "--point", "1 mm, 1 mm = 1, 1", "--size", "640x480"], 1, "at least 4 points, not 1"),
        (["aisle-1", "--sheet-at", "1 mm, 1 mm, 1 deg", "--picture", "node.yaml"], 1, "node.yaml: not a picture"),
        (["aisle-1", "--sheet-at", "1 mm, 1 mm, 1 deg", "--picture", "none.jpg"], 1, "none.jpg: no such file"),
        (["aisle-1", "--sheet-at", "9: 1 mm, 1 mm, 1 deg", "--picture", "floor.png"], 1, "picture shows sheet 1, 2, 3"),
        (["aisle-2", *with_option("--point", points(5)), "--size", "1280x960"], 1, "can't show the same view"),
        (["aisle-1", "--check", "--point", "1 mm, 1 mm = 1, 1", "--size", "64x64"], 1, "aisle-1 was never calibrated"),
        (["--sheet", "two.svg", "--sheets", "4"], 1, "an SVG holds one sheet; for 4 name a PDF"),
        (["--sheet", "two.doc"], 1, "ends in .pdf"),
        (["aisle-1", "--picture", "floor.png", "--still", "floor.png"], 1, "is the file that is read"),
        (["aisle-1", "--still", "node.yaml"], 1, "expected a name that ends in .png or .jpg"),
        (["--sheet", "two.pdf", "--paper", "letter"], 1, "expected A4, A3, A4-board"),
        ([], 2, "say which camera"),
    ],
)
def test_what_cant_be_done_is_said_in_a_sentence(shelfedge, node, arguments, code, words):
    done = shelfedge("calibrate", "camera", *arguments, cwd=node)
    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == code, said
    assert words in said
    assert "Traceback" not in done.stderr
    assert not (node / "calibration" / "aisle-1.camera.json").exists()


def test_sheets_are_written_to_print_with_what_to_do(shelfedge, tmp_path):
    done = shelfedge("calibrate", "camera", "--sheet", "sheets.pdf", "--sheets", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sheets.pdf").read_bytes()[:5] == b"%PDF-"
    assert "sheets 1 to 3" in done.stdout
    assert "the bar must be 150 mm long" in done.stdout


def test_a_still_of_the_camera_is_written_with_one_to_read_pixels_off(shelfedge, node):
    pytest.importorskip("av")
    (node / "seen.jpg").touch(0o644)
    done = shelfedge("calibrate", "camera", "aisle-1", "--still", "seen.jpg", cwd=node)
    assert done.returncode == 0, done.stderr
    assert "seen.jpg, 320 x 240" in done.stdout
    for name in ("seen.jpg", "seen-grid.jpg"):
        assert (node / name).read_bytes()[:2] == b"\xff\xd8"
        assert (node / name).stat().st_mode & 0o777 == 0o600, "it may show people"


def test_a_board_that_is_called_camera_is_still_calibrated(shelfedge, node):
    (node / "planogram.yaml").write_text("skus: {}\nslots: {}\n")
    (node / "node.yaml").write_text(
        "node: n\nplanogram: planogram.yaml\nboards:\n  camera: {width: 900 mm, depth: 400 mm, rate: 10 Hz, "
        "driver: simulated, cells: {a: {x: 450 mm, y: 200 mm}}}\n"
    )
    hinted = shelfedge("calibrate", "camera", "node.yaml", cwd=node)
    assert hinted.returncode == 2
    assert "shelfedge calibrate run camera" in hinted.stderr
    done = shelfedge("calibrate", "run", "camera", "--weight", "2 g", cwd=node)
    assert "2 g is too light for camera" in done.stderr


def test_what_has_no_records_is_said_with_what_has_and_how_they_are_made(shelfedge, node):
    wrong = shelfedge("calibrate", "history", "door", cwd=node)
    assert wrong.returncode == 2
    assert "no board or camera 'door'; it has aisle-1, aisle-2" in wrong.stderr
    none = shelfedge("calibrate", "history", "aisle-1", "node.yaml", cwd=node)
    assert "do it with: shelfedge calibrate camera aisle-1 node.yaml" in none.stdout
