"""The pieces of the monitor's screens: a cell's line with its bar, a board's title, its last change, events.

Every state has a sign and a word of its own; colour only helps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from edge.node.monitor_data import BoardView, CameraView, CellView, Change, EventView, MonitorView, Sign

_SIGNS = {Sign.OK: ("✓", "bold green"), Sign.WAITING: ("…", "dim")}
_BAD = ("✗", "bold red")
_CAUTIONS = {Sign.NOISY: ("!", "bold yellow"), Sign.RATE: ("!", "bold yellow"), Sign.OVERLOAD: _BAD}
_WORDS = {Sign.OK: "", Sign.WAITING: "wait"}
NAME_COLUMNS = 7
OLD = "✗ OLD FIGURES"
LEAST_FULL_G, LEAST_FULL_COUNTS = 100.0, 10_000.0


def sign_of(cell: CellView) -> tuple[str, str]:
    """A letter and its style."""
    return _SIGNS.get(cell.sign) or _CAUTIONS.get(cell.sign) or _BAD


def level_of(cell: CellView, board: BoardView) -> float | None:
    """In grams, or in counts where the board has no calibration."""
    return cell.level_g if board.calibrated else cell.level_counts


def full_scale(board: BoardView) -> float:
    """What a full bar stands for: 1, 2 or 5 times a power of ten that all cells' levels are below."""
    levels = [abs(level) for cell in board.cells if (level := level_of(cell, board)) is not None]
    most = max([LEAST_FULL_G if board.calibrated else LEAST_FULL_COUNTS, *levels])
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= most * 0.999)


def weight_text(board: BoardView) -> str:
    """The board's weight, or its counts; three dashes where it isn't known."""
    if board.calibrated:
        return "–––" if board.level_g is None else f"{grams(board.level_g)} g"
    return "–––" if board.level_counts is None else f"{board.level_counts:.0f} counts"


def grams(value: float) -> str:
    """Whole grams; never minus nothing."""
    return f"{round(value):d}".replace("-", "−")


def state_text(board: BoardView, old: bool = False) -> Text:
    """In two words, with a sign. ``old``: no news come, so it is what was."""
    if old:
        return Text(OLD, "bold red")
    words = {"failed": "✗ NOT READ", "silent": "✗ NO SAMPLES", "stopped": "✗ STOPPED"}
    if board.state in words:
        return Text(words[board.state], "bold red")
    if board.state == "starting":
        return Text("… starting", "dim")
    if board.attention and any(cell.sign in (Sign.NO_SAMPLES, Sign.CLIPPED, Sign.STUCK, Sign.BAD_SAMPLES)
                               for cell in board.attention):  # fmt: skip
        return Text("✗ LOOK AT CELLS", "bold red")
    if board.moving is None:
        return Text("… measuring", "dim")
    return Text("● MOVING", "bold yellow") if board.moving else Text("○ at rest", "bold green")


def tare_text(board: BoardView) -> str:
    """What is taken off; empty where nothing is."""
    if board.tare_waits:
        return " tare: waits until the board rests "
    if board.tare_g is not None:
        return f" NET, less {grams(board.tare_g)} g "
    return "" if board.tare_counts is None else " NET counts "


def change_text(change: Change, short: bool = False) -> str:
    """``−352 g at 420, 180 mm   3 s ago``."""
    if change.grams is not None:
        figure = f"{change.grams:+.0f} g" if abs(change.grams) >= 100 else f"{change.grams:+.1f} g"
    else:
        figure = f"{change.counts or 0.0:+.0f} counts"
    where = ""
    if not short and change.x_mm is not None:
        where = (
            f" at {change.x_mm:.0f}, {change.y_mm:.0f} mm" if change.y_mm is not None else f" at {change.x_mm:.0f} mm"
        )
    return f"{figure.replace('-', '−')}{where}  {ago(change.ago_s)}"


def ago(seconds: float) -> str:
    """``3 s ago``, ``5 min ago``, ``2 h ago``."""
    if seconds < 90:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"


def bar_of(cell: CellView, board: BoardView, full: float, columns: int) -> Text:
    """As long as the cell's level; less than nothing is hatched."""
    level = level_of(cell, board)
    if level is None:
        return Text("·" * columns, "dim")
    length = min(round(abs(level) / full * columns), columns)
    style = "bold cyan" if level >= 0 else "bold magenta"
    bar = Text(("█" if level >= 0 else "▒") * length, style)
    bar.append("░" * (columns - length), "bright_black")
    return bar


