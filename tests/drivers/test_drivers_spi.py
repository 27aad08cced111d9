"""What is the `spi` driver's own: the wire, the bus's settings, MOSI that must be low, errors with their remedies."""

from __future__ import annotations

import pytest
from driver_benches import BEGIN_NS, chip

from drivers.errors import DriverError
from drivers.fakes.spidev import FakeSpidev
from drivers.fakes.virtual_time import VirtualTime
from drivers.hx711.chip import Setting
from drivers.samples import SampleFlag
from drivers.spi import SpiDriver


def made(options=None, cells=("only",), **module):
    time = VirtualTime(BEGIN_NS)
    spidev = FakeSpidev({(0, 0): chip(0, 80.0, time)}, time, **module)
    return SpiDriver("shelf-1", cells, 80.0, options or {}, time, spidev), spidev, time


def ran(driver, time, seconds=2.0):
    driver.start()
    time.run_until(time.now_ns() + round(seconds * 1e9))
    got = driver.read(time.now_ns())
    return got, driver.take_notices()


def test_the_bus_is_set_as_the_chip_needs_it_and_closed_at_the_end():
    driver, spidev, time = made({"speed_hz": 500_000})
    ran(driver, time)
    port = spidev.opened[0]
    assert (port.mode, port.bits_per_word, port.max_speed_hz, port.is_open) == (0, 8, 500_000, True)
    driver.stop()
    assert not port.is_open


@pytest.mark.parametrize(("gain", "setting"), [(128, Setting.A128), (64, Setting.A64), (32, Setting.B32)])
def test_each_gain_is_what_the_chip_gets(gain, setting):
    driver, spidev, time = made({"gain": gain})
    ran(driver, time)
    assert spidev.chips[0, 0].conversions[-1].setting is setting
    driver.stop()


@pytest.mark.parametrize("speed_hz", [100_000, 2_500_000])
def test_it_reads_at_the_slowest_and_the_fastest_clock(speed_hz):
    driver, _, time = made({"speed_hz": speed_hz})
    got, _ = ran(driver, time)
    driver.stop()
    assert len(got) > 100
    assert not got.flags[10:].any()


@pytest.mark.parametrize("known", [None, False], ids=["unknown to py-spidev", "refused by the kernel"])
def test_a_mosi_that_nothing_keeps_low_is_refused_with_the_remedy(known):
    driver, spidev, _ = made(mosi_idle_low=known)
    with pytest.raises(DriverError, match=r"resistor of 10 kΩ from MOSI to ground .* pull_down: true"):
        driver.start()
    assert not any(port.is_open for port in spidev.opened)


def test_a_resistor_does_where_the_spi_does_not_know_how():
    driver, _, time = made({"pull_down": True}, mosi_idle_low=None)
    got, _ = ran(driver, time)
    driver.stop()
    assert len(got) > 100


def test_mosi_that_idles_high_is_set_low_where_the_spi_can():
    driver, spidev, time = made(idles_high=True)
    got, _ = ran(driver, time, 3.0)
    driver.stop()
    assert not spidev.idles_high
    assert len(got) > 150


def test_a_resistor_that_is_not_there_is_told_as_a_chip_that_is_powered_down():
    driver, _, time = made({"pull_down": True}, mosi_idle_low=None, idles_high=True)
    got, notices = ran(driver, time)
    driver.stop()
    assert not len(got)
    assert [notice.cause for notice in notices] == ["ready timeout"]
    assert "MOSI that idles high keeps the chip powered down" in notices[0].text


def test_a_bus_that_is_not_there_is_an_error_that_says_how_to_get_it():
    driver, _, _ = made({"bus": 1})
    with pytest.raises(
        DriverError, match=r"/dev/spidev1\.0 \(No such file or directory\); switch SPI on \(sudo raspi-con"
    ):
        driver.start()


def test_a_bus_that_goes_away_is_an_error_after_what_was_read_is_delivered():
    driver, spidev, time = made()
    driver.start()
    time.run_until(time.now_ns() + 1_000_000_000)
    spidev.gone = True
    time.run_until(time.now_ns() + 1_000_000_000)
    assert len(driver.read(time.now_ns())) > 50
    with pytest.raises(DriverError, match="can't go on"):
        driver.read(time.now_ns())
    driver.stop()
    assert len(driver.read(time.now_ns())) == 0


def test_a_bit_that_changes_between_its_two_looks_is_a_bad_frame():
    driver, spidev, time = made()
    driver.start()
    time.run_until(time.now_ns() + 1_000_000_000)
    port = spidev.opened[0]
    whole = port.xfer2

    def noisy(values):
        got = whole(values)
        if len(got) > 1:
            got[3] ^= 0x10
        return got

    port.xfer2 = noisy
    time.run_until(time.now_ns() + 300_000_000)
    port.xfer2 = whole
    time.run_until(time.now_ns() + 3_000_000_000)
    got = driver.read(time.now_ns())
    driver.stop()
    assert int(((got.flags & SampleFlag.DESYNC) != 0).sum()) > 15
    assert not got.flags[-50:].any()


def test_samples_nobody_reads_are_dropped_counted_and_told():
    """P4: bounded, and what is dropped is reported."""
    driver, spidev, time = made()
    driver.start()
    time.run_until(time.now_ns() + 75_000_000_000)
    got = driver.read(time.now_ns())
    (told,) = [notice for notice in driver.take_notices() if notice.cause == "not read in time"]
    driver.stop()
    assert len(got) <= 60 * 80
    assert told.cell == "only"
    assert abs(len(got) + told.samples_lost - len(spidev.chips[0, 0].conversions)) <= 4
    assert told.begin_ns < told.end_ns < got.time_ns[0]


@pytest.mark.parametrize(("configured_hz", "strapped_hz"), [(10.0, 80.0), (80.0, 10.0)])
def test_a_wrong_rate_strap_is_adopted_and_told(configured_hz, strapped_hz):
    """Failure 11 of the load-cell facts."""
    time = VirtualTime(BEGIN_NS)
    strapped = chip(0, strapped_hz, time)
    driver = SpiDriver("shelf-1", ["only"], configured_hz, {}, time, FakeSpidev({(0, 0): strapped}, time))
    got, notices = ran(driver, time, 6.0)
    driver.stop()
    assert len(got) >= len(strapped.conversions) - 4
    assert not got.flags[12:].any()
    assert "rate" in {notice.cause for notice in notices}


@pytest.mark.parametrize(
    ("options", "cells", "lines"),
    [
        ({"speed": 1}, ["a"], ["unknown option 'speed': its options are bus, device, speed_hz", "mean 'speed_hz'"]),
        ({"speed_hz": 20_000}, ["a"], ["speed_hz: 20000 doesn't fit", "50000 to 2500000"]),
        ({"gain": 100}, ["a"], ["gain: 100 doesn't fit", "128 or 64 (channel A) or 32 (channel B)"]),
        ({"pull_down": "yes"}, ["a"], ["pull_down: 'yes' doesn't fit", "true where a resistor"]),
        ({"bus": -1, "gian": 1}, ["a"], ["bus: -1", "unknown option 'gian'", "mean 'gain'"]),
        ({}, ["a", "b"], ["one cell per SPI bus; this board has 2: use driver bridge"]),
    ],
)
def test_options_that_do_not_fit_are_told_all_at_once(options, cells, lines):
    with pytest.raises(DriverError) as raised:
        SpiDriver("shelf-1", cells, 80.0, options)
    text = str(raised.value)
    assert all(line in text for line in lines), text
    assert all(line.startswith("shelf-1: driver spi: ") for line in text.splitlines())
