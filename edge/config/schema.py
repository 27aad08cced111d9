"""What a node file and a planogram may say. The JSON Schema for editors comes out of these same definitions.

In YAML the keys are short and the values carry units (`width: 900 mm`); in Python the unit is in the attribute's name
(`board.width_mm`). From Python the models are made by attribute name: `Cell(x_mm=30, y_mm=30)`.
x runs from a board's left edge, y from its front edge.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from edge.config.camera_schema import Camera, Place, TracksOptions
from edge.config.driver_schema import DriverOptions
from edge.config.ids import Id, Reference, Text
from edge.config.live_schema import HealthOptions, MetricsOptions, OutboxOptions, RecordingOptions, UplinkOptions
from edge.config.quantity import (
    CapacityGrams,
    Grams,
    Hertz,
    Millimetres,
    MillivoltsPerVolt,
    PositionMillimetres,
    SpreadGrams,
)
from edge.config.section import Section

MOST_CELLS = 8
MOST_CAMERAS = 8
MOST_ITEMS = 10_000


def _begins_before_it_ends(extent: tuple[float, float]) -> tuple[float, float]:
    begin_mm, end_mm = extent
    if begin_mm == end_mm:
        raise ValueError("expected some width: it begins where it ends")
    if begin_mm > end_mm:
        raise ValueError(f"expected the smaller end first, for example [{end_mm:g} mm, {begin_mm:g} mm]")
    return extent


Extent = Annotated[tuple[PositionMillimetres, PositionMillimetres], AfterValidator(_begins_before_it_ends)]


class Cell(Section):
    """One load cell: where it carries the board, and how much it may carry."""

    x_mm: PositionMillimetres = Field(
        validation_alias="x", description="Distance of the cell from the board's left edge, for example '30 mm'"
    )
    y_mm: PositionMillimetres = Field(
        validation_alias="y", description="Distance of the cell from the board's front edge, for example '30 mm'"
    )
    capacity_g: CapacityGrams | None = Field(
        default=None, validation_alias="capacity", description="Rated load of the cell, for example '10 kg'"
    )
    sensitivity_mv_per_v: MillivoltsPerVolt | None = Field(
        default=None,
        validation_alias="sensitivity",
        description="Its label's output at that load, for example '1 mV/V'; `calibrate` then tells a cell that is off",
    )


class Board(Section):
    """A shelf board on one to eight load cells."""

    width_mm: Millimetres = Field(validation_alias="width", description="Left edge to right edge, for example '900 mm'")
    depth_mm: Millimetres = Field(validation_alias="depth", description="Front edge to back edge, for example '400 mm'")
    rate_hz: Hertz = Field(validation_alias="rate", description="Nominal samples per second per cell: '10 Hz', '80 Hz'")
    driver: DriverOptions = Field(
        description="What the board hangs on: a driver's name, or a mapping {type: name, ...} with the driver's options"
    )
    thermometer: Text | None = Field(
        default=None,
        description="The thermometer at its cells: 'tmp36' or 'lm35' at the shelf MCU's A7, or a file that the kernel "
        "has its thousandths of a degree in, for example /sys/bus/w1/devices/28-0316a2795d4e/temperature",
    )
    place: Place | None = Field(
        default=None, description="Where it stands in the store; without it no camera can tell who stood before it"
    )
    cells: dict[Id, Cell] = Field(
        min_length=1, max_length=MOST_CELLS, description="The board's load cells by id, in the order of their index"
    )


class FusionOptions(Section):
    """How events are decided."""

    review_below: float = Field(
        default=0.99, gt=0, lt=1, allow_inf_nan=False, description="Events less probable than this are sent to a person"
    )


class NodeFile(Section):
    """A shelfedge node file: one node, its boards and their load cells, its cameras."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["boards", "planogram"], "properties": {"boards": {"minProperties": 1}}},
                {"required": ["cameras"], "properties": {"boards": {"maxProperties": 0}}},
            ]
        }
    )

    node: Id = Field(description="The node's id; it becomes part of MQTT topics and file names")
    store: Id | None = Field(default=None, description="The store's id; it becomes part of MQTT topics")
    planogram: Text = Field(
        default="", description="The planogram file, relative to this file; a node with cameras and no boards has none"
    )
    calibration: Text | None = Field(
        default=None,
        description="Folder with a <board>.json calibration record per board, or one such file, relative to this file",
    )
    fusion: FusionOptions = Field(default_factory=FusionOptions, description="How events are decided")
    state: Text | None = Field(
        default=None,
        description="Folder for what the node keeps (outbox, recording), relative to this file; left out: "
        "/var/lib/shelfedge where there is one, else 'state' beside this file",
    )
    outbox: OutboxOptions = Field(default_factory=OutboxOptions, description="How many events are kept")
    recording: RecordingOptions = Field(default_factory=RecordingOptions, description="How many raw samples are kept")
    uplink: UplinkOptions | None = Field(default=None, description="Where events go; left out: nowhere, they are kept")
    health: HealthOptions = Field(default_factory=HealthOptions, description="How often the node says how it is")
    metrics: MetricsOptions | None = Field(default=None, description="The page for Prometheus; left out: none")
    boards: dict[Id, Board] = Field(
        default_factory=dict, description="The node's boards by id; a node that has cameras may have none"
    )
    cameras: dict[Id, Camera] = Field(
        default_factory=dict, max_length=MOST_CAMERAS, description="The node's cameras by id, unique in the store"
    )
    tracks: TracksOptions = Field(default_factory=TracksOptions, description="Tracks of people, of and for other nodes")

    @property
    def follows_people(self) -> bool:
        """It has a camera that looks at the floor."""
        return any(camera.floor for camera in self.cameras.values())


class Sku(Section):
    """A product that is sold from the shelf."""

    name: Text = Field(description="What people call it")
    weight_g: Grams = Field(validation_alias="weight", description="Weight of one unit with its packing: '352 g'")
    spread_g: SpreadGrams = Field(
        validation_alias="spread",
        default_factory=lambda data: default_spread_g(data.get("weight_g", 0.0)),
        description="Standard deviation from unit to unit, for example '2 g'. Left out: not known, and 1 % of the "
        "weight is taken, at least 1 g",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_spread_is_unknown_spread(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if v is not None or k not in ("spread", "spread_g")}
        return value


def default_spread_g(weight_g: float) -> float:
    """The unit-to-unit standard deviation of a SKU nobody has weighed: 1 % of its weight, at least 1 g.

    82 units of 33 SKUs weighed in a real store gave 0.8 % (median 2.1 g), so this errs towards caution.
    """
    return max(0.01 * weight_g, 1.0)


class Slot(Section):
    """A place on a board where units of one SKU lie. Slots may overlap."""

    board: Reference = Field(description="Id of the board, as in the node file")
    sku: Reference = Field(description="Id of the SKU, as under `skus`")
    x_mm: Extent = Field(validation_alias="x", description="From and to, from the board's left edge: [0 mm, 110 mm]")
    y_mm: Extent | None = Field(
        default=None,
        validation_alias="y",
        description="From and to, from the board's front edge: [0 mm, 400 mm]. Left out: the whole depth",
    )
    count: int = Field(ge=0, le=MOST_ITEMS, description="How many units lie there when the node starts")


class Planogram(Section):
    """A shelfedge planogram: what is sold, and where it lies."""

    skus: dict[Id, Sku] = Field(description="The products by id (a stock number or a barcode)")
    slots: dict[Id, Slot] = Field(description="The places on the boards by id")
