"""The cameras' calibration records beside those of the boards, checked against the node file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from edge.config.camera_schema import LooksAt
from edge.config.errors import Problem
from edge.config.node_file import NodePieces
from edge.config.text_file import read_text
from edge.config.wording import close_match, problem_at, what_is_expected
from edge.config.yaml_source import KeyPath, Located, key_path, parse_yaml

if TYPE_CHECKING:
    from calibration.camera_record import CameraRecord

CAMERA_RECORD = ".camera.json"
_AGAIN = "calibrate the camera again: shelfedge calibrate camera"


def read_camera_records(folder: Path, node: NodePieces, problems: list[Problem]) -> dict[str, CameraRecord]:
    """The records by camera that a calibration folder holds. What is wrong with them is added to ``problems``.

    A node without cameras has none: what lies there isn't looked at.
    """
    texts: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob(f"*{CAMERA_RECORD}")) if node.cameras and folder.is_dir() else []:
        text = read_text(file)
        if isinstance(text, Problem):
            problems.append(text)
        else:
            texts[file.name.removesuffix(CAMERA_RECORD)] = text, str(file)
    return _checked(texts, node, problems)


def camera_records_from_texts(
    texts: Mapping[str, str], where: str, node: NodePieces, problems: list[Problem]
) -> dict[str, CameraRecord]:
    """The records in JSON texts by camera. ``where`` names the trace that they come from."""
    return _checked({name: (text, f"{where}/{name}{CAMERA_RECORD}") for name, text in texts.items()}, node, problems)


def _checked(
    texts: Mapping[str, tuple[str, str]], node: NodePieces, problems: list[Problem]
) -> dict[str, CameraRecord]:
    found = {}
    for camera, (text, file) in texts.items():
        record = _read(text, file, camera, node, problems)
        if record is not None:
            found[camera] = record
    return found


def _read(text: str, file: str, camera: str, node: NodePieces, problems: list[Problem]) -> CameraRecord | None:
    from calibration.camera_record import CameraRecord  # with numpy: only where there is a record

    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(Problem(file, error.lineno, "", "", f"not JSON ({error.msg}); {_AGAIN}"))
        return None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, Mapping):
        problems.append(Problem(file, 1, "", "", f"expected a camera's record (a JSON object); {_AGAIN}"))
        return None
    root, _ = parse_yaml(text, file)  # JSON is YAML, and YAML's marks know the lines
    try:
        record = CameraRecord.model_validate(data)
    except ValidationError as error:
        for detail in error.errors():
            problems.append(_problem(file, root, detail["loc"], what_is_expected(detail, None)))
        return None
    for keys, expected in _misfits(record, camera, node):
        problems.append(_problem(file, root, keys, expected))
    return record


def _misfits(record: CameraRecord, camera: str, node: NodePieces) -> list[tuple[KeyPath, str]]:
    from calibration.camera_record import FORMAT_VERSION

    found: list[tuple[KeyPath, str]] = []
    if record.version > FORMAT_VERSION:
        expected = f"expected at most version {FORMAT_VERSION}: made by a newer shelfedge; update this one"
        found.append((("version",), expected))
    if record.camera != camera:
        found.append((("camera",), f"expected '{camera}', as the file is called"))
    piece = node.cameras.get(camera)
    if piece is None:
        guess = close_match(camera, node.cameras)
        hint = f"; did you mean '{guess}'?" if guess else "; move the file elsewhere if it is gone for good"
        return [*found, (("camera",), f"{node.node.file} has no such camera{hint}")]
    looks_at = piece.values.get("looks_at")
    if isinstance(looks_at, LooksAt) and looks_at.board != record.board:
        seen = f"board '{looks_at.board}'" if looks_at.board is not None else "the floor"
        found.append((("looks_at",), f"by {node.node.file} the camera looks at {seen}; {_AGAIN}"))
    return found


def _problem(file: str, root: Located | None, keys: KeyPath, expected: str) -> Problem:
    if root is None:
        return Problem(file, 1, key_path(keys), "", expected)
    return problem_at(file, (), root, keys, expected)
