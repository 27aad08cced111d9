"""The options of every kind of camera, apart from the drivers: a node file is checked without what drivers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from drivers.options import Misfit, Options, examined

_SIZE = "[width, height] in pixels, both even, for example [320, 240]"


class VideoOptions(Options):
    """Options of the `video` camera."""

    file: str = Field(min_length=1, description="the video to play, for example /var/lib/shelfedge/tuesday.mp4")
    paced: bool = Field(True, description="true to play it in its own time, false to play it as fast as it is read")
    speed: float = Field(1.0, gt=0, le=1000, description="times real time, for example 1")
    size: list[int] | None = Field(None, description=f"{_SIZE}; left out: as in the file")
    grey: bool = Field(False, description="true to leave colour out, else false")

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        found = [] if self.size is None else _wrong_size("size", self.size)
        if not self.paced and self.speed != 1.0:
            text = "only where it is paced; left out, or paced: true, expected"
            found.append(Misfit(("speed",), text))
        return found


class PicameraOptions(Options):
    """Options of the `picamera2` camera."""

    number: int | None = Field(
        None, ge=0, le=15, description="the camera's number as rpicam-hello --list-cameras shows it, for example 0"
    )
    model: str | None = Field(None, min_length=1, description="the sensor's model, for example imx708; left out: any")
    size: list[int] = Field([320, 240], description=f"of the picture that is looked through, {_SIZE}")
    still_size: list[int] = Field([1640, 1232], description="of stills, [width, height], both even, as [1640, 1232]")
    rate_hz: float = Field(15.0, gt=0, le=120, description="frames per second, for example 15.0")
    lock: bool = Field(
        True,
        description="true to hold exposure and white balance once they have settled, false to leave them automatic",
    )
    settle_s: float = Field(4.0, ge=0, le=60, description="seconds that they have for settling, at most; as 4.0")
    restarts: int = Field(
        5, ge=0, le=100, description="how often a camera that gives no pictures is opened again, before giving up; as 5"
    )

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        found = _wrong_size("size", self.size) + _wrong_size("still_size", self.still_size)
        if not found and any(small > large for small, large in zip(self.size, self.still_size, strict=True)):
            text = f"{self.size} is larger than still_size {self.still_size}; expected at most that"
            found.append(Misfit(("size",), text, f"size: {text}"))
        return found


class SimulatedCameraOptions(Options):
    """Options of the `simulated` camera."""

    scene: Literal["ceiling", "shelf"] = Field("ceiling", description="ceiling or shelf; else what it looks at")
    size: list[int] = Field([320, 240], description=_SIZE)
    rate_hz: float = Field(15.0, gt=0, le=60, description="frames per second, for example 15.0")
    people: int = Field(4, ge=0, le=12, description="people at the same time at most, 0 to 12 (scene ceiling)")
    slots: int = Field(6, ge=1, le=24, description="slots of the shelf, 1 to 24 (scene shelf)")
    seed: int = Field(1, ge=0, description="a whole number: the same one gives the same scene")

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """As `Options.misfits`."""
        return _wrong_size("size", self.size)


OPTIONS: dict[str, type[Options]] = {
    "picamera2": PicameraOptions,
    "video": VideoOptions,
    "simulated": SimulatedCameraOptions,
}
"""The options of each kind of camera, by its name in the node file."""


def misfits(kind: str, options: Mapping[str, object]) -> list[Misfit]:
    """All that is wrong with a camera's options, as far as the file alone tells. ``kind``: one of `OPTIONS`."""
    return examined(OPTIONS[kind], options, (), None)[1]


def _wrong_size(option: str, size: Sequence[int]) -> list[Misfit]:
    if len(size) == 2 and all(16 <= side <= 8192 and side % 2 == 0 for side in size):
        return []
    text = f"{list(size)} doesn't fit; expected [width, height] in pixels, both even, 16 to 8192"
    return [Misfit((option,), text, f"{option}: {text}")]
