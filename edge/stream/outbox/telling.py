"""The outbox's own notes, written in the transaction that has room for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge.stream.entry import Note, Stamp
from edge.stream.outbox.encoding import EncodedRow, encoded
from edge.stream.outbox.errors import OutboxFullError
from edge.stream.outbox.files import Files
from edge.stream.outbox.records import Body, Position
from edge.stream.outbox.room import Room
from edge.stream.outbox.schema import INSERT
from edge.stream.outbox.state import OutboxState
from edge.stream.wire import encode

_NOTE_BYTES = 4096  # what a note needs, at most
_REPORTS_AT_ONCE = 4


class Telling:
    """Inside the store's transactions: each method gives the state that follows.

    Args:
        stamp: the wall time of the notes.
    """

    def __init__(self, files: Files, room: Room, stamp: Callable[[], Stamp]) -> None:
        self._files = files
        self._room = room
        self._stamp = stamp

    def insert(self, state: OutboxState, rows: Sequence[EncodedRow]) -> OutboxState:
        """Entries of the running boot."""
        if not rows:
            return state
        self._files.writer.executemany(INSERT, rows)
        return state.with_span(state.spans[state.boot].up_to(rows[-1][2]))

    def tell(self, state: OutboxState, *, losses: bool) -> OutboxState:
        """Write the notes that are due, those on ``losses`` if they are. What there is no room for waits."""
        for report in state.reports[:_REPORTS_AT_ONCE]:
            details, rest = report.next_note()
            try:
                state = self._note(state, "damaged", details)
            except OutboxFullError:
                return state
            reports = ([rest] if rest is not None else []) + [each for each in state.reports if each is not report]
            state = replace(state, reports=tuple(reports))
        if losses and state.losses:
            waiting = {loss.reason for loss in state.losses if loss.note is not None}  # for their note to be delivered
            for reason in [loss.reason for loss in state.losses if loss.note is None and loss.reason not in waiting]:
                try:
                    state = self._tell_loss(state, reason)
                except OutboxFullError:
                    return state
        return state

    def _tell_loss(self, state: OutboxState, reason: str) -> OutboxState:
        roomy = self._room.make(self._files.writer, state, _NOTE_BYTES, reserve=True)
        loss = next(each for each in roomy.losses if each.note is None and each.reason == reason)
        told = self._note(roomy, "dropped", loss.details())
        position = Position(state.boot, told.spans[state.boot].last)
        return replace(
            told, losses=tuple(replace(each, note=position) if each is loss else each for each in told.losses)
        )

    def _note(self, state: OutboxState, what: str, details: Mapping[str, Any]) -> OutboxState:
        state = self._room.make(self._files.writer, state, _NOTE_BYTES, reserve=True)
        stamp = self._stamp()
        body = Body(
            lambda boot, seq: encode(Note(boot, seq, what, stamp, None, {"boot": boot, **details})), stamp.wall_ns
        )
        return self.insert(state, encoded([body], state.spans[state.boot]))
