"""All boards of a node: their drivers are started, read, and brought back when they fail; none holds up another."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.contract import LoadCellDriver
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.schema import Board
from edge.node.gate import Gate, Refused
from edge.node.mcu_facts import mcu_facts
from edge.node.notice_log import NoticeLog
from firmware_bridge.errors import ShelfedgeError

log = logging.getLogger("shelfedge.boards")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two attempts to start a driver; doubled each time. Never given up: hardware may come back tomorrow."""
GOOD_FOR_S = 60.0  # a driver that has read for so long begins with the first wait again when it fails
NOTICES_EVERY_NS = 500_000_000
_STOP_S = 5.0  # a kernel driver's read takes up to 4 s to give up


@dataclass(slots=True)
class BoardState:
    """How a board's driver does, for health.

    Attributes:
        state: starting; silent: started, but no sample yet; running; failed: it will be tried again; stopped.
        text: why it failed last, for a technician; empty while all is well.
        starts: attempts so far. failures: how often it failed.
        notices: how often its driver told of what, by cause; samples_lost: by cause.
    """

    state: str = "starting"
    text: str = ""
    starts: int = 0
    failures: int = 0
    notices: dict[str, int] = field(default_factory=dict)
    samples_lost: dict[str, int] = field(default_factory=dict)


Make = Callable[[str], LoadCellDriver]
"""Makes a driver for the board of that name. May raise what `build_driver` does."""


