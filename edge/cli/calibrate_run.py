"""The guided run in a terminal: source, screen, result, saving; returns exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from calibration.store import CalibrationStore
from edge.cli.calibrate_result import accepted_screen, check_screen, console_for, refused_screen
from edge.cli.calibrate_screen import ProcedureScreen
from edge.cli.procedure_show import show, stopped_by_ctrl_c, uninterrupted
from edge.config.setup import Setup
from edge.node.board_source import BoardSource, HardwareSource, MachineClock
from edge.node.calibrate import (
    CalibrationRunner,
    CheckRunner,
    Weights,
    name_in_node_file,
    record_for,
    site_of,
    store_of,
    with_current_record,
)
from edge.node.calibrate_records import now_text
from edge.node.calibrate_result import check_data, outcome_data
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource

REFUSED = 1
STOPPED = "stopped: nothing was changed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for.

    Attributes:
        asks: a person answers before something is saved.
        simulate: seed of a simulated board in place of what the node file says; None for that.
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

    @property
    def practises(self) -> bool:
        """What a simulated board comes to isn't kept for a real one."""
        return self.simulate is not None and self.setup.node.boards[self.board].driver.type != "simulated"


def calibrate(asked: Asked) -> int:
    """The run, its result, and the record. Raises ShelfedgeError for what keeps it from beginning."""
    store = store_of(asked.setup, asked.node_path)
    if not asked.practises:
        store.check_writable(asked.board)
    runner = CalibrationRunner(site_of(asked.board, asked.setup.node.boards[asked.board]), asked.weights)
    with stopped_by_ctrl_c(STOPPED):
        source = open_source(asked, store)
        try:
            screen = ProcedureScreen("calibrate", runner.session.site, "Ctrl-C stops; nothing is changed then.")
            show(runner, source, screen, asked.plain, asked.as_json)
            firmware = source.firmware
        finally:
            source.close()
        return _ended(asked, store, runner, firmware)


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
        return SimulatedSource(setup, asked.board, seed, SimulatedClock(asked.speed), person)
    return HardwareSource(asked.setup, asked.node_path, asked.board, MachineClock())


def _ended(asked: Asked, store: CalibrationStore, runner: CalibrationRunner, firmware: str) -> int:
    outcome = runner.outcome
    console = console_for(to_stderr=asked.as_json)
    data: dict[str, Any] = outcome_data(asked.board, outcome)
    if not outcome.accepted:
        console.print(refused_screen(asked.board, outcome.findings))
        return _told(asked, {**data, "saved": None}, REFUSED)
    console.print(accepted_screen(asked.board, outcome))
    if asked.practises:
        typer.echo("\npractice on a simulated board: nothing was saved", err=asked.as_json)
        return _told(asked, {**data, "saved": None}, 0)
    if asked.asks and not typer.confirm("\nSave it?", default=True):
        typer.echo("not saved: nothing was changed")
        return _told(asked, {**data, "saved": None}, REFUSED)
    names = [asked.weight_name] if asked.weight_name else []
    record = record_for(outcome, asked.weights, names, now_text(), asked.who, firmware)
    with uninterrupted():
        number = store.save(record)
        former = f"; number {number - 1} is kept" if number > 1 else ""
        console.print(f"\nsaved as {store.path(asked.board)}, number {number}{former}")
        if told := name_in_node_file(asked.setup, asked.node_path):
            console.print(told)
        console.print("next: another board, or start the node: sudo systemctl start shelfedge")
        saved = {"path": str(store.path(asked.board)), "number": number}
        return _told(asked, {**data, "saved": saved, "record": record.model_dump(mode="json", exclude_none=True)}, 0)


def _told(asked: Asked, data: dict[str, Any], code: int) -> int:
    if asked.as_json:
        typer.echo(json.dumps(data, ensure_ascii=False))
    return code
