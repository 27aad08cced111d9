"""`shelfedge diagnose`: named faults with their evidence and their remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def diagnose(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[NODE.yaml]", help="The node's file; else ./node.yaml, else /etc/shelfedge/node.yaml."),
    ] = None,
    board: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this board (may be repeated).")] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="How long: 8 to 600. Usual: 20; of a trace the last 600.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Diagnose a recording (.mcap) with the setup and the calibration in it, or with NODE.yaml's if named.",
        ),
    ] = None,
    supply: Annotated[
        str | None, typer.Option(metavar="VOLT", help="The amplifiers' analog supply, if you know it: 5V, 2.7V.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The whole result as JSON, for programs.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="OUT.html", help="Write a page with the plots too.")] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="With --report: a still of each camera too; it may show people.")
    ] = False,
) -> None:
    """Say what is wrong with cells, boards, links and the node: a named fault, the evidence, the remedy.

    A running node isn't disturbed: what it recorded in the last seconds is read. Without one the hardware is opened.
    Touch the boards meanwhile (lift something off each end, put it back): an idle board can't show a dead corner.

    PASS: as it should be. WARN: works, and needs a look. FAIL: doesn't work, or can't be trusted.

    Exit codes: 0 all parts pass or warn; 1 one fails, or nothing could be looked at; 2 wrong usage; 3 the trace is
    damaged (the intact part was diagnosed, whatever its verdict).
    """
    from datetime import UTC, datetime

    from edge.cli.diagnose_show import say, show
    from edge.cli.errors import warn
    from edge.cli.node_choice import node_file, quantity
    from edge.cli.outputs import refuse_overwriting
    from edge.config.quantity import SUPPLY
    from edge.node.diagnose import check_seconds, raise_losses
    from edge.node.diagnose_report import check_report, write_report
    from edge.node.diagnose_sources import diagnosed, gathered_from

    if trace is None:
        config = node_file(config)
    supply_v = None if supply is None else quantity(SUPPLY, supply, "--supply")
    if seconds is not None:
        check_seconds(seconds)
    if pictures and (report is None or trace is not None):
        raise typer.BadParameter("goes with --report, and not with --trace", param_hint="--pictures")
    if report is not None:
        refuse_overwriting(report, [config, trace])
        check_report(report)
    source = gathered_from(config, trace, seconds, tuple(board or ()), say, pictures)
    warn(source.warnings)
    now = datetime.now(UTC)
    found, looks = diagnosed(source, tuple(board or ()), now, supply_v)
    if report is not None:
        write_report(report, found, looks, None if source.gathered is None else source.gathered.stills)
    show(found, json_)
    if report is not None:
        typer.echo(f"{report}: the report", err=True)
    if trace is not None and source.gathered is not None:
        raise_losses(trace, source.gathered.losses)
    if found.exit_code:
        raise typer.Exit(found.exit_code)
