"""A node that runs: drivers to fusion to outbox to broker, with everything around them, from start to clean stop.

Order of start: the state folder and its lock, the parts (outbox in its own thread, recording, uplink, health ...), the
kernels, the boards, the loop. A part that is missing or broken costs that part; samples are taken and decided anyway.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.config.state_folder import state_folder
from edge.fusion.engine import Fusion
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.health import HealthCollector
from edge.node.loop import FusionLoop
from edge.node.notify import ServiceManager
from edge.node.outlet import Outlet
from edge.node.parts import NodeParts, package_version
from edge.node.recording import Recording
from edge.node.reload import planogram_digest, reload
from edge.node.state_lock import NodeRunsError, StateLock
from edge.node.stock import CountsInText, Stock, begun_with, carried_over, counts_of
from edge.node.warm_up import warm_up
from edge.stream.wall_clock import WallClock
from edge.trace.event import Event
from edge.trace.sighting import Sighting
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.node.sight import Sight

log = logging.getLogger("shelfedge.node")

OPENING_S = 3.0
"""The outbox may take so long to open before the boards are started without it."""
STOCK_FILE = "stock.json"
STATUS_EVERY_NS = 10 * 10**9
SWITCH_S = 0.001  # so that the loop gets the interpreter back from another thread within a millisecond, not five


class StillStartingError(ShelfedgeError, RuntimeError):
    """The node can't do this yet. Example: a reload is asked for before its boards are started."""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What the command line says.

    Attributes:
        seed: of simulated boards. visit_every_s: how often somebody comes to them.
        seconds: run for so long; None is until a signal.
    """

    seed: int = 1
    visit_every_s: float = 4.0
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Asked:
    """What signals ask for; they may come before there is a `NodeRun`."""

    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    reload: threading.Event = dataclasses.field(default_factory=threading.Event)


class NodeRun:
    """One run of a node. Make it, `run` it; signals set what is `Asked`.

    Args:
        node_path: its node file. setup: what that says.
        clock: monotonic nanoseconds. wall: wall time in nanoseconds. sleep_s: what the loop waits by.
        asked: where signals say what they want.
    Raises:
        NodeRunsError: another process runs this node.
    """

    def __init__(
        self,
        node_path: Path,
        setup: Setup,
        options: RunOptions,
        environ: Mapping[str, str],
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
        sleep_s: Callable[[float], None] = time.sleep,
        asked: Asked | None = None,
    ) -> None:
        self._sleep_s = sleep_s
        self.node_path = node_path
        self.options = options
        self.clock = clock
        self.wall = wall
        self.wall_clock = WallClock(clock, wall)
        self.folder = state_folder(node_path, setup.node)
        self._lock = self._locked()
        self._loaded = setup
        self.digest = planogram_digest(setup)
        self._stock = Stock(self.folder / STOCK_FILE, self.digest, wall)
        counts = self._stock.load() if self._lock is not None else {}
        self._hardware = Hardware(begun_with(setup, counts), node_path, options.seed, clock, options.visit_every_s)
        self.setup = self._hardware.setup
        # The same with the planogram as its file has it: what a reload is compared with.
        self._plain = dataclasses.replace(self.setup, planogram=setup.planogram, planogram_text=setup.planogram_text)
        self.manager = ServiceManager(environ, clock)
        self.parts = NodeParts(self)
        self.outlet = Outlet(self.parts.give, self.wall_clock.stamp, clock)
        self.recording = Recording(self.folder / "ring", self.setup, self.wall_clock.stamp, clock)
        self.sight: Sight | None = None
        if self.setup.node.cameras or self.setup.node.tracks.nodes:
            from edge.node.sight import Sight  # a node that sees nobody pays nothing for those who do

            self.sight = Sight(self.setup, node_path, self._hardware.make_camera, clock, self.recording.record_frames)
        self.health = HealthCollector(self.setup, self.parts.host_facts.read, clock)
        self.boards = Boards(
            self.setup.node.boards, self._hardware.make, clock, on_notice=lambda notice: self.health.noticed([notice])
        )
        self._asked = asked or Asked()
        self._reloading = threading.Lock()
        self._loop: FusionLoop | None = None
        self._ends_ns: int | None = None
        self._code = 0
        self._status_ns = 0
        self._refused: dict[str, int] = {}
        self.event_count = 0
        self.clock_jumps = {"jumps": 0, "last_jump_ms": 0}

    def run(self) -> int:
        """Until a stop is asked for. The exit code: 0, or 1 where fusion failed or another process took the node."""
        sys.setswitchinterval(SWITCH_S)
        try:
            log.info("node %s starts; its state is in %s", self.setup.node.node, self.folder)
            self.parts.start()
            for problem in self._hardware.problems:
                log.error("%s", problem)
            log.debug("kernels ready after %.1f s", warm_up(self._wanted, self.setup.node.follows_people))
            fusion = Fusion(self.setup)
            for board, why in fusion.blind_boards.items():
                log.warning(
                    "board %s can't be weighed with: %s; calibrate it with `shelfedge calibrate %s %s`, or give the "
                    "folder of its record as `calibration:` in the node file", board, why, board, self.node_path,
                )  # fmt: skip
            self.parts.wait_until_open(OPENING_S)
            self.outlet.note("started", {"version": package_version(), "node": self.setup.node.node})
            self.outlet.note("planogram", {"digest": self.digest})
            sightings = list if self.sight is None else self.sight.take
            loop = self._loop = FusionLoop(self.boards, fusion, self, self.clock, self._sleep_s, sightings)
            gc.collect()
            gc.freeze()
            if self.options.seconds is not None:
                self._ends_ns = self.clock() + round(self.options.seconds * 1e9)
            loop.round()
            self.manager.ready(self._status())
            log.info("node %s runs", self.setup.node.node)
            try:
                loop.run(self._wanted)
            except Exception:
                log.exception("fusion failed; the node ends, so that it is started again from a sound state")
                self._code = 1
        finally:
            self.manager.stopping()
            log.info("node %s stops", self.setup.node.node)
            self._end()
        return self._code

    # ---- what the loop tells (edge.node.loop.Sinks)

    def record(self, blocks: Sequence[SampleBlock], sightings: Sequence[Sighting]) -> None:
        """See `Sinks`."""
        self.recording.record(blocks, sightings)

    def saw(self, blocks: Sequence[SampleBlock], until_ns: int) -> None:
        """See `Sinks`."""
        self.health.saw(blocks, until_ns)
        for board, refused in self.boards.refused.items():
            total = refused.total
            if total != self._refused.get(board, 0):
                self.health.too_late(board, total - self._refused.get(board, 0))
                self._refused[board] = total

    def decided(self, events: Sequence[Event]) -> None:
        """See `Sinks`."""
        self.event_count += len(events)
        self.outlet.events(events)
        self.health.decided(events)

    def progressed(self, late_ns: int) -> None:
        """See `Sinks`."""
        self.health.looped(late_ns)
        self.manager.alive()

    # ---- for other threads

    @property
    def camera_doubts(self) -> dict[str, float]:
        """By shelf camera that has told anything: the chance that what it says is noise."""
        boards = [] if self._loop is None else list(self._loop.fusion.boards.values())
        found: dict[str, float] = {}
        with contextlib.suppress(RuntimeError):  # a camera was heard for the first time just now
            for board in boards:
                found |= board.camera_doubts
        return found

    @property
    def sightings_taken(self) -> tuple[int, int]:
        """How many sightings fusion took, and how many came too late for it."""
        return (0, 0) if self._loop is None else (self._loop.sighted, self._loop.sighted_wrong)

    def tick(self) -> None:
        """About once a second, in the supervisor's thread."""
        self._keep_folder()
        self.parts.host_facts.sample()
        change = self.wall_clock.look()
        if change is not None:
            self.clock_jumps = {"jumps": self.clock_jumps["jumps"] + 1, "last_jump_ms": change.jumped_ms}
            log.info("the clock was set by %d ms; it is %s", change.jumped_ms, change.quality.name.lower())
            self.outlet.clock_changed(change)
        for board, state in self.boards.states.items():
            self.health.board_is(board, state.state, state.text, self.boards.mcu(board))
        if self._asked.reload.is_set() and self._loop is not None:
            self._asked.reload.clear()
            with contextlib.suppress(ShelfedgeError):  # it is in the log
                self.reload()
        now_ns = self.clock()
        if now_ns - self._status_ns >= STATUS_EVERY_NS:
            self._status_ns = now_ns
            self.manager.status(self._status())

    def reload(self) -> dict[str, Any]:
        """Read the node's files again and take over what may change. Gives what is done, as the control socket says it.

        Raises ConfigError with every problem (they are in the log too), StillStartingError.
        """
        loop = self._loop
        if loop is None:
            raise StillStartingError("the node is still starting; ask again in a few seconds")
        with self._reloading:
            self.manager.reloading()
            try:
                found = reload(self.node_path, self._loaded, self._plain)
                successor = None  # what an earlier reload has asked for no longer counts
                if found.setup is not None:
                    Fusion(found.setup)  # what fails, fails here and now
                    successor = self._successor(found.setup)
                loop.replace_fusion(successor)
            except ShelfedgeError as error:
                log.error("reload refused, the node goes on as it was:\n%s", error)
                raise
            finally:
                self.manager.ready(self._status())
            log.info("reload: %s", found.text)
            return {"ok": True, "text": found.text, "needs_restart": list(found.needs_restart)}

    def save_stock(self) -> None:
        """Remember what lies on the shelves; may wait for the disk."""
        loop = self._loop
        if loop is not None and self._lock is not None:
            self._stock.save(counts_of(loop.fusion))

    def _successor(self, plain: Setup) -> Callable[[Fusion], Fusion]:
        """What the loop does, between two rounds, to go on with another planogram."""
        try:
            text: CountsInText | None = CountsInText(plain)  # takes a while; not in the loop's thread
        except ValueError as error:
            log.warning("the planogram's own counts hold: %s", error)
            text = None

        def take_over(old: Fusion) -> Fusion:
            number = old.next_event_number
            counts = carried_over(counts_of(old), self._plain.planogram, plain.planogram)
            self.setup = plain if text is None else text.with_counts(counts)
            self._plain = plain
            self.digest = self._stock.digest = planogram_digest(plain)
            self.recording.begin_run(self.setup, number)
            if self.sight is not None:
                self.sight.replan(self.setup)
            self.outlet.note("planogram", {"digest": self.digest})
            log.info("planogram %s is in force", self.digest)
            return Fusion(self.setup, number)

        return take_over

    def _wanted(self) -> bool:
        return not self._asked.stop.is_set() and (self._ends_ns is None or self.clock() < self._ends_ns)

    def _status(self) -> str:
        states = self.boards.states
        running = sum(state.state == "running" for state in states.values())
        return f"{running} of {len(states)} boards, {self.event_count} events, {self.parts.summary()}"

    def _locked(self) -> StateLock | None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return StateLock(self.folder)
        except OSError as error:
            if isinstance(error, ShelfedgeError):
                raise
            log.error(
                "%s: %s; the node runs without it: events are kept in memory only, nothing is recorded",
                self.folder, _not_made(self.folder, error),
            )  # fmt: skip
            return None

    def _keep_folder(self) -> None:
        """Hold the state folder though it was removed; give way to whoever holds it by now, since two can't write."""
        lock = self._lock
        if lock is None:
            return
        try:
            if lock.renew():
                log.warning("%s was removed while the node ran; it is made anew, the node goes on", self.folder)
        except NodeRunsError as error:
            log.error("%s was removed while the node ran, and taken: %s; this one stops", self.folder, error)
            self._lock, self._code = None, 1
            lock.release()
            self._asked.stop.set()
        except OSError as error:
            log.warning("%s was removed and can't be made anew: %s", self.folder, error.strerror or error)

    def _end(self) -> None:
        with contextlib.suppress(Exception):
            self.boards.stop()
        self.save_stock()
        self.parts.stop()
        self.manager.close()
        if self._lock is not None:
            self._lock.release()


def _not_made(folder: Path, error: OSError) -> str:
    """Why there is no such folder."""
    for parent in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            if parent.exists() and not parent.is_dir():
                return f"expected a folder for the node's state, but {parent} is a file; see `state` in the node file"
    return error.strerror or str(error)
