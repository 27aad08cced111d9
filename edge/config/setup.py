"""A node's whole setup: node file, planogram and calibration, read together, every problem reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.record import BoardCalibration
from edge.config.calibration_records import read_records, records_from_text
from edge.config.camera_checks import check_camera_files, check_cameras, check_sight
from edge.config.camera_records import camera_records_from_texts, read_camera_records
from edge.config.cross_checks import check_drivers, check_live, check_node, check_skus, check_slots, check_uplink
from edge.config.errors import ConfigError, Problem
from edge.config.node_file import NodePieces, read_node_file
from edge.config.planogram_file import PlanogramPieces, read_planogram
from edge.config.schema import NodeFile, Planogram, Slot
from edge.config.text_file import read_text
from edge.config.yaml_source import Located, parse_yaml

if TYPE_CHECKING:
    from calibration.camera_record import CameraRecord


@dataclass(frozen=True)
class Setup:
    """Everything a node is told about its shelves.

    Attributes:
        calibration: records by board; a board that was never calibrated is not in there.
        node_text, planogram_text: the files word for word, as they are attached to traces.
        cameras: records by camera; a camera that was never calibrated is not in there.
    """

    node: NodeFile
    planogram: Planogram
    calibration: dict[str, BoardCalibration]
    node_text: str
    planogram_text: str
    cameras: dict[str, CameraRecord] = field(default_factory=dict)

    def slots_on(self, board: str) -> dict[str, Slot]:
        """The slots on one board by id, in the planogram's order."""
        return {name: slot for name, slot in self.planogram.slots.items() if slot.board == board}


def load_setup(path: Path, calibrated: bool = True, camera_files: bool = False) -> Setup:
    """Read a node file with the planogram and the calibration it names.

    Args:
        calibrated: False leaves the calibration alone, for who is about to make a new one.
        camera_files: models, labels and videos have to be there, too. A node runs without them, and says so in its
            health.
    Raises:
        ConfigError: with every problem of all of them.
    """
    problems: list[Problem] = []
    node_text = read_text(path)
    if isinstance(node_text, Problem):
        raise ConfigError([node_text])
    node = _node_pieces(node_text, str(path), problems)
    if node is None:
        raise ConfigError(problems)
    check_drivers(node)
    check_live(node)
    check_sight(node)
    if camera_files:
        check_camera_files(node, path.parent)
    check_uplink(node)
    planogram_text = _named_text(path, node, problems)
    planogram = _none_needed(node, planogram_text)
    if planogram_text is not None:
        planogram = _planogram_pieces(planogram_text, str(path.parent / node.node.values["planogram"]), node, problems)
    calibration: dict[str, BoardCalibration] = {}
    cameras: dict[str, CameraRecord] = {}
    if calibrated and isinstance(folder := node.node.values.get("calibration"), str):
        calibration = read_records(path.parent / folder, node, problems)
        cameras = read_camera_records(path.parent / folder, node, problems)
    return _built(node, planogram, (calibration, cameras), (node_text, planogram_text or ""), problems)


def setup_from_texts(
    node_text: str,
    planogram_text: str,
    calibration_text: str,
    where: str,
    camera_texts: Mapping[str, str] | None = None,
) -> Setup:
    """The setup out of a trace's attachments; ``calibration_text`` may be empty; ``camera_texts``: records by camera.

    ``where`` names the trace in error texts. What the drivers were told isn't checked: none of them is asked.
    Raises ConfigError with every problem of all of them.
    """
    problems: list[Problem] = []
    node = _node_pieces(node_text, f"{where}/node.yaml", problems)
    planogram = _none_needed(node, planogram_text or None)
    if planogram is None:
        planogram = _planogram_pieces(planogram_text, f"{where}/planogram.yaml", node, problems)
    calibration: dict[str, BoardCalibration] = {}
    if calibration_text.strip():
        calibration = records_from_text(calibration_text, f"{where}/calibration.json", node, problems)
    cameras: dict[str, CameraRecord] = {}
    if camera_texts and node is not None:
        cameras = camera_records_from_texts(camera_texts, where, node, problems)
    return _built(node, planogram, (calibration, cameras), (node_text, planogram_text), problems)


def _node_pieces(text: str, file: str, problems: list[Problem]) -> NodePieces | None:
    root = _tree(text, file, "a node file (node, planogram, boards, cameras)", problems)
    if root is None:
        return None
    if isinstance(root.value, dict) and "boards" not in root.value and {"skus", "slots"} & set(root.value):
        problems.append(
            Problem(file, 1, "", "", "this is a planogram; expected a node file, which names its planogram")
        )
        return None
    pieces = read_node_file(root, file, problems)
    check_node(pieces)
    check_cameras(pieces)
    return pieces


def _planogram_pieces(text: str, file: str, node: NodePieces | None, problems: list[Problem]) -> PlanogramPieces | None:
    root = _tree(text, file, "a planogram (skus, slots)", problems)
    if root is None:
        return None
    pieces = read_planogram(root, file, problems)
    check_skus(pieces)
    check_slots(pieces, node)
    return pieces


def _none_needed(node: NodePieces | None, text: str | None) -> PlanogramPieces | None:
    """An empty planogram for a node that has cameras only; None where there should be one."""
    eyes_only = node is not None and node.boards == {} and node.cameras and "planogram" not in node.node.values
    return PlanogramPieces({}, {}) if eyes_only and text is None else None


def _tree(text: str, file: str, what: str, problems: list[Problem]) -> Located | None:
    root, found = parse_yaml(text, file)
    problems.extend(found)
    if found and root is None:
        return None
    if root is None or root.value is None:
        problems.append(Problem(file, 1, "", "", f"the file is empty; expected {what}"))
        return None
    if not isinstance(root.value, dict):
        problems.append(Problem(file, root.line, "", "", f"expected {what}, a mapping of keys and values"))
        return None
    return root


def _named_text(path: Path, node: NodePieces, problems: list[Problem]) -> str | None:
    """The planogram's text; a planogram that can't be opened is reported where it is named."""
    named = node.node.values.get("planogram")
    if named is None:
        return None
    text = read_text(path.parent / named)
    if isinstance(text, str):
        return text
    if text.line:
        problems.append(text)
    else:
        node.node.add("planogram", text.expected)
    return None


def _built(
    node: NodePieces | None,
    planogram: PlanogramPieces | None,
    records: tuple[dict[str, BoardCalibration], dict[str, CameraRecord]],
    texts: tuple[str, str],
    problems: list[Problem],
) -> Setup:
    if problems or node is None or planogram is None:
        raise ConfigError(problems)
    return Setup(node.build(), planogram.build(), records[0], *texts, cameras=records[1])
