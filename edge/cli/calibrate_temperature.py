"""The temperature run in a terminal: log, fit, result, saving; returns exit codes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.long_runs import with_temperature
from calibration.record import BoardCalibration
from calibration.temperature import CellFit, TemperatureFits
from calibration.temperature_log import LogWriter
from edge.cli.calibrate_result import console_for, refused_screen
from edge.cli.long_run_source import LongRun, banner, open_source, record_to_add_to
from edge.cli.procedure_show import stopped_by_ctrl_c, uninterrupted
from edge.cli.progress_line import ProgressLine
from edge.node.board_source import BoardSource
from edge.node.calibrate import site_of, store_of
from edge.node.calibrate_records import now_text
from edge.node.temperature import (
    SENSOR_GONE_ROWS,
    Minute,
    TemperatureOutcome,
    fit_log,
    log_path,
    minutes,
    temperature_data,
    try_thermometer,
)
from edge.node.temperature_sensor import thermometer_for

REFUSED = 1
INTERRUPTED = 130
TELL_ROWS = 30


@dataclass(frozen=True, slots=True)
class TemperatureAsked(LongRun):
    """What the command line asks for.

    Attributes:
        hours: None: until Ctrl-C. log: where the rows go; None: the state folder. fit: a log to fit, nothing is logged.
    """

    hours: float | None = None
    log: Path | None = None
    fit: Path | None = None
    asks: bool = False


def temperature(asked: TemperatureAsked) -> int:
    """Log, fit, and keep it. Raises ShelfedgeError for what keeps it from beginning or ends it; the log is kept."""
    record = record_to_add_to(asked)
    path = asked.fit
    if path is None:
        now_s = time.time()
        path = asked.log or log_path(asked.setup, asked.node_path, asked.board, now_s)
        with stopped_by_ctrl_c("stopped: nothing was changed"):
            source = open_source(asked)
        try:
            rows = _log(asked, source, path)
        finally:
            source.close()
        if not rows:
            typer.echo(f"stopped before the first row was written; go on with: --log {path}", err=True)
            return INTERRUPTED
    with stopped_by_ctrl_c(f"stopped: nothing was changed; the log is {path}"):
        return _ended(asked, record, path)


def _log(asked: TemperatureAsked, source: BoardSource, path: Path) -> int:
    """Rows that were written until the hours are over, or Ctrl-C ends it."""
    board = asked.setup.node.boards[asked.board]
    site = site_of(asked.board, board)
    with stopped_by_ctrl_c("stopped: nothing was changed"):
        named = thermometer_for(board, source, asked.node_path.parent, asked.sensor)
        thermometer = try_thermometer(named, source)
        writer = LogWriter(path, asked.board, tuple(board.cells), thermometer.name, thermometer.scale_sd)
    until = "until Ctrl-C, which ends it with what it has" if asked.hours is None else f"for {asked.hours:g} h"
    typer.echo(f"logging {asked.board} and {thermometer.name} {until}", err=asked.as_json)
    typer.echo(f"into {path}; leave what lies on the board as it is", err=asked.as_json)
    line, told, offset_s = ProgressLine(), _Told(asked.as_json), time.time() - source.clock() / 1e9
    try:
        for minute in minutes(site, source, thermometer, writer, lambda at_ns: offset_s + at_ns / 1e9, asked.hours):
            line.clear()
            told.row(minute)
            line.show(_words(minute))
    except KeyboardInterrupt:
        typer.echo("\nstopped; what there is will be fitted", err=True)
    finally:
        line.clear()
        writer.close()
    return writer.rows


class _Told:
    """What is worth a line: now and then how far it is, and a thermometer that says nothing any more."""

    def __init__(self, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        self._silent = 0

    def row(self, minute: Minute) -> None:
        self._silent = self._silent + 1 if minute.trouble else 0
        if self._silent == SENSOR_GONE_ROWS:
            typer.echo(f"warning: {minute.trouble} (for {SENSOR_GONE_ROWS} minutes; logging goes on)", err=True)
        if minute.rows % TELL_ROWS == 0:
            typer.echo(_words(minute), err=self._to_stderr)


def _words(minute: Minute) -> str:
    row = minute.row
    celsius = "no temperature" if row.celsius != row.celsius else f"{row.celsius:z.2f} °C"
    rested = "" if row.rested >= 0.5 else "; the board isn't at rest"
    return f"{minute.rows // 60} h {minute.rows % 60:02d} min: {celsius}{rested}"


def _ended(asked: TemperatureAsked, record: BoardCalibration, path: Path) -> int:
    site = site_of(asked.board, asked.setup.node.boards[asked.board])
    outcome = fit_log(path, site, record)
    console = console_for(to_stderr=asked.as_json)
    data, saved, code = temperature_data(asked.board, outcome), None, REFUSED
    if not outcome.accepted:
        console.print(refused_screen(asked.board, outcome.findings, "TEMPERATURE TELLS NOTHING"))
        console.print(f"\nthe log is kept: {path}")
    else:
        console.print(temperature_screen(asked.board, outcome))
        console.print(f"\nthe log is kept: {path}")
        if asked.practises:
            typer.echo("practice on a simulated board: nothing was saved", err=asked.as_json)
            code = 0
        elif asked.asks and not typer.confirm("\nKeep it in the board's record?", default=True):
            typer.echo("not saved: nothing was changed")
        else:
            assert outcome.fits is not None
            store = store_of(asked.setup, asked.node_path)
            with uninterrupted():
                added = with_temperature(record, outcome.fits, outcome.thermometer, now_text(), asked.who)
                number = store.save(added)
                console.print(f"saved as {store.path(asked.board)}, number {number}; gains and zeros are as they were")
            saved, code = {"path": str(store.path(asked.board)), "number": number}, 0
    if asked.as_json:
        typer.echo(json.dumps({**data, "log": str(path), "saved": saved}, ensure_ascii=False))
    return code


def temperature_screen(board: str, outcome: TemperatureOutcome) -> RenderableType:
    """The board's coefficient, each cell's, and against what."""
    fits = outcome.fits
    assert fits is not None
    lines: list[RenderableType] = [banner(f"{board}: {_headline(fits)}"), Text()]
    moved = f"; something was moved {fits.moved} times" if fits.moved else ""
    lines.append(
        Text(f"{fits.hours:.1f} h, {fits.from_c:z.1f} to {fits.to_c:z.1f} °C by {outcome.thermometer}{moved}", "dim")
    )
    if outcome.left_out:
        lines.append(Text(f"{outcome.left_out} rows of the log can't be used", "yellow"))
    lines += [Text(), _cells(fits), Text()]
    lines.append(Text("limits per 10 °C: converter 60 nV; good cell 0.014 %, hobby 0.05 % of capacity", "dim"))
    return Group(*lines)


def _headline(fits: TemperatureFits) -> str:
    grams, sd = fits.grams_per_degree, fits.grams_per_degree_sd
    if grams is None or sd is None:
        return "ZERO AGAINST TEMPERATURE"
    return f"THE ZERO GOES BY {grams:+z.2f} ± {2 * sd:.2f} g PER DEGREE"


def _cells(fits: TemperatureFits) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("cell", "counts/°C", "g/°C", "nV/°C", "late by", "r²", ""):
        table.add_column(name, justify="left" if name in ("cell", "") else "right")
    for cell in fits.cells:
        if cell is not None:
            table.add_row(*_row(cell))
    return table


def _row(cell: CellFit) -> list[str]:
    grams, sd = cell.grams_per_degree, cell.grams_per_degree_sd
    return [
        cell.name,
        f"{cell.counts_per_degree:+z.1f} ± {2 * cell.counts_per_degree_sd:.1f}",
        "" if grams is None or sd is None else f"{grams:+z.2f} ± {2 * sd:.2f}",
        f"{cell.nv_per_degree:+z.0f}",
        f"{cell.lag_min:.0f} min",
        f"{cell.r2:.2f}",
        cell.grade if cell.tells else "can't be told from its own wander: not kept",
    ]
