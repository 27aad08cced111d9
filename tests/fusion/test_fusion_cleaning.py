"""P7: no garbage becomes weight. What converters send when things go wrong stays out of every batch, and is counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import COUNTS_PER_GRAM, PERIOD_NS, Samples, calm, in_order, ingested

from drivers.samples import SampleFlag
from edge.fusion.clean import CORRUPT_CODE, FAULT_NAMES, SATURATED, judge_code

BATCH_S = 0.05


@pytest.mark.parametrize(
    ("counts", "adc_bits", "verdict"),
    [
        (0, 24, CORRUPT_CODE),
        (-1, 24, CORRUPT_CODE),
        (1, 24, 0),
        (-2, 24, 0),
        (2**9 - 1, 24, 0),  # an ordinary cell's noise is wider than that
        (2**10 - 1, 24, CORRUPT_CODE),
        (2**19 - 1, 24, CORRUPT_CODE),
        (2**22 - 1, 24, CORRUPT_CODE),
        (2**19, 24, 0),
        (2**19 - 2, 24, 0),
        (-(2**19 - 1), 24, 0),
        (0x7FFFFF, 24, SATURATED),
        (0x7FFFFE, 24, 0),
        (-0x800000, 24, SATURATED),
        (-0x7FFFFF, 24, 0),
        (32767, 16, SATURATED),
        (-32768, 16, SATURATED),
        (2**15 - 1, 24, CORRUPT_CODE),
        (2**31 - 1, 32, SATURATED),
        (0, 0, 0),  # a value that never was a code can't be a corrupt one
        (0x7FFFFF, 0, 0),
        (-1, 0, 0),
    ],
)
def test_codes_that_a_healthy_converter_doesnt_send(counts: int, adc_bits: int, verdict: int) -> None:
    assert judge_code(counts, adc_bits) == verdict


def _replaced(samples: Samples, at: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Samples:
    changed = samples.counts.copy()
    changed[at] = counts
    return dataclasses.replace(samples, counts=changed)


def _settled(samples: Samples) -> npt.NDArray[np.int64]:
    """Samples after the first second and before the last half, no two neighbours of one cell."""
    found = np.flatnonzero((samples.time_ns > 1_000_000_000) & (samples.time_ns < samples.time_ns[-1] - 500_000_000))
    return found[:: 4 * (int(samples.cell.max()) + 1) + 1]


BAD_CODES = [0, -1, 0x7FFFFF, -0x800000, *(2**n - 1 for n in range(10, 23))]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    code=st.sampled_from(BAD_CODES),
    grams=st.sampled_from([-900.0, 20.0, 1000.0, 9000.0]),
    cells=st.integers(1, 4),
)
def test_a_corrupt_code_never_reaches_a_batch(seed: int, code: int, grams: float, cells: int) -> None:
    """Codes of held clocks and chips that weren't ready, and end stops: the batches are what they'd be without."""
    if abs(code / COUNTS_PER_GRAM - grams) < 50:
        return  # in line with the weight: nobody can tell it from a good one, and it does no harm
    samples = calm(cells, 6.0, grams, seed=seed)
    good = ingested(samples, cells)
    rng = np.random.default_rng(seed)
    at = rng.choice(_settled(samples), 8, replace=False)
    bad = ingested(_replaced(samples, at, np.full(8, code)), cells)
    assert np.abs(bad.grams - good.grams).max() < 1.0
    assert not np.isnan(bad.grams[2:]).any()
    assert bad.faults.sum() - good.faults.sum() == 8
    assert bad.faults[:, 2:].sum() <= good.faults[:, 2:].sum(), "a corrupt code is named as one, not as a spike"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    off_g=st.floats(15, 30_000),
    sign=st.sampled_from([-1, 1]),
    cells=st.integers(1, 4),
)
def test_a_lone_spike_never_reaches_a_batch(seed: int, off_g: float, sign: int, cells: int) -> None:
    samples = calm(cells, 6.0, seed=seed)
    good = ingested(samples, cells)
    at = np.random.default_rng(seed).choice(_settled(samples), 6, replace=False)
    spiked = samples.counts[at] + round(sign * off_g * COUNTS_PER_GRAM)
    spiked = np.where((spiked & (spiked + 1)) == 0, spiked + 5, spiked)
    bad = ingested(_replaced(samples, at, spiked), cells)
    assert np.abs(bad.grams - good.grams).max() < 1.0
    assert bad.faults[:, 2].sum() == 6
    assert FAULT_NAMES[2] == "spike"


def test_codes_in_line_with_the_weight_are_kept() -> None:
    """A cell whose weight passes through code 0, or 1023, isn't told off for it."""
    for counts in (0.0, 1023.0):
        samples = calm(1, 5.0, counts / COUNTS_PER_GRAM, noise_counts=40.0)
        assert np.isin(samples.counts, BAD_CODES).sum() > 2
        found = ingested(samples, 1)
        assert found.faults.sum() == 0
        assert not np.isnan(found.grams[1:]).any()


