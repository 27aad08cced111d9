"""The tracks' own connection to the broker: out what this node's cameras see, in what other nodes' see.

It stands beside the uplink, which waits for the disk now and then; nothing here does. All is QoS 0: what can't be sent
now is worth nothing in a second. While there is no connection, tracks are dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from edge.config.live_schema import UplinkOptions
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_receiver import TrackReceiver
from edge.stream.track_wire import Answer, decode_ask, encode_answer
from edge.stream.uplink.connection import Connection, Received
from edge.stream.uplink.credentials import load_login
from edge.stream.uplink.errors import CredentialError, UplinkError
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import BackOff, Pace
from edge.stream.uplink.topics import Names
from edge.stream.uplink.wake import Wake
from edge.stream.wire_keys import WireError

MOST_ANSWERS_HZ = 100
_TICK_S = 1.0
_MOST_ANSWERS = 32
_NS_PER_S, _NS_PER_US = 10**9, 10**3


class TrackLink:
    """`start` and `stop` it, and again if need be. A thread of its own does all the work.

    Args:
        options: the node's uplink; its files by absolute paths.
        publisher: what this node's cameras see; None: it tells nothing.
        receiver: whose tracks are wanted; None: nobody's.
        clock: monotonic nanoseconds, that of the points.
    """

    def __init__(
        self,
        options: UplinkOptions,
        names: Names,
        publisher: TrackPublisher | None,
        receiver: TrackReceiver | None,
        clock: Callable[[], int] = time.monotonic_ns,
        pace: Pace | None = None,
    ) -> None:
        self._options = options
        self._names = names
        self._publisher = publisher
        self._receiver = receiver
        self._clock = clock
        self._pace = pace or Pace()
        self._log = ThrottledLog()
        self._back_off = BackOff(self._pace.retry_first_s, self._pace.retry_most_s)
        self._tracks_of: dict[str, str] = {}  # topic: node
        self._answers_of: dict[str, str] = {}
        for node in () if receiver is None else receiver.nodes:
            other = Names(names.store, node)
            self._tracks_of[other.track] = node
            self._answers_of[other.track_answer(names.node)] = node
        self._asked: deque[tuple[str, int, int]] = deque(maxlen=_MOST_ANSWERS)  # who, with which time, heard when
        self._answers_left = float(MOST_ANSWERS_HZ)
        self._filled_ns = 0
        self._state, self._connects = "stopped", 0
        self._problem: str | None = None
        self._stopping = threading.Event()
        self._wake: Wake | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect."""
        self._stopping = threading.Event()
        self._wake = Wake()
        if self._publisher is not None:
            self._publisher.wake = self._wake.call
        self._thread = threading.Thread(target=self._run, args=(self._stopping, self._wake), name="tracks", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End it; nothing is kept for later."""
        self._stopping.set()
        if self._wake is None or self._thread is None:
            return
        self._wake.call()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._wake.close()

    def state(self) -> dict[str, Any]:
        """For health: state (connected, connecting, waiting, stopped), problem (a sentence, None), connects; and what
        publisher and receiver say of themselves."""
        found: dict[str, Any] = {"state": self._state, "problem": self._problem, "connects": self._connects}
        if self._publisher is not None:
            found["publisher"] = self._publisher.state()
        if self._receiver is not None:
            found["receiver"] = self._receiver.state(self._clock())
        return found

    def _run(self, stopping: threading.Event, wake: Wake) -> None:
        while not stopping.is_set():
            self._state = "connecting"
            try:
                self._connect_and_serve(stopping, wake)
            except (CredentialError, UplinkError) as error:
                self._problem = str(error)
                self._log.say("connection", logging.WARNING, f"tracks: {error}. The node tries again")
                self._state = "waiting"
                stopping.wait(self._back_off.wait_s())
        self._state = "stopped"

    def _connect_and_serve(self, stopping: threading.Event, wake: Wake) -> None:
        """One connection from the first packet to the last. Raises for whatever ended it, but for `stop`."""
        client_id = f"shelfedge-{self._names.store_level}-{self._names.node}-tracks"
        login = load_login(self._options)
        connection = Connection(self._options, client_id, login, None, self._pace, wake.fd, prompt=True)
        politely = False
        try:
            connection.open()
            while not connection.welcome:
                if stopping.is_set():
                    return
                self._wait(connection, wake, 0.1)
            began_s = time.monotonic()
            try:
                self._serve(connection, stopping, wake)
                politely = True
            finally:
                if time.monotonic() - began_s >= self._pace.stable_s:
                    self._back_off.reset()
                    self._log.forget("connection")
        finally:
            connection.close(politely)

    def _serve(self, connection: Connection, stopping: threading.Event, wake: Wake) -> None:
        self._connects += 1
        self._state, self._problem = "connected", None
        self._asked.clear()
        topics = [*self._tracks_of, *self._answers_of]
        if self._publisher is not None:
            topics.append(self._names.track_asked)
        connection.subscribe(topics, qos=0)
        while not stopping.is_set():
            self._take(connection)
            self._give(connection)
            if connection.lost is not None:
                raise UplinkError(connection.lost)
            self._wait(connection, wake, self._nap_s())

    def _wait(self, connection: Connection, wake: Wake, timeout_s: float) -> None:
        if connection.wait(timeout_s):
            wake.heard()

    def _nap_s(self) -> float:
        due_ns = None if self._receiver is None else self._receiver.ask_due_ns()
        if due_ns is None:
            return _TICK_S
        return min(max((due_ns - self._clock()) / _NS_PER_S, 0.01), _TICK_S)

    def _take(self, connection: Connection) -> None:
        """Everything that has come since the last call."""
        now_ns = self._clock()
        connection.acked.clear()
        while connection.received:
            self._received(connection.received.popleft(), now_ns)
        while connection.refused_topics:
            topic = connection.refused_topics.pop()
            sentence = f"the broker doesn't let the node read {topic}; check the broker's ACL for the node"
            self._log.say(topic, logging.ERROR, sentence)

    def _received(self, received: Received, now_ns: int) -> None:
        topic, payload = received.topic, received.payload
        if self._receiver is not None and topic in self._tracks_of:
            self._receiver.heard(self._tracks_of[topic], payload, now_ns)
        elif self._receiver is not None and topic in self._answers_of:
            self._receiver.answered(self._answers_of[topic], payload, now_ns)
        elif self._publisher is not None:
            self._asked_us(topic, payload, now_ns)

    def _asked_us(self, topic: str, payload: bytes, now_ns: int) -> None:
        """Somebody wants to know our time. So many answers a second; who floods us gets none."""
        before, _, after = self._names.track_asked.partition("+")
        who = topic.removeprefix(before).removesuffix(after)
        if topic != before + who + after or not who or "/" in who:
            return
        gained = (now_ns - self._filled_ns) * MOST_ANSWERS_HZ / _NS_PER_S
        self._answers_left, self._filled_ns = min(self._answers_left + gained, float(MOST_ANSWERS_HZ)), now_ns
        if self._answers_left < 1.0:
            return
        self._answers_left -= 1.0
        try:
            self._asked.append((who, decode_ask(payload), now_ns))
        except WireError as error:
            self._log.say("ask", logging.WARNING, f"a question of node {who} can't be read: {error}", 10.0)

    def _give(self, connection: Connection) -> None:
        """Send what there is as long as it leaves at once. Answers and questions first: their times are running."""
        while self._asked and self._publisher is not None and connection.live:
            who, ask_us, heard_ns = self._asked.popleft()
            answer = Answer(ask_us, self._publisher.run, heard_ns // _NS_PER_US, self._clock() // _NS_PER_US)
            if not connection.publish_live(self._names.track_answer(who), encode_answer(answer)):
                break
        while self._receiver is not None and connection.live:
            question = self._receiver.ask(self._clock())
            if question is None or not connection.publish_live(self._names.track_ask(question[0]), question[1]):
                break
        while self._publisher is not None and self._publisher.waiting and connection.live:
            payload = self._publisher.next(self._clock())
            if payload is None or not connection.publish_live(self._names.track, payload):
                break
