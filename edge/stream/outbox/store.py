"""The outbox: every entry is on the disk before it counts, is kept until it is delivered, and longer while there is
room.

SQLite with a write-ahead log, synchronous=FULL. One connection writes, one reads, so that reading doesn't wait for a
slow disk. Any thread may call anything. Damage, whenever it is met, is mended: `salvage`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from edge.stream.entry import Stamp, TimeQuality
from edge.stream.outbox.age import AgeClock
from edge.stream.outbox.encoding import encoded
from edge.stream.outbox.errors import (
    FILE_ERRORS,
    OutboxFullError,
    OutboxUnavailableError,
    is_damage,
    is_full,
    is_other_than_known,
    unavailable,
)
from edge.stream.outbox.files import Files
from edge.stream.outbox.fitting import Fitting
from edge.stream.outbox.losses import QUEUE, REASONS, Loss, added
from edge.stream.outbox.opening import begin, next_boot
from edge.stream.outbox.pacing import Pacing
from edge.stream.outbox.reading import first_pending, pending_rows, rows_from
from edge.stream.outbox.records import Body, Opening, OutboxCounts, OutboxLimits, Position, Row
from edge.stream.outbox.resync import follows, reopened
from edge.stream.outbox.room import Room, files_bytes
from edge.stream.outbox.row_check import within_wall_ms
from edge.stream.outbox.spans import Span
from edge.stream.outbox.state import OutboxState, write_changes
from edge.stream.outbox.telling import Telling

_NS_PER_MS = 1_000_000
_NOTE_EVERY_S = 60.0  # a `dropped` note; what is dropped meanwhile is added up
_DONE_EVERY_S = 1.0  # how far it is done goes along with a commit so often
_IDLE_DONE_S = 5.0  # and is committed by itself after that long without one
_AGE_EVERY_S = 10.0
_LOOK_EVERY_S = 1.0  # whether the files are still where they were
_TRIES = 4  # of a commit: make room, open anew, mend
_Result = TypeVar("_Result")


class OutboxStore:
    """Made by `open`.

    Attributes:
        boot: the number of this start; another one where the file had to be left to somebody else's entries.
        opening: what was found when it was opened, and mended since.
        last_wall_ns: the latest wall time that was remembered when it was opened; 0 where none was.
    """

    def __init__(
        self,
        files: Files,
        limits: OutboxLimits,
        now_ns: int,
        stamp: Callable[[], Stamp] | None,
        mono_s: Callable[[], float],
    ) -> None:
        self._files = files
        self._room = Room(limits, files.page_bytes)
        self._fitting = Fitting(files, self._room, mono_s)
        self._pacing = Pacing(mono_s)
        self._mono_s = mono_s
        self._clock = AgeClock(now_ns, mono_s)
        stamp = stamp or (lambda: Stamp(self._clock.now_ns(), TimeQuality.FREE))
        self._telling = Telling(files, self._room, stamp)
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._done_lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._new_losses: tuple[Loss, ...] = ()
        self._note_due_s = self._done_due_s = self._age_due_s = mono_s()
        self._look_due_s = mono_s()
        self._done_waits_since_s: float | None = None
        self._closed = False
        self.opening: Opening = files.opening
        self._saved: OutboxState = files.saved  # what the file says
        self._state: OutboxState = files.state
        self.boot: int = self._state.boot
        self.last_wall_ns: int = files.remembered_wall_ms * _NS_PER_MS

    @classmethod
    def open(
        cls,
        path: Path,
        limits: OutboxLimits,
        now_ns: int,
        *,
        stamp: Callable[[], Stamp] | None = None,
        mono_s: Callable[[], float] = time.monotonic,
        page_bytes: int = 4096,
    ) -> OutboxStore:
        """Open for writing, as the next boot. Damage isn't an error: what is intact is carried over into a new file.

        Args:
            now_ns: wall time, for the age of entries; from here on it goes by the monotonic clock and `remember_clock`.
            stamp: the wall time of the notes that the outbox writes itself; left out: ``now_ns`` and what has passed.
            page_bytes: SQLite's page size for a new file.

        Raises OutboxUnavailableError where the disk refuses, or another process has it open.
        """
        files = begin(path, page_bytes)
        store = cls(files, limits, now_ns, stamp, mono_s)
        try:
            with store._writing:
                if files.lock.lost:
                    store.count_dropped(files.lock.lost, QUEUE)
                store._room.configure(files.writer)
                store._attempt(lambda: store._commit([], notes_now=True, age=True))
                files.lock.remember(store.boot, 0)
        except BaseException:
            store._files.close()
            raise
        return store

    def append(self, bodies: Sequence[Body]) -> list[int]:
        """Commit entries in one transaction, synced to the disk; their seqs.

        Raises:
            OutboxFullError: the policy is `refuse` and there is no room, or it is more than one transaction may hold.
            OutboxUnavailableError: the disk refuses. Either way nothing of it was committed, and it may be tried again:
                the same bodies get the same seqs. What a body's ``encode`` raises comes through.
        """
        if not bodies:
            return []
        with self._writing:
            return self._attempt(lambda: self._commit(bodies))

    def count_dropped(self, count: int, reason: str) -> None:
        """Entries that never got here (`queue`, `refused`, `encode`); told by a `dropped` note with the next commit."""
        if reason not in REASONS:
            raise ValueError(f"expected one of {', '.join(REASONS)}, got {reason!r}")
        with self._writing:
            self._new_losses = added(self._new_losses, Loss(reason, count))

    def pending(self, after: Position | None = None, most_entries: int = 200, most_bytes: int = 32_000) -> list[Row]:
        """Entries that aren't done, in the order of their commit: those behind ``after``, or from the first on.

        At least one, however large; none where there is none. Raises OutboxUnavailableError.
        """
        return self._read(
            lambda strict: pending_rows(self._files.reader, self._current(), after, most_entries, most_bytes, strict)
        )

    def rows(self, boot: int, from_seq: int = 1, most: int = 1000) -> list[Row]:
        """Entries of a boot from a seq on, done or not. Raises OutboxUnavailableError."""
        return self._read(lambda strict: rows_from(self._files.reader, self._current(), boot, from_seq, most, strict))

    def done(self, boot: int, seq: int) -> None:
        """Everything of that boot up to seq is delivered. In memory at once; on the disk within seconds."""
        span = self._state.spans.get(boot)
        if span is None:
            return
        with self._done_lock:
            self._done[boot] = max(self._done.get(boot, 0), min(seq, span.last))
            if self._done_waits_since_s is None:
                self._done_waits_since_s = self._mono_s()

    def counts(self) -> OutboxCounts:
        """How much there is. Never raises."""
        state = self._current()
        oldest_s = None
        with contextlib.suppress(OutboxUnavailableError):
            row = self._read(lambda strict: first_pending(self._files.reader, self._current(), strict))
            if row is not None:
                span = state.spans.get(row.boot)
                oldest_s = max(
                    0.0, self._clock.age_s(span, row.seq, row.decided_wall_ns // _NS_PER_MS) if span else 0.0
                )
        return OutboxCounts(
            pending=sum(span.pending() for span in state.spans.values()),
            kept=state.kept(),
            bytes=files_bytes(self._files.path),
            oldest_pending_s=oldest_s,
            dropped_total=state.dropped_total + sum(loss.count for loss in self._new_losses),
            damaged_total=state.damaged_total,
        )

    def boots(self) -> list[int]:
        """The boots of which there are entries, oldest first, and this one."""
        return [boot for boot, span in self._state.spans.items() if span.kept() or boot == self.boot]

    def first_kept(self, boot: int) -> int | None:
        """The lowest seq of a boot that is still there; for this boot before its first entry: 1. None: nothing is."""
        span = self._state.spans.get(boot)
        if span is None or (span.last < span.first and boot != self.boot):
            return None
        return span.next_after(span.first - 1)

    def last_seq(self, boot: int) -> int:
        """The highest seq of a boot; 0 where there is none."""
        span = self._state.spans.get(boot)
        return 0 if span is None else span.last

    def remember_clock(self, wall_ns: int) -> None:
        """The wall time now, as far as it can be trusted. On the disk with a later commit.

        Where it differs from what has been assumed, ages of this boot's entries so far are reckoned anew.
        """
        with self._writing:
            step_ms = self._clock.set(wall_ns)
            state = replace(self._state, wall_ms=within_wall_ms(wall_ns))
            span = state.spans[self.boot]
            if step_ms and span.last >= span.first:
                state = state.with_span(replace(span, step_seq=span.last, step_ms=span.step_ms + step_ms))
            self._state = state

    def housekeep(self) -> None:
        """To be called about once a second: commits what has been waiting (done, losses to tell), lets old entries go.

        Raises OutboxUnavailableError.
        """
        with self._writing:
            now_s = self._mono_s()
            waits_since_s = self._done_waits_since_s
            idle = waits_since_s is not None and now_s - waits_since_s >= _IDLE_DONE_S
            tell = self._untold() and now_s >= self._note_due_s
            age = now_s >= self._age_due_s and self._has_old()
            if idle or tell or age:
                self._attempt(lambda: self._commit([], age=age))

    def spend_reserve(self) -> None:
        """For the last commits before the end, on a disk that is full. Never raises."""
        self._fitting.spend_reserve()

    def close(self) -> None:
        """Commit what waits, and leave one clean file. Never raises."""
        with self._writing, self._reading:
            if self._closed:
                return
            with contextlib.suppress(OutboxUnavailableError, OutboxFullError):
                self._attempt(lambda: self._commit([], notes_now=True, clean=True))
            lost = sum(loss.count for loss in self._new_losses)
            if lost:
                self._files.lock.remember_loss(self.boot, lost)
            self._closed = True
            self._files.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def _attempt(self, work: Callable[[], _Result]) -> _Result:
        """Do it; where the disk is full or the file damaged, make room or mend it, and do it again."""
        self._check_open()
        made_room = False
        failed: Exception | None = None
        for _ in range(_TRIES):
            try:
                self._look()
                return work()
            except FILE_ERRORS as error:
                failed = error
                if is_full(error) and not made_room:
                    made_room = True
                    with contextlib.suppress(*FILE_ERRORS):  # it shows when it is tried again
                        self._fitting.make_do(self._ease)
                elif is_damage(error):
                    self._recover(error)
                else:
                    break
        assert failed is not None
        raise unavailable(self._files.path, failed) from None

    def _look(self) -> None:
        """Whether the files are there still, and how much room there is. Raises as a commit does."""
        now_s = self._mono_s()
        if not self._files.connected:
            self._resync("it was closed")
        self._files.check_place(thoroughly=now_s >= self._look_due_s)
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + _LOOK_EVERY_S
        self._fitting.fit()
        self._fitting.bound_log()

    def _ease(self) -> bool:
        before = self._state.kept()
        self._commit([], ease=True)
        return self._state.kept() < before

    def _commit(
        self,
        bodies: Sequence[Body],
        *,
        notes_now: bool = False,
        age: bool = False,
        clean: bool = False,
        ease: bool = False,
    ) -> list[int]:
        """One transaction. Nothing in memory changes unless it was committed."""
        connection, now_s = self._files.writer, self._mono_s()
        rows = encoded(bodies, self._state.spans[self.boot])
        connection.execute("BEGIN IMMEDIATE")
        try:
            due = clean or not rows or now_s >= self._done_due_s or self._room.is_tight(connection)
            state = self._current() if due else self._state
            for loss in self._new_losses:
                state = replace(state, losses=added(state.losses, loss), dropped_total=state.dropped_total + loss.count)
            if age:
                state = self._room.age_out(connection, state, self._is_old)
            if ease:
                state = self._room.ease(connection, state)
            if rows:
                state = self._room.make(connection, state, self._room.needed_bytes([len(row[4]) for row in rows]))
            state = self._telling.insert(state, rows)
            untold = state.losses
            if not ease:
                state = self._telling.tell(state, losses=notes_now or now_s >= self._note_due_s)
            if state.clean != clean:
                state = replace(state, clean=clean)
            state = state.newer_than(self._saved)
            write_changes(connection, self._saved, state, every=clean)
            connection.execute("COMMIT")
        except BaseException:
            self._files.roll_back()
            raise
        self._state = self._saved = state
        self._new_losses = ()
        if self._files.lock.boot != self.boot:
            self._files.lock.remember(self.boot, 0)
        if state.losses is not untold:
            self._note_due_s = now_s + _NOTE_EVERY_S
        if age:
            self._age_due_s = now_s + _AGE_EVERY_S
        if due:
            self._done_due_s = now_s + _DONE_EVERY_S
            self._forget_done(state)
        return [row[2] for row in rows]

    def _current(self) -> OutboxState:
        """The state with what is done by now."""
        with self._done_lock:
            done = dict(self._done)
        state = self._state
        spans = {
            boot: replace(state.spans[boot], done=seq)
            for boot, seq in done.items()
            if boot in state.spans and seq > state.spans[boot].done
        }
        if not spans:
            return state
        state = replace(state, spans={**state.spans, **spans})
        told = [each for each in state.losses if each.note is None or not state.is_done(each.note)]
        return replace(state, losses=tuple(told)) if len(told) < len(state.losses) else state

    def _forget_done(self, state: OutboxState) -> None:
        with self._done_lock:
            for boot in [boot for boot, seq in self._done.items() if state.is_done(Position(boot, seq))]:
                del self._done[boot]
            self._done_waits_since_s = self._mono_s() if self._done else None

    def _is_old(self, span: Span, seq: int, wall_ms: int) -> bool:
        return self._clock.age_s(span, seq, wall_ms, this_boot=span.boot == self.boot) > self._room.limits.age_s

    def _has_old(self) -> bool:
        """Whether the oldest entry is too old; looked at every 10 s."""
        self._age_due_s = self._mono_s() + _AGE_EVERY_S
        state = self._state
        span = next((each for each in state.spans.values() if each.last >= each.first), None)
        if span is None:
            return False
        rows = self.rows(span.boot, span.first, 1)
        return bool(rows) and self._is_old(span, rows[0].seq, rows[0].decided_wall_ns // _NS_PER_MS)

    def _untold(self) -> bool:
        losses = self._current().losses
        waiting = {loss.reason for loss in losses if loss.note is not None}
        told_now = any(loss.note is None and loss.reason not in waiting for loss in losses)
        return bool(self._new_losses or self._state.reports or told_now)

    # -- reading and mending -----------------------------------------------------------------------------------------

    def _read(self, work: Callable[[bool], _Result]) -> _Result:
        try:
            with self._reading:
                self._check_open()
                return work(True)
        except FILE_ERRORS:
            pass
        with self._writing, self._reading:
            self._check_open()
            try:
                if not self._files.connected:
                    self._resync("it was closed")
                return work(True)  # it may only have been removed in between
            except FILE_ERRORS as error:
                if not is_damage(error):
                    raise unavailable(self._files.path, error) from None
                with contextlib.suppress(OutboxUnavailableError):
                    self._recover(error)
            try:
                self._files.connect()
                return work(False)  # where it can't be mended now, at least what is intact
            except FILE_ERRORS as error:
                raise unavailable(self._files.path, error) from None

    def _recover(self, error: Exception) -> None:
        """Raises OutboxUnavailableError where it can't be done, or not yet."""
        with self._writing, self._reading:
            wait_s = self._pacing.wait_s()
            if wait_s > 0.0:
                raise OutboxUnavailableError(
                    f"{self._files.path}: damaged again and again ({error}); mended again within a minute; see what "
                    "else writes to it, and `dmesg` for the disk"
                )
            if is_other_than_known(error):
                try:
                    self._resync(str(error))
                except FILE_ERRORS as found:
                    if not is_damage(found):
                        raise unavailable(self._files.path, found) from None
                else:
                    self._pacing.did()
                    return
            self._mend(str(error))
            self._pacing.did()

    def _mend(self, why: str) -> None:
        with self._writing, self._reading:
            state = self._files.mend(self._current(), why)
            self._go_on(state, state if follows(state) else next_boot(state))

    def _resync(self, why: str) -> None:
        """Open the file anew, and go on in it as a new boot. Raises FILE_ERRORS."""
        with self._writing, self._reading:
            self._go_on(*reopened(self._files, self._current(), why))

    def _go_on(self, saved: OutboxState, state: OutboxState) -> None:
        """With the state of a file that was opened anew."""
        self._saved, self._state, self.boot = saved, state, state.boot
        self._room.configure(self._files.writer)

    def _check_open(self) -> None:
        if self._closed:
            raise OutboxUnavailableError(f"{self._files.path}: the outbox was closed")
