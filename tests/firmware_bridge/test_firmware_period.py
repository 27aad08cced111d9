"""How the firmware learns a chip's period, compiled for the host."""

from __future__ import annotations

import pytest
from firmware_native import NativeFirmware, native_firmware
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> NativeFirmware:
    return native_firmware(tmp_path_factory)


def test_a_period_is_known_after_four_intervals_that_agree(native: NativeFirmware) -> None:
    assert native.learn([12_192, 12_190, 12_193, 12_191]) == [0, 0, 0, 12_192]


@given(period_us=st.integers(6_900, 130_000), jitter=st.lists(st.integers(-5, 5), min_size=30, max_size=60))
def test_a_steady_chip_is_learned_to_its_jitter(native: NativeFirmware, period_us: int, jitter: list[int]) -> None:
    assert abs(native.learn([period_us + j for j in jitter])[-1] - period_us) <= 5


@given(gap=st.floats(1.2, 50), at=st.integers(5, 60))
def test_one_gap_of_any_length_leaves_the_period_alone(native: NativeFirmware, gap: float, at: int) -> None:
    intervals = [12_192] * 80
    intervals[at] = int(12_192 * gap)
    assert set(native.learn(intervals)[4:]) == {12_192}


def test_gaps_that_come_again_and_again_leave_the_period_alone(native: NativeFirmware) -> None:
    learned = native.learn([12_192] * 4 + [24_384, 12_192, 24_384, 40_000] * 30)
    assert set(learned[4:]) == {12_192}


def test_a_slow_drift_is_followed(native: NativeFirmware) -> None:
    drifting = [12_000 + i // 4 for i in range(2_000)]  # +2.5 % in 25 s, faster than any oscillator warms up
    assert abs(native.learn(drifting)[-1] - drifting[-1]) <= 2


def test_another_rate_is_learned_anew(native: NativeFirmware) -> None:
    """The RATE pin moved from 80 to 10 samples a second."""
    assert native.learn([12_192] * 20 + [97_000] * 6)[-1] == 97_000


@given(st.lists(st.integers(0, 2**32 - 1), max_size=60))
def test_no_interval_breaks_it(native: NativeFirmware, intervals: list[int]) -> None:
    native.learn(intervals)
