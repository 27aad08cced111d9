"""Draws the monitor for a terminal of any size: one board with digits as large as they go in, or all of them.

A frame is a list of lines, none wider and not more than the terminal has.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from edge.cli.big_digits import ROWS, block_digits
from edge.cli.board_picture import Spot, board_picture
from edge.cli.monitor_parts import (
    OLD,
    camera_lines,
    cell_heading,
    cell_line,
    change_text,
    event_lines,
    fitted,
    grams,
    rows_of_cells,
    small_bars,
    state_text,
    tare_text,
    weight_text,
)
from edge.cli.window import too_small
from edge.node.monitor_data import BoardView, MonitorView

STALE_S = 2.0
_PICTURE_COLUMNS, _BESIDE_DIGITS = 40, 106
_LOWER = 12
_EVENTS = 6
_CELL, _CELLS_BESIDE = 18, 30
_DIGITS_LEAST_LETTERS = 5
_ASCII = str.maketrans({
    "█": "#", "░": ".", "▒": "%", "·": ".", "●": "*", "○": "o", "✓": "+", "✗": "X", "…": "~", "−": "-", "–": "-",
    "×": "x", "┌": "+", "┐": "+", "└": "+", "┘": "+", "─": "-", "│": "|", "▪": "o", "◎": "@", "▲": "^", "✔": "+",
    "←": "<", "→": ">", "↑": "^", "↓": "v", "▁": "1", "▂": "2", "▃": "3", "▄": "4", "▅": "5", "▆": "6", "▇": "7",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown.

    Attributes:
        board: this one alone; None is all. rotating: from board to board by itself. page: of all, where they don't fit.
        keys: whether the terminal has any.
    """

    board: str | None = None
    rotating: bool = False
    page: int = 0
    keys: bool = True


def frame(view: MonitorView, look: Look, columns: int, lines: int, ascii_only: bool = False) -> list[Text]:
    """The whole screen."""
    if small := too_small(columns, lines):
        return small
    head = [*_head(view, look, columns), *camera_lines(view, columns, _camera_room(view, lines))]
    foot = _foot(look, view, columns) if lines >= 12 and look.keys else []
    room = max(lines - len(head) - len(foot), 0)
    shown = next((board for board in view.boards if board.board == look.board), None)
    body = _all_boards(view, look, columns, room) if shown is None else _one_board(view, shown, columns, room)
    body = fitted(body, columns, room)
    if _is_old(view):
        body = [_greyed(line) for line in body]
    body += [Text() for _ in range(room - len(body))]
    found = fitted([*head, *body, *foot], columns, lines)
    return [_in_ascii(line) for line in found] if ascii_only else found


