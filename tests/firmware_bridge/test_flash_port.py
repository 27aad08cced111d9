"""A port that can't be used is told apart before anything is tried with it; nothing is written then (P10)."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.flash.avrdude import find_avrdude
from firmware_bridge.flash.errors import FlashError, FlashPortError, ToolError
from firmware_bridge.flash.interview import Interview
from firmware_bridge.flash.port_check import check_port


@pytest.fixture
def port() -> Iterator[str]:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name
    os.close(master)


def refusal(port: str) -> str:
    with pytest.raises(FlashPortError) as caught:
        check_port(port)
    assert str(caught.value).endswith("Nothing was written")
    return str(caught.value)


def test_a_free_port_passes(port: str) -> None:
    check_port(port)


def test_a_port_that_isnt_there(tmp_path: Path) -> None:
    text = refusal(str(tmp_path / "ttyUSB7"))
    assert "ttyUSB7: no such port. Check the cable" in text


def test_a_file_is_no_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert "isn't a serial port" in refusal(str(path))
    assert "isn't a serial port" in refusal(str(tmp_path))


def test_the_null_device_is_no_port_whoever_has_it_open() -> None:
    assert "isn't a serial port" in refusal(os.devnull)


def test_a_port_in_use_names_who_uses_it(port: str) -> None:
    program = f"import os, sys; os.open({port!r}, os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        text = refusal(port)
        assert f"(process {other.pid})" in text
        assert "is in use by python" in text
        other.stdin.close()
    check_port(port)


def test_a_port_of_the_group_dialout_says_how_to_join_it(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    class Dialout:
        gr_name = "dialout"

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(grp, "getgrgid", lambda _: Dialout)
    assert "log out and in, and run this again: sudo usermod -aG dialout $USER" in refusal(port)


def test_a_port_that_only_root_may_open_says_so(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    class Root:
        gr_name = "root"

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(grp, "getgrgid", lambda _: Root)
    assert "run this as root (sudo)" in refusal(port)


def test_without_avrdude_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="sudo apt install avrdude"):
        find_avrdude()
    assert issubclass(ToolError, FlashError)


def test_an_interview_on_a_port_that_goes_away_is_an_error_that_says_so() -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    with Interview(name) as interview:
        os.close(master)
        with pytest.raises(FlashPortError, match="the port went away while the MCU was asked"):
            interview.identity(5.0)


def test_an_mcu_that_says_nothing_is_none_after_the_time_given(port: str) -> None:
    with Interview(port) as interview:
        assert interview.identity(0.3) is None
