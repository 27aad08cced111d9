"""Through a real serial port: the driver as a node builds it, on every board of the bench."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from drivers.build import build_driver
from drivers.contract import LoadCellDriver
from drivers.notices import Notice
from drivers.samples import SampleBlock
from hil.rig.bench import Rig
from hil.rig.controls import ChipSetup
from hil.rig.port import PtyRig

LONGEST_S = 90.0  # of anything here; reached only when it is broken
ENOUGH = 100  # good samples of each cell


def started(rig: Rig) -> LoadCellDriver:
    cells = [f"c{chip}" for chip in rig.chips]
    options = {"port": rig.port, "chips": dict(zip(cells, rig.chips, strict=True))}
    if rig.is_emulated:
        for chip in rig.chips:
            rig.emulator.setup(chip, ChipSetup(level_counts=50_000.0 + 10_000 * chip, noise_counts=40))
    driver = build_driver("b", cells, 80.0, "bridge", options)
    driver.start()
    return driver


def read_until(driver: LoadCellDriver, enough: Callable[[SampleBlock, list[Notice]], bool]) -> SampleBlock:
    """What came until that is so. A machine that is slow makes it last longer and changes nothing else."""
    parts, notices = [SampleBlock.empty("b")], []
    until = time.monotonic() + LONGEST_S
    while True:
        parts.append(driver.read(time.monotonic_ns()))
        notices += driver.take_notices()
        block = SampleBlock.join(parts)
        if enough(block, notices):
            return block
        assert time.monotonic() < until, ([notice.text for notice in notices], len(block), set(block.flags.tolist()))
        time.sleep(0.05)


def good_of_each(cells: int, since_ns: int = 0) -> Callable[[SampleBlock, list[Notice]], bool]:
    def enough(block: SampleBlock, _: list[Notice]) -> bool:
        good = block.cell[(block.flags == 0) & (block.time_ns > since_ns)]
        return bool((np.bincount(good, minlength=cells) >= ENOUGH).all())

    return enough


def test_a_board_streams_good_samples_of_all_its_chips(rig: Rig) -> None:
    driver = started(rig)
    try:
        block = read_until(driver, good_of_each(len(rig.chips)))
    finally:
        driver.stop()
    assert (np.diff(block.time_ns) >= 0).all()
    assert len(driver.read(time.monotonic_ns())) == 0
    if rig.is_emulated:
        for cell, chip in enumerate(rig.chips):
            counts = block.counts[(block.cell == cell) & (block.flags == 0)]
            assert np.abs(counts - (50_000.0 + 10_000 * chip)).max() < 8 * 40


def test_a_board_that_was_unplugged_is_read_again_by_itself_when_it_is_back(rig: Rig, emulator: PtyRig) -> None:
    driver = started(rig)
    try:
        read_until(driver, good_of_each(len(rig.chips)))
        emulator.unplug()
        read_until(driver, lambda _, notices: any(notice.cause == "unplugged" for notice in notices))
        emulator.plug()
        back_ns = time.monotonic_ns()
        read_until(driver, good_of_each(len(rig.chips), back_ns))
    finally:
        driver.stop()
