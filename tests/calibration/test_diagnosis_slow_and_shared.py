"""Faults that several cells, or several minutes, tell: creep, warming up, temperature, a shared clock, a stuck bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from calibration.diagnosis.diagnose import diagnose_boards
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import BoardSamples, Cell
from calibration.diagnosis.thermal import thermal_drift
from calibration.diagnosis.verdicts import PartKind, Verdict
from calibration.long_record import CellTemperature, TemperatureRecord
from calibration.record import BoardCalibration, CellCalibration
from drivers.samples import SampleBlock

RATES_HZ = (10.31, 10.87, 11.2)
Codes = Callable[[int, np.ndarray], np.ndarray]


def board(
    codes: Codes, seconds: float, rates_hz: tuple[float, ...] = RATES_HZ, level: float = 400_000.0
) -> BoardSamples:
    """Cells of 10 kg in a row, at 215 counts a gram; ``codes`` adds to each one's level by its times in s."""
    times, indexes, counts = [], [], []
    for k, rate in enumerate(rates_hz):
        time_s = (np.arange(int(seconds * rate)) + 0.1 * k) / rate
        noise = 35.0 * np.random.default_rng(k).standard_normal(time_s.size)
        times.append(np.rint(time_s * 1e9).astype(np.int64))
        indexes.append(np.full(time_s.size, k, np.uint8))
        counts.append(np.rint(level + noise + codes(k, time_s)).astype(np.int32))
    time_ns, cell, code = np.concatenate(times), np.concatenate(indexes), np.concatenate(counts)
    order = np.lexsort((cell, time_ns))
    block = SampleBlock("b", time_ns[order], cell[order], code[order], np.zeros(order.size, np.uint16))
    cells = tuple(Cell(f"c{k}", 100.0 * k, 50.0, 10_000.0) for k in range(len(rates_hz)))
    return BoardSamples("b", 400.0, 100.0, 10.0, cells, block, seconds)


def faults(there: BoardSamples) -> dict[str, list[Fault]]:
    """By part; not being calibrated isn't what these are about."""
    parts, _ = diagnose_boards([there])
    return {
        f"{part.kind} {part.name}": [each.fault for each in part.faults if each.fault is not Fault.NOT_CALIBRATED]
        for part in parts
    }


def crate(share: float) -> Codes:
    """3 kg from 10 to 45 s; cell 1 follows a share of it with 12 s."""

    def codes(k: int, t: np.ndarray) -> np.ndarray:
        load = np.where((t >= 10.0) & (t < 45.0), 215_000.0, 0.0)
        up, down = 1.0 - np.exp(-(t - 10.0).clip(0) / 12.0), 1.0 - np.exp(-(t - 45.0).clip(0) / 12.0)
        return load + (share * 215_000.0 * (up - down) if k == 1 else 0.0)

    return codes


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_cell_that_goes_on_after_a_load_change_and_back_after_it_creeps(share: float) -> None:
    found = faults(board(crate(share), 80.0))
    assert found["cell b c1"] == [Fault.CREEP]
    assert found["cell b c0"] == found["cell b c2"] == []


def test_a_sound_cell_under_a_crate_does_not_creep_and_an_idle_one_says_it_could_not_see() -> None:
    assert not any(faults(board(crate(0.0005), 80.0)).values())
    parts, _ = diagnose_boards([board(lambda k, t: np.zeros(t.size), 30.0)])
    assert all(any("creep" in text for text in part.unseen) for part in parts if part.kind is PartKind.CELL)


def test_all_cells_that_die_away_are_warming_up_and_their_own_drifts_are_remarks() -> None:
    found = faults(board(lambda k, t: (1.0, -0.5, 0.7)[k] * 20_000.0 * np.exp(-t / 400.0), 240.0))
    assert found["board b"] == [Fault.WARM_UP]
    assert all(not found[f"cell b c{k}"] for k in range(3))


def test_all_cells_that_go_on_drifting_are_in_a_draught() -> None:
    assert faults(board(lambda k, t: (50.0, 30.0, -40.0)[k] * t, 240.0))["board b"] == [Fault.TEMPERATURE]


def test_one_cell_that_drifts_alone_has_its_own_fault() -> None:
    found = faults(board(lambda k, t: 50.0 * t * (k == 1), 240.0))
    assert (found["board b"], found["cell b c1"]) == ([], [Fault.DRIFT])


def test_in_twenty_seconds_nobody_can_tell_warming_up_from_a_draught() -> None:
    found = faults(board(lambda k, t: 60.0 * t, 20.0))
    assert (found["board b"], found["cell b c1"]) == ([], [Fault.DRIFT])


def test_chips_read_at_the_same_moments_with_ones_between_share_a_clock() -> None:
    there = board(lambda k, t: np.zeros(t.size), 30.0, (10.4, 10.4))
    block = there.block
    time_ns = np.where(block.cell == 1, block.time_ns - round(0.1e9 / 10.4), block.time_ns)  # the first one's moments
    second = np.flatnonzero(block.cell == 1)
    counts = block.counts.copy()
    counts[second[::20]] = -1
    order = np.lexsort((block.cell, time_ns))
    shared = SampleBlock("b", time_ns[order], block.cell[order], counts[order], block.flags[order])
    assert faults(dataclasses.replace(there, block=shared))["board b"] == [Fault.SHARED_CLOCK]
    own = dataclasses.replace(block, counts=counts)
    assert faults(dataclasses.replace(there, block=own))["board b"] == []  # the same codes, each at its own moments


