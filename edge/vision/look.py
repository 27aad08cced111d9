"""From one camera's frames to what is told of people or slots: the same way for a live camera and for recorded frames.

No threads and no clock: the same frames give the same sightings (P8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from calibration.camera_record import CameraRecord
from drivers.frames import Frame
from edge.config.camera_schema import Camera
from edge.config.setup import Setup
from edge.trace.sighting import ShelfLook, Sighting, TrackPoint
from edge.vision.camera_map import map_of
from edge.vision.errors import FloorPointsError, FrameShapeError
from edge.vision.floor import FloorMap
from edge.vision.inference.errors import ModelError
from edge.vision.tracker import Track, Tracker

if TYPE_CHECKING:
    from edge.vision.inference.classifier import Classifier
    from edge.vision.inference.detector import Detector
    from edge.vision.people import PeopleWatch
    from edge.vision.shelf import ShelfWatcher

MOST_RUNS = 1 << 16
SHIPPED = "shipped"
"""As a camera's `model`: the classifier that comes with shelfedge."""


@dataclass(slots=True)
class Named:
    """The highest number that a camera has named anybody by in this run. Who comes after a new begin gets a higher one,
    or two people would have one name.
    """

    highest: int = 0


class _Watch(Protocol):
    """Turns frames of one size into sightings."""

    def push(self, frame: Frame) -> list[Sighting]:
        """As `Look.push`."""


class Look:
    """Looks through one camera's frames.

    Args:
        setup: what the camera looks at, its record, what lies where.
        run: 0 to 65535, part of the tracks' names; others than those of an earlier start.
        folder: of the node file, which names the model relative to it; None: without the model.
        named: the camera's, where another look of the same run may have been before this one.
    Attributes:
        problems: sentences about what is missing (a record, a model); what can be told without it is told.
    """

    def __init__(
        self, camera: str, setup: Setup, run: int, folder: Path | None = None, named: Named | None = None
    ) -> None:
        self.problems: list[str] = []
        self._camera = camera
        self._setup = setup
        self._options: Camera = setup.node.cameras[camera]
        self._record: CameraRecord | None = setup.cameras.get(camera)
        self._run = run
        self._named = named or Named()
        self._detector: Detector | None = None
        self._classifier: Classifier | None = None
        self._watch: _Watch | None = None
        self._shape: tuple[int, ...] | None = None
        if self._options.model is not None and (folder is not None or self._options.model == SHIPPED):
            self._open_model(self._options.model, folder or Path())
        if self._record is None:
            told = "people are followed, but nobody knows where they stand" if self._options.floor else "it is no help"
            self.problems.append(
                f"{camera}: it isn't calibrated, so {told}; run `shelfedge calibrate camera {camera}` and name the "
                "folder of its record as `calibration:` in the node file"
            )

    def push(self, frame: Frame) -> list[Sighting]:
        """What this frame tells. A frame of another size than the one before begins anew, with new names.

        Raises FrameTimeError for a frame that is older than the one before; FrameShapeError for one that is no
        picture. Such frames change nothing.
        """
        if self._watch is None or frame.y.shape != self._shape:
            if frame.y.ndim != 2:
                raise FrameShapeError(f"camera {self._camera}: luma has {frame.y.ndim} dimensions; expected two")
            self._shape, self._watch = frame.y.shape, self._new_watch(*frame.y.shape)
        try:
            return self._watch.push(frame)
        except FloorPointsError as error:
            self.problems.append(f"{self._camera}: {error}; run `shelfedge calibrate camera {self._camera}`")
            self._watch = _NothingToTell()
        return []

    def _new_watch(self, height: int, width: int) -> _Watch:
        plane = self._plane(width, height)
        if self._options.floor:
            prefix = f"{self._camera}.{self._run}"
            return _FloorWatch(prefix, self._named, Tracker(plane), self._detector, self._tell_model)
        if plane is None:
            return _NothingToTell()
        from edge.vision.shelf import shelf_watcher

        return _ShelfWatch(shelf_watcher(self._camera, self._setup, plane, self._classifier), self._give_up_classifier)

    def _give_up_classifier(self, problem: str) -> None:
        self._classifier = None
        self._tell_model(problem)

    def _tell_model(self, problem: str) -> None:
        self.problems.append(f"{self._camera}: {problem}; the camera goes on without a model")

    def _plane(self, width: int, height: int) -> FloorMap | None:
        try:
            return None if self._record is None else map_of(self._record, width, height)
        except FrameShapeError as error:
            self.problems.append(str(error))
            return None

    def _open_model(self, model: str, folder: Path) -> None:
        from edge.vision.inference.open import open_classifier, open_detector  # only who has a model needs a runtime

        labels = None if self._options.labels is None else folder / self._options.labels
        try:
            if self._options.floor:
                self._detector = open_detector(folder / model, labels, self._options.threads)
            else:
                path = None if model == SHIPPED else folder / model
                self._classifier = open_classifier(path, labels, self._options.threads)
        except ModelError as error:
            self._tell_model(str(error))


class _FloorWatch:
    def __init__(
        self, prefix: str, named: Named, tracker: Tracker, detector: Detector | None, tell: Callable[[str], None]
    ) -> None:
        self._prefix = prefix
        self._named, self._after = named, named.highest
        self._tracker = tracker
        self._tell = tell
        self._people: PeopleWatch | None = None
        self._told = False
        if detector is not None:
            from edge.vision.people import PeopleWatch

            self._people = PeopleWatch(tracker, detector)

    def push(self, frame: Frame) -> list[Sighting]:
        """As `Look.push`."""
        people = self._people
        tracks = self._tracker.push(frame) if people is None else people.push(frame)
        if people is not None and people.problem is not None and not self._told:
            self._told = True
            self._tell(people.problem)
        numbers = [self._after + track.identity for track in tracks]
        self._named.highest = max([self._named.highest, *numbers])
        points = (
            _point(f"{self._prefix}.{number}", frame.time_ns, track)
            for number, track in zip(numbers, tracks, strict=True)
        )
        return [point for point in points if point is not None]


class _ShelfWatch:
    def __init__(self, watcher: ShelfWatcher, tell: Callable[[str], None]) -> None:
        self._watcher = watcher
        self._tell = tell
        self._told = False

    def push(self, frame: Frame) -> list[Sighting]:
        """As `Look.push`."""
        look: ShelfLook | None = self._watcher.push(frame)
        if self._watcher.problem and not self._told:
            self._told = True
            self._tell(self._watcher.problem)
        return [] if look is None else [look]


class _NothingToTell:
    def push(self, frame: Frame) -> list[Sighting]:
        """As `Look.push`."""
        return []


def _point(name: str, time_ns: int, track: Track) -> TrackPoint | None:
    """The track in the words of sight; None where nobody knows its place. Rounded: a trace then takes a third."""
    place, spread, velocity = track.floor_mm, track.floor_covariance, track.floor_velocity_mm_s
    if place is None or spread is None or velocity is None:
        return None
    return TrackPoint(
        name,
        time_ns,
        round(place[0], 1),
        round(place[1], 1),
        float(max(round(spread[0]), 1)),
        float(round(spread[1])),
        float(max(round(spread[2]), 1)),
        float(round(velocity[0])),
        float(round(velocity[1])),
        track.hidden,
        track.clothes,
    )
