"""The thread between deciding and keeping: what it is given is committed as soon as the disk allows, in order.

Giving never waits (P3). Whatever waits becomes one transaction, so that a slow disk makes larger ones, not a longer
queue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from edge.stream.outbox.errors import OutboxFullError, OutboxUnavailableError
from edge.stream.outbox.losses import ENCODE, QUEUE, REFUSED
from edge.stream.outbox.records import Body
from edge.stream.outbox.store import OutboxStore

__all__ = ["Body", "Committer", "CommitterState"]

MOST_WAITING = 50_000
MOST_AT_ONCE = 500
_HOUSEKEEP_S = 1.0
_FIRST_WAIT_S, _MOST_WAIT_S = 0.1, 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitterState:
    """Attributes:
    waiting: entries that aren't committed yet. overflowed: dropped because too many were waiting, since the start.
    problem: why the disk can't be written to at the moment; None when it can.
    """

    waiting: int
    committed: int
    overflowed: int
    problem: str | None


class Committer:
    """Starts its thread at once.

    Args:
        open_store: opens the outbox; called in the thread, again and again until it succeeds.
        opened: called in the thread with the store, once it is open.
        committed: called in the thread after each commit with the seqs.
        most_waiting: entries held in memory while the disk refuses; beyond it new ones are dropped, counted, and told
        by a
            `dropped` note (reason `queue`) once the disk can be written to again.
    """

    def __init__(
        self,
        open_store: Callable[[], OutboxStore],
        *,
        opened: Callable[[OutboxStore], None] | None = None,
        committed: Callable[[list[int]], None] | None = None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._open_store = open_store
        self._opened = opened
        self._committed = committed
        self._most_waiting = most_waiting
        self._waiting: deque[Body] = deque()
        self._overflow = 0  # not told to the store yet
        self._overflowed = 0
        self._count = 0
        self._at_once = MOST_AT_ONCE
        self._problem: str | None = None
        self._stopping = False
        self._busy = False
        self._stop_by_s = 0.0
        self._changed = threading.Condition()
        self.store: OutboxStore | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def give(self, body: Body) -> bool:
        """Hand over an entry; never waits. False: too many are waiting, this one is dropped and counted."""
        with self._changed:
            if self._stopping or len(self._waiting) >= self._most_waiting:
                self._overflow += 1
                self._overflowed += 1
                return False
            self._waiting.append(body)
            self._changed.notify_all()
        return True

    def state(self) -> CommitterState:
        """How it stands."""
        with self._changed:
            return CommitterState(len(self._waiting), self._count, self._overflowed, self._problem)

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Commit what waits and close the store; False where that takes too long: what then waits still is lost."""
        with self._changed:
            self._stopping = True
            self._stop_by_s = time.monotonic() + timeout_s
            self._changed.notify_all()
        self._thread.join(timeout_s + 1.0)
        return not self._thread.is_alive() and not self._waiting

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._may_end():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  whatever the disk, SQLite or an encoder comes up with: go on
                self._trouble(error)
                if self._stopping and self.store is not None:
                    self.store.spend_reserve()
                self._pause(wait_s)
                wait_s = min(2.0 * wait_s, _MOST_WAIT_S)
            else:
                wait_s = _FIRST_WAIT_S
                if self._problem is not None:
                    _LOG.warning("outbox: can be written to again")
                    self._problem = None
        if self.store is not None:
            self._tell_overflow(self.store)
            with self._changed:
                left = len(self._waiting)
            if left:
                self.store.count_dropped(left, QUEUE)  # told by the next start, where not even that can be committed
            self.store.close()

    def _may_end(self) -> bool:
        with self._changed:
            return self._stopping and (not self._waiting or time.monotonic() >= self._stop_by_s)

    def _step(self) -> None:
        """Open the store if it isn't, wait for something to do, do it."""
        if self.store is None:
            self.store = self._open_store()
            if self._opened is not None:
                self._opened(self.store)
        with self._changed:
            if not self._waiting and not self._stopping:
                self._changed.wait(_HOUSEKEEP_S)
            group = list(islice(self._waiting, self._at_once))
            self._busy = bool(group)
        try:
            self._tell_overflow(self.store)
            if group:
                self._commit(self.store, group)
            else:
                self.store.housekeep()
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _commit(self, store: OutboxStore, group: list[Body]) -> None:
        try:
            seqs = store.append(group)
        except OutboxFullError as error:
            if self._problem is None:
                _LOG.warning("outbox: %s", error)
            self._smaller_or_drop(store, group, REFUSED)
            return
        except OutboxUnavailableError:
            self._at_once = max(1, len(group) // 2)  # a disk that is nearly full may take less
            raise
        except Exception:
            # An entry that can't be encoded must not stand in the way of all others for ever.
            if not _all_encode(group):
                self._smaller_or_drop(store, group, ENCODE)
                return
            raise
        self._take(len(group))
        self._at_once = min(MOST_AT_ONCE, 2 * self._at_once)
        if self._committed is not None:
            self._committed(seqs)

    def _smaller_or_drop(self, store: OutboxStore, group: list[Body], reason: str) -> None:
        if len(group) > 1:
            self._at_once = len(group) // 2
            return
        self._take(1, committed=False)
        store.count_dropped(1, reason)

    def _take(self, count: int, *, committed: bool = True) -> None:
        with self._changed:
            for _ in range(count):
                self._waiting.popleft()
            if committed:
                self._count += count

    def _tell_overflow(self, store: OutboxStore) -> None:
        with self._changed:
            count, self._overflow = self._overflow, 0
        if count:
            store.count_dropped(count, QUEUE)

    def _trouble(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text == self._problem:
            return
        if isinstance(error, OutboxUnavailableError):
            _LOG.warning("outbox: %s; events wait in memory", text)
        else:
            _LOG.error("outbox: %s; events wait in memory", text, exc_info=error)
        self._problem = text

    def _pause(self, seconds: float) -> None:
        with self._changed:
            if self._stopping:
                seconds = min(seconds, 0.2, max(0.0, self._stop_by_s - time.monotonic()))
            deadline_s = time.monotonic() + seconds
            while not self._stopping and (left_s := deadline_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
        if self._stopping:
            time.sleep(min(seconds, 0.05))


def _all_encode(group: list[Body]) -> bool:
    for body in group:
        try:
            body.encode(1, 1)
        except Exception:  # noqa: BLE001
            return False
    return True
