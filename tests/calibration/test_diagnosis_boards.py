"""What the cells of a board say together: a dead corner, a turned cell, a wrong gain, a brown-out, swapped boards."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from calibration.diagnosis.diagnose import diagnose_boards
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.link import link_verdict, told_of
from calibration.diagnosis.samples import BoardSamples, Cell, Slot
from calibration.diagnosis.verdicts import PartVerdict, Verdict
from calibration.record import BoardCalibration, CellCalibration
from drivers.notices import Notice
from drivers.samples import SampleBlock

RATES_HZ = (82.02, 85.1, 88.3, 91.7)
GAIN, ZERO = 200.0, 50_000.0
CORNERS = {"fl": (30.0, 30.0), "fr": (770.0, 30.0), "bl": (30.0, 370.0), "br": (770.0, 370.0)}
WEIGHTS_G = (420.0, 260.0, 730.0, 180.0)
MOVES = ((0, -1), (2, -1), (3, -1), (0, 1), (1, -1), (2, 1), (3, 1), (1, 1))  # slot, and whether it is put or picked
TAPS = (0.830455654, 0.553900419, 0.0594767517, 0.000498409858)


def shares(x: float, y: float) -> np.ndarray:
    """Of a load at that place: half as a stiff plate on equal springs would, half as a soft one (bilinear)."""
    u, v = (x - 400.0) / 370.0, (y - 200.0) / 170.0
    sides = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], np.float64)
    stiff = (1 + sides[:, 0] * u + sides[:, 1] * v) / 4
    soft = (1 + sides[:, 0] * u) * (1 + sides[:, 1] * v) / 4
    return 0.5 * stiff + 0.5 * soft


def board(factors: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0), moves: bool = True, stock: int = 4) -> BoardSamples:
    """A bay of four slots, units taken and put back every 2.5 s; ``factors``: of what each cell gives for grams."""
    slots = tuple(
        Slot(f"s{k}", (200.0 * k, 200.0 * (k + 1)), (0.0, 400.0), weight, 1.0, stock)
        for k, weight in enumerate(WEIGHTS_G)
    )
    places = [shares(200.0 * k + 100.0, 250.0 if k % 2 else 130.0) for k in range(4)]
    lying = sum(stock * weight * place for weight, place in zip(WEIGHTS_G, places, strict=True))
    seconds = 2.5 * (len(MOVES) + 1) if moves else 20.0
    times, indexes, counts = [], [], []
    rng = np.random.default_rng(7)
    for k, rate in enumerate(RATES_HZ):
        time_s = np.arange(int(seconds * rate)) / rate + 0.001 * k
        grams = np.full(time_s.size, lying[k])
        for n, (slot, sign) in enumerate(MOVES if moves else ()):
            ramp = np.clip((time_s - 2.5 * (n + 1)) / 0.3, 0.0, 1.0)
            grams += sign * WEIGHTS_G[slot] * places[slot][k] * ramp
        noise = 50.0 * np.convolve(rng.standard_normal(time_s.size + 3), TAPS, mode="valid")
        times.append(np.rint(time_s * 1e9).astype(np.int64))
        indexes.append(np.full(time_s.size, k, np.uint8))
        counts.append(np.rint(ZERO + factors[k] * GAIN * grams + noise).astype(np.int32))
    time_ns, cell, code = np.concatenate(times), np.concatenate(indexes), np.concatenate(counts)
    order = np.lexsort((cell, time_ns))
    block = SampleBlock("b", time_ns[order], cell[order], code[order], np.zeros(order.size, np.uint16))
    record = BoardCalibration(
        board="b", cells={name: CellCalibration(zero_counts=ZERO, counts_per_gram=GAIN) for name in CORNERS}
    )
    cells = tuple(Cell(name, *place) for name, place in CORNERS.items())
    return BoardSamples("b", 800.0, 400.0, 80.0, cells, block, seconds, record, slots)


def whole(there: BoardSamples) -> PartVerdict:
    return diagnose_boards([there])[0][0]


def test_a_sound_board_that_people_use_passes() -> None:
    parts, _ = diagnose_boards([board()])
    assert all(part.verdict is Verdict.PASS for part in parts), parts
    assert parts[0].figures["load_changes"] == len(MOVES)
    assert not parts[0].unseen


@pytest.mark.parametrize("cell", range(4))
def test_a_dead_corner_is_named_once_something_moves_and_said_unseen_before(cell: int) -> None:
    factors = tuple(0.0 if k == cell else 1.0 for k in range(4))
    found = whole(board(factors))
    assert [each.fault for each in found.faults] == [Fault.CELL_DEAD]
    assert list(CORNERS)[cell] in found.findings[0].evidence
    idle = whole(board(factors, moves=False))
    assert Fault.CELL_DEAD not in [each.fault for each in idle.faults]
    assert any("needs load changes" in text for text in idle.unseen)


@pytest.mark.parametrize("cell", range(4))
def test_a_cell_turned_over_is_named(cell: int) -> None:
    found = whole(board(tuple(-1.0 if k == cell else 1.0 for k in range(4))))
    assert found.findings[0].fault is Fault.REVERSED
    assert found.verdict is Verdict.FAIL


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.25])
def test_another_gain_of_all_cells_is_named_with_its_factor(factor: float) -> None:
    found = whole(board((factor,) * 4))
    assert found.findings[0].fault is Fault.WRONG_GAIN
    assert found.findings[0].numbers["factor"] == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_calibration_that_is_off_is_named_with_how_much(factor: float) -> None:
    found = whole(board((factor,) * 4))
    assert found.findings[0].fault is Fault.WRONG_CALIBRATION
    assert found.findings[0].numbers["share_percent"] == pytest.approx(100 * factor, rel=0.02)


def test_all_chips_restarting_together_are_the_boards_supply() -> None:
    there = board(moves=False)
    block = there.block
    kept, time_ns = np.ones(len(block), np.bool_), block.time_ns.copy()
    for k, rate in enumerate(RATES_HZ):
        mine = np.flatnonzero((block.cell == k) & (block.time_ns > 9e9))
        kept[mine[:3]] = False
        time_ns[mine[3:]] += round(0.45e9 / rate)  # 4.45 periods from edge to edge
    order = np.argsort(time_ns[kept], kind="stable")
    parts = [array[kept][order] for array in (time_ns, block.cell, block.counts, block.flags)]
    found = whole(dataclasses.replace(there, block=SampleBlock("b", *parts)))
    assert [each.fault for each in found.faults] == [Fault.BROWN_OUT]


def test_two_boards_that_carry_each_others_stock_are_named_swapped() -> None:
    little, much = board(moves=False, stock=2), board(moves=False, stock=5)
    a = dataclasses.replace(little, block=dataclasses.replace(much.block, board="b"))
    other = dataclasses.replace(little.block, board="c")
    b = dataclasses.replace(much, board="c", block=other)
    parts, _ = diagnose_boards([a, b])
    named = [part.name for part in parts if any(each.fault is Fault.SWAPPED_BOARDS for each in part.faults)]
    assert named == ["b", "c"]
    sound, _ = diagnose_boards(
        [little, dataclasses.replace(much, board="c", block=dataclasses.replace(much.block, board="c"))]
    )
    assert all(each.fault is not Fault.SWAPPED_BOARDS for part in sound for each in part.findings)


def test_a_load_that_statics_forbids_is_told_even_of_an_idle_board() -> None:
    there = board(moves=False)
    assert there.record is not None
    cells = dict(there.record.cells)
    cells["fl"] = cells["fl"].model_copy(update={"zero_counts": ZERO + 4_000.0 * GAIN})
    off = dataclasses.replace(there, record=there.record.model_copy(update={"cells": cells}))
    assert whole(off).findings[0].fault is Fault.WRONG_CALIBRATION


def test_an_old_calibration_is_a_remark_and_a_missing_one_a_warning() -> None:
    there = board(moves=False)
    assert there.record is not None
    old = dataclasses.replace(there, record=there.record.model_copy(update={"made": "2020-01-01T10:00:00+00:00"}))
    parts, _ = diagnose_boards([old], datetime(2026, 1, 1, tzinfo=UTC))
    assert (parts[0].verdict, parts[0].remarks[0].fault) == (Verdict.PASS, Fault.OLD_CALIBRATION)
    assert whole(dataclasses.replace(there, record=None)).findings[0].fault is Fault.NOT_CALIBRATED


def test_a_link_that_loses_frames_and_another_firmware_are_named() -> None:
    notices = [Notice("b", None, "link damage", 0, 0, 300, "")] * 3
    found = link_verdict("b", told_of(notices), 10_000, {"image_crc32": "00000001", "firmware": "0.9"}, "00000002")
    assert [(each.fault, each.verdict) for each in found.findings] == [
        (Fault.LINK_DAMAGE, Verdict.FAIL),
        (Fault.MCU_FIRMWARE, Verdict.WARN),
    ]
    assert link_verdict("b", [], 10_000, None, "00000002").verdict is Verdict.PASS
