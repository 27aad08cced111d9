"""A chip's own clock as evidence: what passes for healthy, what for lost, restarted, off its rate."""

from __future__ import annotations

import numpy as np
import pytest
from examiner_streams import REAL_PERIOD_NS, chip, examined, shifted

from drivers.hx711.readings import Reading
from drivers.samples import SampleFlag


def flagged(readings: list[Reading]) -> dict[int, SampleFlag]:
    """Flags by index, where there are any."""
    return {index: SampleFlag(reading.flags) for index, reading in enumerate(readings) if reading.flags}


@pytest.mark.parametrize("rate_hz", [82.02, 92.0, 93.7, 77.6, 10.0, 10.8, 11.67])
def test_a_healthy_chip_is_healthy_whatever_its_rate(rate_hz: float) -> None:
    """82.02 samples per second with 57 ppm of jitter were measured; others by -3..+17 % of what they should be."""
    nominal = 80.0 if rate_hz > 40 else 10.0
    found, examiner = examined(chip(4000, period_ns=1e9 / rate_hz), rate_hz=nominal)
    assert flagged(found) == {}
    assert examiner.counts[0] == {}
    assert examiner.take_notices() == []
    assert examiner.period_ns(0) == pytest.approx(1e9 / rate_hz, rel=2e-5)


@pytest.mark.parametrize(
    ("rate_hz", "stamp_ms"), [(10.5, 0.05), (10.5, 1.0), (10.5, 5.0), (82.0, 0.1), (82.0, 1.0), (82.0, 2.0)]
)
def test_stamps_of_a_busy_host_are_no_fault_of_the_chip(rate_hz: float, stamp_ms: float) -> None:
    """Jitter is learned; where it is wide nobody is blamed."""
    readings = chip(6000, period_ns=1e9 / rate_hz, stamp_ns=1e6 * stamp_ms)
    found, examiner = examined(readings, rate_hz=80.0 if rate_hz > 40 else 10.0)
    assert flagged(found) == {}
    assert examiner.counts[0]["lost conversion"] == 0


@pytest.mark.parametrize("step_ms", [1.0, 10.0])
@pytest.mark.parametrize("rate_hz", [10.01, 11.6, 82.02])
def test_stamps_rounded_to_a_grid_are_no_fault_of_the_chip(rate_hz: float, step_ms: float) -> None:
    readings = chip(5000, period_ns=1e9 / rate_hz)
    for reading in readings:
        reading.edge_ns = round(round(reading.edge_ns / (1e6 * step_ms)) * 1e6 * step_ms)
    found, _ = examined(readings, rate_hz=80.0 if rate_hz > 40 else 10.0)
    assert flagged(found) == {}


def test_a_clock_that_drifts_with_temperature_is_followed() -> None:
    """2 % within ten minutes at 10 samples per second, far more than any room does."""
    readings = chip(6000, period_ns=95e6)
    for index, reading in enumerate(readings):
        reading.edge_ns += round(95e6 * 0.02 * index**2 / 6000 / 2)
    found, examiner = examined(readings, rate_hz=10.0)
    assert flagged(found) == {}
    assert examiner.period_ns(0) == pytest.approx(95e6 * 1.02, rel=1e-3)


@pytest.mark.parametrize("lost", [1, 2, 5, 30])
@pytest.mark.parametrize("from_index", [6, 200])
def test_lost_conversions_are_counted_and_no_reading_is_blamed(lost: int, from_index: int) -> None:
    readings = chip(400)
    del readings[from_index : from_index + lost]
    if readings[from_index - 1].counts & 15 == 15:
        readings[from_index - 1].counts -= 1
    found, examiner = examined(readings)
    assert flagged(found) == {}
    assert examiner.counts[0]["lost conversion"] == lost
    (notice,) = examiner.take_notices()
    assert (notice.cause, notice.samples_lost) == ("lost conversion", lost)
    assert (notice.begin_ns, notice.end_ns) == (found[from_index - 1].edge_ns, found[from_index].edge_ns)


def test_conversions_lost_on_the_way_are_accounted_elsewhere() -> None:
    """The link says how many; then the pause is explained, and the reading before it is innocent, whatever its ones."""
    readings = chip(400)
    del readings[200:230]
    readings[199].counts |= 15
    readings[200].missed = 30
    found, examiner = examined(readings)
    assert flagged(found) == {}
    assert examiner.counts[0] == {}
    assert examiner.take_notices() == []


