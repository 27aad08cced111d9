"""What an installer says of marks: read as meant, or refused with what is expected, and where it stands."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest

from calibration.camera_verdict import Site
from calibration.tag_sheet import PAPERS
from drivers.frames import Frame
from edge.node.calibrate_camera_marks import (
    MarksError,
    Point,
    SheetPlace,
    check_places,
    marks_file,
    point_marks,
    point_of,
    sheet_marks,
    sheet_place_of,
)
from edge.node.calibrate_camera_picture import PictureError, encoded, picture_of, take_still, with_pixel_grid


def test_points_and_sheets_are_read_with_their_units():
    assert point_of("1.2 m, -30 cm = 812.5, 440", 3) == Point("point 3", 1200.0, -300.0, 812.5, 440.0)
    assert sheet_place_of("2: 1200 mm, 300 mm, 90 deg") == SheetPlace(2, 1200.0, 300.0, 90.0)
    assert sheet_place_of("1200 mm, 300 mm, -90 deg") == SheetPlace(1, 1200.0, 300.0, -90.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1200, 300 = 812, 440", "without a unit.*1200 mm.*got '1200, 300 = 812, 440'"),
        ("1200 mm, 300 mm", "expected a place and its pixel"),
        ("1200 mm = 812, 440", "expected a place and its pixel"),
        ("1200 mm, 300 mm = 812", "expected a place and its pixel"),
        ("1200 mm, 300 mm = 1.2.3, 440", "^expected a place and its pixel"),
        ("1200 mm, 300 mm = 1..2, 100", "^expected a place and its pixel"),
        ("", "expected a place and its pixel"),
    ],
)
def test_a_point_that_is_none_is_refused_with_an_example(text, words):
    with pytest.raises(MarksError, match=words):
        point_of(text, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2: 1200 mm, 300 mm", "expected a sheet's number"),
        ("two: 1200 mm, 300 mm, 90 deg", "expected a sheet's number"),
        ("2: 1200 mm, 300 mm, 90", "without a unit"),
        ("100: 1200 mm, 300 mm, 90 deg", "there is no sheet 100; sheets are 1 to 99"),
    ],
)
def test_a_sheet_s_place_that_is_none_is_refused(text, words):
    with pytest.raises(MarksError, match=words):
        sheet_place_of(text)


def test_a_file_of_points_or_of_sheets_is_read(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("\ufeffx_mm,y_mm,x_px,y_px\n# by the till\n1200,300,812,440\n\n 0 , -5.5 , 1 , 2\n")
    assert marks_file(path) == ([Point("line 3", 1200, 300, 812, 440), Point("line 5", 0, -5.5, 1, 2)], [])
    path.write_text("direction_deg,sheet,x_mm,y_mm\n90,2,1200,300\n")
    assert marks_file(path) == ([], [SheetPlace(2, 1200, 300, 90)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("x,y\n1,2\n", ":1: expected the columns x_mm,y_mm,x_px,y_px"),
        ("x_mm,y_mm,x_px,y_px\n1,2,3,4\n1,2,3\n", ":3: expected 4 values"),
        ("x_mm,y_mm,x_px,y_px\n1,2 mm,3,4\n", ":2: y_mm: expected a number without a unit, got '2 mm'"),
        ("x_mm,y_mm,x_px,y_px\n1,inf,3,4\n", ":2: y_mm"),
        ("sheet,x_mm,y_mm,direction_deg\n1.5,2,3,4\n", ":2: sheet: expected a whole number"),
        ("sheet,x_mm,y_mm,direction_deg\n100,2,3,4\n", ":2: there is no sheet 100"),
        ("x_mm,y_mm,x_px,y_px\n" + "1,2,3,4\n" * 2000, "at most 999"),
        ("\x00\xff\xfe", ":1: expected the columns"),
    ],
)
def test_a_marks_file_that_cant_be_used_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(MarksError, match=words):
        marks_file(path)


def test_points_outside_of_the_picture_or_told_twice_are_refused():
    with pytest.raises(MarksError, match="point 1: pixel 900, 10 isn't in the picture, which has 640 x 480"):
        point_marks([Point("point 1", 0, 0, 900, 10)], (640, 480), 10.0)
    with pytest.raises(MarksError, match="point 2 has the same place as point 1"):
        point_marks([Point("point 1", 0, 0, 1, 1), Point("point 2", 0, 0, 9, 9)], (640, 480), 10.0)
    with pytest.raises(MarksError, match="point 2 has the same pixel as point 1"):
        point_marks([Point("point 1", 0, 0, 1, 1), Point("point 2", 5, 5, 1, 1)], (640, 480), 10.0)


def _tags(*numbers: int) -> dict[int, np.ndarray]:
    return {number: np.array([[0, 0], [9, 0], [9, 9], [0, 9]]) + 20.0 * number for number in numbers}


def test_sheets_are_matched_with_their_tags_and_what_isnt_used_is_told():
    marks, told = sheet_marks([SheetPlace(2, 100.0, 200.0, 90.0), SheetPlace(4, 0, 0, 0)], _tags(2, 3, 580), 10.0, None)
    assert [mark.name for mark in marks] == ["sheet 2"]
    assert marks[0].direction_rad == pytest.approx(math.pi / 2)
    assert marks[0].local_mm == pytest.approx(PAPERS[0].corners_mm(0))
    assert [
        words in sentence for words, sentence in zip(("tag 580", "sheet 4 wasn't", "sheet 3 is in"), told, strict=True)
    ]
    shorter, _ = sheet_marks([SheetPlace(2, 0, 0, 0)], _tags(2), 10.0, 144.0)
    assert shorter[0].local_mm == pytest.approx(0.96 * PAPERS[0].corners_mm(0))


@pytest.mark.parametrize(
    ("places", "tags", "bar_mm", "words"),
    [
        ([SheetPlace(2, 0, 0, 0)], _tags(), None, "no tag sheet was found"),
        ([SheetPlace(2, 0, 0, 0)], _tags(3), None, "shows sheet 3, and places are given for sheet 2"),
        ([SheetPlace(2, 0, 0, 0), SheetPlace(2, 1, 0, 0)], _tags(2), None, "sheet 2 is given two places"),
        ([SheetPlace(2, 0, 0, 0)], _tags(2), 15.0, "--bar 15 mm can't be right: sheet 2's bar is 150 mm long"),
    ],
)
def test_sheets_that_dont_go_together_with_the_picture_are_refused(places, tags, bar_mm, words):
    with pytest.raises(MarksError, match=words):
        sheet_marks(places, tags, 10.0, bar_mm)


class _Camera:
    """A camera whose frames are there when they are there."""

    camera = "aisle-1"

    def __init__(self, frame: tuple[int, int] | None, still: tuple[int, int]) -> None:
        self.now_ns = 0
        self.frame, self.picture = frame, np.full((*still[::-1], 3), 90, np.uint8)
        self.log: deque[str] = deque()

    def start(self) -> None:
        self.log.append("start")

    def read(self, until_ns: int) -> list[Frame]:
        if self.frame is None or until_ns < 2_000_000_000:
            return []
        return [Frame("aisle-1", until_ns, 1, np.zeros(self.frame[::-1], np.uint8))]

    def still(self) -> bytes:
        self.log.append(f"still {self.now_ns / 1e9:.0f}")
        from pathlib import Path

        return encoded(self.picture, Path("a.jpg"))

    def take_notices(self) -> list[object]:
        return []

    def stop(self) -> None:
        self.log.append("stop")

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def test_a_still_is_taken_once_the_exposure_has_settled_and_the_camera_is_let_go():
    camera = _Camera((320, 240), (1640, 1232))
    data = take_still(camera, 4.0, lambda: camera.now_ns, camera.sleep)
    assert list(camera.log) == ["start", "still 6", "stop"]
    assert picture_of(data, "here").shape == (1232, 1640, 3)


@pytest.mark.parametrize(
    ("frame", "still", "words"),
    [
        (None, (1640, 1232), "gave no picture within 15 s; check its cable"),
        ((320, 240), (1280, 720), "its still is 1280 x 720 and its frames are 320 x 240"),
    ],
)
def test_a_camera_that_gives_no_picture_or_another_view_is_refused_and_let_go(frame, still, words):
    camera = _Camera(frame, still)
    with pytest.raises(PictureError, match=words):
        take_still(camera, 1.0, lambda: camera.now_ns, camera.sleep)
    assert camera.log[-1] == "stop"


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_picture_is_refused(data):
    with pytest.raises(PictureError, match=r"still\.jpg: not a picture"):
        picture_of(data, "still.jpg")


def test_lines_to_read_pixels_off_are_drawn_where_they_say():
    grey = np.full((480, 640, 3), 128, np.uint8)
    drawn = with_pixel_grid(grey)
    assert (drawn[300, 200] != 128).any()
    assert (drawn[310, 215] == 128).all()
    assert (grey == 128).all()


@pytest.mark.parametrize(("x_mm", "y_mm"), [(4000.0, 300.0), (400.0, 3000.0), (-560.0, 100.0), (100.0, 710.0)])
def test_a_place_on_the_store_floor_is_none_on_a_board(x_mm, y_mm):
    marks = point_marks([Point("point 1", x_mm, y_mm, 10.0, 10.0)], (320, 240), 2.0)
    with pytest.raises(MarksError, match=r"is far off board b1, which is 900 x 400 mm; .*its left and its front edge"):
        check_places(marks, Site("b1", (900.0, 400.0)))
    check_places(marks, Site("floor"))


def test_a_mark_may_lie_beside_its_board():
    corners = [Point("a", -100.0, -50.0, 1.0, 1.0), Point("b", 1300.0, 650.0, 90.0, 90.0)]
    check_places(point_marks(corners, (320, 240), 2.0), Site("b1", (900.0, 400.0)))
