"""The driver that a node file asks for, by its name there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from drivers.contract import LoadCellDriver
from drivers.errors import DriverError
from drivers.gpio import GpioDriver
from drivers.host_time import MachineTime
from drivers.iio import IioDriver
from drivers.options import Options, checked
from drivers.replayed import ReplayedDriver, TraceOptions
from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.spi import SpiDriver

KINDS = ("simulated", "trace", "bridge", "spi", "gpio", "iio")


class _NoOptions(Options):
    """Of the `simulated` driver."""


def build_driver(
    board: str,
    cells: Sequence[str],
    rate_hz: float,
    kind: str,
    options: Mapping[str, object],
    *,
    clock: Callable[[], int] = time.monotonic_ns,
    open_trace: Callable[[str, str], Iterable[SampleBlock]] | None = None,
    simulator: Callable[[str], BoardSimulator] | None = None,
) -> LoadCellDriver:
    """A driver that isn't started yet; nothing of the hardware is touched.

    Args:
        board: its id in the node file.
        cells: names in the board's order.
        kind: the driver's name in the node file, one of `KINDS`.
        options: what stands beside it there.
        open_trace: for `trace`: blocks of a board from a file, given file and board.
        simulator: for `simulated`: the simulation of a board.
    Raises:
        DriverError: an unknown kind; options that don't fit, with all problems at once.
    """
    if kind == "spi":
        return SpiDriver(board, cells, rate_hz, options, MachineTime(clock))
    if kind == "gpio":
        return GpioDriver(board, cells, rate_hz, options, MachineTime(clock))
    if kind == "iio":
        return IioDriver(board, cells, rate_hz, options, MachineTime(clock))
    if kind == "bridge":
        from drivers.bridge import build_bridge

        return build_bridge(board, cells, rate_hz, options, clock=clock)
    if kind == "trace":
        wanted = TraceOptions.of(board, options)
        if open_trace is None:
            raise DriverError(f"{board}: a trace can't be played here; use: shelfedge replay {wanted.file}")
        return ReplayedDriver(board, open_trace(wanted.file, board), len(cells), wanted.speed, clock)
    if kind == "simulated":
        checked(_NoOptions, board, kind, options)
        if simulator is None:
            raise DriverError(f"{board}: a board can't be simulated here; use: shelfedge simulate")
        return SimulatedDriver(simulator(board), clock)
    raise DriverError(f"{board}: no driver {kind!r}; expected one of {', '.join(KINDS)}")
