"""Tracks through a real mosquitto: from a node's camera to another node's loop, who may, and what a bad line costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from uplink_bed import FAST, MemoryOutbox, options, secret, start_uplink, until

import edge.stream
from edge.stream.track_link import TrackLink
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_receiver import TrackReceiver
from edge.stream.track_wire import Answer, decode_message, encode_answer, encode_ask
from edge.stream.uplink.topics import Names
from edge.trace.sighting import TrackPoint
from hil.broker import Broker, BrokerTls
from hil.certificates import Authority
from hil.chaos_proxy import ChaosProxy

S, MS = 10**9, 10**6
RUN = 40_123
CEILING, BAY = Names("store-7", "ceiling-1"), Names("store-7", "bay-12")
AHEAD_NS = 86_400 * S
ACL = (Path(edge.stream.__file__).parent / "mosquitto.acl").read_text()
MAY_READ = "\nuser bay-12\ntopic read shelfedge/1/store-7/+/track\n"
USERS = {"ceiling-1": "its secret", "bay-12": "node secret", "bay-13": "other secret", "backend": "back", "cellar": "x"}


def ahead_ns() -> int:
    """The other node's monotonic clock."""
    return time.monotonic_ns() + AHEAD_NS


class Ceiling:
    """A node with cameras, 15 frames a second from entering to leaving; x_mm is when the frame was, by our clock."""

    def __init__(
        self, broker: str, people: int = 1, cameras: int = 1, publisher: TrackPublisher | None = None, **login: Any
    ) -> None:
        self.publisher = publisher or TrackPublisher(RUN)
        self.link = TrackLink(options(broker, **login), CEILING, self.publisher, None, ahead_ns, FAST)
        self._people, self._cameras = people, cameras
        self._stop = threading.Event()
        self._began_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._film, daemon=True)

    def __enter__(self) -> Ceiling:
        self.link.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.link.stop()
        assert not self.link.alive

    def frame(self) -> None:
        """One more of each camera, exposed now."""
        now_ns = time.monotonic_ns()
        x_mm = (now_ns - self._began_ns) / MS
        for camera in [f"aisle-{k}" for k in range(1, self._cameras + 1)]:
            who = [f"{camera}.{self.publisher.run}.{k}" for k in range(1, self._people + 1)]
            points = [TrackPoint(t, now_ns + AHEAD_NS, x_mm, 0.0, 900.0, 0.0, 900.0, 1e3, 0.0) for t in who]
            self.publisher.give(camera, now_ns + AHEAD_NS, points)

    def error_ns(self, point: TrackPoint) -> int:
        """Of the point's time."""
        return abs(point.time_ns - self._began_ns - round(point.x_mm * MS))

    def _film(self) -> None:
        while not self._stop.wait(1.0 / 15.0):
            self.frame()


class Bay:
    """A node that reads the ceiling's tracks."""

    def __init__(self, broker: str, names: Names = BAY, **login: Any) -> None:
        self.receiver = TrackReceiver([CEILING.node])
        self.link = TrackLink(options(broker, **login), names, None, self.receiver, pace=FAST)
        self.points: list[TrackPoint] = []

    def __enter__(self) -> Bay:
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()
        assert not self.link.alive

    def has(self, count: int) -> bool:
        """Whether so many points came since the last `forget`."""
        self.points += self.receiver.take()
        return len(self.points) >= count

    def forget(self) -> None:
        """What came so far."""
        self.points = []
        self.receiver.take()

    def node(self) -> dict[str, Any]:
        """What health says of the ceiling."""
        found: dict[str, Any] = self.link.state()["receiver"]["nodes"][CEILING.node]
        return found


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "guarded", users=USERS, acl=ACL + MAY_READ) as running:
        yield running


def login(folder: Path, user: str) -> dict[str, str]:
    return {"username": user, "password_file": secret(folder / f"{user}.password", USERS[user] + "\n")}


