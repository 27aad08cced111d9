"""What every load-cell driver does, whatever it reads: one class, run on each kind."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from driver_benches import BENCHES, ON_CHIPS, Bench, driver_threads

from drivers.contract import LoadCellDriver
from drivers.errors import DriverError
from drivers.samples import SampleBlock, SampleFlag


@pytest.fixture(params=BENCHES)
def bench(request, tmp_path):
    made = BENCHES[request.param](tmp_path)
    yield made
    made.end()


def _accounted(bench: Bench, got: SampleBlock) -> None:
    """Each conversion between a cell's first and last sample was delivered, or a notice counts it."""
    notices = bench.driver.take_notices()
    assert {notice.cell for notice in notices} <= {None, *bench.names}
    for cell, chip in enumerate(bench.chips):
        mine = got.time_ns[got.cell == cell]
        edges = [each.edge_ns for each in chip.conversions]
        made = bisect.bisect_right(edges, mine[-1] + bench.late_ns) - bisect.bisect_left(edges, mine[0] - bench.late_ns)
        lost = sum(notice.samples_lost for notice in notices if notice.cell == bench.names[cell])
        assert len(mine) + lost == made, [notice.text for notice in notices]


class TestEveryDriver:
    def test_reading_before_start_is_an_error_that_says_so(self, bench):
        with pytest.raises(DriverError, match=r"^b: start the \w+ (driver|board) before"):
            bench.driver.read(bench.now_ns())

    def test_a_second_start_is_an_error(self, bench):
        bench.driver.start()
        with pytest.raises(DriverError, match="once"):
            bench.driver.start()

    def test_it_delivers_samples_of_each_cell_with_the_contract_s_types(self, bench):
        driver: LoadCellDriver = bench.driver
        driver.start()
        got = bench.run(5.0)
        assert set(got.cell) == set(range(bench.cells))
        assert got.board == "b"
        assert [getattr(got, name).dtype for name in ("time_ns", "cell", "counts", "flags")] == [
            np.int64, np.uint8, np.int32, np.uint16,
        ]  # fmt: skip

    def test_times_never_go_back_within_a_board(self, bench):
        bench.driver.start()
        got = bench.run(5.0)
        assert len(got) > 50
        assert (np.diff(got.time_ns) >= 0).all()
        for cell in range(bench.cells):
            assert (np.diff(got.time_ns[got.cell == cell]) > 0).all()

    def test_a_read_gives_only_what_was_converted_before_its_time(self, bench):
        bench.driver.start()
        bench.run_until(bench.now_ns() + 4_000_000_000)
        cut_ns = bench.now_ns() - 2_000_000_000
        early = bench.driver.read(cut_ns)
        late = bench.driver.read(bench.now_ns())
        assert len(early) > 10
        assert len(late) > 5
        assert early.time_ns.max() < cut_ns <= late.time_ns.min()

    def test_nothing_is_delivered_twice_or_left_out_however_reading_is_split(self, bench, tmp_path, request):
        other = BENCHES[request.node.callspec.params["bench"]](tmp_path / "other")
        bench.driver.start()
        other.driver.start()
        parts = []
        for step_ms in (3, 500, 1, 40, 1456, 700, 300):
            bench.run_until(bench.now_ns() + step_ms * 1_000_000)
            parts.append(bench.driver.read(bench.now_ns()))
        other.run_until(other.now_ns() + 3_000_000_000)
        whole, split = other.driver.read(other.now_ns()), SampleBlock.join(parts)
        other.end()
        assert len(whole) > 20
        for cell in range(bench.cells):
            one, two = whole.cell == cell, split.cell == cell
            assert np.array_equal(whole.counts[one], split.counts[two])
            assert np.array_equal(whole.flags[one], split.flags[two])
            assert np.abs(whole.time_ns[one] - split.time_ns[two]).max() <= bench.talks_ns

    def test_it_is_silent_after_stop_and_stopping_twice_does_no_harm(self, bench):
        bench.driver.start()
        bench.run(1.0)
        bench.driver.stop()
        bench.driver.stop()
        moved = bench.moved()
        assert driver_threads() == []
        bench.run_until(bench.now_ns() + 2_000_000_000)
        assert len(bench.driver.read(bench.now_ns())) == 0
        assert bench.moved() == moved

    def test_one_that_was_never_started_can_be_stopped(self, bench):
        bench.driver.stop()
        assert len(bench.driver.read(bench.now_ns())) == 0
        assert driver_threads() == []

    def test_a_healthy_board_gives_no_notices_and_no_bad_sample_once_settled(self, bench):
        bench.driver.start()
        bench.run(2.0)
        bench.driver.take_notices()
        got = bench.run(8.0)
        assert [notice.text for notice in bench.driver.take_notices()] == []
        assert not got.flags.any(), [SampleFlag(flags) for flags in set(got.flags.tolist())]


class TestEveryDriverOfChips:
    @pytest.fixture(params=ON_CHIPS)
    def bench(self, request, tmp_path):
        made = BENCHES[request.param](tmp_path)
        yield made
        made.end()

    def test_every_conversion_is_delivered_at_its_time_with_its_code(self, bench):
        bench.driver.start()
        got = bench.run(8.0)
        for cell, chip in enumerate(bench.chips):
            mine = got.cell == cell
            truth = list(chip.conversions)[: int(mine.sum())]
            off_ns = got.time_ns[mine] - np.array([each.edge_ns for each in truth])
            assert np.abs(off_ns).max() <= bench.late_ns
            assert got.counts[mine].tolist() == [each.counts for each in truth]
            assert [bool(f & SampleFlag.SETTLING) for f in got.flags[mine][:4]] == [True] * 4
        _accounted(bench, got)

    def test_what_a_held_up_computer_misses_is_counted_and_explained(self, bench):
        """P3: if a sample is lost it is counted and explained."""
        bench.driver.start()
        parts = [bench.run(4.0)]
        periods_ns = bench.chips[0].period_ns
        for share in (0.4, 1.3, 2.6, 5.2, 9.7):
            bench.hold_up(round(share * periods_ns))
            parts.append(bench.run(3.0))
        parts.append(bench.run(8.0))
        bench.driver.stop()
        got = SampleBlock.join(parts)
        notices = bench.driver.take_notices()
        told = sum(notice.samples_lost for notice in notices)
        assert told >= 1 + 2 + 5 + 9 - 4
        missing = 0
        for cell, chip in enumerate(bench.chips):
            mine = got.time_ns[got.cell == cell]
            edges = [each.edge_ns for each in chip.conversions]
            first = bisect.bisect_left(edges, mine[0] - bench.late_ns)
            missing += bisect.bisect_right(edges, mine[-1] + bench.late_ns) - first - len(mine)
        assert told == missing, [(notice.cause, notice.samples_lost) for notice in notices]
        assert {notice.cause for notice in notices if notice.samples_lost} <= {"slow reads", "lost conversion"}
