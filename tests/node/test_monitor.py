"""What `monitor` says of boards, on simulated ones: levels, changes with their places, rates, noise, faults, a tare."""

from __future__ import annotations

import json

import numpy as np
import pytest
from monitor_rig import BOARD, Bench

from drivers.contract import LoadCellDriver
from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock, SampleFlag
from drivers.simulated.scene import ForeignPut, ForeignTake
from edge.node.monitor_changes import ChangeFinder
from edge.node.monitor_data import Sign

CODE_MAX = (1 << 23) - 1


class Altered:
    """A driver whose blocks are changed on their way."""

    def __init__(self, driver: LoadCellDriver, alter, started=lambda: None) -> None:
        self.board = driver.board
        self._driver = driver
        self._alter = alter
        self._started = started

    def start(self) -> None:
        self._started()
        self._driver.start()

    def read(self, until_ns: int) -> SampleBlock:
        return self._alter(self._driver.read(until_ns))

    def take_notices(self) -> list[Notice]:
        return self._driver.take_notices()

    def stop(self) -> None:
        pass


def _only_some(block: SampleBlock, keep: np.ndarray) -> SampleBlock:
    return SampleBlock(block.board, block.time_ns[keep], block.cell[keep], block.counts[keep], block.flags[keep])


def test_a_weight_put_down_and_taken_away_is_a_change_with_its_place_and_its_sign() -> None:
    bench = Bench([ForeignPut(8.0, BOARD, 352.0, 420.0, 180.0), ForeignTake(16.0, BOARD)])
    board = bench.run(24.0)
    taken, put = board.changes[:2]
    assert put.grams == pytest.approx(352.0, abs=2.0)
    assert taken.grams == pytest.approx(-352.0, abs=2.0)
    for change in (taken, put):
        assert change.x_mm == pytest.approx(420.0, abs=10.0)
        assert change.y_mm == pytest.approx(180.0, abs=10.0)
        assert change.settled
    assert len(board.changes) == 2
    assert {None, False, True} >= set(bench.states())
    assert True in bench.states()
    assert board.moving is False


def test_what_weighs_on_the_board_has_its_centre_and_cells_add_up() -> None:
    board = Bench([]).run(4.0)
    total = sum(cell.level_g for cell in board.cells)
    assert board.level_g == pytest.approx(total, abs=0.1)
    assert board.x_mm == pytest.approx(sum(cell.level_g * cell.x_mm for cell in board.cells) / total, abs=1.0)
    assert board.y_mm == pytest.approx(sum(cell.level_g * cell.y_mm for cell in board.cells) / total, abs=1.0)


def test_rate_and_noise_stand_beside_what_they_should_be() -> None:
    cells = Bench([]).run(8.0).cells
    for cell in cells:
        assert cell.nominal_hz == 80.0
        assert cell.rate_hz == pytest.approx(84.0, rel=0.2)
        assert cell.datasheet_nv == pytest.approx(92.0, abs=4.0)
        assert cell.noise_nv == pytest.approx(1.7 * cell.datasheet_nv, rel=0.6)  # as the simulation draws boards
        assert cell.noise_g / cell.datasheet_g == pytest.approx(cell.noise_nv / cell.datasheet_nv, rel=0.02)
        assert cell.sign is Sign.OK


def test_without_a_calibration_there_are_counts_and_mv_per_v_and_no_place() -> None:
    bench = Bench([ForeignPut(8.0, BOARD, 500.0, 420.0, 180.0)], calibrated=False)
    board = bench.run(13.0)
    assert not board.calibrated
    assert board.level_g is None
    assert board.level_counts is not None
    assert all(cell.level_g is None and cell.noise_g is None for cell in board.cells)
    assert all(abs(cell.level_mv_per_v) < 4.0 for cell in board.cells)
    assert board.changes[0].grams is None
    assert abs(board.changes[0].counts) > 10_000
    assert board.changes[0].x_mm is None


def test_a_tare_is_taken_off_what_is_shown_and_off_nothing_else() -> None:
    bench = Bench([ForeignPut(8.0, BOARD, 352.0, 420.0, 180.0)])
    full = bench.run(5.0)
    assert bench.monitor.tare(BOARD)
    tared = bench.run(0.2)
    assert tared.level_g == pytest.approx(0.0, abs=1.0)
    assert tared.tare_g == pytest.approx(full.level_g, abs=1.0)
    assert tared.cells[0].level_mv_per_v == pytest.approx(full.cells[0].level_mv_per_v, abs=0.001)
    loaded = bench.run(7.0)
    assert loaded.level_g == pytest.approx(352.0, abs=2.0)
    assert (loaded.x_mm, loaded.y_mm) == (pytest.approx(420.0, abs=10.0), pytest.approx(180.0, abs=10.0))
    assert not bench.monitor.tare(BOARD)
    assert bench.run(0.2).level_g == pytest.approx(full.level_g + 352.0, abs=2.0)


def test_a_tare_that_is_asked_for_while_something_moves_is_taken_at_rest() -> None:
    bench = Bench([ForeignPut(8.0, BOARD, 352.0, 420.0, 180.0)])
    while not (board := bench.run(0.2)).moving:
        assert bench.clock.ns < 10**12 + 20 * 10**9
    assert not bench.monitor.tare(BOARD)
    board = bench.run(0.2)
    assert board.tare_waits
    assert board.tare_g is None
    board = bench.run(5.0)
    assert not board.tare_waits
    assert board.level_g == pytest.approx(0.0, abs=1.0)


