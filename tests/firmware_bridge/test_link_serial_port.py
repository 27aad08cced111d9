"""The serial port on pseudo-terminals: opened alone, read with times, bounded, gone and back again, stopped cleanly."""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_mcu import FakeMcu
from pty_mcu import PtyMcu, wait_until

from firmware_bridge.link import serial_port
from firmware_bridge.link.connection import Connection
from firmware_bridge.link.errors import LinkError, PortError
from firmware_bridge.link.identify import BySerial, find_by_serial, read_identity
from firmware_bridge.link.ports import PortInfo, choose_port
from firmware_bridge.link.serial_port import PortEvent, SerialPort, open_port
from firmware_bridge.protocol.codes import CommandCode
from firmware_bridge.protocol.commands import serial_data
from firmware_bridge.protocol.identity import Identity


class _Pty:
    def __init__(self, link: Path) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)
        link.unlink(missing_ok=True)
        link.symlink_to(self.path)
        self.is_open = True

    def unplug(self) -> None:
        if self.is_open:
            os.close(self.master)
        self.is_open = False


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "shelf-mcu"


@pytest.fixture
def pty(link: Path) -> Iterator[_Pty]:
    pty = _Pty(link)
    yield pty
    pty.unplug()


class _Events:
    """Everything a port gave, and the bytes joined."""

    def __init__(self, port: SerialPort) -> None:
        self.port = port
        self.all: list[PortEvent] = []

    def wait_for(self, kind: str, count: int = 1) -> PortEvent:
        wait_until(lambda: len(self.of(kind)) >= count, f"{count} times '{kind}'", self._take)
        return self.of(kind)[count - 1]

    def of(self, kind: str) -> list[PortEvent]:
        return [event for event in self.all if event.kind == kind]

    def wait_for_bytes(self, data: bytes) -> None:
        wait_until(lambda: b"".join(e.data for e in self.all).endswith(data), repr(data), self._take)

    def _take(self) -> None:
        self.all += self.port.take()


def test_bytes_come_with_the_time_of_their_read_and_go_out(pty: _Pty, link: Path) -> None:
    ticks = itertools.count(1000)
    port = SerialPort(lambda: str(link), clock=lambda: next(ticks))
    port.start()
    try:
        events = _Events(port)
        os.write(pty.master, b"\x01\x02\x00")
        events.wait_for_bytes(b"\x01\x02\x00")
        assert [event.kind for event in events.all][:2] == ["opened", "bytes"]
        times = [event.at_ns for event in events.all]
        assert times == sorted(times)
        assert times[0] == 1000
        assert port.write(b"hello")
        assert os.read(pty.master, 100) == b"hello"
    finally:
        port.stop()


def test_the_port_has_the_odd_baud_rate_and_no_hangup_on_close(pty: _Pty) -> None:
    with open_port(pty.path):
        settings = bytearray(44)  # struct termios2, which alone knows rates such as 250 000
        fcntl.ioctl(pty.master, 0x802C542A, settings)
        (cflag,) = struct.unpack_from("I", settings, 8)
        assert struct.unpack_from("II", settings, 36) == (250_000, 250_000)
        assert not cflag & termios.HUPCL


def test_a_port_in_use_is_said_to_be(pty: _Pty) -> None:
    with open_port(pty.path), pytest.raises(PortError, match="in use by another program"):
        open_port(pty.path)


def test_a_port_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    port = SerialPort(lambda: str(tmp_path / "ttyUSB7"))
    with pytest.raises(PortError, match="ttyUSB7 isn't there: plug the shelf MCU in"):
        port.start()
    assert port.take() == []
    port.stop()


def test_what_is_no_serial_port_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no port")
    for name in (str(path), str(tmp_path), os.devnull):
        with pytest.raises(PortError, match=f"^{name} isn't a serial port: name one"):
            open_port(name)
    assert path.read_text() == "no port"


def test_started_without_a_port_it_waits_for_one(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "_RETRIES_S", (0.01,))
    port = SerialPort(lambda: choose_port(str(link), []))
    port.start(must_open=False)
    pty = None
    try:
        wait_until(lambda: "there is no serial port" in port.problem, "the problem to be said")
        pty = _Pty(link)
        _Events(port).wait_for("opened")
        assert port.problem == ""
    finally:
        port.stop()
        if pty:
            pty.unplug()


def test_unplugged_and_plugged_again_it_goes_on_by_itself(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "_RETRIES_S", (0.01,))
    first = _Pty(link)
    port = SerialPort(lambda: choose_port(str(link), []))
    port.start()
    events = _Events(port)
    try:
        os.write(first.master, b"one")
        events.wait_for_bytes(b"one")
        first.unplug()
        closed = events.wait_for("closed")
        assert "is the MCU unplugged?" in closed.text
        assert not port.write(b"nobody hears this")
        second = _Pty(link)  # another number, as /dev/ttyUSB1 after /dev/ttyUSB0
        assert events.wait_for("opened", 2).at_ns >= closed.at_ns
        os.write(second.master, b"two")
        events.wait_for_bytes(b"two")
        second.unplug()
        events.wait_for("closed", 2)
    finally:
        port.stop()
        first.unplug()


