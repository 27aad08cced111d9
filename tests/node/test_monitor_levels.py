"""What the node tells many times a second: levels that follow at once, and what is wrong with a cell."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from health_setup import COUNTS_PER_GRAM, block_of, in_small_blocks, small_setup

from drivers.samples import SampleBlock, SampleFlag
from edge.node.board_facts import facts_of
from edge.node.health import HealthCollector

NS_PER_S = 1_000_000_000


class Told:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def _step_at(block: SampleBlock, at_s: float, counts: float) -> SampleBlock:
    lift = np.where(block.time_ns >= at_s * NS_PER_S, counts, 0.0)
    return dataclasses.replace(block, counts=(block.counts + lift).astype(np.int32))


def test_a_level_follows_a_step_within_half_a_second_and_never_goes_back() -> None:
    """Samples are taken in by the chunk; the mean of an old chunk must not show through."""
    clock = Told()
    health = HealthCollector(small_setup(), clock=clock)
    after = []
    for small in in_small_blocks(_step_at(block_of(8.0, noise_counts=4.0), 3.3, 40_000.0)):
        clock.now_ns = int(small.time_ns[-1])
        health.saw([small], clock.now_ns)
        if clock.now_ns > 3.8 * NS_PER_S:
            after.append(health.levels()["boards"]["b1"]["cells"]["l"]["level_g"])
    assert len(after) > 100
    assert min(after) == pytest.approx(40_000.0 / COUNTS_PER_GRAM, abs=0.5)


def test_a_cell_without_good_samples_has_no_level_and_says_why() -> None:
    """P7: no garbage becomes weight."""
    clock = Told()
    health = HealthCollector(small_setup(), clock=clock)
    block = block_of(4.0)
    flags = np.where(block.cell == 1, SampleFlag.DESYNC, 0).astype(np.uint16)
    health.saw([dataclasses.replace(block, flags=flags)], 0)
    clock.now_ns = 4 * NS_PER_S
    found = health.levels()["boards"]["b1"]
    assert found["level_g"] is None
    assert found["cells"]["r"]["level_g"] is None
    assert found["cells"]["r"]["fault"] == "DESYNC"
    assert found["cells"]["l"]["level_g"] is not None
    assert found["state"] == "running"
    clock.now_ns = 20 * NS_PER_S
    silent = health.levels()["boards"]["b1"]
    assert silent["state"] == "silent"
    assert silent["cells"]["l"]["level_g"] is None
    assert silent["cells"]["l"]["age_s"] == pytest.approx(16.0, abs=0.1)


def test_what_boards_are_is_told_as_json_with_channels_where_they_really_stand() -> None:
    setup = small_setup()
    record = setup.calibration["b1"]
    swapped = {
        "l": record.cells["l"].model_copy(update={"carries": "r"}),
        "r": record.cells["r"].model_copy(update={"carries": "l"}),
    }
    wired = dataclasses.replace(setup, calibration={"b1": record.model_copy(update={"cells": swapped})})
    cells = json.loads(json.dumps(facts_of(wired)))["boards"]["b1"]["cells"]
    assert (cells["l"]["x_mm"], cells["r"]["x_mm"]) == (100.0, 0.0)
    assert cells["r"]["counts_per_gram"] == COUNTS_PER_GRAM
    assert facts_of(setup)["boards"]["b1"]["calibrated"]
    bare = facts_of(dataclasses.replace(setup, calibration={}))["boards"]["b1"]
    assert not bare["calibrated"]
    assert bare["cells"]["l"]["counts_per_gram"] is None
