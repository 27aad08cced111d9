"""A load on a plate is shared so that force and moments balance, as far as the cells' places allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_boards import CORNERS

from drivers.simulated.sharing import place_vector, sharing_matrix

_MM = st.floats(0, 1000, allow_nan=False)


def _forces(cells, x_mm, y_mm, flexibility=0.0):
    x, y = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
    return sharing_matrix(x, y, flexibility) @ place_vector(x_mm, y_mm, (float(x.mean()), float(y.mean())))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_MM, _MM), min_size=1, max_size=8), _MM, _MM, st.floats(0, 1))
def test_the_whole_weight_is_carried_whatever_the_cells(cells, x_mm, y_mm, flexibility):
    assert _forces(cells, x_mm, y_mm, flexibility).sum() == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(_MM, st.floats(0, 400), st.floats(0, 1))
def test_moments_balance_on_four_corners_rigid_or_soft(x_mm, y_mm, flexibility):
    forces = _forces(CORNERS, x_mm, y_mm, flexibility)
    assert forces @ [c[0] for c in CORNERS] == pytest.approx(x_mm, abs=1e-6)
    assert forces @ [c[1] for c in CORNERS] == pytest.approx(y_mm, abs=1e-6)


def test_a_soft_plate_gives_a_corner_load_to_that_corner_and_a_rigid_one_lifts_the_opposite():
    assert _forces(CORNERS, 30, 30, 1.0) == pytest.approx([1, 0, 0, 0], abs=1e-9)
    assert _forces(CORNERS, 30, 30, 0.0) == pytest.approx([0.75, 0.25, 0.25, -0.25])


def test_two_cells_balance_along_their_line_and_not_across():
    forces = _forces([(100, 200), (800, 200)], 275, 350)
    assert forces == pytest.approx([0.75, 0.25])


def test_cells_in_a_line_are_no_trouble():
    forces = _forces([(0, 200), (450, 200), (900, 200)], 450, 10)
    assert forces == pytest.approx([1 / 3] * 3)


def test_one_cell_weighs_only():
    assert _forces([(450, 200)], 0, 0) == pytest.approx([1.0])


def test_cells_all_in_one_place_share_evenly():
    assert _forces([(450, 200)] * 4, 0, 0, 1.0) == pytest.approx([0.25] * 4)
