"""The node file, piece by piece: what is valid of it, so that the rest can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

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
from edge.config.schema import DRIVER_TYPES, MOST_CELLS, Board, Cell, DriverOptions, FusionOptions, NodeFile
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
}


@dataclass
class BoardPieces:
    """A board and its cells. ``cells`` is None where the file doesn't say what the cells are."""

    board: Piece
    cells: dict[str, Piece] | None = None


@dataclass
class NodePieces:
    """A node file as far as it could be read. ``boards`` is None where the file doesn't say what the boards are."""

    node: Piece
    sections: dict[str, Piece] = field(default_factory=dict)
    boards: dict[str, BoardPieces] | None = None

    def build(self) -> NodeFile:
        """The whole, once there is no problem left."""
        boards = {}
        for name, pieces in (self.boards or {}).items():
            cells = {cell: Cell(**piece.values) for cell, piece in (pieces.cells or {}).items()}
            boards[name] = Board(**pieces.board.values, cells=cells)
        sections: dict[str, Any] = {name: piece.model(**piece.values) for name, piece in self.sections.items()}
        return NodeFile(**self.node.values, **sections, boards=boards)


def read_node_file(root: Located, file: str, problems: list[Problem]) -> NodePieces:
    """Check every field of a node file; what is wrong is added to ``problems``."""
    piece = read_piece(NodeFile, file, (), root, problems, nested=(*_SECTIONS, "boards"))
    pieces = NodePieces(piece)
    entries: Mapping[str, Located] = root.value if isinstance(root.value, dict) else {}
    for name, model in _SECTIONS.items():
        entry = entries.get(name)
        if entry is not None and entry.value is not None:
            pieces.sections[name] = _read_section(model, file, (name,), entry, problems)
    if "boards" in entries and isinstance(entries["boards"].value, dict):
        if not entries["boards"].value:
            piece.add("boards", "expected at least one board")
        named = read_named(piece, "boards", "board")
        pieces.boards = {name: _read_board(name, node, file, problems) for name, node in named.items()}
    else:
        read_named(piece, "boards", "board")
    return pieces


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
    piece = read_piece(Board, file, path, node, problems, nested=("driver", "cells"))
    entries: Mapping[str, Located] = node.value if isinstance(node.value, dict) else {}
    if "driver" in entries:
        _read_driver(piece, entries["driver"])
    cells = None
    if "cells" in entries and isinstance(entries["cells"].value, dict):
        if not 1 <= len(entries["cells"].value) <= MOST_CELLS:
            piece.add("cells", f"expected 1 to {MOST_CELLS} cells, there are {len(entries['cells'].value)}")
        named = read_named(piece, "cells", "cell")
        cells = {cell: read_piece(Cell, file, (*path, "cells", cell), each, problems) for cell, each in named.items()}
    else:
        read_named(piece, "cells", "cell")
    return BoardPieces(piece, cells)


def _read_driver(piece: Piece, node: Located) -> None:
    """A driver's name, or a mapping of `type` and the driver's own options, whose names only the driver knows."""
    options: dict[str, object] = {}
    keys: tuple[str, ...] = ("driver",)
    kind = node.value
    if isinstance(node.value, dict):
        keys = ("driver", "type")
        kind = node.value["type"].value if "type" in node.value else None
        options = {key: guessed(each) for key, each in node.value.items() if key != "type"}
    try:
        piece.values["driver"] = DriverOptions(type=kind, options=options)  # type: ignore[arg-type]  # that is what is checked
    except ValidationError:
        guess = close_match(kind, DRIVER_TYPES) if isinstance(kind, str) else ""
        expected = f"expected a known driver ({', '.join(DRIVER_TYPES)})" + (
            f"; did you mean '{guess}'?" if guess else ""
        )
        piece.problems.append(problem_at(piece.file, piece.path, piece.node, keys, expected))
