"""What the cases of `hil.node_faults` are made of: a mode, its outcome, and a machine of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, PartVerdict

Diagnose = Callable[[int, int, Path], Sequence[PartVerdict]]
"""Makes a case (severity 0 to 2, seed, a folder of its own) and gives what a diagnosis says of it."""


@dataclass(frozen=True)
class Mode:
    """A failure mode.

    Attributes:
        expected: the names of which one must be told, as WARN or FAIL, of a part of ``kind``.
        follows: names that may be told too, because they are true as well.
    """

    name: str
    expected: tuple[Fault, ...]
    kind: PartKind
    diagnosed: Diagnose
    follows: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Of one case. told: what it was taken for. others: names told that aren't true. skipped: why it can't be made."""

    mode: str
    severity: int
    seed: int
    told: str
    right: bool
    others: tuple[str, ...] = ()
    skipped: str = ""


class CannotMakeError(Exception):
    """A case that this machine can't make; the text says what it would take."""


def outcome(mode: Mode, severity: int, seed: int, parts: Sequence[PartVerdict]) -> Outcome:
    """Judge what was said."""
    told = [(part, each.fault) for part in parts for each in part.faults]
    right = [fault for part, fault in told if fault in mode.expected and part.kind is mode.kind]
    known = {*mode.expected, *mode.follows}
    others = tuple(f"{part.kind} {fault}" for part, fault in told if fault not in known)
    return Outcome(
        mode.name, severity, seed, str(right[0]) if right else (others or ("(nothing)",))[0], bool(right), others
    )


def machine_tree(
    folder: Path,
    throttled: int = 0,
    celsius: float = 51.0,
    memory_share: float = 0.6,
    up_s: float = 40_000.0,
) -> Path:
    """Hand-written /proc and /sys of a Raspberry Pi 4 with 4 GB. ``throttled``: the bits of its firmware."""
    files = {
        "proc/meminfo": f"MemTotal: 3884000 kB\nMemAvailable: {round(3_884_000 * memory_share)} kB\n",
        "proc/uptime": f"{up_s:.2f} {up_s * 3:.2f}\n",
        "proc/loadavg": "0.10 0.20 0.30 1/150 999\n",
        "proc/sys/kernel/osrelease": "6.1.0-rpi7-rpi-v8\n",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": f"{round(celsius * 1000)}\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": f"{throttled:x}\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
