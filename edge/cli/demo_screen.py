"""What the demo shows: weight curves per board, and what was decided beside what really happened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.cli.braille import braille_curve
from edge.config.setup import Setup
from edge.fusion.score import Score, Verdict, score
from edge.trace.curves import BoardCurve
from edge.trace.event import Event, Kind, Label, Status

WINDOW_S = 30.0
LEAST_RANGE_G = 200.0
MOVING_G = 12.0
MOVING_WINDOW_S = 0.6
OVERDUE_S = 8.0
_MARK_ROWS = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list: what was decided, what really happened, and how the two compare."""

    time_s: float
    event: Event | None
    label: Label | None
    verdict: str


def rows_of(events: Sequence[Event], truth: Sequence[Label], now_s: float) -> tuple[list[Row], Score]:
    """The list so far in order of time, provisional events taken as they stand, and the score that follows."""
    last: dict[str, Event] = {}
    for event in events:
        last[event.event_id] = event
    standing = [event for event in last.values() if event.status is not Status.RETRACTED]
    # For the comparison a provisional event counts as if it were final; that is what a person would do.
    as_final = [_as_final(event) for event in standing]
    result = score(truth, as_final, max(now_s, 1e-9))
    rows = []
    for event in standing:
        index = result.label_of_event.get(event.event_id)
        verdict = result.event_verdicts.get(event.event_id, Verdict.FALSE)
        rows.append(Row(event.time_ns / 1e9, event, None if index is None else truth[index], verdict.value))
    answered = set(result.label_of_event.values())
    for index, label in enumerate(truth):
        if index not in answered:
            overdue = now_s > label.end_s + OVERDUE_S
            rows.append(Row(label.start_s, None, label, "missed" if overdue else "pending"))
    return sorted(rows, key=lambda row: row.time_s), result


def _as_final(event: Event) -> Event:
    from dataclasses import replace

    return event if event.status is Status.FINAL else replace(event, status=Status.FINAL)