@pytest.mark.parametrize("hz", [12.0, 25.0, 40.0])
@pytest.mark.parametrize("amplitude_g", [3.0, 30.0, 300.0])
def test_a_ringing_plate_isnt_dropped(hz: float, amplitude_g: float) -> None:
    """Up to half the sampling rate, where each sample lies opposite its neighbours: a swing isn't a row of spikes."""
    time_ns = np.arange(480) * PERIOD_NS
    ring = amplitude_g * np.cos(2 * np.pi * hz * (time_ns / 1e9 - 1.0)) * (time_ns >= 1e9)
    noise = 0.1 * np.random.default_rng(1).standard_normal(time_ns.size)
    found = ingested(in_order([(time_ns, (500 + ring + noise) * COUNTS_PER_GRAM)]), 1)
    assert found.faults[0, 2] <= 2, "its very first peaks may be taken for spikes"
    after = found.grams[24:, 0]
    assert not np.isnan(after).any()
    assert abs(after.mean() - 500) < 0.1 * amplitude_g
    assert found.swing_g[24:].mean() > 0.4 * amplitude_g, "batches know how far the plate swings"


def test_a_real_step_isnt_dropped_nor_delayed() -> None:
    """An item that lands between two samples isn't there in the last batch whose window ends before, and is there in
    the first whose window begins after, which is known 150 ms later."""
    time_ns = np.arange(240) * PERIOD_NS
    grams = np.where(time_ns < 1_500_000_000, 0.0, 700.0) + 0.1 * np.random.default_rng(1).standard_normal(240)
    found = ingested(in_order([(time_ns, grams * COUNTS_PER_GRAM + 70_000)]), 1)
    assert found.faults.sum() == 0
    weight = dict(zip(found.number.tolist(), found.grams[:, 0] - 70_000 / COUNTS_PER_GRAM, strict=True))
    assert abs(weight[28]) < 1
    assert 50 < weight[29] < weight[30] < 650
    assert abs(weight[31] - 700) < 1
    assert found.ready_ns[found.number == 31] <= 1_650_000_000


def test_a_stuck_cell_becomes_no_data_while_its_neighbours_go_on() -> None:
    samples = calm(4, 8.0)
    stuck = (samples.cell == 2) & (samples.time_ns > 4_000_000_000)
    code = samples.counts[stuck][0]
    found = ingested(_replaced(samples, np.flatnonzero(stuck), np.full(stuck.sum(), code)), 4)
    after = found.number * BATCH_S > 4.6
    assert np.isnan(found.grams[after, 2]).all()
    assert not np.isnan(found.grams[1:, [0, 1, 3]]).any()
    assert found.faults[2, 3] > 200
    assert found.faults[[0, 1, 3], 3].sum() == 0
    assert FAULT_NAMES[3] == "stuck"


def test_a_stuck_cell_that_comes_free_counts_again() -> None:
    samples = calm(4, 8.0)
    stuck = np.flatnonzero((samples.cell == 2) & (samples.time_ns > 3e9) & (samples.time_ns < 5e9))
    found = ingested(_replaced(samples, stuck, np.full(stuck.size, samples.counts[stuck[0]])), 4)
    assert not np.isnan(found.grams[found.number * BATCH_S > 5.2, 2]).any()
    assert np.isnan(found.grams[:, 2]).sum() > 20


