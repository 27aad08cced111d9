"""Who is at a port: opens it, asks the MCU for its identity, and lets go again. For `flash`, and to tell MCUs apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from firmware_bridge.link.connection import Connection
from firmware_bridge.link.errors import LinkError, PortError
from firmware_bridge.link.ports import PortInfo, list_serial_ports
from firmware_bridge.protocol.codes import BAUD
from firmware_bridge.protocol.identity import Identity

PATIENCE_S = 8.0  # 2 s of an old bootloader, 2.5 s until the link speaks unasked, and a few tries
_LOOK_S = 0.01


def read_identity(path: str, patience_s: float = PATIENCE_S, baud: int = BAUD) -> Identity:
    """The identity of the MCU at ``path``, whatever its protocol version. Waits up to ``patience_s``.

    Raises PortError where the port can't be opened, LinkError where nobody answers.
    """
    connection = Connection(baud=baud, find=lambda: path)
    connection.start()
    try:
        end_ns = time.monotonic_ns() + int(patience_s * 1e9)
        while time.monotonic_ns() < end_ns:
            connection.pump()
            if connection.link.identity is not None:
                return connection.link.identity
            time.sleep(_LOOK_S)
        counts = connection.link.counts
    finally:
        connection.stop()
    if counts.bytes_in:
        raise LinkError(
            f"{path} sends bytes ({counts.bytes_in} in {patience_s:.0f} s), but nothing that a shelf MCU says: it has"
            " other firmware or another baud rate; `shelfedge flash` brings it to this package's"
        )
    raise LinkError(
        f"nothing came from {path} within {patience_s:.0f} s: is it a shelf MCU? `shelfedge flash` may mend it"
    )


def find_by_serial(
    serial: str,
    ports: Callable[[], Iterable[PortInfo]] = list_serial_ports,
    identify: Callable[[str], Identity] = read_identity,
) -> str:
    """Stable path of the port whose MCU was given this serial by `SET_SERIAL`. Opens one likely port after another.

    Ports that another program has open are passed over. Raises PortError listing who was met.
    """
    met = []
    for port in ports():
        if not port.bridge:
            continue
        try:
            found = identify(port.stable_path).serial
        except LinkError as error:
            met.append(f"{port.describe()}: {error}")
            continue
        if found == serial:
            return port.stable_path
        met.append(f"{port.describe()}: serial {found}")
    said = "; ".join(met) if met else "no port has a USB chip of a known kind"
    raise PortError(f"no shelf MCU with the serial {serial} is plugged in ({said}): plug it in, or check the serial")


class BySerial:
    """`find_by_serial` for a `SerialPort`. The port found once is taken again unasked as long as it is there.

    So a replug is quick. Whether it is still the same MCU is told by its identity, which the link asks for anyhow.
    """

    def __init__(
        self,
        serial: str,
        ports: Callable[[], Iterable[PortInfo]] = list_serial_ports,
        identify: Callable[[str], Identity] = read_identity,
    ) -> None:
        self._serial = serial
        self._ports = ports
        self._identify = identify
        self._found: str | None = None

    def __call__(self) -> str:
        """The path. Raises PortError as `find_by_serial`."""
        known = list(self._ports())
        if self._found not in [port.stable_path for port in known]:
            self._found = find_by_serial(self._serial, lambda: known, self._identify)
        assert self._found is not None
        return self._found
