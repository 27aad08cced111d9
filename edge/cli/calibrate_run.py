"""The guided run in a terminal: source, screen, result, saving; returns exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from calibration.long_runs import carried_on
from calibration.outcome import Outcome
from calibration.record import BoardCalibration
from calibration.store import CalibrationStore
from calibration.store_errors import StoreError
from edge.cli.calibrate_result import accepted_screen, check_screen, console_for, refused_screen
from edge.cli.calibrate_screen import ProcedureScreen
from edge.cli.next_step import start_command
from edge.cli.procedure_show import goes_on, show, stopped_by_ctrl_c, uninterrupted
from edge.config.quantity import WEIGHT
from edge.config.setup import Setup
from edge.node.board_source import BoardSource, HardwareSource, MachineClock, hold_node
from edge.node.calibrate import (
    CalibrationRunner,
    CheckRunner,
    Weights,
    current_or_none,
    name_in_node_file,
    record_for,
    site_of,
    store_of,
    with_current_record,
)
from edge.node.calibrate_records import keep_aside, now_text, record_data, record_text
from edge.node.calibrate_result import check_data, outcome_data
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource
from edge.node.temperature_sensor import celsius_for_record

REFUSED = 1
STOPPED = "stopped: nothing was changed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for.

    Attributes:
        asks: a person answers before something is saved.
        simulate: seed of a simulated board in place of what the node file says; None for that.
        temperature_c: as it was typed; None: what the board's thermometer says.
        quick: no placements beyond the first ones for the sake of places.
    """

    board: str
    node_path: Path
    setup: Setup
    weights: Weights
    weight_name: str
    who: str
    asks: bool
    as_json: bool
    plain: bool
    simulate: int | None
    speed: float
    temperature_c: float | None = None
    quick: bool = False

    @property
    def practises(self) -> bool:
        """With ``--simulate`` nothing is saved. A board whose driver is `simulated` is saved like any other without."""
        return self.simulate is not None


def asked_weight() -> str:
    """The reference weight as a person types it; asked again where it is none."""
    while True:
        text: str = typer.prompt("How heavy is your reference weight (for example 2 kg)")
        try:
            WEIGHT.parse(text)
        except ValueError as error:
            typer.echo(f"{error}, got '{text}'")
        else:
            return text


def calibrate(asked: Asked) -> int:
    """The run, its result, and the record. Raises ShelfedgeError for what keeps it from beginning."""
    store = store_of(asked.setup, asked.node_path)
    if not asked.practises:
        store.check_writable(asked.board)
    site = site_of(asked.board, asked.setup.node.boards[asked.board])
    runner = CalibrationRunner(site, asked.weights, current_or_none(store, asked.board), asked.quick)
    with stopped_by_ctrl_c(STOPPED):
        source = open_source(asked, store)
        try:
            screen = ProcedureScreen("calibrate", runner.session.site, "Ctrl-C stops; nothing is changed then.")
            show(runner, source, screen, asked.plain, asked.as_json)
            firmware = source.firmware
            celsius = _celsius(asked, source)
        finally:
            source.close()
        outcome = runner.outcome
        data, code = _shown(asked, outcome)
    if data is not None:
        return _told(asked, data, code)
    names = [asked.weight_name] if asked.weight_name else []
    record = record_for(outcome, asked.weights, names, now_text(), asked.who, firmware, celsius)
    return _saved(asked, store, outcome, carried_on(record, current_or_none(store, asked.board)))


def check_calibration(asked: Asked) -> int:
    """One weight against the record in use, which isn't touched."""
    store = store_of(asked.setup, asked.node_path)
    site = site_of(asked.board, asked.setup.node.boards[asked.board])
    runner = CheckRunner(site, store, asked.weights)
    with stopped_by_ctrl_c(STOPPED):
        source = open_source(asked, store)
        try:
            show(
                runner, source, ProcedureScreen("calibrate --check", site, "Ctrl-C stops."), asked.plain, asked.as_json
            )
        finally:
            source.close()
    result = runner.check.result
    assert result is not None  # a board's own source never ends before
    console_for(to_stderr=asked.as_json).print(check_screen(asked.board, asked.weights.weight_g, result))
    data = check_data(asked.board, asked.weights.weight_g, result)
    return _told(asked, data, 0 if result.holds else REFUSED)


