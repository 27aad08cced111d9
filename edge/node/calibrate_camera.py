"""A calibration of one of a node's cameras: from marks in a picture to the record in its store."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera_fit import Mark
from calibration.camera_record import BoardPlane, CameraPoint, CameraRecord
from calibration.camera_verdict import CameraOutcome, SeenMark, Site
from calibration.record import CalibrationError
from calibration.store import CameraStore
from drivers.camera.build import build_camera
from drivers.camera.contract import CameraDriver
from edge.config.camera_schema import Camera
from edge.config.setup import Setup
from edge.config.wording import close_match
from edge.node.board_source import UnknownBoardError
from edge.node.calibrate import store_of
from edge.node.calibrate_result import finding_data
from edge.vision.camera_map import SHAPE_TOLERANCE

FLOOR_TAPE_MM, BOARD_TAPE_MM = 10.0, 2.0
"""How well a place is measured with a tape, where nothing else is said."""
SETTLE_S = 1.0


def camera_of(setup: Setup, camera: str, node_path: Path) -> Camera:
    """A camera of the node file. Raises UnknownBoardError for one that it doesn't have, with those that it has."""
    cameras = setup.node.cameras
    if camera in cameras:
        return cameras[camera]
    if camera in setup.node.boards:
        raise UnknownBoardError(f"'{camera}' is a board; calibrate it with: shelfedge calibrate {camera} {node_path}")
    guess = close_match(camera, cameras)
    known = f"it has {', '.join(cameras)}" if cameras else "it has none; add it under `cameras`"
    hint = f"did you mean '{guess}'?" if guess else known
    if "camera" in setup.node.boards:
        hint += f" (the board 'camera' is calibrated with: shelfedge calibrate run camera {node_path})"
    raise UnknownBoardError(f"{node_path} has no camera '{camera}'; {hint}")


def site_of_camera(setup: Setup, camera: Camera) -> Site:
    """What it looks at, as calibration sees it."""
    if camera.board is None:
        return Site("floor")
    board = setup.node.boards[camera.board]
    return Site(camera.board, (board.width_mm, board.depth_mm))


def camera_store_of(setup: Setup, node_path: Path) -> CameraStore:
    """Where the node's camera records lie. Raises CalibrateError for a node file that names one file for all boards."""
    return CameraStore(store_of(setup, node_path).folder)


def driver_of(name: str, camera: Camera, node_path: Path) -> CameraDriver:
    """The camera's driver, not started yet; files are relative to the node file. Raises DriverError."""
    options = dict(camera.driver.options)
    if isinstance(options.get("file"), str):
        options["file"] = str(node_path.parent / str(options["file"]))
    if camera.driver.type == "simulated":
        from edge.node.simulated_cameras import scene_options

        options = scene_options(camera)
    return build_camera(name, camera.driver.type, options)


def settle_s(camera: Camera) -> float:
    """How long its exposure takes to settle."""
    if camera.driver.type != "picamera2":
        return SETTLE_S if camera.driver.type == "simulated" else 0.0
    value = camera.driver.options.get("settle_s", 4.0)
    return float(value) if isinstance(value, (int, float)) else 4.0


def check_shape(name: str, camera: Camera, size: tuple[int, int]) -> None:
    """Raises CalibrationError where the camera's frames, as far as the node file tells, have another shape than the
    picture that it is calibrated in: then they don't show the same view."""
    frames = camera.driver.options.get("size", [320, 240] if camera.driver.type == "picamera2" else None)
    if not (isinstance(frames, list) and len(frames) == 2):
        return
    across, down = frames[0] / size[0], frames[1] / size[1]
    if abs(across / down - 1.0) > SHAPE_TOLERANCE:
        raise CalibrationError(
            f"{name}: the picture is {size[0]} x {size[1]}, and the camera's frames are {frames[0]} x {frames[1]} "
            "(`size` in the node file): they can't show the same view; give a picture of that shape, or change `size`"
        )


def record_from(camera: str, outcome: CameraOutcome, by_tags: bool, made: str) -> CameraRecord:
    """The record of an outcome."""
    plane = outcome.fit.plane
    errors = [seen.error_mm for seen in outcome.marks]
    rows = [tuple(row) for row in (0.5 * (plane.covariance + plane.covariance.T)).tolist()]
    first, second, third = plane.to_pixels.tolist()
    return CameraRecord(
        camera=camera,
        looks_at="floor" if outcome.site.board_mm is None else BoardPlane(board=outcome.site.what),
        made=made,
        by="tags" if by_tags else "points",
        size=plane.size,
        origin_mm=(float(plane.origin_mm[0]), float(plane.origin_mm[1])),
        to_pixels=(tuple(first), tuple(second), tuple(third)),
        radial=plane.radial,
        covariance=tuple(rows),
        pixel_sd=max(mark.mark.pixel_sd for mark in outcome.marks) * outcome.fit.pixel_factor,
        median_mm=round(statistics.median(errors), 2),
        worst_mm=round(max(errors), 2),
        place_sd_mm=None if outcome.area is None else round(outcome.area.median_mm, 2),
        points=tuple(_point(seen) for seen in outcome.marks),
    )


def _point(seen: SeenMark) -> CameraPoint:
    mark = seen.mark
    x_px, y_px = mark.pixels.mean(axis=0).tolist()
    x_mm, y_mm = mark.places_mm.mean(axis=0).tolist()
    return CameraPoint(
        name=mark.name, x_mm=round(x_mm, 2), y_mm=round(y_mm, 2), x_px=round(x_px, 3), y_px=round(y_px, 3),
        error_mm=round(seen.error_mm, 2),
    )  # fmt: skip


def camera_data(camera: str, outcome: CameraOutcome) -> dict[str, Any]:
    """The outcome as plain values."""
    area, fit = outcome.area, outcome.fit
    return {
        "camera": camera,
        "looks_at": outcome.site.what,
        "verdict": outcome.verdict,
        "marks": [mark_data(seen) for seen in outcome.marks],
        "place_sd_mm": None
        if area is None
        else {"median": round(area.median_mm, 1), "worst_twentieth": round(area.worst_mm, 1)},
        "radial": round(fit.plane.radial, 4),
        "print_scale": round(fit.print_scale, 4),
        "findings": [finding_data(finding) for finding in outcome.findings],
    }


def mark_data(seen: SeenMark) -> dict[str, Any]:
    """A mark as plain values."""
    x_mm, y_mm = seen.seen_mm
    finite = bool(np.isfinite(seen.error_mm))
    return {
        "name": seen.mark.name,
        "x_mm": seen.mark.at_mm[0],
        "y_mm": seen.mark.at_mm[1],
        "seen_x_mm": round(x_mm, 1) if finite else None,
        "seen_y_mm": round(y_mm, 1) if finite else None,
        "error_mm": round(seen.error_mm, 1) if finite else None,
    }


def has_tags(marks: Sequence[Mark]) -> bool:
    """Some of them are sheets."""
    return any(len(mark.local_mm) > 1 for mark in marks)
