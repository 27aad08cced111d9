"""What lies between two plateaus of a chain, and what several movements add up to."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from activities import BATCH_NS, LAYOUTS, activity_of, during, load, model_of, plateau, ramp, times
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.activity import BATCH_WEIGHT, BATCHES_MOST, Activity, movements_as_loads
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CORNERS = model_of()
NOTHING: Floats = np.zeros(3)
LEFT, RIGHT = load(352.0, -300.0, 60.0), load(410.0, 300.0, -80.0)


class _Board:
    """Batches that count up from 1 g at the board's middle, and what was asked for: from and to, and by which cells."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []
        self.masks: set[int] = set()

    def between(self, begin_ns: int, end_ns: int, mask: int) -> tuple[Floats, Ints, int]:
        self.asked.append((begin_ns / 1e9, end_ns / 1e9))
        self.masks.add(mask)
        every_ns = np.arange(begin_ns, end_ns + 1, BATCH_NS)
        return times(1.0 + every_ns[:-1] / BATCH_NS, load(1.0)), every_ns, 0


def _chain(*spans_s: tuple[float, float, float]) -> list[Plateau]:
    """Plateaus of so many grams at the board's middle, from and to."""
    return [plateau(CORNERS, load(grams), begin_s, end_s) for grams, begin_s, end_s in spans_s]


def test_gaps_are_joined_by_one_look_at_each_plateau_between() -> None:
    """All less the level before; a batch counts as less than the plateau's look, since its neighbours say the same."""
    chain = _chain((1000.0, 0.0, 5.0), (700.0, 5.5, 7.0), (400.0, 7.25, 8.0), (648.0, 8.5, 10.0))
    board = _Board()
    stretch = Activity(CORNERS, chain, board.between).stretch(0, 3)
    first, second, third = (np.arange(*span) for span in ((101, 111), (141, 146), (161, 171)))
    expected = np.concatenate([first, [700], second, [400], third]) - 1000.0
    np.testing.assert_allclose(stretch.z, times(expected, load(1.0)), atol=1e-6)
    assert np.flatnonzero(stretch.weight == 1.0).tolist() == [10, 16]
    assert set(stretch.weight.tolist()) == {BATCH_WEIGHT, 1.0}
    assert stretch.times_ns[[0, 10, 11, 16, 17]].tolist() == [5e9, 5.5e9, 7e9, 7.25e9, 8e9]
    assert stretch.times_ns[-1] == 8.5e9
    assert np.all(np.diff(stretch.times_ns) > 0)
    assert len(stretch.times_ns) == len(stretch.z) + 1 == len(stretch.noise) + 1


def test_each_gap_is_looked_up_once() -> None:
    chain = _chain((1000.0, 0.0, 5.0), (700.0, 5.5, 7.0), (400.0, 7.25, 8.0))
    board = _Board()
    activity = Activity(CORNERS, chain, board.between)
    for i, j in ((0, 2), (0, 1), (1, 2), (0, 2)):
        activity.stretch(i, j)
    assert sorted(board.asked) == [(5.0, 5.5), (7.0, 7.25)]


def test_a_stretch_is_told_from_the_level_that_it_leaves() -> None:
    chain = _chain((1000.0, 0.0, 5.0), (700.0, 5.5, 7.0), (400.0, 7.25, 8.0))
    activity = Activity(CORNERS, chain, _Board().between)
    np.testing.assert_allclose(activity.stretch(1, 2).z[:, 0], np.arange(141, 146) - 700.0, atol=1e-6)


def test_with_a_cell_missing_all_is_told_by_the_cells_that_always_worked() -> None:
    """What three cells carry isn't what four do: levels and batches are compared as the same cells tell them."""
    chain = _chain((1000.0, 0.0, 5.0), (700.0, 5.5, 7.0), (648.0, 8.5, 10.0))
    chain[1].level_g[2] = np.nan
    chain[1] = dataclasses.replace(chain[1], mask=0b1011)
    board = _Board()
    stretch = Activity(CORNERS, chain, board.between).stretch(0, 2)
    assert board.masks == {0b1011}
    looks = stretch.z[stretch.weight == 1.0]
    np.testing.assert_allclose(looks, [load(-300.0)], atol=1e-6)
    assert np.isfinite(stretch.z).all()


