"""How the node is: fed by its loop at almost no cost, told as one JSON-able report with what a technician should do."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from calibration.record import calibration_to_json
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.node.board_health import FAILED, RUNNING, BoardHealth
from edge.node.health_problems import problems_of
from edge.stream.jsonl import event_to_object
from edge.trace.event import Event, Status

NS_PER_S = 1_000_000_000
SHORTEST_WINDOW_S = 60.0
MOST_LOOPS = 1 << 15
STOOD_STILL_NS = 3 * NS_PER_S
"""A round of the loop that begins so late wasn't only held up: the process was stopped, or starved."""
LAST_EVENTS = 32
TOLD_STATES = (FAILED, "starting", "stopped")


class HealthCollector:
    """Safe to be fed by one thread and asked by others; who asks waits for no disk in here, and holds up nobody.

    Nothing is reset by asking: counts are since the start, rates and lateness are of the last `window_s`. So the
    minute's report, the metrics page and the control socket may ask whenever they like.

    Args:
        setup: the boards, their calibration, how often a report is due.
        host: gives facts about the machine (`edge.node.host_facts.HostFacts.read`); may be slow, so don't call
            `report` in the fusion loop.
        clock: monotonic nanoseconds, the clock of the samples.
    Attributes:
        window_s: a minute, or the time between two reports where that is longer.
    """

    def __init__(
        self,
        setup: Setup,
        host: Callable[[], Mapping[str, Any]] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.window_s = max(SHORTEST_WINDOW_S, setup.node.health.every_s)
        self._setup = setup
        self._host = host
        self._clock = clock
        self._started_ns = clock()
        self._lock = threading.Lock()
        self._boards = {
            board: BoardHealth(board, options, setup.calibration.get(board), self.window_s, n / len(setup.node.boards))
            for n, (board, options) in enumerate(setup.node.boards.items())
        }
        self._digests = {
            board: hashlib.sha256(calibration_to_json({board: record}).encode()).hexdigest()[:12]
            for board, record in setup.calibration.items()
        }
        self._late_ns = np.zeros(MOST_LOOPS, np.int64)
        self._loop_ns = np.zeros(MOST_LOOPS, np.int64)
        self._loops = 0
        self._latest_ever_ns = 0
        self._running_since_ns: int | None = None
        # How often it stood still; the last time: when it was over, for how long. One value, so that it is read whole.
        self._still = (0, 0, 0)
        self._statuses: Counter[Status] = Counter()
        self._reviews = 0
        self._last_events: deque[tuple[int, Event]] = deque(maxlen=LAST_EVENTS)
        self._events = 0

    def saw(self, blocks: Iterable[SampleBlock], until_ns: int) -> None:
        """Samples that go to fusion now; all cells have been heard until ``until_ns``."""
        with self._lock:
            for block in blocks:
                self._boards[block.board].take(block)

    def noticed(self, notices: Iterable[Notice]) -> None:
        """What the drivers told of."""
        with self._lock:
            for notice in notices:
                board = self._boards.get(notice.board)
                if board is not None:
                    board.noticed(notice)

    def too_late(self, board: str, samples: int) -> None:
        """Samples of a board that came and couldn't go to fusion, most because it had gone on without them."""
        with self._lock:
            self._boards[board].refused += samples

    def board_is(self, board: str, state: str, text: str = "", mcu: Mapping[str, Any] | None = None) -> None:
        """What its driver is: ``state`` 'failed' with its own words, 'starting', 'stopped', or anything else: it runs.

        ``mcu`` as `edge.node.mcu_facts` says; None is: nothing new.
        """
        with self._lock:
            found = self._boards[board]
            found.driver_state, found.text = state if state in TOLD_STATES else RUNNING, text
            if mcu is not None:
                found.mcu = mcu

    def looped(self, late_ns: int) -> None:
        """One round of the loop is over; it began ``late_ns`` after it was due."""
        at, now_ns = self._loops % MOST_LOOPS, self._clock()
        if self._running_since_ns is None:
            self._running_since_ns = now_ns
        self._late_ns[at], self._loop_ns[at] = late_ns, now_ns
        self._loops += 1
        if late_ns >= STOOD_STILL_NS:
            self._still = (self._still[0] + 1, now_ns, late_ns)
        self._latest_ever_ns = max(self._latest_ever_ns, late_ns)

    def decided(self, events: Iterable[Event]) -> None:
        """Events as fusion gave them, every revision."""
        with self._lock:
            for event in events:
                self._statuses[event.status] += 1
                self._reviews += event.status is Status.FINAL and event.needs_review
                self._events += 1
                self._last_events.append((self._events, event))

    def report(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Everything, JSON-able. ``extra`` is what other parts say of themselves, and stands in the report as it is.

        Known in ``extra``, all optional: `boot`, `clock` {quality, jumps, last_jump_ms}, `outbox` {pending, kept,
        bytes, size_bytes, oldest_pending_s, queue, overflowed, dropped_total, damaged_total, problem}, `uplink` {state,
        since_s, problem, sent, connects}, `ring` {bytes, dropped_samples, trouble}, `parts` {name:
        {restarts, given_up, text}}.
        """
        now_ns = self._clock()
        up_s = max(0.0, (now_ns - self._started_ns) / NS_PER_S)
        window_s = min(self.window_s, up_s)
        since_ns = now_ns - round(window_s * NS_PER_S)
        running_since_ns = self._running_since_ns
        boards = {}
        for name, board in self._boards.items():
            with self._lock:
                board.digest(now_ns)
                boards[name] = board.report(now_ns, since_ns)
            boards[name]["calibration_digest"] = self._digests.get(name)
        report: dict[str, Any] = {
            "node": self._setup.node.node,
            "store": self._setup.node.store,
            "up_s": round(up_s, 1),
            "running_s": 0.0 if running_since_ns is None else round((now_ns - running_since_ns) / NS_PER_S, 1),
            "window_s": round(window_s, 1),
            "boards": boards,
            "loop": self._loop(now_ns, since_ns),
            "events": self._event_counts(),
            "host": dict(self._host()) if self._host is not None else {},
            **(extra or {}),
        }
        report["problems"] = problems_of(report)
        return report

    def levels(self) -> dict[str, Any]:
        """What the scales say at this moment: per board and cell level, rate and noise; and when that is."""
        now_ns = self._clock()
        since_ns = now_ns - round(self.window_s * NS_PER_S)
        found = {}
        for name, board in self._boards.items():
            with self._lock:
                found[name] = board.levels(now_ns, since_ns)
        return {"now_ns": now_ns, "boards": found}

    def events_after(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """The events after the ``number``-th, of the last few; with the number to ask with the next time."""
        with self._lock:
            found = [event for n, event in self._last_events if n > number]
            return self._events, [event_to_object(event) for event in found]

    def _loop(self, now_ns: int, since_ns: int) -> dict[str, Any]:
        times, over_ns, lasted_ns = self._still
        late_ms = self._late_ns[(self._loop_ns >= since_ns) & (self._loop_ns > 0)] / 1e6
        p50, p99, most = np.percentile(late_ms, (50, 99, 100)) if late_ms.size else (None, None, None)
        return {
            "rounds": self._loops,
            "late_p50_ms": None if p50 is None else round(float(p50), 2),
            "late_p99_ms": None if p99 is None else round(float(p99), 2),
            "late_max_ms": None if most is None else round(float(most), 2),
            "late_max_ever_ms": round(self._latest_ever_ns / 1e6, 2),
            "stood_still": {
                "times": times,
                "last_s": round(lasted_ns / NS_PER_S, 1) if times else None,
                "last_ago_s": round((now_ns - over_ns) / NS_PER_S, 1) if times else None,
            },
        }

    def _event_counts(self) -> dict[str, Any]:
        with self._lock:
            counts = {str(status): self._statuses[status] for status in Status}
            finals, reviews = self._statuses[Status.FINAL], self._reviews
        return {**counts, "for_review": reviews, "review_share": round(reviews / finals, 4) if finals else None}
