"""P11 with a real mosquitto: whom the broker lets in, whom the node trusts, and what its log says when that fails."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from uplink_bed import BOOT, NAMES, Listener, MemoryOutbox, secret, start_uplink, until

from edge.stream.uplink.command_keys import sign_command
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.uplink import Uplink
from hil.broker import Broker, BrokerTls
from hil.certificates import Authority

ACL = (Path(__file__).parents[2] / "edge" / "stream" / "mosquitto.acl").read_text()
USERS = {"bay-12": "node secret", "bay-13": "other secret", "backend": "back secret", "stranger": "strange secret"}
BACKEND = ("backend", USERS["backend"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", users=USERS, acl=ACL) as broker:
        yield broker


@pytest.fixture
def outbox() -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.add(5)
    return outbox


@pytest.fixture
def password(tmp_path: Path) -> str:
    return secret(tmp_path / "password", USERS["bay-12"] + "\n")


class Anybody:
    """A client that notes everything the broker says to it."""

    def __init__(self, broker: Broker, user: tuple[str, str] | None) -> None:
        self.got: list[str] = []
        self.codes: dict[int, int] = {}
        self.welcome: list[int] = []
        self.subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        if user is not None:
            self.client.username_pw_set(*user)
        self.client.on_connect = lambda *given: self.welcome.append(given[3].value)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _c, _d, message: self.got.append(message.topic)
        self.client.on_publish = lambda _c, _d, number, reason, _p: self.codes.__setitem__(number, reason.value)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        until(lambda: self.welcome != [], "CONNACK")

    def publish(self, topic: str, payload: bytes) -> int:
        """The reason code of PUBACK."""
        number = self.client.publish(topic, payload, qos=1).mid
        until(lambda: number in self.codes, "PUBACK")
        return self.codes[number]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def problem(uplink: Uplink) -> str:
    return str(uplink.state()["problem"] or "")


def test_with_the_reference_acl_a_node_does_its_work(guarded: Broker, outbox: MemoryOutbox, password: str) -> None:
    with Listener(guarded, user=BACKEND) as backend:
        uplink = start_uplink(
            outbox, guarded, username="bay-12", password_file=password, acknowledged=True, home_assistant=True
        )
        until(lambda: len(backend.entries()) == 5, "the events")
        backend.publish(NAMES.command("resend"), b'{"id":"1","from_seq":2}')
        until(lambda: backend.on(NAMES.answer("resend")) != [], "the answer")
        uplink.publish_health({"a": 1})
        until(lambda: backend.on(NAMES.health) != [], "health")
        backend.publish(NAMES.ack, b"\xa1\x18\x29\x05")  # {41: 5}
        until(lambda: outbox.waiting() == 0, "done")
        assert uplink.state()["connects"] == 1
        uplink.stop()
        until(lambda: json.loads(backend.on(NAMES.status)[-1])["status"] == "stopped", "stopped")


def test_a_client_without_credentials_gets_nowhere(guarded: Broker) -> None:
    """P11."""
    for user in (None, ("bay-12", "guessed"), ("nobody", "")):
        stranger = Anybody(guarded, user)
        assert stranger.welcome == [135]  # not authorized
        stranger.close()


@pytest.mark.parametrize("who", ["stranger", "bay-13"])
def test_a_client_of_another_name_can_neither_read_nor_publish_nor_command(
    guarded: Broker, outbox: MemoryOutbox, password: str, who: str
) -> None:
    """P11: neither somebody with a login of another kind, nor another node."""
    stranger = Anybody(guarded, (who, USERS[who]))
    stranger.client.subscribe(
        [("shelfedge/#", 1), ("#", 1), (NAMES.event, 1), (NAMES.status, 1), ("homeassistant/#", 1)]
    )
    assert stranger.subscribed.wait(10.0)
    with Listener(guarded, user=BACKEND) as backend:
        uplink = start_uplink(outbox, guarded, username="bay-12", password_file=password, acknowledged=True)
        until(lambda: len(backend.entries()) == 5, "the events")
        for topic in (
            NAMES.event,
            NAMES.status,
            NAMES.health,
            NAMES.ack,
            NAMES.command("rebirth"),
            NAMES.answer("resend"),
        ):
            assert stranger.publish(topic, b'{"id":"1"}') == 135, topic
        backend.publish(NAMES.command("report"), b'{"id":"1"}')  # comes after all of the stranger's
        until(lambda: backend.on(NAMES.answer("report")) != [], "the answer")
        assert backend.on(NAMES.answer("rebirth")) == []
        assert outbox.done_to == {}
        uplink.stop()
    assert stranger.got == []
    stranger.close()


def test_a_command_with_a_key_is_refused_to_whoever_has_only_the_broker(
    guarded: Broker, outbox: MemoryOutbox, password: str, tmp_path: Path
) -> None:
    """P11: the key is the node's own lock."""
    key = bytes(range(32))
    keys = secret(tmp_path / "keys", f"back-office:{key.hex()}\n")
    commands = {"rebirth": "key", "resend": "key", "report": "off", "key_file": keys}
    with Listener(guarded, user=BACKEND) as backend:
        memory, login = CommandMemory(), {"username": "bay-12", "password_file": password}
        uplink = start_uplink(outbox, guarded, commands=commands, memory=memory, **login)
        until(lambda: outbox.waiting() == 0, "the events")

        def ask(name: str, payload: dict[str, Any]) -> dict[str, Any]:
            count = len(backend.on(NAMES.answer(name)))
            backend.publish(NAMES.command(name), json.dumps(payload).encode())
            until(lambda: len(backend.on(NAMES.answer(name))) > count, "the answer")
            answer = json.loads(backend.on(NAMES.answer(name))[-1])
            assert isinstance(answer, dict)
            return answer

        assert not ask("rebirth", {"id": "1"})["ok"]
        signed = sign_command("back-office", key, NAMES, "rebirth", BOOT, {"id": "2"})
        assert ask("rebirth", signed)["ok"]
        assert len(backend.on(NAMES.status)) == 2
        assert ask("rebirth", signed)["ok"]  # recorded and played again: answered, but
        assert len(backend.on(NAMES.status)) == 2
        assert not ask("report", sign_command("back-office", key, NAMES, "report", BOOT, {"id": "3"}))["ok"]
        uplink.stop()
        uplink = start_uplink(outbox, guarded, commands=commands, memory=memory, **login)  # again, in the same boot
        until(lambda: len(backend.on(NAMES.status)) == 4, "stopped and online")
        until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
        assert ask("rebirth", signed)["ok"]
        assert len(backend.on(NAMES.status)) == 4
        uplink.stop()


