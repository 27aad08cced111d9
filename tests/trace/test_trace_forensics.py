"""Corrupted readings in recordings: kept out of fusion (P7) and named, in synthetic and in real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from small_trace import read_all

from drivers.samples import SampleBlock, SampleFlag
from edge.config.setup import Setup
from edge.trace.chip_findings import findings_text
from edge.trace.csv_import import import_csv
from edge.trace.info import info_text, summarize
from edge.trace.reader import TraceReader
from edge.trace.tare_fit import CutReading, fit_tare
from edge.trace.value_step import find_value_step

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "hx711"
real = pytest.mark.skipif(not RECORDINGS.exists(), reason="the real recordings aren't in ../shared/data")
LONE_JUMP_COUNTS = 150_000
RESET_S = (0.38, 0.46)


def imported(tmp_path: Path, setup: Setup, text: str, grams: bool) -> tuple[SampleBlock, str]:
    """The one cell's samples, and what `trace info` says."""
    (tmp_path / "rec.csv").write_text(text)
    import_csv(tmp_path / "rec.csv", tmp_path / "rec.mcap", setup, grams)
    with TraceReader(tmp_path / "rec.mcap") as reader:
        found = read_all(reader)["low.er"]
    with TraceReader(tmp_path / "rec.mcap", known_only=False) as reader:
        return found, info_text(reader, summarize(reader))


def chip_line(info: str) -> str:
    return next((line for line in info.splitlines() if line.startswith("chip ")), "")


