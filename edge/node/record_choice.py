"""Which piece of the ring a person means, and getting the ring ready to be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.node.record import (
    NothingRecordedError,
    Piece,
    Run,
    Written,
    last_piece,
    piece_around,
    runs_in,
    wall_piece,
    write_piece,
)
from edge.node.record_text import held_text, moment_text
from edge.trace.errors import TraceError

RING_FOLDER, FRAMES_FOLDER = "ring", "frames"
LAST_S = 600.0
AROUND_S = 120.0
LEAST_BEFORE_S = 30.0  # fusion must see the board at rest before the event
FLUSH_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event's item moved: monotonic, in that boot. ``text`` names the event."""

    boot: int
    time_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What to take out of the ring; one of: the last seconds, a span of wall time, around an event, a whole run.

    Attributes:
        boot: only this start of the node.
    """

    last_s: float | None = None
    from_wall_ns: int | None = None
    to_wall_ns: int | None = None
    event: Moment | None = None
    around_s: float = AROUND_S
    whole_run: bool = False
    boot: int | None = None

    def of(self, event: Moment) -> Wish:
        """The same around an event."""
        return replace(self, event=event, boot=event.boot)


def choose(runs: Sequence[Run], wish: Wish) -> list[Piece]:
    """The pieces, oldest first, at most one of each run. Raises NothingRecordedError saying what there is."""
    held = held_text(runs)
    if wish.boot is not None:
        runs = [run for run in runs if run.facts.boot == wish.boot]
    if not runs:
        raise NothingRecordedError(f"nothing was recorded{_of_boot(wish.boot)}; {held}")
    if wish.whole_run:
        return [Piece(runs[-1])]
    if wish.event is not None:
        before_s = max(wish.around_s, LEAST_BEFORE_S)
        piece = piece_around(runs, wish.event.boot, wish.event.time_ns, before_s, wish.around_s)
        if piece is None:
            raise NothingRecordedError(f"{wish.event.text} isn't in the recording; {held}")
        return [piece]
    if wish.from_wall_ns is not None or wish.to_wall_ns is not None:
        if wish.from_wall_ns is not None and wish.to_wall_ns is not None and wish.from_wall_ns >= wish.to_wall_ns:
            raise TraceError("--from isn't before --to; expected the beginning first")
        pieces = wall_piece(runs, wish.from_wall_ns, wish.to_wall_ns)
        if not pieces:
            raise NothingRecordedError(f"nothing was recorded in that time; {held}")
        return pieces
    return last_piece(runs, LAST_S if wish.last_s is None else wish.last_s)


def _of_boot(boot: int | None) -> str:
    return "" if boot is None else f" in boot {boot}"


def flushed(state_folder: Path) -> str:
    """Ask the node, if it runs, to bring its recording to the disk; what a person should know when it didn't."""
    from edge.node.control import ControlError, NodeNotRunningError, ask

    try:
        answer = ask(state_folder, {"do": "flush-recording"}, FLUSH_PATIENCE_S)
    except NodeNotRunningError:
        return ""
    except ControlError as error:
        return f"the newest seconds may be missing: {error}"
    return "" if answer.get("ok", True) else "the newest seconds may be missing: the node couldn't write them"


def ring_of(state_folder: Path, with_frames: bool = False) -> list[Run]:
    """The runs in a node's ring; ``with_frames``: also those that left nothing but pictures (an empty store's ceiling).

    Raises NothingRecordedError where there is no ring at all.
    """
    folder = state_folder / RING_FOLDER
    if not folder.is_dir():
        raise NothingRecordedError(
            f"{folder}: nothing was recorded here; expected the node to have run with this node file "
            "(and with recording.size above 0)"
        )
    runs = runs_in(folder)
    if with_frames:
        known = {(run.facts.boot, run.facts.run) for run in runs}
        pictures = runs_in(state_folder / FRAMES_FOLDER)
        runs += [run for run in pictures if (run.facts.boot, run.facts.run) not in known]
    return sorted(runs, key=lambda run: (run.facts.boot, run.facts.run))


def pictures_of(state_folder: Path, piece: Piece) -> Run | None:
    """The same run in the ring of pictures; None where the node has kept none of it, or we mustn't look."""
    same = (piece.run.facts.boot, piece.run.facts.run)
    try:
        runs = runs_in(state_folder / FRAMES_FOLDER)
    except PermissionError:  # samples may be had all the same; who asks for pictures was told in `ring_of`
        return None
    return next((run for run in runs if (run.facts.boot, run.facts.run) == same), None)


def numbered(output: Path, count: int) -> list[Path]:
    """Names for several traces: OUT-1.mcap, OUT-2.mcap; OUT.mcap itself for a single one."""
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, count + 1)]


def write_all(
    pieces: Sequence[Piece],
    targets: Sequence[Path],
    progress: Callable[[int, int], None] | None = None,
    pictures: Callable[[Piece], Run | None] = lambda piece: None,
    with_frames: bool = False,
) -> list[Written]:
    """Each piece to its file; one that turns out to be empty is left out, unless all are.

    ``pictures``: the run of a piece in the ring of pictures, which are only taken along ``with_frames``.
    Raises NothingRecordedError when none holds a sample, TraceFileError when the disk refuses.
    """
    written = []
    for piece, target in zip(pieces, targets, strict=True):
        try:
            written.append(write_piece(piece, target, progress, pictures(piece), with_frames))
        except NothingRecordedError:
            if len(pieces) == 1:
                run = piece.run
                raise NothingRecordedError(
                    f"no samples in that time; its run goes from {moment_text(run, run.begin_ns)} to "
                    f"{moment_text(run, run.end_ns)}"
                ) from None
    if not written:
        raise NothingRecordedError("no samples in that time")
    return written
