"""A camera's map from measured marks: right, as sure as it says it is, and not fooled by a mark that lies elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from camera_marks import SIZE, grid_pixels, laid_points, laid_sheets, true_plane

from calibration.camera_fit import Mark, fit_camera
from calibration.camera_verdict import Site, check_map, judge
from calibration.findings import Reason
from calibration.record import CalibrationError
from calibration.tag_sheet import paper_named
from drivers.camera.scenes.ceiling import Shop
from hil.tag_scene import TruePlane

FLOOR = Site("floor")


@pytest.mark.parametrize("radial", [0.0, -0.08])
def test_without_errors_every_place_is_found_also_through_a_lens_that_bends(radial):
    true = true_plane(radial)
    rng = np.random.default_rng(1)
    marks = laid_sheets(true, 6, rng, 0.0, 0.0, 0.0)
    exact = [replace(mark, place_sd_mm=0.1, direction_sd_rad=1e-4, pixel_sd=1e-3) for mark in marks]
    plane = fit_camera(exact, SIZE).plane
    assert plane.radial == pytest.approx(radial, abs=1e-4)
    places, _ = plane.places(grid_pixels())
    assert np.hypot(*(places - true.places(grid_pixels())).T).max() < 1.0
    assert plane.pixels(places) == pytest.approx(grid_pixels(), abs=1e-6)


@pytest.mark.parametrize(
    ("lay", "count", "radial"),
    [
        (laid_points, 4, 0.0),
        (laid_points, 8, -0.05),
        (laid_sheets, 1, 0.0),
        (laid_sheets, 2, -0.05),
        (laid_sheets, 4, -0.1),
    ],
)
def test_the_stated_error_is_honest_all_over_the_picture(lay, count, radial):
    """Of the true places 95 in 100 lie within twice the stated standard deviation, which isn't far too large either."""
    true = true_plane(radial)
    within, errors, stated = [], [], []
    for seed in range(25):
        fit = fit_camera(lay(true, count, np.random.default_rng([seed, count])), SIZE)
        places, covariances = fit.plane.places(grid_pixels())
        off = np.hypot(*(places - true.places(grid_pixels())).T)
        sd = np.sqrt(np.trace(covariances, axis1=1, axis2=2))
        within.append(np.mean(off < 2.0 * sd))
        errors.append(np.median(off))
        stated.append(np.median(sd))
    assert np.mean(within) >= 0.92  # 25 calibrations; places of one go together
    assert np.median(stated) < 2.5 * np.median(errors)


def test_several_sheets_are_far_surer_than_one_and_one_says_so():
    true, rng = true_plane(), np.random.default_rng(5)
    marks = laid_sheets(true, 5, rng)
    one, five = judge(marks[:1], SIZE, FLOOR), judge(marks, SIZE, FLOOR)
    assert (one.verdict, five.verdict) == ("REFUSED", "PASS")
    assert one.area is not None
    assert five.area is not None
    assert one.area.median_mm > 5.0 * five.area.median_mm
    told = next(finding for finding in one.findings if finding.reason is Reason.PLANE_UNKNOWN)
    assert "put another sheet near" in told.remedy
    place = np.array(one.area.worst_place_mm)
    assert np.hypot(*(place - marks[0].at_mm)) > 1500.0


def test_four_points_are_used_but_told_to_be_unchecked():
    outcome = judge(laid_points(true_plane(), 4, np.random.default_rng(2)), SIZE, FLOOR)
    assert outcome.verdict == "WARN"
    assert Reason.MARKS_UNCHECKED in [finding.reason for finding in outcome.findings]


@pytest.mark.parametrize(("lay", "count"), [(laid_points, 8), (laid_sheets, 4)])
def test_a_mark_that_lies_elsewhere_is_named_with_its_place_by_the_others(lay, count):
    true = true_plane()
    for seed in range(2):
        marks = lay(true, count, np.random.default_rng([seed, 9]))
        x, y = marks[2].at_mm
        marks[2] = replace(marks[2], at_mm=(x + 200.0, y - 150.0))
        outcome = judge(marks, SIZE, FLOOR)
        assert outcome.verdict == "REFUSED"
        finding = outcome.findings[0]
        assert (finding.reason, finding.subject) == (Reason.MARK_ELSEWHERE, marks[2].name)
        away = float(finding.evidence.split(" mm, ")[1].split(" mm away")[0])
        assert away == pytest.approx(250.0, abs=80.0)


def test_a_sheet_that_is_turned_is_told_its_direction():
    marks = laid_sheets(true_plane(), 4, np.random.default_rng(3))
    marks[1] = replace(marks[1], direction_rad=marks[1].direction_rad + math.pi / 2.0)
    finding = judge(marks, SIZE, FLOOR).findings[0]
    assert (finding.reason, finding.subject) == (Reason.MARK_ELSEWHERE, "sheet 2")
    right = math.degrees(marks[1].direction_rad - math.pi / 2.0) % 360.0
    told = float(finding.evidence.split("points to ")[1].split("°")[0])
    assert abs((told - right + 180.0) % 360.0 - 180.0) < 6.0


