"""The `iio` driver: HX711s read by the Linux kernel (module hx711), through the files it has in sysfs.

The kernel's pulses are exact, but it looks for a ready chip only every 10 ms or so, tells neither when the chip
was ready nor whether the bits were whole, and takes a failed read for a sample now and then. So this driver follows
chips up to 20 samples/s, where a read can't meet the next conversion; narrows times down by the chip's own period (they
are good to some 20 ms); and takes nothing for a sample that isn't one of 24 bits. The kernel gives offset binary:
the chip's code + 0x800000.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from drivers.errors import DriverError
from drivers.host_time import HostTime, MachineTime
from drivers.hx711.chip import CODE_MAX, CODE_MIN
from drivers.hx711.edges import EdgeTracker
from drivers.hx711.polling import THROW_AWAY
from drivers.hx711.readings import Reading
from drivers.kind_options import IioOptions
from drivers.notices import Notice
from drivers.options import checked
from drivers.samples import SampleBlock, SampleFlag
from drivers.sampling import BoardSampler

SYSFS = Path("/sys/bus/iio/devices")
_OFFSET = 0x800000
_WAITED_NS = 5_000_000  # a read this long has slept in the kernel, so DOUT was high when it began
_SLEEP_NS = 21_000_000  # the longest that msleep(10) sleeps, at HZ=100
_FRESH_SHARE = 0.75
_BLIND_SHARE = 0.99
_OFF_SHARE = 0.25  # of a period: the sleep above is 0.2 of one at 10 Hz
_REST_SHARE = 0.3  # of a nominal period, after a read that didn't wait: a DOUT that is always low mustn't keep it busy
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")


class IioDriver:
    """Keeps `drivers.contract.LoadCellDriver`. One thread per chip, as a read waits in the kernel.

    Args:
        root: where the devices are.
        open_file: reads a file's text; may raise OSError.
    Raises:
        DriverError: options that don't fit, with all problems; a rate that the kernel can't follow.
    """

    def __init__(
        self,
        board: str,
        cells: Sequence[str],
        rate_hz: float,
        options: Mapping[str, object],
        time: HostTime | None = None,
        root: Path = SYSFS,
        open_file: Callable[[Path], str] | None = None,
    ) -> None:
        self.board = board
        self.options = checked(IioOptions, board, "iio", options, cells, rate_hz)
        self._root = root
        self._open = open_file or _text
        self._sampler = BoardSampler(board, cells, rate_hz, "iio", time or MachineTime())

    def start(self) -> None:
        """Find the devices and begin reading. Raises DriverError with what to do about it."""
        self._sampler.claim()
        found = self._find()
        loops = []
        for index, cell in enumerate(self._sampler.cells):
            path = self._root / found[cell] / f"in_voltage{'AB'.index(self.options.channel)}_raw"
            loops.append(_Loop(self._sampler, index, path, self._open))
        self._sampler.run(loops)

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says; never waits."""
        return self._sampler.read(until_ns)

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._sampler.take_notices()

    def stop(self) -> None:
        """Stop reading. Waits for the kernel to give up a read, 2 s at most. Calling it twice does no harm."""
        self._sampler.stop()

    def _find(self) -> dict[str, str]:
        """The device of each cell."""
        names = self._devices()
        ours = [device for device, name in names.items() if name == "hx711"]
        there = ", ".join(f"{device} ({name})" for device, name in names.items()) or "none"
        wanted = self.options.devices
        if wanted is not None:
            wrong = sorted(device for device in wanted.values() if device not in ours)
            if wrong:
                raise DriverError(
                    f"{self.board}: {', '.join(wrong)} is no HX711 in {self._root}; there is: {there}. Load the "
                    f"kernel's hx711 with its overlay (dtoverlay=hx711,...), or mend the option devices"
                )
            return wanted
        if len(ours) != len(self._sampler.cells):
            raise DriverError(
                f"{self.board}: {len(ours)} HX711 in {self._root} for {len(self._sampler.cells)} cells; there is: "
                f"{there}. "
                + (
                    "Name each cell's own in the option devices"
                    if len(ours) > len(self._sampler.cells)
                    else "The kernel's module hx711 and an overlay are needed (modprobe hx711; dtoverlay=hx711,...); "
                    "Raspberry Pi kernels don't have them: spi or bridge are easier"
                )
            )
        return dict(zip(self._sampler.cells, ours, strict=True))

    def _devices(self) -> dict[str, str]:
        """Device -> name, in order of number."""
        try:
            paths = [path for path in self._root.iterdir() if re.fullmatch(r"iio:device[0-9]+", path.name)]
        except OSError:
            return {}
        names = {}
        for path in sorted(paths, key=lambda each: int(each.name.removeprefix("iio:device"))):
            try:
                names[path.name] = self._open(path / "name").strip()
            except OSError as error:
                names[path.name] = f"unreadable: {error.strerror}"
        return names


