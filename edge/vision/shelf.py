"""A shelf camera's frames in, what it makes of each slot out: `ShelfWatcher.push`. The same frames give the same looks.

The watcher remembers what every cell of the picture looked like when nothing was before it. What is different now and
hangs together with what moves, or with the part of the picture where no item can be, is a hand, an arm or a body. Once
the hand has gone from a slot and everything there is still, what is different there has left or come, and how much of
it there is says how sure that is: a ratio of how large differences come out when something moved and when nothing did.
Which of both it was, the scale knows; a classifier says what was seen there before, and what is seen there now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from drivers.frames import BLIND, Frame, FrameFlag
from edge.config.setup import Setup
from edge.trace.sighting import ShelfLook, SlotLook
from edge.vision.errors import FrameShapeError, FrameTimeError
from edge.vision.floor import FloorMap
from edge.vision.inference.classifier import Classifier
from edge.vision.shelf_colours import SlotColours
from edge.vision.shelf_compare import (
    MOVING_OF_NINE,
    Bools,
    Noise,
    Planes,
    blobs_of,
    cells_of,
    different,
    light_of,
    noise_between,
    spread,
)
from edge.vision.shelf_names import BoardNamer
from edge.vision.shelf_regions import Regions, SlotBox, regions_of

EVERY_NS, IDLE_NS = 200_000_000, 1_000_000_000  # between looks, while hands are there and while none are
STILL_S = 0.25  # nothing moved in a slot for so long: the hand has gone
ABSORB_S = 8.0  # something that doesn't move before the shelf: a basket, a trolley
FOLLOW = 0.02  # per frame without hands, of slow changes
RELEARN_SHARE = 0.5  # of the picture: more than this changed at once is the light, or another view
HAND_CELLS = 2
HIDDEN_SHARE = 0.12  # of what moves, that leaves a slot looking as before: it stood behind something
NO_HAND_LOG = -4.0  # no hand, and nothing different
NOTHING_SHARE = 0.9  # of the slots that a hand left as they were, that don't differ at all ...
NOTHING_CELLS = 3.0  # ... and by how many cells the others differ on average
ITEM_SHARE, ITEM_CELLS = 0.15, 6.0  # of a slot's region that one item covers, and at least that
MOST_LOG = 6.0  # of a difference, however large: some of what differs is nobody's item
LEAST_CELLS = 4  # fewer say nothing
FIRST_NOISE = Noise(2.0, 1.5)


Light = npt.NDArray[np.float32]  # [rows, columns]
Names = tuple[tuple[str, float], ...]


class ItemNamer(Protocol):
    """Names what a part of a frame shows (`edge.vision.shelf_names`). ``problem``: why it can't any more, or ""."""

    problem: str

    def name(self, frame: Frame, left: int, top: int, width: int, height: int) -> tuple[tuple[str, float], ...]:
        """SKU and log likelihood ratio against what else might be on this board."""


