"""Pixels to the floor: exact without noise, honest with it, and a sentence where the points don't make a map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge.vision.errors import FloorPointsError
from edge.vision.floor import fit_floor

TO_PIXELS = np.array([[0.09, 0.02, 160.0], [-0.01, -0.05, 200.0], [0.00001, 0.00018, 1.0]])
PLACES = np.array(
    [[0, 0], [1500, 0], [1500, 2000], [-1200, 2100], [-900, 300], [300, 1100], [800, 2800], [-400, 1700]], float
)


def _seen(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    pixels = np.c_[places, np.ones(len(places))] @ TO_PIXELS.T
    seen: npt.NDArray[np.float64] = pixels[:, :2] / pixels[:, 2:]
    return seen


@pytest.mark.parametrize("points", [4, 5, 8])
def test_without_noise_every_place_is_found(points: int) -> None:
    floor = fit_floor(_seen(PLACES[:points]), PLACES[:points], 1.0)
    assert floor.errors_mm.max() < 1e-3
    for place in PLACES + np.array([150.0, -80.0]):
        found, _ = floor.place(*_seen(place[None])[0])
        assert found == pytest.approx(place, abs=1e-2)


@pytest.mark.parametrize("points", [4, 8])
def test_the_standard_deviation_says_how_far_off_a_place_is(points: int) -> None:
    rng = np.random.default_rng(31)
    place = np.array([200.0, 900.0])
    squares = []
    for _ in range(400):
        pixels = _seen(PLACES[:points]) + rng.normal(0, 0.7, (points, 2))
        floor = fit_floor(pixels, PLACES[:points], 0.7)
        found, covariance = floor.place(*_seen(place[None])[0])
        squares.append(float((found - place) @ np.linalg.solve(covariance, found - place)))
    inside = np.mean(np.array(squares) < 5.991)  # 95 % of chi square with two degrees of freedom
    assert 0.90 < inside < 0.985


def test_the_noise_of_many_points_is_found_from_themselves() -> None:
    rng = np.random.default_rng(32)
    grid = np.array([(x, y) for x in range(-1500, 1600, 500) for y in range(0, 2600, 500)], float)
    floor = fit_floor(_seen(grid) + rng.normal(0, 1.5, grid.shape), grid)
    assert floor.pixel_sd == pytest.approx(1.5, rel=0.25)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (PLACES[:3], "at least 4 points, not 3"),
        (np.array([[0, 0], [1, 0], [2, 0], [3, 0]], float) * 500, "in a line"),
        (np.array([[0, 0], [500, 0], [1000, 0], [300, 900]], float), "three of the four points"),
        (np.array([[0, 0], [0, 0], [1000, 0], [300, 900]], float), "three of the four points"),
        (np.array([[0, 0], [np.nan, 0], [1000, 0], [300, 900]], float), "isn't a number"),
    ],
)
def test_points_that_make_no_map_are_refused_in_a_sentence(places: npt.NDArray[np.float64], words: str) -> None:
    with pytest.raises(FloorPointsError, match=words):
        fit_floor(_seen(places), places)


def test_a_pixel_above_the_horizon_is_no_place() -> None:
    floor = fit_floor(_seen(PLACES), PLACES, 1.0)
    horizon = np.cross(TO_PIXELS @ [1.0, 0.0, 0.0], TO_PIXELS @ [0.0, 1.0, 0.0])
    above = -(horizon[0] * 100.0 + horizon[2]) / horizon[1]
    below = _seen(PLACES[:1])[0, 1]
    with pytest.raises(FloorPointsError, match="horizon"):
        floor.place(100.0, above + np.sign(above - below) * 50.0)