def test_codes_that_never_come_are_a_stuck_bit_and_a_load_that_passes_there_is_not() -> None:
    def rising(k: int, t: np.ndarray) -> np.ndarray:
        return 300.0 * np.sin(t) + 40.0 * np.sin(7.0 * t)

    sound = board(rising, 30.0, level=float(0x20000))
    assert not any(faults(sound).values())
    block = sound.block
    hit = (block.cell == 0) & (block.counts >= 0x20000)
    stuck = dataclasses.replace(block, counts=np.where(hit, block.counts + 0x10000, block.counts).astype(np.int32))
    assert faults(dataclasses.replace(sound, block=stuck))["cell b c0"][0] is Fault.DEAD_BAND


def test_conversions_taken_too_early_after_restarts_are_named() -> None:
    there = board(lambda k, t: np.zeros(t.size), 30.0)
    block = there.block
    mine = np.flatnonzero(block.cell == 0)
    kept, time_ns, counts = np.ones(len(block), np.bool_), block.time_ns.copy(), block.counts.copy()
    for first in (60, 130, 220):
        kept[mine[first : first + 3]] = False
        time_ns[mine[first + 3 :]] += round(0.45e9 / RATES_HZ[0])
        counts[mine[first + 3 : first + 7]] += np.array([900, 400, 180, 80], np.int32)
    order = np.argsort(time_ns[kept], kind="stable")
    cut = SampleBlock("b", *(array[kept][order] for array in (time_ns, block.cell, counts, block.flags)))
    parts, _ = diagnose_boards([dataclasses.replace(there, block=cut)])
    found = {each.fault: each for each in parts[1].findings}
    assert found[Fault.NOT_SETTLED].verdict is Verdict.WARN
    assert found[Fault.NOT_SETTLED].numbers["off_counts"] == pytest.approx(900.0, abs=80.0)


def temperature_run(counts_per_degree: float, sd: float = 10.0) -> BoardCalibration:
    """A record of three cells whose zeros go so with temperature."""
    cells = {f"c{k}": CellCalibration(zero_counts=400_000.0, counts_per_gram=215.0) for k in range(3)}
    run = TemperatureRecord(
        when="2026-11-21T22:00:00+00:00", thermometer="tmp36", hours=12.0, from_c=17.0, to_c=24.0,
        cells={name: CellTemperature(
            counts_per_degree=counts_per_degree, counts_per_degree_sd=sd, lag_min=20.0, r2=0.97, grade="C3",
        ) for name in cells},
    )  # fmt: skip
    return BoardCalibration(board="b", cells=cells, temperature=run)


def test_a_drift_is_told_by_what_temperature_would_have_to_do() -> None:
    there = board(lambda k, t: 40.0 * t if k == 1 else 0.0 * t, 60.0)
    seen = dataclasses.replace(there, record=temperature_run(-500.0))
    found = next(each for part in diagnose_boards([seen])[0] if part.name == "b c1" for each in part.faults)
    assert found.fault is Fault.DRIFT
    assert found.numbers["celsius_per_h"] == pytest.approx(-40.0 * 3600.0 / 500.0, rel=0.1)
    assert "no room warms so fast" in found.evidence
    plain = next(each for part in diagnose_boards([there])[0] if part.name == "b c1" for each in part.faults)
    assert "temperature run" not in plain.evidence


def test_all_cells_that_a_room_moves_are_told_by_how_many_degrees_an_hour() -> None:
    there = board(lambda k, t: (14.0, 9.0, -8.0)[k] * t, 240.0)
    seen = dataclasses.replace(there, record=temperature_run(30_000.0))
    found = next(each for each in diagnose_boards([seen])[0][0].faults if each.fault is Fault.TEMPERATURE)
    assert found.numbers["celsius_per_h"] == pytest.approx(14.0 * 3600.0 / 30_000.0, rel=0.1)
    assert "temperature run of 2026-11-21" in found.evidence
    assert "no room" not in found.evidence


def test_a_temperature_run_says_what_it_knows_and_no_more() -> None:
    record = temperature_run(-500.0)
    found = thermal_drift(record, "c0", counts_per_h=-600.0)
    assert found is not None
    assert found.likely
    assert found.sentence.startswith("this drift of -2.8 g/h is what +1.2 °C/h explain: its zero goes by -2.33 g/°C")
    assert thermal_drift(record, "c7", -600.0) is None
    assert thermal_drift(temperature_run(4.0), "c0", -600.0) is None  # not known well enough
    assert thermal_drift(None, "c0", -600.0) is None


def test_hands_on_a_board_do_not_make_a_cell_float_and_what_roams_all_the_time_does() -> None:
    def roaming(k: int, t: np.ndarray, hands: bool) -> np.ndarray:
        rng = np.random.default_rng(5)
        noise, walk = 700.0 * rng.standard_normal(t.size), 1500.0 * np.cumsum(rng.standard_normal(t.size)) / 3.0
        here = ((t > 8.0) & (t < 22.0)) if hands else np.ones(t.size, np.bool_)
        return np.where(here, noise + walk - walk.mean(), 0.0) if k == 1 else np.zeros(t.size)

    assert Fault.FLOATING in faults(board(lambda k, t: roaming(k, t, False), 30.0))["cell b c1"]
    assert Fault.FLOATING not in faults(board(lambda k, t: roaming(k, t, True), 30.0))["cell b c1"]
