"""The driver that a node file asks for; what isn't installed is named when the driver starts, and not before."""

from __future__ import annotations

import builtins

import pytest
from driver_benches import recording

from drivers.build import KINDS, build_driver
from drivers.errors import DriverError
from drivers.gpio import GpioDriver
from drivers.iio import IioDriver
from drivers.kind_options import SpiOptions
from drivers.replayed import ReplayedDriver
from drivers.spi import SpiDriver
from edge.config.driver_schema import DRIVER_TYPES
from firmware_bridge.errors import ShelfedgeError

PINS = {"pins": {"a": {"sck": 5, "dout": 6}}}


def test_it_knows_what_the_node_file_knows():
    assert set(KINDS) == set(DRIVER_TYPES)


@pytest.mark.parametrize(
    ("kind", "options", "rate_hz", "made"),
    [("spi", {}, 80.0, SpiDriver), ("gpio", PINS, 80.0, GpioDriver), ("iio", {}, 10.0, IioDriver)],
)
def test_each_kind_of_hardware_has_its_driver(kind, options, rate_hz, made):
    driver = build_driver("shelf-1", ["a"], rate_hz, kind, options)
    assert isinstance(driver, made)
    assert driver.board == "shelf-1"


def test_a_trace_is_opened_by_whoever_can_read_traces():
    asked = []

    def open_trace(file, board):
        asked.append((file, board))
        return recording(board, 1.0)

    options = {"file": "tuesday.mcap", "speed": 4}
    driver = build_driver("b", ["l", "r"], 80.0, "trace", options, clock=lambda: 0, open_trace=open_trace)
    assert isinstance(driver, ReplayedDriver)
    assert asked == [("tuesday.mcap", "b")]
    driver.start()
    assert len(driver.read(10**9)) == 82 + 85


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("spy", {}, "no driver 'spy'; expected one of simulated, trace, bridge, spi, gpio, iio"),
        ("trace", {}, "file: missing; expected the trace to play, for example"),
        ("trace", {"file": "x", "speed": 0}, "speed: 0 doesn't fit"),
        ("trace", {"file": "x.mcap"}, "use: shelfedge replay x.mcap"),
        ("simulated", {"seed": 1}, "unknown option 'seed': it has no options"),
        ("simulated", {}, "use: shelfedge simulate"),
    ],
)
def test_what_cannot_be_built_is_an_error_that_says_why(kind, options, text):
    with pytest.raises(DriverError) as raised:
        build_driver("shelf-1", ["a"], 80.0, kind, options)
    assert text in str(raised.value)
    assert isinstance(raised.value, ShelfedgeError)
    assert isinstance(raised.value, OSError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("cells", "rate_hz", "text"),
    [
        (["a"], 0, "a rate of 0 Hz; expected one above 0"),
        (["a"], -80.0, "a rate of -80 Hz; expected"),
        (["a"], float("nan"), "a rate of nan Hz; expected"),
        (["a"], float("inf"), "a rate of inf Hz; expected"),
        ([], 80.0, "the board has no cells; expected at least one"),
        (["a", "b", "a"], 80.0, "cell a is there more than once"),
    ],
)
def test_a_board_that_cannot_be_is_an_error_of_every_kind(kind, cells, rate_hz, text):
    with pytest.raises(DriverError) as raised:
        build_driver("shelf-1", cells, rate_hz, kind, {})
    assert text in str(raised.value)


def test_no_options_are_as_good_as_empty_ones():
    assert build_driver("shelf-1", ["a"], 80.0, "spi", None).options == SpiOptions()
    with pytest.raises(DriverError, match="pins: missing; expected for each cell"):
        build_driver("shelf-1", ["a"], 80.0, "gpio", None)


@pytest.mark.parametrize(
    ("kind", "options", "missing"),
    [("spi", {}, "spidev"), ("gpio", PINS, "lgpio")],
)
def test_a_library_that_is_not_there_is_named_with_its_extra_when_the_driver_starts(
    monkeypatch, kind, options, missing
):
    real = builtins.__import__

    def importing(name, *more):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *more)

    monkeypatch.setattr("importlib.import_module", lambda name: importing(name))
    driver = build_driver("shelf-1", ["a"], 80.0, kind, options)
    with pytest.raises(DriverError, match=rf"needs the Python package {missing} .*pip install 'shelfedge\[pi\]'"):
        driver.start()
    driver.stop()
