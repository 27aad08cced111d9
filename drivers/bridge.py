"""The `bridge` driver: HX711s behind a shelf MCU on USB, up to eight of them, for one board or several.

The MCU reads each chip at its ready edge with exact pulses and sends every conversion with its evidence; the link gives
it a host time good to a millisecond and accounts for what got lost. Several boards may share an MCU: each names the
chips that are its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from drivers.host_time import MachineTime
from drivers.hx711.readings import Reading
from drivers.hx711.setting import PULSES
from drivers.kind_options import BridgeOptions
from drivers.mcu import Mcu, Reader, shared_mcu
from drivers.notices import Notice
from drivers.options import checked
from drivers.samples import SampleBlock, SampleFlag
from drivers.sampling import BoardSampler
from firmware_bridge.link.connection import Connection
from firmware_bridge.link.identify import BySerial
from firmware_bridge.link.losses import Cause, Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import McuSample
from firmware_bridge.protocol.codes import McuFlag

_OF_WIRE = {
    McuFlag.SATURATED: SampleFlag.SATURATED,
    McuFlag.DESYNC: SampleFlag.DESYNC,
    McuFlag.SETTLING: SampleFlag.SETTLING,
    McuFlag.LATE: SampleFlag.LATE_READ,
    McuFlag.RESTARTED: SampleFlag.RESET,
    McuFlag.LONG_PULSE: SampleFlag.LONG_PULSE,
}
FLAGS = tuple(sum(int(flag) for wire, flag in _OF_WIRE.items() if bits & wire) for bits in range(256))
"""`SampleFlag` bits by the wire's flags. OVERRUN is a loss, not evidence against this sample; an unsure edge may be off
by a fraction of a conversion, which its interval tells better."""

REMEDIES: dict[Cause, str] = {
    "link damage": "check the USB cable and keep it away from motors and mains",
    "host overrun": "the program was held up: check load and disk of this node",
    "mcu overrun": "the MCU was too busy to read in time: use fewer chips, or check DOUT lines that chatter",
    "tx full": "the MCU's send buffer was full: check its baud rate, use fewer chips",
    "stream off": "somebody had the MCU hold its samples back",
    "mcu restart": "check the MCU's supply and USB cable",
    "unplugged": "plug the MCU in; it goes on by itself",
    "unexplained": "report it: the MCU's own counters know nothing of it",
}
"""What to do about a loss, by its cause."""


class BridgeDriver:
    """Keeps `drivers.contract.LoadCellDriver`.

    Read it at least every 50 ms: that is also when the MCU is asked for its time. An MCU that is unplugged or restarts
    is no error: samples go on by themselves when it is back, and notices tell what was lost.

    Args:
        mcu: what to read through, by the options; by default the one that all boards of this process share.
    Raises:
        DriverError: options that don't fit, with all problems.
    """

    def __init__(
        self,
        board: str,
        cells: Sequence[str],
        rate_hz: float,
        options: Mapping[str, object],
        clock: Callable[[], int] = time.monotonic_ns,
        mcu: Callable[[BridgeOptions], Mcu] | None = None,
    ) -> None:
        self.board = board
        self.options = checked(BridgeOptions, board, "bridge", options, cells, rate_hz)
        chip_of, gain_of = self.options.chip_of(cells), self.options.gain_of(cells)
        chips, settings = tuple(chip_of[cell] for cell in cells), tuple(PULSES[gain_of[cell]] for cell in cells)
        self._sampler = BoardSampler(board, cells, rate_hz, "bridge", MachineTime(clock))
        self._reader = Reader(
            board,
            chips,
            settings,
            self.options.shared_clock,
            self._take_sample,
            self._take_loss,
            self._take_notice,
            baud=self.options.baud,
        )
        self._cell_of = {chip: cell for cell, chip in enumerate(chips)}
        self._find_mcu = mcu or (lambda wanted: _mcu_of(wanted, clock))
        self._mcu: Mcu | None = None

    @property
    def mcu(self) -> Mcu | None:
        """The MCU that this board reads through; None before `start`."""
        return self._mcu

    @property
    def counts(self) -> list[Counter[str]]:
        """For each cell, how often what was found in its samples, by cause; see `drivers.hx711.verdicts.CAUSES`."""
        return self._sampler.counts

    def start(self) -> None:
        """Open the port, unless another board has. Raises DriverError with what to do about it."""
        self._sampler.claim()
        mcu = self._find_mcu(self.options)
        mcu.join(self._reader)
        self._mcu = mcu

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says; never waits. Raises DriverError while the MCU isn't one that this board can read."""
        mcu = self._mcu
        if mcu is not None:
            mcu.pump()
        block = self._sampler.read(until_ns)
        if mcu is not None and not len(block):
            mcu.check(self._reader)
        return block

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._sampler.take_notices()

    def stop(self) -> None:
        """Close the port, unless another board reads through it. Calling it twice does no harm."""
        self._sampler.stop()
        mcu, self._mcu = self._mcu, None
        if mcu is not None:
            mcu.leave(self._reader)

    def _take_sample(self, sample: McuSample) -> None:
        cell = self._cell_of[sample.chip]
        self._sampler.push(Reading(cell, sample.edge_ns, sample.counts, FLAGS[sample.flags], sample.lost_before))

    def _take_loss(self, loss: Loss) -> None:
        cell = self._sampler.cells[self._cell_of[loss.chip]]
        about = "about " if loss.estimated else ""
        text = f"{self.board} {cell}: {about}{loss.samples} samples lost ({loss.cause}); {REMEDIES[loss.cause]}"
        self._sampler.note(Notice(self.board, cell, loss.cause, loss.begin_ns, loss.end_ns, loss.samples, text))

    def _take_notice(self, notice: LinkNotice) -> None:
        if notice.cause == "clock jump":  # the link holds samples back until it can time them anew
            self._sampler.clock_jumped()
        cell = None if notice.chip is None else self._sampler.cells[self._cell_of[notice.chip]]
        where = self.board if cell is None else f"{self.board} {cell}"
        text = f"{where}: {notice.text}"
        self._sampler.note(Notice(self.board, cell, notice.cause, notice.at_ns, notice.at_ns, 0, text))


def build_bridge(
    board: str, cells: Sequence[str], rate_hz: float, options: Mapping[str, object], clock: Callable[[], int]
) -> BridgeDriver:
    """As `drivers.build.build_driver`."""
    return BridgeDriver(board, cells, rate_hz, options, clock)


def _mcu_of(options: BridgeOptions, clock: Callable[[], int]) -> Mcu:
    name = options.port or (f"serial {options.serial}" if options.serial else "the only shelf MCU")

    by_serial = BySerial(options.serial) if options.serial and not options.port else None

    def connect() -> Connection:
        return Connection(options.port, options.baud, clock, by_serial)

    return shared_mcu(options.port, options.serial, lambda: Mcu(name, connect, options.serial, clock, options.baud))
