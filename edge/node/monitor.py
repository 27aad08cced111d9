"""Follows what a feed tells of the boards, and says how they stand: levels, rates, noise, changes, events, a tare."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.diagnosis.physics import (
    RATE_FROM,
    RATE_TO,
    SOUND_BOARDS,
    datasheet_noise_nv,
    mv_per_v,
    nv_per_count,
)
from edge.fusion.geometry import Statics, statics_of
from edge.node.board_health import SILENT_S
from edge.node.monitor_changes import SIGMAS, ChangeFinder, Step
from edge.node.monitor_data import BoardView, CameraView, CellView, Change, EventView, MonitorView, Sign
from edge.node.monitor_feed import Feed

Floats = npt.NDArray[np.float64]

USUAL_SUPPLY_V = 5.0
LAST_EVENTS = 8
LEAST_CHANGE_G = 2.0
LEAST_PLACED_G = 5.0
"""A weight below this has no place that is worth a picture: drift since the calibration weighs as much."""


@dataclass(slots=True)
class _Board:
    """What is remembered of a board from one answer to the next."""

    facts: Mapping[str, Any]
    statics: Statics
    finder: ChangeFinder
    said: Mapping[str, Any] | None = None
    tare: Floats | None = None
    tare_waits: bool = False

    def of_cells(self, key: str) -> Floats:
        """A value per cell, NaN where there is none."""
        cells = {} if self.said is None else self.said["cells"]
        values = [cells.get(cell, {}).get(key) for cell in self.facts["cells"]]
        return np.array([math.nan if value is None else value for value in values], np.float64)

    def take_tare(self) -> None:
        """As the board stands now."""
        levels = self.of_cells(f"level_{self.unit}")
        self.tare = levels if bool(np.isfinite(levels).all()) else None
        self.tare_waits = False

    @property
    def unit(self) -> str:
        """Of levels and tare: grams where the board is calibrated, else counts."""
        return "g" if self.facts["calibrated"] else "counts"


class Monitor:
    """Ask `update` now and then, then `view`.

    Args:
        feed: where it hears of the boards.
        supply_v: the converters' analog supply, which nV depend on.
    """

    def __init__(self, feed: Feed, supply_v: float = USUAL_SUPPLY_V) -> None:
        self._feed = feed
        self._supply_v = supply_v
        self._facts: Mapping[str, Any] | None = None
        self._boards: dict[str, _Board] = {}
        self._events: dict[str, dict[str, Any]] = {}
        self._news_ns: int | None = None
        self._cameras: Mapping[str, Mapping[str, Any]] = {}

    def update(self) -> bool:
        """Take in what came; whether anything did. Never waits."""
        news = self._feed.news()
        for answer in news:
            self._take(answer)
        return bool(news)

    def tare(self, board: str) -> bool:
        """Show the board's weight as 0 from now on; the second time as it is. Whether one is in force now.

        For the display alone: nothing is told to the node. While something moves it is waited for rest: a level that
        is on its way would be taken for good. Not done while a cell has no level.
        """
        found = self._boards.get(board)
        if found is None:
            return False
        if found.tare is not None or found.tare_waits:
            found.tare, found.tare_waits = None, False
        elif found.finder.moving:
            found.tare_waits = True
        else:
            found.take_tare()
        return found.tare is not None

    def view(self, now_ns: int) -> MonitorView:
        """How everything stands; ``now_ns`` on the feed's clock."""
        boards = tuple(_board_view(name, board, now_ns, self._supply_v) for name, board in self._boards.items())
        latest = sorted(self._events.values(), key=lambda event: -int(event["time"]))[:LAST_EVENTS]
        return MonitorView(
            self._feed.node,
            self._feed.source,
            self._feed.live,
            self._feed.text,
            None if self._news_ns is None else max(0.0, (now_ns - self._news_ns) / 1e9),
            self._supply_v,
            boards,
            tuple(_event_view(event, now_ns) for event in latest),
            tuple(_camera_view(name, said) for name, said in self._cameras.items()),
        )

    def _take(self, answer: Mapping[str, Any]) -> None:
        facts = answer["facts"]
        if facts is not self._facts:  # another run of the node, perhaps with other boards
            self._facts = facts
            tares = {name: board.tare for name, board in self._boards.items()}
            self._boards = {name: _board(known) for name, known in facts["boards"].items()}
            for name, board in self._boards.items():
                tare = tares.get(name)
                if tare is not None and tare.size == len(board.facts["cells"]):
                    board.tare = tare
        self._news_ns = int(answer["now_ns"])
        self._cameras = answer.get("cameras") or {}
        for name, said in answer["boards"].items():
            if name in self._boards:
                self._hear(self._boards[name], said, self._news_ns)
        for event in answer["events"]:
            self._events.pop(event["event_id"], None)
            if event["status"] != "retracted":
                self._events[event["event_id"]] = event
        while len(self._events) > 2 * LAST_EVENTS:
            self._events.pop(next(iter(self._events)))

    def _hear(self, board: _Board, said: Mapping[str, Any], now_ns: int) -> None:
        board.said = said
        sd = board.of_cells(f"noise_{board.unit}")
        if np.isfinite(sd).all():
            board.finder.push(now_ns, board.of_cells(f"level_{board.unit}"), sd, float(board.facts["rate_hz"]))
            if board.tare_waits and board.finder.moving is False:
                board.take_tare()


