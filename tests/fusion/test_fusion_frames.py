"""Batches: means under a Hann window, which let through what lies on a board and hardly anything of its ringing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import Ingested, calm, in_order, ingested

from edge.fusion.frames import WINDOW_NS, new_cell_state

Floats = npt.NDArray[np.floating]
COUNTS_PER_GRAM = 1000.0
BATCH_S = 0.05


def _seen(weight_g: Callable[[Floats], Floats], rate_hz: float, seconds: float = 6.0) -> Ingested:
    """Batches of one cell that says this weight, by seconds; without those at the very beginning."""
    period_ns = round(1e9 / rate_hz)
    time_ns = np.arange(round(seconds * rate_hz)) * period_ns + period_ns // 3
    samples = in_order([(time_ns, weight_g(time_ns * 1e-9) * COUNTS_PER_GRAM)])
    per_batch = max(1, round(5e7 / period_ns))
    found = ingested(samples, 1, COUNTS_PER_GRAM, 0, period_ns, per_batch)
    known = found.number >= 4
    return Ingested(found.number[known], found.ready_ns[known], found.grams[known], found.swing_g[known], found.faults)


def _middle_s(found: Ingested, rate_hz: float) -> Floats:
    """Middle of each batch: that of its first and last frame."""
    period_s = round(1e9 / rate_hz) * 1e-9
    per_batch = max(1, round(0.05 / period_s))
    middle: Floats = (found.number * per_batch + 0.5 * (per_batch - 1)) * period_s
    return middle


@pytest.mark.parametrize("rate_hz", [60.0, 80.0, 320.0])
@pytest.mark.parametrize("ring_hz", [12.0, 14.0, 17.0, 20.0])
@pytest.mark.parametrize("phase", [0.0, 1.0])
def test_hardly_anything_is_left_of_a_plates_ringing(rate_hz: float, ring_hz: float, phase: float) -> None:
    """Of 100 g at the frequencies of real plates less than a tenth, while the swing within a batch is known."""
    found = _seen(lambda t: 500.0 + 100.0 * np.sin(2 * np.pi * ring_hz * t + phase), rate_hz)
    assert np.abs(found.grams[:, 0] - 500.0).max() < 10.0
    assert found.swing_g.min() > 35
    assert found.swing_g.max() < 100


@pytest.mark.parametrize("rate_hz", [20.0, 60.0, 80.0, 320.0])
def test_what_moves_slowly_is_seen_where_it_is(rate_hz: float) -> None:
    """A load that grows steadily: neither late nor early, to the milligram."""
    found = _seen(lambda t: 100.0 + 40.0 * t, rate_hz)
    np.testing.assert_allclose(found.grams[:, 0], 100.0 + 40.0 * _middle_s(found, rate_hz), atol=2e-3)


@pytest.mark.parametrize("rate_hz", [10.0, 15.0])
def test_a_board_with_ten_samples_a_second(rate_hz: float) -> None:
    """Slower than a batch: a batch per frame, every one known soon, and a step is there in two of them."""
    found = _seen(lambda t: np.where(t < 3.0, 100.0, 452.0), rate_hz)
    assert not np.isnan(found.grams).any()
    assert np.all(np.diff(found.number) == 1)
    period_s = 1.0 / rate_hz
    at_s = _middle_s(found, rate_hz)
    np.testing.assert_allclose(found.grams[at_s < 3.0 - 3 * period_s, 0], 100.0, atol=1e-3)
    np.testing.assert_allclose(found.grams[at_s > 3.0 + 3 * period_s, 0], 452.0, atol=1e-3)
    assert (found.ready_ns * 1e-9 - at_s).max() < 3.5 * period_s


@pytest.mark.parametrize("rate_hz", [60.0, 80.0, 320.0])
def test_a_batch_is_known_when_its_window_is_over(rate_hz: float) -> None:
    found = _seen(lambda t: np.full(t.size, 100.0), rate_hz)
    late_s = found.ready_ns * 1e-9 - _middle_s(found, rate_hz)
    assert late_s.max() < 0.5e-9 * WINDOW_NS + 3.5 / rate_hz


def test_neighbours_share_half_of_what_they_see_and_the_next_but_two_nothing() -> None:
    """White noise of the samples: a third of it is left, and it is correlated as the windows overlap."""
    rng = np.random.default_rng(3)
    noise = _seen(lambda t: 100.0 + rng.standard_normal(t.size), 80.0, 400.0).grams[:, 0] - 100.0
    assert 0.25 < noise.std() < 0.4
    shared = [float(np.mean(noise[lag:] * noise[:-lag]) / noise.var()) for lag in (1, 2, 4)]
    assert 0.35 < shared[0] < 0.65
    assert shared[1] < 0.2
    assert abs(shared[2]) < 0.06


@pytest.mark.parametrize("rate_hz", [1.0, 10.0, 20.0, 24.0, 60.0, 80.0, 93.7, 320.0, 1000.0])
def test_windows_fit_any_rate(rate_hz: float) -> None:
    """Symmetric around the batch's own frames, as long as said to within two frames, and never without weight."""
    period_ns = round(1e9 / rate_hz)
    per_batch = max(1, round(5e7 / period_ns))
    window = new_cell_state(2, period_ns, per_batch).window
    assert (window.size - per_batch) % 2 == 0
    assert window.size >= per_batch
    assert abs(window.size - max(WINDOW_NS / period_ns, per_batch)) <= 2
    np.testing.assert_allclose(window, window[::-1])
    assert window.min() > 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    cells=st.integers(1, 8),
    cuts=st.lists(st.integers(0, 3000), max_size=30),
    gap=st.booleans(),
)
def test_however_the_samples_are_cut_the_batches_are_the_same(
    seed: int, cells: int, cuts: list[int], gap: bool
) -> None:
    """P8, to the bit: values, numbers, the sample that finished each, and the faults."""
    samples = calm(cells, 5.0, seed=seed)
    if gap:
        samples = samples.without((samples.time_ns > 2e9) & (samples.time_ns < 2.3e9) & (samples.cell == 0))
    places = sorted(cut for cut in cuts if cut < samples.time_ns.size)
    whole, pieces = ingested(samples, cells), ingested(samples, cells, cuts=places)
    one_by_one = ingested(samples, cells, cuts=range(1, samples.time_ns.size))
    for other in (pieces, one_by_one):
        for name in ("number", "ready_ns", "grams", "swing_g", "faults"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("silence_s", [11.0, 51.2, 60.0, 600.0])
def test_no_window_reaches_back_over_a_silence(silence_s: float) -> None:
    """After a board was away the grid begins anew: what it said before isn't mixed into its first batches."""
    first = np.arange(0.0, 5.0, 0.0125)
    time_s = np.concatenate([first, first + 5.0 + silence_s])
    grams = np.where(time_s < 5.0, 1000.0, 5000.0)
    found = ingested(in_order([(np.rint(time_s * 1e9).astype(np.int64), grams * COUNTS_PER_GRAM)]), 1, 1000.0, 0)
    known = found.grams[~np.isnan(found.grams)]
    assert set(np.round(known, 6).tolist()) == {1000.0, 5000.0}
    after = found.number * BATCH_S > 5.0 + silence_s
    assert np.nanmin(found.grams[after]) == pytest.approx(5000.0)
    assert np.isnan(found.grams[after]).sum() <= 1


def test_a_cell_that_was_away_for_half_a_window_isnt_made_up() -> None:
    """For a batch less than half of whose window was heard there is no number; the other cells' stay."""
    samples = calm(3, 8.0)
    lost = (samples.cell == 1) & (samples.time_ns > 4e9) & (samples.time_ns < 4.4e9)
    found = ingested(samples.without(lost), 3)
    missing = np.isnan(found.grams)
    assert not missing[2:, [0, 2]].any()
    numbers = found.number[missing[:, 1] & (found.number > 4)]
    assert 5 <= numbers.size <= 9
    assert np.all(np.diff(numbers) == 1)
    assert 3.9 < numbers[0] * BATCH_S < 4.1
    whole = ingested(samples, 3)
    heard = ~missing.any(axis=1) & ((found.number < 75) | (found.number > 95))
    np.testing.assert_allclose(found.grams[heard], whole.grams[heard], atol=1e-9)
