"""Named faults of a cell: physics in, names, evidence and remedies out (P7: no garbage becomes weight)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from calibration.diagnosis.clockwork import chip_clock
from calibration.diagnosis.diagnose import diagnose_boards
from calibration.diagnosis.faults import ALARMS, Fault, remedy_of
from calibration.diagnosis.noise import cell_noise
from calibration.diagnosis.physics import alias_hz, datasheet_noise_nv, mv_per_v, nv_per_count
from calibration.diagnosis.samples import BoardSamples, Cell, cells_of
from calibration.diagnosis.spectrum import spectrum_of
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict
from drivers.samples import SampleBlock, SampleFlag

RATES_HZ = (82.02, 85.1, 88.3, 91.7)
SECONDS = 20.0
TAPS = (0.830455654, 0.553900419, 0.0594767517, 0.000498409858)  # a sinc^4 decimator's noise


def noise(n: int, rms: float, seed: int) -> np.ndarray:
    return rms * np.convolve(np.random.default_rng(seed).standard_normal(n + 3), TAPS, mode="valid")


def board(
    rates_hz: tuple[float, ...] = RATES_HZ,
    nominal_hz: float = 80.0,
    rms: float = 60.0,
    seconds: float = SECONDS,
    level: float = 400_000.0,
    supply_v: float | None = None,
) -> BoardSamples:
    """Cells in a row, each with its own rate, noise of a chip, and the same level; nothing moves."""
    cells = tuple(Cell(f"c{k}", 100.0 * k, 50.0, 10_000.0) for k in range(len(rates_hz)))
    times, indexes, counts = [], [], []
    for k, rate in enumerate(rates_hz):
        n = int(seconds * rate)
        times.append(np.rint((np.arange(n) + 0.1 * k) * 1e9 / rate).astype(np.int64))
        indexes.append(np.full(n, k, np.uint8))
        counts.append(np.rint(level + noise(n, rms, seed=k)).astype(np.int32))
    time_ns, cell, code = np.concatenate(times), np.concatenate(indexes), np.concatenate(counts)
    order = np.lexsort((cell, time_ns))
    block = SampleBlock("b", time_ns[order], cell[order], code[order], np.zeros(order.size, np.uint16))
    return BoardSamples("b", 400.0, 100.0, nominal_hz, cells, block, seconds, supply_v=supply_v)


def spoilt(there: BoardSamples, codes: object) -> BoardSamples:
    """The same with cell 0's codes as ``codes(time_s, codes)`` gives them."""
    block = there.block
    mine = block.cell == 0
    counts = block.counts.astype(np.float64)
    counts[mine] = codes(block.time_ns[mine] / 1e9, counts[mine])  # type: ignore[operator]
    whole = np.clip(np.rint(counts), -0x800000, 0x7FFFFF).astype(np.int32)
    return dataclasses.replace(there, block=dataclasses.replace(block, counts=whole))


def cell_0(there: BoardSamples) -> PartVerdict:
    parts, _ = diagnose_boards([there])
    return next(each for each in parts if each.kind is PartKind.CELL and each.name == "b c0")


def first(there: BoardSamples) -> Finding:
    return cell_0(there).findings[0]


def test_a_sound_board_passes_and_says_what_an_idle_one_cannot_show() -> None:
    parts, _ = diagnose_boards([board()])
    assert [part.verdict for part in parts if part.kind is PartKind.CELL] == [Verdict.PASS] * 4
    assert [each.fault for each in parts[0].faults] == [Fault.NOT_CALIBRATED]
    assert any("needs load changes" in text for text in parts[0].unseen)


def test_every_fault_has_a_remedy_of_one_sentence_and_a_name_of_its_own() -> None:
    assert len({str(fault) for fault in ALARMS}) == len(ALARMS)
    for fault in ALARMS:
        remedy = remedy_of(fault)
        assert len(remedy) > 15
        assert not remedy.endswith(".")


def test_numbers_of_the_fact_sheet() -> None:
    assert nv_per_count(5.0) == pytest.approx(2.328, abs=0.001)
    assert datasheet_noise_nv(80.0) == pytest.approx(90.0, abs=0.2)
    assert mv_per_v(2.147e6) == pytest.approx(1.0, abs=0.001)
    assert alias_hz(50.0, 11.67) == pytest.approx(3.32, abs=0.01)
    assert alias_hz(60.0, 11.67) == pytest.approx(1.65, abs=0.01)
    assert alias_hz(50.0, 93.7) == pytest.approx(43.7, abs=0.01)


@pytest.mark.parametrize("rms", [15.0, 60.0, 400.0])
def test_noise_is_measured_to_a_sixth_whatever_steps_there_are(rms: float) -> None:
    quiet = board(rms=rms)
    stepped = spoilt(quiet, lambda t, codes: codes + 50_000.0 * (np.floor(t / 2.5) % 2))
    for there in (quiet, stepped):
        found = cell_noise(cells_of(there)[0], RATES_HZ[0])
        assert found is not None
        assert found.counts == pytest.approx(rms, rel=0.17)