def _board(facts: Mapping[str, Any]) -> _Board:
    cells = facts["cells"].values()
    x_mm, y_mm = (np.array([cell[key] for cell in cells], np.float64) for key in ("x_mm", "y_mm"))
    return _Board(facts, statics_of(x_mm, y_mm), ChangeFinder(LEAST_CHANGE_G if facts["calibrated"] else 0.0))


def _board_view(name: str, board: _Board, now_ns: int, supply_v: float) -> BoardView:
    facts, said = board.facts, board.said or {}
    calibrated = bool(facts["calibrated"])
    levels = board.of_cells(f"level_{board.unit}")
    net = levels if board.tare is None else levels - board.tare
    total, tare = float(net.sum()), None if board.tare is None else float(board.tare.sum())
    finder = board.finder
    so_far = None
    if finder.moving and finder.rest is not None:
        so_far = _known(float((levels - finder.rest).sum()))
    x_mm, y_mm = _place(board, net, LEAST_PLACED_G) if calibrated else (None, None)
    return BoardView(
        name,
        float(facts["width_mm"]),
        float(facts["depth_mm"]),
        calibrated,
        str(said.get("state", "starting")),
        str(said.get("text", "")),
        _known(total) if calibrated else None,
        None if calibrated else _known(total),
        tare if calibrated else None,
        None if calibrated else tare,
        finder.moving,
        so_far if calibrated else None,
        x_mm,
        y_mm,
        tuple(_change(board, step, now_ns) for step in finder.steps),
        tuple(_cell_view(board, cell, float(net[at]), supply_v) for at, cell in enumerate(facts["cells"])),
        board.tare_waits,
    )


def _cell_view(board: _Board, name: str, net: float, supply_v: float) -> CellView:
    facts = board.facts["cells"][name]
    said = {} if board.said is None else board.said["cells"].get(name, {})
    calibrated, nominal_hz = bool(board.facts["calibrated"]), float(board.facts["rate_hz"])
    counts, noise, rate_hz = said.get("level_counts"), said.get("noise_counts"), said.get("rate_hz")
    per_gram = facts["counts_per_gram"]
    nv = nv_per_count(supply_v, int(facts["gain"])) if facts["raw"] else None
    datasheet_nv = datasheet_noise_nv(rate_hz or nominal_hz) if nv is not None else None
    found = CellView(
        name,
        float(facts["x_mm"]),
        float(facts["y_mm"]),
        facts["capacity_g"],
        _known(net) if calibrated else None,
        counts if calibrated else _known(net),
        None if counts is None or nv is None else round(mv_per_v(counts, int(facts["gain"])), 5),
        rate_hz,
        nominal_hz,
        said.get("noise_g"),
        None if noise is None or nv is None else round(noise * nv, 1),
        None if datasheet_nv is None or nv is None or not per_gram else round(datasheet_nv / nv / per_gram, 4),
        None if datasheet_nv is None else round(datasheet_nv, 1),
        said.get("age_s"),
        str(said.get("fault", "")),
        Sign.WAITING,
    )
    load_g = said.get("level_g")
    state = str((board.said or {}).get("state", "starting"))
    return dataclasses.replace(found, sign=_sign(found, state, 0.0 if load_g is None else load_g))


