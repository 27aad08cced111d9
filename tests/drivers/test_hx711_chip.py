"""The chip model does at its pins what the datasheets say, and its faults what they are named for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hx711.chip import WAKE_PERIODS, Chip, Datasheet, Setting
from drivers.hx711.chip_faults import ChipFault, PlannedFault

PERIOD_NS = 12_500_000
FIRST_NS = 100_000_000


def made(code: float = 0x123456, **options) -> Chip:
    return Chip(lambda _: code, 80.0, FIRST_NS, jitter=0.0, settling_at_start=0, **options)


def clocked(chip: Chip, at_ns: int, pulses: int = 25, high_ns: int = 1000, low_ns: int = 1000) -> tuple[int, int]:
    """All bits but the last three as they come, and the time after them: DOUT is looked at after each pulse."""
    bits = 0
    for _ in range(pulses):
        chip.sck(True, at_ns)
        chip.sck(False, at_ns + high_ns)
        at_ns += high_ns + low_ns
        bits = bits << 1 | chip.dout(at_ns)
    return bits, at_ns


def edge_after(chip: Chip, at_ns: int, step_ns: int = 1000) -> int:
    """The next time DOUT falls."""
    high = False
    while True:
        level = chip.dout(at_ns)
        if high and not level:
            return at_ns
        high = level
        at_ns += step_ns


@settings(max_examples=50)
@given(st.integers(-0x800000, 0x7FFFFF), st.integers(25, 27))
def test_a_read_gives_the_code_msb_first_and_then_ones(code, pulses):
    chip = made(code)
    bits, _ = clocked(chip, FIRST_NS, pulses)
    assert bits >> (pulses - 24) == code & 0xFFFFFF
    assert bits & ((1 << (pulses - 24)) - 1) == (1 << (pulses - 24)) - 1


def test_ready_edges_come_with_the_chip_s_own_period_and_dout_is_high_between():
    chip = made()
    assert chip.dout(FIRST_NS - 1)
    assert not chip.dout(FIRST_NS)
    _, at_ns = clocked(chip, FIRST_NS)
    assert chip.dout(at_ns + 5_000_000)
    assert chip.dout(FIRST_NS + PERIOD_NS - 1)
    assert not chip.dout(FIRST_NS + PERIOD_NS)
    assert [each.edge_ns for each in chip.conversions] == [FIRST_NS, FIRST_NS + PERIOD_NS]


def test_an_unread_conversion_is_replaced_after_75_us_of_high():
    chip = made()
    end_ns = FIRST_NS + PERIOD_NS
    levels = [chip.dout(end_ns + offset) for offset in (-75_001, -75_000, -1, 0)]
    assert levels == [False, True, True, False]


def test_codes_clamp_and_do_not_wrap():
    for level, code in ((9e6, 0x7FFFFF), (-9e6, 0x800000)):
        assert clocked(made(level), FIRST_NS)[0] >> 1 == code


def test_the_pulse_count_selects_the_next_conversion_which_settles_in_four():
    chip = made(240_000, source_b=lambda _: 48_000)
    at_ns = FIRST_NS
    clocked(chip, at_ns, 26)
    seen = []
    for _ in range(5):
        at_ns += PERIOD_NS
        seen.append(clocked(chip, at_ns, 26)[0] >> 2)
    assert seen == [232_000, 144_000, 56_000, 48_000, 48_000]
    assert [each.settled for each in chip.conversions] == [True, False, False, False, True, True]
    assert chip.conversions[-1].setting is Setting.B32


def test_gain_64_gives_half_the_code():
    chip = made(240_000)
    for k in range(6):
        bits, _ = clocked(chip, FIRST_NS + k * PERIOD_NS, 27)
    assert bits >> 3 == 120_000


@pytest.mark.parametrize(("high_ns", "down"), [(59_000, False), (60_000, False), (60_001, True), (90_000, True)])
def test_sck_high_for_over_60_us_powers_down(high_ns, down):
    chip = made()
    chip.sck(True, FIRST_NS)
    chip.sck(False, FIRST_NS + high_ns)
    assert (edge_after(chip, FIRST_NS + high_ns + 1, 5_000) > FIRST_NS + 3 * PERIOD_NS) == down


@pytest.mark.parametrize(("datasheet", "expected"), [(Datasheet.FIRST, Setting.A128), (Datasheet.V2, Setting.A64)])
def test_the_two_datasheets_differ_in_the_setting_after_power_down(datasheet, expected):
    chip = made(datasheet=datasheet)
    _, at_ns = clocked(chip, FIRST_NS, 27)
    chip.sck(True, at_ns)
    chip.sck(False, at_ns + 100_000)
    woken_ns = at_ns + 100_000
    ready_ns = edge_after(chip, woken_ns + 1, 5_000)
    assert abs(ready_ns - woken_ns - WAKE_PERIODS * PERIOD_NS) < 10_000
    assert chip.conversions[-1].setting is expected
    assert chip.conversions[-1].after_restart


def test_after_a_restart_four_conversions_are_off_and_marked():
    chip = made(1000)
    chip.sck(True, FIRST_NS)
    chip.sck(False, FIRST_NS + 100_000)
    chip.dout(FIRST_NS + 12 * PERIOD_NS)
    after = list(chip.conversions)[1:]
    assert [each.settled for each in after][:6] == [False] * 4 + [True] * 2
    assert [each.counts for each in after][:6] == [1900, 1720, 1580, 1460, 1000, 1000]


def test_a_conversion_that_ends_during_a_read_mixes_two_codes():
    codes = iter([0xAAAAAA - (1 << 24), 0x555555])
    chip = Chip(lambda _: next(codes), 80.0, FIRST_NS, jitter=0.0, settling_at_start=0)
    bits, _ = clocked(chip, FIRST_NS + PERIOD_NS - 80_000 - 20_000, 25, 1000, 7000)  # 100 µs before the next one
    old = 12
    assert bits >> 1 >> (24 - old) == 0xAAAAAA >> (24 - old)
    assert bits >> 1 & ((1 << (24 - old)) - 1) == 0x555555 & ((1 << (24 - old)) - 1)


def test_a_read_that_was_left_off_is_forgotten_at_the_next_conversion():
    chip = made()
    clocked(chip, FIRST_NS, 7)
    assert clocked(chip, FIRST_NS + PERIOD_NS)[0] == 0x123456 << 1 | 1


@pytest.mark.parametrize("bit", [0, 1, 12, 23])
@pytest.mark.parametrize("fault", [ChipFault.RESET_MID_READ, ChipFault.LONG_PULSE])
def test_a_reset_mid_read_leaves_trailing_ones_and_a_high_25th_bit(fault, bit):
    chip = made()
    chip.inject(PlannedFault(fault, 0, bit=bit))
    bits, at_ns = clocked(chip, FIRST_NS)
    assert bits == (0x123456 << 1 | 1) | ((1 << (25 - bit)) - 1)
    assert edge_after(chip, at_ns, 5_000) - at_ns > 4 * PERIOD_NS


def test_a_missed_pulse_shifts_right_and_shows_a_code_bit_at_the_end():
    chip = made(0x0000F0)
    chip.inject(PlannedFault(ChipFault.MISSED_PULSE, 0, bit=4))
    bits, _ = clocked(chip, FIRST_NS)
    assert bits >> 1 == 0x0000F0 >> 1
    assert bits & 1 == 0, "DESYNC: that is the code's last bit"


def test_an_extra_pulse_shifts_left_and_changes_the_setting():
    chip = made(0x0000F0)
    chip.inject(PlannedFault(ChipFault.EXTRA_PULSE, 0, bit=4))
    bits, _ = clocked(chip, FIRST_NS)
    assert bits == (0x0000F0 << 1 | 1) << 1 | 1
    assert chip.setting is Setting.B32


def test_a_late_read_mixes_two_codes():
    codes = iter([0xAAAAAA - (1 << 24), 0x555555, 0, 0])
    chip = Chip(lambda _: next(codes), 80.0, FIRST_NS, jitter=0.0, settling_at_start=0)
    chip.inject(PlannedFault(ChipFault.LATE_READ, 0, bit=11))
    shown_ns = edge_after(chip, FIRST_NS - 1)
    assert shown_ns - FIRST_NS > PERIOD_NS // 2
    bits, _ = clocked(chip, shown_ns)
    assert bits >> 1 == 0xAAA555 - 0xAAA000 | (0xAAAAAA & ~0x1FFF) | (0x555555 & 0x1FFF)


@pytest.mark.parametrize(
    ("fault", "bits"),
    [
        (ChipFault.CLIP_HIGH, 0x7FFFFF << 1 | 1), (ChipFault.CLIP_LOW, 0x800000 << 1 | 1),
        (ChipFault.ALL_ONES, 0x1FFFFFF), (ChipFault.ALL_ZEROS, 0), (ChipFault.DEAD, 0x1FFFFFF),
        (ChipFault.SWAPPED_LINES, 0x1FFFFFF), (ChipFault.BROWN_OUT, 0),
    ],
)  # fmt: skip
def test_a_lasting_fault_reads_as_it_is_named_while_it_lasts(fault, bits):
    chip = made()
    chip.inject(PlannedFault(fault, FIRST_NS + PERIOD_NS, FIRST_NS + 3 * PERIOD_NS))
    assert clocked(chip, FIRST_NS)[0] == 0x123456 << 1 | 1
    for k in (1, 2):
        assert clocked(chip, FIRST_NS + k * PERIOD_NS)[0] == bits
    chip.dout(FIRST_NS + 20 * PERIOD_NS)
    assert clocked(chip, FIRST_NS + 20 * PERIOD_NS + PERIOD_NS // 2)[0] == 0x123456 << 1 | 1


def test_a_stuck_chip_repeats_the_code_of_its_beginning():
    codes = iter(range(100, 1000, 100))
    chip = Chip(lambda _: next(codes), 80.0, FIRST_NS, jitter=0.0, settling_at_start=0)
    chip.inject(PlannedFault(ChipFault.STUCK, FIRST_NS + PERIOD_NS, FIRST_NS + 4 * PERIOD_NS))
    assert [clocked(chip, FIRST_NS + k * PERIOD_NS)[0] >> 1 for k in range(6)] == [100, 200, 200, 200, 500, 600]


def test_a_slow_clock_makes_periods_longer():
    chip = made()
    chip.inject(PlannedFault(ChipFault.SLOW_CLOCK, FIRST_NS, amount=1.5))
    chip.dout(FIRST_NS + 4 * PERIOD_NS)
    assert [each.edge_ns - FIRST_NS for each in chip.conversions] == [0, PERIOD_NS * 3 // 2, PERIOD_NS * 3]


def test_after_a_brown_out_the_chip_starts_at_gain_128():
    chip = made(1000)
    clocked(chip, FIRST_NS, 27)
    chip.inject(PlannedFault(ChipFault.BROWN_OUT, FIRST_NS + PERIOD_NS, FIRST_NS + 2 * PERIOD_NS))
    ready_ns = edge_after(chip, FIRST_NS + 2 * PERIOD_NS, 5_000)
    assert ready_ns - FIRST_NS > 6 * PERIOD_NS
    assert chip.conversions[-1].after_restart
    assert chip.conversions[-1].setting is Setting.A128


def test_jitter_is_what_was_asked_for_and_repeats_with_its_seed():
    def edges(seed: int) -> list[int]:
        chip = Chip(lambda _: 0, 80.0, FIRST_NS, jitter=57e-6, seed=seed)
        chip.dout(FIRST_NS + 2000 * PERIOD_NS)
        return [each.edge_ns for each in chip.conversions]

    gaps = [b - a for a, b in zip(edges(1), edges(1)[1:], strict=False)]
    spread = (sum((gap - PERIOD_NS) ** 2 for gap in gaps) / len(gaps)) ** 0.5 / PERIOD_NS
    assert 50e-6 < spread < 64e-6
    assert edges(1) == edges(1) != edges(2)


def test_time_that_goes_back_and_impossible_plans_are_errors():
    chip = made()
    chip.dout(FIRST_NS)
    with pytest.raises(ValueError, match="time went back"):
        chip.dout(FIRST_NS - 1)
    with pytest.raises(ValueError, match="bit 25"):
        PlannedFault(ChipFault.MISSED_PULSE, 0, bit=25)
    with pytest.raises(ValueError, match="before it begins"):
        PlannedFault(ChipFault.STUCK, 10, 5)


def test_the_log_of_the_truth_is_bounded():
    chip = made(log=10)
    chip.dout(FIRST_NS + 100 * PERIOD_NS)
    assert len(chip.conversions) == 10
