"""Quiet and active: plateaus are found where nothing moves, and know how well they know their level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from edge.fusion.frames import new_cell_state
from edge.fusion.plateau import END, GROW, OPEN
from edge.fusion.quiet import find_plateaus, new_marks, new_plateau_state

Floats = npt.NDArray[np.float64]
BATCH_NS = 50_000_000
PER_S = 20


@dataclass(frozen=True)
class Mark:
    """A mark in seconds and grams; level and standard deviation are the sum's."""

    kind: int
    begin_s: float
    end_s: float
    ready_s: float
    level_g: float
    sd_g: float


def _marks(grams: Floats, tolerance_g: float = 4.0, swing_g: float = 0.0) -> list[Mark]:
    """Marks of a board's batches [n, cells]."""
    number = np.arange(grams.shape[0], dtype=np.int64)
    state, out = new_plateau_state(grams.shape[1]), new_marks(512, grams.shape[1])
    swing = np.full(number.size, swing_g)
    used, made = find_plateaus(number, (number + 1) * BATCH_NS, grams, swing, BATCH_NS, tolerance_g, state, out)
    assert used == number.size
    return [
        Mark(
            int(out.kind[row]),
            int(out.begin[row]) / PER_S,
            int(out.end[row]) / PER_S,
            int(out.ready_ns[row]) / 1e9,
            float(np.nansum(out.level_g[row])),
            float(np.sqrt(out.sum_var[row])),
        )
        for row in range(made)
    ]


