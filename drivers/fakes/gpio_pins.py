"""gpiozero's mock pins with HX711 models behind them, on a machine where every pin operation costs time.

Needs gpiozero (``pip install 'shelfedge[dev]'``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from drivers.fakes.virtual_time import VirtualTime
from drivers.hx711.chip import Chip


class ChipPinFactory(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """A pin factory for `drivers.gpio.GpioDriver`.

    Args:
        chips: by (SCK, DOUT) GPIO numbers.
        operation_ns: what reading or driving a pin takes.
    Attributes:
        stall_ns: how long the next pulse is stretched besides, once: the program was stopped while SCK was high.
    """

    def __init__(self, chips: Mapping[tuple[int, int], Chip], time: VirtualTime, operation_ns: int = 4_000) -> None:
        super().__init__(pin_class=_ChipPin)
        self.time = time
        self.operation_ns = operation_ns
        self.stall_ns = 0
        self.by_sck = {sck: chip for (sck, _), chip in chips.items()}
        self.by_dout = {dout: chip for (_, dout), chip in chips.items()}
        self.broken: Exception | None = None
        """Raised by every pin operation from now on."""
        self.moved = 0
        """Pin operations so far."""


class _ChipPin(MockPin):  # type: ignore[misc]  # as above
    """Either line of a chip, or neither."""

    def _get_state(self) -> Any:
        self._take_time()
        chip = self.factory.by_dout.get(self._number)
        return super()._get_state() if chip is None else int(chip.dout(self.factory.time.now_ns()))

    def _set_state(self, value: Any) -> None:
        self._take_time()
        if not value and self.factory.stall_ns and self._number in self.factory.by_sck:
            self.factory.time.spend(self.factory.stall_ns)
            self.factory.stall_ns = 0
        super()._set_state(value)
        if self._number in self.factory.by_sck:
            self.factory.by_sck[self._number].sck(bool(value), self.factory.time.now_ns())

    def _change_state(self, value: Any) -> bool:
        changed = bool(self.__dict__.get("_state") != value)
        self._state: Any = value  # without gpiozero's log of all states: this one runs for hours
        return changed

    def _take_time(self) -> None:
        if self.factory.broken is not None:
            raise self.factory.broken
        self.factory.moved += 1
        self.factory.time.spend(self.factory.operation_ns)


class FakeLgpio:
    """The part of `lgpio` that finds chips: ``FakeLgpio({0: 'pinctrl-bcm2711'})``."""

    class error(Exception):  # noqa: N801, N818  # the module's own name
        """As lgpio raises it."""

    def __init__(self, labels: Mapping[int, str]) -> None:
        self.labels = dict(labels)
        self.open_handles: set[int] = set()

    def gpiochip_open(self, number: int) -> int:
        """A handle. Raises `error` where there is no such chip."""
        if number not in self.labels:
            raise self.error("can not open gpiochip")
        self.open_handles.add(number)
        return number

    def gpio_get_chip_info(self, handle: int) -> tuple[int, int, str, str]:
        """Status, lines, name, label."""
        return 0, 54, f"gpiochip{handle}", self.labels[handle]

    def gpiochip_close(self, handle: int) -> int:
        """Let go of it."""
        self.open_handles.remove(handle)
        return 0
