"""A board seen from above by somebody in front of it: back edge at the top, cells, places done, the one to use now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.text import Text

_ASPECT = 2.0  # a character is about twice as high as it is wide
_SPOT_COLUMNS, _SPOT_ROWS = 7, 3


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the board, in mm from its left and front edges."""

    x_mm: float
    y_mm: float


def board_picture(
    width_mm: float,
    depth_mm: float,
    cells: Sequence[Spot],
    done: Collection[Spot],
    target: Spot | None,
    label: str,
    columns: int,
    lines: int,
    mark: Spot | None = None,
) -> list[Text]:
    """At most ``lines`` lines of at most ``columns`` characters, borders and the front's name included.

    ``target``: where something is to be put now, with ``label`` (at most 5 characters) on it.
    ``mark``: where a small sign goes, over all but the target.
    """
    inner_rows = max(lines - 3, _SPOT_ROWS)
    inner_columns = max(columns - 2, _SPOT_COLUMNS)
    wanted = round(inner_rows * _ASPECT * width_mm / depth_mm)
    if wanted > inner_columns:
        inner_rows = max(min(inner_rows, round(inner_columns / _ASPECT * depth_mm / width_mm)), min(7, inner_rows))
    else:
        inner_columns = max(wanted, min(24, inner_columns))
    canvas = _Canvas(inner_columns, inner_rows, width_mm, depth_mm)
    for cell in cells:
        canvas.mark(cell, "▪", "bright_black")
    for place in done:
        canvas.mark(place, "✔", "bold green")
    if mark is not None:
        canvas.mark(mark, "◎", "bold")
    if target is not None:
        canvas.spot(target, label)
    style = "white"
    found = [Text("┌" + "─" * inner_columns + "┐", style)]
    found += [Text("│", style) + row + Text("│", style) for row in canvas.rows()]
    found.append(Text("└" + "─" * inner_columns + "┘", style))
    found.append(Text("▲ front: you stand here ▲".center(inner_columns + 2)[: inner_columns + 2], "dim"))
    return found


class _Canvas:
    """Characters with styles; mm become columns and rows, the front at the bottom."""

    def __init__(self, columns: int, rows: int, width_mm: float, depth_mm: float) -> None:
        self._columns, self._rows = columns, rows
        self._size = (width_mm, depth_mm)
        self._letters = [[(" ", "") for _ in range(columns)] for _ in range(rows)]

    def mark(self, place: Spot, letter: str, style: str) -> None:
        column, row = self._at(place)
        self._letters[row][column] = (letter, style)

    def spot(self, place: Spot, label: str) -> None:
        """A block around the place, wholly on the board."""
        column, row = self._at(place)
        left = min(max(column - _SPOT_COLUMNS // 2, 0), self._columns - _SPOT_COLUMNS)
        top = min(max(row - _SPOT_ROWS // 2, 0), self._rows - _SPOT_ROWS)
        texts = [" " * _SPOT_COLUMNS] * _SPOT_ROWS
        texts[_SPOT_ROWS // 2] = label[: _SPOT_COLUMNS - 2].center(_SPOT_COLUMNS)
        for line, text in enumerate(texts):
            for at, letter in enumerate(text):
                self._letters[top + line][left + at] = (letter, "bold black on bright_cyan")

    def rows(self) -> list[Text]:
        found = []
        for letters in self._letters:
            row = Text()
            for letter, style in letters:
                row.append(letter, style)
            found.append(row)
        return found

    def _at(self, place: Spot) -> tuple[int, int]:
        column = int(place.x_mm / self._size[0] * self._columns)
        row = int((1.0 - place.y_mm / self._size[1]) * self._rows)
        return min(max(column, 0), self._columns - 1), min(max(row, 0), self._rows - 1)
