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
    """Plot weight over time, one panel per board, with labels and events."""
    if begin_s is not None and end_s is not None and end_s <= begin_s:
        raise typer.BadParameter(f"--to {end_s:g} isn't after --from {begin_s:g}")

    from edge.cli.reading_bar import ReadingBar
    from edge.config.setup import load_setup
    from edge.fusion.score import score
    from edge.node.playback import Playback
    from edge.stream.jsonl import events_from_jsonl
    from edge.trace.curves import CurveBuilder
    from edge.trace.plot import check_target, make_plot, write_plot
    from edge.trace.reader import TraceReader

    target = trace.with_suffix(".png") if output is None else output
    check_target(target)
    given = None if events is None else events_from_jsonl(events)
    setup = None if config is None else load_setup(config)
    with TraceReader(trace, setup) as reader:
        curves = CurveBuilder(reader.require_setup(), begin_s, end_s)
        with ReadingBar(reader, f"reading {trace.name}") as bar:
            playback = Playback(reader, watchers=[curves.add, bar])
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
        write_plot(drawing, target)
        typer.echo(
            f"{target}: {len(drawing.curves)} boards, {len(drawing.marks)} events, {len(drawing.spans)} labels",
            err=True,
        )
        reader.raise_losses()