def test_a_chips_rate_is_found_to_ten_ppm_and_what_is_missing_counted() -> None:
    there = board()
    kept = np.ones(len(there.block), np.bool_)
    mine = np.flatnonzero(there.block.cell == 0)
    kept[mine[[200, 500, 501]]] = False
    block = there.block
    holes = SampleBlock("b", block.time_ns[kept], block.cell[kept], block.counts[kept], block.flags[kept])
    clock = chip_clock(cells_of(dataclasses.replace(there, block=holes))[0])
    assert clock.rate_hz == pytest.approx(RATES_HZ[0], rel=1e-5)
    assert (clock.lost, clock.gaps, clock.restarts_s) == (3, 2, ())


CODES = {
    Fault.NOT_READY: lambda t, codes: np.full(codes.size, -1.0),
    Fault.ALL_ZERO: lambda t, codes: np.zeros(codes.size),
    Fault.CLIPPED: lambda t, codes: np.where(t % 5.0 < 1.0, 0x7FFFFF, codes),
    Fault.STUCK: lambda t, codes: np.where(t > 8.0, codes[100], codes),
    Fault.DEAD_INPUT: lambda t, codes: 20_000.0 + (codes - 400_000.0) / 40.0,
    Fault.NOISY: lambda t, codes: codes + noise(codes.size, 400.0, 9),
    Fault.DRIFT: lambda t, codes: codes + 60.0 * t,
    Fault.OVERLOAD: lambda t, codes: codes + 6.5e6,
}


@pytest.mark.parametrize("fault", CODES, ids=str)
def test_what_its_codes_say_is_named_for_that_cell_alone(fault: Fault) -> None:
    there = spoilt(board(), CODES[fault])
    found = first(there)
    assert (found.fault, found.verdict > Verdict.PASS) == (fault, True)
    assert any(character.isdigit() for character in found.evidence)
    others = [part for part in diagnose_boards([there])[0] if part.kind is PartKind.CELL and part.name != "b c0"]
    assert all(not part.faults for part in others)


