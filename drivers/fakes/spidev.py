"""Stands in for the `spidev` module, with HX711 models on the data lines of its buses."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence

from drivers.fakes.virtual_time import VirtualTime
from drivers.hx711.chip import Chip


class FakeSpidev:
    """The module: ``FakeSpidev(...).SpiDev()``.

    Args:
        chips: by (bus, device); another one can't be opened.
        call_ns: what a transfer takes besides its bits.
        mosi_idle_low: None: this py-spidev doesn't know it; False: the kernel driver refuses it; True: it works.
        idles_high: MOSI is high between transfers unless `mosi_idle_low` is set or there is a resistor.
    """

    def __init__(
        self,
        chips: Mapping[tuple[int, int], Chip],
        time: VirtualTime,
        call_ns: int = 40_000,
        mosi_idle_low: bool | None = True,
        idles_high: bool = False,
    ) -> None:
        self.chips = dict(chips)
        self.time = time
        self.call_ns = call_ns
        self.idle_low_works = mosi_idle_low
        self.idles_high = idles_high
        self.opened: list[FakePort] = []
        self.gone = False
        """The device has gone: each transfer fails."""
        self.transfers = 0

    def SpiDev(self) -> FakePort:  # noqa: N802  # the module's own name
        """A port that isn't open yet."""
        port = FakePort(self) if self.idle_low_works is None else FakePortThatIdlesLow(self)
        self.opened.append(port)
        return port


class FakePort:
    """A port as of py-spidev 3.8."""

    def __init__(self, module: FakeSpidev) -> None:
        self.mode = 3
        self.bits_per_word = 8
        self.max_speed_hz = 125_000_000
        self.is_open = False
        self._module = module
        self._chip: Chip | None = None
        self._mosi = False

    def open(self, bus: int, device: int) -> None:
        """Raises FileNotFoundError for a bus that isn't there."""
        if (bus, device) not in self._module.chips:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self._chip = self._module.chips[bus, device]
        self.is_open = True
        self._idle()

    def close(self) -> None:
        """No more transfers."""
        self.is_open = False

    def xfer2(self, values: Sequence[int]) -> list[int]:
        """Clock bytes out, most significant bit first; MISO is sampled in the middle of each bit."""
        if not self.is_open or self._chip is None:
            raise OSError(errno.EBADF, "Bad file descriptor")
        if self._module.gone:
            raise OSError(errno.ENODEV, "No such device")
        if self.mode != 0 or self.bits_per_word != 8:
            raise AssertionError("the wiring of an HX711 is for mode 0 with 8 bits per word")
        self._module.transfers += 1
        time, bit_ns = self._module.time, round(1e9 / self.max_speed_hz)
        time.spend(self._module.call_ns // 2)
        got = []
        for value in values:
            byte = 0
            for k in range(7, -1, -1):
                self._drive(bool(value >> k & 1))
                time.spend(bit_ns // 2)
                byte = byte << 1 | self._chip.dout(time.now_ns())
                time.spend(bit_ns - bit_ns // 2)
            got.append(byte)
        self._idle()
        time.spend(self._module.call_ns // 2)
        return got

    def _idle(self) -> None:
        self._drive(self._module.idles_high)

    def _drive(self, level: bool) -> None:
        if level != self._mosi and self._chip is not None:
            self._mosi = level
            self._chip.sck(level, self._module.time.now_ns())


class FakePortThatIdlesLow(FakePort):
    """A port of a py-spidev that knows `mosi_idle_low`."""

    @property
    def mosi_idle_low(self) -> bool:
        """Whether MOSI is kept low between transfers."""
        return not self._module.idles_high

    @mosi_idle_low.setter
    def mosi_idle_low(self, wanted: bool) -> None:
        if not self._module.idle_low_works:
            raise OSError(errno.EINVAL, "Invalid argument")
        self._module.idles_high = not wanted
        self._idle()
