"""The edge tracker: times that don't jitter with the reader, a period that is the chip's own."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hx711.edges import EdgeTracker


def followed(tracker: EdgeTracker, edges: list[int], rng: random.Random, poll_ns: int) -> list[int]:
    """Each edge as polls every `poll_ns`, at a random phase, bracket it."""
    found = []
    for edge in edges:
        after = edge - round(rng.random() * poll_ns)
        found.append(tracker.seen(after, after + poll_ns)[0])
    return found


@settings(max_examples=60, deadline=None)
@given(st.floats(70.0, 100.0), st.integers(50_000, 400_000), st.integers(0, 2**32))
def test_times_are_better_than_the_polls_once_the_period_is_known(rate_hz, poll_ns, seed):
    rng = random.Random(seed)
    edges = [round(5e9 + k * 1e9 / rate_hz) for k in range(600)]
    tracker = EdgeTracker(80.0)
    found = followed(tracker, edges, rng, poll_ns)
    errors = [abs(a - b) for a, b in zip(found, edges, strict=True)]
    assert max(errors) <= poll_ns
    assert sum(errors[300:]) / 300 < 0.6 * poll_ns
    assert tracker.period_ns == pytest.approx(1e9 / rate_hz, rel=1e-3)


@pytest.mark.parametrize("rate_hz", [9.7, 11.7, 92.0])
def test_a_rate_that_the_config_gets_wrong_is_learned(rate_hz):
    tracker = EdgeTracker(80.0)
    followed(tracker, [round(k * 1e9 / rate_hz) for k in range(20)], random.Random(1), 250_000)
    assert tracker.locked
    assert tracker.period_ns == pytest.approx(1e9 / rate_hz, rel=5e-3)


def test_an_edge_seen_late_gets_its_own_time_and_missed_ones_are_counted():
    tracker = EdgeTracker(80.0)
    followed(tracker, [k * 12_500_000 for k in range(40)], random.Random(1), 100_000)
    edge, periods = tracker.seen(39 * 12_500_000 + 200_000, 43 * 12_500_000 + 7_000_000)
    assert periods == 4
    assert abs(edge - 43 * 12_500_000) < 300_000
    assert tracker.fits


def test_a_reset_chip_gets_the_time_at_which_it_was_seen():
    tracker = EdgeTracker(80.0)
    followed(tracker, [k * 12_500_000 for k in range(40)], random.Random(1), 100_000)
    at_ns = 39 * 12_500_000 + round(4.45 * 12_500_000)
    edge, _ = tracker.seen(at_ns - 100_000, at_ns)
    assert edge == at_ns
    assert not tracker.fits
    assert tracker.locked


def test_a_clock_that_changes_is_learned_anew():
    tracker = EdgeTracker(80.0)
    rng = random.Random(1)
    followed(tracker, [k * 12_500_000 for k in range(40)], rng, 100_000)
    followed(tracker, [10**9 + k * 15_000_000 for k in range(20)], rng, 100_000)
    assert tracker.locked
    assert tracker.period_ns == pytest.approx(15_000_000, rel=5e-3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9)), min_size=1, max_size=80))
def test_whatever_it_sees_times_go_forward_and_never_past_what_was_seen(steps):
    tracker = EdgeTracker(80.0)
    by_ns, last = 0, None
    for step, back in steps:
        by_ns += step
        edge, periods = tracker.seen(by_ns - back, by_ns)
        assert edge <= by_ns
        assert last is None or edge >= last
        assert periods >= 0
        assert tracker.period_ns > 0
        last = edge
