"""Wall time as an attachment: right when it is asked for, whatever the clock has done, and never a reason to wait."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.stream import wall_clock
from edge.stream.entry import Stamp, TimeQuality
from edge.stream.wall_clock import ClockChange, WallClock, kernel_says_synced

_MS = 1_000_000
_S = 1_000_000_000
_DAY = 86_400 * _S
_NOW = 1_795_284_000 * _S
_FREE, _SYNCED, _WRONG = TimeQuality.FREE, TimeQuality.SYNCED, TimeQuality.WRONG


@dataclass
class Clocks:
    """A monotonic clock that is told the time, and one on the wall that can be set."""

    mono_ns: int = 1000 * _S
    offset_ns: int = _NOW - 1000 * _S
    disciplined: bool = False
    asked: int = 0

    def mono(self) -> int:
        return self.mono_ns

    def wall(self) -> int:
        return self.mono_ns + self.offset_ns

    def synced(self) -> bool:
        self.asked += 1
        return self.disciplined

    def clock(self, last_known_ns: int = 0) -> WallClock:
        return WallClock(self.mono, self.wall, self.synced, last_known_ns)


def test_a_stamp_is_the_wall_time_of_an_earlier_instant() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    assert clock.stamp(clocks.mono_ns - 3 * _S) == Stamp(_NOW - 3 * _S, _FREE)
    clocks.mono_ns += 5 * _S
    assert clock.stamp(clocks.mono_ns) == Stamp(_NOW + 5 * _S, _FREE)
    assert clock.look() is None


@pytest.mark.parametrize("jump_ns", [_DAY, -_DAY, 3 * _S, -3 * _S])
def test_a_jump_between_two_looks_is_in_the_next_stamp(jump_ns: int) -> None:
    """P6: stamps of later events only; nothing waits for the look."""
    clocks = Clocks()
    clock = clocks.clock()
    event_ns = clocks.mono_ns
    before = clock.stamp(event_ns)
    clocks.mono_ns += _S
    clocks.offset_ns += jump_ns
    after = clock.stamp(event_ns + _S)
    assert after.wall_ns - before.wall_ns == _S + jump_ns
    assert after.quality is (_FREE if jump_ns > 0 else _WRONG)
    change = clock.look()
    assert change == ClockChange(clocks.offset_ns // _MS, after.quality, jump_ns // _MS)
    assert clock.look() is None


def test_a_clock_that_comes_back_from_the_future_is_wrong_until_it_is_synced() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    clocks.offset_ns += _DAY
    assert clock.look() == ClockChange(clocks.offset_ns // _MS, _FREE, _DAY // _MS)
    clocks.offset_ns -= _DAY
    assert clock.look() == ClockChange(clocks.offset_ns // _MS, _WRONG, -_DAY // _MS)
    assert clock.last_known_ns >= _NOW + _DAY
    clocks.disciplined = True
    assert clock.look() == ClockChange(clocks.offset_ns // _MS, _SYNCED, 0)
    assert clock.last_known_ns == clocks.wall()
    clocks.disciplined = False
    assert clock.look() == ClockChange(clocks.offset_ns // _MS, _FREE, 0)


def test_a_pi_without_a_clock_chip_wakes_in_the_past() -> None:
    """It goes on from an old time, is wrong until it is synced, and tells by how much it was."""
    clocks = Clocks(offset_ns=_NOW - 40 * _DAY - 1000 * _S)
    clock = clocks.clock(last_known_ns=_NOW)
    assert (clock.quality, clock.last_known_ns) == (_WRONG, _NOW)
    assert clock.stamp(clocks.mono_ns).quality is _WRONG
    assert clock.look() is None
    clocks.offset_ns += 40 * _DAY + 5 * _S
    clocks.disciplined = True
    assert clock.look() == ClockChange((_NOW + 5 * _S - clocks.mono_ns) // _MS, _SYNCED, (40 * _DAY + 5 * _S) // _MS)
    assert clock.stamp(clocks.mono_ns) == Stamp(_NOW + 5 * _S, _SYNCED)


@pytest.mark.parametrize("disciplined", [False, True])
def test_before_2025_it_is_wrong_whatever_the_kernel_says(disciplined: bool) -> None:
    clocks = Clocks(offset_ns=5 * _S, disciplined=disciplined)
    assert clocks.clock().stamp(clocks.mono_ns) == Stamp(1005 * _S, _WRONG)


def test_small_steps_are_followed_but_not_told() -> None:
    clocks = Clocks(disciplined=True)
    clock = clocks.clock()
    clocks.offset_ns += 60 * _MS
    assert clock.stamp(0).wall_ns == clocks.offset_ns
    assert clock.look() is None
    clocks.offset_ns += 60 * _MS
    assert clock.look() == ClockChange(round(clocks.offset_ns / _MS), _SYNCED, 120)


def test_a_clock_set_back_by_less_than_a_second_has_not_forgotten_the_time() -> None:
    clocks = Clocks()
    clock = clocks.clock(last_known_ns=_NOW)
    clocks.offset_ns -= 900 * _MS
    assert clock.look() == ClockChange(clocks.offset_ns // _MS, _FREE, -900)


def test_the_jitter_of_reading_two_clocks_does_not_move_stamps() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    first = clock.stamp(0)
    for late_ns in (1, 400_000, -400_000):
        clocks.offset_ns += late_ns
        assert clock.stamp(0) == first
        clocks.offset_ns -= late_ns


def test_an_interruption_between_the_two_readings_is_seen() -> None:
    """The wall is read late by 80 ms in the middle of a reading: that reading isn't used."""
    clocks = Clocks()
    clock = clocks.clock()
    interruptions = [80 * _MS, 20 * _MS]

    def interrupted() -> int:
        wall_ns = clocks.wall()
        clocks.mono_ns += interruptions.pop() if interruptions else 0
        return wall_ns

    clock._wall = interrupted
    assert clock.stamp(0).wall_ns == clocks.offset_ns
    assert not interruptions


