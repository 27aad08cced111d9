"""Faults made at the pins show as flags and notices, and what isn't flagged is weight (P7), whichever driver reads."""

from __future__ import annotations

import numpy as np
import pytest
from driver_benches import BENCHES, LEVEL_COUNTS, NOISE_COUNTS, ON_CHIPS, Bench

from drivers.hx711.chip_faults import OF_ONE_READ, ChipFault, PlannedFault
from drivers.samples import SampleFlag as F

_LEARN, _FAULT, _AFTER = 150, 60, 160  # nominal periods
EVIDENCE = {
    ChipFault.LATE_READ: F.OFF_RATE | F.LATE_READ,
    ChipFault.LONG_PULSE: F.RESET | F.CUT_SHORT,
    ChipFault.MISSED_PULSE: F.DESYNC | F.GAIN_SLIP,
    ChipFault.EXTRA_PULSE: F(0xFFFF),  # see MOST_UNFLAGGED
    ChipFault.RESET_MID_READ: F.RESET | F.CUT_SHORT,
    ChipFault.CLIP_HIGH: F.SATURATED,
    ChipFault.CLIP_LOW: F.SATURATED,
    ChipFault.STUCK: F.STUCK,
    ChipFault.ALL_ONES: F.NOT_READY,
    ChipFault.ALL_ZEROS: F.CORRUPT_CODE,
    ChipFault.SLOW_CLOCK: F.OFF_RATE,
    ChipFault.SWAPPED_LINES: F.GOOD,  # told by a notice
    ChipFault.BROWN_OUT: F.CORRUPT_CODE | F.RESET,
    ChipFault.DEAD: F.GOOD,  # told by a notice
}
MOST_UNFLAGGED = {ChipFault.EXTRA_PULSE: 5}  # its bits are whole and its edges on time: 60 ms, no weight
SILENT = (ChipFault.SWAPPED_LINES, ChipFault.DEAD)


@pytest.fixture
def bench_of(tmp_path):
    """Makes a bench of a kind; its driver is stopped at the end, whatever happens."""
    made = []

    def make(kind: str) -> Bench:
        made.append(BENCHES[kind](tmp_path))
        return made[-1]

    yield make
    for bench in made:
        bench.driver.stop()


@pytest.mark.parametrize("fault", ChipFault, ids=lambda each: each.value)
@pytest.mark.parametrize("kind", ON_CHIPS)
def test_each_fault_leaves_evidence_and_nothing_unflagged_is_off(kind, fault, bench_of):
    bench = bench_of(kind)
    period_ns = round(1e9 / bench.rate_hz)
    begin_ns = bench.now_ns() + _LEARN * period_ns
    end_ns = None if fault in OF_ONE_READ else begin_ns + _FAULT * period_ns
    bench.chips[0].inject(PlannedFault(fault, begin_ns, end_ns, bit=3, amount=1.3))
    bench.driver.start()
    got = bench.run((_LEARN + _FAULT + _AFTER) * period_ns / 1e9)
    notices = bench.driver.take_notices()
    bench.driver.stop()

    for cell in range(bench.cells):
        good = (got.cell == cell) & (got.flags == 0)
        off = np.abs(got.counts[good] - LEVEL_COUNTS[cell]) >= 8 * NOISE_COUNTS
        assert off.sum() <= MOST_UNFLAGGED.get(fault, 0), got.counts[good][off]
        late = good & (got.time_ns > begin_ns + (_FAULT + 60) * period_ns)
        assert late.sum() > 50, "good samples come again when the fault is over"
    other = got.cell == 1
    assert not got.flags[other & (got.time_ns > begin_ns)].any(), "the other cell isn't touched"
    if fault in bench.faults and fault not in SILENT:
        struck = (got.cell == 0) & (got.time_ns >= begin_ns - period_ns) & ((got.flags & EVIDENCE[fault]) != 0)
        assert struck.any(), {F(flags) for flags in got.flags.tolist()}
    if fault in SILENT:
        told = [notice for notice in notices if notice.cause == "ready timeout"]
        assert [notice.cell for notice in told] == [bench.names[0]]
        assert "check" in told[0].text


@pytest.mark.parametrize("kind", ON_CHIPS)
def test_a_chip_that_was_never_there_blocks_nothing_and_is_told(kind, bench_of):
    """Failure 19 of the load-cell facts: the host blocks when the sensor is absent."""
    bench = bench_of(kind)
    bench.chips[0].inject(PlannedFault(ChipFault.DEAD, 0))
    bench.driver.start()
    got = bench.run(5.0)
    assert not (got.cell == 0).any()
    if bench.cells > 1:
        delivered = int((got.cell == 1).sum())
        assert delivered > 5.0 * bench.rate_hz * 0.8, "its neighbour goes on"
    told = [notice for notice in bench.driver.take_notices() if notice.cause == "ready timeout"]
    assert [notice.cell for notice in told] == [bench.names[0]]


@pytest.mark.parametrize("kind", ["spi", "gpio"])
def test_the_blind_spot_of_the_25th_bit_is_seen_at_every_bit(kind, bench_of):
    """Reset in mid-read: trailing ones, so the bit after the last is high as it should be."""
    bench = bench_of(kind)
    start_ns = bench.now_ns() + 2_000_000_000
    for k in range(25):
        at_ns = start_ns + k * 700_000_000
        bench.chips[0].inject(PlannedFault(ChipFault.RESET_MID_READ, at_ns, bit=k))
    bench.driver.start()
    got = bench.run(2.0 + 25 * 0.7)
    good = (got.cell == 0) & (got.flags == 0)
    assert np.abs(got.counts[good] - LEVEL_COUNTS[0]).max() < 8 * NOISE_COUNTS
    assert int(((got.flags & F.RESET) != 0).sum()) == 25
