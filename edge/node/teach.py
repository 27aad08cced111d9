"""Teaching a SKU its weight: which board, what its neighbours on that board weigh, and what the planogram gets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.teach_session import TeachSession
from calibration.teaching import CountedStep, TeachError, UnitWeight
from edge.config.edited_file import EditError, edit_file
from edge.config.errors import ConfigError
from edge.config.planogram_edit import with_weight
from edge.config.schema import Slot
from edge.config.setup import Setup
from edge.config.wording import close_match
from edge.node.board_source import check_board
from edge.node.calibrate import site_of

CONFUSED_SHARE = 0.005  # two products that are taken for each other so often aren't told apart by weight
_MULTIPLES = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))
_WEIGHED_SD_G = 0.5  # of a step, where nobody knows better
_LIKE_PLANOGRAM = 0.06
_INSIDE = 0.15  # of a slot's width: as near to its edge as the middle of a unit lies


@dataclass(frozen=True, slots=True)
class Where:
    """Where a SKU is taught: the board, and the slot where it lies there; None where the planogram has none."""

    board: str
    slot: str | None


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Another SKU on the board that some units of this one may weigh like.

    Attributes:
        own, others: so many of this one weigh about like so many of the other.
        apart_g: the difference. by_weight: share of such movements that weight alone would take for the other.
        slots_apart_mm: between the middles of units in the nearest of their slots; None without both.
        place_sd_mm: how well a place is known; None where the cells can't tell it.
        by_place: the same share by place alone.
        decides: "place" or "nobody".
    """

    sku: str
    own: int
    others: int
    apart_g: float
    by_weight: float
    slots_apart_mm: float | None
    place_sd_mm: float | None
    by_place: float
    decides: str

    def sentence(self, sku: str) -> str:
        """For an installer."""
        what = f"{self.own} x {sku}" if self.own > 1 else sku
        other = f"{self.others} x {self.sku}" if self.others > 1 else self.sku
        weight = (
            f"{what} weighs like {other} ({self.apart_g:+.1f} g): by weight alone 1 in {_one_in(self.by_weight)} is "
            "taken for the other"
        )
        if self.decides == "place":
            return f"{weight}; the place decides: {self._places()}"
        if self.place_sd_mm is None or self.slots_apart_mm is None:
            reason = "the place can't be told here"
        else:
            reason = self._places()
        return f"{weight}; nobody decides ({reason}): a person sees such events; move one of them to another place"

    def _places(self) -> str:
        return (
            f"the middles of two units, one in each slot, are {self.slots_apart_mm:.0f} mm apart or more (none is "
            f"nearer to its slot's edge than {100 * _INSIDE:.0f} % of its width), and a place is known to "
            f"{self.place_sd_mm:.1f} mm"
        )


def where_is(setup: Setup, node_path: Path, sku: str, board: str | None, slot: str | None) -> Where:
    """Raises TeachError, UnknownBoardError with the names that there are."""
    if sku not in setup.planogram.skus:
        guess = close_match(sku, setup.planogram.skus)
        hint = f"did you mean '{guess}'?" if guess else "add it there first, with about what it weighs"
        raise TeachError(f"the planogram {setup.node.planogram} has no SKU '{sku}'; {hint}")
    if slot is not None:
        if slot not in setup.planogram.slots:
            guess = close_match(slot, setup.planogram.slots)
            raise TeachError(f"there is no slot '{slot}'" + (f"; did you mean '{guess}'?" if guess else ""))
        if board not in (None, setup.planogram.slots[slot].board):
            raise TeachError(f"slot {slot} lies on {setup.planogram.slots[slot].board}, not on {board}")
        return Where(setup.planogram.slots[slot].board, slot)
    home = [(name, each) for name, each in setup.planogram.slots.items() if each.sku == sku]
    if board is not None:
        check_board(setup, board, node_path)
        return Where(board, next((name for name, each in home if each.board == board), None))
    boards = sorted({each.board for _, each in home})
    if len(boards) != 1:
        there = f"it has slots on {', '.join(boards)}" if boards else "it has no slot"
        raise TeachError(f"on which board is {sku} taught? {there}; say it with --board")
    return Where(boards[0], home[0][0])


