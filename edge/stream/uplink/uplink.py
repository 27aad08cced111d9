"""The node's way out: a thread that brings the outbox to the broker, over years of dead brokers and pulled plugs.

Nothing waits for it. It reads what was committed, and tells the outbox what has arrived; what is in flight when a
connection is lost is sent again over the next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge.config.live_schema import UplinkOptions
from edge.stream.entry import Stamp
from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.commands import Answer, Commands
from edge.stream.uplink.connection import Connection
from edge.stream.uplink.credentials import load_login
from edge.stream.uplink.discovery import discovery_messages
from edge.stream.uplink.errors import CredentialError, UplinkError
from edge.stream.uplink.log import ThrottledLog, logger
from edge.stream.uplink.patience import BackOff, Pace
from edge.stream.uplink.resends import Resends
from edge.stream.uplink.sender import Sender, WireForm
from edge.stream.uplink.session import Session
from edge.stream.uplink.source import Source
from edge.stream.uplink.status import OFFLINE, ONLINE, STOPPED, status_payload, to_json
from edge.stream.uplink.topics import Names
from edge.stream.uplink.wake import Wake

_TICK_S = 1.0  # keep alive and the like are looked after at least so often

Facts = Callable[[], Mapping[str, Any]]


class Uplink:
    """`start` it once; `poke` it after each commit; `stop` it at the end. Those and `publish_health` and `state` may be
    called from any thread, and never block (but for `stop`).

    Args:
        options: its files by absolute paths.
        boot: the one that runs: what an earlier one left is historical.
        source: the outbox; its methods are called from the uplink's thread.
        birth: what else the status tells (version, started, boards), asked at each connection, by that thread.
        report: the node's health now, for the command `report`; by that thread too.
        stamp_of: a better wall time for an entry of that boot, given its full form, where the clock was set since.
        memory: which commands were done; one for all uplinks of a node, as long as it runs.
    """

    def __init__(
        self,
        options: UplinkOptions,
        names: Names,
        boot: int,
        source: Source,
        birth: Facts,
        report: Facts,
        *,
        stamp_of: Callable[[int, bytes], Stamp | None] = lambda _boot, _full: None,
        wall_ns: Callable[[], int] = time.time_ns,
        pace: Pace | None = None,
        memory: CommandMemory | None = None,
    ) -> None:
        self._options = options
        self._names = names
        self._boot = boot
        self._source = source
        self._birth = birth
        self._report = report
        self._pace = pace or Pace()
        self._log = ThrottledLog()
        form = WireForm(boot, options.evidence == "always", self._pace.late_s, stamp_of, wall_ns)
        self._sender = Sender(source, form, options.acknowledged, self._pace, self._log)
        self._resends = Resends(source, self._sender, boot)
        memory = CommandMemory() if memory is None else memory
        handlers = {"resend": self._resends.ask, "rebirth": self._rebirth, "report": self._report_now}
        self._commands = Commands(options.commands, names, boot, handlers, self._log, memory)
        self._back_off = BackOff(self._pace.retry_first_s, self._pace.retry_most_s)
        self._stopping = threading.Event()
        self._health: Mapping[str, Any] | None = None
        self._session: Session | None = None
        self._state: dict[str, Any] = {}
        self._connects = 0
        self._stop_by_s = 0.0
        self._wake = Wake()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._set_state("stopped", None)

    @property
    def client_id(self) -> str:
        """The same at every connection: so the broker ends one that hangs, and its will can't come after our birth."""
        return f"shelfedge-{self._names.store_level}-{self._names.node}"

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect. An uplink is started once."""
        self._thread.start()

    def poke(self) -> None:
        """Something was committed."""
        self._wake.call()

    def publish_health(self, report: Mapping[str, Any]) -> None:
        """Say how the node is, now or at the next connection. Only the latest is kept."""
        self._health = report
        self.poke()

    def state(self) -> dict[str, Any]:
        """For the health report: state (connected, connecting, waiting, stopped), since_s, problem (a sentence, None),
        in_flight (messages), sent (entries that the broker has acknowledged), connects (since the start)."""
        state = dict(self._state)
        state["since_s"] = round(time.monotonic() - state.pop("began_s"), 1)
        session = self._session
        state["in_flight"] = session.in_flight if session is not None else 0
        state["problem"] = state["problem"] or self._sender.problem
        return {**state, "sent": self._sender.sent_total, "connects": self._connects}

    def stop(self, timeout_s: float | None = None) -> None:
        """Send what is there while there is time, say `stopped` and end; at most the pace's stop_s, or `timeout_s`."""
        timeout_s = self._pace.stop_s if timeout_s is None else timeout_s
        self._stop_by_s = time.monotonic() + timeout_s
        self._stopping.set()
        self.poke()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 1.0)
        if not self._thread.is_alive():
            self._wake.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._set_state("connecting", self._state["problem"])
            try:
                self._connect_and_serve()
            except (CredentialError, UplinkError) as error:
                problem = str(error)
                self._log.say("connection", logging.WARNING, f"{problem}. Events are kept; the node tries again")
            except OutboxUnavailableError as error:
                problem = f"the outbox can't be read: {error}"
                self._log.say("outbox", logging.ERROR, problem)
            else:
                continue
            if not self._stopping.is_set():
                self._set_state("waiting", problem)
                self._stopping.wait(self._back_off.wait_s())
        self._set_state("stopped", None)

    def _connect_and_serve(self) -> None:
        """One connection from the first packet to the last. Raises for whatever ended it, but for `stop`."""
        login = load_login(self._options)
        for warning in login.warnings:
            self._log.say(warning, logging.WARNING, warning)
        will = (self._names.status, status_payload(OFFLINE, self._names, self._boot))
        connection = Connection(self._options, self.client_id, login, will, self._pace, self._wake.fd)
        politely = False
        try:
            connection.open()
            while not connection.welcome:
                if self._stopping.is_set():
                    return
                self._wait(connection, 0.1)
            began_s = time.monotonic()
            try:
                self._serve(connection)
                politely = True
            finally:
                self._session = None
                if time.monotonic() - began_s >= self._pace.stable_s:
                    self._back_off.reset()
                    self._log.forget("connection")
                    self._log.forget("outbox")
        finally:
            connection.close(politely)

    def _serve(self, connection: Connection) -> None:
        self._connects += 1
        logger.info("connected to %s as %s", self._options.broker, self.client_id)
        self._set_state("connected", None)
        session = self._session = Session(
            connection, self._names, self._sender, self._resends, self._commands, self._log
        )
        self._say_status(session)
        session.begin(self._options.acknowledged)
        if self._options.home_assistant:
            version = self._facts(self._birth).get("version")
            for topic, payload in discovery_messages(self._names, version if isinstance(version, str) else None):
                session.say(topic, payload, retain=True)
        leave_s = None  # when to say `stopped` at the latest
        while True:
            session.take()
            health, self._health = self._health, None
            if health is not None:
                session.say(self._names.health, to_json(health))
            session.give(events=leave_s is None or time.monotonic() < leave_s)
            if connection.lost is not None:
                if connection.misunderstood:
                    self._sender.misunderstood(time.monotonic())
                raise UplinkError(connection.lost)
            if session.in_flight and time.monotonic() - session.acked_s > self._pace.silence_s:
                raise UplinkError(f"the broker acknowledges nothing for {self._pace.silence_s:.0f} s")
            if self._stopping.is_set():
                if leave_s is None:
                    leave_s = (time.monotonic() + self._stop_by_s) / 2.0
                if session.idle or time.monotonic() >= leave_s:
                    self._leave(connection, session)
                    return
            self._wait(connection, self._nap_s(leave_s))

    def _leave(self, connection: Connection, session: Session) -> None:
        """The last word, and wait until the broker has it."""
        session.say(self._names.status, status_payload(STOPPED, self._names, self._boot), retain=True)
        while connection.lost is None and not session.idle and time.monotonic() < self._stop_by_s:
            session.give(events=False)
            self._wait(connection, max(0.0, min(_TICK_S, self._stop_by_s - time.monotonic())))
            session.take()
        self._set_state("stopped", None)

    def _nap_s(self, leave_s: float | None) -> float:
        now_s = time.monotonic()
        due = [at for at in (self._sender.due_s(now_s), leave_s) if at is not None]
        return min(_TICK_S, *(max(0.0, at - now_s) for at in due)) if due else _TICK_S

    def _wait(self, connection: Connection, timeout_s: float) -> None:
        if connection.wait(timeout_s):
            self._wake.heard()

    def _say_status(self, session: Session) -> None:
        counts = self._source.counts()
        more = {
            **self._facts(self._birth),
            "first_seq": self._source.first_kept(self._boot),
            "outbox": {"pending": counts.pending, "kept": counts.kept, "dropped_total": counts.dropped_total},
        }
        session.say(self._names.status, status_payload(ONLINE, self._names, self._boot, more), retain=True)

    def _rebirth(self, _arguments: Mapping[str, Any]) -> Answer:
        if self._session is not None:
            self._say_status(self._session)
        return {"text": "the status is published again"}

    def _report_now(self, _arguments: Mapping[str, Any]) -> Answer:
        if self._session is not None:
            self._session.say(self._names.health, to_json(self._facts(self._report)))
        return {"text": f"the health report is published on {self._names.health}"}

    @staticmethod
    def _facts(facts: Facts) -> Mapping[str, Any]:
        """What the node tells of itself. Whatever is wrong with that must not keep events from leaving."""
        try:
            return facts()
        except Exception:  # noqa: BLE001  # the node's own code, from a thread that must live
            logger.exception("the node can't say how it is")
            return {}

    def _set_state(self, state: str, problem: str | None) -> None:
        before = self._state.get("state")
        # A node that can't get in goes to and fro between these two; the trouble began when it was last connected.
        same = before == state or {before, state} <= {"waiting", "connecting"}
        began_s = self._state["began_s"] if same and self._state else time.monotonic()
        self._state = {"state": state, "problem": problem, "began_s": began_s}