def _sign(cell: CellView, state: str, load_g: float) -> Sign:
    if cell.age_s is None or cell.age_s > SILENT_S:
        return Sign.WAITING if cell.age_s is None and state == "starting" else Sign.NO_SAMPLES
    if cell.fault:
        known = {"SATURATED": Sign.CLIPPED, "STUCK": Sign.STUCK, "SETTLING": Sign.WAITING}
        return known.get(cell.fault, Sign.BAD_SAMPLES)
    if (cell.capacity_g or math.inf) < abs(load_g):
        return Sign.OVERLOAD
    if cell.rate_hz is None or (cell.noise_nv is None and cell.noise_g is None):
        return Sign.WAITING
    if cell.noise_nv == 0.0:
        return Sign.STUCK
    if not RATE_FROM <= cell.rate_hz / cell.nominal_hz <= RATE_TO:
        return Sign.RATE
    if cell.noise_nv is not None and cell.datasheet_nv and cell.noise_nv > SOUND_BOARDS * cell.datasheet_nv:
        return Sign.NOISY
    return Sign.OK


def _change(board: _Board, step: Step, now_ns: int) -> Change:
    calibrated = bool(board.facts["calibrated"])
    total = float(step.delta.sum())
    x_mm, y_mm = None, None
    if calibrated:
        x_mm, y_mm = _place(board, step.delta, 2.0 * SIGMAS * float(np.sqrt((step.sd**2).sum())))
    return Change(
        round(total, 1) if calibrated else None,
        None if calibrated else round(total),
        x_mm,
        y_mm,
        max(0.0, (now_ns - step.time_ns) / 1e9),
        step.settled,
    )


def _place(board: _Board, forces_g: Floats, least_g: float) -> tuple[float | None, float | None]:
    """Where a weight lies by its forces; nowhere for less than ``least_g``, or off the board by a quarter of it."""
    statics = board.statics
    weight, moment_x, moment_y = statics.transforms[-1] @ forces_g
    if not abs(weight) > least_g:
        return None, None
    x_mm, y_mm = statics.x0_mm + moment_x / weight, statics.y0_mm + moment_y / weight
    width, depth = float(board.facts["width_mm"]), float(board.facts["depth_mm"])
    off = not (-0.25 * width <= x_mm <= 1.25 * width and -0.25 * depth <= y_mm <= 1.25 * depth)
    return (
        round(float(x_mm), 1) if statics.sees_x and not off else None,
        round(float(y_mm), 1) if statics.sees_y and not off else None,
    )


def _event_view(event: Mapping[str, Any], now_ns: int) -> EventView:
    return EventView(
        event["event_id"],
        event["status"],
        event["kind"],
        event["board"],
        event["slot"],
        event["sku"],
        event["quantity"],
        event["grams"],
        event["x_mm"],
        event["y_mm"],
        event["confidence"],
        event["needs_review"],
        max(0.0, (now_ns - int(event["time"])) / 1e9),
        max(who.items(), key=lambda each: each[1])[0] if (who := event.get("who")) else "",
    )


def _camera_view(name: str, said: Mapping[str, Any]) -> CameraView:
    return CameraView(
        name, said["looks_at"], said["state"], said["verdict"] or "", said["text"], float(said["fps"]), said["people"]
    )


def _known(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
