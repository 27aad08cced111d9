"""What cameras saw, made anew from a trace's frames by the code that looks live (`edge.vision.look`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.trace.epoch import Epoch
from edge.trace.errors import TraceError
from edge.trace.jpeg import JpegDecoder
from edge.trace.reader import TraceReader
from edge.trace.sighting import ShelfLook, Sighting
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.vision.look import Look

RUN = 0
"""In the names of new tracks, so that the same trace gives the same ones each time."""


def cameras_with_frames(reader: TraceReader) -> set[str]:
    """The cameras whose frames are in a trace; reads all of it."""
    return {frame.camera for epoch in reader.whole_epochs(sightings=False) for frame in epoch.frames}


class LookAgain:
    """Sightings of epochs with frames, in order; the same each time (P8), though the live ones were of better pictures.

    What was recorded of cameras without frames in the trace, as those of other nodes, stays as it is.

    Args:
        folder: of the node file, which names models relative to it; None: models are left out.
    Attributes:
        refused: frames that couldn't be looked at. problems: sentences, complete when the trace has been read.
    Raises:
        TraceError: there are no frames of any camera of the config.
    """

    def __init__(self, reader: TraceReader, folder: Path | None = None) -> None:
        setup = reader.require_setup()
        self.refused = 0
        self._failed: list[str] = []
        self._cameras = cameras_with_frames(reader) & set(setup.node.cameras)
        if not self._cameras:
            raise TraceError(
                f"{reader.path}: there are no frames in it of any camera of the config, so there is nothing to look at "
                "again; a node keeps frames where its file says so (`recording: {frames: 5 Hz}`), and `shelfedge "
                "record --frames` takes them out"
            )
        self._setup = setup
        self._folder = folder
        self._looks: dict[str, Look] = {}
        self._decoders: dict[str, JpegDecoder] = {}

    @property
    def problems(self) -> list[str]:
        """What was missing: a record, a model, frames that couldn't be used."""
        found = [problem for look in self._looks.values() for problem in look.problems]
        if self._folder is None:
            found += [
                f"{name}: looked at without its model, which isn't in the trace; give its node file with --config"
                for name in sorted(self._cameras)
                if self._setup.node.cameras[name].model is not None
            ]
        return [*found, *self._failed]

    def __call__(self, epoch: Epoch) -> list[Sighting]:
        """What is seen in an epoch; each epoch once, in order."""
        found = [sighting for sighting in epoch.sightings if _camera(sighting) not in self._cameras]
        for recorded in epoch.frames:
            if recorded.camera not in self._cameras:
                continue
            look, decoder = self._eye(recorded.camera)
            try:
                found += look.push(decoder.decoded(recorded))
            except ShelfedgeError as error:
                self.refused += 1
                if str(error) not in self._failed:
                    self._failed.append(str(error))
        return found

    def _eye(self, camera: str) -> tuple[Look, JpegDecoder]:
        if camera not in self._looks:
            from edge.vision.look import Look

            self._looks[camera] = Look(camera, self._setup, RUN, self._folder)
            self._decoders[camera] = JpegDecoder()
        return self._looks[camera], self._decoders[camera]


def _camera(sighting: Sighting) -> str:
    return sighting.camera if isinstance(sighting, ShelfLook) else sighting.track.rsplit(".", 2)[0]
