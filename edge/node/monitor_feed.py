"""Where `monitor` hears of the boards: at a running node's door, or from their hardware where no node runs.

Both give the same answers, several times a second, from a thread of their own; who shows them never waits for them.
A node that stops is waited for: its hardware is not taken from it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from edge.config.setup import Setup
from edge.config.state_folder import state_folder
from edge.node.board_facts import facts_of
from edge.node.board_source import BoardSourceError
from edge.node.boards import Boards, in_background
from edge.node.control import ControlError, NodeNotRunningError, NodeSilentError, ask, watch
from edge.node.hardware import Hardware
from edge.node.health import HealthCollector
from edge.node.state_lock import NodeRunsError, StateLock
from firmware_bridge.errors import ShelfedgeError

EVERY_S = 0.2
ROUND_S = 0.02  # a bridge wants to be read every 50 ms
AGAIN_S = 1.0
PATIENCE_S = 3.0
EVENTS_AT_FIRST = 8
_KEPT = 128


class Feed(Protocol):
    """Tells of a node's boards.

    Attributes:
        node: its name. source: "node" or "hardware".
        live: it can tell now. text: why it can't, or what else is to be known.
    """

    node: str
    source: str
    live: bool
    text: str

    def news(self) -> list[dict[str, Any]]:
        """What came since the last call, oldest first, at most the last few; never waits.

        Each is what the node's `watch` answers: `facts` (the same object for one run of the node), `now_ns`, `boards`,
        `events`.
        """

    def close(self) -> None:
        """No more news. Calling it twice does no harm."""


def open_feed(node_path: Path, setup: Setup, clock: Callable[[], int] = time.monotonic_ns) -> Feed:
    """The running node's; else the hardware's, and while it is open no node can be started.

    Where the state folder is held by something that doesn't answer (a node that starts, another command that has the
    hardware), a node is waited for. Raises ControlError where the node may not be asked, BoardSourceError where nobody
    can tell whether one runs.
    """
    folder = state_folder(node_path, setup.node)
    try:
        ask(folder, {"do": "who"}, PATIENCE_S)
        return NodeFeed(folder, setup.node.node)
    except NodeSilentError:
        return NodeFeed(folder, setup.node.node)
    except NodeNotRunningError:
        pass
    try:
        lock = StateLock(folder)
    except NodeRunsError:
        return NodeFeed(folder, setup.node.node)
    except FileNotFoundError:
        return HardwareFeed(Hardware(setup, node_path, 1, clock), None, clock)
    except OSError as error:
        raise BoardSourceError(
            f"{folder}: can't tell whether the node runs ({error.strerror}); use sudo, or be the node's user"
        ) from None
    try:
        return HardwareFeed(Hardware(setup, node_path, 1, clock), lock, clock)
    except BaseException:
        lock.release()
        raise


class NodeFeed:
    """As `Feed` says, from a running node; attached again whenever it comes back."""

    source = "node"

    def __init__(self, folder: Path, node: str, again_s: float = AGAIN_S) -> None:
        self.node = node
        self.live = False
        self.text = f"waiting for the node {node}: what holds it doesn't answer yet"
        self._folder = folder
        self._again_s = again_s
        self._news: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def news(self) -> list[dict[str, Any]]:
        """As `Feed` says."""
        return _taken(self._news)

    def close(self) -> None:
        """As `Feed` says. The thread ends with its next answer, or with the process."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._attend()
                self.text = f"the node {self.node} has stopped; waiting until it is started again"
            except NodeNotRunningError:
                if self.live:
                    self.text = f"the node {self.node} has stopped; waiting until it is started again"
            except (ShelfedgeError, OSError) as error:
                self.text = str(error)
            except Exception as error:  # noqa: BLE001  # an answer of another version; told, and tried again
                self.text = f"the node's answer can't be read ({type(error).__name__}: {error}); is it another version?"
            self.live = False
            self._stopping.wait(self._again_s)

    def _attend(self) -> None:
        facts: Any = None
        for answer in watch(self._folder, {"do": "watch", "every_s": EVERY_S, "last": EVENTS_AT_FIRST}, PATIENCE_S):
            if self._stopping.is_set():
                return
            facts = answer.get("facts", facts)
            if facts is None or "now_ns" not in answer:
                raise ControlError(f"the node {self.node} runs an older version; restart it: shelfedge monitor "
                                   "and the node must be of one version")  # fmt: skip
            self._news.append({**answer, "facts": facts})
            self.node, self.live, self.text = facts["node"], True, ""


class HardwareFeed:
    """As `Feed` says, from boards opened for this alone, as a node opens them: one that fails is tried again.

    ``clock``: monotonic nanoseconds. ``threaded`` False: the caller calls `round`, and all happens in there.
    The lock is released by `close`.
    """

    source = "hardware"

    def __init__(
        self,
        hardware: Hardware,
        lock: StateLock | None,
        clock: Callable[[], int] = time.monotonic_ns,
        threaded: bool = True,
    ) -> None:
        logging.getLogger("shelfedge").addHandler(logging.NullHandler())  # what boards complain of is shown
        self.node = hardware.setup.node.node
        self.live = True
        self.text = "; ".join(hardware.problems)
        self._lock = lock
        self._clock = clock
        self._facts = facts_of(hardware.setup)
        self._health = HealthCollector(hardware.setup, clock=clock)
        background = in_background if threaded else _at_once
        self._boards = Boards(hardware.setup.node.boards, hardware.make, clock, background)
        self._news: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._told_ns = clock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    def news(self) -> list[dict[str, Any]]:
        """As `Feed` says."""
        return _taken(self._news)

    def round(self) -> None:
        """Read what the boards have; now and then make news of it."""
        now_ns = self._clock()
        blocks, until_ns = self._boards.read(now_ns)
        self._health.saw(blocks, until_ns)
        if now_ns - self._told_ns < round(EVERY_S * 1e9):
            return
        self._told_ns = now_ns
        for board, state in self._boards.states.items():
            self._health.board_is(board, state.state, state.text)
        self._news.append({"facts": self._facts, **self._health.levels(), "events": []})

    def close(self) -> None:
        """As `Feed` says; lets go of the hardware, and a node may be started again."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2.0)
        self._boards.stop()
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._lock.release()
            self._lock = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.round()
            except Exception as error:  # noqa: BLE001  # said on the screen, not lost with the thread
                self.live, self.text = False, f"reading the boards failed ({type(error).__name__}: {error})"
            time.sleep(ROUND_S)


def _at_once(work: Callable[[], None]) -> None:
    work()


def _taken(news: deque[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of it, oldest first, while another thread adds to it."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            found.append(news.popleft())
        except IndexError:
            return found