@pytest.mark.parametrize("batches", [BATCHES_MOST, BATCHES_MOST + 1, 1000])
def test_a_long_gap_is_looked_at_more_coarsely(batches: int) -> None:
    """Never more than so many batches: what an activity costs is bounded (P4). They are means of all that was seen."""
    stretch = activity_of(CORNERS, times(np.arange(batches) / 10.0, load(1.0)), NOTHING, 0.0).stretch(0, 1)
    assert 0.4 * BATCHES_MOST < len(stretch.z) <= BATCHES_MOST
    together = -(-batches // BATCHES_MOST)
    assert np.diff(stretch.z[:, 0]) == pytest.approx(np.full(len(stretch.z) - 1, together / 10.0))
    assert np.all(np.diff(stretch.times_ns) == together * BATCH_NS)


def test_a_plate_that_rings_is_noise_along_its_ringing() -> None:
    """A zigzag from batch to batch, in weight and along x together; along y it excuses nothing."""
    swing = load(20.0, 200.0)
    calm, ringing = (
        activity_of(CORNERS, times(grams * (-1.0) ** np.arange(30), swing), NOTHING, 0.0).stretch(0, 1).noise
        for grams in (0.0, 1.0)
    )
    added = (ringing - calm)[2:-2]
    for t in range(len(added)):
        np.testing.assert_allclose(np.sqrt(np.diag(added[t])), np.abs(swing), rtol=0.3)
    assert np.all(added[:, 0, 1] / np.sqrt(added[:, 0, 0] * added[:, 1, 1]) > 0.99)
    assert np.abs(added[:, 2]).max() < 1e-6


def test_a_ring_down_is_noise_while_it_lasts() -> None:
    at = np.arange(60)
    z = times(np.where(at >= 20, 50.0 * (-1.0) ** at * np.exp(-(at - 20) / 6.0), 0.0), load(1.0))
    sd = np.sqrt(activity_of(CORNERS, z, NOTHING, 0.0).stretch(0, 1).noise[:, 0, 0])
    assert sd[22] > 8 * sd[5]
    assert sd[55] < 2 * sd[5]


def test_a_hand_isnt_noise() -> None:
    """Half a kilogram that comes and goes within two seconds."""
    hand = np.sin(np.linspace(0, np.pi, 40)) ** 2
    noise = activity_of(CORNERS, times(hand, load(500.0, 200.0)), NOTHING, 0.0).stretch(0, 1).noise
    still = activity_of(CORNERS, np.zeros((40, 3)), NOTHING, 0.0).stretch(0, 1).noise
    assert np.sqrt((noise - still)[:, 0, 0].max()) < 0.01 * 500


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batches", [0, 1, 2, 3, 30])
def test_noise_is_a_covariance_of_what_the_board_sees(layout: str, batches: int) -> None:
    model = model_of(LAYOUTS[layout])
    noise = activity_of(model, np.zeros((batches, 3)), NOTHING, 3.0).stretch(0, 1).noise
    assert noise.shape == (batches, 3, 3)
    seen = model.sees
    assert not noise[:, ~seen].any()
    assert not noise[:, :, ~seen].any()
    for each in noise:
        assert np.linalg.eigvalsh(each[np.ix_(seen, seen)]).min() > 0


def test_an_arm_that_leans_shows_where() -> None:
    arm = load(1500.0, 150.0, -120.0)
    leans = activity_of(CORNERS, times(during(60, 5, 52), arm), NOTHING).stretch(0, 1).leans
    assert leans.shape[1] == 2
    assert np.abs(leans - np.array([150.0, -120.0])).max(axis=1).min() < 5


def test_nobody_leans_on_a_board_at_rest() -> None:
    assert activity_of(CORNERS, np.zeros((30, 3)), NOTHING).stretch(0, 1).leans.shape == (0, 2)
    assert activity_of(CORNERS, np.zeros((0, 3)), NOTHING).stretch(0, 1).leans.shape == (0, 2)


def test_two_hands_share_a_plane() -> None:
    """Whatever their forces do, all batches are sums of two loads at two places; one hand alone leaves a line."""
    at = np.arange(60)
    z = times(300 + 200 * np.sin(at / 5.0), LEFT / 352.0) + times(200 + 150 * np.cos(at / 3.0), RIGHT / 410.0)
    normal = activity_of(CORNERS, z, NOTHING).stretch(0, 1).plane
    assert normal is not None
    for place in (LEFT / 352.0, RIGHT / 410.0):
        off_mm = abs(normal @ place) / np.hypot(normal[1], normal[2])
        assert off_mm < 5.0
    alone = activity_of(CORNERS, times(300 + 200 * np.sin(at / 5.0), LEFT / 352.0), NOTHING)
    assert alone.stretch(0, 1).plane is None


def _moves(rng: np.random.Generator, count: int) -> Moves:
    """Movements of units in eight slots side by side."""
    slot = rng.integers(0, 8, count)
    grams = rng.uniform(60, 1500, count) * rng.choice([-1.0, 1.0], count)
    x = -450.0 + 112.5 * slot
    box = np.stack([x, x + 112.5, np.full(count, -200.0), np.full(count, 200.0)], axis=1)
    whole = np.ones(count, np.int64)
    flags = np.ones(count, np.bool_)
    return Moves(
        np.sign(grams).astype(np.int64), slot.astype(np.int64), slot.astype(np.int64), whole, grams,
        (0.01 * grams) ** 2, box, np.zeros(count), flags, flags,
    )  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 3))
