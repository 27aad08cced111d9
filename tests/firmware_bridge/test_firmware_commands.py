"""The real firmware's commands: carried out once, answered always, remembered through power cuts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from firmware_on_rig import HEX, McuRun, needed

from firmware_bridge.protocol.codes import ChipState, CommandCode, NoticeCause, ReplyResult, ResetCause
from firmware_bridge.protocol.commands import ping_times
from firmware_bridge.protocol.messages import Identity, Reply, Samples, Status
from hil.rig.bootloader import build_bootloader
from hil.rig.controls import ChipSetup
from hil.rig.faults import Reset, Way
from hil.rig.lockstep import LockstepRig

OWN, SHARED = 0, 1
COPY_A, COPY_B = 0x10, 0x50  # where settings.c keeps its two copies in the EEPROM


@contextmanager
def _board(eeprom: Path | None = None, chips: int = 2) -> Iterator[McuRun]:
    needed("simavr")
    with LockstepRig(HEX, chips=chips, eeprom=eeprom) as rig:
        for chip in range(chips):
            rig.setup(chip, ChipSetup(rate_hz=80.0 + chip, level_counts=40_000, level_b_counts=9_000, noise_counts=10))
        run = McuRun(rig)
        run.run(0.6)
        yield run


@pytest.fixture
def board() -> Iterator[McuRun]:
    """Two chips, just started."""
    with _board() as run:
        yield run


def _identity(run: McuRun) -> Identity:
    return run.all_of(Identity)[-1]


def _configured(clock_mode: int, *pulses: int) -> bytes:
    return bytes((clock_mode, *pulses)).ljust(9, b"\0")


def _damage(eeprom: Path, address: int) -> None:
    content = bytearray(eeprom.read_bytes())
    content[address] ^= 0x10
    eeprom.write_bytes(content)


def test_ping_tells_when_it_came_and_when_it_was_answered(board: McuRun) -> None:
    times = []
    for _ in range(5):
        before_ns = board.rig.state().now_ns
        came, answered = ping_times(board.ask(CommandCode.PING, seconds=0.05).data)
        assert 0 <= answered - came < 2_000
        times.append(came - before_ns / 1e3)
    assert np.ptp(times) < 20, "the time is that of the last byte, whatever the firmware was doing then"


def test_a_repeated_command_gets_the_same_answer_and_is_not_carried_out_again(board: McuRun) -> None:
    first = board.ask(CommandCode.PING)
    board.send(CommandCode.PING, token=first.token)
    replies = [m for m in board.run(0.05) if isinstance(m, Reply)]
    assert [reply.data for reply in replies] == [first.data]


def test_a_repeated_restart_restarts_once(board: McuRun) -> None:
    token = board.ask(CommandCode.RESTART, b"\x01").token
    board.send(CommandCode.RESTART, b"\x01", token=token)
    board.run(1.2)
    assert board.status.chips[0].restarts == 1
    assert board.status.chips[1].restarts == 0


@pytest.mark.parametrize(
    ("command", "data", "result"),
    [
        (0x99, b"", ReplyResult.UNKNOWN_COMMAND),
        (CommandCode.PING, b"x", ReplyResult.BAD_LENGTH),
        (CommandCode.CONFIGURE, b"\0", ReplyResult.BAD_LENGTH),
        (CommandCode.CONFIGURE, _configured(OWN, 24), ReplyResult.OUT_OF_RANGE),
        (CommandCode.CONFIGURE, _configured(2, 25), ReplyResult.OUT_OF_RANGE),
        (CommandCode.CONFIGURE, _configured(SHARED, 25, 26), ReplyResult.OUT_OF_RANGE),
        (CommandCode.SET_SERIAL, b"", ReplyResult.BAD_LENGTH),
        (CommandCode.SET_SERIAL, b"x" * 17, ReplyResult.BAD_LENGTH),
        (CommandCode.SET_SERIAL, b"a\x07b", ReplyResult.OUT_OF_RANGE),
        (CommandCode.STREAM, b"\x02", ReplyResult.OUT_OF_RANGE),
    ],
)
def test_what_can_not_be_done_is_refused_by_name(board: McuRun, command: int, data: bytes, result: int) -> None:
    token = board.send(command, data)
    replies = [m for m in board.run(0.05) if isinstance(m, Reply)]
    assert [(reply.token, reply.command, reply.result) for reply in replies] == [(token, command, result)]


def test_gain_and_channel_are_set_per_chip_and_the_change_settles(board: McuRun) -> None:
    before = board.counts(0, flags=0).mean()
    assert board.ask(CommandCode.CONFIGURE, _configured(OWN, 27, 26)).result == ReplyResult.DONE
    board.run(1)
    seen = len(board.messages)
    board.run(1)
    late = [s for m in board.messages[seen:] if isinstance(m, Samples) for s in m.samples]
    assert np.mean([s.counts for s in late if s.chip == 0]) == pytest.approx(before / 2, rel=0.01)
    assert np.mean([s.counts for s in late if s.chip == 1]) == pytest.approx(9_000, rel=0.01)
    assert {s.flags for s in late} == {0}


def test_a_chip_that_is_switched_off_is_quiet(board: McuRun) -> None:
    board.ask(CommandCode.CONFIGURE, _configured(OWN, 25, 0))
    board.run(0.1)
    seen = sum(1 for _ in board.samples(1))
    board.run(1.5)
    assert sum(1 for _ in board.samples(1)) == seen
    assert [chip.state for chip in board.status.chips] == [ChipState.GOOD] + [ChipState.OFF] * 7


def test_streaming_stops_and_goes_on(board: McuRun) -> None:
    board.ask(CommandCode.STREAM, b"\0")
    assert not [m for m in board.run(0.5) if isinstance(m, Samples)]
    board.ask(CommandCode.STREAM, b"\1")
    assert [m for m in board.run(0.2) if isinstance(m, Samples)]


def test_status_and_identity_come_when_asked_for(board: McuRun) -> None:
    token = board.send(CommandCode.STATUS)
    kinds = [type(m) for m in board.run(0.06) if not isinstance(m, Samples)]
    assert kinds == [Reply, Status], token
    board.send(CommandCode.IDENTIFY)
    assert [type(m) for m in board.run(0.06) if not isinstance(m, Samples)] == [Reply, Identity]


def test_settings_outlive_a_power_cut_only_once_saved(tmp_path: Path) -> None:
    eeprom = tmp_path / "eeprom"
    with _board(eeprom) as run:
        run.ask(CommandCode.CONFIGURE, _configured(OWN, 26, 25))
    with _board(eeprom) as run:
        assert _identity(run).settings == bytes([25] * 8)
        run.ask(CommandCode.CONFIGURE, _configured(OWN, 26, 25))
        run.ask(CommandCode.SAVE, seconds=0.5)
    with _board(eeprom) as run:
        assert _identity(run).settings == bytes((26, 25, 0, 0, 0, 0, 0, 0))


def test_a_serial_is_kept_and_boots_are_counted(tmp_path: Path) -> None:
    eeprom = tmp_path / "eeprom"
    with _board(eeprom) as run:
        assert _identity(run).serial == "unset"
        run.ask(CommandCode.SET_SERIAL, b"bay-07", seconds=0.5)
    for boot in range(2, 12):  # more than there are slots for the count
        with _board(eeprom) as run:
            assert (_identity(run).serial, _identity(run).boot_count) == ("bay-07", boot)


@pytest.mark.parametrize("copy", [COPY_A, COPY_B])
def test_one_damaged_copy_of_the_settings_is_mended_by_the_other(tmp_path: Path, copy: int) -> None:
    eeprom = tmp_path / "eeprom"
    with _board(eeprom) as run:
        run.ask(CommandCode.SET_SERIAL, b"bay-07", seconds=0.5)
    _damage(eeprom, copy + 5)
    with _board(eeprom) as run:
        assert _identity(run).serial == "bay-07"
        assert run.notices(255) == []
        run.run(0.5)
    content = eeprom.read_bytes()
    assert content[COPY_A : COPY_A + 31] == content[COPY_B : COPY_B + 31]
    assert content[copy + 12 :][:6] == b"bay-07"


def test_without_any_whole_copy_the_defaults_are_used_and_it_says_so(tmp_path: Path) -> None:
    """P5: it always starts."""
    eeprom = tmp_path / "eeprom"
    with _board(eeprom) as run:
        run.ask(CommandCode.SET_SERIAL, b"bay-07", seconds=0.5)
    _damage(eeprom, COPY_A + 5)
    _damage(eeprom, COPY_B + 5)
    with _board(eeprom) as run:
        assert _identity(run).serial == "unset"
        assert run.notices(255) == [(NoticeCause.SETTINGS_DAMAGED, 0)]
        assert run.counts(0, flags=0).size > 0


def test_a_power_cut_in_the_middle_of_a_save_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    eeprom = tmp_path / "eeprom"
    with _board(eeprom) as run:
        run.ask(CommandCode.SET_SERIAL, b"old", seconds=0.5)
    for cut_ms in range(2, 70, 7):
        with _board(eeprom) as run:
            old = _identity(run).serial
            run.send(CommandCode.SET_SERIAL, b"new-%d" % cut_ms)
            run.run(cut_ms / 1e3)
        with _board(eeprom) as run:
            assert _identity(run).serial in (old, f"new-{cut_ms}")
            assert run.notices(255) == []


def test_reboot_answers_first_and_comes_back_with_its_cause(board: McuRun) -> None:
    assert board.ask(CommandCode.REBOOT, seconds=0.01).result == ReplyResult.DONE
    board.run(1)
    assert _identity(board).reset_cause == ResetCause.WATCHDOG
    assert _identity(board).boot_count == 2


def test_a_reset_from_outside_is_told_apart(board: McuRun) -> None:
    board.rig.reset(Reset.EXTERNAL)
    board.run(1.5)
    assert (_identity(board).reset_cause, _identity(board).boot_count) == (ResetCause.EXTERNAL, 2)
    assert board.status.reset_cause == ResetCause.EXTERNAL


def test_the_reset_cause_comes_through_a_bootloader_that_has_cleared_it() -> None:
    needed("simavr", "avr-gcc")
    with LockstepRig(HEX, bootloader=build_bootloader(), chips=8) as rig:
        run = McuRun(rig)
        run.run(1)
        assert _identity(run).reset_cause == ResetCause.POWER_ON
        run.ask(CommandCode.REBOOT, seconds=0.01)
        run.run(2)
        assert _identity(run).reset_cause & ResetCause.WATCHDOG
        assert _identity(run).boot_count == 2, "the watchdog was left running by whoever came before: no reset loop"


def test_garbage_on_the_line_is_counted_and_harms_nothing(board: McuRun) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        board.rig.send(rng.bytes(200))
        board.run(0.02)
    board.rig.send(b"\0")
    board.run(0.01)
    assert board.ask(CommandCode.PING).result == ReplyResult.DONE
    board.run(1.1)
    assert board.status.rx_damaged > 5
    assert board.status.rx_overrun == 0
    assert [chip.restarts for chip in board.status.chips[:2]] == [0, 0]


def test_on_a_bad_line_an_answer_is_never_to_another_question(board: McuRun) -> None:
    board.rig.wire(Way.TO_MCU, flip=0.02, lose=0.01)
    tokens = {board.send(CommandCode.PING) for _ in range(40) if board.run(0.01) is not None}
    board.run(0.2)
    replies = board.all_of(Reply)
    assert {reply.token for reply in replies} < tokens
    assert {(reply.command, reply.result) for reply in replies} == {(CommandCode.PING, ReplyResult.DONE)}