def session_for(setup: Setup, board: str, sku: str, count: int, at_a_time: int) -> TeachSession:
    """Raises TeachError for a board that was never calibrated."""
    record = setup.calibration.get(board)
    if record is None:
        raise TeachError(f"{board} was never calibrated; do that first: shelfedge calibrate {board}")
    expected_g = setup.planogram.skus[sku].weight_g
    return TeachSession(site_of(board, setup.node.boards[board]), record, count, at_a_time, expected_g)


class TeachRunner:
    """A `TeachSession` as a `Procedure`."""

    def __init__(self, session: TeachSession) -> None:
        self.session = session
        self._ended = False
        self.push = session.push

    @property
    def is_over(self) -> bool:
        return self.session.is_over or self._ended

    def end(self) -> None:
        """With the steps that there are."""
        self._ended = True


def count_doubt(setup: Setup, sku: str, found: UnitWeight, at_a_time: int) -> str:
    """A sentence where the planogram's weight says that each step was several units; else empty."""
    known = setup.planogram.skus[sku].weight_g
    ratio = found.weight_g / known
    times = round(ratio)
    if times >= 2 and abs(ratio / times - 1.0) < _LIKE_PLANOGRAM:
        return (
            f"a step weighs {found.weight_g:.1f} g, {times} times what the planogram says ({known:g} g): if you moved "
            f"{times * at_a_time} at a time, say --at-a-time {times * at_a_time}; if it is one unit, say --sure"
        )
    parts = round(1.0 / ratio) if ratio < 0.75 else 1
    if parts >= 2 and abs(ratio * parts - 1.0) < _LIKE_PLANOGRAM:
        return (
            f"a unit weighs {found.weight_g:.1f} g, 1/{parts} of what the planogram says ({known:g} g): is it sold as "
            f"a pack of {parts}? then move whole packs; if it is right, say --sure"
        )
    return ""


def lookalikes(setup: Setup, board: str, sku: str, found: UnitWeight) -> list[Lookalike]:
    """Other SKUs of that board that aren't told apart by weight, worst first."""
    others = {slot.sku for slot in setup.planogram.slots.values() if slot.board == board} - {sku}
    alike = []
    for other in sorted(others):
        pairs = [_compared(setup, board, sku, other, found, *both) for both in _MULTIPLES]
        worst = max(pairs, key=lambda each: each.by_weight)
        single = (worst.own, worst.others) == (1, 1)
        if worst.by_weight > CONFUSED_SHARE and (single or worst.decides == "nobody"):
            alike.append(worst)
    return sorted(alike, key=lambda each: (each.decides == "place", -each.by_weight))


def taught(setup: Setup, sku: str, found: UnitWeight) -> tuple[str, str]:
    """Weight and spread as the planogram gets them: no more digits than are known."""
    digits = 2 if found.weight_g < 20 else 1
    return f"{found.weight_g:.{digits}f} g", f"{max(found.planogram_spread_g, 0.1):.{digits}f} g"


def write_taught(setup: Setup, node_path: Path, sku: str, found: UnitWeight) -> Path | None:
    """Put weight and spread into the planogram as it is now, whatever was changed in it since ``setup`` was read; where
    its former text is kept, None where it says so already.

    Raises EditError with the two numbers, which somebody worked for; then the planogram is as it was.
    """
    path = node_path.parent / setup.node.planogram
    weight, spread = taught(setup, sku, found)
    meanwhile = ""

    def change(text: str) -> str:
        nonlocal meanwhile
        if text != setup.planogram_text:
            meanwhile = f"{path} was changed meanwhile and can't take the new weight: "
        return with_weight(text, str(path), sku, weight, spread)

    try:
        return edit_file(path, change)
    except (EditError, ConfigError) as error:
        first = str(error).splitlines()[0]
        raise EditError(
            f"{meanwhile}{first}; nothing was written; measured {weight}, spread {spread}: put them in by hand as "
            f"`weight` and `spread` of {sku}"
        ) from None