class ShelfWatcher:
    """One camera that looks at one board.

    Args:
        board_map: board mm to pixels of the frames that will come.
        slots: by name, their extent and what belongs there.
        namer: names items; None: they are named by the colours of what stands where it belongs.
    """

    def __init__(
        self,
        camera: str,
        board: str,
        board_map: FloorMap,
        slots: Mapping[str, SlotBox],
        namer: ItemNamer | None = None,
    ) -> None:
        self.camera, self.board = camera, board
        self._map, self._slots, self._namer = board_map, dict(slots), namer
        self._names = tuple(slots)
        self._shape: tuple[int, int] | None = None
        self._moved = self._learned = False
        self._last: Planes | None = None  # the frame before
        self._last_ns = self._told_ns = 0

    def push(self, frame: Frame) -> ShelfLook | None:
        """What this frame shows, a few times a second; None if there is nothing to tell, or the camera is blind.

        Raises FrameShapeError for a frame that isn't like the first, FrameTimeError for one that is older than the one
        before, FloorPointsError if the board isn't in it.
        """
        if self._shape is None:
            self._begin(frame)
        elif frame.y.shape != self._shape:
            raise FrameShapeError(
                f"camera {frame.camera}: a frame of {frame.y.shape[1]} x {frame.y.shape[0]} pixels after frames of "
                f"{self._shape[1]} x {self._shape[0]}; start a new watcher when the resolution changes"
            )
        elif frame.time_ns < self._last_ns:
            raise FrameTimeError(
                f"camera {frame.camera}: a frame is {(self._last_ns - frame.time_ns) * 1e-6:.1f} ms older than the one "
                "before; expected the sensor's monotonic time"
            )
        if frame.flags & FrameFlag.MOVED:
            self._moved = True
        if frame.flags & BLIND:
            self._last = None
            return None
        rows, columns = self._regions.free.shape
        now = cells_of(frame.y, frame.u, frame.v, self._regions.cell_px, rows, columns)
        if self._moved or not self._learned:  # the view of before is gone, or there was none
            self._moved = False
            self._learn_anew(now, frame)
            return None
        step_s = min(max((frame.time_ns - self._last_ns) * 1e-9, 0.0), 1.0)
        self._last_ns = frame.time_ns
        return self._look(frame, now, step_s)

    @property
    def problem(self) -> str:
        """Why items aren't named by a classifier any more; "" while all is well."""
        return "" if self._namer is None else self._namer.problem

    def _begin(self, frame: Frame) -> None:
        height, width = frame.y.shape
        self._shape = height, width
        self._regions: Regions = regions_of(self._map, width, height, self._slots)
        self._colours = SlotColours(self._regions)
        shape = self._regions.free.shape
        self._seen = [index for index, mask in enumerate(self._regions.slots) if mask.any()]
        self._before = np.zeros((3, *shape), np.float32)
        self._quiet_s, self._odd_s = np.zeros(shape), np.zeros(shape)
        self._odd = np.zeros(shape, np.bool_)
        self._noise = FIRST_NOISE
        self._since_ns = [0] * len(self._names)
        self._touched = [False] * len(self._names)
        self._told_ns = self._last_ns = frame.time_ns

    def _learn_anew(self, now: Planes, frame: Frame) -> None:
        self._before = now.copy()
        self._last = now
        self._quiet_s[:] = 0.0
        self._odd[:] = False
        self._odd_s[:] = 0.0
        self._since_ns = [frame.time_ns] * len(self._names)
        self._touched = [True] * len(self._names)
        self._last_ns = frame.time_ns
        self._shown = frame
        self._learned = True

    def _look(self, frame: Frame, now: Planes, step_s: float) -> ShelfLook | None:
        light = light_of(now, self._before, ~self._odd)
        odd = different(now, self._before, light, self._noise)
        if odd.mean() > RELEARN_SHARE:
            self._learn_anew(now, frame)
            return None
        moving = self._moving(now, odd)
        self._quiet_s = np.where(moving, 0.0, self._quiet_s + step_s)
        stirred = odd | moving
        free = self._regions.free
        hand = spread((free & stirred) | moving, stirred)
        self._absorb(now, light, odd, step_s)
        self._odd = odd
        if not hand.any():
            self._before += FOLLOW * np.where(stirred, 0.0, now / light - self._before).astype(np.float32)
        return self._tell(frame, now, light, odd, hand)

    def _moving(self, now: Planes, odd: Bools) -> Bools:
        """Cells that show something else than in the frame before."""
        last, self._last = self._last, now
        if last is None:
            return odd
        light = np.full(odd.shape, np.median(now[0] / np.maximum(last[0], 1.0)), np.float32)
        moving = different(now, last, light, self._noise, MOVING_OF_NINE)
        found = noise_between(now, last * light, ~moving & ~odd)
        if found is not None:
            y, colour = (old + 0.05 * (new - old) for old, new in zip(self._noise, found, strict=True))
            self._noise = Noise(y, colour)
        return moving

    def _absorb(self, now: Planes, light: Light, odd: Bools, step_s: float) -> None:
        """What stands before the shelf and doesn't move becomes a part of the view."""
        stays = odd & self._regions.free & (self._quiet_s > STILL_S)
        self._odd_s = np.where(stays, self._odd_s + step_s, 0.0)
        old = self._odd_s > ABSORB_S
        if old.any():
            self._before[:, old] = (now / light)[:, old]

    def _tell(self, frame: Frame, now: Planes, light: Light, odd: Bools, hand: Bools) -> ShelfLook | None:
        hands = [int((hand & mask).sum()) for mask in self._regions.slots]
        unsettled = odd & (self._quiet_s < STILL_S)
        clear = [
            hands[slot] < HAND_CELLS and not bool((unsettled & mask).any())
            for slot, mask in enumerate(self._regions.slots)
        ]
        blobs = [] if not odd.any() else self._settled_blobs(odd & ~hand, clear)
        fresh = any(clear[slot] and self._touched[slot] for slot in self._seen)
        for slot in self._seen:
            self._touched[slot] |= not clear[slot]
        busy = bool(hand.any()) or any(self._touched)
        due = frame.time_ns - self._told_ns >= (EVERY_NS if busy else IDLE_NS)
        if not (due or fresh or blobs):
            return None
        placed = [(blob, self._regions.apart(blob)) for blob in blobs if blob.sum() >= LEAST_CELLS]
        named = [self._names_of(frame, blob, now / light) for blob, _ in placed]
        looks = tuple(self._slot_look(slot, frame, hands[slot], clear[slot], placed, named) for slot in self._seen)
        for blob in blobs:
            self._before[:, blob] = (now / light)[:, blob]
        self._told_ns = frame.time_ns
        if all(clear):
            self._shown = frame
        return ShelfLook(self.camera, self.board, frame.time_ns, looks)

    def _names_of(self, frame: Frame, blob: Bools, now: Planes) -> tuple[Names, Names]:
        """What was seen there before, and what is seen there now."""
        if self._namer is not None:
            box = _box(blob, self._regions.cell_px)
            left, came = self._namer.name(self._shown, *box), self._namer.name(frame, *box)
            if left and came:
                return left, came
        before = self._before
        return self._colours.names(before, blob, before), self._colours.names(before, blob, now)

    def _settled_blobs(self, cells: Bools, clear: list[bool]) -> list[Bools]:
        """Differences that lie in clear slots alone; slots of which one reaches into another aren't clear yet."""
        found = []
        for blob in blobs_of(cells):
            inside = [slot for slot in self._seen if bool((blob & self._regions.slots[slot]).any())]
            if all(clear[slot] for slot in inside) and inside:
                found.append(blob)
            else:
                for slot in inside:
                    clear[slot] = False
        return [blob for blob in found if all(clear[s] for s in self._seen if (blob & self._regions.slots[s]).any())]

    def _slot_look(
        self,
        slot: int,
        frame: Frame,
        hand_cells: int,
        clear: bool,
        blobs: list[tuple[Bools, list[float]]],
        names: list[tuple[Names, Names]],
    ) -> SlotLook:
        name, now_ns = self._names[slot], frame.time_ns
        hand = log_hand(hand_cells)
        if not clear:
            return SlotLook(name, hand, now_ns, 0.0, 0.0)
        mask = self._regions.slots[slot]
        usual = max(ITEM_SHARE * float(mask.sum()), ITEM_CELLS)
        ratio = log_changed(0, usual) if self._touched[slot] else NO_HAND_LOG
        best: int | None = None
        for number, (blob, apart) in enumerate(blobs):
            log = min(log_changed(int(blob.sum()), usual), MOST_LOG) + apart[slot]
            if log > ratio:
                ratio, best = log, number
        left: Names = ()
        came: Names = ()
        if best is not None and ratio > 0.0:
            left, came = names[best]
        thing = 0 if best is None else best + 1
        since_ns, self._since_ns[slot], self._touched[slot] = self._since_ns[slot], now_ns, False
        return SlotLook(name, hand, since_ns, round(ratio, 3), round(ratio, 3), left, came, thing)


