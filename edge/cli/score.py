"""`shelfedge score`: events against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    trace: Annotated[Path, typer.Argument(help="The trace (.mcap).")],
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels (JSON) to use, not those in the trace.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Events (JSON lines) to score; without it the trace is replayed."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="NODE.yaml", help="Replay with this node file, not the one in the trace.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")] = False,
) -> None:
    """Score a trace's events against its labels, in single units matched one to one.

    A unit is right when kind, SKU and slot agree and its time lies within [start - 0.5 s, end + 1.5 s] of the label.
    An empty list of labels says that nothing happened: every event is false, and how many come per hour is told.
    """
    import json

    from edge.cli.errors import warn
    from edge.cli.reading_bar import ReadingBar
    from edge.config.setup import load_setup
    from edge.fusion.score import score as score_events
    from edge.fusion.score_report import score_to_object
    from edge.node.playback import Playback
    from edge.stream.event_file import read_event_file
    from edge.trace.errors import TraceError
    from edge.trace.labels import labels_from_file, unknown_names
    from edge.trace.loss import losses_text
    from edge.trace.reader import TraceReader

    event_file = None if events is None else read_event_file(events)
    for problem in event_file.problem_lines() if event_file is not None else ():
        typer.echo(problem, err=True)
    given = event_file.events if event_file is not None else None
    setup = None if config is None else load_setup(config)
    with TraceReader(trace, setup) as reader:
        if labels is None and not reader.has_labels:
            lost = losses_text(str(trace), reader.losses) + "\n" if reader.losses else ""
            raise TraceError(
                f"{lost}{trace}: no labels are attached to the trace; give a file that says what really happened with "
                "--labels FILE (an empty list, [], where nothing did)"
            )
        truth = reader.labels if labels is None else labels_from_file(labels)
        if labels is not None:
            warn(unknown_names(truth, reader.require_setup(), str(labels)))
        bar = ReadingBar(reader, f"scoring {trace.name}")
        playback = Playback(reader, watchers=[bar])
        decided = playback.events() if given is None else given
        warn(playback.blind_sentences())
        with bar:
            found = list(decided)
            if given is not None:
                playback.run_through()
        for sentence in playback.fault_sentences():
            typer.echo(sentence, err=True)
        result = score_events(truth, found, playback.duration_s)
        if as_json:
            typer.echo(json.dumps(score_to_object(result), indent=1))
        else:
            from rich.console import Console

            from edge.cli.score_table import score_table

            Console().print(score_table(result, trace.name))
        reader.raise_losses()
        if event_file is not None:
            event_file.raise_damage()
