"""From a camera's record to the map that vision works with: any frame size, a lens that bends, a store far away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from calibration.camera_fit import Mark, fit_camera
from calibration.camera_record import CameraRecord
from calibration.plane_map import PlaneMap, bent, denormal, normal
from drivers.camera.scenes.ceiling import PinholeCamera, Shop
from edge.vision.camera_map import map_of, plane_of
from edge.vision.errors import FloorPointsError, FrameShapeError
from edge.vision.feet import BODY, stand, upright_camera
from hil.tag_scene import TruePlane

Floats = npt.NDArray[np.float64]

SIZE = (1640, 1232)
PLACES = np.array([(x, y) for x in (6000.0, 7000.0, 8200.0) for y in (8300.0, 9500.0, 11_000.0)])


def _true(radial: float) -> TruePlane:
    return TruePlane(Shop(*SIZE, height_m=3.0, tilt_deg=25.0), (7000.0, 9000.0), 0.0, radial)


def _record(true: TruePlane, plane: PlaneMap | None = None) -> CameraRecord:
    if plane is None:
        pixels = true.pixels(PLACES)
        marks = [
            Mark(f"{k}", (float(x), float(y)), 0.0, 1.0, 0.0, np.zeros((1, 2)), pixels[k : k + 1], 0.01)
            for k, (x, y) in enumerate(PLACES)
        ]
        plane = fit_camera(marks, SIZE).plane
    return CameraRecord.model_validate(
        {
            "camera": "aisle-1",
            "looks_at": "floor",
            "size": SIZE,
            "origin_mm": plane.origin_mm.tolist(),
            "to_pixels": plane.to_pixels.tolist(),
            "radial": plane.radial,
            "covariance": plane.covariance.tolist(),
        }
    )


@pytest.mark.parametrize("radial", [0.0, -0.08])
@pytest.mark.parametrize("size", [SIZE, (320, 240), (640, 480)])
def test_a_record_serves_frames_of_every_size_of_the_same_view(size, radial):
    true = _true(radial)
    floor = map_of(_record(true), *size)
    shrunk = true.pixels(PLACES) * (np.array(size) / SIZE)
    for pixel, place in zip(shrunk, PLACES, strict=True):
        found, covariance = floor.place(*pixel)
        assert found == pytest.approx(place, abs=3.0)
        assert 0.0 < covariance[0, 0] < 100.0
    assert floor.pixels(PLACES) == pytest.approx(shrunk, abs=0.5)


def test_the_doubt_of_a_place_is_the_same_in_every_size():
    record = _record(_true(-0.05))
    large, small = map_of(record, *SIZE), map_of(record, 410, 308)
    _, wide = large.place(800.0, 700.0)
    _, narrow = small.place(200.0, 175.0)
    assert narrow == pytest.approx(wide, rel=1e-6)


def test_frames_of_another_shape_are_refused_in_a_sentence():
    with pytest.raises(FrameShapeError, match=r"picture of 1640 x 1232 .*640 x 360.*calibrate camera aisle-1"):
        map_of(_record(_true(0.0)), 640, 360)


def test_what_isnt_known_of_the_map_is_what_its_covariance_says():
    """The slopes behind it are right: places scatter as stated when the map's elements do."""
    rng = np.random.default_rng(4)
    plane = plane_of(_record(_true(-0.05)))
    pixel = np.array([[300.0, 900.0]])
    place, covariance = plane.places(pixel)
    moved = []
    for change in rng.multivariate_normal(np.zeros(9), plane.covariance, 3000, method="eigh"):
        matrix = plane.to_pixels + np.append(change[:8], 0.0).reshape(3, 3)
        other = PlaneMap(plane.size, matrix, plane.origin_mm, plane.radial + change[8], plane.covariance)
        moved.append(other.places(pixel)[0][0])
    scatter = np.cov(np.array(moved).T)
    assert np.diag(scatter) == pytest.approx(np.diag(covariance[0]), rel=0.15)
    assert np.mean(moved, axis=0) == pytest.approx(place[0], abs=1.0)


def test_a_pixels_own_doubt_goes_through_the_lens():
    plane = plane_of(_record(_true(-0.08)))
    pixel, rng = np.array([[200.0, 1000.0]]), np.random.default_rng(5)
    doubt = np.array([[4.0, 1.0], [1.0, 2.0]])
    _, bare = plane.places(pixel)
    _, both = plane.places(pixel, doubt)
    places, _ = plane.places(pixel + rng.multivariate_normal((0.0, 0.0), doubt, 4000))
    assert np.cov(places.T) == pytest.approx((both - bare)[0], rel=0.12, abs=1.0)


def test_above_the_horizon_there_is_no_place():
    true = TruePlane(Shop(*SIZE, height_m=3.0, tilt_deg=70.0), (7000.0, 9000.0))
    places = true.places(np.array([[x, y] for x in (200.0, 900.0, 1500.0) for y in (700.0, 950.0, 1200.0)]))
    marks = [
        Mark(f"{k}", (float(x), float(y)), 0.0, 1.0, 0.0, np.zeros((1, 2)), true.pixels(place[None]), 0.1)
        for k, (place, (x, y)) in enumerate(zip(places, places, strict=True))
    ]
    floor = map_of(_record(true, fit_camera(marks, SIZE).plane), *SIZE)
    with pytest.raises(FloorPointsError, match="horizon"):
        floor.place(800.0, 5.0)
    assert np.isnan(floor.pixels(np.array([[7000.0, 0.0]]))).all()


@pytest.mark.parametrize("radial", [0.0, -0.08])
def test_somebody_stands_where_they_do_also_through_a_lens_that_bends(radial):
    """The place of a body from the middle of its box, in store coordinates."""
    true = _true(radial)
    shop = Shop(320, 240, height_m=3.0, tilt_deg=25.0)
    upright = upright_camera(map_of(_record(true), 320, 240), 320, 240)
    out = np.empty(7)
    for place in PLACES[[0, 4, 8]]:
        camera = PinholeCamera(shop)
        edges = []
        for up, radius in BODY:
            x, y, scale = camera.see(*((place - true.under_mm) / 1000.0), up / 1000.0)
            edges += [(x + dx * radius / 1000.0 * scale, y + dy * radius / 1000.0 * scale)
                      for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]  # fmt: skip
        seen = denormal(bent(normal(np.array(edges), (320, 240)), radial), (320, 240))
        middle = 0.5 * (seen.min(axis=0) + seen.max(axis=0))
        assert stand(upright, *middle, 1.0, 1.0, out)
        assert np.hypot(*(out[:2] - place)) < (20.0 if radial == 0.0 else 60.0)
        assert out[5:] == pytest.approx(true.pixels(place[None])[0] * (320 / 1640), abs=3.0 if radial == 0.0 else 5.0)
