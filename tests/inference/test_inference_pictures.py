"""Frames to the pictures that models want, against the same in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.frames import Frame, planes_of_rgb, rgb_of
from edge.vision.inference.pictures import WHOLE, Box, picture_of, whole_picture


def noisy(height: int, width: int, seed: int = 5) -> Frame:
    rng = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, width), half, half))
    return Frame("test", 0, 0, y, u, v)


def triangle_mean(plane: np.ndarray, begin: float, length: float, count: int) -> np.ndarray:
    """Rows of a plane resampled, in floating point; the border goes on beyond it."""
    step = length / count
    reach = max(step, 1.0)
    out = []
    for i in range(count):
        middle = begin + (i + 0.5) * step - 0.5
        rows = np.arange(np.floor(middle - reach), np.ceil(middle + reach) + 1)
        weights = np.maximum(1.0 - np.abs(rows - middle) / reach, 0.0)
        source = plane[np.clip(rows.astype(int), 0, len(plane) - 1)].astype(float)
        out.append((weights[:, None] * source).sum(axis=0) / weights.sum())
    return np.array(out)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-20, 50),
    st.floats(-20, 40),
    st.floats(0.5, 90),
    st.floats(0.5, 70),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_luma_is_the_mean_under_a_triangle(
    left: float, top: float, width: float, height: float, rows: int, columns: int
) -> None:
    frame = noisy(37, 51)
    made = picture_of(frame, Box(left, top, width, height), rows, columns, 1)[..., 0]
    expected = triangle_mean(triangle_mean(frame.y, top, height, rows).T, left, width, columns).T
    assert np.abs(made - expected).max() <= 0.6


def test_a_picture_of_the_frames_own_size_is_the_frame() -> None:
    frame = noisy(40, 64)
    assert (whole_picture(frame, 40, 64, 1, False)[0][..., 0] == frame.y).all()


def test_colours_are_those_of_the_frame() -> None:
    rgb = np.empty((48, 64, 3), np.uint8)
    for k, colour in enumerate(((200, 40, 40), (40, 160, 60), (50, 60, 190), (220, 220, 90))):
        rgb[:, 16 * k : 16 * k + 16] = colour
    frame = Frame("test", 0, 0, *planes_of_rgb(rgb))
    made = picture_of(frame, Box(0.0, 0.0, 64.0, 48.0), 12, 16)
    middles = made[:, 2::4].astype(int)
    assert np.abs(middles - rgb[::4, 8::16].astype(int)).max() <= 3
    same_size = picture_of(frame, Box(20.0, 10.0, 8.0, 8.0), 8, 8).astype(int)
    assert np.abs(same_size - rgb_of(frame)[10:18, 20:28].astype(int)).max() <= 2


def test_a_grey_frame_is_grey() -> None:
    frame = Frame("test", 0, 0, noisy(20, 20).y)
    made = picture_of(frame, Box(0.0, 0.0, 20.0, 20.0), 10, 10)
    assert (made[..., 0] == made[..., 1]).all()
    assert (made[..., 0] == made[..., 2]).all()


def test_beyond_the_frame_its_border_goes_on() -> None:
    frame = Frame("test", 0, 0, np.full((20, 30), 77, np.uint8))
    assert (picture_of(frame, Box(-100.0, -50.0, 60.0, 40.0), 8, 8, 1) == 77).all()


def test_a_picture_can_keep_its_shape_between_borders() -> None:
    frame = Frame("test", 0, 0, np.full((30, 60), 250, np.uint8))
    made, fitted = whole_picture(frame, 40, 40, 1, True)
    assert tuple(fitted) == (0.0, 0.25, 1.0, 0.5)
    assert (made[:10] == 128).all()
    assert (made[30:] == 128).all()
    assert (made[10:30] == 250).all()
    assert whole_picture(frame, 40, 40, 1, False)[1] == WHOLE


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 5), Box(0, 0, 5, -1), Box(0, float("nan"), 5, 5), Box(0, 0, float("inf"), 5)]
)
def test_a_box_without_an_area_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="area"):
        picture_of(noisy(20, 20), box, 8, 8)