def taught_data(sku: str, where: Where, found: UnitWeight, alike: list[Lookalike]) -> dict[str, Any]:
    """For `--json` and a page."""
    return {
        "sku": sku,
        "board": where.board,
        "weight_g": found.weight_g,
        "weight_sd_g": found.weight_sd_g,
        "weight_95_g": list(found.weight_95_g),
        "spread_g": found.spread_g,
        "spread_95_g": list(found.spread_95_g),
        "planogram_spread_g": found.planogram_spread_g,
        "units": found.units,
        "steps": [_step_data(each) for each in found.steps],
        "lookalikes": [{**dataclasses.asdict(each), "sentence": each.sentence(sku)} for each in alike],
    }


def _step_data(counted: CountedStep) -> dict[str, Any]:
    step = counted.step
    return {
        "grams": step.grams,
        "sd_g": step.sd_g,
        "x_mm": None if math.isnan(step.x_mm) else step.x_mm,
        "y_mm": None if math.isnan(step.y_mm) else step.y_mm,
        "units": counted.units,
        "why": counted.why,
    }


def _compared(setup: Setup, board: str, sku: str, other: str, found: UnitWeight, own: int, others: int) -> Lookalike:
    """Two weights with the same chance are told apart at the middle: the share beyond it is ``Q(d / 2)``."""
    their = setup.planogram.skus[other]
    apart = own * found.weight_g - others * their.weight_g
    ours = own * found.spread_g**2 + (own * found.weight_sd_g) ** 2
    sd = math.sqrt((ours + others * their.spread_g**2) / 2.0 + _WEIGHED_SD_G**2)
    by_weight = _beyond(abs(apart) / (2.0 * sd))
    place_sd = _place_sd_mm(setup, board, own * found.weight_g)
    gap = _slots_apart_mm(setup, board, sku, other)
    by_place = 1.0 if place_sd is None or gap is None else _beyond(gap / 2.0 / place_sd)
    decides = "place" if by_place < CONFUSED_SHARE else "nobody"
    return Lookalike(other, own, others, apart, by_weight, gap, place_sd, by_place, decides)


def _place_sd_mm(setup: Setup, board: str, weight_g: float) -> float | None:
    """How well a place of so much weight is known: the run's, which gets worse as the weight gets smaller.

    A record that no run made says it roughly: cells at the ends of a lever, each off by its gain's and a step's doubt.
    """
    record = setup.calibration.get(board)
    cells = setup.node.boards[board].cells.values()
    if record is None or len(cells) < 2:
        return None
    run = record.run
    if run is not None and run.place_sd_mm is not None and run.places:
        reference_g = max(place.weight_g for place in run.places)
        return run.place_sd_mm * max(reference_g / weight_g, 1.0)
    x, y = [cell.x_mm for cell in cells], [cell.y_mm for cell in cells]
    lever_mm = max(max(x) - min(x), max(y) - min(y)) / 2.0
    gain_sd = max(cell.gain_relative_sd for cell in record.cells.values())
    return lever_mm * math.hypot(gain_sd, _WEIGHED_SD_G / weight_g)


def _slots_apart_mm(setup: Setup, board: str, sku: str, other: str) -> float | None:
    """Between the units of the nearest slots: the middle of one doesn't lie at its slot's very edge."""
    pairs = [(a, b) for a in _slots(setup, board, sku) for b in _slots(setup, board, other)]
    return min((_apart_mm(a, b) for a, b in pairs), default=None)


def _slots(setup: Setup, board: str, sku: str) -> Iterator[Slot]:
    return (slot for slot in setup.planogram.slots.values() if slot.board == board and slot.sku == sku)


def _apart_mm(a: Slot, b: Slot) -> float:
    apart = _gap_mm(a.x_mm, b.x_mm)
    return apart if a.y_mm is None or b.y_mm is None else max(apart, _gap_mm(a.y_mm, b.y_mm))


def _gap_mm(a: tuple[float, float], b: tuple[float, float]) -> float:
    gap = max(a[0] - b[1], b[0] - a[1])
    return max(gap + _INSIDE * (a[1] - a[0] + b[1] - b[0]), 0.0)


def _beyond(sigmas: float) -> float:
    return 0.5 * math.erfc(sigmas / math.sqrt(2.0))


def _one_in(share: float) -> str:
    return f"{1.0 / max(share, 1e-9):.0f}"
