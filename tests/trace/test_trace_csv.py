"""CSV in and out: anybody's recording, however it is written, and every way it can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_trace import noise, read_all, write_trace

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.trace.csv_import import ImportReport, import_csv
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.export_csv import export_csv, seconds_text
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

HEADER = "time_s,top.fl,top.fr,low.er.one\n"


def imported(
    tmp_path: Path, setup: Setup, text: str | bytes, grams: bool = False
) -> tuple[ImportReport, dict[str, SampleBlock], TraceReader]:
    """What a CSV gives, read back."""
    source = tmp_path / "rec.csv"
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    report = import_csv(source, tmp_path / "rec.mcap", setup, grams)
    with TraceReader(tmp_path / "rec.mcap") as reader:
        found = read_all(reader)
        assert reader.losses == []
        return report, found, reader


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_ways_to_write_a_csv(tmp_path: Path, setup: Setup, delimiter: str, newline: str, mark: str) -> None:
    """Comma, semicolon or tab; either newline; with a byte order mark or not; cells without a value; a blank line."""
    rows = ["time_s,top.fl,top.fr,low.er.one", "-0.5,1,2,3", "", "0.5,,5,nan", "1.5, 7 ,NaN,-9", "2.5,,,"]
    text = mark + newline.join(rows).replace(",", delimiter)
    report, found, _ = imported(tmp_path, setup, text)
    assert (report.row_count, report.sample_count, report.bad_row_count) == (4, 6, 0)
    top, low = found["top"], found["low.er"]
    assert top.time_ns.tolist() == [-500_000_000, -500_000_000, 500_000_000, 1_500_000_000]
    assert top.cell.tolist() == [0, 1, 1, 0]
    assert top.counts.tolist() == [1, 2, 5, 7]
    assert low.counts.tolist() == [3, -9]


def test_columns_in_any_order_and_strange_ones(tmp_path: Path, setup: Setup) -> None:
    """Cells are matched by name (ids may hold dots); columns and cells that don't match are named in warnings."""
    report, found, _ = imported(tmp_path, setup, 'note,low.er.one,"time_s",top.fr,top.xx\n"a;b",1,0.5,2,x\n,3,1.5,,\n')
    assert found["low.er"].counts.tolist() == [1, 3]
    assert found["top"].cell.tolist() == [1]
    text = "\n".join(report.warnings)
    assert "column 'note' is skipped" in text
    assert "column 'top.xx' is skipped" in text
    assert "no column for top.fl; the weight of top needs all its cells" in text
    assert "board low.er has no calibration record: its weights can't be decided" in text
    assert "board top has no" not in text


def test_unix_times_keep_their_nanoseconds(tmp_path: Path, setup: Setup) -> None:
    """A float has no room for the nanoseconds of a Unix time; they are read from the text."""
    text = "unix_time,top.fl\n1700000000.000000001,1\n1700000000.123456789,2\n1.7000000012e9,3\n"
    _, found, _ = imported(tmp_path, setup, text)
    assert (found["top"].time_ns - 1_700_000_000 * 10**9).tolist() == [1, 123_456_789, 1_200_000_000]


def test_grams_get_a_nominal_calibration(tmp_path: Path, setup: Setup) -> None:
    """A milligram is a count; whatever the config had, the trace says that the recording's calibration isn't known."""
    _, found, reader = imported(tmp_path, setup, HEADER + "0,1.0004,-2.5,5248.9103\n", grams=True)
    assert found["top"].counts.tolist() == [1000, -2500]
    assert found["low.er"].counts.tolist() == [5_248_910]
    records = reader.require_setup().calibration
    assert set(records) == {"top", "low.er"}
    assert records["top"].gain_common_relative_sd == 0.015
    assert records["top"].cells["fl"].counts_per_gram == 1000
    assert records["top"].cells["fl"].adc_bits == 0


def test_equal_times_keep_the_first_of_each_cell(tmp_path: Path, setup: Setup) -> None:
    """A cell has one value at a time; the other cells of a repeated row count."""
    report, found, _ = imported(tmp_path, setup, HEADER + "1,1,,\n1,2,3,\n1,,,4\n2,5,6,7\n")
    assert found["top"].counts.tolist() == [1, 3, 5, 6]
    assert found["low.er"].counts.tolist() == [4, 7]
    assert report.bad_row_count == 0
    assert any("1 values at a time their cell already had" in warning for warning in report.warnings)


