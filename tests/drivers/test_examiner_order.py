"""What is taken from an examiner is in order, final, and never waits for a chip that has fallen silent."""

from __future__ import annotations

import random

import numpy as np
from examiner_streams import REAL_PERIOD_NS, chip, cut_short, examined
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hx711.codes import RAW
from drivers.hx711.examiner import ON_THE_WAY_NS, Examiner
from drivers.hx711.forensics import BlockForensics
from drivers.hx711.readings import Reading
from drivers.samples import SampleBlock, SampleFlag

MS = 1_000_000


def board(count: int, cells: int = 8, seed: int = 1) -> list[Reading]:
    """Chips at rates and phases of their own, in order of time."""
    readings = [
        reading
        for cell in range(cells)
        for reading in chip(
            count, cell, period_ns=REAL_PERIOD_NS * (0.9 + 0.03 * cell), begin_ns=10**9 + cell * MS, seed=seed
        )
    ]
    return sorted(readings, key=lambda reading: (reading.edge_ns, reading.cell))


def while_all_run(readings: list[Reading]) -> list[Reading]:
    """Up to the end of the chip that ends first."""
    last_ns = {reading.cell: reading.edge_ns for reading in readings}
    return [reading for reading in readings if reading.edge_ns <= min(last_ns.values())]


def test_eight_chips_come_out_in_order_of_time_and_nothing_is_lost() -> None:
    readings = board(300)
    expected = [(reading.edge_ns, reading.cell, reading.counts) for reading in readings]
    found, examiner = examined(readings, cells=8)
    assert [(reading.edge_ns, reading.cell, reading.counts) for reading in found] == expected
    assert {reading.flags for reading in found} == {0}
    assert examiner.counts == [{}] * 8


def test_cells_may_be_pushed_in_any_interleaving() -> None:
    """As threads and link frames bring them: each cell in order, the cells mixed within the time of a frame."""
    readings = while_all_run(board(200))
    rng = random.Random(1)
    examiner = Examiner(8, 80.0)
    taken = []
    arriving = sorted(readings, key=lambda reading: reading.edge_ns + (reading.cell * 7 % 5) * 5 * MS)
    while arriving:
        for _ in range(rng.randint(1, 40)):
            if arriving:
                examiner.push(arriving.pop(0))
        now_ns = arriving[0].edge_ns + 20 * MS if arriving else readings[-1].edge_ns + 30 * MS
        taken += examiner.take(now_ns)
    taken += examiner.flush()
    times = [(reading.edge_ns, reading.cell) for reading in taken]
    assert times == sorted(times)
    assert len(times) == len(readings)
    assert {reading.flags for reading in taken} == {0}


def test_a_reading_is_delayed_by_one_period_at_most() -> None:
    readings = while_all_run(board(300))
    examiner = Examiner(8, 80.0)
    slowest_ns = REAL_PERIOD_NS * 1.12
    for reading in readings:
        examiner.push(reading)
        now_ns = reading.edge_ns
        for taken in examiner.take(now_ns):
            assert now_ns - taken.edge_ns < 2 * slowest_ns  # one until it is judged, one until all others have spoken


def test_a_chip_that_never_speaks_or_falls_silent_doesnt_stall_the_others() -> None:
    """It holds them up once, for as long as a reading may be on its way."""
    readings = while_all_run(board(600, cells=3))
    dies_ns = readings[600].edge_ns
    alive = [reading for reading in readings if reading.cell != 1 or reading.edge_ns < dies_ns]
    examiner = Examiner(4, 80.0)  # and cell 3 isn't there at all
    waits = []
    for reading in alive:
        examiner.push(reading)
        waits += [(reading.edge_ns, reading.edge_ns - taken.edge_ns) for taken in examiner.take(reading.edge_ns)]
    once_ns = ON_THE_WAY_NS + 3 * REAL_PERIOD_NS
    assert max(wait_ns for _, wait_ns in waits) < once_ns
    later = [wait_ns for at_ns, wait_ns in waits if at_ns > dies_ns + 2 * once_ns]
    assert len(later) > 400
    assert max(later) < 2.2 * REAL_PERIOD_NS


