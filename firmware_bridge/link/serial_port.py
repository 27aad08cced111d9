"""A serial port that survives being unplugged: one thread reads, stamps, writes, and opens it again when it is back."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, NamedTuple

import serial

from firmware_bridge.link.errors import PortError
from firmware_bridge.protocol.codes import BAUD

_MOST_BYTES = 1 << 20  # waiting to be taken: 40 s at the line's full speed
_MOST_EVENTS = 1 << 14
_MOST_OUT = 4096
_READ = 4096
_LOOK_S = 0.5  # how long the thread sleeps at most
_RETRIES_S = (0.25, 0.5, 1.0, 2.0)  # between tries to open; the last one goes on


class PortEvent(NamedTuple):
    """What happened at the port.

    Attributes:
        kind: 'opened' (text: the path), 'bytes', 'overran' (bytes were thrown away here, nobody took them in time),
            'closed' (text: why).
        at_ns: host monotonic time; of bytes, when the read that gave them returned.
        data: the bytes.
        text: for people.
    """

    kind: Literal["opened", "bytes", "overran", "closed"]
    at_ns: int
    data: bytes = b""
    text: str = ""


class SerialPort:
    """One MCU's port. `start`, then `take` and `write` from one thread, then `stop`.

    While it runs nothing touches DTR or RTS, and HUPCL is cleared: closing the port doesn't restart the MCU, and
    opening it again doesn't either. (The very first opening after plugging in does: the system raises DTR then.)
    """

    def __init__(self, find: Callable[[], str], baud: int = BAUD, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """``find`` names the path whenever it is to be opened, and raises PortError where there is none."""
        self.problem = ""  # why it isn't open, for people; '' while it is
        self.overrun_bytes = 0
        self._find = find
        self._baud = baud
        self._clock = clock
        self._port: serial.Serial | None = None
        self._lock = threading.Lock()
        self._events: deque[PortEvent] = deque()
        self._waiting_bytes = 0
        self._out = b""
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = -1, -1

    def start(self, must_open: bool = True) -> None:
        """Open it and begin reading. Raises PortError where it can't be opened, unless ``must_open`` is False: then it
        is tried again and again, and `problem` says what is wrong meanwhile. Raises PortError when started twice."""
        if self._thread is not None:
            raise PortError("the port is started already; stop it first")
        if must_open:
            self._open()
        self._stopping.clear()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="shelf-mcu-port", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it. The thread is gone and nothing is open when this returns. Calling it twice does no harm."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)

    def take(self) -> list[PortEvent]:
        """What happened since the last call, in order."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._waiting_bytes = 0
        return events

    def write(self, data: bytes) -> bool:
        """Hand bytes over; False where the port is closed or doesn't get rid of what it has."""
        if not data:
            return True
        with self._lock:
            if self._port is None or len(self._out) + len(data) > _MOST_OUT:
                return False
            self._out += data
        self._wake()
        return True

    # ---- the thread
    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            port = self._port
            if port is None:
                try:
                    self._open()
                    failures = 0
                except PortError as error:
                    self.problem = str(error)
                    self._sleep(_RETRIES_S[min(failures, len(_RETRIES_S) - 1)])
                    failures += 1
                continue
            try:
                self._serve(port.fileno())
            except OSError as error:
                self._close(f"the port is gone ({error.strerror or error}): is the MCU unplugged?")
        self._close("stopped")

    def _serve(self, fd: int) -> None:
        """Wait once for bytes, room or a wake-up. Raises OSError when the port is gone."""
        wants = [fd] if self._out else []
        readable, writable, _ = select.select([fd, self._wake_read], wants, [], _LOOK_S)
        if self._wake_read in readable:
            self._drain_wake()
        if fd in readable:
            try:
                data = os.read(fd, _READ)
            except BlockingIOError:
                return
            now_ns = self._clock()
            if not data:
                raise OSError(errno.ENODEV, "end of file")
            self._add(PortEvent("bytes", now_ns, data))
        if writable:
            with self._lock, suppress(BlockingIOError):
                self._out = self._out[os.write(fd, self._out) :]

    def _open(self) -> None:
        port = open_port(self._find(), self._baud)
        with self._lock:
            self._port, self._out = port, b""
        self.problem = ""
        self._add(PortEvent("opened", self._clock(), text=str(port.name)))

    def _close(self, why: str) -> None:
        with self._lock:
            port, self._port, self._out = self._port, None, b""
        if port is not None:
            try:
                port.close()
            except OSError as error:  # a port that went may not even be closed in order; its number is free anyhow
                why = f"{why}; closing it said {error}"
            self.problem = why
            self._add(PortEvent("closed", self._clock(), text=why))

    def _add(self, event: PortEvent) -> None:
        with self._lock:
            size = len(event.data)
            full = self._waiting_bytes + size > _MOST_BYTES or len(self._events) >= _MOST_EVENTS
            overran = bool(self._events) and self._events[-1].kind == "overran"
            if event.kind == "bytes" and (full or overran):  # one gap, up to the next `take`, rather than many
                self.overrun_bytes += size
                if not overran:
                    self._events.append(PortEvent("overran", event.at_ns))
                return
            self._waiting_bytes += size
            self._events.append(event)

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake_read], [], [], seconds)
        self._drain_wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return  # it is full of wake-ups already

    def _drain_wake(self) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return


def open_port(path: str, baud: int = BAUD) -> serial.Serial:
    """Open for this process alone, 8N1, non-blocking, as quick as the USB chip can, HUPCL cleared. Raises PortError."""
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
    except (OSError, ValueError) as error:
        raise PortError(_why_not(path, error)) from error
    try:
        _clear_hupcl(port.fileno())
        # FTDI chips hold bytes for 16 ms otherwise; a pty or a driver without it gives good times too, only later
        with suppress(OSError, ValueError, NotImplementedError, AttributeError):
            port.set_low_latency_mode(True)
    except OSError as error:
        port.close()
        raise PortError(_why_not(path, error)) from error
    return port


def _clear_hupcl(fd: int) -> None:
    """So that closing the port doesn't drop DTR, and with it doesn't reset the MCU at the next opening."""
    import termios

    try:
        attributes = termios.tcgetattr(fd)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except termios.error as error:
        raise OSError(*error.args) from error


def _why_not(path: str, error: Exception) -> str:
    import termios

    number = getattr(error, "errno", None)
    if number is None and isinstance(error.__context__, termios.error):  # pyserial keeps only its text
        number = error.__context__.args[0]
    if number == errno.EACCES:
        return f"{path} can't be opened, permission is missing: add the user to the group dialout, and log in again"
    if number in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error):
        return f"{path} is in use by another program: stop it (another shelfedge, a serial monitor), then try again"
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"{path} isn't there: plug the shelf MCU in"
    if number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
        return f"{path} isn't a serial port: name one, as /dev/ttyUSB0 or a USB socket as 1-1.2"
    return f"{path} can't be opened: {error}"