def lone_jumps(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Readings over 150 000 counts from both neighbours, which agree better than that with each other."""
    before, at, after = counts[:-2], counts[1:-1], counts[2:]
    near = np.abs(after - before) < LONE_JUMP_COUNTS
    return 1 + np.flatnonzero((np.abs(at - before) > LONE_JUMP_COUNTS) & (np.abs(at - after) > LONE_JUMP_COUNTS) & near)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A node with one cell at 10 samples per second."""
    from small_trace import NODE, PLANOGRAM

    from edge.config.setup import load_setup

    folder = tmp_path_factory.mktemp("stand")
    (folder / "planogram.yaml").write_text(PLANOGRAM)
    (folder / "node.yaml").write_text(NODE)
    return load_setup(folder / "node.yaml")


@real
def test_real_lone_jumps_are_kept_out_of_fusion_and_resets_are_named(stand: Setup, tmp_path: Path) -> None:
    """P7, in 52 recordings of a Raspberry Pi: 39 lone jumps, none of them weight, at least 20 of them named; and each
    pause of 0.42 s is a chip's reset."""
    jumps, flagged, named, pauses, resets, others = 0, 0, 0, 0, 0, 0
    files = sorted(RECORDINGS.glob("rocket_stand_*.txt"))
    assert len(files) == 52
    for path in files:
        text = path.read_text()
        rows = np.array([[float(part) for part in line.split(";")] for line in text.splitlines() if ";" in line])
        step = find_value_step(rows[:, 1])
        found, _ = imported(tmp_path, stand, f"unix_time;low.er.one\n{text}", grams=True)
        assert len(found) == len(rows)
        between_s = np.diff(rows[:, 0])
        pause = 1 + np.flatnonzero((between_s > RESET_S[0]) & (between_s < RESET_S[1]))
        is_reset = (found.flags & SampleFlag.RESET.value) != 0
        pauses, resets = pauses + pause.size, resets + int(is_reset[pause].sum())
        others += int(is_reset.sum() - is_reset[pause].sum())
        if step is None:
            continue
        counts = rows[:, 1] * step.counts_per_gram
        assert np.abs(found.counts - counts).max() <= 0.5, "stored as what the converter said, to the count"
        # A hand strikes the stand once as hard, in 0.4 s: 564 028, 806 793, 1 196 771, 791 182, 31 993 counts.
        at = [k for k in lone_jumps(counts).tolist() if between_s[k] > RESET_S[0]]
        jumps, flagged = jumps + len(at), flagged + int(np.count_nonzero(found.flags[at]))
        with TraceReader(tmp_path / "rec.mcap") as reader:
            chips = summarize(reader).chips
        fit = chips["low.er", 0].tare()
        if fit is not None:
            codes = {code - fit.tare_counts: code for code in fit.codes if code is not None}
            stored = [int(found.counts[k]) for k in at]
            named += sum(codes.get(value, 1) in {-1, *(2**n - 1 for n in range(18, 24))} for value in stored)
    assert (jumps, flagged) == (39, 39)
    assert named == 29, "named as 2^n-1 or -1 by the one tare of their file; the others' files tell no tare"
    assert (pauses, resets, others) == (141, 141, 0)


@real
def test_what_trace_info_says_of_a_real_recording(stand: Setup, tmp_path: Path) -> None:
    text = (RECORDINGS / "rocket_stand_15.txt").read_text()
    _, info = imported(tmp_path, stand, f"unix_time;low.er.one\n{text}", grams=True)
    assert chip_line(info) == (
        "chip      low.er cell one: corrupt codes 6 (2^19-1 ×2, 2^20-1 ×1, 2^23-1 ×1, low bits 1 ×2; "
        "with a tare of 193 765 counts), chip resets 6"
    )


@real
@pytest.mark.parametrize("grams", [False, True])
def test_no_sample_of_a_clean_real_recording_is_flagged(stand: Setup, tmp_path: Path, grams: bool) -> None:
    """Ten minutes idle at 11.6 samples per second, stamped to 10 ms; in counts, and in grams with a tare taken off."""
    rows = (RECORDINGS / "coffee_steadystate_raw.csv").read_text().splitlines()[1:]
    pairs = [row.split(",") for row in rows if "," in row]
    if grams:
        pairs = [[at, repr((int(code) - 1_527_500) / 1540.32)] for at, code in pairs]
    text = "time_s,low.er.one\n" + "".join(f"{at},{value}\n" for at, value in pairs)
    found, info = imported(tmp_path, stand, text, grams)
    assert len(found) > 7000
    assert np.count_nonzero(found.flags) == 0
    assert chip_line(info) == ""


def _rig(
    seed: int, tare: float, counts_per_gram: float, resets: dict[int, int]
) -> tuple[list[tuple[float, float]], int]:
    """Times and grams of a cell at 83 000 counts whose chip is reset at bits of some reads; how many were spoilt."""
    rng = np.random.default_rng(seed)
    at_s, rows = 1.6e9, []
    for number in range(900):
        code = 83_000 + round(25 * float(rng.standard_normal())) + (40_000 if number > 500 else 0)
        at_s += 0.095
        if number in resets:
            code |= (1 << resets[number]) - 1
            code -= (code >> 23) << 24
        rows.append((at_s + 1e-5 * float(rng.standard_normal()), (code - tare) / counts_per_gram))
        at_s += 3.45 * 0.095 if number in resets else 0.0
    return rows, len(resets)


def test_the_tare_of_a_recording_in_grams_is_found_from_its_misread_codes(stand: Setup, tmp_path: Path) -> None:
    rows, spoilt = _rig(1, 71_234.25, 412.7, {100: 20, 250: 24, 400: 9, 640: 22})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{grams!r}\n" for at, grams in rows)
    found, info = imported(tmp_path, stand, text, grams=True)
    assert np.flatnonzero(found.flags & SampleFlag.CORRUPT_CODE.value).tolist() == [100, 250, 400, 640]
    assert chip_line(info) == (
        "chip      low.er cell one: corrupt codes 4 (2^20-1 ×1, 2^22-1 ×1, -1 ×1, low bits 1 ×1; "
        "with a tare of 71 234 counts), chip resets 4"
    )
    assert spoilt == 4


def test_a_reversed_cell_has_a_tare_too(stand: Setup, tmp_path: Path) -> None:
    rows, _ = _rig(2, 71_234.0, -412.7, {100: 20, 250: 21, 640: 22})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{grams!r}\n" for at, grams in rows)
    _, info = imported(tmp_path, stand, text, grams=True)
    assert "2^20-1 ×1, 2^21-1 ×1, 2^22-1 ×1; with a tare of 71 234 counts" in chip_line(info)


def test_a_tare_that_nothing_tells_isnt_made_up(stand: Setup, tmp_path: Path) -> None:
    """One lone jump fits a tare for each n; ten random ones fit none."""
    rows, _ = _rig(3, 71_234.0, 412.7, {100: 20})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{grams!r}\n" for at, grams in rows)
    _, info = imported(tmp_path, stand, text, grams=True)
    assert chip_line(info) == "chip      low.er cell one: corrupt codes 1 (not explained ×1), chip resets 1"
    rng = np.random.default_rng(4)
    for _ in range(50):
        cut = [CutReading(int(code), 1000, 200.0) for code in rng.integers(-(2**22), 2**22, 10)]
        assert fit_tare(cut) is None


def test_codes_in_counts_are_named_without_any_tare(stand: Setup, tmp_path: Path) -> None:
    rows, _ = _rig(5, 0.0, 1.0, {100: 20, 250: 24, 400: 9, 640: 22})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{code:.0f}\n" for at, code in rows)
    found, info = imported(tmp_path, stand, text, grams=False)
    assert np.flatnonzero(found.flags & SampleFlag.CORRUPT_CODE.value).tolist() == [100, 250, 400, 640]
    assert found.flags[250] & SampleFlag.NOT_READY.value
    assert chip_line(info) == (
        "chip      low.er cell one: corrupt codes 4 (2^20-1 ×1, 2^22-1 ×1, -1 ×1, 9 low bits 1 ×1), chip resets 4"
    )


def test_lost_conversions_are_counted_and_their_neighbours_kept(stand: Setup, tmp_path: Path) -> None:
    rows, _ = _rig(6, 0.0, 1.0, {})
    kept = [row for number, row in enumerate(rows) if number not in (50, 300, 301, 700)]
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{code:.0f}\n" for at, code in kept)
    found, info = imported(tmp_path, stand, text, grams=False)
    assert np.count_nonzero(found.flags) == 0
    assert chip_line(info) == "chip      low.er cell one: lost conversions 4"


def test_grams_on_a_ladder_are_stored_as_the_converters_counts(stand: Setup, tmp_path: Path) -> None:
    """Nothing is rounded away: grams come back to a hundredth of a count, though the tare was no whole number."""
    rows, _ = _rig(7, 71_234.25, 412.7, {})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{grams!r}\n" for at, grams in rows)
    found, _ = imported(tmp_path, stand, text, grams=True)
    with TraceReader(tmp_path / "rec.mcap") as reader:
        cell = reader.require_setup().calibration["low.er"].cells["one"]
    assert cell.adc_bits == 0, "codes less an unknown tare can't be judged as codes"
    again = (found.counts - cell.zero_counts) / cell.counts_per_gram
    assert np.abs(again - np.array([grams for _, grams in rows])).max() < 0.01 / 412.7


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(500, 3, 5000),
        np.round(np.random.default_rng(2).normal(500, 3, 5000), 2),
        np.round(np.random.default_rng(3).normal(500, 30, 5000) * 4) / 4,
        np.zeros(500),
        np.array([1.5, np.nan, 2.5]),
        np.full(100, np.nan),
    ],
    ids=["no ladder", "two decimals", "quarters of a gram", "zeros", "few", "none"],
)
def test_values_that_say_nothing_of_a_converter(values: npt.NDArray[np.float64]) -> None:
    assert find_value_step(values) is None


