"""The planogram, piece by piece: what is valid of it, so that the rest can be checked against it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.config.errors import Problem
from edge.config.piece import Piece, read_named, read_piece
from edge.config.schema import Planogram, Sku, Slot
from edge.config.yaml_source import Located


@dataclass
class PlanogramPieces:
    """A planogram as far as it could be read. ``skus`` is None where the file doesn't say what the SKUs are."""

    skus: dict[str, Piece] | None
    slots: dict[str, Piece]

    def build(self) -> Planogram:
        """The whole, once there is no problem left."""
        skus = {name: Sku(**piece.values) for name, piece in (self.skus or {}).items()}
        return Planogram(skus=skus, slots={name: Slot(**piece.values) for name, piece in self.slots.items()})


def read_planogram(root: Located, file: str, problems: list[Problem]) -> PlanogramPieces:
    """Check every field of a planogram; what is wrong is added to ``problems``."""
    piece = read_piece(Planogram, file, (), root, problems, nested=("skus", "slots"))
    skus = {
        name: read_piece(Sku, file, ("skus", name), node, problems)
        for name, node in read_named(piece, "skus", "SKU").items()
    }
    slots = {
        name: read_piece(Slot, file, ("slots", name), node, problems)
        for name, node in read_named(piece, "slots", "slot").items()
    }
    known = isinstance(root.value, dict) and "skus" in root.value and isinstance(root.value["skus"].value, dict)
    return PlanogramPieces(skus if known else None, slots)
