"""The emulated board in lockstep behaves like a board: time, line, resets, memories, supply, and chips on the pins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rig_programs import ECHO, READER, STOPWATCH
from rig_ready import CompileAvr

from drivers.hx711.chip_faults import ChipFault, PlannedFault
from hil.rig.controls import ChipSetup
from hil.rig.errors import RigError
from hil.rig.faults import BoardFault, PlannedBoardFault, Reset, Way
from hil.rig.lockstep import Chunk, LockstepRig
from hil.rig.truth import Mark

MS = 1_000_000
START_UP_NS = 66_025_000
BYTE_NS = 40_000

pytestmark = pytest.mark.usefixtures("rig_program")


def text(chunks: list[Chunk]) -> str:
    return b"".join(chunk.data for chunk in chunks).decode("latin-1")


def readings(chunks: list[Chunk]) -> list[tuple[int, int, bool]]:
    """Chip, code and 25th bit from what READER sends."""
    sent = np.frombuffer(b"".join(chunk.data for chunk in chunks), np.uint8)
    rows = sent[: sent.size // 5 * 5].reshape(-1, 5)
    assert np.all(rows[:, 4] == 0xA5)
    codes = rows[:, 1].astype(np.int32) << 16 | rows[:, 2].astype(np.int32) << 8 | rows[:, 3]
    codes -= (codes & 0x800000) << 1
    return [(int(row[0] & 7), int(code), bool(row[0] & 128)) for row, code in zip(rows, codes, strict=True)]


def test_each_cause_of_a_reset_is_seen_by_the_program_and_starts_it_after_the_start_up_time(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO)) as rig:
        assert rig.state().mcu == "in reset"
        first = rig.run(100_000)
        assert text(first) == "start 1 0 \n"
        assert START_UP_NS < first[0].time_ns < START_UP_NS + 2 * MS
        rig.reset(Reset.EXTERNAL)
        assert text(rig.run(100_000)) == "start 2 1 \n"
        rig.reset(Reset.BROWN_OUT)
        assert text(rig.run(100_000)) == "start 4 2 \n"
        rig.send(b"W")
        assert text(rig.run(100_000)) == "start 8 3 \n"
        rig.power(False)
        assert rig.run(100_000) == []
        assert rig.state().mcu == "off"
        rig.power(True)
        assert text(rig.run(100_000)) == "start 1 4 \n"


def test_a_program_asleep_for_good_is_halted_until_a_reset(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO)) as rig:
        rig.run(100_000)
        rig.send(b"Hx")
        assert rig.run(100_000) == []
        assert rig.state().mcu == "halted"
        rig.reset()
        assert text(rig.run(100_000)) == "start 2 1 \n"


def test_flash_and_eeprom_stay_in_their_files_from_one_rig_to_the_next(avr: CompileAvr, tmp_path: Path) -> None:
    flash, eeprom = tmp_path / "flash", tmp_path / "eeprom"
    with LockstepRig(avr(ECHO), flash=flash, eeprom=eeprom) as rig:
        assert text(rig.run(100_000)) == "start 1 0 \n"
    with LockstepRig(flash=flash, eeprom=eeprom) as rig:
        assert text(rig.run(100_000)) == "start 1 1 \n"
    assert (flash.stat().st_size, eeprom.stat().st_size) == (32768, 1024)
    assert eeprom.read_bytes()[5] == 1


def test_a_reset_begins_in_the_bootloader(avr: CompileAvr, tmp_path: Path) -> None:
    program = avr(ECHO)
    with LockstepRig(program) as rig:
        plain = rig.run(400_000)
    boot = avr(
        '__attribute__((naked, used)) void start(void) { __asm__ volatile("clr r1\\n ldi r24, 0\\n ldi r25, 0\\n"'
        '"ldi r26, 16\\n 1: sbiw r24, 1\\n brne 1b\\n dec r26\\n brne 1b\\n jmp 0"); }',
        "-nostartfiles",
        "-Wl,--section-start=.text=0x7e00",
    )
    with LockstepRig(program, bootloader=boot) as rig:
        through = rig.run(400_000)
    assert text(through) == text(plain)
    turns_ns = 16 * 65536 * 4 * 62.5  # of the bootloader's loop, 4 cycles each
    assert through[0].time_ns - plain[0].time_ns == pytest.approx(turns_ns, rel=0.01)


def test_bytes_take_their_time_on_the_line_both_ways(avr: CompileAvr) -> None:
    letters = bytes(range(97, 123))
    with LockstepRig(avr(ECHO)) as rig:
        rig.run(100_000)
        sent_ns = rig.state().now_ns
        rig.send(letters)
        chunks = rig.run(5_000)
    assert text(chunks).encode() == letters
    took_ns = chunks[-1].time_ns - sent_ns
    assert 27 * BYTE_NS <= took_ns <= 27 * BYTE_NS + BYTE_NS  # the first comes back one byte after it went


def test_what_the_program_fetches_too_late_is_overrun_and_counted(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO)) as rig:
        rig.run(100_000)
        rig.send(b"Babcdef")  # B: 2 ms with interrupts off, six bytes come meanwhile
        assert text(rig.run(10_000)) == "Babc"
        assert rig.state().uart_overruns == 3


def test_the_crystal_runs_as_wrong_as_it_is_told(avr: CompileAvr) -> None:
    def ticks_ns(error_ppm: float) -> float:
        with LockstepRig(avr(ECHO)) as rig:
            rig.crystal(error_ppm)
            rig.run(100_000)
            rig.send(b"T")
            times = [chunk.time_ns for chunk in rig.run(5_000_000) if b"." in chunk.data]
            assert len(times) > 45
            return (times[-1] - times[0]) / (len(times) - 1)

    assert ticks_ns(0) == pytest.approx(100 * MS, abs=200)
    assert ticks_ns(500) == pytest.approx(100 * MS / 1.0005, abs=200)
    assert ticks_ns(-2000) == pytest.approx(100 * MS / 0.998, abs=200)


def test_supply_and_analog_pins_are_what_the_adc_sees(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO)) as rig:
        rig.run(100_000)
        rig.supply(4400)
        rig.analog(7, 2200)
        rig.send(b"A")
        bandgap, sensor = (int(word) for word in text(rig.run(5_000)).rstrip("A").split())
    assert bandgap == pytest.approx(1100 / 4400 * 1023, abs=1.5)
    assert sensor == pytest.approx(511, abs=1.5)


def test_the_line_loses_turns_and_adds_as_often_as_told_and_counts_it(avr: CompileAvr) -> None:
    sent = bytes(range(97, 117)) * 100
    with LockstepRig(avr(ECHO)) as rig:
        rig.run(100_000)
        rig.wire(Way.TO_HOST, lose=0.1)
        rig.send(sent)
        lost = text(rig.run(100_000))
        counted = rig.state().wire
        assert len(sent) - len(lost) == counted["host_lost"]
        assert 120 < counted["host_lost"] < 280
        rig.wire(Way.TO_HOST, lose=0, flip=0.1)
        rig.send(sent)
        flipped = text(rig.run(100_000)).encode("latin-1")
        different = [a ^ b for a, b in zip(sent, flipped, strict=True) if a != b]
        assert len(different) == rig.state().wire["host_flipped"]
        assert all(bits & (bits - 1) == 0 for bits in different)
        rig.wire(Way.TO_HOST, flip=0, add=0.1)
        rig.send(sent)
        assert len(text(rig.run(100_000))) == len(sent) + rig.state().wire["host_added"]
        rig.wire(Way.TO_HOST, add=0)
        rig.wire(Way.TO_MCU, silent=True)
        rig.send(b"abc")
        assert rig.run(100_000) == []
        assert rig.state().wire["mcu_lost"] == 3


def test_orders_for_later_happen_at_their_time(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO)) as rig:
        rig.reset(at_ns=500 * MS)
        rig.reset(Reset.BROWN_OUT, at_ns=300 * MS)
        starts = [(chunk.time_ns, chunk.data) for chunk in rig.run(1_000_000)]
    assert [data for _, data in starts] == [b"start 1 0 \n", b"start 4 1 \n", b"start 2 2 \n"]
    for (time_ns, _), asked_ms in zip(starts, (0, 300, 500), strict=True):
        assert asked_ms * MS + START_UP_NS < time_ns < asked_ms * MS + START_UP_NS + 5 * MS


def test_a_run_can_be_repeated_exactly_and_another_seed_gives_other_noise(avr: CompileAvr) -> None:
    def a_run(seed: int) -> tuple[list[Chunk], bytes]:
        with LockstepRig(avr(READER), chips=3, seed=seed) as rig:
            for chip in range(3):
                rig.setup(chip, ChipSetup(level_counts=5000.0 * chip, noise_counts=30))
            return rig.run(500_000), rig.truth().tobytes()

    first, again, other = a_run(1), a_run(1), a_run(2)
    assert first == again
    assert first[1] != other[1]


def test_a_program_reads_from_eight_chips_just_what_they_converted(avr: CompileAvr) -> None:
    """P3 for the rig itself: no conversion is lost between the chips and the line, and none is made up."""
    levels = [-8_000_000, -1, 0, 1, 123_456, 8_388_607, 4_194_303, -8_388_608]
    with LockstepRig(avr(READER), chips=8) as rig:
        for chip, level in enumerate(levels):
            rig.setup(chip, ChipSetup(level_counts=level, noise_counts=0, rate_hz=78 + chip))
        came = readings(rig.run(2_000_000))
        truth = rig.truth()
    for chip, level in enumerate(levels):
        got = [(code, last) for one, code, last in came if one == chip]
        made = truth[truth["chip"] == chip]
        assert 145 < made.size <= len(got) <= made.size + 1
        assert np.array_equal(made["counts"], [code for code, _ in got[: made.size]])
        assert all(last for _, last in got)
        assert set(made["counts"][4:].tolist()) == {level}
        assert np.all(made["marks"] & Mark.READ)
        assert np.all(made["pulses"] == 25)
        assert np.diff(made["edge_ns"]) == pytest.approx(1e9 / (78 + chip), rel=1e-3)
        assert np.all((made["read_begin_ns"] - made["edge_ns"])[1:] < MS)  # the first came before the program ran


def test_dout_moves_within_a_microsecond_of_its_time(avr: CompileAvr) -> None:
    with LockstepRig(avr(STOPWATCH), chips=1) as rig:
        rig.setup(0, ChipSetup(level_counts=0, wake_counts=(0, 0, 0, 0), jitter=0, rate_hz=400))
        sent = b"".join(chunk.data for chunk in rig.run(500_000))
    update, power_down, period = np.frombuffer(sent, "<u2")
    assert update / 16 == pytest.approx(75, abs=1)  # the no-read update pulse
    assert power_down / 16 == pytest.approx(60, abs=1)
    assert period / 2 == pytest.approx(2500, abs=1)


def test_time_passes_just_as_much_as_asked_for(avr: CompileAvr) -> None:
    with LockstepRig(avr(ECHO), chips=2) as rig:
        for _ in range(200):
            rig.run(997.3)
        assert rig.state().now_ns == pytest.approx(200 * 997_300, abs=200)  # the instruction under way


def test_levels_are_converted_at_their_time(avr: CompileAvr) -> None:
    times = np.arange(0, 1000, 100) * MS
    steps = np.arange(10) * 1000.5
    with LockstepRig(avr(READER), chips=1) as rig:
        rig.levels(0, times, steps)
        rig.setup(0, ChipSetup(wake_counts=(0, 0, 0, 0)))
        rig.run(1_000_000)
        truth = rig.truth()
    expected = np.rint(steps[np.searchsorted(times, truth["edge_ns"], side="right") - 1])
    assert np.array_equal(truth["counts"], expected)


@pytest.mark.parametrize("fault", [ChipFault.RESET_MID_READ, ChipFault.MISSED_PULSE, ChipFault.EXTRA_PULSE])
def test_a_fault_of_one_read_spoils_that_one_and_the_truth_says_so(avr: CompileAvr, fault: ChipFault) -> None:
    with LockstepRig(avr(READER), chips=2) as rig:
        for chip in range(2):
            rig.setup(chip, ChipSetup(level_counts=0x2AAAAA))
        rig.inject(1, PlannedFault(fault, 400 * MS, bit=10))
        came = readings(rig.run(1_000_000))
        truth = rig.truth()
    settled = (truth["marks"] & Mark.SETTLED) != 0
    hit = truth[(truth["fault"] != 0) & settled]
    assert hit["chip"].tolist() == [1]
    assert hit["marks"][0] & Mark.SPOILT
    assert 400 * MS <= hit["read_begin_ns"][0] <= 413 * MS
    wrong = [code for chip, code, _ in came if chip == 1 and code not in truth["counts"]]
    high = 0x2AAAAA >> 14 << 14  # the ten bits before
    assert (
        wrong
        == {
            ChipFault.RESET_MID_READ: [high | 0x3FFF],  # ones from there on
            # One bit late: bit 9, which is 0, comes twice; and DOUT stays on the last bit, a 0: it looks ready again.
            ChipFault.MISSED_PULSE: [high | 0x2AAAAA >> 1 & 0x1FFF, -1],
            ChipFault.EXTRA_PULSE: [high | 0x2AAAAA << 1 & 0x3FFF | 1],  # one bit early, and a 1 at the end
        }[fault]
    )


def test_faults_of_the_board_show_on_the_pin_and_in_the_codes(avr: CompileAvr) -> None:
    with LockstepRig(avr(READER), chips=2) as rig:
        rig.inject(0, PlannedBoardFault(BoardFault.NOISY, 300 * MS, 800 * MS, 3000))
        rig.inject(1, PlannedBoardFault(BoardFault.OSCILLATING, 300 * MS, 800 * MS, 1500))
        rig.run(300_000)
        rig.truth()
        came = readings(rig.run(500_000))
        truth = rig.truth()
    noisy = truth[truth["chip"] == 0]["counts"]
    assert 2000 < noisy.std() < 4000
    assert len([1 for chip, _, _ in came if chip == 1]) > 200  # false edges all the time


def test_a_brown_out_takes_mcu_and_chips_down_together(avr: CompileAvr) -> None:
    with LockstepRig(avr(READER), chips=2) as rig:
        rig.brown_out(500 * MS, 700 * MS)
        chunks = rig.run(1_500_000)
        truth = rig.truth()
    sent = [chunk.time_ns for chunk in chunks]
    assert not [at for at in sent if 502 * MS < at < 700 * MS + START_UP_NS // 2]
    assert [at for at in sent if at > 900 * MS]
    for chip in range(2):
        edges = truth["edge_ns"][truth["chip"] == chip]
        assert not np.any((edges > 500 * MS) & (edges < 700 * MS + 4 * 12 * MS))
        after = truth[(truth["chip"] == chip) & (truth["edge_ns"] > 700 * MS)]
        assert after["marks"][0] & Mark.AFTER_RESTART
        assert np.all((after["marks"][:4] & Mark.SETTLED) == 0)


def test_a_chip_taken_off_its_pins_is_silent_and_comes_back(avr: CompileAvr) -> None:
    with LockstepRig(avr(READER), chips=5) as rig:
        rig.run(300_000)
        rig.setup(4, ChipSetup(connected=False))  # one of those with a pull-up
        rig.run(20_000)
        assert not [1 for chip, _, _ in readings(rig.run(200_000)) if chip == 4]
        rig.setup(4, ChipSetup(connected=True))
        assert [1 for chip, _, _ in readings(rig.run(200_000)) if chip == 4]


def test_what_the_rig_cannot_do_is_refused_with_the_reason(avr: CompileAvr, tmp_path: Path) -> None:
    with LockstepRig(avr(ECHO), chips=1) as rig:
        with pytest.raises(RigError, match=r"chip <0\.\.0>"):
            rig.setup(3, ChipSetup(rate_hz=10))
        with pytest.raises(RigError, match="rate_hz"):
            rig.setup(0, ChipSetup(rate_hz=-1))
        with pytest.raises(ValueError, match="rise"):
            rig.levels(0, [5, 3], [1, 2])
        assert text(rig.run(100_000)) == "start 1 0 \n"
    damaged = tmp_path / "damaged.hex"
    damaged.write_text(":0100000055AB\n:00000001FF\n", encoding="ascii")
    with pytest.raises(RigError, match=r"damaged\.hex:1: not a valid Intel HEX record"):
        LockstepRig(damaged)


def test_a_long_run_loses_no_byte_and_is_the_same_as_many_short_ones(avr: CompileAvr) -> None:
    program = avr(READER)
    with LockstepRig(program, chips=8) as rig:
        at_once = rig.run(20e6)
    with LockstepRig(program, chips=8) as rig:
        in_parts = [chunk for _ in range(2000) for chunk in rig.run(10e3)]
    assert b"".join(c.data for c in at_once) == b"".join(c.data for c in in_parts)
    assert len(readings(at_once)) > 8 * 80 * 19
    assert at_once[-1].time_ns == in_parts[-1].time_ns
