"""The calibration records that a node file names, checked against its boards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from calibration.record import FORMAT_VERSION, BoardCalibration
from calibration.store import CalibrationStore
from calibration.store_errors import StoreError
from edge.config.camera_records import CAMERA_RECORD
from edge.config.errors import Problem
from edge.config.node_file import NodePieces
from edge.config.text_file import read_text
from edge.config.wording import close_match, problem_at, what_is_expected
from edge.config.yaml_source import KeyPath, Located, key_path, parse_yaml


def record_files(path: Path) -> list[Path]:
    """The record itself, or the boards' records in a folder; older records and cameras' aren't read."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.glob("*.json") if not file.name.endswith(CAMERA_RECORD))


def read_records(path: Path, node: NodePieces, problems: list[Problem]) -> dict[str, BoardCalibration]:
    """The records by board that a folder or a file holds. What is wrong with them is added to ``problems``."""
    if not path.exists():
        expected = (
            f"there is no such folder or file ({path}); make the folder, or leave `calibration` out until it exists"
        )
        node.node.add("calibration", expected)
        return {}
    found: dict[str, BoardCalibration] = {}
    for file in record_files(path):
        text = read_text(file)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        before = len(problems)
        records = records_from_text(text, str(file), node, problems)
        if not records and len(problems) > before and path.is_dir() and file.stem in (node.boards or ()):
            last = problems[-1]
            problems[-1] = replace(last, expected=f"{last.expected}; {_way_back(path, file.stem)}")
        for board, record in records.items():
            if path.is_dir() and board != file.stem:
                problems.append(Problem(str(file), 1, "board", board, f"expected '{file.stem}', as the file is called"))
            found[board] = record
    return found


def _way_back(folder: Path, board: str) -> str:
    try:
        return CalibrationStore(folder).way_back(board)
    except StoreError as error:
        return str(error)


def records_from_text(
    text: str, file: str, node: NodePieces | None, problems: list[Problem]
) -> dict[str, BoardCalibration]:
    """The records by board in a JSON text: one record, or an object of several by board id."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(Problem(file, error.lineno, "", "", f"not JSON ({error.msg}); expected a calibration record"))
        return {}
    except (ValueError, RecursionError):
        problems.append(Problem(file, 1, "", "", "expected a calibration record; this is something else in JSON"))
        return {}
    if not isinstance(data, Mapping):
        problems.append(Problem(file, 1, "", "", "expected a calibration record (a JSON object)"))
        return {}
    root, twice = parse_yaml(text, file)  # JSON is YAML, and YAML's marks know the lines
    if root is not None:
        problems.extend(twice)
    alone = "cells" in data or "board" in data
    found: dict[str, BoardCalibration] = {}
    for name, each in [("", data)] if alone else list(data.items()):
        path: KeyPath = () if alone else (name,)
        place = root if alone else (root.value.get(name) if root and isinstance(root.value, dict) else None)
        record = _read_record(each, file, path, place, problems)
        if record is None:
            continue
        if not alone and record.board != name:
            problems.append(_problem(file, path, place, ("board",), f"expected '{name}', as its key says"))
        if node is not None:
            _check_against_board(record, file, path, place, node, problems)
        found[record.board] = record
    return found


def _read_record(
    data: Any, file: str, path: KeyPath, place: Located | None, problems: list[Problem]
) -> BoardCalibration | None:
    try:
        record = BoardCalibration.model_validate(data)
    except ValidationError as error:
        for detail in error.errors():
            expected = what_is_expected(detail, None)
            problems.append(_problem(file, path, place, detail["loc"], expected))
        return None
    if record.version > FORMAT_VERSION:
        expected = (
            f"expected at most version {FORMAT_VERSION}: the record was made by a newer shelfedge; update this one"
        )
        problems.append(_problem(file, path, place, ("version",), expected))
        return None
    return record


def _check_against_board(
    record: BoardCalibration, file: str, path: KeyPath, place: Located | None, node: NodePieces, problems: list[Problem]
) -> None:
    if node.boards is None:
        return
    if record.board not in node.boards:
        guess = close_match(record.board, node.boards)
        expected = f"{node.node.file} has no such board" + (f"; did you mean '{guess}'?" if guess else "")
        problems.append(_problem(file, path, place, ("board",), expected))
        return
    cells = node.boards[record.board].cells
    if cells is None:
        return
    for cell in cells:
        if cell not in record.cells:
            expected = f"expected the cell '{cell}' too, as in {node.node.file}; calibrate the board again"
            problems.append(_problem(file, path, place, ("cells", cell), expected))
    for cell in record.cells:
        if cell not in cells:
            expected = f"board '{record.board}' has no such cell in {node.node.file}; calibrate the board again"
            problems.append(_problem(file, path, place, ("cells", cell), expected))


def _problem(file: str, path: KeyPath, place: Located | None, keys: KeyPath, expected: str) -> Problem:
    if place is None:
        return Problem(file, 1, key_path((*path, *keys)), "", expected)
    return problem_at(file, path, place, keys, expected)