def test_bytes_that_nobody_takes_are_bounded_and_counted(
    pty: _Pty, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_port, "_MOST_BYTES", 10_000)
    port = SerialPort(lambda: str(link))
    port.start()
    try:
        for _ in range(50):
            os.write(pty.master, bytes(1000))
        wait_until(lambda: port.overrun_bytes >= 40_000, "bytes to be thrown away")
        events = port.take()
        kept = sum(len(event.data) for event in events)
        assert kept + port.overrun_bytes == 50_000
        assert kept <= 10_000
        assert [event.kind for event in events].count("overran") == 1
        os.write(pty.master, b"later")
        _Events(port).wait_for_bytes(b"later")
    finally:
        port.stop()


def test_writing_is_bounded_when_nobody_reads(pty: _Pty, link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = SerialPort(lambda: str(link))
    port.start()
    try:
        assert port.write(bytes(4000))
        refused = any(not port.write(bytes(4000)) for _ in range(1000))
        assert refused
    finally:
        port.stop()


def test_stopping_leaves_no_thread_and_no_open_port(pty: _Pty, link: Path) -> None:
    threads = threading.active_count()
    port = SerialPort(lambda: str(link))
    for _ in range(3):
        port.start()
        assert threading.active_count() == threads + 1
        with pytest.raises(PortError, match="started already"):
            port.start()
        port.stop()
        port.stop()
        assert threading.active_count() == threads
        assert [event.kind for event in port.take()] == ["opened", "closed"]
        open_port(pty.path).close()


def test_an_mcu_on_a_port_streams_obeys_and_survives_being_unplugged(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: what is lost between is told with its cause, and sampling goes on by itself."""
    monkeypatch.setattr(serial_port, "_RETRIES_S", (0.05,))
    with PtyMcu(FakeMcu.with_chips(4, 80.0), link) as plugged:
        connection = Connection(str(link))
        connection.start()
        samples, losses, notices = [], [], []

        def pump() -> None:
            connection.pump()
            samples.extend(connection.link.samples())
            losses.extend(connection.link.losses())
            notices.extend(connection.link.notices())

        try:
            wait_until(lambda: len(samples) > 200, "samples", pump)
            handle = connection.link.command(CommandCode.SET_SERIAL, serial_data("bay-99"))
            wait_until(lambda: handle.done, "the reply", pump)
            assert handle.result() == b""
            plugged.unplug()
            wait_until(lambda: connection.link.state(0) == "closed", "the port to be gone", pump)
            before = len(samples)
            plugged.plug()
            wait_until(lambda: len(samples) > before + 200, "samples after the replug", pump)
        finally:
            connection.stop()
    assert connection.link.identity is not None
    assert connection.link.identity.serial == "bay-99"
    assert {loss.cause for loss in losses if loss.estimated} == {"unplugged"}
    assert [notice.cause for notice in notices][:2] == ["unplugged", "plugged"]
    counts = {(t.boot, t.chip, t.conversion): t.counts for t in plugged.mcu.truth}
    assert all(counts[8, s.chip, s.number] == s.counts for s in samples[:before] if s.number > 200)
    for chip in range(4):
        times = [sample.edge_ns for sample in samples if sample.chip == chip]
        assert times == sorted(set(times))


def test_an_mcu_tells_who_it_is_and_two_are_told_apart_by_serial(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    ports = [PortInfo(str(path), 0x1A86, 0x7523, by_path=str(path)) for path in (one, two)]
    with (
        PtyMcu(FakeMcu.with_chips(1, 80.0, serial="bay-01"), one),
        PtyMcu(FakeMcu.with_chips(1, 80.0, serial="bay-02", protocol=9), two),
    ):
        identity = read_identity(str(two), 60.0)
        assert (identity.serial, identity.protocol) == ("bay-02", 9)
        found = find_by_serial("bay-02", lambda: ports, lambda path: read_identity(path, 60.0))
        assert found == str(two)


def test_a_port_found_by_serial_is_taken_again_unasked_while_it_is_there() -> None:
    asked: list[str] = []

    def identify(path: str) -> Identity:
        asked.append(path)
        return Identity(0, 0, serial="bay-05" if path == "/dev/ttyUSB1" else "bay-06")

    here = [PortInfo(f"/dev/ttyUSB{k}", 0x0403, 0x6001) for k in range(2)]
    find = BySerial("bay-05", lambda: here, identify)
    assert [find(), find()] == ["/dev/ttyUSB1"] * 2
    assert asked == ["/dev/ttyUSB0", "/dev/ttyUSB1"]
    del here[1]
    with pytest.raises(PortError, match="bay-05"):
        find()


def test_looking_for_a_serial_that_nobody_has_lists_who_was_met() -> None:
    def identify(path: str):  # type: ignore[no-untyped-def]
        raise LinkError(f"nothing came from {path}")

    ports = [PortInfo("/dev/ttyUSB0", 0x0403, 0x6001, location="1-1"), PortInfo("/dev/ttyS0")]
    with pytest.raises(PortError, match=r"serial bay-05 .*ttyUSB0 \(FTDI FT232R, socket 1-1\): nothing came"):
        find_by_serial("bay-05", lambda: ports, identify)


def test_a_port_where_nobody_answers_is_said_to_be_silent_or_to_have_other_firmware(pty: _Pty) -> None:
    with pytest.raises(LinkError, match="nothing came from"):
        read_identity(pty.path, 0.1)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(0.005):
            os.write(pty.master, b"Weight: 1 g\r\n")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        with pytest.raises(LinkError, match="other firmware or another baud rate"):
            read_identity(pty.path, 1.0)
    finally:
        stop.set()
        thread.join()
