"""From readings made in threads to blocks with final flags: the part that all drivers that read chips here share."""

from __future__ import annotations

import functools
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

import numpy as np

from drivers.errors import DriverError
from drivers.host_time import HostTime, Worker
from drivers.hx711.examiner import Examiner
from drivers.hx711.readings import Reading
from drivers.notices import Notice
from drivers.samples import SampleBlock

KEPT_S = 60.0  # of readings, when nobody reads the driver; older ones are dropped and counted
_MOST_NOTICES = 1000
_STOP_S = 4.0  # a kernel driver's read takes 2 s to give up


class BoardSampler:
    """Runs reading loops, keeps what they read, and gives it judged and in order.

    Args:
        cells: names in the board's order.
        kind: the driver's name in the node file, for errors.
    """

    def __init__(self, board: str, cells: Sequence[str], rate_hz: float, kind: str, time: HostTime) -> None:
        self.board = board
        self.cells = tuple(cells)
        self.rate_hz = rate_hz
        self.kind = kind
        self.time = time
        self._examiner = Examiner(len(self.cells), rate_hz, board=board, names=self.cells)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._workers: list[Worker] = []
        self._state = "new"
        self._readings: deque[Reading] = deque()
        self._most = max(1, round(KEPT_S * rate_hz * len(self.cells)))
        self._judged: deque[Reading] = deque()
        self._last_ns: int | None = None
        self._notices: deque[Notice] = deque(maxlen=_MOST_NOTICES)
        self._dropped = [0] * len(self.cells)
        self._dropped_since: list[tuple[int, int]] = [(0, 0)] * len(self.cells)
        self._failure: Exception | None = None

    @property
    def counts(self) -> list[Counter[str]]:
        """For each cell, how often what was found in its readings, by cause; see `drivers.hx711.verdicts.CAUSES`."""
        return self._examiner.counts

    def claim(self) -> None:
        """To be called first in a driver's `start`. Raises DriverError when it was started before."""
        if self._state != "new":
            raise DriverError(f"{self.board}: a {self.kind} driver is started once; make a new one")
        self._state = "started"

    def run(self, loops: Sequence[Callable[[threading.Event], None]]) -> None:
        """Each loop in a thread of its own, until `stop`."""
        for number, loop in enumerate(loops):
            name = f"{self.kind}-{self.board}-{number}"
            self._workers.append(self.time.spawn(name, functools.partial(self._run, loop)))

    def push(self, reading: Reading) -> None:
        """From a loop: one reading. The oldest is dropped and counted when nobody has read for `KEPT_S`."""
        with self._lock:
            self._readings.append(reading)
            if len(self._readings) > self._most:
                lost = self._readings.popleft()
                begin_ns = self._dropped_since[lost.cell][0] if self._dropped[lost.cell] else lost.edge_ns
                self._dropped_since[lost.cell] = (begin_ns, lost.edge_ns)
                self._dropped[lost.cell] += 1 + lost.missed

    def clock_jumped(self) -> None:
        """Between the last reading pushed and the next one, the clock that stamps them jumped."""
        with self._lock:
            self._hand_over()
            self._examiner.clock_jumped()

    def note(self, notice: Notice) -> None:
        """From a loop: one happening."""
        with self._lock:
            self._notices.append(notice)

    def read(self, until_ns: int) -> SampleBlock:
        """As `drivers.contract.LoadCellDriver.read`."""
        if self._state == "new":
            raise DriverError(f"{self.board}: start the {self.kind} driver before reading it")
        if self._state == "stopped":
            return SampleBlock.empty(self.board)
        with self._lock:
            self._judge()
            if self._failure is not None:
                self._judged.extend(self._examiner.flush())
                if not self._judged:
                    raise self._failure
            ready = []
            while self._judged and self._judged[0].edge_ns < until_ns:
                ready.append(self._judged.popleft())
        return _block(self.board, ready)

    def take_notices(self) -> list[Notice]:
        """As `drivers.contract.LoadCellDriver.take_notices`."""
        with self._lock:
            found = sorted([*self._notices, *self._examiner.take_notices()], key=lambda notice: notice.begin_ns)
            self._notices.clear()
        return found

    def stop(self) -> None:
        """Stop the loops and wait for them; afterwards `read` gives nothing."""
        self._state = "stopped"
        self._stop.set()
        for worker in self._workers:
            worker.join(_STOP_S)
        self._workers.clear()
        with self._lock:
            self._readings.clear()
            self._judged.clear()

    def _run(self, loop: Callable[[threading.Event], None]) -> None:
        try:
            loop(self._stop)
        except Exception as error:  # noqa: BLE001  # whatever it is, `read` must tell it: this thread has nobody to
            if self._stop.is_set():
                return
            failure: Exception = error
            if not isinstance(failure, DriverError):
                failure = DriverError(
                    f"{self.board}: the {self.kind} driver can't go on: {error or type(error).__name__}; check the "
                    f"wiring, then restart"
                )
                failure.__cause__ = error
            with self._lock:
                self._failure = failure

    def _judge(self) -> None:
        for cell, lost in enumerate(self._dropped):
            if lost:
                self._tell_dropped(cell, lost)
        self._hand_over()
        self._judged.extend(self._examiner.take(self.time.now_ns()))

    def _hand_over(self) -> None:
        while self._readings:
            reading = self._readings.popleft()
            reading.missed += self._dropped[reading.cell]
            self._dropped[reading.cell] = 0
            self._examiner.push(reading)

    def _tell_dropped(self, cell: int, lost: int) -> None:
        begin_ns, end_ns = self._dropped_since[cell]
        self._notices.append(
            Notice(
                self.board, self.cells[cell], "not read in time", begin_ns, end_ns, lost,
                f"{self.board} {self.cells[cell]}: {lost} samples were dropped because nobody read the driver for over "
                f"{KEPT_S:.0f} s; the program was held up: check load and disk of this node",
            )
        )  # fmt: skip


def _block(board: str, readings: Sequence[Reading]) -> SampleBlock:
    return SampleBlock(
        board,
        np.array([r.edge_ns for r in readings], np.int64),
        np.array([r.cell for r in readings], np.uint8),
        np.array([r.counts for r in readings], np.int32),
        np.array([r.flags for r in readings], np.uint16),
    )
