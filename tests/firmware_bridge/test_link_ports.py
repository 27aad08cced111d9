"""Finding the port: the one likely USB chip, a path that stays, and errors that list what was found."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from firmware_bridge.link.errors import PortError
from firmware_bridge.link.ports import PortInfo, choose_port, find_port, list_serial_ports

CH340 = PortInfo("/dev/ttyUSB0", 0x1A86, 0x7523, "", "1-1.2", "/by-id/ch340", "/by-path/1.2")
FTDI = PortInfo("/dev/ttyUSB1", 0x0403, 0x6001, "A50285BI", "1-1.3", "/by-id/ftdi-A50285BI", "/by-path/1.3")
UART = PortInfo("/dev/ttyAMA0")
MODEM = PortInfo("/dev/ttyACM0", 0x1E0E, 0x9001, "77", "1-1.4")


@pytest.mark.parametrize(
    "vid_pid", [(0x1A86, 0x7523), (0x0403, 0x6001), (0x2341, 0x0043), (0x2341, 0x0001), (0x10C4, 0xEA60)]
)
def test_the_one_port_with_a_usb_chip_of_mcu_boards_is_taken(vid_pid: tuple[int, int]) -> None:
    assert choose_port(None, [UART, PortInfo("/dev/ttyX", *vid_pid), MODEM]) == "/dev/ttyX"


def test_a_path_that_stays_is_preferred() -> None:
    assert choose_port(None, [CH340]) == "/by-path/1.2"  # all CH340s share one by-id link
    assert choose_port(None, [FTDI]) == "/by-id/ftdi-A50285BI"
    assert choose_port("1-1.3", [CH340, FTDI]) == "/by-id/ftdi-A50285BI"


def test_a_named_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert choose_port("/dev/ttyUSB0", [CH340, FTDI]) == "/dev/ttyUSB0"
    assert choose_port("/by-id/ftdi-A50285BI", [CH340, FTDI]) == "/by-id/ftdi-A50285BI"
    other = tmp_path / "pty"
    other.touch()
    assert choose_port(str(other), []) == str(other)


def test_a_path_from_the_working_directory_is_taken_and_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ttyRIG").touch()
    monkeypatch.chdir(tmp_path)
    assert choose_port("ttyRIG", [UART, CH340]) == str(tmp_path / "ttyRIG")
    with pytest.raises(PortError, match="no serial port ttyRIG2"):
        choose_port("ttyRIG2", [UART, CH340])


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_refused_though_ports_without_a_socket_have_one(empty: str) -> None:
    with pytest.raises(PortError, match=r"name is empty: give a path .*found /dev/ttyAMA0"):
        choose_port(empty, [UART, CH340])


def test_without_a_likely_port_the_error_lists_what_there_is() -> None:
    with pytest.raises(PortError, match=r"ttyAMA0 \(not USB\), /dev/ttyACM0 \(USB 1e0e:9001, socket 1-1.4\).*cable"):
        choose_port(None, [UART, MODEM])
    with pytest.raises(PortError, match="found no serial port at all"):
        choose_port(None, [])


def test_with_several_likely_ports_the_error_lists_them_and_asks_for_one() -> None:
    with pytest.raises(
        PortError, match=r"several .*option port, or --port.*ttyUSB0 \(CH340, socket 1-1.2\), /dev/ttyUSB1 \(FTDI"
    ):
        choose_port(None, [CH340, UART, FTDI])


def test_a_named_port_that_is_not_there_is_an_error_with_what_there_is() -> None:
    with pytest.raises(PortError, match=r"no serial port /dev/ttyUSB9.*found /dev/ttyUSB0 \(CH340"):
        choose_port("/dev/ttyUSB9", [CH340])


def test_ports_and_their_stable_links_are_read_from_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    for folder in ("by-id", "by-path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"usb-{folder}").symlink_to(device)
    seen = [
        SimpleNamespace(device=str(device), vid=0x1A86, pid=0x7523, serial_number=None, location="1-1.2"),
        SimpleNamespace(device=str(tmp_path / "ttyS0"), vid=None, pid=None, serial_number=None, location=None),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: seen)
    plain, usb = list_serial_ports(tmp_path)
    assert (plain.bridge, plain.stable_path) == ("", str(tmp_path / "ttyS0"))
    assert (usb.bridge, usb.stable_path) == ("CH340", str(tmp_path / "by-path" / "usb-by-path"))
    assert list_serial_ports(tmp_path / "nowhere")[1].stable_path == str(device)
    assert find_port(str(device)) == str(device)
