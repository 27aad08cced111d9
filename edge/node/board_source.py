"""Where a procedure (calibrate, teach) gets one board's samples from: the hardware while the node isn't running, or a
recording. `edge.node.simulated_installer` has the one without hardware.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from calibration.prompts import Prompt
from drivers.contract import LoadCellDriver
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.config.state_folder import state_folder
from edge.config.wording import close_match
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.mcu_facts import mcu_facts, sensor_mv
from edge.node.state_lock import NodeRunsError, StateLock
from edge.trace.reader import TraceReader
from firmware_bridge.errors import ShelfedgeError


class BoardSourceError(ShelfedgeError, OSError):
    """A board's samples can't be had. Examples: the node is running, there is no such board, its port is in use."""


class UnknownBoardError(ShelfedgeError, LookupError):
    """The node has no such board: wrong usage, whichever option or argument named it."""

    exit_code = 2


class Hold(Protocol):
    """Keeps everybody else off a node's boards until it is released."""

    def release(self) -> None:
        """Let others have them."""


class _FileHold:
    """Of the node file itself, where there is no state folder yet: two commands at one board keep off each other."""

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError where another one has it."""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """As `Hold` says."""
        os.close(self._file)


class RunClock(Protocol):
    """Time for a procedure: the machine's, or told."""

    def __call__(self) -> int:
        """Monotonic nanoseconds."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class MachineClock:
    """The machine's own."""

    def __call__(self) -> int:
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class TraceClock:
    """Nothing is waited for: the time is that of the newest sample read."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        """The recording goes on by itself."""


class BoardSource(Protocol):
    """Samples of the board that a procedure is about, and of others that may have been swapped with it."""

    @property
    def clock(self) -> RunClock:
        """The time that its samples are given in."""

    @property
    def firmware(self) -> str:
        """What the board's converters are read by; empty where nobody knows."""

    def read(self, now_ns: int) -> list[SampleBlock]:
        """What came since the last call. Raises DriverError when the hardware is gone for good."""

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        """What the person is told; real ones read it on the screen."""

    @property
    def over(self) -> bool:
        """Nothing more will come."""

    def close(self) -> None:
        """Let go of everything. Calling it twice does no harm."""


def check_board(setup: Setup, board: str, node_path: Path) -> None:
    """Raises UnknownBoardError for a board that the node doesn't have, with those that it has."""
    if board in setup.node.boards:
        return
    guess = close_match(board, setup.node.boards)
    hint = f"did you mean '{guess}'?" if guess else f"it has {', '.join(setup.node.boards) or 'none'}"
    raise UnknownBoardError(f"{node_path} has no board '{board}'; {hint}")


def check_calibrated_thing(setup: Setup, name: str, node_path: Path) -> None:
    """As `check_board`, for what has calibration records: boards and cameras."""
    known = [*setup.node.boards, *setup.node.cameras]
    if name in known:
        return
    guess = close_match(name, known)
    hint = f"did you mean '{guess}'?" if guess else f"it has {', '.join(known)}"
    raise UnknownBoardError(f"{node_path} has no board or camera '{name}'; {hint}")


def hold_node(node_path: Path, setup: Setup) -> Hold | None:
    """Keep the node from being started meanwhile, and other commands off its boards; where it has no state folder, so
    never ran, only the latter. None where its file can't be locked.

    Raises BoardSourceError when it runs, another command has its boards, or its folder can't be looked into.
    """
    folder = state_folder(node_path, setup.node)
    try:
        return StateLock(folder)
    except NodeRunsError:
        raise BoardSourceError(
            f"the node {setup.node.node} is running (or another command has its boards), and they are read by one "
            "program at a time; stop it with `sudo systemctl stop shelfedge` (or Ctrl-C where it runs), and start it "
            "again afterwards"
        ) from None
    except FileNotFoundError:
        return _held_file(node_path, setup)
    except OSError as error:
        raise BoardSourceError(
            f"{folder}: can't tell whether the node runs ({error.strerror}); use sudo, or be the node's user"
        ) from None


def _held_file(node_path: Path, setup: Setup) -> Hold | None:
    try:
        return _FileHold(node_path)
    except BlockingIOError:
        raise BoardSourceError(
            f"another command has the boards of {setup.node.node}, and they are read by one program at a time; wait "
            "until it is done, or stop it with Ctrl-C where it runs"
        ) from None
    except OSError:
        return None


class HardwareSource:
    """The board's own driver, opened at once; the node's other boards as far as they answer."""

    over = False

    def __init__(self, setup: Setup, node_path: Path, board: str, clock: RunClock) -> None:
        """Raises BoardSourceError when the node runs; DriverError when the board's hardware can't be opened."""
        self.clock = clock
        check_board(setup, board, node_path)
        logging.getLogger("shelfedge").addHandler(
            logging.NullHandler()
        )  # other boards' troubles aren't the matter here
        self._lock = hold_node(node_path, setup)
        self._driver: LoadCellDriver | None = None
        self._others: Boards | None = None
        try:
            hardware = Hardware(setup, node_path, 0, clock)
            self._driver = hardware.make(board)
            self._driver.start()
            others = {name: other for name, other in setup.node.boards.items() if name != board}
            self._others = Boards(others, hardware.make, clock) if others else None
        except BaseException:
            self.close()
            raise

    @property
    def firmware(self) -> str:
        """Of the shelf MCU; empty without one."""
        facts = None if self._driver is None else mcu_facts(self._driver)
        return "" if facts is None else f"{facts['firmware']} ({facts['board']} {facts['serial']})"

    @property
    def sensor_mv(self) -> int | None:
        """Of the thermometer at the shelf MCU; None where there is none."""
        return None if self._driver is None else sensor_mv(self._driver)

    def read(self, now_ns: int) -> list[SampleBlock]:
        """As `BoardSource` says."""
        assert self._driver is not None
        blocks = [self._driver.read(now_ns)]
        self._driver.take_notices()
        if self._others is not None:
            blocks += self._others.read(now_ns)[0]
        return [block for block in blocks if len(block)]

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        """The person reads it on the screen."""

    def close(self) -> None:
        """As `BoardSource` says."""
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):
                driver.stop()
        if self._others is not None:
            self._others.stop()
            self._others = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


class TraceSource:
    """One board out of a recording, as fast as it is asked for.

    Attributes:
        setup: as given, with the recording's own calibration for boards that have none.

    Raises TraceError, TraceFileError for a file that is no trace.
    """

    firmware = ""

    def __init__(self, path: Path, setup: Setup, board: str) -> None:
        self.clock = TraceClock()
        self._reader = TraceReader(path, setup)
        self._blocks = self._of_board(board)
        self.setup = self._reader.require_setup()
        self.over = False

    def read(self, now_ns: int) -> list[SampleBlock]:
        """The next stretch of the recording, whatever the time is."""
        blocks = next(self._blocks, None)
        if blocks is None:
            self.over = True
            return []
        self.clock.now_ns = max(int(block.time_ns[-1]) for block in blocks)
        return blocks

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        """Nobody listens any more."""

    def raise_losses(self) -> None:
        """Raises TraceDamagedError listing what of the recording was lost, if anything was; the rest was read."""
        self._reader.raise_losses()

    def close(self) -> None:
        """As `BoardSource` says."""
        self._reader.close()

    def _of_board(self, board: str) -> Iterator[list[SampleBlock]]:
        for epoch in self._reader.epochs():
            mine = [block for block in epoch if block.board == board]
            if mine:
                yield mine