def test_a_floating_bridge_is_told_from_plain_noise() -> None:
    rng = np.random.default_rng(4)

    def wandering(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return codes + np.cumsum(rng.standard_normal(t.size)) * 2000.0 + noise(t.size, 800.0, 3)

    assert first(spoilt(board(), wandering)).fault is Fault.FLOATING


@pytest.mark.parametrize("grid_hz", [50.0, 60.0])
def test_the_mains_are_found_where_this_chips_own_rate_folds_them(grid_hz: float) -> None:
    there = spoilt(board(), lambda t, codes: codes + 250.0 * np.sin(2 * np.pi * grid_hz * t))
    found = first(there)
    assert found.fault is Fault.MAINS
    assert found.numbers["mains_hz"] == grid_hz
    assert found.numbers["line_hz"] == pytest.approx(alias_hz(grid_hz, RATES_HZ[0]), abs=0.1)
    assert found.numbers["line_nv"] == pytest.approx(250.0 / np.sqrt(2.0) * nv_per_count(5.0), rel=0.1)


def test_a_shake_beside_the_aliases_is_not_the_mains() -> None:
    there = spoilt(board(), lambda t, codes: codes + 250.0 * np.sin(2 * np.pi * 11.3 * t))
    spectrum = spectrum_of(cells_of(there)[0], RATES_HZ[0])
    assert spectrum is not None
    assert spectrum.mains is None
    assert spectrum.lines[0].hz == pytest.approx(11.3, abs=0.2)


def test_a_shake_that_all_cells_feel_is_not_the_mains_even_where_they_would_fold() -> None:
    at_hz = alias_hz(150.0, RATES_HZ[0])
    there = board()
    time_s, counts = there.block.time_ns / 1e9, there.block.counts
    shaken = np.rint(counts + 250.0 * np.sin(2 * np.pi * at_hz * time_s)).astype(np.int32)
    parts, _ = diagnose_boards([dataclasses.replace(there, block=dataclasses.replace(there.block, counts=shaken))])
    assert all(found.fault is not Fault.MAINS for part in parts for found in part.findings)


def test_where_the_mains_fold_onto_half_the_rate_it_says_so_instead_of_pass() -> None:
    there = board(rates_hz=(40.0,), nominal_hz=40.0)
    assert any("mains" in text for text in cell_0(there).unseen) or spectrum_of(cells_of(there)[0], 40.0) is not None


def test_a_supply_that_is_known_makes_noise_judged_by_it() -> None:
    noisy = board(rms=170.0)  # 214 nV at 2.7 V, 396 nV at 5 V; allowed are 3.5 times 90
    assert not cell_0(noisy).faults
    assert first(dataclasses.replace(noisy, supply_v=5.0)).fault is Fault.NOISY


def test_the_wrong_strap_is_named_with_what_to_do() -> None:
    found = first(board(rates_hz=(10.6, 10.9), nominal_hz=80.0))
    assert found.fault is Fault.WRONG_RATE
    assert "strap" in found.remedy


def test_a_cell_that_falls_silent_is_named_though_it_began_well() -> None:
    there = board()
    kept = (there.block.cell != 0) | (there.block.time_ns < 9e9)
    block = there.block
    cut = SampleBlock("b", block.time_ns[kept], block.cell[kept], block.counts[kept], block.flags[kept])
    assert first(dataclasses.replace(there, block=cut)).fault is Fault.NO_SAMPLES


def test_no_samples_at_all_fail_every_cell() -> None:
    there = dataclasses.replace(board(), block=SampleBlock.empty("b"))
    parts, _ = diagnose_boards([there])
    assert [part.findings[0].fault for part in parts[1:]] == [Fault.NO_SAMPLES] * 4


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        (SampleFlag.DESYNC, Fault.DESYNC),
        (SampleFlag.LONG_PULSE, Fault.LONG_PULSES),
        (SampleFlag.LATE_READ, Fault.LATE_READS),
    ],
)
def test_what_a_reader_flags_is_named_once_it_is_more_than_chance(flag: SampleFlag, fault: Fault) -> None:
    there = board()
    mine = np.flatnonzero(there.block.cell == 0)
    for count, verdict in ((1, Verdict.PASS), (30, Verdict.WARN), (400, Verdict.FAIL)):
        flags = there.block.flags.copy()
        flags[mine[:: mine.size // count][:count]] = int(flag)
        block = dataclasses.replace(there.block, flags=flags)
        found = next(each for each in cell_0(dataclasses.replace(there, block=block)).findings if each.fault is fault)
        assert found.verdict is verdict


def test_a_diagnosis_is_the_same_for_the_same_samples_and_readable_by_programs() -> None:
    import json

    there = spoilt(board(), CODES[Fault.CLIPPED])
    texts = [json.dumps([part.as_json() for part in diagnose_boards([there])[0]]) for _ in range(2)]
    assert texts[0] == texts[1]
    cell = json.loads(texts[0])[1]
    assert {"part", "name", "verdict", "findings", "not_seen", "figures"} == set(cell)
    assert cell["findings"][0]["fault"] == "clipped"


def hum(t: np.ndarray, hz: float, rms: float) -> np.ndarray:
    return rms * np.sqrt(2.0) * np.sin(2 * np.pi * hz * t)


def test_a_harmonic_without_its_mains_may_be_a_machine_and_with_it_is_named() -> None:
    alone = spoilt(board(), lambda t, codes: codes + hum(t, 150.0, 400.0))
    assert Fault.MAINS not in {each.fault for each in cell_0(alone).faults}
    both = spoilt(board(), lambda t, codes: codes + hum(t, 150.0, 400.0) + hum(t, 50.0, 150.0))
    assert Fault.MAINS in {each.fault for each in cell_0(both).faults}


def test_a_drift_is_seen_though_somebody_leans_on_the_board_meanwhile() -> None:
    def drifts(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        lean = np.where((t > 8.2) & (t < 9.6), 90_000.0, 0.0)
        return codes + 58.0 * t + lean

    assert Fault.DRIFT in {each.fault for each in cell_0(spoilt(board(rms=110.0), drifts)).faults}


def test_a_board_that_rings_takes_all_figures_in_turn_and_slips_no_gain() -> None:
    def rings(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        since = (t - 5.0).clip(0.0)
        swing = 60_000.0 * np.exp(-0.6 * since) * np.sin(2 * np.pi * 6.1 * since) * (t > 5.0)
        return codes - 400_000.0 + 2_400.0 + swing

    assert Fault.GAIN_SLIPS not in {each.fault for each in cell_0(spoilt(board(rms=40.0), rings)).findings}


def test_a_cell_near_zero_that_a_hand_takes_past_twice_what_it_was_slips_no_gain() -> None:
    def hands(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        moved = np.zeros(t.size)
        for begin in np.arange(2.0, 18.0, 2.0):  # one sample of the ramp is twice 9 000, the next is far beyond
            k = int(np.searchsorted(t, begin))
            moved[k : k + 12] += 9_000.0 * np.arange(1, 13) ** 2
        return codes - 400_000.0 + 9_000.0 + moved

    assert Fault.GAIN_SLIPS not in {each.fault for each in cell_0(spoilt(board(rms=40.0), hands)).findings}


def test_an_extra_pulse_is_known_by_twice_the_code_and_the_filters_smear_after_it() -> None:
    def slips(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        for k in range(100, 1500, 200):
            level = codes[k]
            codes[k] = 2 * level
            codes[k + 1 : k + 5] -= level * np.array([1, 11, 11, 1]) / 24
        return codes

    found = next(each for each in cell_0(spoilt(board(), slips)).findings if each.fault is Fault.GAIN_SLIPS)
    assert found.verdict is Verdict.WARN


def test_the_noise_shown_is_the_noise_judged_though_hands_shake_half_of_the_windows() -> None:
    def shaken(t: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return codes + np.where(np.floor(t) % 2 == 1, noise(t.size, 130.0, 5), 0.0)

    found = cell_noise(cells_of(spoilt(board(rms=60.0), shaken))[0], RATES_HZ[0])
    assert found is not None
    assert float(np.std(found.judged_counts)) == pytest.approx(found.counts, rel=0.1)
