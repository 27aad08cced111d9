"""A diagnosis of the hardware itself, while no node runs: its drivers are made for this alone, and let go of again."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from drivers.contract import LoadCellDriver
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.node.diagnose import Gathered, chosen, joined
from edge.node.hardware import Hardware
from edge.node.mcu_facts import mcu_facts
from edge.node.state_lock import StateLock
from firmware_bridge.errors import ShelfedgeError

START_UP_S = 3.0  # opening a port, setting chips, four conversions that settle
ROUND_S = 0.02  # a bridge wants to be read every 50 ms

Say = Callable[[str], None]


def opened(
    config: Path, setup: Setup, folder: Path, boards: Sequence[str], seconds: float, say: Say, stills: bool = False
) -> Gathered:
    """Listen to the hardware of a node file; ``stills``: and take a picture with each camera.

    Raises NodeRunsError where a node has it, DiagnosisError for a board that isn't there.
    """
    with _locked(folder):
        hardware = Hardware(setup, config, 1, time.monotonic_ns)
        names = boards or tuple(hardware.setup.node.boards)
        chosen(Gathered("", hardware.setup, {}, seconds), names)
        say(f"no node runs: its hardware is opened and listened to for {seconds:g} s; touch the boards meanwhile")
        if boards or not setup.node.cameras:
            return from_drivers(hardware.setup, hardware.make, names, seconds, time.monotonic_ns, time.sleep)
        from edge.node.diagnose_cameras import opened_cameras, stills_of

        with opened_cameras(hardware.setup, config, hardware.make_camera, time.monotonic_ns) as cameras:
            found = from_drivers(hardware.setup, hardware.make, names, seconds, time.monotonic_ns, time.sleep)
            # Nobody was followed meanwhile.
            facts = {name: {**each, "people": None, "work_ms": None} for name, each in cameras.report().items()}
            pictures = stills_of(setup.node.cameras, cameras.still, say) if stills else {}
            return dataclasses.replace(found, cameras=facts, stills=pictures)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody runs the node meanwhile. Where there is no state folder yet, nobody ever has."""
    lock = StateLock(folder) if folder.is_dir() else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def from_drivers(
    setup: Setup,
    make: Callable[[str], LoadCellDriver],
    boards: Sequence[str],
    seconds: float,
    clock: Callable[[], int],
    sleep: Callable[[float], None],
) -> Gathered:
    """Listen to drivers made for this alone; all are stopped at the end. A driver that can't go on is a failure of its
    board, told in its own words.
    """
    drivers: dict[str, LoadCellDriver] = {}
    failures: dict[str, str] = {}
    kept: list[SampleBlock] = []
    notices: list[Notice] = []
    opening: dict[str, list[Notice]] = {name: [] for name in boards}
    try:
        for name in boards:
            try:
                driver = make(name)
                drivers[name] = driver
                driver.start()
            except ShelfedgeError as error:
                failures[name] = str(error)
        end_ns = clock() + round((seconds + START_UP_S) * 1e9)
        while clock() < end_ns and (len(failures) < len(boards) or setup.node.cameras):
            for name, driver in drivers.items():
                if name in failures:
                    continue
                try:
                    block = driver.read(clock())
                except ShelfedgeError as error:
                    failures[name] = str(error)
                    continue
                told = driver.take_notices()
                if name in opening:
                    opening[name] += told  # what is told before the first sample belongs to opening, if one comes
                else:
                    notices += told
                if len(block):
                    opening.pop(name, None)
                    kept.append(block)
            sleep(ROUND_S)
        mcus = {name: facts for name, driver in drivers.items() if (facts := mcu_facts(driver)) is not None}
    finally:
        for driver in drivers.values():
            with contextlib.suppress(ShelfedgeError, OSError):
                driver.stop()
    notices += [notice for told in opening.values() for notice in told]
    blocks = joined(kept, clock() - round((seconds + 2 * START_UP_S) * 1e9))
    return Gathered(
        f"node {setup.node.node}, not running: its hardware, {seconds:g} s",
        setup,
        blocks,
        seconds,
        True,
        tuple(notices),
        failures,
        mcus,
    )
