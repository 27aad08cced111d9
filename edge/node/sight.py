"""All that tells a node of people: its cameras, and the tracks of other nodes. Made only where there is any of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers.camera.contract import CameraDriver
from drivers.frames import Frame
from edge.config.live_schema import with_absolute_files
from edge.config.setup import Setup
from edge.node.eye import Looking
from edge.node.eyes import Eyes
from edge.node.supervise import Part
from edge.stream.track_link import TrackLink
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_receiver import TrackReceiver
from edge.stream.uplink.topics import Names
from edge.trace.sighting import Sighting
from edge.vision.look import MOST_RUNS, Look, Named


class Sight:
    """Cameras' threads, and the connection that tracks travel by.

    Args:
        make: the cameras' drivers.
        keep: recording's; told of all frames.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        setup: Setup,
        node_path: Path,
        make: Callable[[str], CameraDriver],
        clock: Callable[[], int],
        keep: Callable[[Sequence[Frame]], None],
    ) -> None:
        node = setup.node
        self._setup = setup
        self._folder = node_path.parent
        self._clock = clock
        self._named = {camera: Named() for camera in node.cameras}
        self._run = secrets.randbelow(MOST_RUNS)
        tells = node.uplink is not None and node.tracks.publish and node.follows_people
        self._publisher = TrackPublisher(self._run) if tells else None
        self._receiver = TrackReceiver(node.tracks.nodes, clock) if node.tracks.nodes else None
        self.eyes = Eyes(node.cameras, make, self._look, clock, keep, self._publisher)
        self._link = self._new_link()

    def take(self) -> list[Sighting]:
        """What was seen, here and elsewhere, since the last call. Never waits."""
        seen = self.eyes.take()
        if self._receiver is not None:
            seen.extend(self._receiver.take())
        return seen

    def replan(self, setup: Setup) -> None:
        """Another planogram is in force."""
        self._setup = setup
        self.eyes.look_anew()

    def parts(self) -> list[Part]:
        """For the supervisor."""
        eyes, link = self.eyes, self._link
        parts = (
            [Part("cameras", eyes.start, eyes.stop, lambda: eyes.alive, eyes.tick)] if self._setup.node.cameras else []
        )
        if link is not None:
            parts.append(Part("tracks", link.start, link.stop, lambda: link.alive))
        return parts

    def report(self, taken: tuple[int, int], doubts: Mapping[str, float]) -> dict[str, Any]:
        """For health. ``taken``: how many sightings the loop could use, and how many it couldn't; ``doubts``: fusion's,
        by camera.
        """
        used, late = taken
        found: dict[str, Any] = {
            "cameras": {name: {**each, "doubt": doubts.get(name)} for name, each in self.eyes.report().items()},
            "sightings": {"taken": used, "late": late, "dropped": self.eyes.dropped},
        }
        if self._link is not None:
            found["tracks"] = self._link.state()
            if self._receiver is not None:
                found["tracks"]["problems"] = self._receiver.problems(self._clock())
        return found

    def _look(self, camera: str) -> Looking:
        return Look(camera, self._setup, self._run, self._folder, self._named[camera])

    def _new_link(self) -> TrackLink | None:
        node = self._setup.node
        if node.uplink is None or (self._publisher is None and self._receiver is None):
            return None
        options = with_absolute_files(node.uplink, self._folder)
        return TrackLink(options, Names(node.store, node.node), self._publisher, self._receiver, self._clock)