def _noise(rng: np.random.Generator, batches: int, cells: int = 1) -> Floats:
    """Noise of one gram rms as batches have it: white from sample to sample, but their windows overlap."""
    window = new_cell_state(1, BATCH_NS // 4, 4).window
    white = rng.standard_normal((4 * batches + window.size, cells))
    steps = range(0, 4 * batches, 4)
    noise: Floats = np.array([window @ white[at : at + window.size] for at in steps]) / np.sqrt(window @ window)
    return noise


def _board(total_g: npt.ArrayLike, noise_g: float = 0.2, seed: int = 1, cells: int = 4) -> Floats:
    total = np.asarray(total_g, np.float64)
    board: Floats = total[:, None] / cells + noise_g * _noise(np.random.default_rng(seed), total.size, cells)
    return board


def _kinds(marks: list[Mark]) -> list[int]:
    return [mark.kind for mark in marks if mark.kind != GROW]


@pytest.mark.parametrize("noise_g", [0.05, 0.2, 0.4])
def test_a_shelf_at_rest_is_one_plateau(noise_g: float) -> None:
    marks = _marks(_board(np.full(60 * PER_S, 20_000.0), noise_g))
    assert _kinds(marks) == [OPEN]
    assert marks[0].ready_s < 0.5, "known within half a second"
    assert [mark.kind for mark in marks[1:]] == [GROW] * (len(marks) - 1)
    assert len(marks) > 3
    assert marks[-1].level_g == pytest.approx(20_000, abs=4 * noise_g)
    assert marks[-1].sd_g < marks[0].sd_g, "a longer look knows better"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_is_learnt(seed: int) -> None:
    """Cells of 3 g rms, three times as noisy as any that was measured (a gram in a batch): after some seconds that is
    what quiet looks like."""
    marks = _marks(_board(np.full(80 * PER_S, 20_000.0), 1.0, seed))
    assert len([mark for mark in marks if mark.kind == END and mark.ready_s > 20]) <= 4
    assert marks[-1].level_g == pytest.approx(20_000, abs=6)


@pytest.mark.parametrize("step_g", [-352.0, 50.0, 5000.0])
def test_a_step_ends_one_plateau_and_opens_another(step_g: float) -> None:
    at = np.arange(12 * PER_S)
    marks = _marks(_board(1000.0 + step_g * (at >= 6 * PER_S)))
    assert _kinds(marks) == [OPEN, END, OPEN]
    end, after = (mark for mark in marks if mark.kind != GROW and mark.begin_s + mark.ready_s > 1)
    assert 5.3 <= end.end_s <= 6.0
    assert end.level_g == pytest.approx(1000, abs=1)
    assert 5.9 <= after.begin_s <= 6.4
    assert after.ready_s < 6.8
    assert marks[-1].level_g == pytest.approx(1000 + step_g, abs=1)


def test_a_hand_between_two_levels_belongs_to_neither() -> None:
    at = np.arange(14 * PER_S)
    hand = 900.0 * np.abs(np.sin(at * 0.9)) * ((at >= 5 * PER_S) & (at < 7 * PER_S))
    marks = _marks(_board(1000.0 - 352.0 * (at >= 6 * PER_S) + hand))
    assert _kinds(marks) == [OPEN, END, OPEN]
    assert marks[-1].level_g == pytest.approx(648, abs=1)


@pytest.mark.parametrize("lift_s", [1.0, 3.0, 6.0])
def test_a_lift_however_slow_ends_the_plateau(lift_s: float) -> None:
    at_s = np.arange(20 * PER_S) / PER_S
    marks = _marks(_board(1000.0 - 352.0 * np.clip((at_s - 6.0) / lift_s, 0, 1)))
    ends = [mark for mark in marks if mark.kind == END]
    assert ends
    assert ends[0].level_g == pytest.approx(1000, abs=4)
    assert marks[-1].level_g == pytest.approx(648, abs=4)


def test_a_lift_too_slow_to_agitate_ends_the_plateau_too() -> None:
    """100 g in eight seconds: hardly more than a gram between neighbouring looks."""
    at_s = np.arange(24 * PER_S) / PER_S
    marks = _marks(_board(1000.0 - 100.0 * np.clip((at_s - 6.0) / 8.0, 0, 1), 0.05))
    ends = [mark for mark in marks if mark.kind == END]
    assert ends
    assert 6.0 < ends[0].ready_s < 9.0
    assert marks[-1].level_g == pytest.approx(900, abs=2)


@pytest.mark.parametrize("grams_per_hour", [20.0, -80.0])
def test_drift_doesnt_end_a_plateau_but_its_level_follows(grams_per_hour: float) -> None:
    at_s = np.arange(600 * PER_S) / PER_S
    total = 1000.0 + grams_per_hour * at_s / 3600
    total[-PER_S:] -= 352.0
    marks = _marks(_board(total))
    end = next(mark for mark in marks if mark.kind == END)
    assert end.ready_s > 599
    assert end.level_g == pytest.approx(1000 + grams_per_hour * 596 / 3600, abs=0.5)


def test_a_small_bump_doesnt_shift_the_level() -> None:
    total = np.full(10 * PER_S, 1000.0)
    total[5 * PER_S] += 6.0
    total[7 * PER_S :] -= 352.0
    end = next(mark for mark in _marks(_board(total, 0.1)) if mark.kind == END)
    assert end.level_g == pytest.approx(1000, abs=0.15)


@pytest.mark.parametrize("rms_g", [12.0, 60.0])
def test_a_shelf_that_shakes_for_long_is_quiet_within_its_shaking(rms_g: float) -> None:
    """A fridge's motor or a works next door: after a while that is the noise, and what is taken is still seen."""
    at = np.arange(80 * PER_S)
    shaking = np.where(at >= 5 * PER_S, rms_g, 0.2) * _noise(np.random.default_rng(3), at.size)[:, 0]
    marks = _marks(_board(5000.0 - 1500.0 * (at >= 60 * PER_S) + shaking))
    calm = [mark for mark in marks if 25 < mark.ready_s < 59]
    assert calm
    assert marks[-1].level_g == pytest.approx(3500, abs=1.2 * rms_g)
    assert marks[-1].sd_g > 0.5


def test_the_stated_doubt_is_honest() -> None:
    """Over many plateaus in noise as batches have it, levels miss the truth by what they say."""
    misses: list[float] = []
    rng = np.random.default_rng(4)
    for _ in range(60):
        marks = _marks(1000.0 / 4 + 0.5 * _noise(rng, 4 * PER_S, 4))
        misses += [(mark.level_g - 1000.0) / mark.sd_g for mark in marks if mark.kind in (OPEN, GROW)]
    assert 0.5 < float(np.sqrt(np.mean(np.square(misses)))) < 1.5
    assert np.mean(np.abs(misses) > 4) < 0.01


def test_a_swinging_plate_is_known_less_well() -> None:
    still, *swinging = (_marks(_board(np.full(100, 1000.0)), swing_g=swing)[0].sd_g for swing in (0.0, 10.0, 50.0))
    assert still < swinging[0] < swinging[1]
    assert swinging[1] > 2 * still


def test_a_cell_that_drops_out_begins_a_new_plateau_without_it() -> None:
    grams = _board(np.full(10 * PER_S, 1000.0))
    grams[5 * PER_S :, 2] = np.nan
    marks = _marks(grams)
    assert _kinds(marks) == [OPEN, END, OPEN]
    assert marks[-1].begin_s == 5.0
    assert marks[-1].level_g == pytest.approx(750, abs=1)


def test_no_cell_no_plateau() -> None:
    assert _marks(np.full((5 * PER_S, 4), np.nan)) == []