def test_a_revoked_password_is_said_and_a_new_one_counts_without_a_restart(
    guarded: Broker, outbox: MemoryOutbox, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P11."""
    uplink = start_uplink(outbox, guarded, username="bay-12", password_file=password)
    until(lambda: outbox.waiting() == 0, "the events")
    guarded.stop()
    guarded.set_users({**USERS, "bay-12": "rotated"})
    guarded.start()
    until(
        lambda: "doesn't let user bay-12 in (not authorized); check username and password_file" in problem(uplink), "it"
    )
    outbox.add(10)
    uplink.poke()
    assert uplink.alive
    assert outbox.waiting() == 10
    secret(Path(password), "rotated")
    until(lambda: outbox.waiting() == 0, "the events")
    assert caplog.text.count("doesn't let user bay-12 in") == 1
    assert "Traceback" not in caplog.text
    uplink.stop()


def test_a_password_file_that_is_gone_is_said_and_mended(
    guarded: Broker, outbox: MemoryOutbox, password: str, tmp_path: Path
) -> None:
    """P3, P11."""
    Path(password).rename(tmp_path / "elsewhere")
    uplink = start_uplink(outbox, guarded, username="bay-12", password_file=password)
    until(lambda: f"{password}: the password file isn't there" in problem(uplink), "the sentence")
    (tmp_path / "elsewhere").rename(password)
    until(lambda: outbox.waiting() == 0, "the events")
    uplink.stop()


def test_events_that_the_acl_refuses_are_kept_and_come_when_it_is_mended(
    guarded: Broker, outbox: MemoryOutbox, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """P1, P11: PUBACK with "not authorized" isn't delivery."""
    guarded.set_acl(ACL.replace("pattern write shelfedge/1/+/%u/event", ""))
    uplink = start_uplink(outbox, guarded, username="bay-12", password_file=password, acknowledged=True)
    until(lambda: "refuses events on" in caplog.text, "the log line")
    assert outbox.done_to == {}
    assert caplog.text.count("refuses events on") == 1
    assert "refuses events on" in problem(uplink)  # so that health tells of it, though there is a connection
    guarded.set_acl(ACL)
    with Listener(guarded, user=BACKEND) as backend:
        until(lambda: len(set(backend.once())) == 5, "the events")
    uplink.stop()


def tls_broker(folder: Path, authority: Authority, clients: bool = False, **certificate: Any) -> Broker:
    made = authority.issue("broker", **certificate)
    return Broker(folder, tls=BrokerTls(made.certificate, made.key, authority.file if clients else None))


def test_tls_with_a_password_or_a_certificate(tmp_path: Path, authority: Authority, password: str) -> None:
    made, node = authority.issue("broker"), authority.issue("bay-12", hosts=())
    for tls, users, login in (
        (BrokerTls(made.certificate, made.key), USERS, {"username": "bay-12", "password_file": password}),
        (
            BrokerTls(made.certificate, made.key, authority.file),
            None,
            {"certificate_file": str(node.certificate), "key_file": str(node.key)},
        ),
    ):
        outbox = MemoryOutbox()
        outbox.add(2000)
        with Broker(tmp_path / f"broker-{users is None}", users=users, acl=ACL, tls=tls) as broker:
            uplink = start_uplink(outbox, broker, ca_file=str(authority.file), **login)
            until(lambda outbox=outbox: outbox.waiting() == 0, "the events")  # type: ignore[misc]
            uplink.stop()
            assert uplink.state()["problem"] is None


def test_a_broker_of_another_authority_is_refused_until_it_is_ours(
    tmp_path: Path, authority: Authority, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    """P11: wrong CA. Not a byte of ours goes to it; the node keeps its events, and goes on when it is mended."""
    other = Authority(tmp_path / "other", "somebody else")
    ca_file = tmp_path / "ca.pem"
    shutil.copy(other.file, ca_file)
    with tls_broker(tmp_path / "broker", authority) as broker:
        uplink = start_uplink(outbox, broker, ca_file=str(ca_file))
        until(lambda: "isn't signed by an authority that the node trusts" in problem(uplink), "the sentence")
        assert str(ca_file) in problem(uplink)
        assert outbox.waiting() == 5
        shutil.copy(authority.file, ca_file)
        until(lambda: outbox.waiting() == 0, "the events")
        uplink.stop()
    assert caplog.text.count("isn't signed by an authority") == 1


def test_without_ca_file_only_the_systems_authorities_are_trusted(
    tmp_path: Path, authority: Authority, outbox: MemoryOutbox
) -> None:
    """P11."""
    with tls_broker(tmp_path / "broker", authority) as broker:
        uplink = start_uplink(outbox, broker)
        until(lambda: "(this system's authorities)" in problem(uplink), "the sentence")
        uplink.stop()


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        ({"to_days": -1.0}, "its certificate has expired; renew it on the broker (or the node's clock is wrong)"),
        ({"from_days": 5.0, "to_days": 50.0}, "its certificate isn't valid yet"),
        ({"hosts": ("broker.example",)}, "its certificate isn't for localhost"),
    ],
)
def test_a_brokers_certificate_that_is_wrong_is_said_and_trusted_when_renewed(
    tmp_path: Path,
    authority: Authority,
    outbox: MemoryOutbox,
    caplog: pytest.LogCaptureFixture,
    certificate: dict[str, Any],
    says: str,
) -> None:
    """P11: expired, of the future, for another host."""
    with (
        caplog.at_level(logging.INFO, "shelfedge.uplink"),
        tls_broker(tmp_path / "b", authority, **certificate) as broker,
    ):
        uplink = start_uplink(outbox, broker, ca_file=str(authority.file))
        until(lambda: says in problem(uplink), "the sentence")
        assert outbox.waiting() == 5
        authority.issue("broker")
        broker.reload()
        until(lambda: outbox.waiting() == 0, "the events")
        uplink.stop()
    assert caplog.text.count(says) == 1
    assert "Traceback" not in caplog.text