def test_tracks_come_with_the_readers_own_time(broker: Broker) -> None:
    """Two nodes whose clocks are a day apart; also the way out is taken by nobody else: the uplink stays connected."""
    outbox = MemoryOutbox()
    uplink = start_uplink(outbox, broker, BAY)
    with Bay(broker.url) as bay, Ceiling(broker.url, people=2) as ceiling:
        until(lambda: bay.node()["clock_two_way"], "an answer about the clock")
        bay.forget()
        until(lambda: bay.has(30), "points")
        assert {p.track for p in bay.points} == {f"aisle-1.{RUN}.1", f"aisle-1.{RUN}.2"}
        sd_ns = bay.node()["clock_sd_ms"] * MS
        assert all(ceiling.error_ns(p) <= sd_ns + 2 * MS for p in bay.points[-10:])
        outbox.add(3)
        until(lambda: outbox.waiting() == 0, "events beside them")
        assert uplink.state()["connects"] == bay.link.state()["connects"] == ceiling.link.state()["connects"] == 1
        assert bay.node()["cameras"]["aisle-1"]["people"] == 2
        assert bay.receiver.problems(time.monotonic_ns()) == []
    uplink.stop()
    assert bay.link.state()["state"] == "stopped"


def test_with_the_reference_acl_tracks_are_read_by_those_who_are_named(guarded: Broker, tmp_path: Path) -> None:
    """P11."""
    with (
        Ceiling(guarded.url, **login(tmp_path, "ceiling-1")),
        Bay(guarded.url, **login(tmp_path, "bay-12")) as named,
        Bay(guarded.url, Names("store-7", "bay-13"), **login(tmp_path, "bay-13")) as other,
        Bay(guarded.url, Names("store-7", "cellar"), **login(tmp_path, "cellar")) as foreign,
    ):
        until(lambda: named.has(10) and named.node()["clock_two_way"], "tracks and an answer")
        assert not other.has(1)
        assert not foreign.has(1)
        assert other.node()["cameras"] == foreign.node()["cameras"] == {}