def test_the_kernel_is_asked_at_looks_and_jumps_only() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    asked = clocks.asked
    for _ in range(10):
        clock.stamp(clocks.mono_ns)
    assert clocks.asked == asked


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * _S), st.sampled_from([0, 0, _DAY, -_DAY, 200 * _MS, -5 * _MS]), st.booleans()),
        max_size=20,
    )
)
def test_stamps_are_right_and_durations_hold_under_any_jumps(steps: list[tuple[int, int, bool]]) -> None:
    """P6: two stamps taken together are apart by what the events are apart, and each is what the wall says."""
    clocks = Clocks()
    clock = clocks.clock()
    told_ns = clocks.offset_ns
    for passed_ns, jump_ns, looks in steps:
        clocks.mono_ns += passed_ns
        clocks.offset_ns += jump_ns
        if looks and (change := clock.look()):
            told_ns += change.jumped_ms * _MS
            assert change.offset_ms == round(clocks.offset_ns / _MS)
        early, late = clock.stamp(clocks.mono_ns - 700 * _MS), clock.stamp(clocks.mono_ns)
        assert late.wall_ns - early.wall_ns == 700 * _MS
        assert abs(late.wall_ns - clocks.wall()) <= _MS
    clock.look()
    assert clock.look() is None


def test_the_real_clocks_agree() -> None:
    import time

    clock = WallClock()
    stamp = clock.stamp(time.monotonic_ns())
    assert abs(stamp.wall_ns - time.time_ns()) < 5 * _S
    assert stamp.quality is clock.quality
    assert isinstance(kernel_says_synced(), bool)


@pytest.mark.parametrize(
    ("state", "status", "synced"), [(0, 0x0001, True), (0, 0x2001, True), (5, 0x0041, False), (-1, 0, False)]
)
def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, state: int, status: int, synced: bool) -> None:
    def adjtimex(timex: wall_clock._Timex) -> int:
        assert timex.modes == 0
        timex.status = status
        return state

    monkeypatch.setattr(wall_clock, "_kernel_clock", adjtimex)
    assert kernel_says_synced() is synced


def test_without_a_libc_the_clock_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall_clock, "_kernel_clock", None)
    clocks = Clocks()
    assert WallClock(clocks.mono, clocks.wall).quality is _FREE
