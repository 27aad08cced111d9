"""Drivers, clocks and sinks for the tests of the node's loop: hand-made, told what to do and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.driver_schema import DriverOptions
from edge.config.schema import Board, Cell
from edge.trace.event import Event
from edge.trace.sighting import Sighting

MS = 1_000_000
S = 1_000_000_000


class ToldClock:
    """Monotonic nanoseconds that are set by hand."""

    def __init__(self, ns: int = 1000 * S) -> None:
        self.ns = ns

    def __call__(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def at_once(work: Callable[[], None]) -> None:
    """What would run in the background, here and now."""
    work()


def board(cells: int = 2, rate_hz: float = 100.0) -> Board:
    """A board of so many cells in a row."""
    places = {f"c{k}": Cell(x_mm=100.0 * k + 50.0, y_mm=50.0) for k in range(cells)}
    return Board(
        width_mm=100.0 * cells, depth_mm=100.0, rate_hz=rate_hz, driver=DriverOptions(type="spi"), cells=places
    )


def block(name: str, *samples: tuple[int, int], counts: int = 0) -> SampleBlock:
    """Samples as (time_ns, cell)."""
    return SampleBlock(
        name,
        np.array([time_ns for time_ns, _ in samples], np.int64),
        np.array([cell for _, cell in samples], np.uint8),
        np.full(len(samples), counts, np.int32),
        np.zeros(len(samples), np.uint16),
    )


def pairs(found: SampleBlock) -> list[tuple[int, int]]:
    """A block's samples as (time_ns, cell)."""
    return [(int(time_ns), int(cell)) for time_ns, cell in zip(found.time_ns, found.cell, strict=True)]


class HandDriver:
    """Gives the blocks it was given, and fails when told to."""

    def __init__(self, name: str) -> None:
        self.board = name
        self.queue: list[SampleBlock] = []
        self.notices: list[Notice] = []
        self.fail_start: Exception | None = None
        self.fail_read: Exception | None = None
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1
        if self.fail_start is not None:
            raise self.fail_start

    def read(self, until_ns: int) -> SampleBlock:
        if self.fail_read is not None:
            raise self.fail_read
        if not self.queue:
            return SampleBlock.empty(self.board)
        return self.queue.pop(0)

    def take_notices(self) -> list[Notice]:
        found, self.notices = self.notices, []
        return found

    def stop(self) -> None:
        self.stopped += 1


class Shelf:
    """Makes hand drivers and remembers them, the newest last."""

    def __init__(self) -> None:
        self.made: dict[str, list[HandDriver]] = {}
        self.missing: set[str] = set()

    def make(self, name: str) -> HandDriver:
        driver = HandDriver(name)
        if name in self.missing:
            driver.fail_start = DriverError(f"{name}: no port; plug the MCU in")
        self.made.setdefault(name, []).append(driver)
        return driver

    def newest(self, name: str) -> HandDriver:
        return self.made[name][-1]


class Kept:
    """Sinks that keep everything."""

    def __init__(self) -> None:
        self.blocks: list[SampleBlock] = []
        self.sightings: list[Sighting] = []
        self.events: list[Event] = []
        self.late_ns: list[int] = []
        self.untils: list[int] = []

    def record(self, blocks: Sequence[SampleBlock], sightings: Sequence[Sighting]) -> None:
        self.blocks += blocks
        self.sightings += sightings

    def saw(self, blocks: Sequence[SampleBlock], until_ns: int) -> None:
        self.untils.append(until_ns)

    def decided(self, events: Sequence[Event]) -> None:
        self.events += events

    def progressed(self, late_ns: int) -> None:
        self.late_ns.append(late_ns)
