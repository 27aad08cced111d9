"""From boxes to places: the camera is found from its floor map, and a body's box leads back to where it stands."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from drivers.camera.scenes.ceiling import PinholeCamera, Shop, ceiling_scene
from edge.vision.feet import BODY, body_sizes, stand, upright_camera
from edge.vision.floor import FloorMap, fit_floor
from edge.vision.sizes import CELL, expected_size, new_sizes, typical_size
from edge.vision.tracker import Tracker

CORNERS_M = np.array([(-1.6, -1.1), (1.6, -1.1), (-1.6, 1.3), (1.6, 1.3), (0.0, 0.2)])
PLACES_M = [(-1.2, -0.9), (1.0, 1.2), (0.0, 0.05), (0.4, -0.5), (-0.8, 1.6)]


def _floor_map(camera: PinholeCamera, mirrored: bool = False, sd_px: float = 0.01) -> FloorMap:
    """Exact points; ``mirrored``: the installer's x runs the other way, so that the axes are left-handed."""
    pixels = np.array([camera.see(x, y, 0.0)[:2] for x, y in CORNERS_M])
    return fit_floor(pixels, 1000.0 * CORNERS_M * ((-1.0 if mirrored else 1.0), 1.0), sd_px)


def _middle_of_body(camera: PinholeCamera, x_m: float, y_m: float) -> tuple[float, float]:
    x, y, _, _ = _box_of_body(camera, x_m, y_m)
    return x, y


def _box_of_body(camera: PinholeCamera, x_m: float, y_m: float) -> tuple[float, float, float, float]:
    """Middle x, y, width, height."""
    edges = []
    for up, radius in (BODY / 1000.0).tolist():
        u, v, scale = camera.see(x_m, y_m, up)
        edges.append((u - radius * scale, u + radius * scale, v - radius * scale, v + radius * scale))
    low, top = np.min(edges, axis=0), np.max(edges, axis=0)
    return 0.5 * (low[0] + top[1]), 0.5 * (low[2] + top[3]), top[1] - low[0], top[3] - low[2]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("tilt_deg", [20.0, 35.0, 50.0])
def test_a_body_s_box_leads_back_to_where_it_stands(tilt_deg: float, mirrored: bool) -> None:
    shop = Shop(tilt_deg=tilt_deg, view_deg=60.0)
    camera = PinholeCamera(shop)
    upright = upright_camera(_floor_map(camera, mirrored), shop.width, shop.height)
    assert upright.focal == pytest.approx(0.5 * shop.width / math.tan(math.radians(30.0)), rel=0.02)
    out = np.empty(7)
    for x_m, y_m in PLACES_M:
        assert stand(upright, *_middle_of_body(camera, x_m, y_m), 1.0, 1.0, out)
        assert out[:2] == pytest.approx([(-1000 if mirrored else 1000) * x_m, 1000 * y_m], abs=40)
        assert out[5:] == pytest.approx(camera.see(x_m, y_m, 0.0)[:2], abs=3)


def test_straight_down_the_feet_are_under_the_shoulders_not_at_the_box_s_lower_edge() -> None:
    shop = Shop(tilt_deg=0.0)
    camera = PinholeCamera(shop)
    upright = upright_camera(_floor_map(camera), shop.width, shop.height)
    out = np.empty(7)
    for x_m, y_m in PLACES_M[:4]:
        assert stand(upright, *_middle_of_body(camera, x_m, y_m), 1.0, 1.0, out)
        assert out[:2] == pytest.approx([1000 * x_m, 1000 * y_m], abs=120)  # the focal length is a guess there


def test_the_covariance_grows_with_the_pixel_s_and_the_map_s() -> None:
    shop = Shop(tilt_deg=30.0)
    camera = PinholeCamera(shop)
    areas = []
    for sd_px, variance in ((0.01, 1.0), (0.01, 25.0), (10.0, 1.0)):
        upright = upright_camera(_floor_map(camera, sd_px=sd_px), shop.width, shop.height)
        out = np.empty(7)
        assert stand(upright, *_middle_of_body(camera, 0.5, 0.6), variance, variance, out)
        areas.append(out[2] * out[4] - out[3] ** 2)
        assert areas[-1] > 0
    assert areas[1] > 1.5 * areas[0]
    assert areas[2] > 1.5 * areas[0]


def test_above_the_horizon_nobody_stands() -> None:
    shop = Shop(tilt_deg=75.0)
    upright = upright_camera(_floor_map(PinholeCamera(shop)), shop.width, shop.height)
    assert not stand(upright, 160.0, -200.0, 1.0, 1.0, np.empty(7))


def test_with_a_floor_map_it_is_known_how_large_people_are_before_anybody_came() -> None:
    shop = Shop(640, 480, tilt_deg=30.0)
    camera = PinholeCamera(shop)
    upright = upright_camera(_floor_map(camera), shop.width, shop.height)
    sizes, out = new_sizes(body_sizes(upright, 320, 240, 2, CELL)), np.empty(2)
    assert typical_size(sizes, out)
    for x_m, y_m in ((0.4, 0.9), (-0.3, 1.4), (0.9, 1.8)):
        x, y, wide, high = _box_of_body(camera, x_m, y_m)
        assert 0 < x < shop.width
        assert 0 < y < shop.height
        assert expected_size(sizes, x / 2, y / 2, 320, 240, out)
        assert out == pytest.approx([wide / 2, high / 2], rel=0.15)
    flat = upright_camera(_floor_map(PinholeCamera(Shop(tilt_deg=75.0))), 320, 240)
    assert not expected_size(new_sizes(body_sizes(flat, 320, 240, 1, CELL)), 160.0, 0.0, 320, 240, out)


def _away(shop: Shop, seed: int) -> npt.NDArray[np.float64]:
    """How far the tracker's places are off, mm and in standard deviations, and its speed, mm/s: float64[n, 3]."""
    tracker = Tracker(_floor_map(PinholeCamera(shop), sd_px=0.5))
    rows, before = [], np.zeros(2)
    for seen in ceiling_scene(shop, seed, 16.0):
        tracks = [track for track in tracker.push(seen.frame) if not track.hidden]
        left, top, wide, high = seen.boxes.T if len(seen.boxes) else np.empty((4, 0))
        inside = (left > 2) & (top > 2) & (left + wide < shop.width - 2) & (top + high < shop.height - 2)
        if len(tracks) == 1 and inside.all() and len(inside) == 1:
            (track,) = tracks
            assert track.floor_mm is not None
            assert track.floor_covariance is not None
            xx, xy, yy = track.floor_covariance
            away = np.array(track.floor_mm) - 1000.0 * seen.places[0]
            squared = float(away @ np.linalg.solve(np.array([[xx, xy], [xy, yy]]), away))
            assert track.floor_velocity_mm_s is not None
            speed = 1000.0 * (seen.places[0] - before) * shop.rate_hz
            rows.append(
                (float(np.hypot(*away)), math.sqrt(squared), float(np.hypot(*(track.floor_velocity_mm_s - speed))))
            )
        before = seen.places[0] if len(seen.places) else before
    return np.array(rows)


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0])
def test_the_tracker_says_where_on_the_floor_somebody_is_and_how_surely(tilt_deg: float) -> None:
    """P3: an uncertainty that holds."""
    away = _away(Shop(200, 150, 10.0, people=1, tilt_deg=tilt_deg, carry_share=0.0), 41)
    assert len(away) > 20
    assert np.median(away[:, 0]) < 150
    assert np.mean(away[:, 1] < math.sqrt(5.991)) > 0.8
    assert np.median(away[:, 2]) < 350
