"""What is the `trace` driver's own: pacing, recordings that don't fit, letting go of the file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from driver_benches import HandTime, recording

from drivers.errors import DriverError
from drivers.replayed import ReplayedDriver
from drivers.samples import SampleBlock


def test_the_first_sample_comes_at_the_start_and_the_others_as_far_apart_as_they_were():
    time = HandTime()
    blocks = recording("b", 3.0)
    driver = ReplayedDriver("b", blocks, 2, 1.0, time.now_ns)
    driver.start()
    got = driver.read(time.ns + 10**10)
    whole = SampleBlock.join(blocks)
    assert np.array_equal(got.time_ns - time.ns, whole.time_ns - whole.time_ns[0])
    assert np.array_equal(got.counts, whole.counts)
    assert driver.finished


def test_twice_the_speed_takes_half_the_time():
    time = HandTime()
    driver = ReplayedDriver("b", recording("b", 4.0), 2, 2.0, time.now_ns)
    driver.start()
    got = driver.read(time.ns + 10**9)
    assert len(got) == pytest.approx(2 * (82 + 85), abs=2)
    assert not driver.finished


def test_without_pacing_times_stay_as_recorded():
    blocks = recording("b", 2.0, begin_ns=777)
    driver = ReplayedDriver("b", blocks, 2, None)
    driver.start()
    early, late = driver.read(777 + 10**9), driver.read(10**12)
    assert early.time_ns[0] == 777
    assert early.time_ns[-1] < 777 + 10**9 <= late.time_ns[0]
    assert np.array_equal(SampleBlock.join([early, late]).time_ns, SampleBlock.join(blocks).time_ns)


def test_blocks_are_pulled_as_they_are_needed():
    pulled = []

    def blocks():
        for number, block in enumerate(recording("b", 20.0)):
            pulled.append(number)
            yield block

    time = HandTime()
    driver = ReplayedDriver("b", blocks(), 2, 1.0, time.now_ns)
    driver.start()
    driver.read(time.ns + 2_500_000_000)
    assert len(pulled) <= 4


def test_the_recording_is_closed_at_stop():
    closed = []

    def blocks():
        try:
            yield from recording("b", 5.0)
        finally:
            closed.append(True)

    time = HandTime()
    driver = ReplayedDriver("b", blocks(), 2, 1.0, time.now_ns)
    driver.start()
    driver.read(time.ns + 10**9)
    driver.stop()
    assert closed == [True]


def test_an_empty_recording_is_finished_at_once():
    driver = ReplayedDriver("b", [SampleBlock.empty("b")], 2)
    driver.start()
    assert len(driver.read(10**18)) == 0
    assert driver.finished


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        (recording("other", 1.0), "samples of board 'other'; give the right trace"),
        ([dataclasses.replace(each, cell=each.cell + 1) for each in recording("b", 1.0)], "a cell number 3"),
        (recording("b", 2.0)[::-1], "goes back in time"),
    ],
)  # fmt: skip
def test_a_recording_that_does_not_fit_is_an_error(blocks, text):
    time = HandTime()
    driver = ReplayedDriver("b", blocks, 2, 1.0, time.now_ns)
    driver.start()
    with pytest.raises(DriverError, match=text):
        driver.read(time.ns + 10**10)
