"""What a node file says of cameras: what each looks at, where boards stand on the store's floor, whose tracks count.

Store floor coordinates are a plan's: x and y in mm from a corner of the store that somebody chose once, angles
counter-clockwise from +x. Every camera record and every board's `place` of the store are in them.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator

from edge.config.driver_schema import CameraDriverOptions
from edge.config.ids import Id, Reference, Text
from edge.config.quantity import Degrees, FloorMillimetres, HeightMillimetres
from edge.config.section import Section

SHIPPED = "shipped"  # as `model`: no file, but what comes with shelfedge
LOOKS_AT_HINT = "expected floor (a ceiling camera), or the board that is in the picture, for example {board: shelf-1}"


class LooksAt(Section):
    """What is in a camera's picture: the floor, or the front of a board."""

    board: Reference | None = None

    @model_validator(mode="before")
    @classmethod
    def _floor_or_board(cls, value: Any) -> Any:
        if value == "floor":
            return {}
        if not isinstance(value, dict):
            raise ValueError(LOOKS_AT_HINT)
        if value and (set(value) != {"board"} or not isinstance(value["board"], str)):
            raise ValueError(LOOKS_AT_HINT)
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """In YAML: `floor`, or a mapping with the board."""
        board = {
            "type": "object",
            "properties": {"board": {"type": ["string", "integer"]}},
            "required": ["board"],
            "additionalProperties": False,
        }
        return {"title": "LooksAt", "anyOf": [{"const": "floor"}, board]}


class Camera(Section):
    """A camera: at the ceiling over the floor, or before a shelf. Its record is <calibration>/<camera>.camera.json."""

    driver: CameraDriverOptions = Field(
        description="Its driver's name, picamera2 or video or simulated, or a mapping {type: name, ...} with options"
    )
    looks_at: LooksAt = Field(description="floor (a ceiling camera), or {board: shelf-1} (a camera before a shelf)")
    model: Text | None = Field(
        default=None,
        description="A TFLite file, relative to this file: a person detector (floor), or a classifier of items (board; "
        "shipped: the one that comes with shelfedge)",
    )
    labels: Text | None = Field(
        default=None,
        description="A text file with the model's classes, one a line, relative to this file; of a classifier: SKU ids",
    )
    threads: int = Field(default=1, ge=1, le=4, description="How many threads the model may use: 1 to 4")

    @property
    def floor(self) -> bool:
        """It looks at the floor."""
        return self.looks_at.board is None

    @property
    def board(self) -> str | None:
        """The board that it looks at; None for the floor."""
        return self.looks_at.board


class Place(Section):
    """Where a board stands in the store, so that people can be told who stand before it."""

    x_mm: FloorMillimetres = Field(
        validation_alias="x", description="Store coordinates of the board's front left corner: 1200 mm"
    )
    y_mm: FloorMillimetres = Field(
        validation_alias="y", description="Store coordinates of the board's front left corner: 300 mm"
    )
    facing_deg: Degrees = Field(
        validation_alias="facing",
        description="Direction from the board to the shopper who stands before it, counter-clockwise from +x: 90 deg",
    )
    height_mm: HeightMillimetres = Field(
        default=1100.0, validation_alias="height", description="The board's height above the floor, for example 1.1 m"
    )

    def on_floor(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Store coordinates of a place on the board, which is given from its left and its front edge as in slots.

        The shopper looks against `facing_deg`; the board's x runs to the right of that look, its y along it.
        """
        cos, sin = math.cos(math.radians(self.facing_deg)), math.sin(math.radians(self.facing_deg))
        return self.x_mm - sin * x_mm - cos * y_mm, self.y_mm + cos * x_mm - sin * y_mm


def _each_once(nodes: list[str]) -> list[str]:
    twice = sorted({node for node in nodes if nodes.count(node) > 1})
    if twice:
        raise ValueError(f"expected each node once; {', '.join(twice)} is there twice")
    return nodes


class TracksOptions(Section):
    """Where tracks of people come from besides this node's own cameras, and whether its own are told to other nodes."""

    nodes: Annotated[list[Id], AfterValidator(_each_once)] = Field(
        default_factory=list,
        max_length=32,
        validation_alias="from",
        description="Ids of the nodes whose ceiling cameras see people before this node's boards, as [ceiling-1]",
    )
    publish: bool = Field(
        default=True, description="false: the tracks of this node's own cameras stay in it; true: to the broker"
    )
