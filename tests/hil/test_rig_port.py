"""The emulated board in real time: a port that comes and goes, resets on opening, and cares for the baud."""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from rig_programs import ECHO, READER
from rig_ready import CompileAvr

from hil.rig.build import build
from hil.rig.controls import ChipSetup
from hil.rig.errors import RigError
from hil.rig.port import Dtr, PtyRig
from hil.rig.process import Process

LONGEST_S = 20.0  # of anything here; reached only when it is broken

pytestmark = pytest.mark.usefixtures("rig_program")


@pytest.fixture
def board(avr: CompileAvr, tmp_path: Path) -> Iterator[PtyRig]:
    with PtyRig(tmp_path / "ttyRIG", avr(ECHO)) as rig:
        until = time.monotonic() + LONGEST_S
        while rig.state().baud != 250_000:  # from then on the cause of its first start is cleared
            assert time.monotonic() < until
            time.sleep(0.002)
        yield rig


def opened(board: PtyRig, baud: int = 250_000) -> serial.Serial:
    return serial.Serial(str(board.port), baud, timeout=LONGEST_S)


def wait_until_closed(board: PtyRig) -> None:
    """The rig looks at its port every millisecond or so, as a line takes its time to drop."""
    until = time.monotonic() + LONGEST_S
    while board.state().opened:
        assert time.monotonic() < until
        time.sleep(0.002)


def test_opening_the_port_resets_the_board_and_bytes_go_both_ways(board: PtyRig) -> None:
    with opened(board) as port:
        assert port.readline().startswith(b"start 2 ")
        port.write(b"hello")
        assert port.read(5) == b"hello"
    wait_until_closed(board)
    with opened(board) as port:
        assert port.readline().startswith(b"start 2 ")


def test_with_hupcl_cleared_a_second_open_leaves_the_program_running(board: PtyRig) -> None:
    board.dtr(Dtr.HUPCL)
    with opened(board) as port:
        assert port.readline().startswith(b"start 2 ")
        settings = termios.tcgetattr(port.fd)
        settings[2] &= ~termios.HUPCL
        termios.tcsetattr(port.fd, termios.TCSANOW, settings)
        port.write(b"a")
        assert port.read(1) == b"a"
    wait_until_closed(board)
    with opened(board) as port:
        port.write(b"b")
        assert port.read(1) == b"b"
    assert board.state().resets == 2  # power-on and the first open


def test_pulling_the_cable_takes_the_port_away_and_the_power_and_plugging_gives_both_back(board: PtyRig) -> None:
    port = opened(board)
    assert port.readline().startswith(b"start 2 ")
    device = board.port.resolve()
    assert str(device).startswith("/dev/pts/")
    board.unplug()
    assert not board.port.exists()
    assert board.state().mcu == "off"
    with pytest.raises(serial.SerialException):
        port.read(1)
    port.close()
    board.plug()
    assert board.port.exists()
    with opened(board) as port:
        assert int(port.readline().split()[1]) & 2  # the open's reset, perhaps before the program saw the power-on


def test_a_board_powered_from_elsewhere_runs_on_without_its_cable(board: PtyRig) -> None:
    board.dtr(Dtr.HUPCL)
    with opened(board) as port:
        assert port.readline().startswith(b"start 2 ")
    wait_until_closed(board)
    board.unplug(powered=True)
    assert board.state().mcu == "running"
    board.plug()
    assert board.state().resets == 2


def test_at_another_baud_both_sides_get_garbage(board: PtyRig) -> None:
    with opened(board, 115_200) as port:
        assert b"start" not in port.read(10)
    wait_until_closed(board)
    with opened(board, 245_000) as port:  # two per cent off is still understood
        assert port.readline().startswith(b"start 2 ")


def test_the_truth_is_on_the_hosts_monotonic_clock(avr: CompileAvr, tmp_path: Path) -> None:
    before_ns = time.monotonic_ns()
    with PtyRig(tmp_path / "ttyRIG", avr(READER), chips=1) as rig:
        rig.setup(0, ChipSetup(level_counts=77, wake_counts=(0, 0, 0, 0)))
        with opened(rig) as port:
            assert port.read(50).count(b"\x80\x00\x00\x4d\xa5") >= 9
        heard_ns = time.monotonic_ns()
        truth = rig.truth()
    assert before_ns < truth["edge_ns"][0] < truth["edge_ns"][-1] < heard_ns
    assert truth.size >= 10


def test_bytes_for_a_program_that_does_not_read_are_dropped_and_counted(avr: CompileAvr, tmp_path: Path) -> None:
    flood = r"""
    #include <avr/io.h>
    int main(void)
    {
        UCSR0A = 1 << U2X0;
        UBRR0 = 1;
        UCSR0C = 3 << UCSZ00;
        UCSR0B = 1 << TXEN0;
        for (;;)
            if (UCSR0A & 1 << UDRE0)
                UDR0 = 'x';
    }
    """
    with PtyRig(tmp_path / "ttyRIG", avr(flood)) as rig, opened(rig, 1_000_000):
        until = time.monotonic() + LONGEST_S
        while rig.state().host_dropped == 0:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert rig.state().mcu == "running"


def test_the_rig_ends_with_its_owner_and_its_port_with_it(avr: CompileAvr, tmp_path: Path) -> None:
    port = tmp_path / "ttyRIG"
    with PtyRig(port, avr(ECHO)):
        assert port.exists()
    assert not port.exists()
    assert not port.is_symlink()


@pytest.mark.parametrize("name", ["ttyRIG", "ttyRIG.new"])
def test_a_file_under_the_name_of_the_port_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    file, port = tmp_path / name, tmp_path / "ttyRIG"
    file.write_text("precious")
    with pytest.raises(RigError, match=f"{file} is there already and isn't a link"):
        PtyRig(port)
    with (
        Process(build(), ["--port", str(port)]) as simulator,
        pytest.raises(RigError, match=f"{file} is there already and isn't a link"),
    ):
        simulator.ask("state")
    assert file.read_text() == "precious"


def test_a_link_that_an_earlier_rig_left_is_replaced(tmp_path: Path) -> None:
    port = tmp_path / "ttyRIG"
    port.symlink_to(tmp_path / "gone")
    with PtyRig(port):
        assert str(port.resolve()).startswith("/dev/pts/")


def test_a_second_opener_at_the_same_moment_does_not_take_the_port_from_the_first(board: PtyRig) -> None:
    with opened(board) as port:
        others = [os.open(board.port, os.O_RDWR | os.O_NOCTTY) for _ in range(5)]
        assert port.readline().startswith(b"start 2 ")
        for other in others:
            os.close(other)
        for _ in range(20):
            port.write(b"x")
            assert port.read(1) == b"x"
    wait_until_closed(board)
    assert board.state().resets == 2
