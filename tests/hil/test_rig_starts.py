"""What the MCU's first moments look like, whoever started it: bootloader, reset line or power."""

from __future__ import annotations

from collections import Counter

import pytest
from rig_ready import FIRMWARE

from firmware_bridge.protocol.frames import Deframer
from firmware_bridge.protocol.messages import McuMessage, Samples, decode_message
from hil.rig.bootloader import build_bootloader
from hil.rig.controls import ChipSetup
from hil.rig.faults import Reset
from hil.rig.lockstep import LockstepRig

pytestmark = pytest.mark.usefixtures("rig_program")


def heard(rig: LockstepRig, seconds: float) -> list[tuple[int, Samples]]:
    """Frames of samples, and when each had come, ns."""
    deframer: Deframer[McuMessage] = Deframer(decode_message)
    return [
        (chunk.time_ns, each.message)
        for chunk in rig.run(seconds * 1e6)
        for each in deframer.feed(chunk.data)
        if isinstance(each.message, Samples)
    ]


@pytest.mark.parametrize("with_bootloader", [False, True])
def test_after_power_on_edges_are_stamped_right_from_the_first(with_bootloader: bool) -> None:
    bootloader = build_bootloader() if with_bootloader else None
    with LockstepRig(FIRMWARE, bootloader=bootloader, chips=2) as rig:
        for chip in range(2):
            rig.setup(chip, ChipSetup(level_counts=100_000.0, noise_counts=40.0))
        rig.run(2e6)
        rig.power(False)
        rig.run(0.5e6)
        rig.power(True)
        frames = heard(rig, 3.0)
    assert len(frames) > 50
    on_the_way_us = [at_ns / 1e3 - frame.base_us for at_ns, frame in frames]
    least = min(on_the_way_us)
    assert max(on_the_way_us) - least < 40_000  # a frame waits for 25 ms to fill, and for the line
    assert min(on_the_way_us[:5]) - least < 10_000  # and none seems to have come before it was sent


@pytest.mark.parametrize("cause", list(Reset))
def test_a_chip_that_is_not_there_stays_not_ready_after_a_reset(cause: Reset) -> None:
    with LockstepRig(FIRMWARE, chips=2) as rig:
        for chip in range(2):
            rig.setup(chip, ChipSetup(level_counts=100_000.0, noise_counts=40.0))
        rig.run(1e6)
        rig.reset(cause)
        seen = Counter(sample.chip for _, frame in heard(rig, 3.0) for sample in frame.samples)
    assert set(seen) == {0, 1}
