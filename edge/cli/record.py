"""`shelfedge record`: a trace out of what the node keeps recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def record(
    config: Annotated[Path, typer.Argument(metavar="NODE.yaml", help="The node's file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.mcap", help="The trace to write.")
    ] = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help="The last 10min, 2h ... recorded.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help="From 18:05, or 2026-11-21T18:05, on.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="WHEN", help="Until then.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="ID", help="Around an event: shelf-1-000012, or BOOT/SEQ.")
    ] = None,
    around: Annotated[
        str, typer.Option(metavar="TIME", help="With --event: how long before and after it (before: 30 s at least).")
    ] = "2min",
    run: Annotated[bool, typer.Option("--run", help="All since the node's start (or its last planogram).")] = False,
    boot: Annotated[
        int | None, typer.Option(min=0, help="Of this start of the node, as --list shows it; else the latest.")
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="With the cameras' pictures, where the node keeps any. They show people.")
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Each run in the span, to numbered files.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Say what is recorded: runs, times, sizes, gaps.")] = False,
) -> None:
    """Write a trace of what the node has recorded: its last minutes, a time, or the minutes around an event.

    Without a choice: the last 10 min. The node may run, be stopped or be dead. Times of day are this machine's.

    A trace holds one run of the node: from a start, or from a new planogram, to the next. Where the span covers
    several, the latest is written; --all writes each, oldest first: OUT-1.mcap, OUT-2.mcap.

    The replay of a whole run (--run) gives its live events, bit for bit. A piece that begins later replays without
    what the node remembered: stock as in the planogram, zeros as calibrated.

    What the cameras saw (tracks, looks at slots) is always in it; pictures only with --frames.
    """
    from datetime import datetime
    from functools import partial

    from edge.cli.errors import warn
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.config.setup import load_setup
    from edge.config.state_folder import state_folder
    from edge.node.record_choice import Wish, choose, flushed, numbered, pictures_of, ring_of, write_all
    from edge.node.record_event import event_moment
    from edge.node.record_text import damage_text, left_out_text, runs_text, written_text
    from edge.node.record_times import span_s, wall_ns
    from edge.trace.errors import TraceDamagedError

    choices = [last is not None, from_ is not None or to is not None, event is not None, run]
    if sum(choices) > 1:
        raise typer.BadParameter("give one of --last, --from/--to, --event, --run")
    if list_ == (output is not None):
        raise typer.BadParameter("give -o OUT.mcap for a trace, or --list to see what is recorded")
    if list_ and (any(choices) or boot is not None or all_ or frames):
        raise typer.BadParameter("--list shows all that is recorded; give it alone, or -o OUT.mcap with the choice")
    now = datetime.now().astimezone()
    wish = Wish(
        last_s=None if last is None else span_s(last, "--last"),
        from_wall_ns=None if from_ is None else wall_ns(from_, "--from", now),
        to_wall_ns=None if to is None else wall_ns(to, "--to", now),
        around_s=span_s(around, "--around"),
        whole_run=run,
        boot=boot,
    )
    setup = load_setup(config)
    folder = state_folder(config, setup.node)
    warning = flushed(folder)
    if warning:
        warn([warning])
    if output is None:
        typer.echo(runs_text(ring_of(folder)))
        return
    if event is not None:
        wish = wish.of(event_moment(folder / "outbox.db", event, boot))
    runs = ring_of(folder, frames)
    pieces = choose(runs, wish)
    chosen = pieces if all_ else pieces[-1:]
    targets = numbered(output, len(chosen))
    for target in targets:
        refuse_overwriting(target, [*config_files(config, setup), *(s.path for r in runs for s in r.segments)])
    written = write_all(chosen, targets, None, partial(pictures_of, folder), frames)
    for one in written:
        typer.echo(written_text(one), err=True)
    if frames and not any(one.frames for one in written):
        warn(["the node has kept no pictures of that time; `recording: {frames: 5 Hz}` in its node file keeps them"])
    if len(chosen) < len(pieces):
        typer.echo(left_out_text(pieces[:-1]), err=True)
    damage = "\n".join(filter(None, map(damage_text, written)))
    if damage:
        raise TraceDamagedError(f"{damage}\nthe rest was used")
