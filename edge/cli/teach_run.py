"""Teaching in a terminal: source, screen, result, writing; returns exit codes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calibration.prompts import Progress, Prompt, Step
from calibration.teaching import UnitWeight
from edge.cli.calibrate_result import console_for
from edge.cli.calibrate_screen import ProcedureScreen, Words
from edge.cli.next_step import start_command
from edge.cli.procedure_show import show, stopped_by_ctrl_c, uninterrupted
from edge.config.edited_file import check_editable
from edge.config.setup import Setup
from edge.node.board_source import BoardSource, HardwareSource, MachineClock, TraceSource, hold_node
from edge.node.simulate import calibration_for, physics_for
from edge.node.simulated_installer import Merchandiser, SimulatedClock, SimulatedSource
from edge.node.teach import (
    Lookalike,
    TeachRunner,
    Where,
    count_doubt,
    lookalikes,
    session_for,
    taught,
    taught_data,
    write_taught,
)

REFUSED = 1
_ALL = 1000  # of a recording's steps


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; ``asks``: a person answers before something is written."""

    sku: str
    where: Where
    node_path: Path
    setup: Setup
    count: int
    at_a_time: int
    sure: bool
    trace: Path | None
    dry_run: bool
    asks: bool
    as_json: bool
    plain: bool
    simulate: int | None
    speed: float

    @property
    def is_simulated(self) -> bool:
        """No hardware, whatever the board hangs on."""
        simulated = self.setup.node.boards[self.where.board].driver.type == "simulated"
        return self.trace is None and (simulated or self.simulate is not None)

    @property
    def practises(self) -> bool:
        """With ``--simulate`` nothing is written. Without, a board whose driver is `simulated` is as any other."""
        return self.is_simulated and self.simulate is not None


def teach_sku(asked: Asked) -> int:
    """The run, its result, and the planogram. Raises ShelfedgeError for what keeps it from a result."""
    if not (asked.dry_run or asked.practises):
        check_editable(asked.node_path.parent / asked.setup.node.planogram)
    with stopped_by_ctrl_c("stopped: nothing was changed"):
        setup, source = open_source(asked)
        try:
            count = _ALL if asked.trace is not None else asked.count
            runner = TeachRunner(session_for(setup, asked.where.board, asked.sku, count, asked.at_a_time))
            screen = ProcedureScreen(
                "teach " + asked.sku, runner.session.site, "Ctrl-C stops; nothing is changed then."
            )
            screen.words = _words
            show(runner, source, screen, asked.plain, asked.as_json)
        finally:
            source.close()
        found = runner.session.result()
        alike = lookalikes(setup, asked.where.board, asked.sku, found)
        doubt = "" if asked.sure else count_doubt(setup, asked.sku, found, asked.at_a_time)
        is_wanted, code = _shown(asked, setup, found, alike, doubt)
    with uninterrupted():
        written = _written(asked, setup, found) if is_wanted else None
        if asked.as_json:
            data = {**taught_data(asked.sku, asked.where, found, alike), "doubt": doubt, "written": written}
            typer.echo(json.dumps(data, ensure_ascii=False))
    if isinstance(source, TraceSource) and code == 0:
        source.raise_losses()
    return code


def open_source(asked: Asked) -> tuple[Setup, BoardSource]:
    """The board's samples, and the setup with its calibration."""
    board, setup = asked.where.board, asked.setup
    if asked.trace is not None:
        source = TraceSource(asked.trace, setup, board)
        return source.setup, source
    if asked.is_simulated:
        seed = 1 if asked.simulate is None else asked.simulate
        calibrated = dataclasses.replace(setup, calibration=calibration_for(setup, physics_for(setup, seed), seed))
        slot = asked.where.slot or next(n for n, each in setup.planogram.slots.items() if each.board == board)
        person = Merchandiser(slot, asked.sku, seed, asked.at_a_time)
        held = None if asked.practises else hold_node(asked.node_path, setup)
        clock = SimulatedClock(asked.speed)
        return calibrated, SimulatedSource(setup, board, seed, clock, person, stocked=True, held=held)
    session_for(
        setup, board, asked.sku, asked.count, asked.at_a_time
    )  # a board without calibration: said before it is opened
    return setup, HardwareSource(setup, asked.node_path, board, MachineClock())


def _shown(asked: Asked, setup: Setup, found: UnitWeight, alike: list[Lookalike], doubt: str) -> tuple[bool, int]:
    """Show what came of it; whether it is to be written, and the exit code."""
    console = console_for(to_stderr=asked.as_json)
    _print_result(console, asked, found, alike)
    if doubt:
        console.print(Text(f"not written: {doubt}", "bold red"))
        return False, REFUSED
    if asked.dry_run:
        console.print("nothing was changed (--dry-run)")
        return False, 0
    if asked.practises:
        console.print("practice on a simulated board: nothing was changed")
        return False, 0
    if asked.asks and not typer.confirm(f"\nWrite it into {setup.node.planogram}?", default=True):
        console.print("not written: nothing was changed")
        return False, REFUSED
    return True, 0


def _written(asked: Asked, setup: Setup, found: UnitWeight) -> dict[str, str | None]:
    console = console_for(to_stderr=asked.as_json)
    kept = write_taught(setup, asked.node_path, asked.sku, found)
    path = asked.node_path.parent / setup.node.planogram
    if kept is None:
        console.print(f"{path} says so already: nothing was changed")
    else:
        console.print(f"written into {path}; its former text is kept as {kept}")
    console.print(f"next: teach another one, or start the node: {start_command(asked.node_path)}")
    return {"planogram": str(path), "former": None if kept is None else str(kept)}


def _print_result(console: Console, asked: Asked, found: UnitWeight, alike: list[Lookalike]) -> None:
    low, high = found.weight_95_g
    spread_low, spread_high = found.spread_95_g
    sku = asked.setup.planogram.skus[asked.sku]
    weight, spread = taught(asked.setup, asked.sku, found)
    console.print(Text(f"  {asked.sku}: {weight}  ", "bold black on green"))
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "unit weight", f"{found.weight_g:.1f} g", f"95 %: {low:.1f} to {high:.1f} g, from {found.units} units"
    )
    table.add_row(
        "spread", f"{found.spread_g:.1f} g", f"from unit to unit; 95 %: {spread_low:.1f} to {spread_high:.1f} g"
    )
    table.add_row("into the planogram", f"{weight}, spread {spread}", f"before: {sku.weight_g:g} g, {sku.spread_g:g} g")
    console.print(table)
    counted = [f"{each.step.grams:+.1f} g ({each.units:+d})" for each in found.steps if each.units]
    console.print(f"counted: {', '.join(counted)}")
    for each in found.steps:
        if not each.units:
            console.print(Text(f"· set aside: {each.step.grams:+.1f} g, {each.why}", "yellow"))
    for other in alike:
        style = "yellow" if other.decides == "place" else "bold red"
        console.print(Text(f"· {other.sentence(asked.sku)}", style))


def _words(prompt: Prompt | None, progress: Progress | None) -> Words:
    """What the banner says."""
    if prompt is None or prompt.step is Step.CLEAR:
        return Words("HANDS OFF", "HANDS OFF FOR A MOMENT", "The board is looked at as it is.")
    if prompt.step is Step.DONE:
        return Words("DONE", "DONE", "")
    return Words(f"UNIT {prompt.number}", f"UNIT {prompt.number} OF {prompt.of}", prompt.text)
