"""What is the `iio` driver's own: the kernel's files, its offset binary, its errors passed off as samples."""

from __future__ import annotations

import threading

import pytest
from driver_benches import BEGIN_NS, LEVEL_COUNTS, NOISE_COUNTS, chip

from drivers.errors import DriverError
from drivers.fakes.sysfs import FakeSysfs
from drivers.fakes.virtual_time import VirtualTime
from drivers.hx711.chip_faults import ChipFault, PlannedFault
from drivers.iio import IioDriver
from drivers.samples import SampleFlag


def made(folder, options=None, devices=("iio:device0",), cells=("only",)):
    time = VirtualTime(BEGIN_NS)
    tree = FakeSysfs(folder, {name: chip(k, 10.0, time) for k, name in enumerate(devices)}, time)
    return IioDriver("shelf-1", cells, 10.0, options or {}, time, folder, tree.open_file), tree, time


def run(driver, time, seconds):
    time.run_until(time.now_ns() + round(seconds * 1e9))
    return driver.read(time.now_ns())


def test_offset_binary_becomes_two_s_complement(tmp_path):
    driver, tree, time = made(tmp_path, devices=("iio:device0", "iio:device2"), cells=("left", "right"))
    driver.start()
    got = run(driver, time, 5.0)
    driver.stop()
    for cell in (0, 1):
        counts = got.counts[got.cell == cell][5:]
        assert abs(int(counts.mean()) - LEVEL_COUNTS[cell]) < NOISE_COUNTS
    raw = int((tmp_path / "iio:device2" / "in_voltage0_raw").read_text())
    assert raw - 0x800000 in [each.counts for each in tree.chips["iio:device2"].conversions][-2:]


@pytest.mark.parametrize("text", ["-5", "4294967291", "16777216", "", "nan", "5.5"])
def test_what_is_no_24_bit_code_is_no_sample_and_is_told(tmp_path, text):
    """The kernel's driver returns a failed read's errno as a value."""
    driver, tree, time = made(tmp_path)
    driver.start()
    run(driver, time, 3.0)
    tree.give = [text, text]
    got = run(driver, time, 3.0)
    (told,) = [notice for notice in driver.take_notices() if notice.cause == "bad read"]
    driver.stop()
    good = got.counts[got.flags == 0]
    assert len(good) > 15
    assert abs(good - LEVEL_COUNTS[0]).max() < 8 * NOISE_COUNTS
    assert "2 numbers from the kernel were no 24-bit codes" in told.text


@pytest.mark.parametrize(("fault", "counts"), [(ChipFault.CLIP_HIGH, 0x7FFFFF), (ChipFault.CLIP_LOW, -0x800000)])
def test_the_end_stops_are_saturated(tmp_path, fault, counts):
    driver, tree, time = made(tmp_path)
    tree.chips["iio:device0"].inject(PlannedFault(fault, 0))
    driver.start()
    got = run(driver, time, 3.0)
    driver.stop()
    assert set(got.counts.tolist()) == {counts}
    assert ((got.flags & SampleFlag.SATURATED) != 0).all()


def test_a_read_that_the_kernel_gives_up_is_told_and_the_chip_comes_back(tmp_path):
    driver, tree, time = made(tmp_path)
    driver.start()
    run(driver, time, 3.0)
    tree.chips["iio:device0"].inject(PlannedFault(ChipFault.DEAD, time.now_ns(), time.now_ns() + 5_000_000_000))
    run(driver, time, 6.0)
    got = run(driver, time, 4.0)
    notices = driver.take_notices()
    driver.stop()
    (told,) = [notice for notice in notices if notice.cause == "ready timeout"]
    assert "gave up; check its wires" in told.text
    assert "slow reads" not in {notice.cause for notice in notices}
    assert not got.flags[-20:].any()


