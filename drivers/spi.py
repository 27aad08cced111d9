"""The `spi` driver: one HX711 clocked by the SPI of a Raspberry Pi, so that no interrupt can stretch a pulse.

Wiring: MOSI to SCK, MISO to DOUT; the SPI's own clock and chip select stay open. One chip per bus. MOSI must be low
between transfers, or the chip powers down: either the SPI can do that (`mosi_idle_low` of py-spidev, and a kernel
driver that supports it), or a resistor of 10 kΩ from MOSI to ground does (option ``pull_down: true``).

A pulse is two SPI bits, ``10``. Before the pulses go eight low bits, whose MISO says whether the chip is ready; after
them at least two, in which DOUT must be high.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.errors import DriverError
from drivers.extras import need
from drivers.host_time import HostTime, MachineTime
from drivers.hx711.poll_loop import PollLoop
from drivers.hx711.polling import PolledChip, Shot
from drivers.hx711.setting import PULSES, signed
from drivers.kind_options import SpiOptions
from drivers.notices import Notice
from drivers.options import checked
from drivers.samples import SampleBlock
from drivers.sampling import BoardSampler

_LEAD_BITS = 8
_SILENT_HINT = (
    "check that MOSI goes to SCK and MISO to DOUT (not exchanged), supply and ground, and that MOSI is low between "
    "transfers: a MOSI that idles high keeps the chip powered down"
)
_SLOW_HINT = "take load off this computer, or read the board with a shelf MCU (driver bridge)"


class SpiDriver:
    """Keeps `drivers.contract.LoadCellDriver`.

    Args:
        cells: exactly one name.
        spidev: the module to use instead of the real one.
    Raises:
        DriverError: options that don't fit, with all problems; more than one cell.
    """

    def __init__(
        self,
        board: str,
        cells: Sequence[str],
        rate_hz: float,
        options: Mapping[str, object],
        time: HostTime | None = None,
        spidev: Any = None,
    ) -> None:
        self.board = board
        self.options = checked(SpiOptions, board, "spi", options, cells, rate_hz)
        self._spidev = spidev
        self._sampler = BoardSampler(board, cells, rate_hz, "spi", time or MachineTime())
        self._port: Any = None

    def start(self) -> None:
        """Open the bus and begin reading. Raises DriverError with what to do about it."""
        self._sampler.claim()
        spidev = self._spidev or need("spidev", self.board, "spi")
        self._port = self._open(spidev)
        clock = self._sampler.time.now_ns
        pulses = PULSES[self.options.gain]
        lines = _SpiLines(self._port, pulses, self.options.speed_hz, clock)
        chip = PolledChip(0, lines, self._sampler.rate_hz, clock)
        self._sampler.run([PollLoop(self._sampler, [chip], _SILENT_HINT, _SLOW_HINT)])

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says; never waits."""
        return self._sampler.read(until_ns)

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._sampler.take_notices()

    def stop(self) -> None:
        """Stop reading and close the bus. Calling it twice does no harm."""
        self._sampler.stop()
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _open(self, spidev: Any) -> Any:
        options, path = self.options, f"/dev/spidev{self.options.bus}.{self.options.device}"
        port = spidev.SpiDev()
        try:
            port.open(options.bus, options.device)
        except OSError as error:
            raise DriverError(
                f"{self.board}: can't open {path} ({error.strerror or error}); switch SPI on (sudo raspi-config nonint "
                f"do_spi 0, then restart), check the options bus and device, and that this user is in group spi"
            ) from error
        try:
            port.mode = 0
            port.bits_per_word = 8
            port.max_speed_hz = options.speed_hz
            self._keep_mosi_low(port)
        except OSError as error:
            port.close()
            raise DriverError(
                f"{self.board}: {path} doesn't take the settings (mode 0, {options.speed_hz} Hz): {error}; "
                f"try speed_hz: 1000000"
            ) from error
        except DriverError:
            port.close()
            raise
        return port

    def _keep_mosi_low(self, port: Any) -> None:
        """Ask the SPI to; where it can't, the node file must say that a resistor does."""
        try:
            if not hasattr(port, "mosi_idle_low"):
                raise AttributeError("this py-spidev has no mosi_idle_low")
            port.mosi_idle_low = True
        except (AttributeError, OSError) as error:
            if not self.options.pull_down:
                raise DriverError(
                    f"{self.board}: nothing keeps MOSI low between transfers ({error}), and a high MOSI powers the "
                    f"HX711 down: put a resistor of 10 kΩ from MOSI to ground and set the option pull_down: true"
                ) from error


class _SpiLines:
    """A chip on MOSI and MISO; keeps `drivers.hx711.polling.ChipLines`."""

    def __init__(self, port: Any, pulses: int, speed_hz: int, clock: Callable[[], int]) -> None:
        self._port = port
        self._clock = clock
        self._pulses = pulses
        self._high_ns = round(1e9 / speed_hz)
        bits = "0" * _LEAD_BITS + "10" * pulses
        bits += "0" * (-len(bits) % 8)
        self._pattern = [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]

    def ready(self) -> bool:
        """DOUT was low during all of eight bits."""
        return bool(self._port.xfer2([0])[0] == 0)

    def clock_out(self) -> Shot:
        """One transfer. Each bit is taken twice; that they differ counts as a bad frame."""
        got = self._port.xfer2(list(self._pattern))
        end_ns = self._clock()
        bits = "".join(f"{byte:08b}" for byte in got)
        lead, pulses = bits[:_LEAD_BITS], bits[_LEAD_BITS : _LEAD_BITS + 2 * self._pulses]
        first, second = pulses[0::2], pulses[1::2]
        tail = bits[_LEAD_BITS + 2 * self._pulses :]
        framed = first == second and "0" not in first[24:] and "0" not in tail and "1" not in lead
        return Shot(signed(int(second[:24], 2)), framed, self._high_ns, end_ns)

    def restart(self) -> bool:
        """The SPI can't hold SCK high for long enough to rely on it."""
        return False
