"""A diagnosis in words and pictures: which calibration, what first, round ticks; and what drivers told, by cause."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Diagnosis, PartKind, PartVerdict, Verdict, finding, part
from calibration.record import BoardCalibration, CalibrationRun, CellCalibration
from calibration.store import CalibrationStore
from drivers.notices import Notice
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.diagnose_about import about, record_text
from edge.node.diagnose_text import closing, diagnosis_text
from edge.node.notice_book import MOST_CAUSES, NoticeBook
from edge.node.svg_frame import Frame, ticks

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
S = 1_000_000_000


def record(when: datetime, who: str, gain: float) -> BoardCalibration:
    run = CalibrationRun(when=when.isoformat(), who=who, weights=("2 kg M1",))
    cells = {"fl": CellCalibration(zero_counts=0.0, counts_per_gram=gain)}
    return BoardCalibration(board="shelf-1", made=when.isoformat(), cells=cells, run=run)


def test_the_calibration_in_use_is_told_with_its_number_its_age_and_who_made_it(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path / "calibration")
    first, second = record(NOW - timedelta(days=400), "anna", 400.0), record(NOW - timedelta(days=3), "bo", 401.0)
    for each in (first, second):
        store.save(each)
    assert record_text(second, store, NOW) == "record 2, 2026-11-18 08:00, by bo, 2 kg M1; 3 days old"
    assert record_text(first, store, NOW).startswith("record 1, 2025-10-17 08:00, by anna")
    assert record_text(first, None, NOW).startswith("2025-10-17 08:00, by anna")
    setup = load_setup(demo_node_path())
    node = tmp_path / "node.yaml"
    told = about("bay-12", dataclasses.replace(setup, calibration={"shelf-1": second}), node, None, NOW)
    assert told["calibration of shelf-1"].startswith("record 2,")
    assert told["calibration of shelf-2"] == "none"
    assert told["node file"] == str(node)


def sound(name: str, kind: PartKind = PartKind.CELL, **figures: float) -> PartVerdict:
    return part(kind, name, [], (), figures)


def bad(name: str, fault: Fault, verdict: Verdict = Verdict.FAIL, kind: PartKind = PartKind.CELL) -> PartVerdict:
    return part(kind, name, [finding(fault, verdict, "so it was measured")])


def test_what_is_wrong_stands_first_and_what_is_right_takes_few_lines() -> None:
    cells = [sound(f"a {k}", rate_sps=80.0 + k, noise_nv=100.0 + k) for k in range(3)]
    link = bad("b", Fault.UNPLUGGED, kind=PartKind.LINK)
    silent = [bad(f"b {k}", Fault.NO_SAMPLES) for k in range(4)]
    hot = bad("n", Fault.HOT, Verdict.WARN, PartKind.NODE)
    found = Diagnosis("node n", 20.0, (sound("a", PartKind.BOARD), *cells, *silent, link, hot))
    lines = diagnosis_text(found).splitlines()
    heads = [line for line in lines if line.startswith(("FAIL", "WARN", "PASS"))]
    assert [line.split("  ")[0] + " " + line.split("  ")[1] for line in heads[:4]] == [
        "FAIL 5 failed, 1 with warnings, 4 passed",
        "FAIL link b",
        "FAIL cells b 0, 1, 2, 3",
        "WARN node n",
    ]
    assert "80.0..82.0 SPS  100..102 nV" in "\n".join(lines)
    assert closing(found).startswith("FAIL  5 failed, 1 with warnings, 4 passed (link b: unplugged; cell b 0: no")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(width: int) -> None:
    long = "x" * 90
    found = Diagnosis("trace " + long, 1.0, (bad(f"b {long}", Fault.MAINS), sound(f"b {long[:50]}", rate_sps=80.0)))
    text = diagnosis_text(found, width)
    assert max(map(len, text.splitlines())) <= max(width, len(f"FAIL  cell b {long}"))
    assert "so it was measured" in " ".join(text.split())
    assert text.replace("\n", "").replace(" ", "").count("x") >= 90 + 90 + 50


@pytest.mark.parametrize(("low", "high"), [(0.0, 20.0), (-4633.0, -4376.0), (0.003, 0.0041), (-3.0, 5.5), (1e6, 3.2e7)])
def test_ticks_are_round_few_and_inside(low: float, high: float) -> None:
    found = ticks(low, high, 5)
    assert 2 <= len(found) <= 11
    assert all(low - 1e-9 * abs(low) <= each <= high * (1 + 1e-9) for each in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])
    assert round(steps[0] / 10.0 ** np.floor(np.log10(steps[0])), 6) in (1.0, 2.0, 5.0, 10.0)


def test_a_hole_interrupts_a_line_and_no_number_is_nan() -> None:
    frame = Frame((0.0, 3.0), (1.0, 1.0), "s", "g")
    drawn = frame.drawn([frame.line(np.arange(4.0), np.array([1.0, np.nan, 1.0, 2.0]))], "a title")
    assert drawn.count("<polyline") == 2
    assert "nan" not in drawn


def told(cause: str, cell: str | None, at_s: float, lost: int = 0) -> Notice:
    return Notice("b", cell, cause, round(at_s * S), round(at_s * S), lost, f"{cause} at {at_s:g}")


def test_an_interruption_of_four_cells_is_one_and_what_is_long_ago_is_not_recent() -> None:
    book = NoticeBook(["fl", "fr"])
    for cell in ("fl", "fr", None):
        book.note(told("unplugged", cell, 100.0, 40))
    now = book.report(130 * S)["unplugged"]
    assert (now["count"], now["times"], now["recent"], now["recent_lost"]) == (3, 1, 1, 120)
    later = book.report(4000 * S)["unplugged"]
    assert (later["times"], later["recent"], later["recent_lost"], later["last_ago_s"]) == (1, 0, 0, 3900.0)


def test_what_is_told_is_bounded() -> None:
    """P4."""
    book = NoticeBook(["fl"])
    for k in range(1000):
        book.note(told(f"cause {k}", f"cell {k}", float(k)))
    assert len(book.report(1000 * S)) == MOST_CAUSES + 1


def test_a_restored_record_says_so_and_a_recordings_says_which_file_it_is_from(tmp_path: Path) -> None:
    old = record(NOW - timedelta(days=30), "anna", 400.0)
    again = old.model_copy(update={"made": f"{old.made}; no. 1 restored 2026-11-20T09:30:00+00:00 by bo"})
    assert "restored 2026-11-20 09:30; 30 days old" in record_text(again, None, NOW)
    setup = dataclasses.replace(load_setup(demo_node_path()), calibration={"shelf-1": old})
    named = about("run.mcap", setup, None, None, NOW, None, tmp_path / "node.yaml")
    assert named["calibration of shelf-1"].startswith("from node.yaml, 2026-10-22")
    assert about("run.mcap", setup, None, None, NOW)["calibration of shelf-1"].startswith("from the trace, 2026-10-22")


def test_remarks_of_a_boards_cells_that_differ_in_figures_alone_are_one_line() -> None:
    def cell(name: str, text: str) -> PartVerdict:
        return part(PartKind.CELL, name, [finding(Fault.CORRUPT, Verdict.PASS, text)])

    parts = (
        cell("a fl", "1 of 1281 codes (0.078 %) were cut short or garbled: 2^22-1 x1"),
        cell("a fr", "3 of 1402 codes (0.21 %) were cut short or garbled: 2^20-1 x3"),
        cell("b fl", "1 of 1300 codes (0.077 %) were cut short or garbled"),
    )
    lines = diagnosis_text(Diagnosis("node n", 20.0, parts), 120).splitlines()
    listed = [line for line in lines if line.startswith("  - ")]
    assert len(listed) == 2
    assert "a fl, fr: corrupt codes: 1..3 of 1281..1402 codes (0.078..0.21 %) were cut" in listed[0]


def test_labels_of_lines_close_together_stand_in_rows_of_their_own() -> None:
    marks = [(34.9, "50→34.9", "red"), (35.1, "120→35.1", "red"), (36.0, "150→36.0", "red")]
    drawn = "".join(Frame((0.0, 45.0), (0.0, 1.0)).uprights(marks))
    heights = [piece.split('"')[0] for piece in drawn.split(' y="')[1:]]
    assert len(set(heights)) == 3
