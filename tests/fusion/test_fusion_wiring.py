"""Channels wired in another order than the node file's: the calibration record says which is which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_boards import CORNERS, play, script, setup_of, told

from calibration.record import BoardCalibration
from drivers.samples import SampleBlock
from drivers.simulated.scene import Pick, Put
from edge.fusion.engine import Fusion
from edge.fusion.replay import replay

ORDER = [2, 0, 3, 1]
"""Channel k carries the board where the node file has its cell ORDER[k]."""
NAMES = list(CORNERS)


def _rewired(block: SampleBlock) -> SampleBlock:
    channel_of = np.argsort(ORDER).astype(block.cell.dtype)
    cell = channel_of[block.cell]
    order = np.lexsort((cell, block.time_ns))
    moved = replace(block, cell=cell)
    return replace(
        moved, time_ns=moved.time_ns[order], cell=cell[order], counts=moved.counts[order], flags=moved.flags[order]
    )


def _record(true: BoardCalibration, tells_wiring: bool) -> BoardCalibration:
    cells = {
        name: true.cells[NAMES[place]].model_copy(update={"carries": NAMES[place] if tells_wiring else None})
        for name, place in zip(NAMES, ORDER, strict=True)
    }
    return true.model_copy(update={"cells": cells})


def test_places_are_right_where_the_record_tells_the_wiring() -> None:
    played = play(script(Pick(5.0, "A4"), Put(13.0, "A4")), 26.0, 21, setup_of())
    blocks = [[_rewired(block) for block in together] for together in played.blocks]
    found = {}
    for tells_wiring in (True, False):
        record = _record(played.setup.calibration["b"], tells_wiring)
        setup = replace(played.setup, calibration={"b": record})
        found[tells_wiring] = [event for event in replay(blocks, setup) if event.status == "final"]
    assert [told(event) for event in found[True]] == [told(event) for event in played.finals()]
    for event, expected in zip(found[True], played.finals(), strict=True):
        assert event.x_mm == pytest.approx(expected.x_mm, abs=3.0)
        assert event.grams == pytest.approx(expected.grams, abs=1.0)
    assert [told(event) for event in found[False]] != [told(event) for event in played.finals()]


def test_a_record_with_two_cells_at_one_place_isnt_weighed_with() -> None:
    played = play(script(), 2.0, 21, setup_of())
    true = played.setup.calibration["b"]
    twice = true.model_copy(
        update={"cells": {**true.cells, "fl": true.cells["fl"].model_copy(update={"carries": "fr"})}}
    )
    fusion = Fusion(replace(played.setup, calibration={"b": twice}))
    assert "two cells at one place" in fusion.blind_boards["b"]
