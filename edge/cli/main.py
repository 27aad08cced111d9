"""The `shelfedge` command: puts the commands together, and turns errors into sentences and exit codes."""

from __future__ import annotations

from edge.cli import early_interrupt

# isort: split
import contextlib
import io
import os
import sys
from typing import Annotated

import typer

from edge.cli import calibrate, config, events, service, trace
from edge.cli.demo import demo
from edge.cli.diagnose import diagnose
from edge.cli.errors import refusal
from edge.cli.flash import flash
from edge.cli.interrupt import INTERRUPTED, end_on_interrupt
from edge.cli.monitor import monitor
from edge.cli.plot import plot
from edge.cli.record import record
from edge.cli.replay import replay
from edge.cli.run import run
from edge.cli.score import score
from edge.cli.simulate import simulate
from edge.cli.teach import teach
from firmware_bridge.errors import ShelfedgeError

early_interrupt.over()
# Read when numpy is loaded. Matrices here are small: threads for them cost a busy Pi a hundred times what they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="shelfedge",
    help="Edge runtime for checkout-free shelves: load cells in, pick and put events out, with an honest confidence.",
    epilog="Exit codes: 0 done, 1 refused, 2 wrong usage, 3 data was damaged (the intact part was used), "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would cost a third of the time that --help may take
)
app.command(short_help="Run a node: boards, events, outbox, uplink.")(run)
app.command(short_help="Save what a node recorded as a trace.")(record)
app.command(short_help="Watch events being found live on simulated shelves.")(demo)
app.command(short_help="Name what is wrong with cells, boards, links, node.")(diagnose)
app.command(short_help="Watch weights, rates, noise, events live.")(monitor)
app.command(short_help="Replay a trace; events come as JSON lines.")(replay)
app.command(short_help="Flash a shelf MCU; verify, identify, check.")(flash)
app.command(short_help="Plot a trace with its labels and events.")(plot)
app.command(short_help="Score a trace's events against its labels.")(score)
app.command(short_help="Write a labelled trace of simulated shelves.")(simulate)
app.command(short_help="Teach what a product weighs.")(teach)
app.add_typer(calibrate.app, name="calibrate", short_help="Calibrate a board or a camera.")
app.add_typer(trace.app, name="trace", short_help="Inspect, import, export, repair and cut traces.")
app.add_typer(events.app, name="events", short_help="Watch a node's events; write them to a file.")
app.add_typer(service.app, name="service", short_help="Run a node as a systemd service.")
app.add_typer(config.app, name="config", short_help="Check a node file; print the JSON Schema.")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"shelfedge {version('shelfedge')}")
        except PackageNotFoundError:
            typer.echo("shelfedge (run from its sources, not installed)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """The callback's only job is --version; the help text stands above."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    end_on_interrupt()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            if isinstance(stream, io.TextIOWrapper):  # a letter that the terminal's encoding lacks is no reason to stop
                stream.reconfigure(errors="replace")
    try:
        app()
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: that is its right. The interpreter would complain again when
        # it flushes stdout at exit, so stdout is pointed at nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ShelfedgeError, OSError) as error:
        text, exit_code = refusal(error)
        typer.echo(f"error: {text}", err=True)
        sys.exit(exit_code)


if __name__ == "__main__":
    main()
