"""A sysfs tree on disk with HX711 models behind it, read the way the kernel's hx711 module reads them."""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping
from pathlib import Path

from drivers.fakes.virtual_time import VirtualTime
from drivers.hx711.chip import Chip

_PULSE_NS = 2_500  # 400 kHz, the module's default
_POLLS = 100
_NEVER = threading.Event()
_SCALES_128 = "0.000002328"


class FakeSysfs:
    """Makes the tree; pass `open_file` to `drivers.iio.IioDriver`.

    Args:
        root: an empty directory.
        chips: by device name, for example ``iio:device0``.
        sleep_ns: what the kernel's msleep(10) really takes.
    Attributes:
        give: texts to give instead of the next raw values, in turn (an errno passed off as a sample).
        gone: the module was unloaded.
        held_up_ns: how long the next reading program is stopped before the kernel gets to look.
    """

    def __init__(self, root: Path, chips: Mapping[str, Chip], time: VirtualTime, sleep_ns: int = 12_000_000) -> None:
        self.chips = dict(chips)
        self.time = time
        self.sleep_ns = sleep_ns
        self.give: list[str] = []
        self.gone = False
        self.held_up_ns = 0
        self.reads = 0
        for device in chips:
            folder = root / device
            folder.mkdir(parents=True)
            (folder / "name").write_text("hx711\n")
            (folder / "in_voltage_scale").write_text(_SCALES_128 + "\n")
            for channel in (0, 1):
                (folder / f"in_voltage{channel}_raw").write_text("0\n")

    def open_file(self, path: Path) -> str:
        """A file's text; for raw values what the module gives, after the time it takes. Raises OSError as it does."""
        if self.gone:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        chip = self.chips.get(path.parent.name)
        if chip is not None and path.name.endswith("_raw"):
            self.reads += 1
            held_up_ns, self.held_up_ns = self.held_up_ns, 0
            self.time.wait(_NEVER, held_up_ns / 1e9)
            path.write_text(f"{self._read(chip)}\n")
            if self.give:
                path.write_text(self.give.pop(0) + "\n")
        return path.read_text()

    def _read(self, chip: Chip) -> int:
        """Wait for ready, reset if that takes a second, wait again; 25 pulses, whose last bit isn't looked at."""
        time = self.time
        if not self._ready(chip):
            chip.sck(True, time.now_ns())
            time.wait(_NEVER, self.sleep_ns / 1e9)
            chip.sck(False, time.now_ns())
            if not self._ready(chip):
                raise OSError(errno.EIO, "Input/output error")
        if chip.dout(time.now_ns()):
            raise OSError(errno.EIO, "Input/output error")
        value = 0
        for _ in range(25):
            chip.sck(True, time.now_ns())
            time.spend(_PULSE_NS)
            chip.sck(False, time.now_ns())
            time.spend(_PULSE_NS)
            value = value << 1 | chip.dout(time.now_ns())
        return (value >> 1) ^ 0x800000

    def _ready(self, chip: Chip) -> bool:
        for _ in range(_POLLS):
            if not chip.dout(self.time.now_ns()):
                return True
            self.time.wait(_NEVER, self.sleep_ns / 1e9)
        return False
