"""Printed sheets: to scale, each with tags of its own, and found where they lie in a rendered picture."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from camera_marks import SIZE, true_plane

from calibration.sheet_print import sheet_svg, sheets_pdf
from calibration.tag_sheet import PAPERS, paper_named, paper_of, place_of
from calibration.tags import NoOpenCvError, find_tags, tag_cells
from hil.tag_scene import LaidSheet, picture_of

DOTS_PER_MM = 4


def test_every_tag_is_on_one_sheet_only_and_in_the_family():
    seen = {}
    for paper in PAPERS:
        for sheet in range(paper.first_sheet, paper.first_sheet + paper.sheets):
            assert paper_of(sheet) == paper
            for place in range(len(paper.tags_at_mm)):
                tag = paper.tag(sheet, place)
                assert place_of(tag) == (sheet, paper, place)
                assert seen.setdefault(tag, (sheet, place)) == (sheet, place)
    assert max(seen) < 587
    assert place_of(0) is None
    assert paper_of(100) is None
    assert tag_cells(max(seen)).shape == (8, 8)


def _raster(boxes: list[tuple[float, float, float, float]], width_mm: float, height_mm: float) -> np.ndarray:
    """Black boxes, x, y, width, height from the lower left corner, as a picture."""
    picture = np.full((round(height_mm * DOTS_PER_MM), round(width_mm * DOTS_PER_MM)), 255, np.uint8)
    for x, y, width, height in boxes:
        left, right = round(x * DOTS_PER_MM), round((x + width) * DOTS_PER_MM)
        top, bottom = (round((height_mm - up) * DOTS_PER_MM) for up in (y + height, y))
        picture[top:bottom, left:right] = 0
    return picture


def _tags_are_where_they_belong(picture: np.ndarray, sheet: int) -> None:
    paper = paper_of(sheet)
    assert paper is not None
    tags = find_tags(picture)
    assert sorted(tags) == [paper.tag(sheet, place) for place in range(len(paper.tags_at_mm))]
    for tag, corners in tags.items():
        found = place_of(tag)
        assert found is not None
        expected = paper.corners_mm(found[2]) + np.array(paper.bar_at_mm)
        on_paper = np.stack([corners[:, 0], picture.shape[0] - corners[:, 1]], axis=1) / DOTS_PER_MM
        assert np.abs(on_paper - expected).max() < 0.2  # mm
    row = picture[round((paper.height_mm - paper.bar_at_mm[1]) * DOTS_PER_MM)]
    black = np.flatnonzero(row < 128)
    begin = paper.bar_at_mm[0] * DOTS_PER_MM
    assert abs(black[0] - begin) <= DOTS_PER_MM / 2
    assert row[round(begin) : round(begin + paper.bar_mm * DOTS_PER_MM)].max() == 0


@pytest.mark.parametrize("sheet", [1, 103, 240])
def test_a_printed_svg_has_its_tags_and_its_bar_in_millimetres(sheet):
    text = sheet_svg(sheet).decode()
    head = re.search(r'width="([\d.]+)mm" height="([\d.]+)mm" viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert head is not None
    width, height = float(head[1]), float(head[2])
    assert (float(head[3]), float(head[4])) == (width, height)
    boxes = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="([-\d.e]+)" y="([-\d.e]+)" width="([\d.e-]+)" height="([\d.e-]+)"', text)
    ]
    _tags_are_where_they_belong(_raster([(x, height - y - h, w, h) for x, y, w, h in boxes], width, height), sheet)
    assert f"sheet {sheet}" in text


def test_a_printed_pdf_has_a_page_a_sheet_in_points_and_a_table_that_leads_to_its_objects():
    data = sheets_pdf([2, 7])
    text = data.decode("latin-1")
    assert text.count("/Type /Page ") == 2
    pages = re.findall(r"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", text)
    assert [(round(float(w) / 72 * 25.4, 1), round(float(h) / 72 * 25.4, 1)) for w, h in pages] == [(210.0, 297.0)] * 2
    for sheet, stream in zip([2, 7], re.findall(r"stream\n(.*?)\nendstream", text, re.DOTALL), strict=True):
        boxes = [
            tuple(float(number) / 72 * 25.4 for number in found)
            for found in re.findall(r"([-\d.]+) ([-\d.]+) ([\d.]+) ([\d.]+) re f", stream)
        ]
        _tags_are_where_they_belong(_raster(boxes, 210.0, 297.0), sheet)
    table = int(text.rsplit("startxref\n", 1)[1].split("\n")[0])
    assert text[table:].startswith("xref")
    for number, place in enumerate(re.findall(r"(\d{10}) 00000 n", text), 1):
        assert text[int(place) :].startswith(f"{number} 0 obj")


def test_tags_are_found_to_a_fraction_of_a_pixel_in_a_picture_from_the_ceiling():
    true, rng = true_plane(-0.05), np.random.default_rng(3)
    spots = np.array([(0.2, 0.8), (0.75, 0.3), (0.5, 0.5)]) * SIZE
    sheets = [
        LaidSheet(number, float(x), float(y), rng.uniform(-3.0, 3.0))
        for number, (x, y) in zip((1, 2, 101), true.places(spots), strict=True)
    ]
    tags = find_tags(picture_of(true, sheets, rng))
    assert sorted(tags) == [1, 2, 101]
    for sheet in sheets:
        paper = paper_of(sheet.sheet)
        assert paper is not None
        cos, sin = np.cos(sheet.direction_rad), np.sin(sheet.direction_rad)
        places = paper.corners_mm(0) @ np.array([[cos, sin], [-sin, cos]]) + (sheet.x_mm, sheet.y_mm)
        assert np.abs(tags[paper.tag(sheet.sheet, 0)] - true.pixels(places)).max() < 0.7


def test_papers_are_known_by_name():
    assert paper_named("a4") is PAPERS[0]
    assert paper_named("letter") is None


def test_without_opencv_it_is_said_what_to_install_and_what_goes_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(NoOpenCvError, match=r"pip install 'shelfedge\[calibrate-camera\]'; or give points"):
        find_tags(np.zeros((64, 64), np.uint8))
