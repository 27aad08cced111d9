"""Views for the tests of the monitor's screens, made by hand."""

from __future__ import annotations

import dataclasses

from edge.node.monitor_data import BoardView, CellView, Change, EventView, MonitorView, Sign

OK_CELL = CellView(
    "c1", 30.0, 30.0, 10_000.0, 1234.5, 265_000.0, 0.1234, 84.9, 80.0, 0.31, 150.0, 0.19, 91.6, 0.01, "", Sign.OK
)


def board(name: str = "shelf-1", cells: int = 4, **changed: object) -> BoardView:
    """A calibrated board at rest from which 352 g were taken three seconds ago."""
    views = tuple(
        dataclasses.replace(OK_CELL, cell=f"c{k + 1}", x_mm=30.0 + 120.0 * k, y_mm=30.0 + 340.0 * (k % 2))
        for k in range(cells)
    )
    found = BoardView(
        name, 900.0, 400.0, True, "running", "", 1234.5 * cells, None, None, None, False, None, 410.0, 190.0,
        (Change(-352.4, None, 420.0, 180.0, 3.0, True), Change(97.0, None, 100.0, 300.0, 30.0, True)), views,
    )  # fmt: skip
    return dataclasses.replace(found, **changed)  # type: ignore[arg-type]


def event(number: int = 1, **changed: object) -> EventView:
    """A pick that nobody needs to look at."""
    found = EventView(
        f"e{number}", "final", "pick", "shelf-1", "A1", "cola-033", 1, -352.0, 420.0, 180.0, 0.999, False, 4.0 * number
    )
    return dataclasses.replace(found, **changed)  # type: ignore[arg-type]


def view(*boards: BoardView, **changed: object) -> MonitorView:
    """A node that runs."""
    events = tuple(event(number) for number in range(1, 4))
    found = MonitorView("bay-12", "node", True, "", 0.1, 5.0, boards or (board(),), events)
    return dataclasses.replace(found, **changed)  # type: ignore[arg-type]


def bay(boards: int = 8, cells: int = 8) -> MonitorView:
    """As large as a node gets."""
    return view(*(board(f"shelf-{k + 1}", cells) for k in range(boards)))


def bad_cell(found: BoardView, sign: Sign, at: int = 1) -> BoardView:
    """The board with one cell that somebody should look at."""
    cells = list(found.cells)
    cells[at] = dataclasses.replace(cells[at], sign=sign, level_g=None, level_counts=None, age_s=12.0)
    return dataclasses.replace(found, cells=tuple(cells), level_g=None)


def uncalibrated(found: BoardView) -> BoardView:
    """The board as it is before `calibrate`."""
    cells = tuple(
        dataclasses.replace(cell, level_g=None, noise_g=None, datasheet_g=None, level_counts=265_000.0)
        for cell in found.cells
    )
    changes = (Change(None, 81_234.0, None, None, 3.0, True),)
    return dataclasses.replace(
        found, calibrated=False, level_g=None, level_counts=1_060_000.0, x_mm=None, y_mm=None, changes=changes,
        cells=cells,
    )  # fmt: skip