def shelf_watcher(camera: str, setup: Setup, board_map: FloorMap, classifier: Classifier | None = None) -> ShelfWatcher:
    """The watcher of a camera of the node file that looks at a board; ``board_map`` in the pixels of its frames."""
    board = setup.node.cameras[camera].board
    assert board is not None, f"{camera} looks at the floor"
    on_board = setup.slots_on(board)
    depth_mm = setup.node.boards[board].depth_mm
    slots = {name: SlotBox(slot.x_mm, slot.y_mm or (0.0, depth_mm), slot.sku) for name, slot in on_board.items()}
    namer = None if classifier is None else BoardNamer(classifier, [slot.sku for slot in on_board.values()])
    return ShelfWatcher(camera, board, board_map, slots, namer)


def log_hand(cells: int) -> float:
    """Log likelihood ratio of a hand before a slot by how many of its cells show what moves or reaches in."""
    return -4.0 if cells == 0 else min(cells - 1.0, 4.0)


def log_changed(cells: int, usual: float) -> float:
    """Log likelihood ratio of something having moved, by how many cells differ; an item covers about ``usual``."""
    if cells == 0:
        return math.log(HIDDEN_SHARE / NOTHING_SHARE)
    moved = (1.0 - HIDDEN_SHARE) / usual * math.exp(-cells / usual)
    nothing = (1.0 - NOTHING_SHARE) / NOTHING_CELLS * math.exp(-min(cells / NOTHING_CELLS, 50.0))
    return math.log(moved / nothing)


def _box(blob: Bools, cell_px: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of it in pixels."""
    rows, columns = np.flatnonzero(blob.any(axis=1)), np.flatnonzero(blob.any(axis=0))
    left, top = int(columns[0]) * cell_px, int(rows[0]) * cell_px
    return left, top, (int(columns[-1]) + 1) * cell_px - left, (int(rows[-1]) + 1) * cell_px - top