def open_source(asked: Asked, store: CalibrationStore) -> BoardSource:
    """The board's hardware, or a simulated board with somebody in front of it."""
    simulated = asked.setup.node.boards[asked.board].driver.type == "simulated"
    if simulated or asked.simulate is not None:
        seed = asked.simulate if asked.simulate is not None else 1
        setup = with_current_record(asked.setup, store, asked.board)
        board = setup.node.boards[asked.board]
        person = Installer(asked.board, (board.width_mm / 2, board.depth_mm / 2), seed)
        held = None if asked.practises else hold_node(asked.node_path, asked.setup)
        return SimulatedSource(setup, asked.board, seed, SimulatedClock(asked.speed), person, held=held)
    return HardwareSource(asked.setup, asked.node_path, asked.board, MachineClock())


def _celsius(asked: Asked, source: BoardSource) -> float | None:
    """How warm it is, for the record."""
    if asked.temperature_c is not None:
        return asked.temperature_c
    board = asked.setup.node.boards[asked.board]
    celsius, trouble = celsius_for_record(board, source, asked.node_path.parent)
    if trouble:
        typer.echo(f"warning: {trouble}; the record will have no temperature", err=True)
    return celsius


def _shown(asked: Asked, outcome: Outcome) -> tuple[dict[str, Any] | None, int]:
    """Show what came of it; None where it is to be saved, else what there is to tell, and the exit code."""
    console = console_for(to_stderr=asked.as_json)
    data = {**outcome_data(asked.board, outcome), "saved": None}
    if not outcome.accepted:
        console.print(refused_screen(asked.board, outcome.findings))
        return data, REFUSED
    console.print(accepted_screen(asked.board, outcome))
    if asked.practises:
        typer.echo("\npractice on a simulated board: nothing was saved", err=asked.as_json)
        return data, 0
    if asked.asks and not typer.confirm("\nSave it?", default=True):
        typer.echo("not saved: nothing was changed")
        return data, REFUSED
    return None, 0


def _saved(asked: Asked, store: CalibrationStore, outcome: Outcome, record: BoardCalibration) -> int:
    """Put the record into use; where the disk refuses, it is kept aside and can be imported."""
    console = console_for(to_stderr=asked.as_json)
    data = {**outcome_data(asked.board, outcome), "saved": None, "record": record_data(record)}
    while True:
        try:
            with uninterrupted():
                number = store.save(record)
                former = f"; number {number - 1} is kept" if number > 1 else ""
                console.print(f"\nsaved as {store.path(asked.board)}, number {number}{former}")
                if told := name_in_node_file(asked.setup, asked.node_path):
                    console.print(told)
                console.print(f"next: another board, or start the node: {start_command(asked.node_path)}")
                return _told(asked, {**data, "saved": {"path": str(store.path(asked.board)), "number": number}}, 0)
        except StoreError as error:
            typer.echo(f"error: {error}", err=True)
        if not (asked.asks and goes_on("\nTry again?")):
            break
    with uninterrupted():
        aside = keep_aside(record)
        if aside is None:
            typer.echo("the run isn't lost: put this text into a file, and import that:", err=True)
            typer.echo(record_text(record), err=asked.as_json)
        file = aside or "FILE"
        typer.echo(
            f"the run isn't lost{f': it is in {aside}' if aside else ''}; once the disk is in order, put it into use "
            f"with: shelfedge calibrate import {asked.board} {file} {asked.node_path}",
            err=True,
        )
        return _told(asked, {**data, "aside": None if aside is None else str(aside)}, REFUSED)


def _told(asked: Asked, data: dict[str, Any], code: int) -> int:
    if asked.as_json:
        typer.echo(json.dumps(data, ensure_ascii=False))
    return code
