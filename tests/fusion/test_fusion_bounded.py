"""P4: what fusion remembers doesn't grow with time, whether or not anything happens."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from fusion_boards import Played, play, script, setup_of

from drivers.samples import SampleBlock, SampleFlag
from drivers.simulated.scene import Pick, Put
from edge.fusion.engine import Fusion

SECONDS = 420


def _grown_bytes(played: Played, change: Callable[[SampleBlock], None]) -> int:
    """Bytes by which a live node's memory grows from the 180th second to the end, with a push per 200 ms."""
    played.events()  # so that what is only made once is there already
    fusion = Fusion(played.setup)
    (block,) = played.whole()
    change(block)
    begin, before = 0, 0
    tracemalloc.start()
    try:
        for at in range(1, 5 * SECONDS):
            end = int(np.searchsorted(block.time_ns, at * 200_000_000))
            fusion.push([block.part(begin, end)], at * 200_000_000)
            begin = end
            if at == 5 * 180:
                before, _ = tracemalloc.get_traced_memory()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def _as_it_is(block: SampleBlock) -> None:
    pass


def _all_flagged(block: SampleBlock) -> None:
    block.flags[block.time_ns > 20e9] = SampleFlag.SATURATED


@pytest.mark.parametrize("change", [_as_it_is, _all_flagged], ids=["at rest", "every sample flagged"])
def test_a_shelf_that_nobody_visits_fills_no_memory(change: Callable[[SampleBlock], None]) -> None:
    """A night without a visit is a hundred times as long."""
    assert _grown_bytes(play(script(), float(SECONDS), 51), change) < 100_000


def test_visits_fill_no_memory() -> None:
    """A visit every four seconds to the very end, units always out in hands."""
    actions = [
        Pick(4.0 * k, f"A{k // 2 % 8}") if k % 3 else Put(4.0 * k, f"A{k % 8}", fresh=True) for k in range(1, 104)
    ]
    played = play(script(*actions), float(SECONDS), 51, setup_of(count=20))
    assert _grown_bytes(played, _as_it_is) < 100_000
