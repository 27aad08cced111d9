"""Faults of the link to a shelf MCU: the real firmware in the emulated MCU, its line, and the hardware's diagnosis."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pty
import random
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, PartVerdict
from calibration.record import BoardCalibration, CellCalibration
from drivers.bridge import BridgeDriver
from drivers.contract import LoadCellDriver
from drivers.mcu import Mcu
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.diagnose import chosen, diagnose
from edge.node.diagnose_hardware import from_drivers
from firmware_bridge.flash.descriptor import find_descriptor
from firmware_bridge.flash.image import bundled_image, load_image
from firmware_bridge.link.serial_port import open_port
from firmware_bridge.protocol.codes import PROTOCOL_VERSION
from hil.flash_images import as_version, write_image
from hil.node_fault_cases import Mode
from hil.rig.controls import ChipSetup
from hil.rig.faults import Reset, Way
from hil.rig.line import Latency, LockstepLine
from hil.rig.lockstep import LockstepRig

SECONDS, STARTED_S = 20.0, 5.0
BOARD, CELLS = "shelf-1", ("fl", "fr", "bl", "br")
_USB = Latency(packet_timer_ns=16_000_000, out_ns=1_000_000)
_AHEAD_NS = 7_000_000_000_000
Act = tuple[float, Callable[[LockstepRig, LockstepLine], None]]
"""What is done, so many seconds after the hardware was opened."""


def _diagnosed(acts: Sequence[Act], seed: int, firmware: Path | None = None, silent: bool = False) -> list[PartVerdict]:
    """What the hardware's diagnosis says of a board on a rig. ``silent``: nothing ever comes from the MCU."""
    todo = sorted(acts, key=lambda act: act[0])
    with LockstepRig(firmware or bundled_image(), chips=len(CELLS), seed=seed) as rig:
        chance = random.Random(seed)
        for chip in range(len(CELLS)):
            rate_hz = 80.0 * chance.uniform(1.0, 1.1)
            rig.setup(chip, ChipSetup(rate_hz=rate_hz, level_counts=chance.uniform(1e5, 4e5), noise_counts=40))
        if silent:
            rig.wire(Way.TO_HOST, silent=True)
        line = LockstepLine(rig, _USB, seed, _AHEAD_NS)
        mcu = Mcu("the rig", lambda: line, clock=line.now_ns)
        begun_ns = line.now_ns()

        def sleep(seconds: float) -> None:
            while todo and line.now_ns() - begun_ns > todo[0][0] * 1e9:
                todo.pop(0)[1](rig, line)
            line.run_until(line.now_ns() + round(seconds * 1e9))

        def make(name: str) -> LoadCellDriver:
            return BridgeDriver(name, CELLS, 80.0, {}, line.now_ns, lambda _: mcu)

        return _listened(make, line.now_ns, sleep, SECONDS)


def _listened(
    make: Callable[[str], LoadCellDriver], clock: Callable[[], int], sleep: Callable[[float], None], seconds: float
) -> list[PartVerdict]:
    cells = {cell: CellCalibration(zero_counts=1e5, counts_per_gram=430.0) for cell in CELLS}
    record = BoardCalibration(board=BOARD, made="2026-11-01", cells=cells)
    setup = dataclasses.replace(load_setup(demo_node_path()), calibration={BOARD: record})
    gathered = from_drivers(setup, make, (BOARD,), seconds, clock, sleep)
    return list(diagnose(chosen(gathered, (BOARD,)))[0].parts)


def _when(seed: int, last_s: float = SECONDS - 6.0) -> float:
    return random.Random(seed).uniform(STARTED_S, last_s)