def test_a_module_that_is_unloaded_is_an_error(tmp_path):
    driver, tree, time = made(tmp_path)
    driver.start()
    run(driver, time, 2.0)
    tree.gone = True
    time.run_until(time.now_ns() + 1_000_000_000)
    driver.read(time.now_ns())
    with pytest.raises(DriverError, match="was the hx711 module unloaded"):
        driver.read(time.now_ns())
    driver.stop()


def test_devices_are_found_by_name_in_order_of_number_and_others_are_left_alone(tmp_path):
    other = tmp_path / "iio:device1"
    other.mkdir()
    (other / "name").write_text("bme280\n")
    driver, _, time = made(tmp_path, devices=("iio:device10", "iio:device9"), cells=("left", "right"))
    driver.start()
    got = run(driver, time, 3.0)
    driver.stop()
    left = got.counts[(got.cell == 0)][5:]
    assert abs(int(left.mean()) - LEVEL_COUNTS[1]) < NOISE_COUNTS, "left is device9, the second that was made"


def test_the_option_says_which_device_is_which_cell(tmp_path):
    names = ("iio:device0", "iio:device1")
    options = {"devices": {"left": "iio:device1", "right": "iio:device0"}}
    driver, _, time = made(tmp_path, options, names, ("left", "right"))
    driver.start()
    got = run(driver, time, 3.0)
    driver.stop()
    assert abs(int(got.counts[got.cell == 0][5:].mean()) - LEVEL_COUNTS[1]) < NOISE_COUNTS


@pytest.mark.parametrize(
    ("devices", "cells", "options", "text"),
    [
        ((), ("a",), {}, r"0 HX711 in .* for 1 cells; there is: none\. The kernel's module hx711 and an overlay"),
        (("iio:device0", "iio:device1"), ("a",), {}, r"Name each cell's own in the option devices"),
        (
            ("iio:device0",),
            ("a",),
            {"devices": {"a": "iio:device7"}},
            r"iio:device7 is no HX711 .*iio:device0 \(hx711\)",
        ),
    ],
)
def test_devices_that_do_not_fit_the_board_are_an_error_at_start(tmp_path, devices, cells, options, text):
    driver, _, _ = made(tmp_path, options, devices, cells)
    with pytest.raises(DriverError, match=text):
        driver.start()


def test_a_folder_that_is_not_there_is_the_same_error(tmp_path):
    driver = IioDriver("shelf-1", ["a"], 10.0, {}, root=tmp_path / "nowhere")
    with pytest.raises(DriverError, match="0 HX711"):
        driver.start()


@pytest.mark.parametrize(
    ("options", "rate_hz", "lines"),
    [
        ({}, 80.0, ["rate 80 Hz: the kernel looks at the chip every 10 ms", "set rate: 10 Hz, or use driver spi"]),
        ({"device": "iio:device0"}, 10.0, ["unknown option 'device'", "did you mean 'devices'"]),
        ({"devices": {"b": "iio:device0"}}, 80.0, ["rate 80 Hz", "nothing for cell 'a'", "no cell 'b'"]),
        ({"channel": "C"}, 10.0, ["channel: 'C' doesn't fit", "A or B"]),
    ],
)
def test_options_that_do_not_fit_are_told_all_at_once(options, rate_hz, lines):
    with pytest.raises(DriverError) as raised:
        IioDriver("shelf-1", ["a"], rate_hz, options)
    assert all(line in str(raised.value) for line in lines), str(raised.value)


def test_real_files_are_read_without_any_fake(tmp_path):
    """The driver's own file reading, on the machine's own clock: a file that never waits is a DOUT shorted low."""
    folder = tmp_path / "iio:device0"
    folder.mkdir()
    (folder / "name").write_text("hx711\n")
    (folder / "in_voltage0_raw").write_text("8388608\n")
    driver = IioDriver("shelf-1", ["a"], 10.0, {}, root=tmp_path)
    driver.start()
    before = threading.active_count()
    driver.stop()
    assert threading.active_count() < before
