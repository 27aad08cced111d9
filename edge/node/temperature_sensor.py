"""Thermometers at a board: one at the shelf MCU, a file of the kernel (w1, iio, hwmon), the simulated room's.

What isn't a temperature isn't one: a DS18B20 says 85.0 °C until it has measured, a chip with a broken line 127.9 or
-127, a CRC error stands in the text. Such readings are left out, and why is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge.config.schema import Board
from edge.node.board_source import BoardSource, HardwareSource
from edge.node.simulated_installer import SimulatedSource
from firmware_bridge.errors import ShelfedgeError

POWER_ON_C = 85.0  # what a DS18B20 says that hasn't measured since it got its power
LEAST_C, MOST_C = -40.0, 84.9
SCALE_SD_OF_MCU = 0.06
"""A TMP36 is measured against the supply, which the MCU knows to ± 10 % by its bandgap."""
OFFSET_MV = {"tmp36": 500.0, "lm35": 0.0}  # both give 10 mV per degree
_MOST_BYTES = 4096
_W1_VALUE = re.compile(r"\bt=(-?\d{1,7})\b")


class SensorError(ShelfedgeError, OSError):
    """A board's temperature can't be had. Examples: no such file, no thermometer at the MCU, always 85.0 °C."""


class Thermometer(Protocol):
    """Says how warm it is at a board."""

    @property
    def name(self) -> str:
        """For people and for the record."""

    @property
    def scale_sd(self) -> float:
        """How far its degrees may be off, relative."""

    def celsius(self, now_ns: int) -> float:
        """Now. Raises SensorError where it says nothing that could be a temperature."""


class SensorFile:
    """A file with thousandths of a degree: w1 `temperature` or `w1_slave`, iio `in_temp_input`, hwmon `temp1_input`."""

    scale_sd = 0.0

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def celsius(self, now_ns: int) -> float:
        """As `Thermometer` says."""
        try:
            with self._path.open("rb") as file:
                text = file.read(_MOST_BYTES).decode("ascii", "replace").strip()
        except OSError as error:
            advice = "is the sensor plugged in, and its driver loaded (for a DS18B20: dtoverlay=w1-gpio)?"
            raise SensorError(f"{self.name}: can't be read: {error.strerror}; {advice}") from None
        return plausible(self._parsed(text), self.name)

    def _parsed(self, text: str) -> float:
        found = _W1_VALUE.search(text)
        if found is not None:
            if "YES" not in text:
                raise SensorError(f"{self.name}: the sensor's checksum is wrong; see to its wires and its pull-up")
            return int(found[1]) / 1000.0
        try:
            if len(text) > 32:
                raise ValueError
            return float(text) / 1000.0
        except ValueError:
            raise SensorError(
                f"{self.name}: says '{text[:40]}'; expected thousandths of a degree, for example 21437"
            ) from None


class McuSensor:
    """A TMP36 or LM35 at the shelf MCU's A7."""

    scale_sd = SCALE_SD_OF_MCU

    def __init__(self, kind: str, millivolts: Callable[[], int | None]) -> None:
        self.name = f"{kind} at the shelf MCU"
        self._offset_mv = OFFSET_MV[kind]
        self._millivolts = millivolts

    def celsius(self, now_ns: int) -> float:
        """As `Thermometer` says."""
        millivolts = self._millivolts()
        if millivolts is None:
            raise SensorError(f"{self.name}: the MCU finds nothing on A7; see the firmware's README for its wires")
        return plausible((millivolts - self._offset_mv) / 10.0, self.name)


class RoomSensor:
    """The simulated room's."""

    scale_sd = 0.0
    name = "the simulated room"

    def __init__(self, source: SimulatedSource) -> None:
        self._source = source

    def celsius(self, now_ns: int) -> float:
        """As `Thermometer` says."""
        return self._source.celsius(now_ns)


def thermometer_for(board: Board, source: BoardSource, folder: Path, sensor: str | None = None) -> Thermometer | None:
    """The one that was asked for, else the node file's, else what is found: a TMP36 at the MCU, or the simulated room.

    Args:
        folder: files are relative to it. sensor: 'tmp36', 'lm35' or a file; None: as the node file has it.
    Raises:
        SensorError: one was named that can't be at this board.
    """
    named = sensor or board.thermometer
    if named is not None and named.lower() not in OFFSET_MV:
        return SensorFile(folder / named)
    if isinstance(source, HardwareSource) and board.driver.type == "bridge":
        return McuSensor((named or "tmp36").lower(), lambda: source.sensor_mv)
    if isinstance(source, SimulatedSource):
        return RoomSensor(source)
    if named is not None:
        raise SensorError(f"'{named}' is a thermometer at a shelf MCU, and this board has none; name a file instead")
    return None


def celsius_for_record(board: Board, source: BoardSource, folder: Path) -> tuple[float | None, str]:
    """How warm it is at the board now, and what is wrong where its thermometer says nothing; None, '' without one."""
    try:
        thermometer = thermometer_for(board, source, folder)
        if thermometer is None:
            return None, ""
        return round(thermometer.celsius(source.clock()), 2), ""
    except SensorError as error:
        named = board.thermometer is not None  # a board with a shelf MCU may well have none
        return None, str(error) if named else ""


def plausible(celsius: float, name: str) -> float:
    """The temperature, if it can be one in a shop. Raises SensorError."""
    if celsius == POWER_ON_C:
        raise SensorError(f"{name}: says 85.0 °C, what a DS18B20 says before it has measured; see to its supply")
    if not LEAST_C <= celsius <= MOST_C:  # nan too
        raise SensorError(f"{name}: says {celsius:.1f} °C; expected {LEAST_C:.0f} to {MOST_C:.0f} °C: see to its wires")
    return celsius
