"""What a node has beside its loop: outbox, recording, uplink, health, metrics, control; all made and asked here."""

from __future__ import annotations

import base64
import dataclasses
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from edge.config.live_schema import with_absolute_files
from edge.node.board_facts import facts_of
from edge.node.control import ControlServer
from edge.node.health_line import health_line
from edge.node.health_problems import kind_of
from edge.node.host_facts import HostFacts
from edge.node.metrics import MetricsServer
from edge.node.supervise import Part, Periodic, Supervisor, made_beside
from edge.stream.entry import TimeQuality
from edge.stream.outbox.committer import Committer
from edge.stream.outbox.lock_file import leave_trace
from edge.stream.outbox.records import Body, OutboxCounts, OutboxLimits
from edge.stream.outbox.store import OutboxStore
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.topics import Names
from edge.stream.uplink.uplink import Uplink
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.node.run import NodeRun

log = logging.getLogger("shelfedge.node")

TICK_S = 1.0
FACTS_S = 2.0
STOCK_S = 5.0
OUTBOX_FILE = "outbox.db"
DRAIN_S, STOP_S = 5.0, 20.0
REFUSED_S = 1.0  # a disk that has refused so far is tried once more, and no longer
SHORTEST_WATCH_S, LONGEST_WATCH_S = 0.1, 60.0


