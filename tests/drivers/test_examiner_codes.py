"""P7: readings that the wire, the reader or a reset spoilt are known by code, neighbours and interval."""

from __future__ import annotations

import numpy as np
import pytest
from examiner_streams import REAL_PERIOD_NS, chip, cut_short, examined, shifted
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hx711.codes import code_name, is_cut_short, is_full_run, trailing_ones
from drivers.hx711.readings import Reading
from drivers.samples import SampleFlag

SPOILT = SampleFlag.CORRUPT_CODE | SampleFlag.CUT_SHORT


def flags_of(readings: list[Reading]) -> list[SampleFlag]:
    return [SampleFlag(reading.flags) for reading in readings]


@pytest.mark.parametrize("bit", range(25))
@pytest.mark.parametrize("level", [83_000.0, -400_000.0, 3_000_000.0])
def test_the_blind_spot_a_reset_in_mid_read_is_found_at_every_bit(bit: int, level: float) -> None:
    """The 25th bit is high, so nobody else sees it. With fewer than 4 ones the value is right to 7 counts and stays."""
    readings = chip(100, level=level, seed=bit)
    whole = readings[50].counts
    cut_short(readings, 50, bit)
    found, examiner = examined(readings)
    flags = flags_of(found)
    if trailing_ones(found[50].counts) >= 4:
        assert flags[50] & SPOILT == SPOILT
        assert examiner.counts[0]["cut short"] == 1
    else:
        assert flags[50] == SampleFlag.GOOD
        assert abs(found[50].counts - whole) <= 7
    assert flags[51] == SampleFlag.RESET | SampleFlag.SETTLING
    assert flags[52:55] == [SampleFlag.SETTLING] * 3
    assert set(flags[:50]) | set(flags[55:]) == {SampleFlag.GOOD}
    assert examiner.counts[0]["chip restart"] == 1
    assert examiner.counts[0]["lost conversion"] == 0
    assert (flags[50] & SampleFlag.NOT_READY != 0) == (found[50].counts == -1)


@pytest.mark.parametrize("code", [0, -1, *(2**n - 1 for n in range(14, 23))])
def test_a_lone_corrupt_code_is_known_without_any_pause(code: int) -> None:
    """As when the frame that would have shown the pause was lost on the way."""
    readings = chip(100, level=190_000.0)
    readings[50].counts = code
    found, examiner = examined(readings)
    flags = flags_of(found)
    if abs(code - 190_000) > 1500:
        assert flags[50] & SampleFlag.CORRUPT_CODE
        assert examiner.counts[0]["corrupt code"] == 1
    assert set(flags[:50]) | set(flags[51:]) == {SampleFlag.GOOD}


@pytest.mark.parametrize("code", [0, -1])
def test_a_line_that_is_held_is_corrupt_from_its_first_reading_on(code: int) -> None:
    """DOUT shorted low, or high all along: the very first is flagged, long before the run counts as stuck."""
    readings = chip(200)
    for reading in readings[100:]:
        reading.counts = code
    found, _ = examined(readings)
    assert all(reading.flags & SampleFlag.CORRUPT_CODE for reading in found[100:199])
    assert all(reading.flags & SampleFlag.STUCK for reading in found[120:])
    assert {reading.flags for reading in found[:100]} == {0}
    if code == -1:
        assert all(reading.flags & SampleFlag.NOT_READY for reading in found[100:199])


@pytest.mark.parametrize("ratio", [2.0, 4.0, 0.5, 0.25, -1.0])
def test_a_pulse_too_many_or_too_few_is_named_a_slip(ratio: float) -> None:
    readings = chip(100, level=400_000.0)
    readings[50].counts = round(readings[49].counts * ratio)
    if trailing_ones(readings[50].counts) >= 4:
        readings[50].counts -= 1
    found, examiner = examined(readings)
    assert found[50].flags & SampleFlag.GAIN_SLIP
    assert [number for number, reading in enumerate(found) if reading.flags] == [50, 51, 52, 53, 54]
    assert examiner.counts[0]["gain slip"] == 1
    assert examiner.counts[0]["settling"] == 4  # an extra pulse chooses another input for what is being converted


@pytest.mark.parametrize("bit", range(15))
@pytest.mark.parametrize("level", [83_000, -400_003, 3_000_001])
@pytest.mark.parametrize("lost", [True, False])
def test_bits_that_stand_in_the_wrong_place_are_named_a_slip(bit: int, level: int, lost: bool) -> None:
    """One pulse doesn't get to the chip, or two do, at some bit; the 25th bit may be high all the same."""
    readings = chip(100, level=level)
    bits = f"{readings[50].counts & 0xFFFFFF:024b}"
    read = bits[: bit + 1] + bits[bit:-1] if lost else bits[:bit] + bits[bit + 1 :] + "1"
    code = int(read, 2)
    readings[50].counts = code - ((code >> 23) << 24)
    found, _ = examined(readings)
    if abs(readings[50].counts - level) > 25_000:
        assert found[50].flags & SampleFlag.CORRUPT_CODE
    flagged = [number for number, reading in enumerate(found) if reading.flags]
    assert flagged in ([], [50, 51, 52, 53, 54])