def cell_heading(board: BoardView, columns: int) -> Text:
    """Over the lines of `cell_line`."""
    width = _bar_columns(columns)
    full = full_scale(board)
    of = f"0 to {full:g}" if not board.calibrated else f"0 to {full:g} g" if full < 1000 else f"0 to {full / 1000:g} kg"
    nominal_hz = board.cells[0].nominal_hz
    rate = f"SPS/{nominal_hz:g}"
    figures = f"{'now':>10}{rate:>8}{'noise':>9}" if board.calibrated else f"{'counts':>10}{rate:>8}{'mV/V':>9}"
    text = f"  {'cell':<{NAME_COLUMNS}} {of if len(of) <= width else '':<{width}}{figures}{'nV':>7}{'datasheet':>10}"
    return Text(text[:columns], "dim", no_wrap=True)


def cell_line(cell: CellView, board: BoardView, columns: int) -> Text:
    """Sign, name, bar, level, rate, noise (mV/V without a calibration), that in nV, times the datasheet's, the word."""
    letter, style = sign_of(cell)
    line = Text(no_wrap=True)
    line.append(f"{letter} ", style)
    line.append(f"{cell.cell[:NAME_COLUMNS]:<{NAME_COLUMNS}} ", "bold")
    line.append_text(bar_of(cell, board, full_scale(board), _bar_columns(columns)))
    level = level_of(cell, board)
    figure = "–" if level is None else f"{_tenths(level)} g" if board.calibrated else f"{level:.0f}"
    line.append(figure.rjust(10), "bold")
    line.append(("–" if cell.rate_hz is None else f"{cell.rate_hz:.1f}").rjust(8), _alarm(cell, Sign.RATE))
    noisy = _alarm(cell, Sign.NOISY)
    if board.calibrated:
        line.append(("–" if cell.noise_g is None else f"{cell.noise_g:.2f} g").rjust(9), noisy)
    else:
        line.append(("–" if cell.level_mv_per_v is None else f"{cell.level_mv_per_v:.4f}").rjust(9))
    line.append(("–" if cell.noise_nv is None else f"{cell.noise_nv:.0f}").rjust(7), noisy)
    known = cell.noise_nv is not None and cell.datasheet_nv
    line.append((f"×{cell.noise_nv / cell.datasheet_nv:.1f}" if known else "–").rjust(10), noisy)  # type: ignore[operator]
    line.append(f" {_WORDS.get(cell.sign, cell.sign.value.upper())}", style)
    line.truncate(columns)
    return line


def mini_cell(cell: CellView, board: BoardView, columns: int) -> Text:
    """Sign, name, bar and level in few columns."""
    letter, style = sign_of(cell)
    line = Text(no_wrap=True)
    line.append(f"{letter} ", style)
    line.append(f"{cell.cell[:NAME_COLUMNS]:<{min(NAME_COLUMNS, 4)}} ", "bold")
    level = level_of(cell, board)
    figure = "–" if level is None else grams(level) if board.calibrated else f"{level:.0f}"
    unit = " g" if board.calibrated else ""
    if cell.sign not in (Sign.OK, Sign.WAITING):
        figure, unit = cell.sign.value.upper(), ""
    shown = f"{figure}{unit}".rjust(9)
    width = columns - line.cell_len - len(shown) - 2
    if width >= 3:
        line.append_text(bar_of(cell, board, full_scale(board), width))
    else:
        shown = shown.strip().rjust(min(9, max(columns - line.cell_len - 1, 0)))
    # A figure that doesn't go in is left out: half of it would be another one.
    line.append(shown if line.cell_len + len(shown) < columns else "…", style if cell in board.attention else "bold")
    line.truncate(columns - 1)
    line.pad_right(columns - line.cell_len)
    return line


def small_bars(board: BoardView) -> Text:
    """A character per cell; its sign where it is bad."""
    full = full_scale(board)
    found = Text(no_wrap=True)
    for cell in board.cells:
        level = level_of(cell, board)
        if level is None or cell in board.attention:
            found.append(sign_of(cell)[0], sign_of(cell)[1])
        else:
            found.append(
                "▁▂▃▄▅▆▇█"[min(round(abs(level) / full * 7), 7)], "bold cyan" if level >= 0 else "bold magenta"
            )
    return found


