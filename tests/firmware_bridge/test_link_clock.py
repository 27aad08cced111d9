"""The MCU's clock in host time: true to a millisecond, drift-free for an hour, never jumping, never going backwards."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from fake_mcu import MS, SECOND, Crystal
from line_run import START_NS

from firmware_bridge.link.clock import McuClock

HOUR_S = 3600


class _Line:
    """A crystal and delays both ways: an McuClock is told what a link would, a ping and some arrivals each second."""

    def __init__(self, crystal: Crystal, seed: int = 1, begin_us: int = 0) -> None:
        self.crystal = crystal
        self.random = random.Random(seed)
        self.begin_us = begin_us
        self.clock = McuClock()
        self.arrivals_a_second = 4
        self.down_ms, self.up_ms = 0.8, 1.2  # means of what is added to the least delay

    def mcu_us(self, at_ns: float) -> int:
        return (self.begin_us + int(self.crystal.elapsed_us(START_NS, int(at_ns)))) & 0xFFFFFFFF

    def tell(self, at_ns: int, late_ns: int = 0) -> None:
        """One arrival, of something queued at ``at_ns``."""
        arrival_ns = at_ns + int(200_000 + self.random.expovariate(1 / (self.up_ms * MS))) + late_ns
        self.clock.arrived(self.clock.unwrap(self.mcu_us(at_ns), arrival_ns), arrival_ns)

    def ping(self, at_ns: int) -> None:
        came_ns = at_ns + int(200_000 + self.random.expovariate(1 / (self.down_ms * MS)))
        self.clock.departed(self.clock.unwrap(self.mcu_us(came_ns), came_ns), at_ns)
        self.tell(came_ns + 100_000)

    def run(self, begin_s: float, seconds: float) -> Iterator[tuple[int, int]]:
        """True and told time of edges, a few each second; pings are dense in the first second as a link's are."""
        at_ns = START_NS + int(begin_s * SECOND)
        end_ns = at_ns + int(seconds * SECOND)
        step_ns = SECOND // self.arrivals_a_second
        first_ns = at_ns
        while at_ns < end_ns:
            fresh = at_ns - first_ns < 4 * SECOND
            for k in range(10 if fresh else 1):
                edge_ns = at_ns + k * step_ns // 10
                self.tell(edge_ns)
                if fresh or at_ns % SECOND < step_ns:
                    self.ping(edge_ns + 2 * MS)
                if self.clock.known:
                    yield edge_ns, self.clock.to_host_ns(self.clock.unwrap(self.mcu_us(edge_ns), edge_ns))
            at_ns += step_ns


def _errors(pairs: Iterator[tuple[int, int]]) -> np.ndarray:
    true, told = np.array(list(pairs), dtype=np.int64).T
    assert np.all(np.diff(told[np.argsort(true, kind="stable")]) > 0)
    return told - true


@pytest.mark.parametrize("crystal", [Crystal(0.0), Crystal(5000.0, 60.0, 600.0), Crystal(-5000.0, 100.0, 1200.0)])
def test_an_hour_of_times_is_true_to_a_millisecond_and_drift_free(crystal: Crystal) -> None:
    line = _Line(crystal)
    errors = _errors(line.run(0.0, 1.3 * HOUR_S))  # longer than the 32 bits of the MCU's µs
    assert np.percentile(np.abs(errors), 99) < MS
    parts = [part.mean() for part in np.array_split(errors, 8)]
    assert max(parts) - min(parts) < 0.2 * MS
    assert line.clock.jumps == 0


def test_the_rate_of_the_resonator_is_found_to_a_few_ppm() -> None:
    line = _Line(Crystal(4321.0))
    _errors(line.run(0.0, 60.0))
    assert line.clock.rate_ppm == pytest.approx((1 / (1 + 4321e-6) - 1) * 1e6, abs=5.0)


def test_a_host_that_stalls_again_and_again_costs_no_truth() -> None:
    line = _Line(Crystal(-3000.0, 30.0))
    real, calls = line.tell, iter(range(1 << 30))
    line.tell = lambda at_ns, late_ns=0: real(at_ns, 150 * MS if next(calls) % 7 else 0)  # type: ignore[method-assign]
    assert np.percentile(np.abs(_errors(line.run(0.0, 120.0))), 99) < MS


def test_an_instant_that_was_told_is_told_the_same_for_ever() -> None:
    line = _Line(Crystal(2000.0, 50.0, 100.0))
    kept: dict[int, int] = {}
    for n, (edge_ns, _) in enumerate(line.run(0.0, 30.0)):
        mcu_us = line.mcu_us(edge_ns)
        if n % 10 == 0:
            kept[mcu_us] = line.clock.to_host_ns(mcu_us)
        recent = [us for us in kept if us > mcu_us - 5_000_000]
        assert all(line.clock.to_host_ns(us) == kept[us] for us in recent)


