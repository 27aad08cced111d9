"""The node file, piece by piece: what is valid of it, so that the rest can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from edge.config.camera_schema import Camera, Place, TracksOptions
from edge.config.driver_schema import CameraDriverOptions, DriverOptions
from edge.config.errors import Problem
from edge.config.live_schema import (
    CommandOptions,
    HealthOptions,
    MetricsOptions,
    OutboxOptions,
    RecordingOptions,
    UplinkOptions,
)
from edge.config.piece import Piece, read_named, read_piece
from edge.config.schema import MOST_CAMERAS, MOST_CELLS, Board, Cell, FusionOptions, NodeFile
from edge.config.section import Section
from edge.config.wording import close_match, problem_at
from edge.config.yaml_source import KeyPath, Located, guessed

_SECTIONS: dict[str, type[Section]] = {
    "fusion": FusionOptions,
    "outbox": OutboxOptions,
    "recording": RecordingOptions,
    "uplink": UplinkOptions,
    "health": HealthOptions,
    "metrics": MetricsOptions,
    "tracks": TracksOptions,
}


@dataclass
class BoardPieces:
    """A board, its cells and its place. ``cells`` is None where the file doesn't say what the cells are."""

    board: Piece
    cells: dict[str, Piece] | None = None
    place: Piece | None = None


@dataclass
class NodePieces:
    """A node file as far as it could be read. ``boards`` is None where the file doesn't say what the boards are."""

    node: Piece
    sections: dict[str, Piece] = field(default_factory=dict)
    boards: dict[str, BoardPieces] | None = None
    cameras: dict[str, Piece] = field(default_factory=dict)

    def build(self) -> NodeFile:
        """The whole, once there is no problem left."""
        boards = {}
        for name, pieces in (self.boards or {}).items():
            cells = {cell: Cell(**piece.values) for cell, piece in (pieces.cells or {}).items()}
            place = None if pieces.place is None else Place(**pieces.place.values)
            boards[name] = Board(**pieces.board.values, cells=cells, place=place)
        cameras = {name: Camera(**piece.values) for name, piece in self.cameras.items()}
        sections: dict[str, Any] = {name: piece.model(**piece.values) for name, piece in self.sections.items()}
        return NodeFile(**self.node.values, **sections, boards=boards, cameras=cameras)


def read_node_file(root: Located, file: str, problems: list[Problem]) -> NodePieces:
    """Check every field of a node file; what is wrong is added to ``problems``."""
    piece = read_piece(NodeFile, file, (), root, problems, nested=(*_SECTIONS, "boards", "cameras"))
    pieces = NodePieces(piece)
    entries: Mapping[str, Located] = root.value if isinstance(root.value, dict) else {}
    for name, model in _SECTIONS.items():
        entry = entries.get(name)
        if entry is not None and entry.value is not None:
            pieces.sections[name] = _read_section(model, file, (name,), entry, problems)
    cameras = entries.get("cameras")
    eyes_only = cameras is not None and bool(cameras.value) and _empty(entries.get("boards"))
    if eyes_only and isinstance(root.value, dict):
        pieces.boards = {}
    else:
        _read_boards(pieces, entries, problems)
    if cameras is not None and cameras.value is not None:
        named = read_named(piece, "cameras", "camera")
        if len(named) > MOST_CAMERAS:
            piece.add("cameras", f"expected at most {MOST_CAMERAS} cameras at one node, there are {len(named)}")
        pieces.cameras = {name: _read_camera(name, node, file, problems) for name, node in named.items()}
    return pieces


def _empty(entry: Located | None) -> bool:
    return entry is None or entry.value is None or entry.value == {}


def _read_boards(pieces: NodePieces, entries: Mapping[str, Located], problems: list[Problem]) -> None:
    """Boards and the planogram's name; one isn't there without the other."""
    piece = pieces.node
    for name in ("planogram", "boards"):
        if name not in entries and name not in pieces.node.meant:
            piece.add(name, f"expected this key: {NodeFile.model_fields[name].description}")
    if "boards" in entries and isinstance(entries["boards"].value, dict):
        if not entries["boards"].value:
            piece.add("boards", "expected at least one board")
        named = read_named(piece, "boards", "board")
        pieces.boards = {name: _read_board(name, node, piece.file, problems) for name, node in named.items()}
    else:
        read_named(piece, "boards", "board")


def _read_section(model: type[Section], file: str, path: KeyPath, node: Located, problems: list[Problem]) -> Piece:
    """A section, and the sections in it."""
    inner = {"commands": CommandOptions} if model is UplinkOptions else {}
    piece = read_piece(model, file, path, node, problems, nested=tuple(inner))
    entries: Mapping[str, Located] = node.value if isinstance(node.value, dict) else {}
    for name, inner_model in inner.items():
        if name in entries and entries[name].value is not None:
            inside = read_piece(inner_model, file, (*path, name), entries[name], problems)
            piece.values[name] = inner_model.model_construct(**inside.values)
    return piece


def _read_board(name: str, node: Located, file: str, problems: list[Problem]) -> BoardPieces:
    path = ("boards", name)
    piece = read_piece(Board, file, path, node, problems, nested=("driver", "cells", "place"))
    entries: Mapping[str, Located] = node.value if isinstance(node.value, dict) else {}
    if "driver" in entries:
        _read_driver(piece, entries["driver"], DriverOptions)
    place = None
    if "place" in entries and entries["place"].value is not None:
        place = read_piece(Place, file, (*path, "place"), entries["place"], problems)
    cells = None
    if "cells" in entries and isinstance(entries["cells"].value, dict):
        if not 1 <= len(entries["cells"].value) <= MOST_CELLS:
            piece.add("cells", f"expected 1 to {MOST_CELLS} cells, there are {len(entries['cells'].value)}")
        named = read_named(piece, "cells", "cell")
        cells = {cell: read_piece(Cell, file, (*path, "cells", cell), each, problems) for cell, each in named.items()}
    else:
        read_named(piece, "cells", "cell")
    return BoardPieces(piece, cells, place)


def _read_camera(name: str, node: Located, file: str, problems: list[Problem]) -> Piece:
    piece = read_piece(Camera, file, ("cameras", name), node, problems, nested=("driver",))
    if isinstance(node.value, dict) and "driver" in node.value:
        _read_driver(piece, node.value["driver"], CameraDriverOptions)
    return piece


def _read_driver(piece: Piece, node: Located, model: type[DriverOptions]) -> None:
    """A driver's name, or a mapping of `type` and the driver's own options, whose names only the driver knows."""
    options: dict[str, object] = {}
    keys: tuple[str, ...] = ("driver",)
    kind = node.value
    if isinstance(node.value, dict):
        keys = ("driver", "type")
        kind = node.value["type"].value if "type" in node.value else None
        options = {key: guessed(each) for key, each in node.value.items() if key != "type"}
    try:
        piece.values["driver"] = model(type=kind, options=options)  # type: ignore[arg-type]  # that is what is checked
    except ValidationError:
        guess = close_match(kind, model.known) if isinstance(kind, str) else ""
        expected = f"expected a known driver ({', '.join(model.known)})" + (
            f"; did you mean '{guess}'?" if guess else ""
        )
        piece.problems.append(problem_at(piece.file, piece.path, piece.node, keys, expected))
