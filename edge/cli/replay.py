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
    config: Annotated[
        Path | None, typer.Option(metavar="NODE.yaml", help="Use this node file, not the one in the trace.")
    ] = None,
) -> None:
    """Replay a trace through the code that runs live; write its events as JSON lines."""
    times_real = _speed(speed)

    import contextlib
    import sys
    import time
    from typing import BinaryIO

    from edge.cli.errors import warn
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.cli.reading_bar import ReadingBar
    from edge.config.setup import load_setup
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
        playback = Playback(reader, times_real, [bar])
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
        for sentence in playback.fault_sentences():
            typer.echo(sentence, err=True)
        reader.raise_losses()