@pytest.mark.parametrize("periods", [4.2, 4.45, 4.9, 5.3, 6.6, 33.4, 200.4])
@pytest.mark.parametrize("from_index", [60, 300])
def test_a_restart_is_told_from_lost_conversions(periods: float, from_index: int) -> None:
    """Of a chip that began afresh, four readings settle; the notice says when, how many and what to look at."""
    readings = chip(400)
    readings[from_index - 1].counts &= ~1
    shifted(readings, from_index, (periods - 1) * REAL_PERIOD_NS)
    found, examiner = examined(readings)
    settling = dict.fromkeys(range(from_index, from_index + 4), SampleFlag.SETTLING)
    settling[from_index] |= SampleFlag.RESET
    assert flagged(found) == settling
    (notice,) = examiner.take_notices()
    assert (notice.cause, notice.samples_lost, notice.cell) == ("chip restart", round(periods) - 1, "c0")
    assert "supply" in notice.text


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8])
def test_a_restart_among_the_first_readings_is_found_too(at: int) -> None:
    """Before the chip's own rate is known: by the nominal one, then by the median so far."""
    readings = chip(100)
    readings[at - 1].counts &= ~1
    shifted(readings, at, 3.45 * REAL_PERIOD_NS)
    found, _ = examined(readings)
    settling = dict.fromkeys(range(at, at + 4), SampleFlag.SETTLING)
    settling[at] |= SampleFlag.RESET
    assert flagged(found) == settling


def test_a_restart_that_the_reader_saw_is_believed_and_told_by_the_reader() -> None:
    """A chip restarted by the MCU may come back after a whole number of periods."""
    readings = chip(200)
    readings[99].counts &= ~1
    shifted(readings, 100, 4.0 * REAL_PERIOD_NS)
    readings[100].flags = int(SampleFlag.RESET | SampleFlag.SETTLING)
    found, examiner = examined(readings)
    assert list(flagged(found)) == [100, 101, 102, 103]
    assert examiner.counts[0]["chip restart"] == 1
    assert [notice.cause for notice in examiner.take_notices()] == []


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.4, 1.6, 2.3])
def test_a_reading_between_two_conversions_is_off_rate_and_the_next_is_not(share: float) -> None:
    """Noise on DOUT taken for an edge, or a read at any time: the conversions around it go on as they were."""
    readings = chip(200)
    odd = Reading(0, readings[99].edge_ns + round(share * REAL_PERIOD_NS), 83_001 & ~15, 0)
    kept = [reading for reading in readings[100:] if reading.edge_ns > odd.edge_ns]
    for reading in readings[:100]:
        reading.counts &= ~1
    found, examiner = examined([*readings[:100], odd, *kept])
    assert flagged(found) == {100: SampleFlag.OFF_RATE}
    assert examiner.counts[0]["off rate"] == 1


def test_a_rate_that_really_changed_is_learned_anew() -> None:
    readings = chip(600)
    for index, reading in enumerate(readings[300:], start=1):
        reading.edge_ns = readings[299].edge_ns + round(index * 1.3 * REAL_PERIOD_NS)
    found, examiner = examined(readings)
    assert len(flagged(found)) <= 5
    assert examiner.period_ns(0) == pytest.approx(1.3 * REAL_PERIOD_NS, rel=1e-4)


@pytest.mark.parametrize(("rate_hz", "nominal_hz"), [(11.0, 80.0), (82.0, 10.0)])
def test_a_wrong_rate_strap_is_told_once_and_costs_no_sample(rate_hz: float, nominal_hz: float) -> None:
    readings = chip(500, period_ns=1e9 / rate_hz)
    found, examiner = examined(readings, rate_hz=nominal_hz)
    assert flagged(found) == {}
    (notice,) = examiner.take_notices()
    assert notice.cause == "rate"
    assert f"{rate_hz:.1f} samples per second, but the config says {nominal_hz:g}" in notice.text
    assert "pin 15" in notice.text


def test_times_without_any_rate_are_left_alone() -> None:
    """A recording whose values come whenever they like can't be judged by intervals."""
    rng = np.random.default_rng(3)
    readings = chip(3000)
    for reading, edge_ns in zip(readings, np.cumsum(rng.exponential(5e8, 3000)), strict=True):
        reading.edge_ns = round(edge_ns)
        reading.counts &= ~1
    found, _ = examined(readings)
    odd = sum(reading.flags & int(SampleFlag.OFF_RATE) != 0 for reading in found)
    assert odd == 0