class Screen:
    """Draws one frame of the demo for a terminal of any size from 60 x 16 on."""

    def __init__(self, setup: Setup, seconds: float, speed: float, seed: int) -> None:
        self._setup = setup
        self._seconds = seconds
        self._what = f"{speed:g} x real time, seed {seed}"

    def frame(
        self, now_s: float, curves: Sequence[BoardCurve], rows: Sequence[Row], columns: int, lines: int
    ) -> RenderableType:
        """The header, a curve per board, and as many of the latest rows as fit."""
        boards = max(len(curves), 1)
        list_lines = max(6, (lines - 2) * 2 // 5)
        curve_rows = min(max((lines - 2 - list_lines) // boards - 1 - _MARK_ROWS, 1), 9)
        list_lines = lines - 2 - boards * (curve_rows + 1 + _MARK_ROWS)
        parts: list[RenderableType] = [self._header(now_s, columns)]
        for curve in curves:
            mine = [row for row in rows if (row.event or row.label).board == curve.board]  # type: ignore[union-attr]
            parts += self._board(curve, mine, now_s, columns, curve_rows)
        parts.append(self.list_of(rows[-max(list_lines - 1, 1) :], columns))
        return Group(*parts)

    def _header(self, now_s: float, columns: int) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(" shelfedge demo ", "bold reverse")
        line.append(f"  {self._setup.node.node}  ", "bold")
        line.append(f"{clock(now_s)} of {clock(self._seconds)}  ")
        done = round(min(now_s / self._seconds, 1.0) * 16)
        line.append("━" * done, "cyan")
        line.append("━" * (16 - done), "bright_black")
        line.append(f"  {self._what}", "dim")
        return line

    def _board(
        self, curve: BoardCurve, rows: Sequence[Row], now_s: float, columns: int, curve_rows: int
    ) -> list[RenderableType]:
        values, weight_g, moving = _recent(curve, now_s, 2 * (columns - 10))
        known = values[~np.isnan(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        spare = max(LEAST_RANGE_G - (high - low), 0.1 * (high - low)) / 2
        low, high = low - spare, high + spare
        title = Text(no_wrap=True)
        title.append(f"{curve.board}  ", "bold")
        title.append("no samples" if weight_g is None else f"{weight_g:8.1f} g  ", "bold cyan")
        title.append("● moving" if moving else "○ quiet", "yellow" if moving else "dim")
        lines: list[RenderableType] = [title]
        for number, dots in enumerate(braille_curve(list(values), columns - 10, curve_rows, low, high)):
            line = Text(no_wrap=True)
            edge = {0: f"{high:7.0f} g", curve_rows - 1: f"{low:7.0f} g"}.get(number, "")
            line.append(f"{edge:>9} ", "dim")
            line.append(dots, "cyan")
            lines.append(line)
        lines.append(self._marks(rows, now_s, columns - 10))
        return lines

    def _marks(self, rows: Sequence[Row], now_s: float, columns: int) -> Text:
        """Under the curve: a triangle and the slot where each event of the window was found."""
        places: list[tuple[int, str, str]] = []
        for row in rows:
            if row.event is None:
                continue
            x = math.floor((row.time_s - (now_s - WINDOW_S)) / WINDOW_S * columns)
            sign = "▼" if row.event.kind is Kind.PICK else "▲"
            places.append((x, sign + (row.event.slot or "?"), _event_style(row)))
        line = Text(" " * 10, no_wrap=True)
        used = 0
        for x, mark, style in places:
            if x < used or x + len(mark) > columns:
                continue
            line.append(" " * (x - used))
            line.append(mark, style)
            used = x + len(mark)
        return line

    def list_of(self, rows: Sequence[Row], columns: int) -> Table:
        """What was decided beside what really happened, a line each."""
        table = Table(box=None, padding=(0, 1, 0, 0), width=columns, header_style="bold")
        table.add_column("time", no_wrap=True, width=5)
        table.add_column("decided", no_wrap=True, ratio=1, overflow="ellipsis")
        table.add_column("sure", no_wrap=True, justify="right", width=5)
        table.add_column("really", no_wrap=True, ratio=1, overflow="ellipsis")
        table.add_column("", no_wrap=True, width=9)
        for row in rows:
            decided, sure = Text("…" if row.verdict == "pending" else "–", "dim"), Text("")
            if row.event is not None:
                decided = Text(self.move(row.event.kind, row.event.quantity, row.event.sku, row.event.slot))
                decided.stylize(_event_style(row))
                sure = Text(percent(row.event.confidence), _event_style(row))
            really = Text("nothing", "dim")
            if row.label is not None:
                really = Text(self.move(row.label.kind, row.label.quantity, row.label.sku, row.label.slot))
            table.add_row(clock(row.time_s), decided, sure, really, _verdict(row))
        return table

    def move(self, kind: Kind, quantity: int, sku: str | None, slot: str | None) -> str:
        """For example ``−1 Cola, can 0.33 l @A1``, the place first where space is short."""
        sign = "−" if kind is Kind.PICK else "+"
        name = "unknown object" if sku is None else self._setup.planogram.skus[sku].name
        return f"{sign}{quantity} {slot or '·'} {name}"


def clock(seconds: float) -> str:
    """Minutes and seconds: ``1:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def percent(probability: float) -> str:
    """Rounded down, so that 100 % is certainty: ``99.9 %`` never stands for less."""
    return f"{math.floor(probability * 100)} %"


def _recent(curve: BoardCurve, now_s: float, dots: int) -> tuple[np.ndarray, float | None, bool]:
    """The window's means for ``dots`` dots, the weight now, and whether the board moves."""
    values = np.full(dots, np.nan)
    if curve.mean.size == 0:
        return values, None, False
    times_s = curve.time_s()
    begin_s = now_s - WINDOW_S
    place = np.floor((times_s - begin_s) / WINDOW_S * dots).astype(np.int64)
    inside = (place >= 0) & (place < dots) & ~np.isnan(curve.mean)
    total = np.bincount(place[inside], curve.mean[inside], dots)
    count = np.bincount(place[inside], minlength=dots)
    np.divide(total, count, out=values, where=count > 0)
    late = curve.mean[(times_s > times_s[-1] - MOVING_WINDOW_S) & ~np.isnan(curve.mean)]
    if late.size == 0:
        return values, None, False
    return values, float(np.median(late)), float(late.max() - late.min()) > MOVING_G


def _event_style(row: Row) -> str:
    event = row.event
    if event is None:
        return ""
    style = "yellow" if event.needs_review else "green"
    if row.verdict == Verdict.FALSE or (row.verdict == Verdict.WRONG and not event.needs_review):
        style = "red"
    return style + (" italic" if event.status is Status.PROVISIONAL else " bold")


def _verdict(row: Row) -> Text:
    if row.event is not None and row.event.status is Status.PROVISIONAL:
        return Text("… early", "dim")
    if row.event is not None and row.event.needs_review:
        return Text("? review", "yellow")
    return {
        "right": Text("✓ right", "green"),
        "wrong": Text("✗ wrong", "red bold"),
        "false": Text("✗ false", "red bold"),
        "missed": Text("✗ missed", "red bold"),
    }.get(row.verdict, Text("", "dim"))
