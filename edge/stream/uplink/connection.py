"""One connection to the broker, from TCP to its loss: paho's MQTT 5 client, driven by the uplink's own thread.

paho's own thread, queues, retries and sessions aren't used: the outbox is the queue, and a connection that is lost is
thrown away with all that was in flight on it.
"""

from __future__ import annotations

import fcntl
import logging
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.credentials import Login
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.patience import Pace
from edge.stream.uplink.refusals import describe_code, describe_error, describe_loss, describe_silence

MOST_INCOMING_BYTES = 64 * 1024
_INCOMING_AT_ONCE = 20
_LIVE_BACKLOG_BYTES = 4096  # more than that on the way, and what is said now would come too late anyway
_FIRST_FAILURE = 128  # MQTT 5: reason codes from here on are failures
_DEFAULT_RECEIVE_MAXIMUM = 65535


class Acked(NamedTuple):
    """The broker's answer to a message: MQTT 5's reason code (from 128 on: it didn't take it) and its name."""

    message_id: int
    code: int
    name: str

    @property
    def failed(self) -> bool:
        """Whether the broker refused the message."""
        return self.code >= _FIRST_FAILURE


class Received(NamedTuple):
    """A message from the broker."""

    topic: str
    payload: bytes
    retained: bool


class Connection:
    """Open it, then `wait` again and again, and take what is in `acked` and `received`, until `lost` says why.

    Args:
        will: topic and payload that the broker publishes, retained, when the node goes without a word; None: nothing.
        wake_fd: a file descriptor; `wait` returns when it can be read.
        prompt: each message leaves at once, instead of waiting for the acknowledgement of the bytes before (Nagle).
    """

    def __init__(
        self,
        options: UplinkOptions,
        client_id: str,
        login: Login,
        will: tuple[str, bytes] | None,
        pace: Pace,
        wake_fd: int,
        prompt: bool = False,
    ) -> None:
        self.acked: deque[Acked] = deque()
        self.received: deque[Received] = deque()
        self.refused_topics: list[str] = []
        self.lost: str | None = None
        self.misunderstood = False  # it was lost because the broker's answer isn't MQTT
        self.in_flight: set[int] = set()
        self.receive_maximum = _DEFAULT_RECEIVE_MAXIMUM
        self.packet_bytes: int | None = None  # the most that the broker takes
        self._options = options
        self._client_id = client_id
        self._pace = pace
        self._wake_fd = wake_fd
        self._prompt = prompt
        self._welcome: tuple[int, str] | None = None
        self._welcome_s = 0.0
        self._tls_said: str | None = None
        self._subscribing: dict[int, Sequence[str]] = {}
        self._poll = select.poll()
        self._poll.register(wake_fd, select.POLLIN)
        self._polled: tuple[int, int] | None = None
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        client.connect_timeout = pace.connect_s
        client.max_inflight_messages_set(0)  # the uplink bounds what is in flight
        client.max_queued_messages_set(0)
        if login.username is not None:
            client.username_pw_set(login.username, login.password)
        if login.tls is not None:
            client.tls_set_context(login.tls)
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log

    def open(self) -> None:
        """TCP, TLS and CONNECT; blocks for `connect_s` each at the most. Raises UplinkError saying why not."""
        _, host, port = self._options.address
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = _INCOMING_AT_ONCE
        properties.MaximumPacketSize = MOST_INCOMING_BYTES + 1024
        keep_alive_s = min(max(round(self._options.keep_alive_s), 1), 65535)
        try:
            self._client.connect(host, port, keep_alive_s, clean_start=True, properties=properties)
        except OSError as error:
            raise UplinkError(describe_error(error, self._options)) from None
        except ValueError as error:  # a host that can't be one, for example a label of 70 characters
            raise UplinkError(f"broker {host}:{port}: not an address: {error}") from None
        sock = self._client.socket()
        if self._prompt and isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connack_by_s = time.monotonic() + self._pace.connack_s

    @property
    def welcome(self) -> bool:
        """Whether the broker has let the node in. Raises UplinkError when it has refused, or said nothing in time."""
        if self._welcome is not None:
            code, name = self._welcome
            if code >= _FIRST_FAILURE:
                raise UplinkError(describe_code(code, name, self._options, self._client_id))
            return True
        if self.lost is not None or time.monotonic() > self._connack_by_s:
            raise UplinkError(describe_silence(self._options, self.lost is not None, self._tls_said))
        return False

    def wait(self, timeout_s: float) -> bool:
        """Read and write until there is something, at most `timeout_s`. Gives whether `wake_fd` can be read."""
        sock = self._client.socket()
        if sock is None:
            if self.lost is None:
                self._lose("")
            return False
        wanted = select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
        if self._polled != (sock.fileno(), wanted):
            self._poll.register(sock.fileno(), wanted)
            self._polled = (sock.fileno(), wanted)
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            timeout_s = 0.0  # bytes that TLS has read already don't show at the socket
        ready = dict(self._poll.poll(max(0.0, timeout_s) * 1000.0))
        events = ready.get(sock.fileno(), 0)
        if events & ~select.POLLOUT or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            self._check(self._client.loop_read())
            self._check_incoming()
        if self._client.want_write():
            self._check(self._client.loop_write())
        self._check(self._client.loop_misc())
        return self._wake_fd in ready

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> int:
        """Send with QoS 1; the id is what `acked` will name. What can't be written at once is written by `wait`."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        self.in_flight.add(info.mid)
        self._check(info.rc)
        return info.mid

    @property
    def live(self) -> bool:
        """Whether what is said now leaves at once: hardly anything of before waits to be sent."""
        sock = self._client.socket()
        return (
            sock is not None and not self._client.want_write() and _unsent_bytes(sock.fileno()) <= _LIVE_BACKLOG_BYTES
        )

    def publish_live(self, topic: str, payload: bytes) -> bool:
        """Send with QoS 0; to be called while the connection is `live`. False when it was lost by that."""
        self._check(self._client.publish(topic, payload, qos=0).rc)
        return self.lost is None

    def subscribe(self, topics: Sequence[str], qos: int = 1) -> None:
        """Ask for messages that come from now on (no retained ones). `refused_topics` has those not granted."""
        options = SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        code, message_id = self._client.subscribe([(topic, options) for topic in topics])
        if message_id is not None:
            self._subscribing[message_id] = topics
        self._check(code)

    def close(self, politely: bool) -> None:
        """End it. Politely: the broker keeps the will to itself. Calling it twice does no harm."""
        if politely and self._client.socket() is not None:
            self._client.disconnect()
            deadline_s = time.monotonic() + 1.0
            while self._client.socket() is not None and self.lost is None and time.monotonic() < deadline_s:
                self.wait(0.05)
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _check_incoming(self) -> None:
        """A broker that keeps to MQTT sends nothing longer than was said at CONNECT; paho would take up to 256 MB."""
        begun = getattr(self._client, "_in_packet", None) or {}
        if begun.get("remaining_length", 0) > MOST_INCOMING_BYTES + 1024 and self.lost is None:
            self._lose("protocol error")

    def _check(self, code: int) -> None:
        if code != paho.MQTT_ERR_SUCCESS and self.lost is None:
            self._lose(paho.error_string(MQTTErrorCode(code)))

    def _lose(self, said: str) -> None:
        self.misunderstood = "protocol" in said.lower()
        short = self._welcome is not None and time.monotonic() - self._welcome_s < self._pace.stable_s
        self.lost = describe_loss(self._options, said, short, self._client_id)

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._welcome = (reason.value, str(reason))
        self._welcome_s = time.monotonic()
        self._client.on_log = None  # it was for the handshake's errors; from now on it would cost time
        self.receive_maximum = getattr(properties, "ReceiveMaximum", _DEFAULT_RECEIVE_MAXIMUM)
        self.packet_bytes = getattr(properties, "MaximumPacketSize", None)

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.lost = describe_code(reason.value, str(reason), self._options, self._client_id)
        elif self.lost is None:
            self._lose(str(reason))

    def _on_publish(self, _client: Any, _data: Any, message_id: int, reason: ReasonCode, _properties: Any) -> None:
        self.in_flight.discard(message_id)
        self.acked.append(Acked(message_id, reason.value, str(reason)))

    def _on_subscribe(
        self, _client: Any, _data: Any, message_id: int, reasons: Sequence[ReasonCode], _properties: Any
    ) -> None:
        topics = self._subscribing.pop(message_id, ())
        self.refused_topics += [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.received.append(Received(message.topic, bytes(message.payload), message.retain))

    def _on_log(self, _client: Any, _data: Any, level: int, text: str) -> None:
        """paho tells TLS alerts (the broker refuses our certificate) only in its log."""
        if level == paho.MQTT_LOG_ERR:
            logging.getLogger("shelfedge.uplink").debug("paho: %s", text)
            if "SSL" in text or "TLS" in text:
                self._tls_said = text.partition(": ")[2] or text


def _unsent_bytes(fd: int) -> int:
    """What the kernel holds of a socket that the other side hasn't acknowledged (SIOCOUTQ, tcp(7))."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0" * 4))[0])
    except OSError:
        return 0
