"""`shelfedge trace info | import | export | recover | cut`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.config.setup import Setup

app = typer.Typer(no_args_is_help=True, help="Look into traces, make them from CSV, export, repair and cut them.")


class Unit(StrEnum):
    """What the numbers of a CSV are."""

    COUNTS = "counts"
    GRAMS = "g"


_Trace = Annotated[Path, typer.Argument(metavar="TRACE", help="The trace (.mcap).")]
_Config = Annotated[
    Path | None,
    typer.Option("--config", help="Node file to use instead of the config in the trace.", metavar="NODE.yaml"),
]


@app.command()
def info(path: _Trace) -> None:
    """Say what is in a trace: duration, boards, rates, gaps, flags, labels, damage. Exit code 3 when it is damaged."""
    from edge.trace.info import info_text, summarize
    from edge.trace.reader import TraceReader

    with TraceReader(path, known_only=False) as reader:
        with _progress("reading") as progress:
            summary = summarize(reader, progress)
        typer.echo(info_text(reader, summary))
        reader.raise_losses()


_IMPORT_EPILOG = """\
Labels: a JSON list with an object for each move: kind ("pick" or "put"), board, start_s, end_s (first and last touch);
and optionally sku and slot (left out: any answer agrees), quantity (1), foreign (true: an object that isn't in the
planogram). Their times are on the CSV's clock: seconds as in time_s, unix seconds with unix_time. An empty list, [],
says that nothing happened.

Calibration: a JSON record like this, or an object of several by board; a cell's grams are (counts - zero_counts) /
counts_per_gram:

\b
{"board": "shelf-1", "cells": {"fl": {"zero_counts": 84213, "counts_per_gram": 420.5}, ...}}
"""


@app.command("import", epilog=_IMPORT_EPILOG)
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="CSV", help="time_s or unix_time, and a column per <board>.<cell>.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace to write (.mcap).")],
    config: Annotated[Path, typer.Option(help="The node file that names the boards and cells.", metavar="NODE.yaml")],
    unit: Annotated[Unit, typer.Option(help="What the numbers are.")] = Unit.COUNTS,
    labels: Annotated[Path | None, typer.Option(help="What really happened (JSON, see below).")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Calibration records for counts: a JSON file (see below), or a folder of them.")
    ] = None,
) -> None:
    """Make a trace out of a CSV. Rows that can't be used are listed, the others are used, and the exit code is 3."""
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.config.setup import load_setup
    from edge.trace.calibration_file import with_calibration_file
    from edge.trace.csv_import import import_csv
    from edge.trace.errors import TraceDamagedError, TraceError
    from edge.trace.labels import labels_from_file, unknown_names

    if calibration is not None and unit is Unit.GRAMS:
        raise TraceError("--calibration is for counts; a recording in grams (--unit g) is weighed already")
    setup = load_setup(config)
    refuse_overwriting(output, [source, labels, calibration, *config_files(config, setup)])
    if calibration is not None:
        setup = with_calibration_file(setup, calibration)
    known_labels = labels_from_file(labels) if labels is not None else None
    for warning in unknown_names(known_labels or (), setup, str(labels)):
        typer.echo(f"warning: {warning}", err=True)
    with _progress("importing") as progress:
        report = import_csv(source, output, setup, unit is Unit.GRAMS, known_labels, progress)
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{output}: {report.sample_count} samples from {report.row_count} rows", err=True)
    if report.bad_row_count:
        raise TraceDamagedError(
            f"{report.bad_rows}\n{source}: {_rows(report.bad_row_count)} used; "
            f"the other {report.row_count} are in {output}"
        )


