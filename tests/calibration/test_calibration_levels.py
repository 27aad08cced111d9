"""Rests and levels from raw counts: clocks of their own, flagged samples, hands, drift."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from calibration_board import GAINS, Script, physics_of, samples, site_of
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.levels import Rest, RestBegan, RestEnded, RestFinder, change
from calibration.watch import BoardWatch
from calibration.windows import WindowMaker, window_length_ns
from drivers.samples import SampleBlock, SampleFlag


def _stream(rng: np.random.Generator, seconds: float, cells: int = 2, rate_hz: float = 80.0) -> SampleBlock:
    times, which = [], []
    for cell in range(cells):
        at = np.arange(0.003 * cell, seconds, 1.0 / (rate_hz * (1 + 0.05 * cell)))
        times.append(np.rint(at * 1e9).astype(np.int64))
        which.append(np.full(at.size, cell, np.uint8))
    time_ns, cell_of = np.concatenate(times), np.concatenate(which)
    order = np.lexsort((cell_of, time_ns))
    counts = np.rint(1000.0 * cell_of + rng.normal(0, 30, time_ns.size)).astype(np.int32)
    return SampleBlock("b", time_ns[order], cell_of[order], counts[order], np.zeros(time_ns.size, np.uint16))


def _rests(block: SampleBlock, cells: int, rate_hz: float = 80.0) -> tuple[list[Rest], RestFinder]:
    watch = BoardWatch(cells, rate_hz)
    found = [e.rest for events in watch.push(block) for e in events if isinstance(e, RestBegan)]
    return found, watch.finder


@given(cuts=st.lists(st.integers(0, 1300), max_size=12))
@settings(max_examples=25, deadline=None)
def test_windows_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    block = _stream(np.random.default_rng(1), 8.0)
    whole = WindowMaker(2, 80.0).push(block)
    edges = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    maker = WindowMaker(2, 80.0)
    parts = [w for a, b in pairwise(edges) for w in maker.push(block.part(a, b))]
    assert [w.index for w in parts] == [w.index for w in whole]
    for part, one in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(part.counts, one.counts)


def test_a_window_holds_three_samples_at_any_rate() -> None:
    for rate_hz in (10.0, 80.0, 320.0):
        assert window_length_ns(rate_hz) * rate_hz / 1e9 >= 2.99


def test_flagged_samples_and_end_stops_never_reach_a_level() -> None:
    """P7."""
    block = _stream(np.random.default_rng(2), 6.0)
    counts, flags = block.counts.copy(), block.flags.copy()
    counts[::7] += 400_000
    flags[::7] = SampleFlag.SPIKE
    counts[3::50] = 0x7FFFFF
    spoilt = SampleBlock(block.board, block.time_ns, block.cell, counts, flags)
    rests, _ = _rests(spoilt, 2)
    np.testing.assert_allclose(rests[0].last(3.0).counts, [0.0, 1000.0], atol=15.0)


def test_a_few_wild_values_without_a_flag_do_not_shift_a_level() -> None:
    block = _stream(np.random.default_rng(3), 12.0)
    counts = block.counts.copy()
    counts[40::97] = 0
    counts[11::203] = 524_287
    rests, _ = _rests(SampleBlock(block.board, block.time_ns, block.cell, counts, block.flags), 2)
    np.testing.assert_allclose(rests[0].first(5.0).counts, [0.0, 1000.0], atol=20.0)


@pytest.mark.parametrize("rate_hz", [10.0, 80.0])
def test_a_step_between_two_rests_is_the_weight_on_each_cell(rate_hz: float) -> None:
    site = site_of(rate_hz=rate_hz)
    script = Script()
    script.put(450.0, 200.0, 1200.0, 10.0)
    block = samples(physics_of(site, list(GAINS.values())), script, 22.0)
    rests, finder = _rests(block, 4, rate_hz)
    assert len(rests) == 2
    moved, cov = change(rests[0].last(3.0), rests[1].first(3.0))
    grams = moved / np.array(list(GAINS.values()))
    np.testing.assert_allclose(grams, 300.0, atol=1.5)
    doubt = np.sqrt(np.diag(cov)) / np.abs(list(GAINS.values()))
    assert (np.abs(grams - 300.0) < 6 * doubt + 0.0008 * 300.0).all()
    assert finder.rest is rests[1]


def test_the_stated_doubt_of_a_level_is_what_levels_scatter() -> None:
    block = _stream(np.random.default_rng(4), 300.0)
    watch = BoardWatch(2, 80.0)
    for _ in watch.push(block):
        pass
    rest = watch.finder.rest
    assert rest is not None
    windows = np.array(rest._begin)  # 30 s of them
    means = windows[: len(windows) // 10 * 10].reshape(-1, 10, 2).mean(axis=1)
    stated = np.sqrt(np.diag(rest.first(1.0).cov))
    assert (stated / means.std(axis=0, ddof=1) > 0.4).all()
    assert (stated / means.std(axis=0, ddof=1) < 2.5).all()


def test_a_trembling_hand_on_the_board_is_no_rest() -> None:
    site = site_of()
    script = Script()
    script.lean(300.0, 80.0, 900.0, 10.0, 8.0)
    block = samples(physics_of(site, list(GAINS.values())), script, 30.0)
    rests, _ = _rests(block, 4)
    assert [r.begin_ns for r in rests if 10.3e9 < r.begin_ns < 17.0e9] == []
    assert len(rests) == 2
    np.testing.assert_allclose(rests[1].first(3.0).counts, rests[0].last(3.0).counts, atol=40.0)


def test_a_slow_drift_is_part_of_a_rest_and_told() -> None:
    block = _stream(np.random.default_rng(5), 40.0)
    drifting = block.counts + np.rint(block.time_ns / 1e9 * 8.0).astype(np.int32)
    rests, _ = _rests(SampleBlock(block.board, block.time_ns, block.cell, drifting, block.flags), 2)
    assert len(rests) == 1
    np.testing.assert_allclose(rests[0].last(10.0).drift, 8.0, atol=2.0)


def test_a_chip_that_is_reset_for_half_a_second_ends_no_rest() -> None:
    block = _stream(np.random.default_rng(6), 20.0)
    gone = (block.cell == 1) & (block.time_ns > 9.0e9) & (block.time_ns < 9.45e9)
    left = SampleBlock(block.board, block.time_ns[~gone], block.cell[~gone], block.counts[~gone], block.flags[~gone])
    rests, finder = _rests(left, 2)
    assert len(rests) == 1
    assert finder.rest is rests[0]
    assert not np.isnan(rests[0].last(15.0).counts).any()


def test_a_gap_in_all_samples_ends_a_rest() -> None:
    block = _stream(np.random.default_rng(7), 20.0)
    there = (block.time_ns < 8e9) | (block.time_ns > 11e9)
    cut = SampleBlock(block.board, block.time_ns[there], block.cell[there], block.counts[there], block.flags[there])
    watch = BoardWatch(2, 80.0)
    events = [type(event) for found in watch.push(cut) for event in found]
    assert events == [RestBegan, RestEnded, RestBegan]
