"""One bench per kind of driver: the driver on hardware that isn't there, and the truth about what that hardware did.

A further kind takes part in the contract tests by one more entry in `BENCHES`.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rig_ready import FIRMWARE, needed

from drivers.bridge import BridgeDriver
from drivers.contract import LoadCellDriver
from drivers.fakes.gpio_pins import ChipPinFactory
from drivers.fakes.spidev import FakeSpidev
from drivers.fakes.sysfs import FakeSysfs
from drivers.fakes.virtual_time import VirtualTime
from drivers.gpio import GpioDriver
from drivers.hx711.chip import Chip
from drivers.hx711.chip_faults import ChipFault
from drivers.iio import IioDriver
from drivers.mcu import Mcu
from drivers.replayed import ReplayedDriver
from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator
from drivers.simulated.draw import CellPlace, draw_board
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.stage import Stage, seeded
from drivers.simulated.world import World
from drivers.spi import SpiDriver
from hil.rig.controls import ChipSetup
from hil.rig.line import LockstepLine
from hil.rig.lockstep import LockstepRig

LEVEL_COUNTS = (123_456, -654_321)
NOISE_COUNTS = 40.0
ONE, TWO = ("only",), ("left", "right")
BEGIN_NS = 1_000_000_000_000


@dataclass
class Bench:
    """A driver, not started, and its world.

    Attributes:
        names: of its cells.
        run_until: lets the world go on to that monotonic time.
        chips: models behind the driver, in the order of its cells; empty where there are none.
        moved: counts what the driver did to its hardware: it stands still after `stop`.
        faults: those that show at this driver.
        late_ns: how far sample times may be off.
        rate_hz: nominal.
        hold_up: lets the computer do nothing for that many ns, while the chips go on.
        talks_ns: by how much times depend on when it is read, as that is when it asks its hardware for the time.
        close: gives back what the bench itself has open.
    """

    driver: LoadCellDriver
    names: tuple[str, ...]
    now_ns: Callable[[], int]
    run_until: Callable[[int], None]
    chips: list[Chip] = field(default_factory=list)
    moved: Callable[[], int] = lambda: 0
    faults: frozenset[ChipFault] = frozenset()
    late_ns: int = 1_000_000
    hold_up: Callable[[int], None] | None = None
    rate_hz: float = 80.0
    talks_ns: int = 0
    close: Callable[[], None] = lambda: None

    @property
    def cells(self) -> int:
        return len(self.names)

    def run(self, seconds: float) -> SampleBlock:
        """Let time pass, reading twenty times a second; everything that came."""
        end_ns = self.now_ns() + round(seconds * 1e9)
        parts = [SampleBlock.empty(self.driver.board)]
        while self.now_ns() < end_ns:
            self.run_until(min(end_ns, self.now_ns() + 50_000_000))
            parts.append(self.driver.read(self.now_ns()))
        return SampleBlock.join(parts)

    def end(self) -> None:
        self.driver.stop()
        self.close()


def noisy(level: float, seed: int) -> Callable[[int], float]:
    rng = random.Random(seed)
    return lambda _: level + rng.gauss(0.0, NOISE_COUNTS)


def chip(cell: int, rate_hz: float, time: VirtualTime) -> Chip:
    """One as it comes from the shop: a few percent off its rate, at its own phase, just powered up."""
    first_ns = time.now_ns() + 3_000_000 + 4_000_000 * cell
    return Chip(noisy(LEVEL_COUNTS[cell], cell), rate_hz * (1.025 + 0.11 * cell), first_edge_ns=first_ns, seed=cell)


def spi_bench(_: Path) -> Bench:
    time = VirtualTime(BEGIN_NS)
    chips = [chip(0, 80.0, time)]
    spidev = FakeSpidev({(0, 0): chips[0]}, time)
    driver = SpiDriver("b", ONE, 80.0, {}, time, spidev)
    faults = frozenset(ChipFault)
    return Bench(
        driver, ONE, time.now_ns, time.run_until, chips, lambda: spidev.transfers, faults, hold_up=time.spend
    )  # fmt: skip


def gpio_bench(_: Path) -> Bench:
    time = VirtualTime(BEGIN_NS)
    chips = [chip(0, 80.0, time), chip(1, 80.0, time)]
    factory = ChipPinFactory({(5, 6): chips[0], (13, 19): chips[1]}, time)
    pins = {"left": {"sck": 5, "dout": 6}, "right": {"sck": 13, "dout": 19}}
    driver = GpioDriver("b", TWO, 80.0, {"pins": pins}, time, factory)
    faults = frozenset(ChipFault)
    return Bench(
        driver, TWO, time.now_ns, time.run_until, chips, lambda: factory.moved, faults, hold_up=time.spend
    )  # fmt: skip


def iio_bench(folder: Path) -> Bench:
    time = VirtualTime(BEGIN_NS)
    chips = [chip(0, 10.0, time), chip(1, 10.0, time)]
    tree = FakeSysfs(folder, {"iio:device0": chips[0], "iio:device1": chips[1]}, time)
    driver = IioDriver("b", TWO, 10.0, {}, time, folder, tree.open_file)
    hidden = {ChipFault.MISSED_PULSE, ChipFault.EXTRA_PULSE, ChipFault.LATE_READ}
    faults = frozenset(ChipFault) - hidden  # the kernel shows no bits and no edges

    def hold_up(ns: int) -> None:
        tree.held_up_ns = ns

    return Bench(
        driver, TWO, time.now_ns, time.run_until, chips, lambda: tree.reads, faults, 25_000_000, hold_up, 10.0
    )  # fmt: skip


class HandTime:
    """A clock that is set by hand, for drivers without threads."""

    def __init__(self) -> None:
        self.ns = BEGIN_NS

    def now_ns(self) -> int:
        return self.ns

    def run_until(self, ns: int) -> None:
        self.ns = ns


def recording(board: str, seconds: float, cells: int = 2, begin_ns: int = 55_000) -> list[SampleBlock]:
    """Blocks of a second, each cell at a rate of its own."""
    times = [begin_ns + np.arange(round(seconds * rate)) * round(1e9 / rate) for rate in (82.0, 85.0)[:cells]]
    time_ns = np.concatenate(times)
    cell = np.concatenate([np.full(len(each), k, np.uint8) for k, each in enumerate(times)])
    order = np.lexsort((cell, time_ns))
    time_ns, cell = time_ns[order].astype(np.int64), cell[order]
    counts = np.arange(len(time_ns), dtype=np.int32)
    whole = SampleBlock(board, time_ns, cell, counts, np.zeros(len(time_ns), np.uint16))
    cuts = [0, *np.searchsorted(time_ns, begin_ns + np.arange(1, seconds) * 10**9).tolist(), len(time_ns)]
    return [whole.part(a, b) for a, b in itertools.pairwise(cuts)]


def replayed_bench(_: Path) -> Bench:
    time = HandTime()
    return Bench(ReplayedDriver("b", iter(recording("b", 30.0)), 2, 1.0, time.now_ns), TWO, time.now_ns, time.run_until)


def simulated_bench(_: Path) -> Bench:
    time = HandTime()
    stage = Stage(World({"b": (900.0, 400.0)}, {}, {}, seeded(1, "world")), lambda _: (), 1)
    places = [CellPlace(30.0, 200.0, 10_000.0), CellPlace(870.0, 200.0, 10_000.0)]
    physics = draw_board(900.0, 400.0, 80.0, places, seeded(1, "physics", "b"), None)
    driver = SimulatedDriver(BoardSimulator("b", physics, stage, 1), time.now_ns)
    return Bench(driver, TWO, time.now_ns, time.run_until)


def bridge_bench(_: Path) -> Bench:
    """The firmware itself in the emulator; something else of the same MCU is read twenty times a second."""
    needed("simavr")
    rig = LockstepRig(FIRMWARE, chips=2)
    for cell, level in enumerate(LEVEL_COUNTS):
        rate_hz = 80.0 * (1.025 + 0.11 * cell)
        rig.setup(cell, ChipSetup(rate_hz=rate_hz, level_counts=level, noise_counts=NOISE_COUNTS))
    line = LockstepLine(rig, ahead_ns=BEGIN_NS)
    mcu = Mcu("the rig", lambda: line, clock=line.now_ns)

    def run_until(ns: int) -> None:
        while line.now_ns() < ns:
            line.run_until(min(ns, (line.now_ns() // 50_000_000 + 1) * 50_000_000))
            if line.now_ns() % 50_000_000 == 0:
                mcu.pump()

    driver = BridgeDriver("b", TWO, 80.0, {}, line.now_ns, lambda _: mcu)
    return Bench(
        driver, TWO, line.now_ns, run_until, moved=lambda: line.sent, talks_ns=200_000, close=rig.close
    )  # fmt: skip


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "spi": spi_bench,
    "gpio": gpio_bench,
    "iio": iio_bench,
    "bridge": bridge_bench,
    "trace": replayed_bench,
    "simulated": simulated_bench,
}
ON_CHIPS = ("spi", "gpio", "iio")


def driver_threads() -> list[str]:
    """Names of the threads of drivers that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.partition("-")[0] in BENCHES]
