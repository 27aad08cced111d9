"""Statics: forces on cells become weight and place, with as many cells as there are and with some of them missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.geometry import Statics, statics_of

Floats = npt.NDArray[np.float64]
LAYOUTS: dict[str, list[tuple[float, float]]] = {
    "one": [(450, 200)],
    "row": [(30, 200), (870, 200)],
    "nearly a row": [(30, 199), (450, 202), (870, 199)],
    "column": [(450, 30), (450, 370)],
    "triangle": [(30, 30), (870, 30), (450, 370)],
    "corners": [(30, 30), (870, 30), (30, 370), (870, 370)],
    "eight": [(30 + 280 * (k % 4), 30 + 340 * (k // 4)) for k in range(8)],
    "slanted": [(30, 30), (450, 130), (870, 230)],
    "steep": [(400, 20), (450, 380)],
}


def _layout(name: str) -> tuple[Floats, Floats, Statics]:
    x, y = np.array(LAYOUTS[name], np.float64).T
    return x, y, statics_of(x, y)


def _rigid_plate(x: Floats, y: Floats, grams: float, at: tuple[float, float]) -> Floats:
    """Forces of a stiff plate on equal springs: it sinks by ``a + b x + c y``, so that forces and moments balance."""
    plane = np.stack([np.ones(x.size), x, y], axis=1)
    sag, *_ = np.linalg.lstsq(plane.T @ plane, grams * np.array([1.0, *at]), rcond=None)
    forces: Floats = plane @ sag
    return forces


def _every_mask(cells: int) -> list[tuple[int, list[int]]]:
    return [(mask, [cell for cell in range(cells) if mask >> cell & 1]) for mask in range(2**cells)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_forces_and_moments_balance_whatever_the_plate_does(name: str) -> None:
    """With all cells the three sums are exact, even for forces that no stiff plate would make."""
    x, y, statics = _layout(name)
    forces = np.random.default_rng(1).uniform(-3000, 3000, x.size)
    z = statics.transforms[-1] @ forces
    assert z[0] == pytest.approx(forces.sum())
    assert z[1] == pytest.approx((forces * (x - statics.x0_mm)).sum() if statics.sees_x else 0.0, abs=1e-6)
    assert z[2] == pytest.approx((forces * (y - statics.y0_mm)).sum() if statics.sees_y else 0.0, abs=1e-6)
    assert (statics.x0_mm, statics.y0_mm) == (pytest.approx(x.mean()), pytest.approx(y.mean()))


@pytest.mark.parametrize(
    ("name", "sees_x", "sees_y"),
    [
        ("one", False, False),
        ("row", True, False),
        ("nearly a row", True, False),
        ("column", False, True),
        ("triangle", True, True),
        ("corners", True, True),
        ("eight", True, True),
        ("slanted", True, False),
        ("steep", False, True),
    ],
)
def test_a_board_sees_the_places_that_its_cells_can_tell(name: str, sees_x: bool, sees_y: bool) -> None:
    """One cell knows no place; cells in a row know the place along it (of a slanted row, along its longer axis)."""
    _, _, statics = _layout(name)
    assert (statics.sees_x, statics.sees_y) == (sees_x, sees_y)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["triangle", "corners", "eight"]),
    grams=st.floats(-5000, 5000).filter(lambda grams: abs(grams) > 1),
    at=st.tuples(st.floats(0, 900), st.floats(0, 400)),
)
def test_missing_cells_are_filled_in_as_a_stiff_plate_would_share_the_load(
    name: str, grams: float, at: tuple[float, float]
) -> None:
    x, y, statics = _layout(name)
    forces = _rigid_plate(x, y, grams, at)
    expected = grams * np.array([1.0, at[0] - statics.x0_mm, at[1] - statics.y0_mm])
    solvable = 0
    for mask, working in _every_mask(x.size):
        if statics.solvable[mask]:
            dead = np.isin(np.arange(x.size), working, invert=True)
            z = statics.transforms[mask] @ forces
            np.testing.assert_allclose(z, expected, rtol=1e-7, atol=1e-5 * abs(grams))
            assert not statics.transforms[mask][:, dead].any(), "what a dead cell says counts for nothing"
            solvable += 1
    assert solvable == {"triangle": 1, "corners": 5}.get(name, solvable)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_board_is_blind_exactly_where_the_rest_of_its_cells_cant_tell(name: str) -> None:
    """Each place that is seen needs cells that span it: three that aren't in a line for both, two for one, one for
    none. No cell at all never suffices."""
    x, y, statics = _layout(name)
    for mask, working in _every_mask(x.size):
        columns = [np.ones(len(working))]
        columns += [x[working] / 100] if statics.sees_x else []
        columns += [y[working] / 100] if statics.sees_y else []
        enough = bool(working) and np.linalg.matrix_rank(np.stack(columns), tol=1e-6) == len(columns)
        assert statics.solvable[mask] == (enough or mask == 2**x.size - 1), working


def test_a_blind_mask_says_nothing() -> None:
    _, _, statics = _layout("triangle")
    assert not statics.solvable[0]
    assert not statics.solvable[0b011]
    assert not statics.transforms[0b011].any()


def test_along_a_slanted_row_the_place_is_right() -> None:
    x, _, statics = _layout("slanted")
    forces = np.array([0.0, 250.0, 750.0])
    z = statics.transforms[-1] @ forces
    assert z[1] / z[0] + statics.x0_mm == pytest.approx((forces * x).sum() / 1000)


@pytest.mark.parametrize("cells", [4, 6, 8])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_cells_anywhere(cells: int, seed: int) -> None:
    """Cells mounted anyhow, not just in corners: place and weight of a load come out, with one cell missing too."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 900, cells), rng.uniform(0, 400, cells)
    statics = statics_of(x, y)
    at = (float(rng.uniform(0, 900)), float(rng.uniform(0, 400)))
    forces = _rigid_plate(x, y, 500.0, at)
    expected = 500.0 * np.array([1.0, at[0] - statics.x0_mm, at[1] - statics.y0_mm])
    np.testing.assert_allclose(statics.transforms[-1] @ forces, expected, atol=1e-4)
    for missing in range(cells):
        mask = 2**cells - 1 - (1 << missing)
        seen = np.where(np.arange(cells) == missing, 0.0, forces)
        assert statics.solvable[mask]
        np.testing.assert_allclose(statics.transforms[mask] @ seen, expected, rtol=1e-5, atol=1e-2)
