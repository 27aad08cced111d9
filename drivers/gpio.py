"""The `gpio` driver: one or two HX711s clocked by a Raspberry Pi's own pins, through gpiozero on lgpio.

Linux can stop this program between any two lines, also while SCK is high, and after 60 µs of that the chip powers down.
So every pulse is timed; a read in which SCK may have been high for over 50 µs is flagged, and so are the ones after it
until the chip has settled. A board that can't keep up is told so, with figures: then take `spi` or an MCU (`bridge`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.errors import DriverError
from drivers.extras import need
from drivers.host_time import HostTime, MachineTime
from drivers.hx711.poll_loop import PollLoop
from drivers.hx711.polling import PolledChip, Shot
from drivers.hx711.setting import PULSES, signed
from drivers.kind_options import GpioOptions
from drivers.notices import Notice
from drivers.options import checked
from drivers.samples import SampleBlock
from drivers.sampling import BoardSampler

HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")  # Pi 5; Pi 4; Pi Zero to 3
_MOST_CHIPS = 32
_RESTART_S = 0.001
_NEVER = threading.Event()
_SILENT_HINT = "check that SCK and DOUT are on the pins of the node file and not exchanged, supply and ground"
_SLOW_HINT = "take load off this computer, use driver spi, or read the board with a shelf MCU (driver bridge)"


class GpioDriver:
    """Keeps `drivers.contract.LoadCellDriver`.

    Args:
        cells: one or two names.
        pin_factory: a gpiozero pin factory to use instead of one on the header's chip; it isn't closed then.
        lgpio: the module to look for the header's chip with, instead of the real one.
    Raises:
        DriverError: options that don't fit, with all problems; more cells than two.
    """

    def __init__(
        self,
        board: str,
        cells: Sequence[str],
        rate_hz: float,
        options: Mapping[str, object],
        time: HostTime | None = None,
        pin_factory: Any = None,
        lgpio: Any = None,
    ) -> None:
        self.board = board
        self.options = checked(GpioOptions, board, "gpio", options, cells, rate_hz)
        self._given_factory = pin_factory
        self._lgpio = lgpio
        self._factory: Any = None
        self._pins: list[Any] = []
        self._sampler = BoardSampler(board, cells, rate_hz, "gpio", time or MachineTime())

    def start(self) -> None:
        """Claim the pins and begin reading. Raises DriverError with what to do about it."""
        self._sampler.claim()
        self._factory = self._given_factory or self._header_factory()
        time, sampler = self._sampler.time, self._sampler
        chips = []
        try:
            for index, cell in enumerate(sampler.cells):
                pair = self.options.pins[cell]
                sck, dout = self._factory.pin(f"GPIO{pair.sck}"), self._factory.pin(f"GPIO{pair.dout}")
                self._pins += [sck, dout]
                sck.output_with_state(0)
                dout.input_with_pull("floating")
                lines = _PinLines(sck, dout, PULSES[self.options.gain], time)
                chips.append(PolledChip(index, lines, sampler.rate_hz, time.now_ns))
        except Exception as error:  # gpiozero and lgpio have roots of their own each
            self._let_go()
            raise DriverError(
                f"{self.board}: can't use GPIO {pair.sck} and {pair.dout} for cell {cell} ({error}); another program "
                f"may have them: see gpioinfo"
            ) from error
        sampler.run([PollLoop(sampler, chips, _SILENT_HINT, _SLOW_HINT)])

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says; never waits."""
        return self._sampler.read(until_ns)

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._sampler.take_notices()

    def stop(self) -> None:
        """Stop reading and give the pins back as inputs. Calling it twice does no harm."""
        self._sampler.stop()
        self._let_go()

    def _let_go(self) -> None:
        pins, self._pins = self._pins, []
        for pin in pins:
            pin.close()
        factory, self._factory = self._factory, None
        if factory is not None and factory is not self._given_factory:
            factory.close()

    def _header_factory(self) -> Any:
        lgpio = self._lgpio or need("lgpio", self.board, "gpio")
        number = find_chip(lgpio, self.board, (self.options.chip,) if self.options.chip else HEADER_LABELS)
        factory = need("gpiozero.pins.lgpio", self.board, "gpio").LGPIOFactory
        try:
            return factory(chip=number)
        except Exception as error:  # as above
            raise DriverError(f"{self.board}: can't open /dev/gpiochip{number}: {error}") from error


def find_chip(lgpio: Any, board: str, labels: Sequence[str]) -> int:
    """Number of the GPIO chip with one of these labels; kernels number them differently (a Pi 5's header is 0 or 4).

    Raises DriverError when there is none, naming those that are there.
    """
    seen, refused = {}, ""
    for number in range(_MOST_CHIPS):
        try:
            handle = lgpio.gpiochip_open(number)
        except Exception as error:  # noqa: BLE001  # lgpio.error is an Exception and nothing more
            refused = str(error)
            continue
        try:
            _, _, _, label = lgpio.gpio_get_chip_info(handle)
        finally:
            lgpio.gpiochip_close(handle)
        seen[number] = label.decode() if isinstance(label, bytes) else str(label)
    for label in labels:
        for number, each in seen.items():
            if each == label:
                return number
    found = ", ".join(f"gpiochip{number} {label!r}" for number, label in seen.items()) or f"none ({refused})"
    raise DriverError(
        f"{board}: no GPIO chip labelled {' or '.join(labels)}; there is: {found}. On a Raspberry Pi check that this "
        f"user is in group gpio; on another board name the label in the option chip (gpiodetect shows it)"
    )


class _PinLines:
    """A chip on two pins; keeps `drivers.hx711.polling.ChipLines`."""

    def __init__(self, sck: Any, dout: Any, pulses: int, time: HostTime) -> None:
        self._sck = sck
        self._dout = dout
        self._pulses = pulses
        self._time = time
        self._now: Callable[[], int] = time.now_ns

    def ready(self) -> bool:
        """DOUT is low."""
        return not self._dout.state

    def clock_out(self) -> Shot:
        """A pulse is on, off, then look: DOUT keeps its bit until the next pulse, so looking doesn't stretch it."""
        sck, dout, now = self._sck, self._dout, self._now
        code, longest_ns, framed = 0, 0, True
        for pulse in range(self._pulses):
            begin_ns = now()
            sck.state = 1
            sck.state = 0
            longest_ns = max(longest_ns, now() - begin_ns)
            bit = bool(dout.state)
            if pulse < 24:
                code = code << 1 | bit
            else:
                framed = framed and bit
        return Shot(signed(code), framed, longest_ns, now())

    def restart(self) -> bool:
        """SCK high for 1 ms, then low."""
        self._sck.state = 1
        begin_ns = self._now()
        while self._now() - begin_ns < _RESTART_S * 1e9:
            self._time.wait(_NEVER, _RESTART_S)
        self._sck.state = 0
        return True