def in_background(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread of its own that keeps nobody from leaving."""
    threading.Thread(target=work, name="driver-start", daemon=True).start()


class Boards:
    """Drivers of all boards behind one `Gate`.

    `read` is called often, by the thread that fusion runs in. Starting and stopping, which may take seconds, happen in
    the background.

    Args:
        boards: as the node file has them. make: the drivers.
        clock: monotonic nanoseconds. background: runs what may take long.
        on_notice: told of each notice, after it was counted.
    """

    def __init__(
        self,
        boards: Mapping[str, Board],
        make: Make,
        clock: Callable[[], int],
        background: Callable[[Callable[[], None]], None] = in_background,
        on_notice: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        self.gate = Gate({name: (len(board.cells), board.rate_hz) for name, board in boards.items()})
        self._on_notice = on_notice
        self._runners = {name: _Runner(name, make, clock, background) for name in boards}
        self._asked_ns = 0
        self._notice_log = NoticeLog(log)

    @property
    def states(self) -> dict[str, BoardState]:
        """By board; changed by `read`."""
        return {name: runner.state for name, runner in self._runners.items()}

    def mcu(self, board: str) -> dict[str, Any] | None:
        """What is known of the shelf MCU that a board hangs on; None without one. From any thread."""
        driver = self._runners[board].driver
        return None if driver is None else mcu_facts(driver)

    @property
    def refused(self) -> dict[str, Refused]:
        """What didn't pass the gate, by board."""
        return {name: gate.refused for name, gate in self.gate.boards.items()}

    def read(self, now_ns: int) -> tuple[list[SampleBlock], int]:
        """What has come in, and the time before which all has; see `Gate`. Never raises."""
        came = []
        for name, runner in self._runners.items():
            block = runner.read(now_ns)
            if runner.started_ns is not None:
                self.gate.boards[name].started_ns = runner.started_ns
            if len(block):
                came.append(block)
        if now_ns - self._asked_ns >= NOTICES_EVERY_NS:
            self._asked_ns = now_ns
            self._hear_notices(now_ns)
        return self.gate.passed(came, now_ns), self.gate.advance(now_ns)

    def read_last(self, now_ns: int) -> tuple[list[SampleBlock], int]:
        """What the drivers still have, before `stop`; nothing is waited for any more."""
        blocks, _ = self.read(now_ns)
        newest = [gate.newest_ns for gate in self.gate.boards.values()]
        self.gate.until_ns = max([self.gate.until_ns, *newest])
        return blocks, self.gate.until_ns

    def stop(self) -> None:
        """Stop all drivers, at once; those that don't within a few seconds are left to the end of the process."""
        stopping = [threading.Thread(target=runner.stop, daemon=True) for runner in self._runners.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join(_STOP_S)

    def _hear_notices(self, now_ns: int) -> None:
        for runner in self._runners.values():
            for notice in runner.take_notices():
                causes, lost = runner.state.notices, runner.state.samples_lost
                causes[notice.cause] = causes.get(notice.cause, 0) + 1
                lost[notice.cause] = lost.get(notice.cause, 0) + notice.samples_lost
                self._notice_log.tell(notice, now_ns)
                self._on_notice(notice)


class _Runner:
    """One board's driver, made and started again when it fails."""

    def __init__(
        self, board: str, make: Make, clock: Callable[[], int], background: Callable[[Callable[[], None]], None]
    ) -> None:
        self.board = board
        self.state = BoardState()
        self.started_ns: int | None = None
        self._make = make
        self._clock = clock
        self._background = background
        self.driver: LoadCellDriver | None = None
        self._came_up: LoadCellDriver | Exception | None = None  # what an attempt came to; written by its thread
        self._begun_ns = 0  # when it was last started: none of its samples is older
        self._busy = False
        self._again_ns: int | None = None
        self._wait_s = FIRST_WAIT_S
        self._stopped = False
        self._lock = threading.Lock()
        self._said = ""

    def read(self, now_ns: int) -> SampleBlock:
        """What the driver has; empty while there is none. Never raises, never waits."""
        driver = self.driver or self._brought_up(now_ns)
        if driver is None or self._stopped:
            return SampleBlock.empty(self.board)
        try:
            block = driver.read(now_ns)
        except Exception as error:  # noqa: BLE001  # whatever a driver has, the other boards must go on
            self._fail(error, now_ns)
            return SampleBlock.empty(self.board)
        if len(block) and self.state.state != "running":
            self.state.state = "running"
            if self._said:
                log.info("%s: samples come again", self.board)
            self._said = self.state.text = ""
        if self._wait_s > FIRST_WAIT_S and now_ns - (self.started_ns or now_ns) > GOOD_FOR_S * 1e9:
            self._wait_s = FIRST_WAIT_S
        return block

    def take_notices(self) -> list[Notice]:
        """What the driver tells."""
        if self.driver is None:
            return []
        try:
            return self.driver.take_notices()
        except Exception:  # as in `read`
            log.exception("%s: the driver can't tell its notices", self.board)
            return []

    def stop(self) -> None:
        """No more samples; waits for the driver's own end."""
        with self._lock:
            self._stopped = True
            drivers = [self.driver, self._came_up]
        self.state.state = "stopped"
        for driver in drivers:
            if driver is not None and not isinstance(driver, Exception):
                _let_go(driver)

    def _brought_up(self, now_ns: int) -> LoadCellDriver | None:
        if self._busy:
            came, self._came_up = self._came_up, None
            if came is None:
                return None
            self._busy = False
            if isinstance(came, Exception):
                self._fail(came, now_ns)
            else:
                self.driver, self.started_ns = came, self._begun_ns
                self.state.state = "silent"
            return self.driver
        if not self._stopped and (self._again_ns is None or now_ns >= self._again_ns):
            self._busy = True
            self.state.starts += 1
            self._background(self._bring_up)
        return None

    def _bring_up(self) -> None:
        """In the background."""
        came: LoadCellDriver | Exception
        driver = None
        try:
            driver = self._make(self.board)
            self._begun_ns = self._clock()
            driver.start()
            came = driver
        except Exception as error:  # noqa: BLE001  # it is told by the thread that reads
            came = error
            if driver is not None:
                _let_go(driver)
        with self._lock:
            if not self._stopped:
                self._came_up = came
                return
        if not isinstance(came, Exception):
            _let_go(came)

    def _fail(self, error: Exception, now_ns: int) -> None:
        driver, self.driver = self.driver, None
        if driver is not None:
            self._background(lambda: _let_go(driver))
        self.state.state = "failed"
        self.state.failures += 1
        self.state.text = str(error) or type(error).__name__
        self._again_ns = now_ns + round(self._wait_s * 1e9)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        if self.state.text != self._said:
            self._said = self.state.text
            if isinstance(error, (ShelfedgeError, OSError)):
                log.error("%s; it is tried again, the other boards go on", error)
            else:
                log.error("%s: the driver failed; it is started again", self.board, exc_info=error)


def _let_go(driver: LoadCellDriver) -> None:
    with contextlib.suppress(Exception):  # it is given up anyway
        driver.stop()
