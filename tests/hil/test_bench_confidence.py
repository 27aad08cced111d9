"""Calibration bins and the trade-off curve, on numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_made_up import fact, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.reliability import BINS, draw_reliability, reliability, reliability_of
from hil.trade_off import draw_trade_off, point_at, trade_off

EVENTS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(1, 3), st.booleans()), min_size=1, max_size=60)


def test_calibration_error_is_the_mean_gap_between_stated_and_right() -> None:
    stated = [0.9] * 10 + [0.5] * 10
    found = reliability(stated, [True] * 9 + [False] + [True] * 8 + [False] * 2)
    assert found.equal_width_error == pytest.approx((10 * 0.0 + 10 * 0.3) / 20)
    filled = [(b.count, b.stated, b.right) for b in found.equal_width if b.count]
    assert filled == [(10, pytest.approx(0.5), 0.8), (10, pytest.approx(0.9), 0.9)]


def test_a_confidence_of_one_lies_in_the_last_bin_and_of_nought_in_the_first() -> None:
    found = reliability([1.0, 0.0], [True, False])
    assert [b.count for b in found.equal_width] == [1] + [0] * (BINS - 2) + [1]
    assert found.equal_width_error == 0.0


def test_decades_of_doubt_hold_what_lies_between_them() -> None:
    found = reliability([0.5, 0.95, 0.995, 1.0], [True] * 4)
    assert [b.count for b in found.by_doubt] == [1, 1, 1, 0, 0, 1]


@settings(max_examples=40)
@given(EVENTS)
def test_every_event_lies_in_one_bin_of_each_kind(events: list[tuple[float, bool, int, bool]]) -> None:
    found = reliability([confidence for confidence, *_ in events], [right for _, right, *_ in events])
    for bins in (found.equal_width, found.equal_count, found.by_doubt):
        assert sum(b.count for b in bins) == found.count == len(events)
    assert 0.0 <= found.equal_width_error <= 1.0
    assert max(b.count for b in found.equal_count) - min(b.count for b in found.equal_count) <= 1


@settings(max_examples=40)
@given(EVENTS)
def test_review_never_falls_as_the_config_value_rises(events: list[tuple[float, bool, int, bool]]) -> None:
    facts = [fact(p, right, units, other_doubt=doubt) for p, right, units, doubt in events]
    curve = trade_off([outcome(*facts)])
    shares = [point.review_share for point in curve]
    assert shares == sorted(shares)
    assert [point.accepted_wrong for point in curve] == sorted((p.accepted_wrong for p in curve), reverse=True)


def test_a_point_of_the_curve_counts_units_and_keeps_other_doubts_in_review() -> None:
    facts = [fact(0.999, units=3), fact(0.98, right=False), fact(0.9999, units=2, other_doubt=True, review=True)]
    strict, lax = point_at(facts, 0.99), point_at(facts, 0.5)
    assert (strict.accepted_units, strict.accepted_wrong, strict.review_share) == (3, 0, pytest.approx(0.5))
    assert (lax.accepted_units, lax.accepted_wrong) == (4, 1)
    assert lax.accepted_error == pytest.approx(0.25)


@pytest.mark.parametrize("events", [[], [fact(0.999)], [fact(0.5, right=False), fact(0.99999), fact(1.0)]])
def test_pictures_are_drawn_of_many_events_and_of_few(tmp_path: Path, events: list[object]) -> None:
    pytest.importorskip("matplotlib")
    cases = [outcome(*events)]  # type: ignore[arg-type]
    draw_reliability(reliability_of(cases), tmp_path / "reliability.png", "made up")
    points = {"all families": point_at(cases[0].events, 0.99)}
    draw_trade_off({"all families": trade_off(cases)}, points, {"a peer": 0.4}, tmp_path / "trade_off.png")
    for name in ("reliability", "trade_off"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
