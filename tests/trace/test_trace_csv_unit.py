"""Counts given for grams, and grams for counts: said in a sentence that names the other unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.setup import Setup
from edge.trace.csv_import import ImportReport, import_csv
from edge.trace.errors import TraceError

HEADER = "time_s,top.fl,top.fr\n"


def imported(tmp_path: Path, setup: Setup, rows: list[tuple[object, object]], grams: bool) -> ImportReport:
    text = HEADER + "".join(f"{k / 10},{left},{right}\n" for k, (left, right) in enumerate(rows))
    (tmp_path / "rec.csv").write_text(text)
    return import_csv(tmp_path / "rec.csv", tmp_path / "rec.mcap", setup, grams)


def doubts(report: ImportReport) -> list[str]:
    return [warning for warning in report.warnings if "converter codes" in warning]


def test_codes_said_to_be_grams_are_doubted(tmp_path: Path, setup: Setup) -> None:
    """Values of over 200 kg, or whole numbers over a range of more than 100 000: imported, with one warning."""
    heavy = doubts(imported(tmp_path, setup, [(-431_222 - k, 5) for k in range(30)], grams=True))
    assert len(heavy) == 1
    assert "rec.csv: most values of top.fl lie beyond ±200 kg" in heavy[0]
    assert "--unit counts" in heavy[0]
    whole = doubts(imported(tmp_path, setup, [(84_213 + k, -51_000) for k in range(30)], grams=True))
    assert len(whole) == 1
    assert "all values are whole numbers, from -51000 to 84242" in whole[0]


@pytest.mark.parametrize(
    "rows",
    [
        [(1200 + k, 300) for k in range(30)],
        [(84_213.5, -51_000)] * 30,
        [(1200, 300)] * 30 + [(900_000.25, 300)],
        [("", ""), (1.5, "")],
    ],
    ids=["whole grams", "a heavy pallet", "one broken value", "nothing much"],
)
def test_grams_are_not_doubted(tmp_path: Path, setup: Setup, rows: list[tuple[object, object]]) -> None:
    assert doubts(imported(tmp_path, setup, rows, grams=True)) == []


def test_codes_too_big_for_grams_are_refused_in_a_sentence(tmp_path: Path, setup: Setup) -> None:
    with pytest.raises(TraceError) as caught:
        imported(tmp_path, setup, [(4_000_000 + k, 12) for k in range(100)], grams=True)
    assert str(caught.value) == (
        f"{tmp_path / 'rec.csv'}:2: column 'top.fl': 4000000; the values are too big for grams and look like converter "
        "codes; if they are, give --unit counts; nothing was written"
    )
    assert not list(tmp_path.glob("rec.mcap*"))


@pytest.mark.parametrize(
    "rows",
    [
        [(352.5, 12.25)] * 500,
        [(352 + k % 2 / 2, 12) for k in range(500)],
        [("", ""), (352.5, ""), (0.5, 1)],
    ],
    ids=["all", "every other row is whole", "a short file"],
)
def test_grams_said_to_be_counts_are_refused_in_a_sentence(
    tmp_path: Path, setup: Setup, rows: list[tuple[object, object]]
) -> None:
    """One line with the first of them, exit code 1, and nothing is written."""
    with pytest.raises(TraceError) as caught:
        imported(tmp_path, setup, rows, grams=False)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert "column 'top.fl': 352.5; the values aren't whole numbers" in text
    assert "--unit g" in text
    assert caught.value.exit_code == 1
    assert not list(tmp_path.glob("rec.mcap*"))


def test_scattered_fractions_among_counts_keep_their_lines(tmp_path: Path, setup: Setup) -> None:
    rows: list[tuple[object, object]] = [(84_000 + k if k % 5 else 1.5, 7) for k in range(200)]
    report = imported(tmp_path, setup, rows, grams=False)
    assert (report.bad_row_count, report.row_count) == (40, 160)
    assert "rec.csv:2: column 'top.fl': 1.5; expected whole counts" in report.bad_rows
