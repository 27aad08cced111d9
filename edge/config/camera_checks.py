"""What no field of a camera can tell alone: boards that aren't there, options without what they belong to."""

from __future__ import annotations

from pathlib import Path

from drivers.camera.options import misfits
from edge.config.camera_schema import SHIPPED
from edge.config.node_file import NodePieces
from edge.config.wording import close_match, problem_at


def check_cameras(pieces: NodePieces) -> None:
    """Every camera looks at something that is there, has a name of its own, and no model's options without a model."""
    boards = pieces.boards
    for name, camera in pieces.cameras.items():
        looks_at = camera.values.get("looks_at")
        board = None if looks_at is None else looks_at.board
        if boards is not None and board is not None and board not in boards:
            guess = close_match(board, boards)
            hint = f"did you mean '{guess}'?" if guess else f"expected one of: {', '.join(boards)}"
            expected = f"there is no such board; {hint}"
            camera.problems.append(problem_at(camera.file, camera.path, camera.node, ("looks_at", "board"), expected))
        if boards is not None and name in boards:
            camera.add(None, f"a board is called '{name}' too; expected a name of its own, since both stand in notices")
        if "model" not in camera.values:
            given = camera.node.value if isinstance(camera.node.value, dict) else {}
            for option in ("labels", "threads"):
                if option in given and "model" not in given:
                    camera.add(option, "expected model beside it; without one it means nothing")


def check_sight(pieces: NodePieces) -> None:
    """Cameras' drivers get options that they know; tracks of others have a way here; pictures are kept of somebody.

    A trace may bring a node file that says otherwise: nothing is run by it.
    """
    for camera in pieces.cameras.values():
        driver = camera.values.get("driver")
        for misfit in [] if driver is None else misfits(driver.type, driver.options):
            keys = ("driver", *misfit.where)
            camera.problems.append(problem_at(camera.file, camera.path, camera.node, keys, misfit.text))
        if driver is not None and driver.type == "video" and driver.options.get("paced") is False:
            text = "expected true, or nothing: at a node frames come in their own time, beside what the boards weigh"
            camera.problems.append(problem_at(camera.file, camera.path, camera.node, ("driver", "paced"), text))
    tracks, recording = pieces.sections.get("tracks"), pieces.sections.get("recording")
    if tracks is not None and tracks.values.get("nodes"):
        if "uplink" not in pieces.sections:
            tracks.add("nodes", "expected uplink in this file: tracks of other nodes come over the broker")
        own = pieces.node.values.get("node")
        if own in tracks.values["nodes"]:
            tracks.add("nodes", f"{own} is this node itself; expected others (its own cameras' tracks count anyway)")
    if recording is not None and recording.values.get("frames_hz") and not pieces.cameras:
        recording.add("frames_hz", "expected cameras in this file; there is none whose pictures could be kept")


def check_camera_files(pieces: NodePieces, folder: Path) -> None:
    """Models, labels and videos that cameras name, relative to ``folder``, are there."""
    for camera in pieces.cameras.values():
        for attribute in ("model", "labels"):
            named = camera.values.get(attribute)
            if named is None or (attribute, named) == ("model", SHIPPED):
                continue
            if missing := _missing(folder / named):
                camera.add(attribute, missing)
        driver = camera.values.get("driver")
        video = None if driver is None or driver.type != "video" else driver.options.get("file")
        if isinstance(video, str) and (missing := _missing(folder / video)):
            keys = ("driver", "file")
            camera.problems.append(problem_at(camera.file, camera.path, camera.node, keys, missing))


def _missing(path: Path) -> str:
    """What is said of a file that isn't one; empty where it is there, or lies where we mustn't look."""
    try:
        there = path.is_file()
    except OSError:
        return ""
    if there:
        return ""
    where = f"(looked in {path.absolute().parent})"
    return f"expected a file, not a folder {where}" if path.is_dir() else f"there is no such file; put it there {where}"
