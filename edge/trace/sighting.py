"""The words of sight: what cameras tell of people and slots, with times of this node's monotonic clock.

They live on the trace's floor because traces, plots, vision, fusion and the stream all speak of them. Plain numbers and
texts, so that a recording keeps every bit of what fusion was given (P8).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where one person was at one time, on the store's floor.

    Attributes:
        track: names a person for a while: ``<camera>.<run>.<identity>``, unique in the store (``run`` is drawn when the
            node starts).
        time_ns: of the exposure, monotonic nanoseconds of the node that uses it.
        x_mm, y_mm: store floor coordinates of the place where the person stands.
        xx_mm2, xy_mm2, yy_mm2: their covariance.
        vx_mm_s, vy_mm_s: velocity.
        hidden: nobody was to be seen there: the place is a prediction.
        clothes: mean y, u, v of the upper and the lower half of the body; () if not known.
    """

    track: str
    time_ns: int
    x_mm: float
    y_mm: float
    xx_mm2: float
    xy_mm2: float
    yy_mm2: float
    vx_mm_s: float
    vy_mm_s: float
    hidden: bool = False
    clothes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotLook:
    """What a shelf camera makes of one slot at one time, as log likelihood ratios.

    Attributes:
        hand: a hand or an arm is before this slot now, against none.
        since_ns: when the slot was last seen with nothing before it; the next three speak of what is different since
            then. Equal to the look's own time while something is before the slot: then they say nothing.
        gone, come: something has left the slot, or come to it, against neither.
        thing: number, from 1 within a look, of the difference that is told of: the same one may be in one slot or in
            another. 0: nothing is different.
        left, came: SKU and its ratio, of what has left and of what has come; () without a classifier.
    """

    slot: str
    hand: float
    since_ns: int
    gone: float
    come: float
    left: tuple[tuple[str, float], ...] = ()
    came: tuple[tuple[str, float], ...] = ()
    thing: int = 0


@dataclass(frozen=True, slots=True)
class ShelfLook:
    """What a shelf camera makes of its board at one time. ``time_ns``: of the exposure, monotonic."""

    camera: str
    board: str
    time_ns: int
    slots: tuple[SlotLook, ...]


Sighting = TrackPoint | ShelfLook