def pages(view: MonitorView, columns: int, lines: int) -> int:
    """How many there are of all boards."""
    cameras = min(len(view.cameras), _camera_room(view, lines))
    room = max(lines - 2 - cameras - (1 if lines >= 12 else 0), 1)
    _, per_page = _style(view, columns, room)
    return max(-(-len(view.boards) // per_page), 1)


def _camera_room(view: MonitorView, lines: int) -> int:
    """Lines for cameras; boards come first."""
    if not view.boards:
        return max(lines - 4, 1)
    return 0 if lines < 14 else 1 if lines < 24 else 3


def _head(view: MonitorView, look: Look, columns: int) -> list[Text]:
    line = Text(no_wrap=True)
    line.append(" shelfedge monitor ", "bold reverse")
    line.append(f"  {view.node}  ", "bold")
    if _is_old(view):
        line.append("✗ NO NEWS" + ("" if view.age_s is None else f" for {view.age_s:.0f} s"), "bold red")
    elif view.source == "node":
        line.append("✓ node runs", "green")
    else:
        line.append("✓ hardware opened: no node can start meanwhile", "green")
    if look.rotating:
        line.append("   rotating", "dim")
    found = [line]
    if view.text:
        style = "bold yellow" if view.live else "bold white on red"
        found += [Text(part.ljust(columns), style, no_wrap=True) for part in _wrapped(f" {view.text}", columns, 3)]
    return found


def _is_old(view: MonitorView) -> bool:
    return not view.live or (view.age_s is not None and view.age_s > STALE_S)


def _foot(look: Look, view: MonitorView, columns: int) -> list[Text]:
    many = len(view.boards) > 1
    if look.board is None:
        keys = "q quit   ←→ 1-9 one board   r rotate   ↑↓ more"
    else:
        keys = "q quit   t tare" + ("   ←→ 1-9 other board   a all   r rotate" if many else "")
    return [Text(f" {keys}"[:columns], "dim", no_wrap=True)]


# ---- one board


def _one_board(view: MonitorView, board: BoardView, columns: int, room: int) -> list[Text]:
    number = [each.board for each in view.boards].index(board.board) + 1
    title = Text(no_wrap=True)
    title.append(f" {board.board} ", "bold")
    if len(view.boards) > 1:
        title.append(f"({number} of {len(view.boards)})  ", "dim")
    title.append_text(state_text(board, _is_old(view)))
    if tare := tare_text(board):
        title.append("  ")
        title.append(tare, "bold black on yellow")
    if not board.calibrated:
        title.append("  ")
        title.append(" NOT CALIBRATED ", "bold black on yellow")
    trouble = _trouble(board, columns)
    cells = [cell_heading(board, columns), *(cell_line(cell, board, columns) for cell in board.cells)]
    fixed = 1 + len(trouble) + 1 + len(cells)  # title, change, cells
    high = room - fixed
    if high < ROWS + 1:  # without the heading, then
        cells, high = cells[1:], high + 1
    if high < ROWS + 1:  # too low for digits
        plain = Text(f" {weight_text(board)}", "bold", no_wrap=True)
        return [title, *trouble, plain, _change_line(board), *cells]
    lower = _LOWER if high >= _LOWER + 12 else 0
    beside = columns >= _BESIDE_DIGITS and not lower
    upper = _upper(board, columns, high - lower, beside)
    found = [title, *upper, *trouble, _change_line(board), *cells]
    left = room - len(found)
    if left >= 5:
        found.insert(1 + len(upper), Text())
        left -= 1
    return [*found, *_lower(view, board, columns, left, not beside)]


def _upper(board: BoardView, columns: int, lines: int, with_picture: bool) -> list[Text]:
    """The digits; beside them where the weight lies."""
    picture = _picture(board, _PICTURE_COLUMNS, lines) if with_picture else []
    aside = max((len(line) + 2 for line in picture), default=0)
    digits = _digits(board, columns - 1 - aside, lines - 1)
    found = []
    for row in range(max(len(picture), len(digits) + 1)):
        line = Text(" ", no_wrap=True)
        if 1 <= row <= len(digits):
            line.append_text(digits[row - 1])
        if row < len(picture):
            line.pad_right(max(columns - len(picture[row]) - 1 - line.cell_len, 0))
            line.append_text(picture[row])
        found.append(line)
    return found


def _lower(view: MonitorView, board: BoardView, columns: int, lines: int, with_picture: bool) -> list[Text]:
    """What there is room for below the cells: where the weight lies, and the last events, or changes without a node."""
    if lines < 3:
        return []
    pictured = with_picture and lines >= 9 and columns >= 76
    picture = _picture(board, _PICTURE_COLUMNS if columns >= 100 else 32, lines - 1) if pictured else []
    aside = max((len(line) + 2 for line in picture), default=0)
    listed = event_lines(view, columns - aside - 1, lines - 1, board.board) or _changes(board, lines - 1)
    found = [Text()]
    for row in range(max(len(picture), len(listed))):
        line = Text(" ", no_wrap=True)
        if row < len(picture):
            line.append_text(picture[row])
        line.pad_right(max(aside + 1 - line.cell_len, 0))
        if row < len(listed):
            line.append_text(listed[row])
        found.append(line)
    return found


def _digits(board: BoardView, columns: int, lines: int) -> list[Text]:
    level, unit = (board.level_g, "g") if board.calibrated else (board.level_counts, "counts")
    text = "---" if level is None else grams(level).replace("−", "-")
    style = "bold" if level is not None else "bold red"
    rows = block_digits(text, columns - len(unit) - 1, lines, _DIGITS_LEAST_LETTERS)
    if not rows:
        return [Text(weight_text(board), style)]
    found = [Text(row, style, no_wrap=True) for row in rows]
    if level is not None:
        found[-1].append(f" {unit}", style)
    return found


def _picture(board: BoardView, columns: int, lines: int) -> list[Text]:
    cells = [Spot(cell.x_mm, cell.y_mm) for cell in board.cells]
    change = board.changes[0] if board.changes else None
    target, label = None, ""
    if change is not None and change.x_mm is not None and change.y_mm is not None and change.grams is not None:
        target = Spot(change.x_mm, change.y_mm)
        label = grams(change.grams) if abs(change.grams) < 9999.5 else f"{change.grams / 1000:.0f}kg".replace("-", "−")
    centre = None if board.x_mm is None or board.y_mm is None else Spot(board.x_mm, board.y_mm)
    return board_picture(board.width_mm, board.depth_mm, cells, (), target, label, columns, min(lines, 16), centre)


def _change_line(board: BoardView) -> Text:
    line = Text(" ", no_wrap=True)
    if board.moving and board.so_far_g is not None:
        line.append(f"so far {grams(board.so_far_g)} g   ", "bold yellow")
    if board.changes:
        line.append("last change ", "dim")
        line.append(change_text(board.changes[0]), "bold reverse" if board.changes[0].ago_s < 5 else "bold")
    elif board.moving is not None:
        line.append("no change seen yet: lift something", "dim")
    return line


def _changes(board: BoardView, lines: int) -> list[Text]:
    """Where there are no events: the changes before the last."""
    older = board.changes[1:lines]
    return [Text("before", "dim"), *(Text(change_text(change), no_wrap=True) for change in older)] if older else []


def _trouble(board: BoardView, columns: int) -> list[Text]:
    if not board.text or board.state == "running":
        return []
    return [
        Text(part.ljust(columns), "bold white on red", no_wrap=True)
        for part in _wrapped(f" ✗ {board.text}", columns, 3)
    ]


# ---- all boards


def _all_boards(view: MonitorView, look: Look, columns: int, room: int) -> list[Text]:
    if not view.boards and view.cameras:
        return []
    if not view.boards:
        return [Text(), Text("  waiting for the first samples", "bold", no_wrap=True)]
    high, per_page = _style(view, columns, room)
    first = min(look.page, (len(view.boards) - 1) // per_page) * per_page
    shown = view.boards[first : first + per_page]
    found: list[Text] = []
    for number, board in enumerate(shown, first + 1):
        found += _block(number, board, columns, high, _is_old(view), _big_rows(len(shown), room))
    hidden = len(view.boards) - len(shown)
    if hidden:
        above, below = first, len(view.boards) - first - len(shown)
        words = [f"{above} above ↑" if above else "", f"{below} below ↓" if below else ""]
        found.append(Text(f" {hidden} NOT SHOWN: {', '.join(word for word in words if word)}", "bold yellow"))
    left = room - len(found)
    events = event_lines(view, columns, min(left - 1, 9))
    return [*found, *([Text(), *events] if events and left > 2 else [])]


_BIG, _LINES, _SHORT = 2, 1, 0


def _style(view: MonitorView, columns: int, room: int) -> tuple[int, int]:
    """The largest of the styles in which all boards go in, and how many go in."""
    count = len(view.boards)
    for style in (_BIG, _LINES):
        heights = sum(_height(board, columns, style) for board in view.boards)
        if heights <= room and (style != _BIG or columns >= 76):
            return style, max(count, 1)
    return _SHORT, count if 0 < count <= room else max(room - 1, 1)


def _big_rows(count: int, room: int) -> int:
    """How high the digits of each board may be, with room for some events below."""
    return max(ROWS, min((room - _EVENTS) // max(count, 1) - 2, 3 * ROWS))


def _height(board: BoardView, columns: int, style: int) -> int:
    trouble = 1 if board.text and board.state != "running" else 0
    if style == _BIG:
        return 1 + ROWS + 1 + trouble
    return 1 + -(-len(board.cells) // _across(columns)) + trouble


def _across(columns: int) -> int:
    return max(columns // 26, 1)


def _block(number: int, board: BoardView, columns: int, style: int, old: bool, high: int) -> list[Text]:
    title = Text(no_wrap=True)
    title.append(f" {number} ", "reverse")
    title.append(f" {board.board[:12]:<12} " if style == _SHORT else f" {board.board}  ", "bold")
    if style != _BIG:
        title.append(f"{weight_text(board):>9}  ", "bold")
    title.append_text(state_text(board, old))
    if not board.calibrated:
        title.append("  NOT CALIBRATED", "bold yellow")
    if board.tare_g is not None or board.tare_counts is not None:
        title.append("  NET", "bold yellow")
    if style == _SHORT:
        title.append("  ")
        title.append_text(small_bars(board))
    if board.changes:
        title.append("   ")
        told = change_text(board.changes[0], short=style == _SHORT)
        title.append(told, "bold reverse" if board.changes[0].ago_s < 5 else "")
    if style == _SHORT:
        return [title]
    trouble = _trouble(board, columns)[:1]
    if style == _LINES:
        return [title, *trouble, *rows_of_cells(board, columns, _across(columns))]
    return [title, *trouble, *_digits_and_cells(board, columns, high), Text()]


def _digits_and_cells(board: BoardView, columns: int, high: int) -> list[Text]:
    beside = _CELLS_BESIDE if len(board.cells) <= high else 2 * _CELL
    digits = _digits(board, columns - beside - 6, high)
    usual = block_digits("0" * _DIGITS_LEAST_LETTERS, columns - beside - 8, high)  # so that all boards' bars line up
    left = max([*(line.cell_len for line in digits), *(len(row) + len(" g") for row in usual)]) + 5
    cells = rows_of_cells(board, columns - left, 1 if len(board.cells) <= max(len(digits), ROWS) else 2)
    found = []
    for row in range(max(len(digits), len(cells))):
        line = Text("  ", no_wrap=True)
        if row < len(digits):
            line.append_text(digits[row])
        if row < len(cells):
            line.pad_right(max(left - line.cell_len, 0))
            line.append_text(cells[row])
        found.append(line)
    return found


def _wrapped(text: str, columns: int, most: int) -> list[str]:
    """Broken at words; the last line of too much ends in dots."""
    import textwrap

    lines = textwrap.wrap(text, max(columns - 1, 8), subsequent_indent=" ", initial_indent=" ") or [""]
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: columns - 3] + " …"]
    return lines


def _greyed(line: Text) -> Text:
    """What was, and may not be any more: no colours, and no ticks; that it is old stays red."""
    found = Text(line.plain.replace("✓", " "), "bright_black", no_wrap=True)
    found.highlight_words([OLD], "bold red")
    return found


def _in_ascii(line: Text) -> Text:
    found = Text(line.plain.translate(_ASCII).encode("ascii", "replace").decode(), line.style, no_wrap=True)
    found.spans = list(line.spans)
    return found