def test_a_broker_that_wants_a_certificate_says_so(tmp_path: Path, authority: Authority, outbox: MemoryOutbox) -> None:
    """P11: paho tells of it only in its own log."""
    with tls_broker(tmp_path / "broker", authority, clients=True) as broker:
        uplink = start_uplink(outbox, broker, ca_file=str(authority.file))
        until(lambda: "the broker wants a certificate of the node; give certificate_file" in problem(uplink), "it")
        uplink.stop()


def test_a_certificate_that_the_broker_doesnt_know_is_said(
    tmp_path: Path, authority: Authority, outbox: MemoryOutbox
) -> None:
    """P11."""
    ours = Authority(tmp_path / "other", "somebody else").issue("bay-12", hosts=())
    with tls_broker(tmp_path / "broker", authority, clients=True) as broker:
        uplink = start_uplink(
            outbox,
            broker,
            ca_file=str(authority.file),
            certificate_file=str(ours.certificate),
            key_file=str(ours.key),
        )
        until(
            lambda: "doesn't know the authority that signed the node's certificate" in problem(uplink), "the sentence"
        )
        uplink.stop()


def test_tls_to_a_plain_port_and_plain_to_a_tls_port_are_told_apart(
    tmp_path: Path, authority: Authority, outbox: MemoryOutbox
) -> None:
    with Broker(tmp_path / "plain") as broker:
        uplink = start_uplink(outbox, f"mqtts://localhost:{broker.port}".replace("localhost", "127.0.0.1"))
        until(lambda: "what listens there doesn't speak TLS; use mqtt://" in problem(uplink), "the sentence")
        uplink.stop()
    with tls_broker(tmp_path / "tls", authority) as broker:
        uplink = start_uplink(outbox, f"mqtt://localhost:{broker.port}")
        until(lambda: "use mqtts:// if that is the broker's TLS port" in problem(uplink), "the sentence")
        uplink.stop()


def test_a_name_that_isnt_in_dns_is_said(outbox: MemoryOutbox) -> None:
    uplink = start_uplink(outbox, "mqtt://no-such-host.invalid:1883")
    until(lambda: "there is no such name in DNS now" in problem(uplink), "the sentence")
    uplink.stop()
    uplink = start_uplink(outbox, f"mqtt://{'x' * 70}.example:1883")
    until(lambda: "not an address" in problem(uplink) or "no such name" in problem(uplink), "the sentence")
    uplink.stop()
