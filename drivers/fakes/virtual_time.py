"""A machine whose time passes only by what is done on it: threads, waiting and a clock without a wall clock."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable

from drivers.host_time import Worker

_PATIENCE_S = 30.0  # of real time, for what takes milliseconds: only a thread that hangs gets there


class VirtualTime:
    """Keeps `drivers.host_time.HostTime`. One thread runs at a time; time moves when all wait, or by `spend`.

    `run_until` lets the threads work up to a moment; what they do depends on nothing but that.
    """

    def __init__(self, now_ns: int = 1_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._changed = threading.Condition()
        self._running = 0
        self._waiting: list[tuple[int, int]] = []  # (when, ticket)
        self._granted: set[int] = set()
        self._tickets = 0

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._now_ns

    def spend(self, ns: int) -> None:
        """An operation that takes that long."""
        self._now_ns += ns

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Sleep. Returns at its time, or later where another thread was busy then, or at once when `stop` is set."""
        with self._changed:
            thread = threading.current_thread()
            wake_ns = self._now_ns + round(seconds * 1e9)
            ticket = self._queue(round(seconds * 1e9))
            self._running -= 1
            self._changed.notify_all()
            while ticket not in self._granted and not stop.is_set():
                if isinstance(thread, _VirtualThread) and thread.given_up:
                    self._now_ns = max(self._now_ns, wake_ns)  # a wait that nothing can cut short, at the very end
                    break
                self._changed.wait(0.005)  # `stop` is a plain event: nobody notifies for it
            if ticket not in self._granted:
                self._forget(ticket)
                self._running += 1
            self._granted.discard(ticket)

    def spawn(self, name: str, work: Callable[[], None]) -> Worker:
        """Run `work` in a thread, from the next `run_until` on."""
        with self._changed:
            ticket = self._queue(0)
        worker = _VirtualThread(self, name, ticket, work)
        worker.start()
        return worker

    def _queue(self, after_ns: int) -> int:
        self._tickets += 1
        heapq.heappush(self._waiting, (self._now_ns + max(0, after_ns), self._tickets))
        return self._tickets

    def _forget(self, ticket: int) -> None:
        self._waiting = [each for each in self._waiting if each[1] != ticket]
        heapq.heapify(self._waiting)

    def run_until(self, until_ns: int) -> None:
        """Let everything happen that happens up to then. Raises TimeoutError when a thread hangs."""
        with self._changed:
            while True:
                if not self._changed.wait_for(lambda: self._running == 0, _PATIENCE_S):
                    raise TimeoutError("a thread on the virtual machine neither waits nor ends")
                if not self._waiting or self._waiting[0][0] > until_ns:
                    break
                at_ns, ticket = heapq.heappop(self._waiting)
                self._now_ns = max(self._now_ns, at_ns)
                self._granted.add(ticket)
                self._running += 1
                self._changed.notify_all()
            self._now_ns = max(self._now_ns, until_ns)


class _VirtualThread(threading.Thread):
    """Waits for its first turn as for any other."""

    def __init__(self, time: VirtualTime, name: str, ticket: int, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._time = time
        self._ticket = ticket
        self._work = work
        self.given_up = False

    def run(self) -> None:
        time = self._time
        with time._changed:
            time._changed.wait_for(lambda: self._ticket in time._granted or self.given_up)
            if self._ticket not in time._granted:
                time._forget(self._ticket)
                return
            time._granted.remove(self._ticket)
        try:
            self._work()
        finally:
            with time._changed:
                time._running -= 1
                time._changed.notify_all()

    def join(self, timeout: float | None = None) -> None:
        """One that never had its turn doesn't get it any more."""
        with self._time._changed:
            self.given_up = True
            self._time._changed.notify_all()
        super().join(timeout)
