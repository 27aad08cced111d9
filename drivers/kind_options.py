"""The options of every kind of driver, apart from the drivers: a node file is checked without what drivers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.options import Misfit, Options, examined, wrong_cells
from firmware_bridge.protocol.codes import BAUD, MOST_CHIPS

Gain = Literal[128, 64, 32]

MOST_GPIO_CELLS = 2
FASTEST_IIO_HZ = 20.0


class SimulatedOptions(Options):
    """The `simulated` driver has none."""


class TraceOptions(Options):
    """Options of the `trace` driver."""

    file: str = Field(min_length=1, description="the trace to play, for example /var/lib/shelfedge/tuesday.mcap")
    speed: float = Field(1.0, gt=0, le=1000, description="times real time, for example 1")


class BridgeOptions(Options):
    """Options of the `bridge` driver."""

    port: str | None = Field(
        None,
        min_length=1,
        description="a port as '/dev/serial/by-id/...', or a USB socket as '1-1.2'; left out: the only MCU there is",
    )
    serial: str | None = Field(None, min_length=1, description="the MCU's own serial, as 'bay-07'; left out: any")
    chips: dict[str, int] | None = Field(
        None,
        description="the MCU's chip for each cell, as {left: 0, right: 1}; left out: 0, 1, 2 ... in order of cells",
    )
    gain: Gain | dict[str, Gain] = Field(
        128, description="128 or 64 (channel A) or 32 (channel B), for all cells or as {left: 128, right: 64}"
    )
    shared_clock: bool = Field(False, description="true where chip 0's SCK clocks all chips, else false")
    baud: int = Field(BAUD, ge=9600, le=2_000_000, description=f"of the line, as {BAUD}")

    def chip_of(self, cells: Sequence[str]) -> dict[str, int]:
        """The chip of each cell."""
        return self.chips if self.chips is not None else {cell: chip for chip, cell in enumerate(cells)}

    def gain_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        """The gain of each cell."""
        return self.gain if isinstance(self.gain, dict) else dict.fromkeys(cells, self.gain)

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        given = self.chip_of(cells)
        found = wrong_cells("chips", given, cells) + wrong_cells("gain", self.gain_of(cells), cells)
        for cell, chip in given.items():
            if not 0 <= chip < MOST_CHIPS:
                text = f"{cell} is to be chip {chip}; expected 0 to {MOST_CHIPS - 1}"
                found.append(Misfit(("chips", cell), text, f"chips: {text}"))
        if len(set(given.values())) < len(given):
            found.append(Misfit(("chips",), "two cells have the same chip; expected one for each"))
        return found


class SpiOptions(Options):
    """Options of the `spi` driver."""

    bus: int = Field(0, ge=0, le=31, description="the SPI bus, the first number of /dev/spidev0.0, for example 0")
    device: int = Field(
        0, ge=0, le=31, description="its chip select, the second number of /dev/spidev0.0, for example 0"
    )
    speed_hz: int = Field(
        1_000_000, ge=50_000, le=2_500_000, description="SPI clock in Hz, 50000 to 2500000, for example 1000000"
    )
    pull_down: bool = Field(False, description="true where a resistor pulls MOSI to ground, else false")
    gain: Gain = Field(128, description="128 or 64 (channel A) or 32 (channel B)")

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        if len(cells) == 1:
            return []
        return [Misfit((), f"one cell per SPI bus; this board has {len(cells)}: use driver bridge")]


class PinPair(Options):
    """The pins of one cell."""

    sck: int = Field(ge=0, le=27, description="the GPIO number of SCK, 0 to 27, for example 5")
    dout: int = Field(ge=0, le=27, description="the GPIO number of DOUT, 0 to 27, for example 6")


class GpioOptions(Options):
    """Options of the `gpio` driver."""

    pins: dict[str, PinPair] = Field(
        description="for each cell its GPIO numbers (not pin positions), 0 to 27, for example {left: {sck: 5, dout: 6}}"
    )
    chip: str | None = Field(None, description="the label of the GPIO chip as gpiodetect shows it; not needed on a Pi")
    gain: Gain = Field(128, description="128 or 64 (channel A) or 32 (channel B)")

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        found = wrong_cells("pins", self.pins, cells)
        if len(cells) > MOST_GPIO_CELLS:
            text = f"at most {MOST_GPIO_CELLS} cells, this board has {len(cells)}: use a shelf MCU (driver bridge)"
            found.append(Misfit((), text))
        used = [number for pair in self.pins.values() for number in (pair.sck, pair.dout)]
        twice = sorted({number for number in used if used.count(number) > 1})
        if twice:
            text = f"GPIO {', '.join(map(str, twice))} is there more than once; each line needs its own"
            found.append(Misfit(("pins",), text))
        return found


class IioOptions(Options):
    """Options of the `iio` driver."""

    devices: dict[str, str] | None = Field(
        None, description="for each cell its device in /sys/bus/iio/devices, for example {left: 'iio:device0'}"
    )
    channel: Literal["A", "B"] = Field("A", description="A or B")

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`; a rate that the kernel can't follow too."""
        found = wrong_cells("devices", self.devices, cells) if self.devices is not None else []
        if rate_hz is not None and rate_hz > FASTEST_IIO_HZ:
            text = (
                f"rate {rate_hz:g} Hz: the kernel looks at the chip every 10 ms and can't follow more than "
                f"{FASTEST_IIO_HZ:g} Hz; strap RATE to ground and set rate: 10 Hz, or use driver spi or bridge"
            )
            found.append(Misfit((), text))
        return found


OPTIONS: dict[str, type[Options]] = {
    "simulated": SimulatedOptions,
    "trace": TraceOptions,
    "bridge": BridgeOptions,
    "spi": SpiOptions,
    "gpio": GpioOptions,
    "iio": IioOptions,
}
"""The options of each kind, by its name in the node file."""


def misfits(
    kind: str, options: Mapping[str, object], cells: Sequence[str] | None, rate_hz: float | None
) -> list[Misfit]:
    """All that is wrong with a driver's options, as far as the file alone tells. ``kind``: one of `OPTIONS`.

    ``cells``, ``rate_hz``: the board's; None where they aren't known, then what depends on them isn't checked.
    """
    return examined(OPTIONS[kind], options, cells, rate_hz)[1]
