"""Facts about the machine a node runs on: heat, supply, memory, disk, versions. What can't be known is None."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THROTTLED_BITS = (  # of the Pi's firmware: which bit says it of now; 16 higher says that it happened
    (0, "under_voltage"),
    (1, "frequency_capped"),
    (2, "throttled"),
    (3, "soft_temperature_limit"),
)
CPU_WINDOW_S = 60.0
_EVER = 16
_ASK_FIRMWARE_S = 2.0


class HostFacts:
    """Read as often as you like, but not in the fusion loop: a sick disk may hold it up.

    Args:
        state_folder: whose disk's room is told.
        root: where `/proc` and `/sys` are found; another one in tests.
        run: asks a program for its output; raises OSError or SubprocessError.
    """

    def __init__(
        self,
        state_folder: Path,
        root: Path = Path("/"),
        run: Callable[[list[str]], str] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._state_folder = state_folder
        self._root = root
        self._run = run or _run
        self._monotonic_s = monotonic_s
        self._cpu_s = cpu_s
        self._vcgencmd = shutil.which("vcgencmd") if run is None else "vcgencmd"
        self._ever = 0
        self._sampled_s: deque[tuple[float, float]] = deque()
        self._versions = self._read_versions()

    def sample(self) -> None:
        """To be called about once a second: so that `cpu_share` is of the last minute, whoever asks for it."""
        now = (self._monotonic_s(), self._cpu_s())
        self._sampled_s.append(now)
        while now[0] - self._sampled_s[0][0] > CPU_WINDOW_S:
            self._sampled_s.popleft()

    def read(self) -> dict[str, Any]:
        """All of it, JSON-able. Never raises."""
        bits = self._throttled_bits()
        return {
            "temperatures_c": self._temperatures(),
            "throttling": None if bits is None else _named(bits),
            "cpu_share": self._cpu_share(),
            "load_1min": self._load(),
            "cpus": os.cpu_count(),
            "own_memory_bytes": self._kilobytes("proc/self/status", "VmRSS"),
            "available_memory_bytes": self._kilobytes("proc/meminfo", "MemAvailable"),
            "total_memory_bytes": self._kilobytes("proc/meminfo", "MemTotal"),
            **self._disk(),
            "machine_up_s": _number(self._first_word("proc/uptime")),
            "versions": self._versions,
        }

    def _read_versions(self) -> dict[str, str | None]:
        try:
            own: str | None = version("shelfedge")
        except PackageNotFoundError:
            own = None
        model = self._text("proc/device-tree/model") or self._text("sys/firmware/devicetree/base/model")
        return {
            "shelfedge": own,
            "python": platform.python_version(),
            "kernel": self._text("proc/sys/kernel/osrelease"),
            "model": model,
        }

    def _temperatures(self) -> dict[str, float]:
        """Degrees Celsius by the kernel's name of the zone."""
        found: dict[str, float] = {}
        for zone in self._glob("sys/class/thermal", "thermal_zone*"):
            milli_c = _number(self._text(f"sys/class/thermal/{zone.name}/temp"))
            if milli_c is None:
                continue
            kind = self._text(f"sys/class/thermal/{zone.name}/type") or zone.name
            found[kind if kind not in found else f"{kind} {zone.name}"] = round(milli_c / 1000.0, 1)
        return found

    def _throttled_bits(self) -> int | None:
        """The firmware's bits, those of the past kept: reading them may clear them. None where there is no Pi."""
        bits = self._firmware_bits()
        if bits is None:
            return None
        self._ever |= bits | (bits & 0xF) << _EVER
        return (bits & 0xF) | (self._ever & 0xF << _EVER)

    def _firmware_bits(self) -> int | None:
        for platform_file in self._glob("sys/devices/platform", "soc*/soc*:firmware/get_throttled"):
            return _hexadecimal(self._text(str(platform_file.relative_to(self._root))))
        if self._vcgencmd is not None:
            try:
                return _hexadecimal(self._run([self._vcgencmd, "get_throttled"]).strip().removeprefix("throttled="))
            except (OSError, subprocess.SubprocessError):
                return None
        return None

    def _cpu_share(self) -> float | None:
        """Of one CPU, by this process in the last minute; None before there are two samples."""
        sampled = list(self._sampled_s)  # another thread samples
        if len(sampled) < 2 or sampled[-1][0] <= sampled[0][0]:
            return None
        (begin_s, begin_cpu_s), (end_s, end_cpu_s) = sampled[0], sampled[-1]
        return round((end_cpu_s - begin_cpu_s) / (end_s - begin_s), 3)

    def _load(self) -> float | None:
        return _number(self._first_word("proc/loadavg"))

    def _disk(self) -> dict[str, int | None]:
        folder = self._state_folder
        while True:
            try:
                facts = os.statvfs(folder)
            except FileNotFoundError:
                if folder == folder.parent:
                    break
                folder = folder.parent  # the state folder is made at the first write
            except OSError:
                break
            else:
                return {
                    "disk_free_bytes": facts.f_bavail * facts.f_frsize,
                    "disk_size_bytes": facts.f_blocks * facts.f_frsize,
                }
        return {"disk_free_bytes": None, "disk_size_bytes": None}

    def _kilobytes(self, path: str, key: str) -> int | None:
        for line in (self._text(path) or "").splitlines():
            if line.startswith(key + ":"):
                words = line.split()
                number = _number(words[1]) if len(words) > 1 else None
                return None if number is None else round(number) * 1024
        return None

    def _first_word(self, path: str) -> str | None:
        words = (self._text(path) or "").split()
        return words[0] if words else None

    def _text(self, path: str) -> str | None:
        try:
            return (self._root / path).read_bytes().decode("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def _glob(self, folder: str, pattern: str) -> list[Path]:
        try:
            return sorted((self._root / folder).glob(pattern))
        except OSError:
            return []


def _named(bits: int) -> dict[str, bool]:
    """`under_voltage_now`, `under_voltage_ever` ..."""
    named = {}
    for bit, name in THROTTLED_BITS:
        named[f"{name}_now"] = bool(bits >> bit & 1)
        named[f"{name}_ever"] = bool(bits >> (bit + _EVER) & 1)
    return named


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _hexadecimal(text: str | None) -> int | None:
    try:
        return int(text, 16) if text is not None else None
    except ValueError:
        return None


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_FIRMWARE_S, check=True)
    return done.stdout
