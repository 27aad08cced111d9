"""The real avrdude on the emulated board, in real time: what can go wrong is told, and the next try works (P10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flash_bench import PATIENT, Board
from rig_ready import needed

from firmware_bridge.flash.avrdude import Limits
from firmware_bridge.flash.errors import (
    BrokenOffError,
    CancelledError,
    FlashError,
    NoBootloaderError,
    VerifyError,
    WrongChipError,
)
from firmware_bridge.flash.writing import Holds, Progress
from hil.rig.bootloader import Bootloader, build_bootloader
from hil.rig.faults import Way
from hil.rig.port import PtyRig

MakeBoard = Callable[..., Board]


@pytest.fixture
def make_board(tmp_path: Path) -> Iterator[MakeBoard]:
    """Makes a board with a bootloader of some kind."""
    needed("simavr", "avr-gcc", "avrdude")
    boards = []

    def make(kind: Bootloader = Bootloader.NEW) -> Board:
        boards.append(Board(tmp_path, kind))
        return boards[-1]

    yield make
    for board in boards:
        board.rig.close()


def test_an_image_is_written_and_progress_never_goes_back(make_board: MakeBoard) -> None:
    board = make_board()
    shares: list[float] = []
    writer = board.writer(lambda progress: shares.append(progress.share))
    assert writer.write() == 115_200
    assert board.memory() == board.image.memory
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(set(shares)) > 50


def test_an_old_bootloader_at_57600_is_found(make_board: MakeBoard) -> None:
    board = make_board(Bootloader.OLD)
    tried: list[str] = []
    writer = board.writer(lambda progress: tried.append(progress.text), Limits(connect_s=3.0, stall_s=20.0))
    assert writer.write() == 57_600
    assert board.memory() == board.image.memory
    assert tried[0] == "connecting at 115200 baud"
    assert "connecting at 57600 baud" in tried


def test_another_chip_is_refused_before_a_byte_is_written(make_board: MakeBoard) -> None:
    board = make_board(Bootloader.OTHER_CHIP)
    before = board.flash_file.read_bytes()
    with pytest.raises(WrongChipError) as caught:
        board.writer().write()
    text = str(caught.value)
    assert "isn't an atmega328p: its signature is 1E 95 16, expected 1E 95 0F" in text
    assert Holds.OLD.sentence in text
    assert board.flash_file.read_bytes() == before


def test_a_worn_out_cell_is_found_and_what_holds_it_never_starts(make_board: MakeBoard) -> None:
    board = make_board(Bootloader.WORN)
    with pytest.raises(VerifyError) as caught:
        board.writer().write()
    text = str(caught.value)
    assert "what was read back isn't what was written at address 0x801, twice" in text
    assert Holds.STANDSTILL.sentence in text
    assert board.memory().startswith(board.image.chip.standstill)


def test_without_a_bootloader_it_gives_up_and_says_what_to_do(tmp_path: Path, make_board: MakeBoard) -> None:
    board = make_board()  # makes sure that the tools are here, and has the image
    with PtyRig(tmp_path / "tty-bare", board.image.path) as rig, pytest.raises(NoBootloaderError) as caught:
        board.writer(limits=Limits(connect_s=0.8, stall_s=5.0), port=rig.port).write()
    text = str(caught.value)
    assert "no bootloader answers there (tried 115200 and 57600 baud, each twice)" in text
    assert Holds.OLD.sentence in text
    assert "Burn Bootloader" in text


def test_a_line_that_goes_dead_for_a_while_is_survived_by_itself(make_board: MakeBoard) -> None:
    board = make_board()
    silenced: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.share > 0.3 and not silenced:
            silenced.append(True)
            board.rig.wire(Way.TO_HOST, silent=True)
        elif progress.share == 0.0 and silenced:
            board.rig.wire(Way.TO_HOST, silent=False)

    writer = board.writer(watch, Limits(connect_s=8.0, stall_s=1.5))
    assert writer.write() == 115_200
    assert silenced
    assert board.memory() == board.image.memory


def test_a_line_that_stays_dead_is_told_and_the_next_try_works(make_board: MakeBoard) -> None:
    board = make_board()

    def watch(progress: Progress) -> None:
        if progress.share > 0.3:
            board.rig.wire(Way.TO_HOST, silent=True)

    with pytest.raises(BrokenOffError) as caught:
        board.writer(watch, Limits(connect_s=1.5, stall_s=1.5)).write()
    assert Holds.STANDSTILL.sentence in str(caught.value)
    assert "then run this again" in str(caught.value)
    assert board.memory().startswith(board.image.chip.standstill)
    board.rig.wire(Way.TO_HOST, silent=False)
    assert board.writer().write() == 115_200
    assert board.memory() == board.image.memory


def test_noise_on_the_line_never_passes_as_written(make_board: MakeBoard) -> None:
    board = make_board()
    board.rig.wire(Way.TO_MCU, flip=0.002)  # one byte in 500: it can't be written without damage
    with pytest.raises(FlashError, match="run this again"):
        board.writer(limits=Limits(connect_s=1.5, stall_s=1.5)).write()
    assert board.memory() != board.image.memory
    board.rig.wire(Way.TO_MCU, flip=0.0)
    assert board.writer().write() == 115_200
    assert board.memory() == board.image.memory


def test_after_a_replug_under_another_name_it_is_flashed_there(tmp_path: Path, make_board: MakeBoard) -> None:
    board = make_board()

    def watch(progress: Progress) -> None:
        if progress.share > 0.4:
            board.rig.unplug()

    with pytest.raises(BrokenOffError, match="the port may have another name then"):
        board.writer(watch).write()
    assert board.memory().startswith(board.image.chip.standstill)
    board.rig.close()
    bootloader = build_bootloader()
    with PtyRig(tmp_path / "tty-other", flash=board.flash_file, bootloader=bootloader) as rig:
        assert board.writer(port=rig.port).write() == 115_200
    assert board.memory() == board.image.memory


def test_ctrl_c_ends_it_at_once_with_the_code_of_an_interrupt(make_board: MakeBoard) -> None:
    board = make_board()

    def watch(progress: Progress) -> None:
        if progress.share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(CancelledError) as caught:
        board.writer(watch, PATIENT).write()
    assert caught.value.exit_code == 130
    assert "stopped by Ctrl-C. " + Holds.STANDSTILL.sentence in str(caught.value)


def test_an_avrdude_that_is_set_up_wrongly_is_told_in_its_own_words(
    tmp_path: Path,
    make_board: MakeBoard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = make_board()
    (tmp_path / ".avrduderc").write_text("this is no configuration;\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(BrokenOffError, match=r"avrdude gave up, twice: .*\.avrduderc.*Nothing was written"):
        board.writer().write()