@pytest.mark.parametrize("ratio", [2.0, 0.5, 0.25])
def test_a_gain_that_changed_with_a_restart_is_flagged_for_as_long_as_it_lasts(ratio: float) -> None:
    """After power-down a chip may be back at another gain; then its readings are no weight until it is set again."""
    readings = chip(300, level=400_000.0)
    for reading in readings[100:200]:
        reading.counts = round(reading.counts * ratio)
    shifted(readings, 100, 3.45 * REAL_PERIOD_NS)
    shifted(readings, 200, 3.45 * REAL_PERIOD_NS)
    found, _ = examined(readings)
    assert all(reading.flags & SampleFlag.GAIN_SLIP for reading in found[104:200])
    assert {reading.flags for reading in [*found[:100], *found[204:]]} == {0}


@pytest.mark.parametrize("level", [0.0, -1.0, 1023.0, 1500.0, 2**17 - 1.0])
def test_a_cell_whose_weight_lies_at_a_suspect_code_is_never_flagged(level: float) -> None:
    readings = chip(5000, level=level, noise=40.0)
    suspects = sum(is_full_run(reading.counts) for reading in readings)
    found, _ = examined(readings)
    assert suspects > 5 or level == 1500.0
    assert {reading.flags for reading in found} == {0}


def test_a_weight_that_passes_through_suspect_codes_is_never_flagged() -> None:
    """A slow lift through zero, and a step that stops right on 2^17 - 1 for one reading."""
    readings = chip(400)
    for index, reading in enumerate(readings):
        reading.counts = round(40_000 - 200 * index + 30 * np.sin(index))
    readings[200].counts = 0
    for index in range(300, 400):
        readings[index].counts = 200_000 + index % 7 * 20
    readings[299].counts = 2**17 - 1
    found, _ = examined(readings)
    assert {reading.flags for reading in found} == {0}


@pytest.mark.parametrize("code", [0x7FFFFF, -0x800000])
def test_end_stops_are_flagged_whoever_reads(code: int) -> None:
    readings = chip(60)
    for reading in readings[20:40]:
        reading.counts = code
    found, examiner = examined(readings)
    assert all(reading.flags & SampleFlag.SATURATED for reading in found[20:40])
    assert not any(reading.flags & SampleFlag.STUCK for reading in found)
    assert examiner.counts[0]["saturated"] == 20


@pytest.mark.parametrize(("noise", "within"), [(110.0, 9), (20.0, 10), (8.0, 12)])
def test_a_stuck_cell_is_known_as_soon_as_noise_allows(noise: float, within: int) -> None:
    """A run is too long when chance makes it once in 10^12 readings, given how noisy the cell was."""
    readings = chip(900, noise=noise)
    for reading in readings[800:]:
        reading.counts = 83_003
    found, examiner = examined(readings)
    assert {reading.flags for reading in found[:800]} == {0}
    assert all(reading.flags & SampleFlag.STUCK for reading in found[800 + within :])
    notices = [notice for notice in examiner.take_notices() if notice.cause == "stuck"]
    assert [(notice.board, notice.cell) for notice in notices] == [("top", "c0")]
    assert "E+ and E-" in notices[0].text


def test_less_noise_than_any_chip_has_is_stuck_too() -> None:
    """sigma under 5 counts: shorted inputs, or no excitation. From 256 readings on, when that much is sure."""
    quiet, _ = examined(chip(2000, noise=3.0))
    assert all(reading.flags & SampleFlag.STUCK for reading in quiet[400:])
    healthy, _ = examined(chip(20_000, noise=10.0))
    assert {reading.flags for reading in healthy} == {0}


def test_a_reader_s_own_flags_are_kept_and_its_reading_is_nobody_s_reference() -> None:
    readings = chip(100)
    readings[50].flags = int(SampleFlag.DESYNC)
    readings[50].counts = 5_000_000
    found, examiner = examined(readings)
    assert flags_of(found)[50] == SampleFlag.DESYNC
    assert sum(reading.flags != 0 for reading in found) == 1
    assert examiner.counts[0] == {"desync": 1}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(-(2**23), 2**23 - 1), st.integers(0, 24))
def test_ones_from_a_bit_on_are_recognised_for_any_value(value: int, ones: int) -> None:
    code = value | ((1 << ones) - 1)
    code -= (code >> 23 & 1) << 24 if code >= 0 else 0
    assert trailing_ones(code) >= ones
    if 4 <= ones < 24:
        assert is_cut_short(code, trailing_ones(code), value, 0.5)


def test_what_codes_are_called() -> None:
    codes = [0, -1, 2**21 - 1, 2**10 - 1, 255, 0b1010111, 6]
    assert [code_name(code) for code in codes] == ["0", "-1", "2^21-1", "2^10-1", "8 low bits 1", "87", "6"]