class Client:
    """Somebody with a login who publishes and listens by hand."""

    def __init__(self, broker: Broker, user: str | None, *topics: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.codes: dict[int, int] = {}
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        if user is not None:
            self._client.username_pw_set(user, USERS[user])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self._client.on_publish = lambda _c, _d, number, reason, _p: self.codes.__setitem__(number, reason.value)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._client.subscribe([(topic, 1) for topic in (*topics, "nothing")])
        assert self._ready.wait(20.0)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> int:
        """The reason code of PUBACK."""
        number = self._client.publish(topic, payload, qos=1, retain=retain).mid
        until(lambda: number in self.codes, "PUBACK")
        return self.codes[number]

    def publish_unheard(self, topic: str, payload: bytes) -> None:
        """Nobody waits for it."""
        self._client.publish(topic, payload, qos=0)

    def asked_and_answered(self, who: Names) -> bool:
        """Whether an answer is there; else another question is sent."""
        answered = any(topic == CEILING.track_answer(who.node) for topic, _ in self.heard)
        if not answered:
            self.publish_unheard(who.track_ask(CEILING.node), encode_ask(1))
        return answered

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_nobody_speaks_for_another_node_or_hears_what_isnt_for_him(guarded: Broker, tmp_path: Path) -> None:
    """P11: a node writes its own tracks, questions and answers only; nobody else hears those to others."""
    stranger = Client(guarded, "bay-13", "shelfedge/#", CEILING.track, BAY.track_ask("ceiling-1"))
    with Ceiling(guarded.url, **login(tmp_path, "ceiling-1")), Bay(guarded.url, **login(tmp_path, "bay-12")) as bay:
        until(lambda: bay.has(5), "tracks")
        for topic in (CEILING.track, CEILING.track_answer("bay-12"), BAY.track_ask("ceiling-1"), BAY.track):
            assert stranger.publish(topic, encode_answer(Answer(1, RUN, 1, 1))) == 135, topic  # not authorized
        own = Names("store-7", "bay-13")
        assert stranger.publish(own.track, b"") in (0, 16)  # taken; 16: nobody subscribes
        assert bay.node()["damaged"] == 0
    assert stranger.heard == []
    stranger.close()


def test_tracks_over_tls_with_the_uplinks_credentials(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    made = authority.issue("broker")
    with Broker(tmp_path / "tls", users=USERS, acl=ACL + MAY_READ, tls=BrokerTls(made.certificate, made.key)) as broker:
        ca_file = str(authority.file)
        with (
            Ceiling(broker.url, ca_file=ca_file, **login(tmp_path, "ceiling-1")),
            Bay(broker.url, ca_file=ca_file, **login(tmp_path, "bay-12")) as bay,
            Bay(broker.url, **login(tmp_path, "bay-12")) as trusting,  # only the system's authorities
        ):
            until(lambda: bay.has(10), "tracks")
            until(lambda: "isn't signed by an authority" in str(trusting.link.state()["problem"]), "the sentence")


def test_a_killed_broker_costs_what_was_said_meanwhile(broker: Broker) -> None:
    with Bay(broker.url) as bay, Ceiling(broker.url) as ceiling:
        until(lambda: bay.has(5), "tracks")
        broker.kill()
        until(lambda: bay.link.state()["problem"] is not None, "it is noticed")
        assert "127.0.0.1" in str(bay.link.state()["problem"])
        broker.start()
        bay.forget()
        until(lambda: bay.has(20), "tracks again")
        assert all(ceiling.error_ns(p) <= 50 * MS for p in bay.points[-5:])
        assert bay.link.state()["problem"] is None
        assert bay.node()["clock_slips"] == 0


def test_a_stalled_line_never_holds_the_camera_up_and_whats_late_is_dropped(broker: Broker) -> None:
    """P3, P4: frames go in as fast as they come; what waits is bounded and counted; afterwards all is as before."""
    with (
        ChaosProxy(broker.host, broker.port) as proxy,
        Bay(broker.url) as bay,
        Ceiling(proxy.url, people=60, cameras=16) as ceiling,
    ):
        until(lambda: bay.has(300), "tracks")
        proxy.stall()
        before = ceiling.publisher.state()["sent"]
        until(lambda: ceiling.publisher.state()["dropped"] > 20, "old ones are dropped")
        assert (
            ceiling.publisher.state()["sent"] - before < 400
        )  # the kernel would take some 2,000, to deliver them late
        proxy.flow()
        until(lambda: bay.node()["late"] > 0, "what was on the way comes late")
        bay.forget()
        until(lambda: bay.has(900) and ceiling.error_ns(bay.points[-1]) < 20 * MS, "tracks as before")
        assert bay.link.state()["connects"] == ceiling.link.state()["connects"] == 1


def test_strangers_bytes_and_old_retained_ones_are_passed_over(broker: Broker) -> None:
    client = Client(broker, None)
    client.publish(CEILING.track, b"retained rubbish", retain=True)
    with Bay(broker.url) as bay, Ceiling(broker.url) as ceiling:
        until(lambda: bay.has(5), "tracks")
        for payload in (b"", b"\xff" * 100, b"{}", encode_ask(5)):
            for topic in (CEILING.track, CEILING.track_answer("bay-12"), BAY.track_ask("ceiling-1")):
                client.publish(topic, payload)
        bay.forget()
        until(lambda: bay.has(5), "tracks after all that")
        assert bay.node()["damaged"] == 8  # not the retained one
        assert ceiling.link.alive
    client.close()


def test_a_link_is_started_again(broker: Broker) -> None:
    publisher = TrackPublisher(RUN)
    with Bay(broker.url) as bay:
        for _ in range(2):
            with Ceiling(broker.url, publisher=publisher):
                bay.forget()
                until(lambda: bay.has(3), "tracks")


def test_who_floods_with_questions_gets_a_hundred_answers_a_second(broker: Broker) -> None:
    flood, honest = Names("store-7", "flood"), Names("store-7", "honest")
    client = Client(broker, None, CEILING.track_answer("flood"), CEILING.track_answer("honest"))
    with Ceiling(broker.url) as ceiling:
        until(lambda: ceiling.link.state()["state"] == "connected", "a connection")
        began_s = time.monotonic()
        for number in range(2000):
            client.publish_unheard(flood.track_ask("ceiling-1"), encode_ask(number))
        until(lambda: len(client.heard) >= 90, "answers")
        assert client.publish(BAY.track, b"") in (0, 16)  # after all the questions
        until(lambda: client.asked_and_answered(honest), "an answer to somebody else, a moment later")
        assert len(client.heard) <= 100 * (time.monotonic() - began_s + 1.5)
    client.close()


def test_the_bytes_on_the_topic_are_messages(broker: Broker) -> None:
    client = Client(broker, None, CEILING.track)
    with Ceiling(broker.url):
        until(lambda: len(client.heard) >= 12, "messages")
    messages = [decode_message(payload) for _, payload in client.heard]
    assert {each.run for each in messages} == {RUN}
    assert any(each.here is not None and each.here.name == "aisle-1" for each in messages)
    client.close()
