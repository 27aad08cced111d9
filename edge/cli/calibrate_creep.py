"""The creep run in a terminal: source, screen, result, saving; returns exit codes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.creep_run import CreepOutcome
from calibration.creep_verdict import figures, meaning
from calibration.long_runs import with_creep
from calibration.placements import BoardSite
from calibration.prompts import Progress, Prompt, Step
from calibration.record import BoardCalibration
from edge.cli.calibrate_result import console_for, refused_screen
from edge.cli.calibrate_screen import ProcedureScreen, Words, calibration_words, weight_text
from edge.cli.long_run_source import LongRun, banner, open_source, record_to_add_to
from edge.cli.procedure_show import show, stopped_by_ctrl_c, uninterrupted
from edge.node.calibrate import site_of, store_of
from edge.node.calibrate_records import now_text
from edge.node.creep import CreepRunner, creep_data, shelf_load_g
from edge.node.temperature_sensor import thermometer_for

STOPPED = "stopped: nothing was changed"
REFUSED = 1


@dataclass(frozen=True, slots=True)
class CreepAsked(LongRun):
    """What the command line asks for."""

    weight_g: float = 0.0
    minutes: float = 20.0
    recovery_minutes: float = 5.0
    asks: bool = False
    plain: bool = False


def creep(asked: CreepAsked) -> int:
    """The run, its result, and the record with it. Raises ShelfedgeError for what keeps it from beginning."""
    site = site_of(asked.board, asked.setup.node.boards[asked.board])
    record = record_to_add_to(asked)
    runner = CreepRunner(site, record, asked.weight_g, 60.0 * asked.minutes, 60.0 * asked.recovery_minutes)
    with stopped_by_ctrl_c(STOPPED):
        source = open_source(asked)
        try:
            board = asked.setup.node.boards[asked.board]
            runner.thermometer = thermometer_for(board, source, asked.node_path.parent, asked.sensor)
            screen = ProcedureScreen("calibrate creep", site, "Ctrl-C stops; the record stays as it is then.")
            screen.words = creep_words
            with _ended_early(runner):
                show(runner, source, screen, asked.plain, asked.as_json)
        finally:
            source.close()
        return _ended(asked, site, record, runner.outcome)


@contextlib.contextmanager
def _ended_early(runner: CreepRunner) -> Iterator[None]:
    """Ctrl-C while only the recovery is missing ends the run with what it has."""
    try:
        yield
    except KeyboardInterrupt:
        if not runner.run.has_stood:
            raise


def creep_words(prompt: Prompt | None, progress: Progress | None) -> Words:
    """What the banner says."""
    if prompt is None or prompt.step is Step.CLEAR or prompt.step is Step.DONE:
        return calibration_words(prompt, progress)
    if prompt.step is Step.WAIT:
        return Words("WAIT", "LEAVE IT ALONE", prompt.text, waits=True)
    if prompt.step is Step.TAKE_OFF:
        return Words("TAKE OFF", "TAKE IT OFF", prompt.text)
    weight = weight_text(prompt.weight_g)
    return Words(f"PUT {weight}", f"PUT {weight}:  IN THE MIDDLE", prompt.text)


def _ended(asked: CreepAsked, site: BoardSite, record: BoardCalibration, outcome: CreepOutcome) -> int:
    console = console_for(to_stderr=asked.as_json)
    data = creep_data(site, outcome)
    saved = None
    code = REFUSED
    if not outcome.accepted:
        console.print(refused_screen(asked.board, outcome.findings, "CREEP NOT KNOWN"))
    else:
        console.print(creep_screen(site, outcome))
        if asked.practises:
            typer.echo("\npractice on a simulated board: nothing was saved", err=asked.as_json)
            code = 0
        elif asked.asks and not typer.confirm("\nKeep it in the board's record?", default=True):
            typer.echo("not saved: nothing was changed")
        else:
            store = store_of(asked.setup, asked.node_path)
            with uninterrupted():
                number = store.save(with_creep(record, site, outcome, now_text(), asked.who))
                console.print(
                    f"\nsaved as {store.path(asked.board)}, number {number}; gains and zeros are as they were"
                )
            saved, code = {"path": str(store.path(asked.board)), "number": number}, 0
    if asked.as_json:
        typer.echo(json.dumps({**data, "saved": saved}, ensure_ascii=False))
    return code


def creep_screen(site: BoardSite, outcome: CreepOutcome) -> RenderableType:
    """The verdict, the figures, the cells, and what it means."""
    assert outcome.fits is not None
    fit = outcome.fits.board
    lines: list[RenderableType] = [banner(f"{site.board}: CREEPS {fit.grade.upper()}"), Text()]
    lines.append(Text(figures(fit)))
    lines.append(Text(f"in 30 min {1e6 * fit.share_30_min:z.0f} ± {2e6 * fit.share_30_min_sd:.0f} ppm; "
                      "class C3: 245, a hobby cell: 500", "dim"))  # fmt: skip
    if fit.late_share == fit.late_share:
        lines.append(Text(f"from minute 20 to 30 {1e6 * fit.late_share:z.0f} ± {2e6 * fit.late_share_sd:.0f} ppm; "
                          "class C3: 53", "dim"))  # fmt: skip
    if fit.recovered == fit.recovered:
        lines.append(Text(f"{100 * fit.recovered:z.0f} % of it were gone again at the end of the recovery"))
    lines += [Text(), _cells(site, outcome), Text(), Text(meaning(fit, shelf_load_g(site)))]
    return Group(*lines)


def _cells(site: BoardSite, outcome: CreepOutcome) -> Table:
    assert outcome.fits is not None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("cell", "carried", "ppm/decade", "in 30 min", ""):
        table.add_column(name, justify="left" if name in ("cell", "") else "right")
    for cell, fit in zip(site.cells, outcome.fits.cells, strict=True):
        if fit is None:
            table.add_row(cell.name, "", "", "", "not known well enough")
            continue
        table.add_row(
            cell.name,
            f"{fit.load_g:.0f} g",
            f"{1e6 * fit.share_per_decade:z.0f} ± {2e6 * fit.share_per_decade_sd:.0f}",
            f"{fit.grams_30_min:+z.2f} g",
            fit.grade,
        )
    return table
