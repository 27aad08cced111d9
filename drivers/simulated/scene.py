"""What people do in front of the shelves: the words that a scene is written in.

A scene is any iterable of actions in order of time; it may be endless, and it is asked for the next action only when
the simulation gets there. Numbers left None are drawn at random when the action is played.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.simulated.forces import Shake


@dataclass(frozen=True, slots=True)
class Pick:
    """Take units of one kind out of a slot.

    Attributes:
        touch_g: how hard the hand pushes down before it lifts. touch_s: for how long.
        lift_s: time in which the weight leaves.
        hold_s: held half lifted for so long before it leaves ("held on the shelf, then taken").
        sku: take only this kind (what was put there wrongly), else whatever comes to hand.
        tries: a scene that can't know any more what lies there skips the pick if the slot is empty.
    """

    at_s: float
    slot: str
    quantity: int = 1
    sku: str | None = None
    touch_g: float | None = None
    touch_s: float | None = None
    lift_s: float | None = None
    hold_s: float = 0.0
    tries: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Put units down in a slot: out of the hands (the last taken of that SKU, else of any), or fresh ones.

    Attributes:
        sku: of what; None is what was taken last.
        fresh: new units (restocking), not those in the hands.
        contact_s: from landing to letting go.
        impact: peak of the landing force, as a multiple of the weight.
    """

    at_s: float
    slot: str
    quantity: int = 1
    sku: str | None = None
    fresh: bool = False
    contact_s: float | None = None
    impact: float | None = None
    tries: bool = False


@dataclass(frozen=True, slots=True)
class Restock:
    """Fresh units put into a slot one after the other."""

    at_s: float
    slot: str
    quantity: int
    gap_s: tuple[float, float] = (2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Lean:
    """A hand or an elbow on the board that goes away again; short ones are bumps."""

    at_s: float
    board: str
    force_g: float | None = None
    lasts_s: float | None = None
    x_mm: float | None = None
    y_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Footsteps:
    """Somebody walks past: all boards feel each step a little."""

    at_s: float
    steps: int = 4
    peak_g: float | None = None


@dataclass(frozen=True, slots=True)
class Vibration:
    """A burst of shaking because a neighbouring shelf is handled; None for all boards."""

    at_s: float
    board: str | None = None
    lasts_s: float | None = None
    rms_g: float | None = None


@dataclass(frozen=True, slots=True)
class Shaken:
    """A board shaken in a given way, for example as recorded in a real store."""

    at_s: float
    board: str
    shake: Shake


@dataclass(frozen=True, slots=True)
class ForeignPut:
    """Something that isn't in the planogram is put on a board."""

    at_s: float
    board: str
    grams: float
    x_mm: float | None = None
    y_mm: float | None = None


@dataclass(frozen=True, slots=True)
class ForeignTake:
    """It is taken away again: the oldest foreign object on the board."""

    at_s: float
    board: str
    tries: bool = False


Action = Pick | Put | Restock | Lean | Footsteps | Vibration | Shaken | ForeignPut | ForeignTake


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that acted on a board and moved nothing: a lean or bump, footsteps, a burst of vibration.

    Attributes:
        end_s: when a lean lets go; of steps and bursts, when the last shock comes. Ringing down is the board's.
    """

    board: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Handling:
    """A hand at a board, as a camera would see it: a movement's or a lean's.

    Attributes:
        sign: -1 it takes the units, 1 it leaves them, 0 it moves nothing.
        units: SKU and place of each on the board, x and y in mm.
        x_mm, y_mm: where the hand works.
        start_s, end_s: from first to last contact.
    """

    board: str
    sign: int
    units: tuple[tuple[str, float, float], ...]
    x_mm: float
    y_mm: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Movement:
    """The truth about one action: what moved, and from first to last contact of the hand with the shelf.

    Attributes:
        kind: "pick" or "put".
        slot, sku: None for a foreign object. A unit put into a slot that isn't its own keeps its own SKU.
        grams: change of the weight on the board, of these very units; negative when taken.
    """

    kind: str
    board: str
    slot: str | None
    sku: str | None
    quantity: int
    grams: float
    start_s: float
    end_s: float
