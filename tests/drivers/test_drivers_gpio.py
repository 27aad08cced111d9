"""What is the `gpio` driver's own: timed pulses, a board that can't keep up, the header's chip by its label."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from driver_benches import BEGIN_NS, LEVEL_COUNTS, NOISE_COUNTS, chip

from drivers.errors import DriverError
from drivers.fakes.gpio_pins import ChipPinFactory, FakeLgpio
from drivers.fakes.virtual_time import VirtualTime
from drivers.gpio import HEADER_LABELS, GpioDriver, find_chip
from drivers.hx711.chip_faults import ChipFault, PlannedFault
from drivers.samples import SampleFlag

PINS = {"pins": {"only": {"sck": 5, "dout": 6}}}


def made(operation_ns=4_000, **options):
    time = VirtualTime(BEGIN_NS)
    factory = ChipPinFactory({(5, 6): chip(0, 80.0, time)}, time, operation_ns)
    return GpioDriver("shelf-1", ["only"], 80.0, {**PINS, **options}, time, factory), factory, time


def run(driver, time, seconds):
    time.run_until(time.now_ns() + round(seconds * 1e9))
    return driver.read(time.now_ns())


@pytest.mark.parametrize("stall_us", [45, 55, 70, 500, 20_000])
def test_a_pulse_that_was_stretched_spoils_its_sample_and_the_ones_until_it_has_settled(stall_us):
    """P7: reset by a long pulse."""
    driver, factory, time = made()
    driver.start()
    run(driver, time, 2.0)
    factory.stall_ns = stall_us * 1000
    got = run(driver, time, 2.0)
    driver.stop()
    long = np.flatnonzero(got.flags & SampleFlag.LONG_PULSE)
    assert len(long) == 1
    assert ((got.flags[long[0] + 1 : long[0] + 6] & SampleFlag.SETTLING) != 0).all()
    good = got.flags == 0
    assert good.sum() > 100
    assert np.abs(got.counts[good] - LEVEL_COUNTS[0]).max() < 8 * NOISE_COUNTS


def test_a_pulse_just_short_of_the_limit_spoils_nothing():
    driver, factory, time = made()
    driver.start()
    run(driver, time, 2.0)
    factory.stall_ns = 40_000
    got = run(driver, time, 2.0)
    driver.stop()
    assert not got.flags.any()


def test_a_board_that_cannot_keep_up_says_so_with_figures_and_the_remedy():
    driver, _, time = made(operation_ns=30_000)
    driver.start()
    got = run(driver, time, 12.0)
    (told,) = [notice for notice in driver.take_notices() if notice.cause == "slow reads"]
    driver.stop()
    assert (got.flags != 0).all(), "none of it is used"
    assert told.cell == "only"
    assert "median 60 µs, longest 60 µs" in told.text
    assert "use driver spi, or read the board with a shelf MCU (driver bridge)" in told.text
    assert told.end_ns - told.begin_ns >= 10_000_000_000


def test_a_silent_chip_is_restarted_and_its_gap_is_told():
    driver, factory, time = made()
    driver.start()
    run(driver, time, 2.0)
    silent = PlannedFault(ChipFault.DEAD, time.now_ns(), time.now_ns() + 1_000_000_000)
    factory.by_sck[5].inject(silent)
    got = run(driver, time, 5.0)
    notices = driver.take_notices()
    driver.stop()
    assert sorted(notice.cause for notice in notices) == ["chip restart", "ready timeout"]
    assert sum(notice.samples_lost for notice in notices) == pytest.approx(1.03 * 82.0, abs=3)
    assert not got.flags[-100:].any()


def test_its_pins_are_inputs_again_after_stop():
    driver, factory, time = made()
    driver.start()
    run(driver, time, 0.5)
    assert factory.pin("GPIO5").function == "output"
    driver.stop()
    assert factory.pin("GPIO5").function == "input"


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        ({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"}, 0),
        ({0: "gpio-brcmstb@107d508500", 4: "pinctrl-rp1", 10: "gpio-brcmstb@107d517c00"}, 4),
        ({0: "pinctrl-rp1", 10: "gpio-brcmstb@107d508500"}, 0),
        ({0: "raspberrypi-exp-gpio", 1: "pinctrl-bcm2835"}, 1),
    ],
    ids=["Pi 4", "Pi 5, older kernel", "Pi 5", "Pi 3"],
)
def test_the_header_is_found_by_its_label_whatever_its_number(labels, number):
    """Failure 20 of the load-cell facts: kernels renumber the chips."""
    lgpio = FakeLgpio(labels)
    assert find_chip(lgpio, "shelf-1", HEADER_LABELS) == number
    assert not lgpio.open_handles


def test_no_such_label_is_an_error_that_names_those_that_are_there():
    with pytest.raises(
        DriverError, match=r"labelled pinctrl-rp1 or .* there is: gpiochip3 'tca9555'\. On a Raspberry Pi"
    ):
        find_chip(FakeLgpio({3: "tca9555"}), "shelf-1", HEADER_LABELS)
    with pytest.raises(DriverError, match=r"none \(can not open gpiochip\)"):
        find_chip(FakeLgpio({}), "shelf-1", HEADER_LABELS)


def test_another_board_s_chip_is_used_where_the_option_names_it(monkeypatch):
    opened = []

    class Factory:
        def __init__(self, chip):
            opened.append(chip)
            raise OSError("that is enough")

    module = types.ModuleType("gpiozero.pins.lgpio")
    module.LGPIOFactory = Factory
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", module)
    driver = GpioDriver("b", ["only"], 80.0, {**PINS, "chip": "tca9555"}, lgpio=FakeLgpio({0: "other", 3: "tca9555"}))
    with pytest.raises(DriverError, match="/dev/gpiochip3: that is enough"):
        driver.start()
    assert opened == [3]


@pytest.mark.parametrize(
    ("options", "cells", "lines"),
    [
        ({}, ["a"], ["pins: missing; expected for each cell its GPIO numbers"]),
        ({"pins": {"a": {"sck": 5}}}, ["a"], ["pins.a.dout: "]),
        ({"pins": {"a": {"sck": 5, "dout": 99}}}, ["a"], ["pins.a.dout: 99 doesn't fit", "0 to 27"]),
        ({"pins": {"b": {"sck": 5, "dout": 6}}}, ["a"], ["nothing for cell 'a'", "no cell 'b'; its cells are a"]),
        (
            {"pins": {"a": {"sck": 5, "dout": 6}, "b": {"sck": 5, "dout": 7}}}, ["a", "b"],
            ["GPIO 5 is there more than once; each line needs its own"],
        ),
        (
            {"pins": {c: {"sck": 2 * k, "dout": 2 * k + 1} for k, c in enumerate("abc")}}, ["a", "b", "c"],
            ["at most 2 cells, this board has 3: use a shelf MCU"],
        ),
        ({"pins": {"a": {"sck": 5, "dout": 6}}, "pull": "up"}, ["a"], ["unknown option 'pull'", "pins, chip, gain"]),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_told(options, cells, lines):
    with pytest.raises(DriverError) as raised:
        GpioDriver("shelf-1", cells, 80.0, options)
    assert all(line in str(raised.value) for line in lines), str(raised.value)


def test_a_pin_that_cannot_be_had_is_an_error_and_the_others_are_given_back():
    driver, factory, _ = made(pins={"only": {"sck": 5, "dout": 6}})
    real, broken = factory.pin, RuntimeError("GPIO busy")

    def pin(name, **more):
        if name == "GPIO6":
            raise broken
        return real(name, **more)

    factory.pin = pin
    with pytest.raises(DriverError, match=r"can't use GPIO 5 and 6 for cell only \(GPIO busy\); another program"):
        driver.start()


def test_pins_that_stop_working_are_an_error_whatever_their_library_raises():
    driver, factory, time = made()
    driver.start()
    run(driver, time, 1.0)
    factory.broken = FakeLgpio.error("bad handle")
    time.run_until(time.now_ns() + 500_000_000)
    with pytest.raises(DriverError, match="shelf-1: the gpio driver can't go on: bad handle"):
        driver.read(time.now_ns())
    driver.stop()