def camera_text(camera: CameraView) -> Text:
    """Sign, name, what it sees or why it doesn't."""
    line = Text(no_wrap=True)
    if camera.sound:
        line.append("✓ ", "bold green")
    elif camera.state in ("starting", "silent", "ended"):
        line.append("… ", "dim")
    else:
        line.append("✗ ", "bold red")
    line.append(f"camera {camera.camera}", "bold")
    if not camera.sound:
        line.append(f"  {(camera.verdict or camera.state).upper()}", "bold red" if camera.verdict else "bold yellow")
        line.append(f"  {camera.text}" if camera.text else "")
        return line
    line.append(f"  {camera.fps:.0f} pictures/s", "dim")
    if camera.people is not None:
        line.append(f"  {camera.people} {'person' if camera.people == 1 else 'people'}", "bold")
    return line


def camera_lines(view: MonitorView, columns: int, most: int) -> list[Text]:
    """A line for each camera; where that is too many, those that don't see first, and how many there are."""
    if not view.cameras or most < 1:
        return []
    if len(view.cameras) <= most:
        return fitted([camera_text(camera) for camera in view.cameras], columns, most)
    ranked = sorted(view.cameras, key=lambda camera: camera.sound)
    lines = [camera_text(camera) for camera in ranked[: most - 1]]
    rest = ranked[most - 1 :]
    people = sum(camera.people or 0 for camera in rest)
    seeing = sum(camera.sound for camera in rest)
    who = f"{people} {'person' if people == 1 else 'people'}"
    lines.append(Text(f"{seeing} of {len(rest)} {'more ' if lines else ''}cameras see, {who}", no_wrap=True))
    return fitted(lines, columns, most)


def event_lines(view: MonitorView, columns: int, lines: int, board: str | None = None) -> list[Text]:
    """The last events, a line each, newest first; a sentence where there are none."""
    if lines < 2:
        return []
    if view.source == "hardware":
        return []
    found = [Text("last events", "dim", no_wrap=True)]
    mine = [event for event in view.events if board is None or event.board == board]
    found += [_event(event, board is None, columns) for event in mine[: lines - 1]]
    return found if mine else [Text("no events yet", "dim")]


def _event(event: EventView, named: bool, columns: int) -> Text:
    style = "yellow" if event.needs_review else "green"
    sign = "−" if event.kind == "pick" else "+"
    what = event.sku or "unknown object"
    weight = "" if event.grams is None else f"{event.grams:+.0f} g".replace("-", "−")
    where = f"{event.board} " if named else ""
    sure = "" if event.confidence is None else f"{math.floor(event.confidence * 100)} %"
    mark = "? review" if event.needs_review else "… early" if event.status == "provisional" else "✓ sure"
    line = Text(no_wrap=True)
    line.append(f"{ago(event.ago_s):>10}  ", "dim")
    line.append(f"{sign}{event.quantity} {what[:18]:<18} ", f"bold {style}")
    line.append(f"{where}{event.slot or '·'}"[: 18 if named else 10].ljust(19 if named else 11))
    line.append(f"{weight:>8}  {sure:>5}  ")
    line.append(mark, style)
    line.append(f"  by {event.who}" if event.who else "", "dim")
    line.truncate(columns)
    return line


def rows_of_cells(board: BoardView, columns: int, across: int) -> list[Text]:
    """`mini_cell`s, so many side by side."""
    width = columns // across
    cells = [mini_cell(cell, board, width) for cell in board.cells]
    return [Text("").join(cells[at : at + across]) for at in range(0, len(cells), across)]


def fitted(lines: Sequence[Text], columns: int, most: int) -> list[Text]:
    """At most so many, none too wide."""
    found = []
    for line in lines[:most]:
        cut = line.copy()
        cut.no_wrap = True
        cut.truncate(columns, overflow="crop")
        found.append(cut)
    return found


def _bar_columns(columns: int) -> int:
    return max(columns - (2 + NAME_COLUMNS + 1 + 10 + 8 + 9 + 7 + 10 + 12), 3)


def _tenths(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _alarm(cell: CellView, sign: Sign) -> str:
    return "bold yellow" if cell.sign is sign else ""
