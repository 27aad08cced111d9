"""What `shelfedge record` says: what is in the ring, what was written, and what a person must know of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from edge.node.record import Piece, Run, Written
from edge.node.ring_segment import FRAMES, NS_PER_S, SIGHTINGS, Gap
from edge.trace.counted import counted
from edge.trace.loss import losses_text

_CLOCK_DOUBT = {"free": "times by a clock that nothing keeps right", "wrong": "times by a clock known to be wrong"}
_GAPS_SHOWN = 5


def runs_text(runs: Sequence[Run]) -> str:
    """The ring for a person, newest last; `shelfedge record --list`."""
    if not runs:
        return "nothing has been recorded yet"
    rows = [("boot", "run", "from", "to", "lasts", "size", "gaps", "")]
    for run in runs:
        size = sum(segment.bytes for segment in run.segments)
        rows.append(
            (
                str(run.facts.boot),
                str(run.facts.run),
                moment_text(run, run.begin_ns),
                moment_text(run, run.end_ns),
                span_text(run.end_ns - run.begin_ns),
                f"{size / 1e6:.1f} MB",
                str(len(run.gaps)),
                _remarks(run),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def held_text(runs: Sequence[Run]) -> str:
    """What the ring holds, as half a sentence."""
    if not runs:
        return "the ring is empty"
    if len(runs) == 1:
        return f"the ring holds {moment_text(runs[0], runs[0].begin_ns)} to {moment_text(runs[0], runs[0].end_ns)}"
    first, last = runs[0], runs[-1]
    return (
        f"the ring holds {counted(len(runs), 'run')} between {moment_text(first, first.begin_ns)} and "
        f"{moment_text(last, last.end_ns)}; --list shows them"
    )


def written_text(written: Written) -> str:
    """What came out, and how far its replay is what the node said live."""
    run = written.piece.run
    seen = f", {counted(written.sightings, 'sighting')}" if written.sightings else ""
    seen += f", {counted(written.frames, 'frame')}" if written.frames else ""
    lines = [
        f"{written.path}: {written.samples} samples{seen}, {span_text(written.end_ns - written.begin_ns)} from "
        f"{moment_text(run, written.begin_ns)} to {moment_text(run, written.end_ns)} (boot {run.facts.boot}"
        f"{f', run {run.facts.run}' if run.facts.run > 1 else ''})"
    ]
    if clock_doubt(run):
        lines.append(clock_doubt(run))
    if not written.from_start:
        lines.append(
            "it begins after the node's start: its replay begins without the node's memory (stock as in the planogram, "
            "zeros as calibrated), so that events may differ from the live ones"
        )
    elif not written.gaps:
        ended = run.is_whole and written.end_ns >= run.end_ns
        but = "" if ended else ", but for what is still open at its end"
        lines.append(f"it begins with the node's run: its replay gives the live events{but}")
    if written.frames:
        lines.append("there are pictures in it, which may show people: see to it who gets it")
    elif written.frames_kept:
        lines.append("the node has kept pictures of that time, which aren't in it: --frames takes them along")
    lines += [_gap_text(run, gap) for gap in written.gaps[:_GAPS_SHOWN]]
    if len(written.gaps) > _GAPS_SHOWN:
        lines.append(f"and {len(written.gaps) - _GAPS_SHOWN} more gaps")
    return "\n".join(lines)


def left_out_text(pieces: Sequence[Piece]) -> str:
    """The runs in the wanted span that aren't written without --all."""
    spans = ", ".join(_run_text(piece.run) for piece in pieces)
    return (
        f"not in it: {counted(len(pieces), 'earlier run')} in that span ({spans}); a trace holds one run, "
        "--all writes each to a file of its own"
    )


def damage_text(written: Written) -> str:
    """Damage met in the segments; empty where there was none."""
    by_path: dict[str, list[str]] = {}
    for path, loss in written.losses:
        by_path.setdefault(str(path), []).append(losses_text(str(path), [loss]))
    return "\n".join(line for lines in by_path.values() for line in lines[:_GAPS_SHOWN])


def moment_text(run: Run, mono_ns: int) -> str:
    """Local wall time; seconds of the monotonic clock where nothing is known of it."""
    wall_ns = run.wall_ns(mono_ns)
    if wall_ns is None or run.clock is None:
        return f"{mono_ns / NS_PER_S:.0f} s (no wall time)"
    try:
        text = datetime.fromtimestamp(wall_ns / NS_PER_S).astimezone().isoformat(sep=" ", timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"{mono_ns / NS_PER_S:.0f} s (no wall time)"
    return text[:19]


def span_text(span_ns: int) -> str:
    """A length of time: `2 h 05 min`, `4 min 30 s`, `12.3 s`."""
    seconds = span_ns / NS_PER_S
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock_doubt(run: Run) -> str:
    """Why its wall times may be wrong; empty where they aren't."""
    return "" if run.clock is None else _CLOCK_DOUBT.get(run.clock.quality, "")


def _run_text(run: Run) -> str:
    number = f", run {run.facts.run}" if run.facts.run > 1 else ""
    return f"boot {run.facts.boot}{number}: {moment_text(run, run.begin_ns)}, {span_text(run.end_ns - run.begin_ns)}"


def _remarks(run: Run) -> str:
    remarks = []
    if clock_doubt(run):
        remarks.append(clock_doubt(run))
    if not run.from_start:
        remarks.append("its beginning isn't kept any more")
    if not run.is_whole:
        remarks.append("being written, or the node died" if run.is_last else "the node died")
    return "; ".join(remarks)


def _gap_text(run: Run, gap: Gap) -> str:
    if gap.board == SIGHTINGS:
        count = counted(gap.samples, "sighting")
    elif gap.board.startswith(FRAMES):
        camera = gap.board.removeprefix(FRAMES)
        count = counted(gap.samples, "frame") + (f" of camera {camera}" if camera else "")
    else:
        board = f"board {gap.board}" if gap.board else "all boards"
        count = f"{gap.samples} samples of {board}" if gap.samples else board
    return f"missing: {count} from {moment_text(run, gap.from_ns)} ({span_text(gap.to_ns - gap.from_ns)}): {gap.why}"
