"""What an installer tells of marks: points and sheets, on the command line or in a CSV file, as `Mark`s."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration.camera_fit import Mark
from calibration.camera_verdict import Site
from calibration.tag_sheet import PAPERS, Paper, paper_of, place_of
from edge.config.quantity import ANGLE, FLOOR
from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]

CLICK_SD_PX, TAG_SD_PX = 1.5, 0.25
TURN_SD_RAD = math.radians(1.5)  # a bar of 150 mm laid along a joint or a line by eye
MOST_LINES = 1000
OFF_BOARD_MM = 100.0  # a mark may lie beside its board, and half the board's size more
_PIXEL = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
POINT_HINT = "expected a place and its pixel, for example '1200 mm, 300 mm = 812, 440'"
SHEET_HINT = "expected a sheet's number, where its bar begins and points to, for example '2: 1200 mm, 300 mm, 90 deg'"
POINT_COLUMNS = ("x_mm", "y_mm", "x_px", "y_px")
SHEET_COLUMNS = ("sheet", "x_mm", "y_mm", "direction_deg")


class MarksError(ShelfedgeError, ValueError):
    """What is told of marks can't be used. Examples: a row without a pixel, a sheet that the camera doesn't see."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place and where it is seen."""

    name: str
    x_mm: float
    y_mm: float
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True)
class SheetPlace:
    """Where a sheet's bar begins and what direction it points to, counter-clockwise from +x."""

    sheet: int
    x_mm: float
    y_mm: float
    direction_deg: float


def point_of(text: str, number: int) -> Point:
    """A point as it stands on the command line. Raises MarksError."""
    place, equals, pixel = text.partition("=")
    x_mm, comma, y_mm = place.partition(",")
    match = re.fullmatch(rf"\s*({_PIXEL})\s*,\s*({_PIXEL})\s*(?:px)?\s*", pixel)
    if not (equals and comma and match):
        raise MarksError(f"{POINT_HINT}; got '{text}'")
    try:
        return Point(f"point {number}", FLOOR.parse(x_mm), FLOOR.parse(y_mm), float(match[1]), float(match[2]))
    except ValueError as error:
        raise MarksError(f"{error}; {POINT_HINT}; got '{text}'") from None


def sheet_place_of(text: str) -> SheetPlace:
    """A sheet's place as it stands on the command line; without a number it is sheet 1. Raises MarksError."""
    number, colon, place = text.rpartition(":")
    parts = place.split(",")
    digits = re.fullmatch(r"\s*(?:sheet\s*)?([0-9]{1,3})\s*", number) if colon else re.fullmatch("(1)", "1")
    if digits is None or len(parts) != 3:
        raise MarksError(f"{SHEET_HINT}; got '{text}'")
    try:
        x_mm, y_mm, direction = FLOOR.parse(parts[0]), FLOOR.parse(parts[1]), ANGLE.parse(parts[2])
    except ValueError as error:
        raise MarksError(f"{error}; {SHEET_HINT}; got '{text}'") from None
    return _known_sheet(SheetPlace(int(digits[1]), x_mm, y_mm, direction))


def marks_file(path: Path) -> tuple[list[Point], list[SheetPlace]]:
    """Points, or sheets' places, out of a CSV file, by its header. Raises MarksError with the line; OSError."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[:1] != "#"]
    if not rows:
        raise MarksError(f"{path}: is empty; expected a header, {','.join(POINT_COLUMNS)}, and a row for each point")
    header = tuple(name.strip() for name in rows[0][1].split(","))
    if set(header) not in ({*POINT_COLUMNS}, {*SHEET_COLUMNS}):
        raise MarksError(
            f"{path}:{rows[0][0]}: expected the columns {','.join(POINT_COLUMNS)} for points, or "
            f"{','.join(SHEET_COLUMNS)} for sheets; got {','.join(header)[:80]}"
        )
    if len(rows) > MOST_LINES:
        raise MarksError(f"{path}: {len(rows) - 1} rows; expected at most {MOST_LINES - 1}")
    points: list[Point] = []
    sheets: list[SheetPlace] = []
    for number, line in rows[1:]:
        values = _numbers(next(csv.reader([line])), header, f"{path}:{number}")
        if "sheet" not in values:
            points.append(Point(f"line {number}", *(values[name] for name in POINT_COLUMNS)))
            continue
        if values["sheet"] != int(values["sheet"]):
            raise MarksError(f"{path}:{number}: sheet: expected a whole number, as it stands on the sheet")
        try:
            place = SheetPlace(int(values["sheet"]), *(values[name] for name in SHEET_COLUMNS[1:]))
            sheets.append(_known_sheet(place))
        except MarksError as error:
            raise MarksError(f"{path}:{number}: {error}") from None
    return points, sheets


def point_marks(points: Sequence[Point], size: tuple[int, int], tape_mm: float) -> list[Mark]:
    """Raises MarksError for a pixel outside of the picture, or two points at one place or pixel."""
    marks: list[Mark] = []
    for point in points:
        if not (0.0 <= point.x_px <= size[0] and 0.0 <= point.y_px <= size[1]):
            raise MarksError(
                f"{point.name}: pixel {point.x_px:g}, {point.y_px:g} isn't in the picture, which has {size[0]} x "
                f"{size[1]}; read it in a picture of that size"
            )
        for other, mark in zip(points, marks, strict=False):
            if (other.x_mm, other.y_mm) == (point.x_mm, point.y_mm):
                raise MarksError(f"{point.name} has the same place as {mark.name}; expected another")
            if (other.x_px, other.y_px) == (point.x_px, point.y_px):
                raise MarksError(f"{point.name} has the same pixel as {mark.name}; expected another")
        pixel = np.array([[point.x_px, point.y_px]])
        at = point.x_mm, point.y_mm
        marks.append(Mark(point.name, at, 0.0, tape_mm, 0.0, np.zeros((1, 2)), pixel, CLICK_SD_PX))
    return marks


def check_places(marks: Sequence[Mark], site: Site) -> None:
    """Raises MarksError for a mark so far off its board that its place must be the store floor's."""
    if site.board_mm is None:
        return
    for mark in marks:
        for at_mm, side_mm in zip(mark.at_mm, site.board_mm, strict=True):
            beside_mm = 0.5 * side_mm + OFF_BOARD_MM
            if not -beside_mm <= at_mm <= side_mm + beside_mm:
                raise MarksError(
                    f"{mark.name}: {mark.at_mm[0]:g} mm, {mark.at_mm[1]:g} mm is far off board {site.what}, which is "
                    f"{site.board_mm[0]:g} x {site.board_mm[1]:g} mm; expected a place on the board, measured from its "
                    "left and its front edge as in slots, not on the store's floor"
                )


