"""Finding the serial port of a shelf MCU by USB identity, and naming it so that it is found again after a replug."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from firmware_bridge.link.errors import PortError

KNOWN_BRIDGES: dict[tuple[int, int], str] = {
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x5523): "CH341",
    (0x1A86, 0x55D4): "CH9102",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6015): "FTDI FT231X",
    (0x10C4, 0xEA60): "CP210x",
    (0x067B, 0x2303): "PL2303",
    (0x2341, 0x0001): "Arduino Uno",
    (0x2341, 0x0043): "Arduino Uno R3",
    (0x2341, 0x0010): "Arduino Mega",
    (0x2341, 0x0042): "Arduino Mega R3",
    (0x2A03, 0x0043): "Arduino Uno R3",
    (0x2E8A, 0x000A): "RP2040",
}

_SERIAL_LINKS = Path("/dev/serial")


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One serial port as the system knows it.

    Attributes:
        device: its node now, as '/dev/ttyUSB0'; the number changes with the order of plugging.
        vid: USB vendor, None for a port that isn't on USB.
        pid: USB product.
        usb_serial: the bridge chip's own serial number; CH340s have none.
        location: USB socket, as '1-1.2'.
        by_id: link by vendor, product and USB serial, '' where there is none.
        by_path: link by USB socket, '' where there is none.
    """

    device: str
    vid: int | None = None
    pid: int | None = None
    usb_serial: str = ""
    location: str = ""
    by_id: str = ""
    by_path: str = ""

    @property
    def bridge(self) -> str:
        """What shelf MCUs' boards have as USB chip, '' for anything else."""
        return KNOWN_BRIDGES.get((self.vid or 0, self.pid or 0), "")

    @property
    def stable_path(self) -> str:
        """A path that names the same MCU after a replug: by USB serial where it has one, else by its socket.

        Two CH340s have the same by-id link, so for a chip without a serial only the socket tells.
        """
        if self.usb_serial and self.by_id:
            return self.by_id
        return self.by_path or self.by_id or self.device

    def describe(self) -> str:
        """For error texts: '/dev/ttyUSB0 (CH340, socket 1-1.2)'."""
        if self.vid is None or self.pid is None:
            return f"{self.device} (not USB)"
        what = self.bridge or f"USB {self.vid:04x}:{self.pid:04x}"
        return f"{self.device} ({what}{f', socket {self.location}' if self.location else ''})"


def list_serial_ports(links: Path = _SERIAL_LINKS) -> list[PortInfo]:
    """Every serial port there is, in order of name; ``links`` is the folder of stable names."""
    by_id, by_path = _links(links / "by-id"), _links(links / "by-path")
    found = [
        PortInfo(
            device=port.device,
            vid=port.vid,
            pid=port.pid,
            usb_serial=port.serial_number or "",
            location=port.location or "",
            by_id=by_id.get(str(Path(port.device).resolve()), ""),
            by_path=by_path.get(str(Path(port.device).resolve()), ""),
        )
        for port in list_ports.comports()
    ]
    return sorted(found, key=lambda port: port.device)


def choose_port(wanted: str | None, ports: Iterable[PortInfo]) -> str:
    """The path to open: ``wanted`` where one is named, else the one port with a USB chip as MCU boards have.

    ``wanted`` is a path ('/dev/ttyUSB0', a link under /dev/serial, a pty), also one from the working directory, or a
    USB socket ('1-1.2'). Raises PortError where it is empty or isn't there, or where several could be meant.
    """
    known = list(ports)
    if wanted is not None:
        if not wanted.strip():  # ports without a socket or a link have '' there, so it would match any of them
            raise PortError(
                "the port's name is empty: give a path as /dev/ttyUSB0 or a USB socket as 1-1.2, or leave the option "
                f"away to have the shelf MCU found; {_found(known)}"
            )
        for port in known:
            if wanted in (port.location, port.device, port.by_id, port.by_path):
                return wanted if wanted.startswith("/") else port.stable_path
        if Path(wanted).exists():
            return str(Path(wanted).absolute())
        raise PortError(f"there is no serial port {wanted}: plug the shelf MCU in, or name another; {_found(known)}")
    likely = [port for port in known if port.bridge]
    if not likely:
        raise PortError(
            f"no shelf MCU is plugged in: none of the serial ports has a USB chip of a known kind; {_found(known)}. "
            "Check the USB cable (some only charge), or name the port (option port, or --port)"
        )
    if len(likely) > 1:
        raise PortError(f"several ports may be the shelf MCU: name the port (option port, or --port); {_found(likely)}")
    return likely[0].stable_path


def find_port(wanted: str | None = None) -> str:
    """`choose_port` among what is plugged in now."""
    return choose_port(wanted, list_serial_ports())


def _found(ports: list[PortInfo]) -> str:
    return "found " + ", ".join(port.describe() for port in ports) if ports else "found no serial port at all"


def _links(folder: Path) -> dict[str, str]:
    try:
        return {str(link.resolve()): str(link) for link in sorted(folder.iterdir(), reverse=True)}
    except OSError:
        return {}
