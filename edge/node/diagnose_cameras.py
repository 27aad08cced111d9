"""Each camera of a node that doesn't run is opened and looked at for the time of a diagnosis.

No picture is kept, unless stills are asked for.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.camera.contract import CameraDriver
from drivers.frames import Frame
from edge.config.setup import Setup
from edge.node.control import ask
from edge.node.eye import Looking
from edge.node.eyes import Eyes
from edge.trace.sighting import Sighting
from firmware_bridge.errors import ShelfedgeError

PATIENCE_S = 8.0


class _OnlyWhatIsMissing:
    """Keeps `edge.node.eye.Looking`: says what a camera lacks, and follows nobody."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def push(self, frame: Frame) -> list[Sighting]:
        """Nothing."""
        return []


@contextmanager
def opened_cameras(
    setup: Setup, node_path: Path, make: Callable[[str], CameraDriver], clock: Callable[[], int]
) -> Iterator[Eyes]:
    """All cameras, as long as it lasts."""
    logging.getLogger("shelfedge").addHandler(logging.NullHandler())  # what they complain of is in the diagnosis
    eyes = Eyes(setup.node.cameras, make, _looks(setup, node_path), clock)
    eyes.start()
    try:
        yield eyes
    finally:
        eyes.stop()


def stills_of(cameras: Iterable[str], still: Callable[[str], bytes], say: Callable[[str], None]) -> dict[str, bytes]:
    """By camera; who gives none is told."""
    found = {}
    for camera in cameras:
        try:
            found[camera] = still(camera)
        except ShelfedgeError as error:
            say(f"no still: {error}")
    return found


def still_of_node(folder: Path, camera: str) -> bytes:
    """Of a running node's camera. Raises ControlError with the node's own words."""
    return base64.b64decode(ask(folder, {"do": "still", "camera": camera}, PATIENCE_S)["jpeg"])


def _looks(setup: Setup, node_path: Path) -> Callable[[str], Looking]:
    def look(camera: str) -> Looking:
        from edge.vision.look import Look

        return _OnlyWhatIsMissing(Look(camera, setup, 0, node_path.parent).problems)

    return look