def test_the_clock_is_known_within_a_second_of_the_first_arrival_even_without_an_answered_ping() -> None:
    line = _Line(Crystal(1000.0))
    for k in range(26):
        assert not line.clock.known
        line.tell(START_NS + k * 41 * MS)
    line.tell(START_NS + 26 * 41 * MS)
    assert line.clock.known
    at_ns = START_NS + 27 * 41 * MS
    assert abs(line.clock.to_host_ns(line.mcu_us(at_ns)) - at_ns) < 5 * MS


def test_asking_before_the_clock_is_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="isn't known yet"):
        McuClock().to_host_ns(0)


@pytest.mark.parametrize("gap_s", [60, 3 * HOUR_S, 50 * HOUR_S])
def test_times_unwrap_right_across_a_gap(gap_s: int) -> None:
    crystal = Crystal(-4000.0)
    line = _Line(crystal, begin_us=(1 << 32) - 5_000_000)
    _errors(line.run(0.0, 20.0))
    later_ns = START_NS + gap_s * SECOND
    truth = line.begin_us + int(crystal.elapsed_us(START_NS, later_ns))
    assert line.clock.unwrap(truth & 0xFFFFFFFF, later_ns) == truth


def test_times_unwrap_right_when_they_come_out_of_order_around_the_turn() -> None:
    clock = McuClock()
    top = 1 << 32
    assert clock.unwrap(top - 10, START_NS) == top - 10
    assert clock.unwrap(5, START_NS + MS) == top + 5
    assert clock.unwrap(top - 3, START_NS + 2 * MS) == top - 3
    assert clock.unwrap(90, START_NS + 2 * MS) == top + 90


@pytest.mark.parametrize("slept_s", [2, 3600])
def test_a_host_that_slept_is_noticed_and_times_are_right_again_in_seconds(slept_s: int) -> None:
    line = _Line(Crystal(1000.0))
    _errors(line.run(0.0, 30.0))
    line.begin_us += slept_s * 1_000_000  # the host's monotonic clock stood still meanwhile
    pairs = list(line.run(30.0, 20.0))
    assert line.clock.jumps == 1
    if slept_s < 1800:  # more than half a turn of the MCU's 32 bits looks like another amount
        assert line.clock.jump_ns == pytest.approx(-slept_s * SECOND, abs=0.01 * SECOND)
    late = np.array([told - true for true, told in pairs if true > START_NS + 40 * SECOND])
    assert np.abs(late).max() < MS


def test_an_mcu_clock_that_lost_time_is_noticed_as_well() -> None:
    line = _Line(Crystal(1000.0))
    _errors(line.run(0.0, 30.0))
    line.begin_us -= 1_000_000
    pairs = list(line.run(30.0, 20.0))
    assert line.clock.jumps == 1
    late = np.array([told - true for true, told in pairs if true > START_NS + 42 * SECOND])
    assert np.abs(late).max() < MS


def test_single_impossible_bounds_are_outliers_and_change_nothing() -> None:
    line = _Line(Crystal(1000.0))
    _errors(line.run(0.0, 30.0))
    at_ns = START_NS + 30 * SECOND
    line.clock.arrived(line.mcu_us(at_ns), at_ns - 50 * MS)
    line.clock.departed(line.mcu_us(at_ns), at_ns + 50 * MS)
    assert line.clock.outliers == 2
    assert np.abs(_errors(line.run(30.1, 10.0))).max() < MS
    assert line.clock.jumps == 0


def test_after_a_restart_the_rate_is_known_from_before() -> None:
    line = _Line(Crystal(5000.0))
    _errors(line.run(0.0, 60.0))
    line.clock.restart()
    assert not line.clock.known
    line.begin_us = -int(line.crystal.elapsed_us(START_NS, START_NS + 60 * SECOND))
    errors = _errors(line.run(60.0, 10.0))
    assert np.abs(errors).max() < MS


def test_an_error_is_worked_off_by_bending_never_by_a_jump() -> None:
    line = _Line(Crystal(0.0, 200.0, 60.0))
    told = np.array([t for _, t in line.run(0.0, 60.0)])
    true = np.array([t for t, _ in _Line(Crystal(0.0, 200.0, 60.0)).run(0.0, 60.0)])
    order = np.argsort(true, kind="stable")
    rates = np.diff(told[order]) / np.diff(true[order])
    assert rates.min() > 0.97
    assert rates.max() < 1.03
