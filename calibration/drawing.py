"""A small picture of a board in text, with its cells and the place for the weight; never wider than asked for."""

from __future__ import annotations

from calibration.placements import BoardSite
from calibration.prompts import Prompt

WIDTH = 60
ROWS = (5, 13)
_CELL, _DONE = "o", "."
CHARACTER = 2.1  # a terminal's characters are about twice as high as wide


def draw_board(
    site: BoardSite, prompt: Prompt | None = None, width: int = WIDTH, done: tuple[tuple[float, float], ...] = ()
) -> str:
    """The board from above, its front edge below.

    Args:
        prompt: where the weight goes is marked ``[X]``.
        width: columns of the whole picture, 20 at least.
        done: places in mm that were measured already; drawn as dots.
    """
    width = max(width, 20)
    across = width - 2
    wanted = round(across * site.depth_mm / site.width_mm / CHARACTER)
    rows = min(max(wanted, ROWS[0]), ROWS[1])
    grid = [[" "] * across for _ in range(rows)]

    def at(x_mm: float, y_mm: float) -> tuple[int, int]:
        column = round(x_mm / site.width_mm * (across - 1))
        row = round((1.0 - y_mm / site.depth_mm) * (rows - 1))
        return min(max(row, 0), rows - 1), min(max(column, 0), across - 1)

    for place in done:
        row, column = at(*place)
        grid[row][column] = _DONE
    for cell in site.cells:
        row, column = at(cell.x_mm, cell.y_mm)
        grid[row][column] = _CELL
    if prompt is not None and prompt.x_mm is not None and prompt.y_mm is not None:
        row, column = at(prompt.x_mm, prompt.y_mm)
        first = min(max(column - 1, 0), across - 3)
        grid[row][first : first + 3] = "[X]"
    lines = ["back".center(width).rstrip(), "+" + "-" * across + "+"]
    lines += ["|" + "".join(row) + "|" for row in grid]
    lines += ["+" + "-" * across + "+", "front (where you stand)".center(width).rstrip()]
    return "\n".join(lines)
