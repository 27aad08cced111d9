"""A TCP proxy before a broker that does to MQTT what networks do: stalls, delays, throttles, doubles, cuts at the worst
moment. It knows MQTT's packet boundaries, so that it can cut right behind a PUBLISH.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

_PUBLISH = 3
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST at once
_STEP_S = 0.02
_DRAIN_S = 1.0
_CHUNK_BYTES = 65536


@dataclass(slots=True)
class Chaos:
    """What happens to what a client sends; shares are of PUBLISH packets. All may be changed while it runs.

    Attributes:
        cut_share: the broker gets the PUBLISH, then the connection is cut before the client gets the PUBACK.
        lose_share: the connection is cut instead of forwarding it. half_share: after half of its bytes.
        double_share: the broker gets the packet twice.
        delay_s: each packet waits for a random time up to that, in order.
        bytes_per_s: 0 for no limit.
    """

    cut_share: float = 0.0
    lose_share: float = 0.0
    half_share: float = 0.0
    double_share: float = 0.0
    delay_s: float = 0.0
    bytes_per_s: float = 0.0


class ChaosProxy:
    """Listens on a free port of 127.0.0.1 from entering the context to leaving it, and forwards to `host`:`port`.

    Attributes:
        published, doubled, cuts: what it has done so far.
    """

    def __init__(self, host: str, port: int, chaos: Chaos | None = None, seed: int = 1) -> None:
        self.chaos = chaos or Chaos()
        self.published = self.doubled = self.cuts = 0
        self._target = (host, port)
        self._random = random.Random(seed)
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = False
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The address as a node file has it."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def closed(self) -> bool:
        """The proxy has ended."""
        return self._closed

    def stall(self) -> None:
        """From now on nothing passes, though connections stay open, and new ones are taken."""
        self._flowing.clear()

    def flow(self) -> None:
        """Go on after `stall`; what was held back goes first."""
        self._flowing.set()

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            self.cuts += 1
            connection.reset()

    def pass_on(self) -> bool:
        """Wait while it is stalled; False when the proxy has ended."""
        while not self._flowing.wait(_STEP_S):
            if self._closed:
                return False
        return not self._closed

    def chance(self, share: float) -> bool:
        """Whether it happens this time."""
        return share > 0 and self._random.random() < share

    def slow_down(self, count: int) -> None:
        """The time that so many bytes take on this line."""
        chaos = self.chaos
        wait_s = self._random.random() * chaos.delay_s + (count / chaos.bytes_per_s if chaos.bytes_per_s else 0.0)
        if wait_s:
            time.sleep(wait_s)

    def forget(self, connection: _Connection) -> None:
        """It has ended."""
        with self._lock:
            self._connections.discard(connection)

    def __enter__(self) -> ChaosProxy:
        threading.Thread(target=self._accept, name="chaos-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self._target, 5.0)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            broker.settimeout(None)
            for each in (client, broker):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, client, broker)
            with self._lock:
                self._connections.add(connection)
            connection.start()


class _Connection:
    def __init__(self, proxy: ChaosProxy, client: socket.socket, broker: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._broker = broker
        self._mute = False  # nothing goes back to the client any more

    def start(self) -> None:
        threading.Thread(target=self._guarded, args=(self._to_broker,), daemon=True).start()
        threading.Thread(target=self._guarded, args=(self._to_client,), daemon=True).start()

    def reset(self) -> None:
        self._mute = True
        for each in (self._client, self._broker):
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads it
            each.close()
        self._proxy.forget(self)

    def _guarded(self, pump: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, ValueError):
            pump()
        self.reset()

    def _to_client(self) -> None:
        while data := self._broker.recv(_CHUNK_BYTES):
            if not self._proxy.pass_on():
                return
            if not self._mute:
                self._client.sendall(data)

    def _to_broker(self) -> None:
        waiting = bytearray()
        while data := self._client.recv(_CHUNK_BYTES):
            waiting += data
            while (length := packet_length(waiting)) is not None:
                packet = bytes(waiting[:length])
                del waiting[:length]
                if not self._proxy.pass_on() or not self._forward(packet):
                    return

    def _forward(self, packet: bytes) -> bool:
        """Pass a packet on; False when the connection is to end."""
        proxy, chaos = self._proxy, self._proxy.chaos
        proxy.slow_down(len(packet))
        if packet[0] >> 4 != _PUBLISH:
            self._broker.sendall(packet)
            return True
        proxy.published += 1
        if proxy.chance(chaos.lose_share):
            proxy.cuts += 1
            return False
        if proxy.chance(chaos.half_share):
            proxy.cuts += 1
            self._broker.sendall(packet[: len(packet) // 2])
            return False
        if proxy.chance(chaos.cut_share):
            proxy.cuts += 1
            self._mute = True
            self._broker.sendall(packet)
            self._hang_up()
            return False
        self._broker.sendall(packet)
        if proxy.chance(chaos.double_share):
            proxy.doubled += 1
            self._broker.sendall(packet)
        return True

    def _hang_up(self) -> None:
        """Let the broker take what was sent (a reset might throw it away there) before the connection ends."""
        self._broker.shutdown(socket.SHUT_WR)
        deadline_s = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline_s:
            self._broker.settimeout(_STEP_S)
            with contextlib.suppress(TimeoutError):
                if not self._broker.recv(_CHUNK_BYTES):
                    return


def packet_length(data: bytes | bytearray) -> int | None:
    """The length of the MQTT packet that `data` begins with; None while it isn't whole. ValueError: it isn't one."""
    length, shift = 0, 0
    for position in range(1, 5):
        if position >= len(data):
            return None
        length |= (data[position] & 0x7F) << shift
        if not data[position] & 0x80:
            total = position + 1 + length
            return total if len(data) >= total else None
        shift += 7
    raise ValueError("not an MQTT packet")