def test_of_two_sheets_that_contradict_each_other_neither_is_blamed_alone():
    marks = laid_sheets(true_plane(), 2, np.random.default_rng(4))
    x, y = marks[1].at_mm
    marks[1] = replace(marks[1], at_mm=(x + 600.0, y))
    outcome = judge(marks, SIZE, FLOOR)
    assert outcome.verdict == "REFUSED"
    assert outcome.findings[0].reason is Reason.MARKS_DISAGREE


def test_places_measured_more_roughly_than_said_widen_the_stated_error():
    true = true_plane()
    errors, stated, said = [], [], []
    for seed in range(8):
        marks = laid_points(true, 8, np.random.default_rng([seed, 7]), tape_mm=20.0)
        told = [replace(mark, place_sd_mm=10.0) for mark in marks]
        fit, right = fit_camera(told, SIZE), fit_camera(marks, SIZE)
        places, covariances = fit.plane.places(grid_pixels())
        errors.append(np.sqrt(np.mean((places - true.places(grid_pixels())) ** 2)))
        stated.append(np.sqrt(np.mean(np.trace(covariances, axis1=1, axis2=2)) / 2.0))
        said.append(np.sqrt(np.mean(np.trace(right.plane.places(grid_pixels())[1], axis1=1, axis2=2)) / 2.0))
    assert np.median(stated) > 0.75 * np.median(said)
    assert np.median(errors) < 2.0 * np.median(stated)


def test_places_whose_x_and_y_were_taken_for_each_other_are_refused_though_they_fit():
    marks = laid_points(true_plane(), 6, np.random.default_rng(2))
    swapped = [replace(mark, at_mm=mark.at_mm[::-1]) for mark in marks]
    assert Reason.MARKS_MIRRORED not in [finding.reason for finding in judge(marks, SIZE, FLOOR).findings]
    outcome = judge(swapped, SIZE, FLOOR)
    assert outcome.verdict == "REFUSED"
    assert outcome.findings[0].reason is Reason.MARKS_MIRRORED


def test_a_print_that_was_scaled_to_the_page_is_told_from_the_sheets_places():
    marks = laid_sheets(true_plane(), 5, np.random.default_rng(6), tape_mm=3.0, grown=0.96)
    outcome = judge(marks, SIZE, FLOOR)
    told = [finding for finding in outcome.findings if finding.reason is Reason.PRINT_SCALED]
    assert told
    assert "--bar" in told[0].remedy


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        (laid_points(true_plane(), 3, np.random.default_rng(1)), "at least 4 points, not 3"),
        ([], "at least 4 points, not 0"),
    ],
)
def test_too_few_marks_are_refused_in_a_sentence(marks, words):
    with pytest.raises(CalibrationError, match=words):
        judge(marks, SIZE, FLOOR)


def test_marks_in_a_line_are_refused_in_a_sentence():
    true, base = true_plane(), laid_points(true_plane(), 5, np.random.default_rng(1))
    places = np.stack([np.linspace(6000.0, 8000.0, 5), np.full(5, 10_000.0)], axis=1)
    marks = [
        replace(mark, at_mm=(float(x), float(y)), pixels=pixel[None])
        for mark, (x, y), pixel in zip(base, places, true.pixels(places), strict=True)
    ]
    with pytest.raises(CalibrationError, match="in a line"):
        judge(marks, SIZE, FLOOR)


def test_a_camera_that_was_moved_no_longer_passes_its_check_and_one_that_wasnt_does():
    true, rng = true_plane(), np.random.default_rng(8)
    plane = fit_camera(laid_sheets(true, 5, rng), SIZE).plane
    assert check_map(plane, laid_points(true, 4, rng), FLOOR) == []
    moved = laid_points(true_plane(heading_rad=0.46), 4, rng)
    assert {finding.reason for finding in check_map(plane, moved, FLOOR)} == {Reason.MAP_OFF}


def test_a_board_wants_millimetres():
    """A sheet's eight tags on a board know its places far better than a floor needs."""
    paper = paper_named("A4-board")
    assert paper is not None
    true = TruePlane(Shop(*SIZE, height_m=0.9, tilt_deg=30.0, view_deg=66.0), (450.0, -150.0))
    local = np.concatenate([paper.corners_mm(place) for place in range(8)])
    rng = np.random.default_rng(2)
    pixels = true.pixels(local + np.array([300.0, 120.0])) + rng.normal(0.0, 0.25, local.shape)
    mark = Mark("sheet 201", (300.0, 120.0), 0.0, 2.0, math.radians(1.0), local, pixels, 0.25)
    outcome = judge([mark], SIZE, Site("shelf-1", (900.0, 400.0)))
    assert outcome.area is not None
    assert outcome.area.worst_mm < 25.0
    places, _ = outcome.fit.plane.places(true.pixels(np.array([[100.0, 100.0], [800.0, 350.0]])))
    assert np.abs(places - [[100.0, 100.0], [800.0, 350.0]]).max() < 15.0
