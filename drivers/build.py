"""The driver that a node file asks for, by its name there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from drivers.contract import LoadCellDriver
from drivers.errors import DriverError
from drivers.gpio import GpioDriver
from drivers.host_time import MachineTime
from drivers.iio import IioDriver
from drivers.kind_options import OPTIONS, SimulatedOptions, TraceOptions
from drivers.options import checked
from drivers.replayed import ReplayedDriver
from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.spi import SpiDriver

KINDS = tuple(OPTIONS)


def build_driver(
    board: str,
    cells: Sequence[str],
    rate_hz: float,
    kind: str,
    options: Mapping[str, object] | None,
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
        options: what stands beside it there; None is nothing.
        open_trace: for `trace`: blocks of a board from a file, given file and board.
        simulator: for `simulated`: the simulation of a board.
    Raises:
        DriverError: an unknown kind; no cells or one twice; a rate that is none; options that don't fit, with all
            problems at once.
    """
    if kind not in KINDS:
        raise DriverError(f"{board}: no driver {kind!r}; expected one of {', '.join(KINDS)}")
    _check_board(board, cells, rate_hz)
    options = options if options is not None else {}
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
        wanted = checked(TraceOptions, board, kind, options, cells, rate_hz)
        if open_trace is None:
            raise DriverError(f"{board}: a trace can't be played here; use: shelfedge replay {wanted.file}")
        return ReplayedDriver(board, open_trace(wanted.file, board), len(cells), wanted.speed, clock)
    checked(SimulatedOptions, board, kind, options, cells, rate_hz)
    if simulator is None:
        raise DriverError(f"{board}: a board can't be simulated here; use: shelfedge simulate")
    return SimulatedDriver(simulator(board), clock)


def _check_board(board: str, cells: Sequence[str], rate_hz: float) -> None:
    if not cells:
        raise DriverError(f"{board}: the board has no cells; expected at least one name")
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise DriverError(f"{board}: cell {', '.join(twice)} is there more than once; expected other names")
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise DriverError(f"{board}: a rate of {rate_hz:g} Hz; expected one above 0, for example 80.0")
