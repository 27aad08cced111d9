"""`shelfedge diagnose`: named faults with their evidence and their remedy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from calibration.diagnosis.diagnose import BoardLook


def diagnose(
    config: Annotated[Path | None, typer.Argument(metavar="[NODE.yaml]", help="The node's file.")] = None,
    board: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this board (may be repeated).")] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="How long: 8 to 600. Usual: 20; of a trace the last 600.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Diagnose a recording (.mcap).")] = None,
    supply: Annotated[
        str | None, typer.Option(metavar="VOLT", help="The amplifiers' analog supply, if you know it: 5V, 2.7V.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The whole result as JSON, for programs.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="OUT.html", help="Write a page with the plots too.")] = None,
) -> None:
    """Say what is wrong with cells, boards, links and the node: a named fault, the evidence, the remedy.

    A running node isn't disturbed: what it recorded in the last seconds is read. Without one the hardware is opened.
    Touch the boards meanwhile (lift something off each end, put it back): an idle board can't show a dead corner.

    Exit codes: 0 all parts pass or warn; 1 one fails, or nothing could be looked at; 3 the trace is damaged (the intact
    part was diagnosed).
    """
    import json
    from datetime import UTC, datetime

    from edge.cli.errors import warn
    from edge.node.diagnose import check_seconds, chosen, diagnose, raise_losses
    from edge.node.diagnose_sources import gathered_from, node_parts, supply_volts
    from edge.node.diagnose_text import diagnosis_text

    if config is None and trace is None:
        raise typer.BadParameter("give the node file, or a recording with --trace")
    now = datetime.now(UTC)
    supply_v = supply_volts(supply)
    if seconds is not None:
        check_seconds(seconds)
    source = gathered_from(config, trace, seconds, tuple(board or ()), lambda text: typer.echo(text, err=True))
    warn(source.warnings)
    looks: list[BoardLook] = []
    if source.gathered is None:
        from calibration.diagnosis.verdicts import Diagnosis

        found = Diagnosis(source.name, 0.0, tuple(node_parts(source, now)))
    else:
        found, looks = diagnose(chosen(source.gathered, board or ()), now, supply_v, node_parts(source, now))
    if report is not None:
        from edge.cli.outputs import refuse_overwriting
        from edge.node.diagnose_report import write_report

        refuse_overwriting(report, [config, trace])
        write_report(report, found, looks, now)
    typer.echo(json.dumps(found.as_json(), indent=1) if json_ else diagnosis_text(found))
    if report is not None:
        typer.echo(f"{report}: the report", err=True)
    if trace is not None and source.gathered is not None:
        raise_losses(trace, source.gathered.losses)
    if found.exit_code:
        raise typer.Exit(found.exit_code)