def sound(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """Nothing goes wrong."""
    return _diagnosed([], seed)


def _unplugged(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """For half a second, for 3 s, for good."""
    at_s = _when(seed)
    acts: list[Act] = [(at_s, lambda rig, line: line.unplug(powered=seed % 2 == 0))]
    if severity < 2:
        acts.append((at_s + (0.5, 3.0)[severity], lambda rig, line: line.plug()))
    return _diagnosed(acts, seed)


def _damaged(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """Bytes lost, flipped or added: 1 in 5000, in 1000, in 200."""
    share = (2e-4, 1e-3, 5e-3)[severity]
    way = seed % 3

    def damage(rig: LockstepRig, line: LockstepLine) -> None:
        lose, flip, add = (share if way == each else None for each in range(3))
        rig.wire(Way.TO_HOST, lose=lose, flip=flip, add=add)

    return _diagnosed([(STARTED_S, damage)], seed)


def _silent(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """Nothing comes any more: for the last 5 s, from soon after the start, from the start."""
    if severity == 2:
        return _diagnosed([], seed, silent=True)
    at_s = (SECONDS - 2.5, _when(seed, SECONDS / 2))[severity]
    return _diagnosed([(at_s, lambda rig, line: rig.wire(Way.TO_HOST, silent=True))], seed)


def _restarts(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """One reset, three, or three brown-outs of 0.2 s."""
    if severity < 2:
        first_s = _when(seed, 8.0)
        reset: Callable[[LockstepRig, LockstepLine], None] = lambda rig, line: rig.reset(Reset.EXTERNAL)  # noqa: E731
        return _diagnosed([(first_s + 4.0 * k, reset) for k in range((1, 3)[severity])], seed)

    def dip(rig: LockstepRig, line: LockstepLine) -> None:
        now_ns = rig.state().now_ns
        rig.brown_out(now_ns + 10_000_000, now_ns + 210_000_000)

    return _diagnosed([(_when(seed, 8.0) + 4.0 * k, dip) for k in range(3)], seed)


def _overrun(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """The host throws bytes away, because nobody reads: for 0.2 s, 1 s, 3 s, twice."""
    lasts_s, first_s = (0.2, 1.0, 3.0)[severity], _when(seed, 8.0)

    def begin(rig: LockstepRig, line: LockstepLine) -> None:
        rig.wire(Way.TO_HOST, silent=True)

    def end(rig: LockstepRig, line: LockstepLine) -> None:
        rig.wire(Way.TO_HOST, silent=False)
        line.link.host_overran(line.now_ns())

    acts: list[Act] = []
    for k in range(2):
        acts += [(first_s + 5 * k, begin), (first_s + 5 * k + lasts_s, end)]
    return _diagnosed(acts, seed)


def _firmware(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """Another patch, another version, the same version whose MCUs have another name at first."""
    image = load_image(bundled_image(), PROTOCOL_VERSION)
    memory, version = image.memory, find_descriptor(image.memory).version
    last = str((int(version[-1]) + 1 + seed % 8) % 10)
    if severity == 0:
        memory = as_version(memory, version[:-1] + last)
    elif severity == 1:
        memory = as_version(memory, last + version[1:])
    else:
        memory = memory.replace(b"unset\0", f"{seed:05d}"[-5:].encode() + b"\0")
    return _diagnosed([], seed, write_image(folder / "other.hex", memory))


def _no_driver(severity: int, seed: int, folder: Path) -> list[PartVerdict]:
    """A port that somebody else reads, a port that isn't there, a port behind which something else talks."""
    if severity == 1:
        return _on_port(str(folder / "ttyUSB7"))
    with _pty() as (master, port):
        if severity == 0:
            with contextlib.closing(open_port(port)):
                return _on_port(port)
        stop = threading.Event()
        talk = threading.Thread(target=_chatter, args=(master, stop), daemon=True)
        talk.start()
        try:
            return _on_port(port)
        finally:
            stop.set()
            talk.join()


def _on_port(port: str) -> list[PartVerdict]:
    def make(name: str) -> LoadCellDriver:
        return BridgeDriver(name, CELLS, 80.0, {"port": port})

    return _listened(make, time.monotonic_ns, time.sleep, 8.0)


@contextlib.contextmanager
def _pty() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


def _chatter(master: int, stop: threading.Event) -> None:
    """A GPS receiver, say."""
    while not stop.wait(0.1):
        os.write(master, b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n")


MODES = (
    Mode("unplugged", (Fault.UNPLUGGED,), PartKind.LINK, _unplugged, (Fault.NO_SAMPLES,)),
    Mode("damaged frames", (Fault.LINK_DAMAGE,), PartKind.LINK, _damaged, (Fault.NO_SAMPLES,)),
    Mode("MCU silent", (Fault.MCU_SILENT,), PartKind.LINK, _silent, (Fault.NO_SAMPLES,)),
    Mode("MCU restarts", (Fault.MCU_RESTARTS,), PartKind.LINK, _restarts, (Fault.BROWN_OUT,)),
    Mode("host doesn't read", (Fault.LINK_LOSS,), PartKind.LINK, _overrun, (Fault.LINK_DAMAGE, Fault.MCU_SILENT)),
    Mode("other firmware", (Fault.MCU_FIRMWARE,), PartKind.LINK, _firmware),
    Mode("port can't be read", (Fault.DRIVER, Fault.LINK_DAMAGE), PartKind.LINK, _no_driver, (Fault.NO_SAMPLES,)),
)
