"""`shelfedge replay`: a trace through fusion, events as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"expected 'max' or a number above 0 (1 is real time), got '{text}'")
    return speed


def replay(
    trace: Annotated[Path, typer.Argument(help="The trace (.mcap).")],
    events: Annotated[
        str, typer.Option(metavar="FILE|-", help="Where the events go as JSON lines; - is stdout.")
    ] = "-",
    speed: Annotated[
        str, typer.Option(metavar="N|max", help="Times real time; max doesn't wait. The events are the same.")
    ] = "max",
    look_again: Annotated[
        bool, typer.Option("--look-again", help="Look at the recorded frames anew, not at what was seen in them live.")
    ] = False,
    without_cameras: Annotated[
        bool, typer.Option("--without-cameras", help="As if no camera had seen anything: by weight alone.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="NODE.yaml", help="Use this node file, not the one in the trace.")
    ] = None,
) -> None:
    """Replay a trace through the code that runs live; write its events as JSON lines."""
    times_real = _speed(speed)
    if look_again and without_cameras:
        raise typer.BadParameter("give one of --look-again, --without-cameras")

    import contextlib
    import sys
    import time
    from typing import BinaryIO

    from edge.cli.errors import warn
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.cli.reading_bar import ReadingBar
    from edge.config.setup import load_setup
    from edge.node.look_again import LookAgain
    from edge.node.playback import Playback
    from edge.stream.jsonl import event_to_line
    from edge.stream.tally import Tally
    from edge.trace.reader import TraceReader
    from edge.trace.whole_file import WholeFile

    setup = None if config is None else load_setup(config)
    if events != "-":
        refuse_overwriting(Path(events), [trace, *config_files(config, setup)])
    with TraceReader(trace, setup) as reader, contextlib.ExitStack() as stack:
        bar = ReadingBar(reader, f"replaying {trace.name}")
        looking = LookAgain(reader, None if config is None else config.parent) if look_again else None
        playback = Playback(reader, times_real, [bar], cameras=not without_cameras, look_again=looking)
        out: BinaryIO = sys.stdout.buffer
        if events != "-":
            out = stack.enter_context(WholeFile(Path(events))).file
        tally = Tally()
        started_s = time.monotonic()
        decided = playback.events()
        warn(playback.blind_sentences())
        stack.enter_context(bar)
        for event in decided:
            tally.add(event)
            with bar.hidden():
                out.write(event_to_line(event).encode() + b"\n")
                out.flush()
        took_s = time.monotonic() - started_s
        stack.close()
        typer.echo(f"{trace.name}: {tally.sentence(playback.duration_s, took_s)}", err=True)
        for sentence in [*playback.fault_sentences(), *(looking.problems if looking is not None else [])]:
            typer.echo(sentence, err=True)
        reader.raise_losses()