class _Loop:
    """One chip's thread."""

    def __init__(self, sampler: BoardSampler, cell: int, path: Path, open_file: Callable[[Path], str]) -> None:
        self._sampler = sampler
        self._cell = cell
        self._path = path
        self._open = open_file
        self._edges = EdgeTracker(sampler.rate_hz, _OFF_SHARE, sure=False)
        self._unsettled = THROW_AWAY
        self._back_ns = 0  # when the kernel came back with the reading before
        self._looked_ns = 0  # when it came back last, also without one
        self._silent_since_ns: int | None = None
        self._bad = 0

    def __call__(self, stop: threading.Event) -> None:
        time = self._sampler.time
        planned_ns = self._back_ns = self._looked_ns = time.now_ns()
        rest_ns = round(_REST_SHARE * 1e9 / self._sampler.rate_hz)
        while not stop.is_set():
            called_ns = time.now_ns()
            raw = self._raw()
            back_ns = time.now_ns()
            if raw is None:
                self._failed(called_ns, back_ns)
            elif self._can_be_new(planned_ns, called_ns, back_ns):
                self._sampler.push(self._reading(raw, planned_ns, called_ns, back_ns))
            waited = raw is not None and back_ns - called_ns >= _WAITED_NS
            planned_ns = time.now_ns() + (0 if waited else rest_ns)
            if not waited:
                time.wait(stop, rest_ns / 1e9)

    def _can_be_new(self, planned_ns: int, called_ns: int, back_ns: int) -> bool:
        """Not so where DOUT was low already: a chip isn't ready again within 0.9 periods, so that is no conversion."""
        if back_ns - called_ns >= _WAITED_NS or called_ns - planned_ns > 0.5 * self._edges.period_ns:
            return True
        return back_ns - self._back_ns > 0.9 * self._edges.period_ns

    def _raw(self) -> int | None:
        """The kernel's number; None where it isn't a code."""
        try:
            text = self._open(self._path).strip()
        except OSError as error:
            if error.errno in _GONE:
                raise DriverError(
                    f"{self._sampler.board}: {self._path} has gone ({error.strerror}); was the hx711 module unloaded?"
                ) from error
            return None
        if not _NUMBER.fullmatch(text) or not 0 <= int(text) <= 0xFFFFFF:
            self._bad += 1  # an errno passed off as a sample
            return None
        return int(text)

    def _reading(self, raw: int, planned_ns: int, called_ns: int, back_ns: int) -> Reading:
        waited = back_ns - called_ns >= _WAITED_NS
        high_ns = max(self._back_ns, back_ns - _SLEEP_NS) if waited else self._back_ns
        last_ns, was_locked = self._edges.last_ns, self._edges.locked
        period_ns = self._edges.period_ns
        new = waited or called_ns - planned_ns > 0.5 * period_ns
        edge_ns, periods = self._edges.seen(high_ns, back_ns) if new else (back_ns, 0)
        counts = raw - _OFFSET
        flags = SampleFlag.SATURATED if counts in (CODE_MAX, CODE_MIN) else SampleFlag.GOOD
        missed = 0
        fresh = back_ns <= edge_ns + _FRESH_SHARE * period_ns if self._edges.fits else waited and not was_locked
        if not (fresh and new):  # the kernel may have been reading when the next conversion ended
            flags |= SampleFlag.LATE_READ
        if last_ns is not None and periods > 1:
            if called_ns - self._looked_ns >= _BLIND_SHARE * (periods - 1) * period_ns:
                missed = periods - 1
                self._tell_slow(last_ns, edge_ns, missed)
            else:
                self._unsettled = THROW_AWAY
        if self._unsettled:
            flags |= SampleFlag.SETTLING
            self._unsettled -= 1
        self._back_ns = self._looked_ns = back_ns
        self._silent_since_ns = None
        self._tell_bad(edge_ns)
        return Reading(self._cell, edge_ns, counts, int(flags), missed)

    def _failed(self, called_ns: int, now_ns: int) -> None:
        self._looked_ns = now_ns
        if self._silent_since_ns is None and self._bad == 0:
            self._silent_since_ns = self._back_ns
            self._note(
                "ready timeout", self._back_ns, now_ns, 0,
                f"the kernel waited for the HX711 for {(now_ns - called_ns) / 1e9:.1f} s and gave up; check its wires, "
                f"supply and ground, and the pins in the overlay",
            )  # fmt: skip

    def _tell_bad(self, now_ns: int) -> None:
        if self._bad:
            self._note(
                "bad read", self._back_ns, now_ns, 0,
                f"{self._bad} numbers from the kernel were no 24-bit codes (it passes errors off as samples) and were "
                f"not used; check the wires of this chip",
            )  # fmt: skip
            self._bad = 0

    def _tell_slow(self, begin_ns: int, end_ns: int, missed: int) -> None:
        self._note(
            "slow reads", begin_ns, end_ns, missed,
            f"{missed} conversions were missed because this computer was busy; take load off it, or read the board "
            f"with a shelf MCU (driver bridge)",
        )  # fmt: skip

    def _note(self, cause: str, begin_ns: int, end_ns: int, lost: int, text: str) -> None:
        board, cell = self._sampler.board, self._sampler.cells[self._cell]
        self._sampler.note(Notice(board, cell, cause, begin_ns, end_ns, lost, f"{board} {cell}: {text}"))


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace")