def sheet_marks(
    places: Sequence[SheetPlace], tags: Mapping[int, Floats], tape_mm: float, bar_mm: float | None
) -> tuple[list[Mark], list[str]]:
    """The sheets as marks, and sentences on what was not used.

    Args:
        tags: corners by tag, as `calibration.tags.find_tags` gives them.
        bar_mm: how long the ruler bar really is on the print; None: as it should be.
    Raises:
        MarksError: a sheet that has a place but isn't seen, one that is seen and has no place, or none at all.
    """
    twice = sorted({each.sheet for each in places if sum(each.sheet == other.sheet for other in places) > 1})
    if twice:
        raise MarksError(f"sheet {twice[0]} is given two places; expected one (every sheet has its own number)")
    seen: dict[int, list[tuple[Paper, int, Floats]]] = {}
    strange = []
    for tag, corners in tags.items():
        known = place_of(tag)
        if known is None:
            strange.append(tag)
            continue
        seen.setdefault(known[0], []).append((known[1], known[2], corners))
    told = [f"tag {tag} is on none of our sheets; it wasn't used" for tag in strange]
    missing = [each.sheet for each in places if each.sheet not in seen]
    if not seen or (missing and len(missing) == len(places)):
        raise MarksError(_not_seen(missing, bool(seen), sorted(seen)))
    told += [f"sheet {sheet} wasn't found in the picture: {_WHY}" for sheet in missing]
    placed = {each.sheet for each in places}
    told += [
        f"sheet {sheet} is in the picture, but has no --sheet-at; it wasn't used" for sheet in seen.keys() - placed
    ]
    marks = []
    for place in places:
        parts = seen.get(place.sheet, [])
        if not parts:
            continue
        paper = parts[0][0]
        grown = 1.0 if bar_mm is None else bar_mm / paper.bar_mm
        if not 0.5 < grown < 2.0:
            raise MarksError(
                f"--bar {bar_mm:g} mm can't be right: sheet {place.sheet}'s bar is {paper.bar_mm:g} mm long"
            )
        local = np.concatenate([paper.corners_mm(number) for _, number, _ in parts]) * grown
        pixels = np.concatenate([corners for _, _, corners in parts])
        at, direction = (place.x_mm, place.y_mm), math.radians(place.direction_deg)
        marks.append(Mark(f"sheet {place.sheet}", at, direction, tape_mm, TURN_SD_RAD, local, pixels, TAG_SD_PX))
    return marks, told


_WHY = "it must lie flat, whole and unshaded, and its tag be some 25 pixels wide and more; a larger one: --paper A3"


def _not_seen(missing: Sequence[int], any_seen: bool, seen: Sequence[int]) -> str:
    if any_seen:
        return (
            f"the picture shows sheet {', '.join(map(str, seen))}, and places are given for sheet "
            f"{', '.join(map(str, missing)) or 'none'}; say where each lies: --sheet-at '{seen[0]}: X mm, Y mm, D deg'"
        )
    return f"no tag sheet was found in the picture: {_WHY}"


def _known_sheet(place: SheetPlace) -> SheetPlace:
    if paper_of(place.sheet) is None:
        numbers = ", ".join(
            f"{each.first_sheet} to {each.first_sheet + each.sheets - 1} ({each.name})" for each in PAPERS
        )
        raise MarksError(f"there is no sheet {place.sheet}; sheets are {numbers}")
    return place


def _numbers(values: Sequence[str], header: Sequence[str], where: str) -> dict[str, float]:
    if len(values) != len(header):
        raise MarksError(f"{where}: expected {len(header)} values ({','.join(header)}), got {len(values)}")
    found = {}
    for name, value in zip(header, values, strict=True):
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise MarksError(f"{where}: {name}: expected a number without a unit, got '{value.strip()[:40]}'")
    return found