def test_what_waits_is_decided_when_its_chip_falls_silent() -> None:
    """A reset that the chip doesn't come back from: the last reading is spoilt all the same."""
    readings = chip(100)
    cut_short(readings, 99, 6)
    examiner = Examiner(1, 80.0)
    for reading in readings:
        examiner.push(reading)
    last_ns = readings[-1].edge_ns
    assert len(examiner.take(last_ns + 5 * MS)) == 99
    assert examiner.take(last_ns + 30 * MS) == []
    (spoilt,) = examiner.take(last_ns + ON_THE_WAY_NS + 40 * MS)
    assert spoilt.flags & SampleFlag.CUT_SHORT


def test_a_reading_that_comes_too_late_keeps_the_order_and_is_no_weight() -> None:
    readings = board(100, cells=2)
    late = readings.pop(60)
    examiner = Examiner(2, 80.0)
    for reading in readings:
        examiner.push(reading)
    taken = examiner.take(readings[-1].edge_ns + 2_000 * MS)
    examiner.push(late)
    again = examiner.take(readings[-1].edge_ns + 2_001 * MS)
    assert len(taken) + len(again) == 200
    assert late.flags & SampleFlag.OFF_RATE
    assert late.edge_ns >= taken[-1].edge_ns
    assert examiner.counts[late.cell]["out of order"] == 1


def _spoilt_board(seed: int) -> list[Reading]:
    """Everything that may happen to chips, at random."""
    rng = random.Random(seed)
    readings = []
    for cell in range(3):
        stream = chip(
            260, cell, level=rng.choice([0.0, 83_000.0, -2e6]), noise=rng.choice([20.0, 60.0]),
            period_ns=REAL_PERIOD_NS * rng.uniform(0.95, 1.1), begin_ns=10**9 + rng.randrange(12 * MS), seed=seed,
        )  # fmt: skip
        for _ in range(rng.randrange(6)):
            at = rng.randrange(1, 255)
            what = rng.randrange(6)
            if what == 0:
                cut_short(stream, at, rng.randrange(25))
            elif what == 1:
                stream[at].counts = rng.choice([0, -1, 2**20 - 1, 0x7FFFFF])
            elif what == 2:
                del stream[at : at + rng.randrange(1, 4)]
            elif what == 3:
                for reading in stream[at : at + 40]:
                    reading.counts += 300_000
            elif what == 4:
                for reading in stream[at:]:
                    reading.counts = stream[at].counts
            else:
                stream[at].edge_ns += rng.randrange(8 * MS)
        readings += stream
    return sorted(readings, key=lambda reading: (reading.edge_ns, reading.cell))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_live_and_recorded_say_the_same_however_they_are_cut(seed: int, cuts: list[int]) -> None:
    """Readings one at a time, a recording at once, one in pieces with time passing in between: the same flags."""
    readings = _spoilt_board(seed)
    columns = np.array([(r.edge_ns, r.cell, r.counts, r.flags) for r in readings], np.int64).T
    whole = SampleBlock(
        "top", columns[0], columns[1].astype(np.uint8), columns[2].astype(np.int32), columns[3].astype(np.uint16)
    )
    at_once = BlockForensics("top", [RAW] * 3, [80.0] * 3, 5.0)
    expected = SampleBlock.join([at_once.push(whole), at_once.finish()])
    in_pieces = BlockForensics("top", [RAW] * 3, [80.0] * 3, 5.0)
    parts, begin, number = [], 0, 0
    while begin < len(whole):
        end = min(len(whole), begin + cuts[number % len(cuts)])
        parts.append(in_pieces.push(whole.part(begin, end)))
        parts.append(in_pieces.pass_time(int(whole.time_ns[end - 1])))
        begin, number = end, number + 1
    joined = SampleBlock.join([*parts, in_pieces.finish()])
    live, examiner = examined(readings, cells=3)
    assert joined.flags.tolist() == expected.flags.tolist()
    assert joined.time_ns.tolist() == expected.time_ns.tolist()
    assert [reading.flags for reading in live] == expected.flags.tolist()
    assert [examiner.counts[cell]["lost conversion"] for cell in range(3)] == at_once.lost.tolist()