@app.command()
def export(
    path: _Trace,
    output: Annotated[Path, typer.Option("--output", "-o", help="OUT.csv, or OUT.mcap for Foxglove and PlotJuggler.")],
    unit: Annotated[
        Unit | None,
        typer.Option(help="counts or g; by default counts in CSV, grams in MCAP where the boards are calibrated."),
    ] = None,
    config: _Config = None,
) -> None:
    """Write a trace as CSV (the form that import reads), or as an MCAP with a JSON message per sample."""
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.trace.errors import TraceError
    from edge.trace.export_csv import export_csv
    from edge.trace.export_mcap import export_mcap
    from edge.trace.reader import TraceReader

    kind = output.suffix.lower()
    if kind not in (".csv", ".mcap"):
        raise TraceError(f"{output}: expected a name that ends in .csv or .mcap")
    given = _setup(config)
    refuse_overwriting(output, [path, *config_files(config, given)])
    with TraceReader(path, setup=given) as reader:
        setup = reader.require_setup()
        grams = unit is Unit.GRAMS
        if unit is None:
            grams = kind == ".mcap" and all(board in setup.calibration for board in setup.node.boards)
        with _progress("exporting") as progress:
            written = (export_csv if kind == ".csv" else export_mcap)(reader, output, grams, progress)
        typer.echo(f"{output}: {written} {'rows' if kind == '.csv' else 'messages'}", err=True)
        reader.raise_losses()


@app.command()
def recover(
    path: _Trace,
    output: Annotated[Path, typer.Option("--output", "-o", help="The sound trace to write (.mcap).")],
) -> None:
    """Write what is intact in a damaged trace as a sound one. Exit code 3 when something was lost, or else 0."""
    from edge.cli.outputs import refuse_overwriting
    from edge.trace.copy_trace import recover as recover_trace
    from edge.trace.errors import TraceDamagedError
    from edge.trace.loss import losses_text
    from edge.trace.reader import TraceReader

    refuse_overwriting(output, [path])
    with TraceReader(path, known_only=False) as reader:
        with _progress("recovering") as progress:
            n_samples = recover_trace(reader, output, progress)
        typer.echo(f"{output}: {n_samples} samples", err=True)
        if reader.losses:
            raise TraceDamagedError(f"{losses_text(str(path), reader.losses)}\n{output}: holds all that is intact")


@app.command()
def cut(
    path: _Trace,
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace to write (.mcap).")],
    from_s: Annotated[float | None, typer.Option("--from", help="Seconds from the start of the trace.")] = None,
    to_s: Annotated[float | None, typer.Option("--to", help="Seconds from the start of the trace.")] = None,
    around_s: Annotated[float | None, typer.Option("--around", help="Seconds from the start: the middle.")] = None,
    margin_s: Annotated[float, typer.Option("--margin", help="With --around: seconds on either side.")] = 10.0,
) -> None:
    """Write a piece of a trace, with config and the labels that lie inside."""
    from edge.cli.outputs import refuse_overwriting
    from edge.trace.copy_trace import cut as cut_trace
    from edge.trace.errors import TraceError
    from edge.trace.reader import TraceReader

    if around_s is not None:
        if from_s is not None or to_s is not None:
            raise TraceError("give either --around (with --margin) or --from and --to")
        from_s, to_s = around_s - margin_s, around_s + margin_s
    if from_s is None and to_s is None:
        raise TraceError("which piece? give --from and/or --to, or --around, in seconds from the start of the trace")
    if not all(value is None or abs(value) < 1e9 for value in (from_s, to_s)):
        raise TraceError("expected seconds from the start of the trace, for example --from 10 --to 25.5")
    refuse_overwriting(output, [path])
    with TraceReader(path, known_only=False) as reader:
        with _progress("cutting") as progress:
            n_samples = cut_trace(reader, output, from_s, to_s, progress)
        typer.echo(f"{output}: {n_samples} samples", err=True)
        reader.raise_losses()


def _rows(count: int) -> str:
    return "1 row wasn't" if count == 1 else f"{count} rows weren't"


def _setup(config: Path | None) -> Setup | None:
    if config is None:
        return None
    from edge.config.setup import load_setup

    return load_setup(config)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while bytes go by; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield told