def test_several_movements_add_up_to_what_was_measured(seed: int, count: int) -> None:
    """Within what the measurement is worth; in whatever order they are named."""
    rng = np.random.default_rng(seed)
    moves = _moves(rng, count)
    x = rng.uniform(moves.box_mm[:, 0], moves.box_mm[:, 1])
    grams = rng.normal(moves.weight_g, np.sqrt(moves.weight_var))
    z = np.stack([grams, grams * x, grams * rng.uniform(-200, 200, count)]).sum(axis=1)
    var = np.array([0.1, 2500.0, 600.0])
    moved, place_sd = movements_as_loads(range(count), moves, z, var)
    assert moved.shape == (count, 3)
    spread = moves.weight_var.sum()
    assert moved[:, 0].sum() == pytest.approx(z[0], abs=5 * var[0] / np.sqrt(spread + var[0]) + 1e-6)
    np.testing.assert_allclose(moved[:, 1:].sum(axis=0), z[1:], atol=60.0)
    assert np.all(np.abs(moved[:, 0] - moves.weight_g) < 6 * np.sqrt(moves.weight_var))
    assert place_sd.shape == (count, 2)
    assert np.all((place_sd > 5) & (place_sd < 250))
    reverse, sd_reverse = movements_as_loads(list(range(count))[::-1], moves, z, var)
    np.testing.assert_allclose(reverse[::-1], moved)
    np.testing.assert_allclose(sd_reverse[::-1], place_sd)


def test_of_two_the_narrower_known_is_corrected_less() -> None:
    """A jar that varies by 10 g takes more of a miss of 5 g than a tin that varies by 1."""
    moves = _moves(np.random.default_rng(1), 2)
    moves.weight_g[:], moves.weight_var[:] = (-500.0, -300.0), (100.0, 1.0)
    moved, _ = movements_as_loads((0, 1), moves, np.array([-805.0, 0.0, 0.0]), np.array([0.1, 1e3, 1e3]))
    assert moved[0, 0] == pytest.approx(-505, abs=0.3)
    assert moved[1, 0] == pytest.approx(-300, abs=0.3)


def test_one_movement_is_what_was_measured() -> None:
    z = np.array([-352.0, 9000.0, 1234.0])
    moved, place_sd = movements_as_loads((0,), _moves(np.random.default_rng(1), 1), z, np.array([0.1, 2500.0, 600.0]))
    assert moved.tolist() == [z.tolist()]
    assert place_sd.shape == (1, 2)
    light, light_sd = movements_as_loads(
        (0,), _moves(np.random.default_rng(1), 1), 0.02 * z, np.array([0.1, 2500.0, 600.0])
    )
    assert light.shape == (1, 3)
    assert np.all(light_sd > place_sd), "a light thing's place is known less well"


def test_the_plane_of_two_hands_places_two_movements() -> None:
    """Slots as deep as the board say nothing of where along y each was; the hands do."""
    moves = _moves(np.random.default_rng(1), 2)
    moves.weight_g[:], moves.weight_var[:] = (-352.0, -410.0), (9.0, 9.0)
    moves.box_mm[0, :2], moves.box_mm[1, :2] = (-340.0, -260.0), (260.0, 340.0)
    normal = np.cross(LEFT / 352.0, RIGHT / 410.0)
    var = np.array([0.1, 2500.0, 600.0])
    blind, _ = movements_as_loads((0, 1), moves, -LEFT - RIGHT, var)
    seen, sd = movements_as_loads((0, 1), moves, -LEFT - RIGHT, var, normal)
    off = [np.abs(moved[:, 2] / moved[:, 0] - np.array([60.0, -80.0])).max() for moved in (blind, seen)]
    assert off[1] < 10 < off[0]
    assert np.all(sd[:, 1] < 40)
    np.testing.assert_allclose(seen.sum(axis=0)[1:], (-LEFT - RIGHT)[1:], atol=1500)


def test_ramps_and_pauses_are_what_they_say() -> None:
    """Of the made-up activities themselves."""
    assert ramp(6, 1, 4).tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1, 1])
    assert during(6, 2, 4).tolist() == [0, 0.5, 1, 1, 0.5, 0]
