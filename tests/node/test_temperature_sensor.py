"""Thermometers: what isn't a temperature isn't taken for one, and says what to do."""

from __future__ import annotations

import pytest

from edge.config.demo import demo_node_path
from edge.config.schema import Board
from edge.config.setup import load_setup
from edge.node.board_source import TraceClock
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource
from edge.node.temperature_sensor import (
    McuSensor,
    RoomSensor,
    SensorError,
    SensorFile,
    celsius_for_record,
    thermometer_for,
)


@pytest.mark.parametrize(
    ("text", "celsius"),
    [
        ("21437\n", 21.437),
        ("-1500", -1.5),
        ("72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n", 23.125),
        ("0\n", 0.0),
    ],
)
def test_files_of_the_kernel_are_read(tmp_path, text, celsius):
    file = tmp_path / "temperature"
    file.write_text(text)
    assert SensorFile(file).celsius(0) == celsius


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("85000\n", "before it has measured"),
        ("50 05 : crc=1c YES\n50 05 t=85000\n", "before it has measured"),
        ("72 01 : crc=57 NO\n72 01 t=23125\n", "checksum is wrong"),
        ("127937\n", "expected -40 to 85"),
        ("-127000\n", "expected -40 to 85"),
        ("nan\n", "nan"),
        ("inf\n", "inf"),
        ("", "says ''"),
        ("warm\n", "says 'warm'"),
        ("9" * 100, "expected thousandths of a degree"),
    ],
)
def test_what_is_no_temperature_is_refused_with_why(tmp_path, text, said):
    file = tmp_path / "temperature"
    file.write_text(text)
    with pytest.raises(SensorError, match=said):
        SensorFile(file).celsius(0)


def test_a_file_that_is_gone_or_a_folder_is_said(tmp_path):
    with pytest.raises(SensorError, match="is the sensor plugged in"):
        SensorFile(tmp_path / "none").celsius(0)
    with pytest.raises(SensorError, match="Is a directory"):
        SensorFile(tmp_path).celsius(0)


@pytest.mark.parametrize(
    ("kind", "millivolts", "celsius"), [("tmp36", 750, 25.0), ("tmp36", 500, 0.0), ("lm35", 215, 21.5)]
)
def test_millivolts_of_the_mcu(kind, millivolts, celsius):
    assert McuSensor(kind, lambda: millivolts).celsius(0) == celsius


@pytest.mark.parametrize("millivolts", [None, 20, 5000])
def test_nothing_at_the_mcu_or_nonsense_is_no_temperature(millivolts):
    with pytest.raises(SensorError):
        McuSensor("tmp36", lambda: millivolts).celsius(0)


def _board(driver: str = "simulated", thermometer: str | None = None) -> Board:
    board = load_setup(demo_node_path()).node.boards["shelf-1"]
    driver_of = board.driver.model_copy(update={"type": driver})
    return board.model_copy(update={"thermometer": thermometer, "driver": driver_of})


def _source() -> SimulatedSource:
    setup = load_setup(demo_node_path())
    return SimulatedSource(setup, "shelf-1", 5, SimulatedClock(1e9), Installer("shelf-1", (450.0, 200.0), 5), room=True)


class _Trace:
    clock = TraceClock()


def test_the_named_one_goes_before_what_is_found(tmp_path):
    (tmp_path / "t").write_text("19500")
    source = _source()
    assert isinstance(thermometer_for(_board(), source, tmp_path), RoomSensor)
    named = thermometer_for(_board(thermometer="t"), source, tmp_path)
    assert named is not None
    assert named.celsius(0) == 19.5
    assert thermometer_for(_board("spi"), _Trace(), tmp_path) is None  # type: ignore[arg-type]
    with pytest.raises(SensorError, match="this board has none"):
        thermometer_for(_board("spi"), _Trace(), tmp_path, "tmp36")  # type: ignore[arg-type]


def test_the_record_gets_what_is_there_and_a_named_sensors_trouble_is_told(tmp_path):
    (tmp_path / "t").write_text("19512")
    assert celsius_for_record(_board(thermometer="t"), _source(), tmp_path) == (19.51, "")
    celsius, trouble = celsius_for_record(_board(thermometer="gone"), _source(), tmp_path)
    assert celsius is None
    assert "gone" in trouble
    assert celsius_for_record(_board("spi"), _Trace(), tmp_path) == (None, "")  # type: ignore[arg-type]


def test_the_simulated_room_warms_and_cools():
    source = _source()
    found = [source.celsius(hour * 3600 * 10**9) for hour in range(24)]
    assert max(found) - min(found) > 3.0
    assert all(10.0 < celsius < 32.0 for celsius in found)
