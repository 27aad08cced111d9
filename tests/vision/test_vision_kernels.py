"""The kernels against plain numpy, and against what they are by definition."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.vision.appearance import BINS, same_clothes
from edge.vision.assign import NEVER, assign
from edge.vision.background import FOREGROUND, FULL, compare, new_background, start
from edge.vision.blobs import find_blobs, join_fragments, new_blob_desk
from edge.vision.motion import at_rest, predict, update
from edge.vision.reduce import MOST_PIXELS, reduce_plane, reduction
from edge.vision.sizes import expected_size, learn_size, new_sizes, solve_sizes


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000), st.booleans())
def test_an_assignment_is_the_cheapest_there_is(rows: int, columns: int, seed: int, some_never: bool) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 20, (rows, columns)).astype(np.float64)
    if some_never:
        cost[rng.random((rows, columns)) < 0.3] = NEVER
    out = np.empty(rows, np.int64)
    assign(cost, out)
    pairs = [(i, int(j)) for i, j in enumerate(out) if j >= 0]
    assert len({j for _, j in pairs}) == len(pairs)
    small, large = min(rows, columns), max(rows, columns)
    wide = cost if rows <= columns else cost.T
    cheapest = min(sum(wide[i, p[i]] for i in range(small)) for p in itertools.permutations(range(large), small))
    dropped = small - len(pairs)
    assert sum(cost[i, j] for i, j in pairs) + dropped * NEVER == pytest.approx(cheapest)


def _flood(mask: npt.NDArray[np.bool_]) -> set[tuple[int, int, int, int, int]]:
    """Left, top, right, bottom, count of the 8-connected components, by flooding."""
    left_over = {(int(i), int(j)) for i, j in np.argwhere(mask)}
    found = set()
    while left_over:
        part, edge = set(), [left_over.pop()]
        while edge:
            i, j = edge.pop()
            part.add((i, j))
            for near in itertools.product((i - 1, i, i + 1), (j - 1, j, j + 1)):
                if near in left_over:
                    left_over.remove(near)
                    edge.append(near)
        rows, columns = [i for i, _ in part], [j for _, j in part]
        found.add((min(columns), min(rows), max(columns) + 1, max(rows) + 1, len(part)))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 17), st.integers(3, 19), st.integers(0, 10_000), st.floats(0.1, 0.7))
def test_blobs_are_the_connected_components(height: int, width: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask, taken = rng.random((height, width)) < share, rng.random((height, width)) < 0.1
    smooth = np.where(mask, FOREGROUND, FOREGROUND - 1).astype(np.uint8)
    desk = new_blob_desk(height, width)
    count = find_blobs(smooth, taken.astype(np.uint8), 1, desk)
    assert sorted(map(tuple, desk.blobs[:count].tolist())) == sorted(_flood(mask & ~taken))


def test_fragments_of_one_person_are_put_together_and_two_people_are_not() -> None:
    blobs = np.array([[10, 10, 16, 14, 20], [10, 18, 16, 30, 60], [40, 10, 46, 30, 90]], np.int64)
    assert join_fragments(blobs, 3, 24.0, 10.0) == 2
    assert sorted(map(tuple, blobs[:2].tolist())) == [(10, 10, 16, 30, 80), (40, 10, 46, 30, 90)]


@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_what_looks_like_the_background_weighs_nothing_and_what_does_not_weighs_all(size: tuple[int, int]) -> None:
    height, width = size
    model = new_background(height, width, 1)
    y = np.random.default_rng(3).integers(80, 160, size).astype(np.uint8)
    grey = np.full(model.u.shape, 128, np.uint8)
    start(model, y, grey, grey, False)
    compare(model, y, grey, grey)
    assert model.smooth.max() == 0
    changed = y.copy()
    changed[20:32, 30:40] = 255
    compare(model, changed, grey, grey)
    raw = model.raw.astype(int)
    padded = np.zeros_like(raw)
    padded[1:-1, 1:-1] = sum(raw[1 + i : height - 1 + i, 1 + j : width - 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1))
    assert np.array_equal(model.smooth, padded)
    assert (model.smooth[22:30, 32:38] == FULL).all()
    assert model.smooth[:15].max() == 0


@pytest.mark.parametrize(
    ("height", "width"), [(120, 160), (240, 320), (576, 768), (720, 1280), (1080, 1920), (241, 321)]
)
def test_the_working_size_is_whole_pixels_and_small_enough(height: int, width: int) -> None:
    factor = reduction(height, width)
    assert factor == 1 or factor % 2 == 0
    assert (height // factor) * (width // factor) <= MOST_PIXELS
    plane = np.random.default_rng(1).integers(0, 256, (height, width)).astype(np.uint8)
    out = np.zeros((height // factor, width // factor), np.uint8)
    reduce_plane(plane, factor, out)
    cut = plane[: out.shape[0] * factor, : out.shape[1] * factor].reshape(out.shape[0], factor, out.shape[1], factor)
    assert np.abs(cut.mean(axis=(1, 3)) - out).max() <= 0.5


def test_the_filter_is_the_kalman_filter_of_the_textbook() -> None:
    rng = np.random.default_rng(7)
    state = np.zeros(5)
    at_rest(state, 3.0, 2.0, 5.0)
    mean, cov = np.array([3.0, 0.0]), np.diag([4.0, 25.0])
    for _ in range(20):
        t, sd, a = rng.uniform(0.02, 0.3), rng.uniform(0.5, 2.0), 4.0
        move, push = np.array([[1.0, t], [0.0, 1.0]]), np.array([t * t / 2, t])
        predict(state, t, a)
        mean, cov = move @ mean, move @ cov @ move.T + a * a * np.outer(push, push)
        measured = rng.normal(0, 5)
        update(state, measured, sd)
        gain = cov[:, 0] / (cov[0, 0] + sd * sd)
        mean, cov = mean + gain * (measured - mean[0]), cov - np.outer(gain, cov[0])
        assert state == pytest.approx([mean[0], mean[1], cov[0, 0], cov[0, 1], cov[1, 1]], rel=1e-9, abs=1e-9)


def test_sizes_follow_the_perspective_and_say_nothing_where_nobody_was() -> None:
    sizes, rng, out = new_sizes(), np.random.default_rng(5), np.empty(2)
    assert not expected_size(sizes, 100.0, 100.0, 320, 240, out)
    for _ in range(400):
        x, y = rng.uniform(20, 150), rng.uniform(60, 180)
        true = np.array([4.0 + 0.05 * y, 10.0 + 0.15 * y])
        learn_size(sizes, x, y, 320, 240, true * rng.uniform(0.9, 1.1, 2), 1.0)
        solve_sizes(sizes)
    assert expected_size(sizes, 80.0, 120.0, 320, 240, out)
    assert out == pytest.approx([10.0, 28.0], rel=0.05)
    assert expected_size(sizes, 80.0, 170.0, 320, 240, out)
    assert out == pytest.approx([12.5, 35.5], rel=0.08)


def test_the_same_clothes_are_alike_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    one = rng.dirichlet(np.full(BINS, 0.05), 2)
    assert same_clothes(one, one) == pytest.approx(1.0)
    assert same_clothes(one, np.roll(one, 37, axis=1)) < 0.6
