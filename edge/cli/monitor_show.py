"""Runs the monitor: on the whole screen with keys, as lines once a second, as JSON, or once."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from collections.abc import Callable
from datetime import datetime
from types import FrameType

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from edge.cli.monitor_parts import camera_text, change_text, state_text, weight_text
from edge.cli.monitor_screen import Look, frame, pages
from edge.cli.terminal_keys import TerminalKeys
from edge.node.monitor import Monitor
from edge.node.monitor_data import BoardView, MonitorView, Sign

FRAME_S = 0.1
STILL_S = 0.5  # without news the screen is drawn so often: times go on
ROTATE_S = 5.0
LINE_S = 1.0
FIRST_S = 15.0
"""`--once` waits so long for every cell to have a level and a noise."""


def run_screen(monitor: Monitor, board: str | None, rotate: bool, clock: Callable[[], int]) -> None:
    """Until `q`; Ctrl-C raises KeyboardInterrupt, with the terminal as it was."""
    console = Console(highlight=False)
    ascii_only = not (console.encoding or "").lower().startswith("utf")
    look = Look(board, rotate)
    alone: bool | None = None
    signal.signal(signal.SIGTERM, _leave)
    with TerminalKeys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        drawn_s = rotated_s = time.monotonic()
        drawn_size = (0, 0)
        while True:
            pressed = keys.wait(FRAME_S)
            if "q" in pressed or "Q" in pressed:
                return
            news = monitor.update()
            view = monitor.view(clock())
            if alone is None and view.boards:
                alone = len(view.boards) == 1
                if alone and look.board is None:
                    look = dataclasses.replace(look, board=view.boards[0].board)
            size = (console.size.width, console.size.height)
            for key in pressed:
                look = pressed_key(key, look, view, monitor, pages(view, *size))
            now_s = time.monotonic()
            if look.rotating and now_s - rotated_s >= ROTATE_S:
                look, rotated_s = rotated(look, view), now_s
            if news or pressed or size != drawn_size or now_s - drawn_s >= STILL_S:
                lines = frame(view, look, *size, ascii_only)
                live.update(Group(*lines), refresh=True)
                drawn_s, drawn_size = now_s, size


def pressed_key(key: str, look: Look, view: MonitorView, monitor: Monitor, page_count: int) -> Look:
    """What is shown after a key; `t` takes the tare of the board that fills the screen."""
    names = [board.board for board in view.boards]
    if not names:
        return look
    if key == "t" and look.board is not None:
        monitor.tare(look.board)
        return look
    if key == "r":
        return dataclasses.replace(look, rotating=not look.rotating, board=look.board or names[0])
    if key == "a":
        return dataclasses.replace(look, board=None, rotating=False)
    if key.isdigit() and 0 < int(key) <= len(names):
        return dataclasses.replace(look, board=names[int(key) - 1], rotating=False)
    if key in ("left", "right"):
        step = 1 if key == "right" else -1
        at = names.index(look.board) + step if look.board in names else (0 if step > 0 else -1)
        return dataclasses.replace(look, board=names[at % len(names)], rotating=False)
    if key in ("up", "down") and look.board is None:
        page = min(max(look.page + (1 if key == "down" else -1), 0), page_count - 1)
        return dataclasses.replace(look, page=page)
    return look


def rotated(look: Look, view: MonitorView) -> Look:
    """The next board."""
    names = [board.board for board in view.boards]
    if not names:
        return look
    at = names.index(look.board) + 1 if look.board in names else 0
    return dataclasses.replace(look, board=names[at % len(names)])


def run_lines(monitor: Monitor, boards: list[str], as_json: bool, clock: Callable[[], int]) -> None:
    """A line per board and camera and second, or an object per second, until Ctrl-C."""
    told = ""
    while True:
        begun_s = time.monotonic()
        monitor.update()
        view = _only(monitor.view(clock()), boards)
        if as_json:
            typer.echo(json.dumps(with_time(view), ensure_ascii=False))
        else:
            if view.text and view.text != told:
                typer.echo(f"{datetime.now():%H:%M:%S}  {view.text}")
            told = view.text
            for board in view.boards if view.live else ():
                typer.echo(f"{datetime.now():%H:%M:%S}  {board_line(board)}")
            for camera in view.cameras if view.live else ():
                typer.echo(f"{datetime.now():%H:%M:%S}  {camera_text(camera).plain}")
        time.sleep(max(0.0, LINE_S - (time.monotonic() - begun_s)))


def run_once(monitor: Monitor, boards: list[str], as_json: bool, clock: Callable[[], int]) -> int:
    """One look, as soon as every cell has a level and a noise. 1 where a board gives none, else 0; a node without
    boards: 1 where a camera sees nothing.
    """
    until_s = time.monotonic() + FIRST_S
    while True:
        monitor.update()
        view = _only(monitor.view(clock()), boards)
        waiting = [
            cell for board in view.boards for cell in board.cells if cell.sign in (Sign.WAITING, Sign.NO_SAMPLES)
        ]
        settled = bool(view.boards) and not waiting and all(board.moving is not None for board in view.boards)
        settled = settled or (not view.boards and bool(view.cameras) and all(camera.sound for camera in view.cameras))
        if settled or time.monotonic() > until_s:
            break
        time.sleep(FRAME_S)
    if as_json:
        typer.echo(json.dumps(with_time(view), ensure_ascii=False))
    else:
        console = Console(highlight=False)
        width = console.width if console.is_terminal else 100
        for board in view.boards:
            console.print(Text(board_line(board, cells=False)), soft_wrap=True)
            for line in board_cells(board, width):
                console.print(line, soft_wrap=True)
        for camera in view.cameras:
            console.print(camera_text(camera), soft_wrap=True)
        if not (view.boards or view.cameras) or view.text:
            typer.echo(view.text or "no board has given a sample yet", err=True)
    seen = bool(view.boards) or (bool(view.cameras) and all(camera.sound for camera in view.cameras))
    return 0 if seen and all(board.state == "running" for board in view.boards) else 1


def board_line(board: BoardView, cells: bool = True) -> str:
    """A board in a line, for logs and pipes."""
    parts = [board.board, weight_text(board), state_text(board).plain]
    if board.text and board.state != "running":
        parts.append(board.text)
    if not board.calibrated:
        parts.append("not calibrated")
    if board.changes:
        parts.append(f"last change {change_text(board.changes[0])}")
    for cell in board.cells if cells else ():
        level = cell.level_g if board.calibrated else cell.level_counts
        figures = [
            "–" if level is None else f"{level:.1f} g" if board.calibrated else f"{level:.0f} counts",
            "" if cell.rate_hz is None else f"{cell.rate_hz:.1f} SPS",
            "" if cell.noise_g is None else f"{cell.noise_g:.2f} g rms",
            "" if cell.noise_nv is None else f"{cell.noise_nv:.0f} nV",
            cell.sign.value,
        ]
        parts.append(f"{cell.cell}: {' '.join(figure for figure in figures if figure)}")
    return "  ".join(parts)


def board_cells(board: BoardView, columns: int) -> list[Text]:
    """Its cells as a table."""
    from edge.cli.monitor_parts import cell_heading, cell_line

    return [cell_heading(board, columns), *(cell_line(cell, board, columns) for cell in board.cells)]


def with_time(view: MonitorView) -> dict[str, object]:
    """The view as JSON, with the time of day."""
    return {"time": datetime.now().astimezone().isoformat(timespec="milliseconds"), **view.as_json()}


def _only(view: MonitorView, boards: list[str]) -> MonitorView:
    if not boards:
        return view
    return dataclasses.replace(view, boards=tuple(board for board in view.boards if board.board in boards))


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)