BAD_ROWS = {
    "ragged": ("2,1,2", "3 fields; expected 4 as in the header"),
    "too many": ("2,1,2,3,4", "5 fields; expected 4"),
    "decimal commas": ("2,5,1,5,2,5,3,5", "a decimal comma? expected decimal points"),
    "text": ("2,1,abc,3", "column 'top.fr': 'abc' isn't a number; expected a number, or nothing"),
    "text in time": ("soon,1,2,3", "column 'time_s': 'soon' isn't a number; expected seconds"),
    "no time": (",1,2,3", "column 'time_s' is empty; expected seconds"),
    "time nan": ("nan,1,2,3", "time 'nan'; expected seconds within"),
    "time far away": ("1e30,1,2,3", "time '1e30'; expected seconds within"),
    "backwards": ("0.5,1,2,3", "time 0.500000 s runs backwards, 1.000000 s was before it"),
    "not whole": ("2,1,2.5,3", "column 'top.fr': 2.5; expected whole counts (--unit g for grams)"),
    "too big": ("2,1,2147483649,3", "column 'top.fr': 2147483649; expected a finite value within ±2147483647 counts"),
    "infinite": ("2,1,inf,3", "column 'top.fr': inf; expected a finite value within"),
    "underscore": ("2,1,1_000,3", "'1_000' isn't a number"),
    "bytes": (b"2,1,\xff\xfe,3", "isn't a number"),
    "quotes": ('2,1,"2', "3 fields; expected 4"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_named_and_the_rest_is_used(tmp_path: Path, setup: Setup, name: str) -> None:
    """File, line and what is expected; the rows around are imported."""
    row, expected = BAD_ROWS[name]
    raw = row if isinstance(row, bytes) else row.encode()
    report, found, _ = imported(tmp_path, setup, HEADER.encode() + b"1,1,2,3\n" + raw + b"\n3,4,5,6\n")
    assert report.bad_row_count == 1
    assert report.bad_rows.startswith(f"{tmp_path / 'rec.csv'}:3: ")
    assert expected in report.bad_rows
    assert found["top"].counts.tolist() == [1, 2, 4, 5]


def test_decimal_commas_between_semicolons_are_named(tmp_path: Path, setup: Setup) -> None:
    """They aren't guessed: the message says what to change, and nothing is written."""
    with pytest.raises(TraceError, match="'0,5' isn't a number; expected a decimal point, not a decimal comma"):
        imported(tmp_path, setup, "time_s;top.fl\n0,5;1\n")
    assert not list(tmp_path.glob("rec.mcap*"))


BAD_FILES = {
    "empty": (b"", "rec.csv: the file is empty"),
    "blank": (b"\n\n", "rec.csv:1: the first line is empty"),
    "header only": (HEADER.encode(), "rec.csv:2: no values follow the header"),
    "no header": (b"0,1,2,3\n1,1,2,3\n", "rec.csv:1: no time column among 0, 1, 2, 3; expected one named time_s"),
    "no time": (b"top.fl,top.fr\n1,2\n", "rec.csv:1: no time column among top.fl, top.fr"),
    "twice": (b"time_s,top.fl,top.fl\n", "rec.csv:1: column 'top.fl' appears more than once"),
    "unknown": (
        b"time_s,a.b\n1,2\n",
        "no column fits the config among time_s, a.b; the config's cells are top.fl, top.fr",
    ),
    "utf-16": ("time_s,top.fl\n".encode("utf-16"), "rec.csv:1: not UTF-8 text"),
    "latin-1": ("time_s,Flächen\n".encode("latin-1"), "rec.csv:1: byte 10 isn't UTF-8; save the CSV as UTF-8"),
    "binary": (bytes(range(256)) * 50, "rec.csv:1: not UTF-8"),
    "old Mac newlines": (b"time_s,top.fl\r1,2\r", "rec.csv:1: not a line of CSV that ends in a newline"),
    "all bad": (b"time_s,top.fl\nx,1\n1,y\n", "none of the 2 rows can be used; nothing was written"),
    "no values": (b"time_s,top.fl\n1,\n2,nan\n", "no values follow the header"),
    "endless line": (b"time_s,top.fl\n" + b"1" * 3_000_000, "rec.csv:2: a line of over a megabyte"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_of_which_nothing_can_be_used(tmp_path: Path, setup: Setup, name: str) -> None:
    """A clear refusal, and no output file."""
    raw, expected = BAD_FILES[name]
    with pytest.raises(TraceError) as caught:
        imported(tmp_path, setup, raw)
    assert expected in str(caught.value)
    assert caught.value.exit_code == 1
    assert not list(tmp_path.glob("rec.mcap*"))


def test_many_bad_rows_are_counted(tmp_path: Path, setup: Setup) -> None:
    """The first twenty in words, all in number; line numbers hold across blank lines and pieces of the file."""
    good = "".join(f"{row / 100},1,2,3\n" for row in range(200_000))
    report, _, _ = imported(tmp_path, setup, HEADER + "x\n" * 30 + "\n" + good + "y,1,2,3\n")
    assert report.bad_row_count == 31
    assert report.row_count == 200_000
    assert len(report.bad_rows.splitlines()) == 21
    assert report.bad_rows.endswith("and 11 more bad rows")
    report, _, _ = imported(tmp_path, setup, HEADER + "\n" + good + "y,1,2,3\n")
    assert f":{200_003}: column 'time_s': 'y'" in report.bad_rows


def test_missing_files(tmp_path: Path, setup: Setup) -> None:
    """A CSV that isn't there, a folder instead, an output over the input."""
    with pytest.raises(TraceFileError, match="can't read it: No such file"):
        import_csv(tmp_path / "no.csv", tmp_path / "a.mcap", setup, False)
    with pytest.raises(TraceFileError, match="can't read it: Is a directory"):
        import_csv(tmp_path, tmp_path / "a.mcap", setup, False)
    (tmp_path / "a.csv").write_text(HEADER)
    with pytest.raises(TraceError, match="is the file that is read"):
        import_csv(tmp_path / "a.csv", tmp_path / "a.csv", setup, False)
    assert not list(tmp_path.glob("a.mcap*"))


def test_export_and_import_give_the_same_counts(tmp_path: Path, setup: Setup) -> None:
    """Every cell with its own times, to the nanosecond, from before zero on."""
    blocks = write_trace(tmp_path / "a.mcap", setup, -7, 20)
    with TraceReader(tmp_path / "a.mcap") as reader:
        export_csv(reader, tmp_path / "a.csv", grams=False)
    import_csv(tmp_path / "a.csv", tmp_path / "b.mcap", setup, grams=False)
    with TraceReader(tmp_path / "b.mcap") as reader:
        found = read_all(reader)
    for block in blocks:
        again = found[block.board]
        assert all(np.array_equal(getattr(block, key), getattr(again, key)) for key in ("time_ns", "cell", "counts"))


def test_export_in_grams_leaves_out_flagged_samples(tmp_path: Path, setup: Setup) -> None:
    """No garbage becomes weight (P7), and a board without calibration is named."""
    block = noise("top", 2, 40, 0, 5)
    path = tmp_path / "a.mcap"
    with TraceWriter(path, setup) as writer:
        writer.write(block)
    with TraceReader(path) as reader, pytest.raises(TraceError, match=r"board low\.er: no calibration of one"):
        export_csv(reader, tmp_path / "a.csv", grams=True)
    _, _, graphic = imported(tmp_path, setup, HEADER + "0,1.5,-2.25,3\n1,,2,\n", grams=True)
    with TraceReader(graphic.path) as reader:
        export_csv(reader, tmp_path / "g.csv", grams=True)
    assert (tmp_path / "g.csv").read_text() == HEADER + "0.000000,1.5000,-2.2500,3.0000\n1.000000,,2.0000,\n"


def test_several_samples_of_a_cell_at_one_time_take_several_rows(tmp_path: Path, setup: Setup) -> None:
    """Nothing is dropped by the export."""
    block = SampleBlock(
        "top", np.array([5, 5, 5]), np.array([0, 0, 1], np.uint8), np.array([1, 2, 3], np.int32), np.zeros(3, np.uint16)
    )
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(block)
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert export_csv(reader, tmp_path / "a.csv", grams=False) == 2
    assert (tmp_path / "a.csv").read_text().splitlines()[1:] == ["0.000000005,1,,", "0.000000005,2,3,"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.text(alphabet='0123456789.,;\t\n"-eE_ naif', max_size=80).map(str.encode))
def test_any_bytes_after_a_header_never_crash(tmp_path: Path, setup: Setup, raw: bytes) -> None:
    """Whatever stands there: imported, reported or refused."""
    try:
        report, found, _ = imported(tmp_path, setup, HEADER.encode() + raw)
    except TraceError:
        return
    assert report.sample_count == sum(map(len, found.values()))


@given(st.integers(-(10**19), 10**19))
def test_seconds_are_written_exactly(time_ns: int) -> None:
    """Text and nanoseconds say the same."""
    from decimal import Decimal

    assert Decimal(seconds_text(time_ns)) * 10**9 == time_ns