@pytest.mark.parametrize("counts_per_gram", [24.89, 215.0, 454.0, 1540.32])
@pytest.mark.parametrize("offset", [0.0, 0.31])
def test_the_value_step_is_found(counts_per_gram: float, offset: float) -> None:
    rng = np.random.default_rng(5)
    codes = np.rint(rng.normal(0, 40, 2000)) + np.repeat(rng.integers(0, 2_000_000, 20), 100)
    step = find_value_step((codes - offset) / counts_per_gram)
    assert step is not None
    assert step.counts_per_gram == pytest.approx(counts_per_gram, rel=1e-8)
    assert step.zero_counts == pytest.approx(offset, abs=0.01)


def test_a_slow_recording_waits_for_nothing(setup: Setup, tmp_path: Path) -> None:
    """A value a minute is no HX711's, and boards are written in step all the same."""
    codes = np.random.default_rng(8).integers(0, 2**20, (200, 2)) | 15
    rows = [f"{60 * k},{top},{low}" for k, (top, low) in enumerate(codes.tolist())]
    (tmp_path / "rec.csv").write_text("\n".join(["time_s,top.fl,low.er.one", *rows]) + "\n")
    import_csv(tmp_path / "rec.csv", tmp_path / "rec.mcap", setup, False)
    with TraceReader(tmp_path / "rec.mcap") as reader:
        found = read_all(reader)
    assert [len(block) for block in found.values()] == [200, 200]
    assert all(np.count_nonzero(block.flags) == 0 for block in found.values())


def test_findings_of_nothing_are_empty(stand: Setup, tmp_path: Path) -> None:
    rows, _ = _rig(9, 0.0, 1.0, {})
    text = "unix_time,low.er.one\n" + "".join(f"{at:.6f},{code:.0f}\n" for at, code in rows)
    imported(tmp_path, stand, text, grams=False)
    with TraceReader(tmp_path / "rec.mcap") as reader:
        summary = summarize(reader)
    assert [findings_text(found) for found in summary.chips.values()] == ["", "", ""]
