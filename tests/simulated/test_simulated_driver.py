"""The simulated driver keeps the drivers' contract, and gives the same samples however it is read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_boards import board, run, world

from drivers.contract import LoadCellDriver
from drivers.errors import DriverError
from drivers.samples import SampleBlock
from drivers.simulated.batch import simulate
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.physics import FaultRates
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Stage

_BUSY = RandomShopper(4, first_s=0.5, leans_per_minute=10, vibrations_per_minute=20)
_PHYSICS = board(faults=FaultRates(2.0, 200.0, 100.0), cold_start=True, marks_settling=True)
_DURATION_S = 9.0


def _driver(origin_ns=0, seed=4):
    stage = Stage(world(seed), _BUSY, seed)
    return SimulatedDriver(BoardSimulator("b", _PHYSICS, stage, seed), clock=lambda: origin_ns)


def _same(one: SampleBlock, other: SampleBlock) -> bool:
    return all(
        np.array_equal(getattr(one, f), getattr(other, f)) for f in ("time_ns", "cell", "counts", "flags")
    ) and one.board == other.board  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, int(_DURATION_S * 1e9)), max_size=30))
def test_samples_are_the_same_however_reading_is_split(times_ns):
    whole, _ = run(_PHYSICS, _BUSY, _DURATION_S, seed=4)
    driver = _driver()
    driver.start()
    parts = [driver.read(at) for at in [*sorted(times_ns), int(_DURATION_S * 1e9)]]
    assert _same(SampleBlock.join(parts), whole)


def test_batch_is_the_same_whatever_the_block():
    def blocks(block_s):
        stage = Stage(world(4), _BUSY, 4)
        return SampleBlock.join([b for t in simulate({"b": _PHYSICS}, stage, 4, _DURATION_S, block_s) for b in t])

    assert _same(blocks(0.13), blocks(10.0))


def test_live_is_the_batch_counted_from_the_start():
    whole, _ = run(_PHYSICS, _BUSY, _DURATION_S, seed=4)
    driver = _driver(origin_ns=123_456_789_000)
    driver.start()
    live = driver.read(123_456_789_000 + int(_DURATION_S * 1e9))
    assert _same(dataclasses.replace(live, time_ns=live.time_ns - 123_456_789_000), whole)


def test_the_same_seed_gives_the_same_samples_and_another_one_others():
    one, two, other = (run(_PHYSICS, _BUSY, 3.0, seed)[0] for seed in (4, 4, 5))
    assert _same(one, two)
    assert not _same(one, other)


def test_a_board_samples_the_same_alone_and_among_others():
    both = [("b", _PHYSICS), ("c", _PHYSICS)]

    def samples(physics):
        stage = Stage(world(4, ("b", "c")), _BUSY, 4)
        return SampleBlock.join([x for t in simulate(physics, stage, 4, 8.0) for x in t if x.board == "b"])

    assert _same(samples(dict(both)), samples(dict(both[:1])))


def test_times_never_decrease_and_types_are_the_contract_s():
    block, _ = run(_PHYSICS, _BUSY, _DURATION_S, seed=4)
    assert (np.diff(block.time_ns) >= 0).all()
    assert [getattr(block, f).dtype for f in ("time_ns", "cell", "counts", "flags")] == [
        np.int64, np.uint8, np.int32, np.uint16,
    ]  # fmt: skip
    assert set(block.cell) == {0, 1, 2, 3}


def test_it_keeps_the_contract_of_a_load_cell_driver():
    driver: LoadCellDriver = _driver()
    with pytest.raises(DriverError, match="start"):
        driver.read(1)
    driver.start()
    with pytest.raises(DriverError, match="once"):
        driver.start()
    assert len(driver.read(0)) == 0
    first = driver.read(1_000_000_000)
    assert len(first) > 250
    assert first.time_ns.max() < 1_000_000_000
    assert len(driver.read(1_000_000_000)) == 0
    driver.stop()
    driver.stop()
    assert len(driver.read(2_000_000_000)) == 0
