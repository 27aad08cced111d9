"""A `Link` on a `SerialPort`: what a driver pumps."""

from __future__ import annotations

import time
from collections.abc import Callable

from firmware_bridge.link.ports import find_port
from firmware_bridge.link.serial_port import SerialPort
from firmware_bridge.link.session import Link
from firmware_bridge.protocol.codes import BAUD


class Connection:
    """One MCU on one port. `start`, `pump` at least every 50 ms, take from `link`, `stop`."""

    def __init__(
        self,
        wanted: str | None = None,
        baud: int = BAUD,
        clock: Callable[[], int] = time.monotonic_ns,
        find: Callable[[], str] | None = None,
    ) -> None:
        """``wanted``: path or USB socket, see `ports.choose_port`; ``find`` instead names the path in any other way."""
        self.port = SerialPort(find or (lambda: find_port(wanted)), baud, clock)
        self.link = Link(clock(), baud)
        self._clock = clock

    def start(self, must_open: bool = True) -> None:
        """Open the port. Raises PortError; see `SerialPort.start`."""
        self.port.start(must_open)

    def pump(self) -> None:
        """Bring what came in to the link, and what it says to the port. Never waits."""
        for kind, at_ns, data, _ in self.port.take():
            if kind == "bytes":
                self.link.received(data, at_ns)
            elif kind == "opened":
                self.link.opened(at_ns)
            elif kind == "closed":
                self.link.closed(at_ns)
            else:
                self.link.host_overran(at_ns)
        self.port.write(self.link.to_send(self._clock()))

    def stop(self) -> None:
        """Close the port. The link keeps its accounts."""
        self.port.stop()
        self.pump()
