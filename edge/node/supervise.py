"""The parts of a node beside its fusion: started in order, started again when they fail, given up at last.

All of it runs in one thread of its own with less claim to the CPU, and so do the threads that the parts start: on Linux
a thread inherits its maker's. Fusion's thread never waits for any of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from firmware_bridge.errors import ShelfedgeError

log = logging.getLogger("shelfedge.supervisor")

MOST_RESTARTS = 5
WITHIN_S = 60.0
FIRST_WAIT_S = 1.0  # before a restart; doubled each time
AGAIN_S = 600.0
"""A part that was given up is tried so often, in case what it lacked has come back; a node runs for years."""
LOOK_EVERY_S, READY_EVERY_S = 1.0, 0.05
NICENESS = 5
Made = TypeVar("Made")


@dataclass(slots=True)
class Part:
    """Something that runs beside fusion.

    Attributes:
        start: begins, and waits for nothing that may take long. Raises what it likes: that is a failure.
        stop: ends, within a few seconds.
        alive: whether it still runs.
        tick: called about once a second while it runs. What it raises is a failure too.
        ready: whether it can be started yet; until then it is waited for.
    """

    name: str
    start: Callable[[], None]
    stop: Callable[[], None]
    alive: Callable[[], bool] = lambda: True
    tick: Callable[[], None] = lambda: None
    ready: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Running:
    part: Part
    up: bool = False
    restarts: int = 0
    given_up: bool = False
    text: str = ""
    wait_s: float = FIRST_WAIT_S
    again_ns: int = 0
    failed_ns: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_RESTARTS + 1))


class Periodic:
    """Work that is done every so often, in a thread of its own; what it raises is logged and ends the thread."""

    def __init__(self, name: str, every_s: float, work: Callable[[], None]) -> None:
        self._name = name
        self._every_s = every_s
        self._work = work
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with a pause."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name=self._name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """End it; waits no longer than 2 s for work that is being done."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(self._every_s):
                self._work()
        except Exception:
            log.exception("%s failed", self._name)


class Supervisor:
    """Looks after parts; see the module.

    Args:
        parts: in the order in which they start; they stop the other way round.
        clock: monotonic nanoseconds.
    """

    def __init__(self, parts: Sequence[Part], clock: Callable[[], int]) -> None:
        self._parts = [_Running(part) for part in parts]
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin; the parts start in the background."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop all parts, in their order. What hasn't ended by then is left to the end of the process."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def report(self) -> dict[str, dict[str, Any]]:
        """For health, by part."""
        return {
            each.part.name: {"restarts": each.restarts, "given_up": each.given_up, "text": each.text}
            for each in self._parts
        }

    def look(self) -> None:
        """Start what isn't up and is due; let what is up do its work."""
        for each in self._parts:
            if each.up and not self._works(each):
                self._end(each)
            due = not each.up and not self._stop.is_set() and self._clock() >= each.again_ns
            if due and each.part.ready():
                self._begin(each)

    def end(self) -> None:
        """Stop all parts, the last first."""
        for each in reversed(self._parts):
            if each.up:
                self._end(each)

    def _run(self) -> None:
        give_way()
        while not self._stop.is_set():
            self.look()
            waited_for = any(not each.up and not each.failed_ns for each in self._parts)
            self._stop.wait(READY_EVERY_S if waited_for else LOOK_EVERY_S)
        self.end()

    def _begin(self, each: _Running) -> None:
        try:
            each.part.start()
        except Exception as error:  # noqa: BLE001  # a part that can't start must not take the others with it
            self._failed(each, error)
            with contextlib.suppress(Exception):
                each.part.stop()
            return
        if each.failed_ns:
            log.info("%s runs again", each.part.name)
        each.up, each.given_up, each.text = True, False, ""

    def _works(self, each: _Running) -> bool:
        try:
            if not each.part.alive():
                raise RuntimeError("it has ended by itself")
            each.part.tick()
        except Exception as error:  # noqa: BLE001  # as in `_begin`
            self._failed(each, error)
            return False
        return True

    def _end(self, each: _Running) -> None:
        each.up = False
        try:
            each.part.stop()
        except Exception:
            log.exception("%s didn't stop as it should", each.part.name)

    def _failed(self, each: _Running, error: Exception) -> None:
        known = isinstance(error, (ShelfedgeError, OSError))
        now_ns = self._clock()
        each.text = str(error) or type(error).__name__
        each.failed_ns.append(now_ns)
        often = len(each.failed_ns) > MOST_RESTARTS and now_ns - each.failed_ns[0] <= WITHIN_S * 1e9
        said = each.given_up
        each.given_up = often or said
        if not often and len(each.failed_ns) > 1 and now_ns - each.failed_ns[-2] > WITHIN_S * 1e9:
            each.wait_s = FIRST_WAIT_S
        wait_s, each.wait_s = (AGAIN_S, FIRST_WAIT_S) if each.given_up else (each.wait_s, 2 * each.wait_s)
        each.again_ns = now_ns + round(wait_s * 1e9)
        trace = None if known else error
        if not each.given_up:
            each.restarts += 1
            log.error("%s failed and is started again: %s", each.part.name, each.text, exc_info=trace)
        elif not said:
            log.error(
                "%s: %s; given up after %d restarts within %.0f s, the rest of the node goes on", each.part.name,
                each.text, MOST_RESTARTS, WITHIN_S, exc_info=trace,
            )  # fmt: skip


def made_beside(make: Callable[[], Made]) -> Made:
    """Make something whose threads shall have less claim to the CPU than the caller's. Raises what ``make`` raises."""
    found: list[Made] = []
    failed: list[Exception] = []

    def work() -> None:
        give_way()
        try:
            found.append(make())
        except Exception as error:  # noqa: BLE001  # it is raised below
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def give_way() -> None:
    """Leave the CPU to fusion where both want it: from now on this thread, and those it starts, have less claim."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
