"""What cameras left in a trace, for a person: the lines of `shelfedge trace info` about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.frames import FrameFlag
from edge.trace.counted import counted
from edge.trace.frame_codec import RecordedFrame
from edge.trace.sighting import ShelfLook, Sighting, TrackPoint


@dataclass(slots=True)
class FramesSummary:
    """Attributes:
    count, bytes: frames of one camera, and their JPEGs.
    sizes: width and height in pixels.
    flags: how many frames have which flag.
    """

    count: int = 0
    bytes: int = 0
    begin_ns: int = 0
    end_ns: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    flags: dict[str, int] = field(default_factory=dict)

    def add(self, frame: RecordedFrame) -> None:
        """The next one."""
        self.begin_ns = frame.time_ns if not self.count else min(self.begin_ns, frame.time_ns)
        self.end_ns = frame.time_ns if not self.count else max(self.end_ns, frame.time_ns)
        self.count += 1
        self.bytes += len(frame.jpeg)
        self.sizes.add((frame.width, frame.height))
        for flag in FrameFlag:
            if flag and frame.flags & flag:
                name = (flag.name or str(flag.value)).lower().replace("_", " ")
                self.flags[name] = self.flags.get(name, 0) + 1


@dataclass(slots=True)
class SightsSummary:
    """Attributes:
    tracks: places by camera and track. looks: looks by camera and board. frames: by camera.
    """

    tracks: dict[str, dict[str, int]] = field(default_factory=dict)
    looks: dict[tuple[str, str], int] = field(default_factory=dict)
    frames: dict[str, FramesSummary] = field(default_factory=dict)

    def add(self, sightings: Iterable[Sighting], frames: Iterable[RecordedFrame]) -> None:
        """The next epoch's."""
        for sighting in sightings:
            if isinstance(sighting, TrackPoint):
                camera = camera_of(sighting.track)
                names = self.tracks.setdefault(camera, {})
                names[sighting.track] = names.get(sighting.track, 0) + 1
            elif isinstance(sighting, ShelfLook):
                key = sighting.camera, sighting.board
                self.looks[key] = self.looks.get(key, 0) + 1
        for frame in frames:
            self.frames.setdefault(frame.camera, FramesSummary()).add(frame)

    def lines(self, calibrated: Iterable[str]) -> list[str]:
        """For a person; ``calibrated``: the cameras whose records are in the trace."""
        found = []
        for camera, names in sorted(self.tracks.items()):
            found.append(f"tracks    {len(names)} of camera {camera}, {counted(sum(names.values()), 'place')}")
        for (camera, board), count in sorted(self.looks.items()):
            found.append(f"looks     {count} of camera {camera} at board {board}")
        for camera, frames in sorted(self.frames.items()):
            found.append(f"frames    {_frames_text(camera, frames)}")
        known = sorted(calibrated)
        if known:
            found.append(f"located   {', '.join(known)}")
        if self.frames:
            found.append("privacy   the pictures in this trace may show people")
        return found


def camera_of(track: str) -> str:
    """The camera in a track's name, ``<camera>.<run>.<identity>``."""
    return track.rsplit(".", 2)[0]


def _frames_text(camera: str, frames: FramesSummary) -> str:
    sizes = ", ".join(f"{width} x {height}" for width, height in sorted(frames.sizes))
    span_s = (frames.end_ns - frames.begin_ns) / 1e9
    rate = f", {(frames.count - 1) / span_s:.1f} Hz" if frames.count > 1 and span_s > 0 else ""
    flags = ", ".join(f"{count} {name}" for name, count in sorted(frames.flags.items()))
    each = f"{frames.bytes / frames.count / 1000:.1f} kB each"
    return f"{frames.count} of camera {camera}, {sizes}{rate}, {each}" + (f"; {flags}" if flags else "")
