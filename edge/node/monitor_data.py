"""What `monitor` shows, as data: a terminal and a web page stand on the same."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sign(StrEnum):
    """How a cell is, in a word; everything but `OK` and `WAITING` asks for somebody's attention."""

    OK = "ok"
    WAITING = "waiting"  # for samples enough to tell its noise
    NO_SAMPLES = "no samples"
    CLIPPED = "clipped"  # at the converter's end stop
    STUCK = "stuck"  # always the same code
    BAD_SAMPLES = "bad samples"  # most are flagged
    OVERLOAD = "overload"  # beyond its capacity
    RATE = "rate"  # far from nominal
    NOISY = "noisy"  # far beyond the datasheet


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell. None is: not known (no samples, or no calibration for what is in grams).

    Attributes:
        x_mm, y_mm: where its channel stands, by the calibration.
        level_g, level_counts: mean of the last quarter second, a tare taken off. level_mv_per_v: bridge output, never
            tared; None for numbers that never were a converter's codes.
        rate_hz: by the chip's own clock. noise_g, noise_nv: rms of one sample; the nV hold at the view's `supply_v`.
        datasheet_g, datasheet_nv: what the HX711's datasheet has at this rate, rms.
        age_s: of its newest sample. fault: what its samples are, by the flag's name; empty where they are good.
    """

    cell: str
    x_mm: float
    y_mm: float
    capacity_g: float | None
    level_g: float | None
    level_counts: float | None
    level_mv_per_v: float | None
    rate_hz: float | None
    nominal_hz: float
    noise_g: float | None
    noise_nv: float | None
    datasheet_g: float | None
    datasheet_nv: float | None
    age_s: float | None
    fault: str
    sign: Sign


@dataclass(frozen=True, slots=True)
class Change:
    """A load change that a board has seen between two rests.

    Attributes:
        grams: negative is taken away; None without a calibration. counts: the sum of the cells' changes then.
        x_mm, y_mm: where, from the front left corner; None where the cells can't tell.
        ago_s: since the board came to rest behind it. settled: it is the final figure.
    """

    grams: float | None
    counts: float | None
    x_mm: float | None
    y_mm: float | None
    ago_s: float
    settled: bool


@dataclass(frozen=True, slots=True)
class BoardView:
    """One board.

    Attributes:
        state: running, silent, failed, starting or stopped. text: why it failed, in its driver's words.
        level_g, level_counts: sum of its cells, a tare taken off; None while a cell has none.
        tare_g, tare_counts: what is taken off, for display alone; None where nothing is.
        moving: something is being moved; None before the first rest is known.
        so_far_g: while it moves, the change since it last rested.
        x_mm, y_mm: centre of what weighs on it, from the front left corner; None where nothing does.
        changes: the last ones, the newest first.
        tare_waits: one was asked for, and is taken once the board rests.
    """

    board: str
    width_mm: float
    depth_mm: float
    calibrated: bool
    state: str
    text: str
    level_g: float | None
    level_counts: float | None
    tare_g: float | None
    tare_counts: float | None
    moving: bool | None
    so_far_g: float | None
    x_mm: float | None
    y_mm: float | None
    changes: tuple[Change, ...]
    cells: tuple[CellView, ...]
    tare_waits: bool = False

    @property
    def attention(self) -> tuple[CellView, ...]:
        """Cells that somebody should look at."""
        return tuple(cell for cell in self.cells if cell.sign not in (Sign.OK, Sign.WAITING))


@dataclass(frozen=True, slots=True)
class EventView:
    """An event of the node, as it stands now; the fields as in `edge.trace.event`. ``who``: the likeliest track; empty
    where nobody is told, or most likely nobody who was seen.
    """

    event_id: str
    status: str
    kind: str
    board: str
    slot: str | None
    sku: str | None
    quantity: int
    grams: float | None
    x_mm: float | None
    y_mm: float | None
    confidence: float | None
    needs_review: bool
    ago_s: float
    who: str = ""


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera of a running node.

    Attributes:
        looks_at: floor, or a board's name. state: as health has it. verdict: what is wrong with its pictures (frozen,
            dark, covered, moved, stalled); empty where nothing is. text: why it failed.
        fps: pictures looked at a second. people: tracks in the last one; None where it doesn't look at the floor.
    """

    camera: str
    looks_at: str
    state: str
    verdict: str
    text: str
    fps: float
    people: int | None

    @property
    def sound(self) -> bool:
        """It sees."""
        return self.state == "running" and not self.verdict


@dataclass(frozen=True, slots=True)
class MonitorView:
    """Everything at one moment.

    Attributes:
        source: "node" (a running one tells) or "hardware" (opened for this alone: then there are no events).
        live: news come. text: why not, or what else is to be known; may be empty.
        age_s: of the newest news; None before the first. supply_v: assumed for nV.
        events: the last ones, the newest first.
        cameras: of a running node; they aren't opened for this.
    """

    node: str
    source: str
    live: bool
    text: str
    age_s: float | None
    supply_v: float
    boards: tuple[BoardView, ...]
    events: tuple[EventView, ...]
    cameras: tuple[CameraView, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """JSON-able, with these names."""
        return dataclasses.asdict(self)
