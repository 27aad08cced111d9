"""A camera's frames in, its tracks out: `Tracker.push`. No clock, no files, the same frames give the same tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.frames import BLIND, Frame, FrameFlag
from edge.vision.appearance import mean_colours
from edge.vision.background import compare, learn, new_background, start
from edge.vision.blobs import new_blob_desk
from edge.vision.errors import FrameShapeError, FrameTimeError
from edge.vision.feet import Upright, body_sizes, stand, upright_camera
from edge.vision.fit import Picture, new_desk
from edge.vision.floor import FloorMap
from edge.vision.follow import Rooms, follow
from edge.vision.inference.pictures import Box
from edge.vision.light import LEAST_CHANGE, MOST, ONE, brighten, changed_share, light_factor
from edge.vision.motion import VAR_POSITION, VELOCITY
from edge.vision.proposals import learn_sizes, propose_tracks
from edge.vision.reduce import reduce_plane, reduction
from edge.vision.shapes import body_shapes
from edge.vision.sizes import CELL, Sizes, new_sizes
from edge.vision.table import HIDDEN, MOST_TRACKS, SEEN, new_table

LONGEST_STEP_S = 1.0
SOON_S = 0.1  # the way on the floor is that of the next so many seconds
LEAST_SIDE = 16
SWITCHED = 0.1  # exposure doesn't change by so much from one frame to the next
RELIGHT_SHARE_SWITCHED = 0.15
RELIGHT_SHARE = 0.5  # of the picture: more than this changed at once is the light, not people


@dataclass(frozen=True, slots=True)
class Track:
    """One person in one frame. Pixels are those of the frame as it came.

    Attributes:
        identity: the same number for the same person, from 1.
        hidden: nobody was to be seen where the person is expected: the box is a prediction.
        left, top, width, height: of the part of the box that is in the picture, pixels.
        foot_px: x, y where the person stands: of ``floor_mm`` where that is known, else the middle of the lower edge.
        velocity_px_s: x, y.
        age_s: since first seen.
        unseen_s: since last seen.
        visible: share of the box that nobody nearer covers.
        clothes: mean y, u, v of the upper and of the lower half of the body, 0 to 255 each: six bytes for the stream.
        floor_mm: x, y on the floor; None without a floor map, after the camera was moved, and above the horizon.
        floor_covariance: xx, xy, yy, mm²; None with ``floor_mm``.
        floor_velocity_mm_s: x, y on the floor; None with ``floor_mm``.
    """

    identity: int
    hidden: bool
    left: float
    top: float
    width: float
    height: float
    foot_px: tuple[float, float]
    velocity_px_s: tuple[float, float]
    age_s: float
    unseen_s: float
    visible: float
    clothes: tuple[int, ...]
    floor_mm: tuple[float, float] | None = None
    floor_covariance: tuple[float, float, float] | None = None
    floor_velocity_mm_s: tuple[float, float] | None = None


class Tracker:
    """Follows the people before one camera that doesn't move; once it was moved all tracks end and it begins anew.

    Args:
        floor: the camera's floor map, in the pixels of the frames that will come.
    """

    def __init__(self, floor: FloorMap | None = None) -> None:
        self._floor = floor
        self._upright: Upright | None = None
        self._moved = False
        self._unlearned = True
        self._shape: tuple[int, int] | None = None
        self._last_ns = 0
        self._pictures = 0

    def push(self, frame: Frame) -> list[Track]:
        """The people in this frame, by identity: those whose box has its middle in the picture.

        Raises FrameShapeError if the frame isn't like the first one, FrameTimeError if it is older than the one before;
        such a frame changes nothing.
        """
        self._check(frame)
        moved = bool(frame.flags & FrameFlag.MOVED)
        fresh = self._shape is None
        if fresh:
            self._moved = moved
            self._begin(frame)
        elif moved != self._moved:  # or put back again
            self._moved = moved
            self._forget()
        elapsed_s = 0.0 if fresh else (frame.time_ns - self._last_ns) * 1e-9
        self._last_ns = frame.time_ns
        blind = bool(frame.flags & BLIND)
        first = self._unlearned and not blind
        step_s = min(elapsed_s, LONGEST_STEP_S)
        if not blind:
            self._look(frame, first)
        picture = Picture(self._model.smooth, self._y, self._u, self._v)
        nothing = blind or first
        follow(picture, self._model, self._table, self._sizes, self._rooms, frame.time_ns, step_s, nothing)
        if not nothing:
            self._learn(step_s)
        self._unlearned = self._unlearned and blind
        self._pictures += 1
        return self._tracks(frame.time_ns)

    def propose(self, unknown: Sequence[Box], owners: Mapping[int, Box], whole: Sequence[Box]) -> None:
        """Take in what a detector saw in the last frame (`edge.vision.proposals`); boxes in that frame's pixels."""
        if self._shape is not None:
            picture = Picture(self._model.smooth, self._y, self._u, self._v)
            shrunk = [[Box(*(side / self._factor for side in box)) for box in boxes] for boxes in (unknown, whole)]
            theirs = {identity: Box(*(side / self._factor for side in box)) for identity, box in owners.items()}
            learn_sizes(picture, self._sizes, shrunk[1])
            propose_tracks(picture, self._table, self._sizes, self._rooms.desk, shrunk[0], theirs, self._last_ns)

    def _check(self, frame: Frame) -> None:
        if frame.y.ndim != 2 or frame.y.dtype != np.uint8 or min(frame.y.shape) < LEAST_SIDE:
            raise FrameShapeError(
                f"camera {frame.camera}: luma is {frame.y.dtype}{list(frame.y.shape)}; expected uint8, two dimensions, "
                f"each side at least {LEAST_SIDE} pixels"
            )
        if self._shape is not None and frame.y.shape != self._shape:
            (height, width), (high, wide) = self._shape, frame.y.shape
            raise FrameShapeError(
                f"camera {frame.camera}: a frame of {wide} x {high} pixels after frames of {width} x {height}; "
                "start a new tracker when the resolution changes"
            )
        half = ((frame.y.shape[0] + 1) // 2, (frame.y.shape[1] + 1) // 2)
        for plane, name in ((frame.u, "U"), (frame.v, "V")):
            if plane is not None and (plane.shape != half or plane.dtype != np.uint8):
                raise FrameShapeError(
                    f"camera {frame.camera}: {name} is {plane.dtype}{list(plane.shape)}; expected uint8{list(half)}, "
                    "half of the luma's size, rounded up (YUV 4:2:0)"
                )
        if (frame.u is None) != (frame.v is None):
            raise FrameShapeError(
                f"camera {frame.camera}: only one of U and V is there; expected both, or none for grey"
            )
        if self._shape is not None and frame.time_ns < self._last_ns:
            late_ms = (self._last_ns - frame.time_ns) * 1e-6
            raise FrameTimeError(
                f"camera {frame.camera}: a frame is {late_ms:.1f} ms older than the one before; "
                "expected the sensor's monotonic time"
            )

    def _begin(self, frame: Frame) -> None:
        height, width = frame.y.shape
        self._shape = height, width
        self._factor = reduction(height, width)
        high, wide = height // self._factor, width // self._factor
        shift = 1 if self._factor == 1 else 0
        self._model = new_background(high, wide, shift)
        self._y = np.zeros((high, wide), np.uint8)
        self._u = np.full(self._model.u.shape, 128, np.uint8)
        self._v = np.full(self._model.v.shape, 128, np.uint8)
        self._counts = np.zeros(MOST + 1, np.int64)
        self._colours, self._stands = np.zeros(6), np.zeros(7)
        self._upright = None if self._floor is None else upright_camera(self._floor, width, height)
        self._table, self._sizes = new_table(), self._known_sizes(high, wide)
        self._rooms = Rooms(
            new_desk(high, wide),
            new_blob_desk(high, wide),
            np.zeros((high, wide), np.uint8),
            np.zeros(high, np.int64),
            np.zeros(wide, np.int64),
            np.zeros(MOST_TRACKS, np.int64),
            np.zeros(4),
            np.zeros(4),
        )

    def _forget(self) -> None:
        """Another view: nobody in it is known, nor how large people are where, nor what is behind them."""
        next_identity = self._table.next_identity
        high, wide = self._y.shape
        self._table, self._sizes = new_table()._replace(next_identity=next_identity), self._known_sizes(high, wide)
        self._model = new_background(high, wide, 1 if self._factor == 1 else 0)
        self._unlearned = True

    def _known_sizes(self, high: int, wide: int) -> Sizes:
        """From the floor map, as long as it holds."""
        if self._upright is None or self._moved:
            return new_sizes()
        place = self._upright, wide, high, self._factor, CELL
        return new_sizes(body_sizes(*place), body_shapes(*place))

    def _look(self, frame: Frame, first: bool) -> None:
        reduce_plane(frame.y, self._factor, self._y)
        if frame.u is not None and frame.v is not None:
            reduce_plane(frame.u, max(self._factor // 2, 1), self._u)
            reduce_plane(frame.v, max(self._factor // 2, 1), self._v)
        switched = False
        if first:
            start(self._model, self._y, self._u, self._v, False)
        else:
            factor = light_factor(self._model, self._y, self._counts)
            switched = abs(factor - ONE) >= SWITCHED * ONE
            if abs(factor - ONE) >= LEAST_CHANGE:
                brighten(self._model, factor)
        compare(self._model, self._y, self._u, self._v)
        if changed_share(self._model) > (RELIGHT_SHARE_SWITCHED if switched else RELIGHT_SHARE):
            start(self._model, self._y, self._u, self._v, True)
            compare(self._model, self._y, self._u, self._v)

    def _learn(self, elapsed_s: float) -> None:
        rows = 8 if elapsed_s < 0.05 else 6 if elapsed_s < 0.09 else 3 if elapsed_s < 0.2 else 1
        learn(self._model, self._y, self._u, self._v, self._pictures % rows, rows, rows * elapsed_s)

    def _tracks(self, now_ns: int) -> list[Track]:
        table, scale = self._table, float(self._factor)
        down, across = (side * scale for side in self._y.shape)
        found = []
        for k in np.flatnonzero((table.state == SEEN) | (table.state == HIDDEN)).tolist():
            x, y, wide, high = (
                float(value) * scale for value in (table.x[k, 0], table.y[k, 0], table.size[k, 0], table.size[k, 1])
            )
            if not (0.0 <= x < across and 0.0 <= y < down):
                continue
            mean_colours(table.clothes[k], self._colours)
            foot, floor_mm, covariance, speed = (x, y + 0.5 * high), None, None, None
            if self._upright is not None and not self._moved:
                x_var, y_var = (float(axis[k, VAR_POSITION]) * scale * scale for axis in (table.x, table.y))
                if stand(self._upright, x, y, x_var, y_var, self._stands):
                    at = self._stands.tolist()
                    floor_mm, covariance, foot = (at[0], at[1]), (at[2], at[3], at[4]), (at[5], at[6])
                    soon_x, soon_y = (float(axis[k, VELOCITY]) * scale * SOON_S for axis in (table.x, table.y))
                    speed = 0.0, 0.0
                    if stand(self._upright, x + soon_x, y + soon_y, 0.0, 0.0, self._stands):
                        x_mm, y_mm = self._stands[:2].tolist()
                        speed = (x_mm - at[0]) / SOON_S, (y_mm - at[1]) / SOON_S
            left, top = max(x - 0.5 * wide, 0.0), max(y - 0.5 * high, 0.0)
            found.append(
                Track(
                    int(table.identity[k]),
                    bool(table.state[k] == HIDDEN),
                    left,
                    top,
                    max(min(x + 0.5 * wide, across) - left, 0.0),
                    max(min(y + 0.5 * high, down) - top, 0.0),
                    foot,
                    (float(table.x[k, 1]) * scale, float(table.y[k, 1]) * scale),
                    (now_ns - int(table.born_ns[k])) * 1e-9,
                    (now_ns - int(table.seen_ns[k])) * 1e-9,
                    float(table.visible[k]),
                    tuple(int(value + 0.5) for value in self._colours.tolist()),
                    floor_mm,
                    covariance,
                    speed,
                )
            )
        return sorted(found, key=lambda track: track.identity)
