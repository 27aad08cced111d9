"""The contract that every load-cell driver keeps."""

from __future__ import annotations

from typing import Protocol

from drivers.samples import SampleBlock


class LoadCellDriver(Protocol):
    """One board's converters, whatever they hang on.

    A driver is started once, read until stopped, and silent after `stop`: no thread, no open file, no moving pin.
    """

    board: str

    def start(self) -> None:
        """Open the hardware and begin converting. Raises DriverError with what to do about it."""

    def read(self, until_ns: int) -> SampleBlock:
        """All samples converted before ``until_ns`` (monotonic) and not yet delivered, in order of time.

        Waits for hardware no longer than it takes to know; returns an empty block where there is nothing.
        Raises DriverError when the hardware is gone for good.
        """

    def stop(self) -> None:
        """Stop converting and let go of the hardware. Calling it twice does no harm."""
