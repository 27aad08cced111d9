"""A connection to the broker for those who read a stream there: messages in, a few out. Driven by the caller's thread.

A connection that is lost is thrown away; make a new one.
"""

from __future__ import annotations

import select
import ssl
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.credentials import load_login
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.refusals import describe_code, describe_error, describe_silence

MOST_PACKET_BYTES = 2 * 1024 * 1024
_AT_ONCE = 100  # messages that the broker may send before the first is acknowledged
_PATIENCE_S = 10.0
_FIRST_FAILURE = 128  # MQTT 5: reason codes from here on are failures


class Message(NamedTuple):
    """From the broker. `mid` is None where nothing is to be acknowledged."""

    topic: str
    payload: bytes
    mid: int | None


class BrokerReader:
    """Open it, then `receive` again and again until that raises UplinkError.

    Args:
        options: the address and credentials; files by absolute paths.
        client_id: as the broker knows it; empty: one that the broker makes up.
        topics: filters to subscribe to, QoS 1.
        session_s: how long the broker keeps messages for us when we are gone; 0: not at all.
        durable: the broker keeps a message until `acknowledge`; else until it was read.
    """

    def __init__(
        self,
        options: UplinkOptions,
        client_id: str,
        topics: Sequence[str],
        *,
        session_s: int = 0,
        durable: bool = False,
    ) -> None:
        self._options = options
        self._client_id = client_id
        self._topics = list(topics)
        self._session_s = session_s
        self._messages: list[Message] = []
        self._welcome: tuple[int, str] | None = None
        self._granted: list[str] | None = None
        self._lost: str | None = None
        self._tls_said: str | None = None
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=durable,
        )
        client.connect_timeout = _PATIENCE_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log

    def open(self) -> list[str]:
        """Connect and subscribe; gives warnings about the credentials' files, and topics that weren't granted.

        Raises UplinkError and CredentialError with the sentence why not.
        """
        login = load_login(self._options)
        if login.username is not None:
            self._client.username_pw_set(login.username, login.password)
        if login.tls is not None:
            self._client.tls_set_context(login.tls)
        _, host, port = self._options.address
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = _AT_ONCE
        properties.MaximumPacketSize = MOST_PACKET_BYTES
        properties.SessionExpiryInterval = self._session_s
        keep_alive_s = min(max(round(self._options.keep_alive_s), 1), 65535)
        try:
            self._client.connect(host, port, keep_alive_s, clean_start=not self._session_s, properties=properties)
        except OSError as error:
            raise UplinkError(describe_error(error, self._options)) from None
        except ValueError as error:
            raise UplinkError(f"broker {host}:{port}: not an address: {error}") from None
        self._until(lambda: self._welcome is not None)
        assert self._welcome is not None
        if self._welcome[0] >= _FIRST_FAILURE:
            raise UplinkError(describe_code(*self._welcome, self._options, self._client_id))
        self._client.subscribe([(topic, 1) for topic in self._topics])
        self._until(lambda: self._granted is not None)
        refused = [f"broker {host}:{port}: doesn't let us read {topic}" for topic in self._granted or ()]
        return [*login.warnings, *refused]

    def receive(self, timeout_s: float, most: int = 200) -> list[Message]:
        """What has come, waiting for the first of it at most `timeout_s`. Raises UplinkError when it is lost."""
        self._turn(0.0 if self._messages else timeout_s)
        while self._lost is None and len(self._messages) < most:
            before = len(self._messages)
            self._turn(0.0)
            if len(self._messages) == before:
                break
        if self._lost is not None and not self._messages:
            raise UplinkError(self._lost)
        messages, self._messages = self._messages[:most], self._messages[most:]
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """The broker may forget these (only where it is `durable`)."""
        if self._lost is None:
            for message in messages:
                if message.mid is not None:
                    self._client.ack(message.mid, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send with QoS 1. It is lost with the connection: whoever needs it says it again on the next."""
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        """End it; with a session, the broker keeps that. Calling it twice does no harm."""
        if self._lost is None and self._client.socket() is not None:
            self._client.disconnect()
            deadline_s = time.monotonic() + 1.0
            while self._lost is None and self._client.socket() is not None and time.monotonic() < deadline_s:
                self._turn(0.05)
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _until(self, condition: Any) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not condition():
            if self._lost is not None or time.monotonic() > deadline_s:
                raise UplinkError(describe_silence(self._options, self._lost is not None, self._tls_said))
            self._turn(0.05)

    def _turn(self, timeout_s: float) -> None:
        """Read and write what can be."""
        sock = self._client.socket()
        if sock is None:
            self._cut()
            return
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            timeout_s = 0.0  # bytes that TLS has read already don't show at the socket
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        events = sum(each for _, each in poll.poll(timeout_s * 1000.0))
        if events & ~select.POLLOUT or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            self._check(self._client.loop_read())
        if self._client.want_write():
            self._check(self._client.loop_write())
        self._check(self._client.loop_misc())

    def _check(self, code: int) -> None:
        if code != paho.MQTT_ERR_SUCCESS:
            self._cut()

    def _cut(self) -> None:
        _, host, port = self._options.address
        cut = "the connection was cut; check that the broker runs, and the network between"
        self._lost = self._lost or f"broker {host}:{port}: {cut}"

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._welcome = (reason.value, str(reason))
        self._client.on_log = None  # it was for the handshake's errors; from now on it would cost time

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._lost = describe_code(reason.value, str(reason), self._options, self._client_id)
        else:
            self._cut()

    def _on_subscribe(
        self, _client: Any, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Any
    ) -> None:
        self._granted = [t for t, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # nobody's; it is acknowledged like any other
        self._messages.append(Message(topic, bytes(message.payload), message.mid if message.qos else None))

    def _on_log(self, _client: Any, _data: Any, level: int, text: str) -> None:
        """paho tells TLS alerts (the broker refuses our certificate) only in its log."""
        if level == paho.MQTT_LOG_ERR and ("SSL" in text or "TLS" in text):
            self._tls_said = text.partition(": ")[2] or text