def test_quiet_values_in_grams_arent_stuck() -> None:
    """A recording in grams may repeat a value for as long as it likes: it never was a code."""
    samples = calm(2, 5.0, noise_counts=0.0)
    assert ingested(samples, 2, adc_bits=0).faults.sum() == 0


def test_a_dead_cell_becomes_no_data_and_doesnt_hold_up_the_others() -> None:
    samples = calm(4, 8.0)
    dead = (samples.cell == 1) & (samples.time_ns > 4_000_000_000)
    found = ingested(samples.without(dead), 4)
    whole = ingested(samples, 4)
    assert found.number.size >= whole.number.size - 2
    after = found.number * BATCH_S > 4.2
    assert np.isnan(found.grams[after, 1]).all()
    assert not np.isnan(found.grams[1:, [0, 2, 3]]).any()
    late_ns = found.ready_ns - (found.number + 1) * 50_000_000
    assert late_ns.max() < 110_000_000, "known within half a window and a few samples, dead cell or not"


def test_a_board_whose_cell_never_spoke_is_heard_all_the_same() -> None:
    samples = calm(4, 4.0)
    found = ingested(samples.without(samples.cell == 3), 4)
    assert found.number.size > 70
    assert np.isnan(found.grams[:, 3]).all()
    assert not np.isnan(found.grams[1:, :3]).any()


@pytest.mark.parametrize("gap_s", [0.19, 0.42, 5.0, 20.0])
def test_nothing_is_made_up_in_a_gap(gap_s: float) -> None:
    """Batches in a gap have no number, or there are none; those before and after are as they were."""
    samples = calm(4, gap_s + 8.0)
    whole = ingested(samples, 4)
    lost = (samples.time_ns > 4e9) & (samples.time_ns < (4 + gap_s) * 1e9)
    found = ingested(samples.without(lost), 4)
    assert np.all(np.diff(found.number) > 0)
    at = np.searchsorted(whole.number, found.number)
    inside = (found.number * BATCH_S > 3.95) & (found.number * BATCH_S < 4.0 + gap_s)
    assert np.isnan(found.grams[inside][2:-2]).all()
    outside = (found.number * BATCH_S < 3.9) | (found.number * BATCH_S > 4.1 + gap_s)
    np.testing.assert_allclose(found.grams[outside], whole.grams[at][outside], rtol=0, atol=1e-9)
    assert outside.sum() > 140
    assert found.faults.sum() == 0


@pytest.mark.parametrize("flag", [flag for flag in SampleFlag if flag])
def test_whatever_a_driver_flags_stays_out(flag: SampleFlag) -> None:
    samples = calm(2, 5.0)
    good = ingested(samples, 2)
    at = np.random.default_rng(3).choice(_settled(samples), 10, replace=False)
    flags = samples.flags.copy()
    flags[at] = flag
    bad = _replaced(dataclasses.replace(samples, flags=flags), at, samples.counts[at] + 100_000)
    found = ingested(bad, 2)
    assert np.abs(found.grams - good.grams).max() < 1.0
    assert found.faults[:, 4].sum() == 10


def test_samples_that_arent_later_than_the_one_before_are_left_out() -> None:
    samples = calm(1, 5.0)
    twice = np.repeat(np.arange(samples.time_ns.size), 2)
    doubled = Samples(*(getattr(samples, name)[twice] for name in ("time_ns", "cell", "counts", "flags")))
    doubled.counts[1::2] += 50_000
    np.testing.assert_array_equal(ingested(doubled, 1).grams, ingested(samples, 1).grams)


def test_little_room_for_batches_changes_nothing() -> None:
    samples = calm(3, 20.0)
    much, little = ingested(samples, 3), ingested(samples, 3, room=220)
    np.testing.assert_array_equal(much.grams, little.grams)
    np.testing.assert_array_equal(much.ready_ns, little.ready_ns)