class NodeParts:
    """Makes and keeps the parts of one run. `give` is for the loop's thread, the rest for any."""

    def __init__(self, node: NodeRun) -> None:
        self._node = node
        self.host_facts = HostFacts(node.folder)
        self.store: OutboxStore | None = None
        self.uplink: Uplink | None = None
        self._uplink_boot = 0
        self._opened = threading.Event()
        self._commands_done = CommandMemory()  # outlives an uplink that is started again
        self._started = datetime.now(UTC)
        self._problems: dict[str, str] = {}  # by kind, as they were told last
        self._counts: OutboxCounts | None = None
        self.committer = made_beside(lambda: Committer(self._open_store, opened=self._is_open, committed=self._poke))
        self._supervisor = Supervisor([], node.clock)

    def start(self) -> None:
        """Start them all, in the background."""
        self._supervisor = Supervisor(self._parts(), self._node.clock)
        self._supervisor.start()

    def stop(self) -> None:
        """Stop them all; what was handed over is committed, sent and recorded first, within limits."""
        refused = self.committer.state().problem is not None
        self.committer.flush(REFUSED_S if refused else DRAIN_S)
        self._supervisor.stop(STOP_S)
        if not self.committer.stop(REFUSED_S if refused else STOP_S):
            waiting = self.committer.state().waiting
            if waiting:
                log.error("the outbox didn't take the last %d entries; they are lost", waiting)
            if waiting and self.store is None:  # which would have left a trace of them
                leave_trace(self._node.folder / OUTBOX_FILE, waiting)

    def give(self, body: Body) -> bool:
        """Something for the stream."""
        return self.committer.give(body)

    def wait_until_open(self, timeout_s: float) -> None:
        """Wait for the outbox, so that what follows knows its boot; not for ever, since a disk may hang."""
        if not self._opened.wait(timeout_s):
            log.warning(
                "the outbox isn't open after %.0f s; the boards start without it, events wait in memory", timeout_s
            )

    @property
    def boot(self) -> int | None:
        """Which start of the node this is; None until the outbox is open."""
        return self.store.boot if self.store is not None else None

    def summary(self) -> str:
        """A few words for `systemctl status`. Asks nobody who could be waiting for a disk."""
        counts = self._counts
        waiting = "outbox not open" if counts is None else f"{counts.pending} waiting"
        return waiting if self.uplink is None else f"{waiting}, uplink {self.uplink.state()['state']}"

    def extra(self) -> dict[str, Any]:
        """What health says of the parts."""
        clock = self._node.wall_clock
        found: dict[str, Any] = {
            "boot": self.boot,
            "started": self._started.isoformat(timespec="seconds"),
            "clock": {"quality": clock.quality.name.lower(), **self._node.clock_jumps},
            "outbox": self._outbox_state(),
            "ring": self._node.recording.state(),
            "parts": self._supervisor.report(),
        }
        if self.uplink is not None:
            found["uplink"] = self.uplink.state()
        if self._node.sight is not None:
            found |= self._node.sight.report(self._node.sightings_taken, self._node.camera_doubts)
        return found

    def report(self) -> dict[str, Any]:
        """The health report."""
        return self._node.health.report(self.extra())

    def _parts(self) -> list[Part]:
        node, options = self._node, self._node.setup.node
        stock = Periodic("stock", STOCK_S, node.save_stock)
        ticks = Periodic("ticks", TICK_S, node.tick)
        facts = Periodic("outbox facts", FACTS_S, self._ask_outbox)
        health = Periodic("health", options.health.every_s, self.tell_health)
        control = ControlServer(node.folder, self._handlers())
        parts = [
            Part("outbox facts", facts.start, facts.stop, lambda: facts.alive, ready=self._opened.is_set),
            Part(
                "recording",
                lambda: node.recording.start(self.boot or 0),
                node.recording.stop,
                lambda: node.recording.alive,
                ready=self._opened.is_set,
            ),
        ]
        if options.uplink is not None:
            parts.append(
                Part(
                    "uplink",
                    self._start_uplink,
                    self._stop_uplink,
                    self._uplink_lives,
                    self._follow_boot,
                    ready=self._opened.is_set,
                )
            )
        if node.sight is not None:
            parts += node.sight.parts()
        parts.append(Part("stock", stock.start, stock.stop, lambda: stock.alive))
        parts.append(Part("ticks", ticks.start, ticks.stop, lambda: ticks.alive))
        parts.append(Part("health", health.start, health.stop, lambda: health.alive))
        if options.metrics is not None:
            metrics = MetricsServer(options.metrics, self.report)
            parts.append(Part("metrics", metrics.start, metrics.stop, lambda: metrics.alive))
        parts.append(Part("control", control.start, control.stop, lambda: control.alive, control.renew))
        return parts

    # ---- outbox

    def _open_store(self) -> OutboxStore:
        """In the committer's thread, again and again until it succeeds."""
        node, options = self._node, self._node.setup.node.outbox
        return OutboxStore.open(
            node.folder / OUTBOX_FILE,
            OutboxLimits(options.size_bytes, options.age_s, options.when_full),
            node.wall(),
            stamp=lambda: node.wall_clock.stamp(node.clock()),
        )

    def _is_open(self, store: OutboxStore) -> None:
        clock = self._node.wall_clock
        clock.last_known_ns = max(clock.last_known_ns, store.last_wall_ns)
        self.store, self._counts = store, store.counts()
        self._opened.set()

    def _poke(self, _seqs: list[int]) -> None:
        if self.uplink is not None:
            self.uplink.poke()

    def _ask_outbox(self) -> None:
        """May wait for the disk; so nobody else asks."""
        store, clock = self.store, self._node.wall_clock
        if store is None:
            return
        self._counts = store.counts()
        if clock.quality is not TimeQuality.WRONG:
            store.remember_clock(clock.stamp(self._node.clock()).wall_ns)

    def _outbox_state(self) -> dict[str, Any]:
        counts, committer = self._counts, self.committer.state()
        found: dict[str, Any] = {
            "queue": committer.waiting,
            "overflowed": committer.overflowed,
            "size_bytes": self._node.setup.node.outbox.size_bytes,
            "problem": committer.problem,
        }
        if counts is not None:
            found |= dataclasses.asdict(counts)
        return found

    # ---- uplink

    def _start_uplink(self) -> None:
        node = self._node.setup.node
        assert node.uplink is not None
        assert self.store is not None
        self._uplink_boot = self.store.boot
        self.uplink = Uplink(
            with_absolute_files(node.uplink, self._node.node_path.parent),
            Names(node.store, node.node),
            self.store.boot,
            self.store,
            self._birth,
            self.report,
            stamp_of=self._node.outlet.better_stamp(self.store.boot),
            wall_ns=self._node.wall,
            memory=self._commands_done,
        )
        self.uplink.start()

    def _stop_uplink(self) -> None:
        if self.uplink is not None:
            self.uplink.stop()

    def _follow_boot(self) -> None:
        """The outbox goes on as another boot where its file was taken from under it."""
        if self.store is not None and self.store.boot != self._uplink_boot:
            log.warning("the outbox goes on as boot %d; the uplink is started again", self.store.boot)
            self._stop_uplink()
            self._start_uplink()

    def _uplink_lives(self) -> bool:
        return self.uplink is not None and self.uplink.alive

    def _birth(self) -> dict[str, Any]:
        """What the node says of itself when it has connected."""
        node = self._node.setup.node
        return {
            "version": package_version(),
            "started": self._started.isoformat(timespec="seconds"),
            "boards": {
                name: {"cells": list(board.cells), "rate_hz": board.rate_hz} for name, board in node.boards.items()
            },
        }

    # ---- health

    def tell_health(self) -> None:
        report = self.report()
        log.info("%s", health_line(report))
        problems = {kind_of(problem): problem for problem in report["problems"]}
        for kind, problem in problems.items():
            if kind not in self._problems:
                log.warning("%s", problem)
        for kind, problem in self._problems.items():
            if kind not in problems:
                log.info("no longer: %s", problem)
        self._problems = problems
        if self.uplink is not None:
            self.uplink.publish_health(report)

    # ---- control

    def _handlers(self) -> dict[str, Any]:
        return {
            "health": lambda request: self.report(),
            "levels": lambda request: self._node.health.levels(),
            "watch": self._watch,
            "flush-recording": lambda request: {"ok": self._node.recording.flush()},
            "reload": lambda request: self._node.reload(),
            "still": self._still,
            "who": lambda request: {"node": self._node.setup.node.node, "pid": os.getpid(), "boot": self.boot},
        }

    def _watch(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What the boards are, then levels and new events, every so often, for as long as somebody reads.

        ``last``: so many events of before come with the first answer.
        """
        try:
            every_s = min(max(float(request.get("every_s", 0.5)), SHORTEST_WATCH_S), LONGEST_WATCH_S)
        except (TypeError, ValueError):
            raise _BadRequestError("every_s: expected a number of seconds, for example 0.5") from None
        last = request.get("last", 0)
        if isinstance(last, bool) or not isinstance(last, int) or last < 0:
            raise _BadRequestError("last: expected a number of events, for example 8")
        number, _ = self._node.health.events_after(0)
        number -= min(last, number)
        facts: dict[str, Any] = {"facts": facts_of(self._node.setup)}
        while True:
            number, events = self._node.health.events_after(number)
            yield {**facts, **self._node.health.levels(), **self._cameras(), "events": events}
            facts = {}
            time.sleep(every_s)

    def _still(self, request: dict[str, Any]) -> dict[str, Any]:
        """A picture leaves the node here alone, and only when somebody at it asks for one."""
        camera, sight = request.get("camera"), self._node.sight
        if sight is None or not isinstance(camera, str):
            raise _BadRequestError("camera: expected the id of one of this node's cameras")
        log.info("a still of camera %s was asked for", camera)
        return {"camera": camera, "jpeg": base64.b64encode(sight.eyes.still(camera)).decode()}

    def _cameras(self) -> dict[str, Any]:
        return {} if self._node.sight is None else {"cameras": self._node.sight.eyes.report()}


class _BadRequestError(ShelfedgeError, ValueError):
    """A request at the control socket that can't be done. Example: watch every "often"."""


def package_version() -> str:
    """Of shelfedge; `unknown` where it runs from its sources."""
    try:
        return version("shelfedge")
    except PackageNotFoundError:
        return "unknown"
