"""The calibration record of a camera: what turns places on the floor, or on a board, into pixels, and how sure it is.

A place x, y in mm, less ``origin_mm``, goes by ``to_pixels`` (a homography) to the pixel that a lens without distortion
would show it at; the lens then draws it nearer to the picture's middle or farther from it, by one coefficient of the
division model (Fitzgibbon 2001): straight = middle + (pixel - middle) / (1 + radial * r²), r being the pixel's distance
from the middle, 1 in the picture's corners. Pixels count from the upper left corner, so that the first one's own middle
is at 0.5, 0.5.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from calibration.record import CalibrationError

FORMAT_VERSION = 1
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Row3 = tuple[_Finite, _Finite, _Finite]
_Side = Annotated[int, Field(ge=16, le=65_535)]
ELEMENTS = 9
"""What the covariance is of: eight elements of ``to_pixels``, row by row (the ninth is 1), then ``radial``."""


class BoardPlane(BaseModel):
    """The plane of a board, x from its left and y from its front edge, as in slots."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: str


class CameraPoint(BaseModel):
    """A point that the calibration was made from: its place, where it was seen, how far off it is by the record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    x_mm: _Finite
    y_mm: _Finite
    x_px: _Finite
    y_px: _Finite
    error_mm: _NonNegative


class CameraRecord(BaseModel):
    """One camera, in the node file's names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    camera: str
    looks_at: Literal["floor"] | BoardPlane
    """The plane whose places it knows: the store's floor (store coordinates), or a board."""
    made: str = ""
    """When and by whom, for people: an ISO time, with its offset from UTC."""
    by: Literal["points", "tags"] = "points"
    size: tuple[_Side, _Side]
    """Width and height in pixels of the picture that the pixels here count in; frames of another size are scaled."""
    origin_mm: tuple[_Finite, _Finite]
    """A place that the camera sees; the store's own origin may lie behind it."""
    to_pixels: tuple[_Row3, _Row3, _Row3]
    radial: Annotated[float, Field(gt=-0.9, lt=3.0)] = 0.0
    covariance: tuple[tuple[_Finite, ...], ...]
    pixel_sd: _NonNegative = 0.0
    """How well the points were seen, pixels."""
    median_mm: _NonNegative = 0.0
    worst_mm: _NonNegative = 0.0
    """How far the points are off, by this record."""
    place_sd_mm: _NonNegative | None = None
    """How well places are known over what the camera sees of its plane, in the median."""
    points: tuple[CameraPoint, ...] = ()

    @property
    def board(self) -> str | None:
        """The board that it looks at; None for the floor."""
        return None if self.looks_at == "floor" else self.looks_at.board

    @field_validator("to_pixels")
    @classmethod
    def _shows_a_plane(cls, value: tuple[_Row3, _Row3, _Row3]) -> tuple[_Row3, _Row3, _Row3]:
        if value[2][2] != 1.0:
            raise ValueError("expected 1 as its last element")
        a, b, c = (tuple(row[k] / (math.hypot(*(each[k] for each in value)) or 1.0) for row in value) for k in range(3))
        cross = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
        if abs(sum(x * y for x, y in zip(a, cross, strict=True))) < 1e-9:
            raise ValueError("expected a matrix that can be inverted: these rows show a plane from its edge")
        return value

    @field_validator("covariance")
    @classmethod
    def _is_a_covariance(cls, value: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if len(value) != ELEMENTS or any(len(row) != ELEMENTS for row in value):
            raise ValueError(f"expected {ELEMENTS} rows of {ELEMENTS} numbers")
        for i, row in enumerate(value):
            for j in range(i + 1):
                most = math.sqrt(max(value[i][i], 0.0) * max(value[j][j], 0.0)) * (1.0 + 1e-6)
                if row[i] < 0.0 or abs(row[j]) > most or abs(row[j] - value[j][i]) > 1e-6 * most:
                    raise ValueError("expected a covariance: symmetric, none below zero, no correlation above 1")
        return value


def camera_from_json(text: str, where: str) -> CameraRecord:
    """The record in a JSON text. Raises CalibrationError naming ``where``, the key and what is expected."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise CalibrationError(f"{where}:{error.lineno}: not JSON ({error.msg}); expected a camera record") from None
    except (ValueError, RecursionError):
        raise CalibrationError(f"{where}: something else in JSON; expected a camera record") from None
    if not isinstance(data, Mapping):
        raise CalibrationError(f"{where}: expected a camera record (a JSON object), got {type(data).__name__}")
    if "cells" in data:
        raise CalibrationError(f"{where}: a board's calibration record; expected a camera's")
    version = data.get("version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise CalibrationError(
            f"{where}: record version {version} is newer than this shelfedge knows ({FORMAT_VERSION}); update shelfedge"
        )
    try:
        return CameraRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        expected = first["msg"].removeprefix("Value error, ")
        got = repr(first.get("input"))
        shown = f" (got {got})" if len(got) <= 80 and first["type"] != "missing" else ""
        raise CalibrationError(f"{where}: {key}: {expected}{shown}") from None


def camera_to_json(record: CameraRecord) -> str:
    """The record as a file's text."""
    return json.dumps(record.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)