def test_a_cell_that_falls_silent_takes_the_boards_weight_with_it_and_is_named() -> None:
    """P7: the weight without it would be wrong."""
    silent = {"from": 10**18}
    bench = Bench(wrap=lambda driver: Altered(driver, lambda block: (
        _only_some(block, (block.cell != 2) | (block.time_ns < silent["from"])))))  # fmt: skip
    assert bench.run(5.0).level_g is not None
    silent["from"] = bench.clock.ns
    board = bench.run(4.0)
    assert board.level_g is None
    assert [cell.sign for cell in board.cells] == [Sign.OK, Sign.OK, Sign.NO_SAMPLES, Sign.OK]
    assert board.cells[2].level_g is None
    assert board.cells[0].level_g is not None
    assert [cell.cell for cell in board.attention] == ["bl"]


@pytest.mark.parametrize(
    ("counts", "flag", "sign"),
    [(CODE_MAX, 0, Sign.CLIPPED), (None, SampleFlag.DESYNC, Sign.BAD_SAMPLES), (4711, 0, Sign.STUCK)],
)
def test_end_stops_bad_samples_and_a_stuck_code_are_named(counts: int | None, flag: int, sign: Sign) -> None:
    def alter(block: SampleBlock) -> SampleBlock:
        mine = block.cell == 1
        codes = block.counts if counts is None else np.where(mine, counts, block.counts).astype(np.int32)
        flags = np.where(mine, flag, block.flags).astype(np.uint16)
        return SampleBlock(block.board, block.time_ns, block.cell, codes, flags)

    board = Bench(wrap=lambda driver: Altered(driver, alter)).run(5.0)
    assert [cell.sign for cell in board.cells] == [Sign.OK, sign, Sign.OK, Sign.OK]
    assert (board.level_g is None) == (sign is not Sign.STUCK)


def test_a_board_that_is_unplugged_says_why_and_is_seen_again_when_it_comes_back() -> None:
    gone = {"is": False}

    def alter(block: SampleBlock) -> SampleBlock:
        if gone["is"]:
            raise DriverError("shelf-1: /dev/ttyACM0 has gone; plug the MCU in again")
        return block

    def start() -> None:
        if gone["is"]:
            raise DriverError("shelf-1: no port; plug the MCU in")

    made: list[Altered] = []

    def wrap(driver: LoadCellDriver) -> LoadCellDriver:
        if not made:
            made.append(Altered(driver, alter, start))
        made[0]._started = start
        return made[0]

    bench = Bench(wrap=wrap)
    assert bench.run(4.0).state == "running"
    gone["is"] = True
    board = bench.run(4.0)
    assert board.state in ("failed", "starting")
    assert board.level_g is None
    assert "plug the MCU in" in " ".join(view.boards[0].text for view in bench.seen)


def test_the_view_is_json() -> None:
    bench = Bench([])
    bench.run(3.0)
    found = json.loads(json.dumps(bench.seen[-1].as_json()))
    assert found["source"] == "hardware"
    assert found["boards"][0]["cells"][0]["sign"] == "ok"
    assert found["boards"][0]["cells"][0]["noise_nv"] > 0


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_a_board_that_is_left_alone_rests(seed: int) -> None:
    bench = Bench([], seed=seed)
    bench.run(10.0)
    states = bench.states()
    assert states.count(True) <= 0.1 * len(states)
    assert states[-1] is False
    assert bench.seen[-1].boards[0].changes == ()


def _levels(finder: ChangeFinder, levels: np.ndarray, sd: float = 0.3, every_ns: int = 200_000_000) -> None:
    for number, level in enumerate(levels):
        finder.push(number * every_ns, level, np.full(level.size, sd), 80.0)


def _noisy(levels: np.ndarray, sd: float, seed: int = 5) -> np.ndarray:
    return levels + np.random.default_rng(seed).normal(0.0, sd / np.sqrt(20.0), levels.shape)


def test_a_small_item_is_seen_though_no_cell_moves_by_much() -> None:
    finder = ChangeFinder(2.0)
    levels = np.full((60, 4), 1000.0)
    levels[30:] -= 1.0
    _levels(finder, _noisy(levels, 0.3))
    assert [round(float(step.delta.sum())) for step in finder.steps] == [-4]


def test_drift_is_no_change_however_far_it_goes() -> None:
    finder = ChangeFinder(2.0)
    minutes = np.arange(3000)[:, None] / 300.0
    _levels(finder, _noisy(1000.0 + 5.0 * minutes * np.ones((1, 4)), 0.3))
    assert list(finder.steps) == []
    assert finder.moving is False


def test_a_shelf_that_hums_all_the_time_rests_too() -> None:
    finder = ChangeFinder(2.0)
    rng = np.random.default_rng(11)
    levels = 1000.0 + rng.normal(0.0, 1.5, (600, 4))  # sample noise says 0.07
    levels[400:] += 100.0
    _levels(finder, levels)
    assert finder.moving is False
    assert float(finder.steps[0].delta.sum()) == pytest.approx(400.0, abs=8.0)


def test_a_lean_that_leaves_nothing_behind_is_no_change() -> None:
    finder = ChangeFinder(2.0)
    levels = np.full((100, 4), 1000.0)
    levels[50:60] += 700.0 + np.random.default_rng(2).uniform(-30.0, 30.0, (10, 1))  # nobody leans that still
    levels[60:] += 1.0  # friction: 4 g of 2.8 kg
    _levels(finder, _noisy(levels, 0.3))
    assert list(finder.steps) == []


def test_nothing_is_compared_across_a_time_without_samples() -> None:
    finder = ChangeFinder(2.0)
    levels = np.full((60, 4), 1000.0)
    levels[25:30] = np.nan
    levels[30:] += 50.0
    _levels(finder, _noisy(levels, 0.3))
    assert list(finder.steps) == []
    assert finder.moving is False
