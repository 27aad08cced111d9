"""What can be done to an emulated rig besides talking to its firmware.

True time is int64 ns of an ideal clock: from 0 in lockstep, ``time.monotonic_ns()`` in real time. The chips, the host
and the truth are on it; the MCU runs off it by its crystal's error. Whatever takes ``at_ns`` happens at that true time,
at once without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drivers.hx711.chip import Datasheet
from drivers.hx711.chip_faults import PlannedFault
from hil.rig.errors import RigError
from hil.rig.faults import PlannedBoardFault, Reset, Way, order
from hil.rig.process import Process
from hil.rig.truth import read_truth


@dataclass(frozen=True, slots=True)
class RigState:
    """What the simulator says about itself.

    Attributes:
        now_ns: true time up to which everything has happened.
        cycle: the MCU's, counted on through resets; asleep: how many of them its program slept through.
        mcu: ``running``, ``off``, ``halted`` (asleep for good) or ``crashed``.
        resets: of any cause, the first power-on included.
        baud: what the firmware has set.
        plugged, opened: the port is there; a program has it open.
        lag_ns: real time only: how far the simulation is behind just now.
        slips: how often the machine was so far behind (2 s) that time was moved.
        uart_overruns: bytes the firmware fetched too late.
        host_dropped: bytes to a program that had the port open and didn't read.
        chips: for each chip its counters by name.
    """

    now_ns: int
    cycle: int
    asleep: int
    mcu: str
    resets: int
    baud: int
    plugged: bool
    opened: bool
    lag_ns: int
    slips: int
    uart_overruns: int
    host_dropped: int
    wire: dict[str, int]
    chips: list[dict[str, int]]


@dataclass(frozen=True, slots=True)
class ChipSetup:
    """A chip's nature; what is None stays as it is (at first: the values named here).

    Attributes:
        rate_hz: 80. Conversions a second of this very chip.
        jitter: 57e-6, rms of a period, relative.
        noise_counts: 0, rms at A/128, on top of the level.
        level_counts: 0, the level where no `Controls.levels` are given.
        level_b_counts: 0, the same for channel B.
        first_edge_ns: true time of the first ready edge, to begin anew with.
        datasheet: V2, which says what a chip keeps through power-down.
        wake_periods: 4.45, from a restart to the first ready edge.
        wake_counts: 900, 720, 580, 460 above what follows: the first conversions after a restart.
        connected: True; False takes the chip off its pins.
    """

    rate_hz: float | None = None
    jitter: float | None = None
    noise_counts: float | None = None
    level_counts: float | None = None
    level_b_counts: float | None = None
    first_edge_ns: int | None = None
    datasheet: Datasheet | None = None
    wake_periods: float | None = None
    wake_counts: Sequence[float] | None = None
    connected: bool | None = None


class Controls:
    """The levers of an emulated rig. Not used by itself: see `LockstepRig` and `PtyRig`."""

    def __init__(self, process: Process, chips: int) -> None:
        self._process = process
        self.chips = chips
        try:
            self.state()  # answered once it runs
        except RigError:
            process.close()
            raise

    # ---- the MCU ----

    def reset(self, cause: Reset = Reset.EXTERNAL, at_ns: int | None = None) -> None:
        """Reset the MCU; EXTERNAL is what DTR does."""
        self._order(f"reset {cause.value}", at_ns)

    def power(self, on: bool, at_ns: int | None = None) -> None:
        """Switch the supply of MCU and chips."""
        self._order(f"power {'on' if on else 'off'}", at_ns)

    def brown_out(self, begin_ns: int, end_ns: int) -> None:
        """A dip of the supply that the MCU and all chips lose their state in, from one true time to another."""
        self._order("reset brown-out", end_ns)
        self._order("hold", begin_ns)
        for chip in range(self.chips):
            self._order(f"chip {chip} fault brown-out {begin_ns} {end_ns} 0 -", None)

    def crystal(self, error_ppm: float, at_ns: int | None = None) -> None:
        """Let the MCU's clock run fast (or slow: negative) by so many millionths."""
        self._order(f"crystal {float(error_ppm)!r}", at_ns)

    def supply(self, millivolts: int, at_ns: int | None = None) -> None:
        """The supply as the MCU's ADC sees it; 5000 at first."""
        self._order(f"supply {millivolts}", at_ns)

    def analog(self, channel: int, millivolts: int, at_ns: int | None = None) -> None:
        """The voltage on an analog pin."""
        self._order(f"analog {channel} {millivolts}", at_ns)

    # ---- the line ----

    def wire(
        self,
        way: Way,
        *,
        lose: float | None = None,
        flip: float | None = None,
        add: float | None = None,
        silent: bool | None = None,
        at_ns: int | None = None,
    ) -> None:
        """Faults of the line: for each byte the chance to be lost, to have a bit flipped or a stray byte before it."""
        for name, value in (("lose", lose), ("flip", flip), ("add", add), ("silent", silent)):
            if value is not None:
                self._order(f"wire {way.value} {name} {float(value)!r}", at_ns)

    # ---- the chips ----

    def setup(self, chip: int, setup: ChipSetup, at_ns: int | None = None) -> None:
        """Change what a chip is like."""
        for field in fields(setup):
            value = getattr(setup, field.name)
            if value is None:
                continue
            if isinstance(value, Datasheet):
                value = 1 if value is Datasheet.FIRST else 2
            words = " ".join(repr(float(v)) for v in value) if isinstance(value, Sequence) else repr(float(value))
            self._order(f"chip {chip} {field.name} {words}", at_ns)

    def levels(self, chip: int, times_ns: npt.ArrayLike, counts: npt.ArrayLike) -> None:
        """What a chip would convert at A/128: from each true time on that level, until the next.

        Args:
            times_ns: int64[n], rising.
            counts: float64[n]; before the first time the first level holds.
        """
        pairs = np.empty(np.size(times_ns), np.dtype([("at", "<i8"), ("counts", "<f8")]))
        pairs["at"], pairs["counts"] = times_ns, counts
        if np.any(np.diff(pairs["at"]) < 0):
            raise ValueError(f"levels of chip {chip}: the times don't rise")
        self._process.ask(f"codes {chip} {pairs.size}", pairs.tobytes())

    def inject(self, chip: int, planned: PlannedFault | PlannedBoardFault) -> None:
        """Plan a fault of a chip."""
        self._order(f"chip {chip} fault {order(planned)}", None)

    # ---- looking ----

    def truth(self) -> npt.NDArray[np.void]:
        """The conversions since the last call whose fate is known, as `hil.rig.truth.TRUTH`."""
        return read_truth(self._process.ask("truth"))

    def state(self) -> RigState:
        """What the simulator says about itself."""
        said = dict(line.split("=", 1) for line in self._process.ask("state").decode().splitlines())
        chips = [
            {name: int(value) for name, value in (word.split(":") for word in said[f"chip{chip}"].split())}
            for chip in range(self.chips)
        ]
        return RigState(
            now_ns=int(said["now_ns"]),
            cycle=int(said["cycle"]),
            asleep=int(said["asleep"]),
            mcu=said["mcu"],
            resets=int(said["resets"]),
            baud=int(said["baud"]),
            plugged=said["plugged"] == "1",
            opened=said["open"] == "1",
            lag_ns=int(said["lag_ns"]),
            slips=int(said["slips"]),
            uart_overruns=int(said["uart_overruns"]),
            host_dropped=int(said["host_dropped"]),
            wire={name.removeprefix("wire_"): int(value) for name, value in said.items() if name.startswith("wire_")},
            chips=chips,
        )

    def close(self) -> None:
        """Switch the rig off. Calling it twice does no harm."""
        self._process.close()

    def _order(self, command: str, at_ns: int | None) -> None:
        self._process.ask(command if at_ns is None else f"at {at_ns} {command}")


def start_arguments(
    firmware: Path | None, bootloader: Path | None, flash: Path | None, eeprom: Path | None, chips: int, seed: int
) -> list[str]:
    """The simulator's command line."""
    named = {"--flash": flash, "--eeprom": eeprom, "--firmware": firmware, "--bootloader": bootloader}
    words = [word for name, path in named.items() if path is not None for word in (name, str(path))]
    return [*words, "--chips", str(chips), "--seed", str(seed)]
