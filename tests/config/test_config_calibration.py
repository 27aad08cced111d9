"""Calibration records are checked with the node file that names them, and their problems reported with all others."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_texts import NODE, PLANOGRAM, Write

from calibration.record import BoardCalibration, CellCalibration, calibration_to_json
from edge.config.errors import ConfigError, Problem
from edge.config.setup import load_setup, setup_from_texts

CALIBRATED = NODE.replace("boards:", "calibration: calibration\nboards:")
RECORD = BoardCalibration(
    board="shelf-1",
    cells={name: CellCalibration(zero_counts=8_000, counts_per_gram=-420.5) for name in ("fl", "fr")},
)
TEXT = RECORD.model_dump_json(indent=1)


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_setup(path)
    return list(caught.value.problems)


def test_reads_a_record_per_board_out_of_a_folder(write: Write) -> None:
    assert load_setup(_folder(write)).calibration == {"shelf-1": RECORD}


def _folder(write: Write, text: str = TEXT, name: str = "shelf-1") -> Path:
    return write(CALIBRATED, **{f"calibration__{name}": text})


def test_reads_one_file_with_all_records(write: Write) -> None:
    node = CALIBRATED.replace("calibration: calibration", "calibration: all.json")
    assert load_setup(write(node, all=calibration_to_json({"shelf-1": RECORD}))).calibration == {"shelf-1": RECORD}
    assert load_setup(write(node, all=TEXT)).calibration == {"shelf-1": RECORD}


def test_a_board_without_record_is_allowed(write: Write, tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    assert load_setup(write(CALIBRATED)).calibration == {}


def test_older_records_in_the_folder_are_left_alone(write: Write, tmp_path: Path) -> None:
    path = _folder(write)
    (tmp_path / "calibration" / "shelf-1.json.1").write_text("not a record")
    assert load_setup(path).calibration == {"shelf-1": RECORD}


def test_attached_calibration_round_trips() -> None:
    setup = setup_from_texts(NODE, PLANOGRAM, calibration_to_json({"shelf-1": RECORD}), "x.mcap")
    assert setup.calibration == {"shelf-1": RECORD}


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ('"board":"shelf-1"', '"board":"shelf-2"', 3, "board", "'shelf-1'"),
        ('"fr"', '"rf"', 14, "cells.rf", "no such cell"),
        ('"fr"', '"rf"', 6, "cells.fr", "'fr' too"),
        ("-420.5", "0", 9, "cells.fl.counts_per_gram", "zero"),
        ("-420.5", "NaN", 9, "cells.fl.counts_per_gram", "number"),
        ("-420.5", '"much"', 9, "cells.fl.counts_per_gram", "number"),
        ('"made"', '"mode"', 4, "mode", "Extra"),
        ('"version":1', '"version":9', 2, "version", "newer"),
        ('"fr"', '"fl"', 14, "cells.fl", "already"),
        (TEXT, "", 1, "", "not JSON"),
        (TEXT, "[]", 1, "", "object"),
        (TEXT, "{", 1, "", "not JSON"),
        (TEXT, '{"a": 1}', 1, "a", "BoardCalibration"),
        (TEXT, "[" * 100_000, 1, "", "something else"),
        (TEXT, "9" * 5_000, 1, "", "something else"),
    ],
)
def test_a_damaged_record(write: Write, old: str, new: str, line: int, key: str, says: str) -> None:
    text = RECORD.model_dump_json(indent=1).replace('": ', '":')
    old = text if old == TEXT else old
    problems = problems_of(_folder(write, text.replace(old, new)))
    assert any((each.line, each.key_path) == (line, key) and says in each.expected for each in problems), problems


def test_record_of_an_unknown_board(write: Write) -> None:
    text = TEXT.replace('"shelf-1"', '"shelf-11"')
    (problem,) = problems_of(_folder(write, text, "shelf-11"))
    assert "did you mean 'shelf-1'?" in problem.expected


def test_problems_of_all_three_files_come_together(write: Write) -> None:
    path = write(
        CALIBRATED.replace("80 Hz", "80"),
        PLANOGRAM.replace("352 g", "352"),
        **{"calibration__shelf-1": TEXT.replace("-420.5", "0")},
    )
    assert {Path(problem.file).name for problem in problems_of(path)} == {"node.yaml", "planogram.yaml", "shelf-1.json"}
