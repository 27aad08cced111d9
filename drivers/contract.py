"""The contract that every load-cell driver keeps."""

from __future__ import annotations

from typing import Protocol

from drivers.notices import Notice
from drivers.samples import SampleBlock


class LoadCellDriver(Protocol):
    """One board's converters, whatever they hang on.

    A driver is started once, read until stopped, and silent after `stop`: no thread, no open file, no moving pin.
    Every conversion of a chip is delivered as a sample with its evidence, or its loss is told by a notice.
    """

    board: str

    def start(self) -> None:
        """Open the hardware and begin converting. Raises DriverError with what to do, and when called twice."""

    def read(self, until_ns: int) -> SampleBlock:
        """All samples converted before ``until_ns`` (monotonic) and not yet delivered, in order of time.

        Waits for hardware no longer than it takes to know; returns an empty block where there is nothing, and after
        `stop`. A sample whose judgement needs the one after it comes with a later call.
        Raises DriverError before `start`, and when the hardware is gone for good.
        """

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, in order of time. Never raises; bounded, so ask now and then."""

    def stop(self) -> None:
        """Stop converting and let go of the hardware. Calling it twice does no harm."""
