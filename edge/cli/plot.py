"""`shelfedge plot`: a trace as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    trace: Annotated[Path, typer.Argument(help="The trace (.mcap).")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PNG|SVG|HTML", help="Default: the trace's name with .png.")
    ] = None,
    floor: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG|SVG", help="Draw people's ways on the store's floor instead, events and who with them."
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Events (JSON lines) to show; without it the trace is replayed.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="NODE.yaml", help="Replay with this node file, not the one in the trace.")
    ] = None,
    begin_s: Annotated[
        float | None, typer.Option("--from", metavar="S", help="Plot from here, in seconds as on the plot's axis.")
    ] = None,
    end_s: Annotated[float | None, typer.Option("--to", metavar="S", help="Plot up to here.")] = None,
) -> None:
    """Plot weight over time, one panel per board, with labels and events; or, with --floor, the store from above.

    The floor shows the boards whose `place:` is in the node file, and the tracks that cameras have left in the trace.
    With both --floor and -o, both are written.
    """
    if begin_s is not None and end_s is not None and end_s <= begin_s:
        raise typer.BadParameter(f"--to {end_s:g} isn't after --from {begin_s:g}")

    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.cli.reading_bar import ReadingBar
    from edge.config.setup import load_setup
    from edge.fusion.score import score
    from edge.node.playback import Playback
    from edge.stream.event_file import read_event_file
    from edge.trace.counted import counted
    from edge.trace.curves import CurveBuilder
    from edge.trace.floor_plan import WayBuilder, make_floor_plan
    from edge.trace.plot import check_floor_target, check_target, make_plot, write_plot
    from edge.trace.reader import TraceReader

    target = output if output is not None or floor is not None else trace.with_suffix(".png")
    if floor is not None:
        check_floor_target(floor)
        refuse_overwriting(floor, [trace, events, target])
    if target is not None:
        check_target(target)
        refuse_overwriting(target, [trace, events])
    event_file = None if events is None else read_event_file(events)
    for problem in event_file.problem_lines() if event_file is not None else ():
        typer.echo(problem, err=True)
    given = event_file.events if event_file is not None else None
    setup = None if config is None else load_setup(config)
    for file in (target, floor):
        if file is not None:
            refuse_overwriting(file, config_files(config, setup))
    with TraceReader(trace, setup) as reader:
        curves = CurveBuilder(reader.require_setup(), begin_s, end_s)
        with ReadingBar(reader, f"reading {trace.name}") as bar:
            ways = WayBuilder()
            playback = Playback(reader, watchers=[curves.add, bar], witnesses=[ways.add])
            if given is None:
                given = list(playback.events())
            else:
                playback.run_through()
        verdicts = score(reader.labels, given, playback.duration_s) if reader.has_labels else None
        drawing = make_plot(
            trace.name,
            curves.curves(),
            reader.labels,
            given,
            curves.origin_s,
            verdicts.event_verdicts if verdicts else None,
            verdicts.label_verdicts if verdicts else None,
        )
        span_s = drawing.begin_s, drawing.end_s
        walked = ways.ways(drawing.origin_s, *span_s)
        plan = None
        if floor is not None or walked:
            plan = make_floor_plan(trace.name, drawing.axis, span_s, reader.require_setup(), walked, drawing.marks)
        if target is not None:
            write_plot(drawing, target, plan)
            shown = {"board": drawing.curves, "event": drawing.marks, "label": drawing.spans}
            counts = ", ".join(counted(len(things), thing) for thing, things in shown.items())
            typer.echo(f"{target}: {counts}", err=True)
        if floor is not None and plan is not None:
            from edge.trace.floor_picture import write_floor_picture

            write_floor_picture(plan, floor)
            seen = {"board": plan.boards, "track": plan.ways, "event": plan.deeds}
            typer.echo(f"{floor}: {', '.join(counted(len(things), thing) for thing, things in seen.items())}", err=True)
        reader.raise_losses()
        if event_file is not None:
            event_file.raise_damage()
