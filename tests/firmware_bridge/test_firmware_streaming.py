"""The real firmware in the emulated MCU: what eight good chips convert arrives, all of it, at its time (P3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from firmware_on_rig import HEX, RATES_HZ, McuRun, build_firmware, needed

from firmware_bridge.protocol.codes import ChipState, CommandCode, McuFlag, NoticeCause, ReplyResult
from firmware_bridge.protocol.messages import Identity, Samples, Status
from hil.rig.controls import ChipSetup
from hil.rig.lockstep import LockstepRig
from hil.rig.truth import Mark

CHIPS = range(8)
SECONDS = 6
FRESH = McuFlag.SETTLING | McuFlag.RESTARTED


def _stream(rates_hz: tuple[float, ...], jitter: float) -> Iterator[tuple[McuRun, np.ndarray]]:
    needed("simavr")
    with LockstepRig(HEX, chips=8) as rig:
        rig.analog(7, 740)
        for chip, rate_hz in enumerate(rates_hz):
            setup = ChipSetup(rate_hz=rate_hz, jitter=jitter, level_counts=10_000 * chip - 30_000, noise_counts=40)
            rig.setup(chip, setup)
        run = McuRun(rig)
        run.run(SECONDS)
        yield run, run.truth


@pytest.fixture(scope="module")
def stream() -> Iterator[tuple[McuRun, np.ndarray]]:
    """Eight chips, each at a rate of its own, for six seconds; and the truth about them."""
    yield from _stream(RATES_HZ, 57e-6)


@pytest.fixture(scope="module")
def in_step() -> Iterator[tuple[McuRun, np.ndarray]]:
    """Eight chips that become ready at the same instant, each time, as fast as any in the facts."""
    yield from _stream((94.0,) * 8, 1e-9)


def _settled(truth: np.ndarray, chip: int) -> np.ndarray:
    mine = truth[truth["chip"] == chip]
    return mine[mine["marks"] & Mark.READ != 0]


def _pairs(run: McuRun, truth: np.ndarray, chip: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes sent, codes converted, and how late each edge was stamped (µs, but for a constant), for each read."""
    mine = _settled(truth, chip)
    sent = list(run.samples(chip))[: mine.size]
    mine = mine[: len(sent)]
    late_us = np.array([at for at, _ in sent]) - mine["edge_ns"] / 1e3
    return np.array([sample.counts for _, sample in sent]), mine["counts"], late_us


@pytest.mark.parametrize("chip", CHIPS)
def test_every_conversion_arrives_once_with_its_code(stream: tuple[McuRun, np.ndarray], chip: int) -> None:
    run, truth = stream
    sent, converted, _ = _pairs(run, truth, chip)
    assert sent.size > RATES_HZ[chip] * (SECONDS - 0.5)
    np.testing.assert_array_equal(sent, converted)
    marks = truth[truth["chip"] == chip]["marks"]
    first = np.flatnonzero(marks & Mark.READ)[0]
    assert not np.any(marks[first:-1] & (Mark.LOST | Mark.SPOILT))


@pytest.mark.parametrize("chip", CHIPS)
def test_edges_are_stamped_to_a_few_microseconds(stream: tuple[McuRun, np.ndarray], chip: int) -> None:
    late_us = _pairs(*stream, chip)[2]
    assert np.ptp(late_us) < 25
    assert np.percentile(np.abs(late_us - np.median(late_us)), 99) < 8


def test_all_chips_are_on_one_clock(stream: tuple[McuRun, np.ndarray]) -> None:
    offsets = [np.median(_pairs(*stream, chip)[2]) for chip in CHIPS]
    assert np.ptp(offsets) < 3


def test_the_first_five_samples_are_flagged_and_no_other(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    for chip in CHIPS:
        flags = [sample.flags for _, sample in run.samples(chip)]
        assert flags[:5] == [FRESH] + [McuFlag.SETTLING] * 4
        assert set(flags[5:]) == {0}


def test_each_conversion_has_the_next_number(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    for chip in CHIPS:
        numbers = np.array([sample.number for _, sample in run.samples(chip)])
        assert set(np.diff(numbers) & 0xFF) == {1}


def test_the_clock_is_never_high_for_more_than_two_microseconds(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    highest = [max(sample.high_500ns for _, sample in run.samples(chip)) for chip in CHIPS]
    assert max(highest) <= 4
    assert highest == [chip.longest_high_500ns for chip in run.status.chips]


def test_the_line_has_room_and_nothing_is_lost_on_it(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    assert run.frames_lost == 0
    assert run.status.samples_dropped == 0
    sample_bytes = sum(15 + 10 * len(frame.samples) for frame in run.all_of(Samples))
    assert sample_bytes / SECONDS < 0.5 * 25_000


def test_status_tells_period_supply_sensor_and_unused_stack(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    status = run.status
    assert abs(status.supply_mv - 5000) < 60
    assert abs(status.sensor_mv - 740) < 15
    assert status.stack_free > 64
    for chip, rate_hz in zip(status.chips, RATES_HZ, strict=True):
        assert abs(chip.period_10us - 1e5 / rate_hz) <= 2
        assert chip.state == ChipState.GOOD
    uptimes = np.diff([s.uptime_ms for s in run.all_of(Status)])
    assert set(uptimes) <= {999, 1000, 1001}


def test_identity_comes_first_and_describes_the_board(stream: tuple[McuRun, np.ndarray]) -> None:
    run, _ = stream
    identity = run.messages[0]
    assert isinstance(identity, Identity)
    assert identity.pin_map.split(";")[5] == "SCK=D13,DOUT=A1"
    assert (identity.baud, identity.chips, identity.boot_count) == (250_000, 8, 1)


def test_eight_chips_ready_at_once_are_all_read_in_time(in_step: tuple[McuRun, np.ndarray]) -> None:
    run, truth = in_step
    for chip in CHIPS:
        sent, converted, _ = _pairs(run, truth, chip)
        np.testing.assert_array_equal(sent, converted)
        assert not any(sample.flags & McuFlag.LATE for _, sample in run.samples(chip))
    reads = truth[truth["marks"] & Mark.READ != 0]
    assert np.max(reads["read_begin_ns"] - reads["edge_ns"]) < 1e6


def test_the_clock_wraps_without_a_trace(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After 71.6 minutes; this one is built to begin a second before."""
    needed("simavr")
    late_clock = build_firmware(tmp_path_factory.mktemp("wrap"), "-DCLOCK_BEGIN_US=0xFFF00000UL")
    with LockstepRig(late_clock, chips=2) as rig:
        for chip in (0, 1):
            rig.setup(chip, ChipSetup(rate_hz=RATES_HZ[chip], level_counts=5_000, noise_counts=20))
        run = McuRun(rig)
        run.run(3)
        for chip in (0, 1):
            at_us = np.array([at & 0xFFFFFFFF for at, _ in run.samples(chip)])
            assert np.count_nonzero(np.diff(at_us) < 0) == 1
            intervals = np.diff(at_us) & 0xFFFFFFFF
            assert np.max(np.abs(intervals - 1e6 / RATES_HZ[chip])) < 30
            assert {sample.flags for _, sample in run.samples(chip)} == {0, FRESH, McuFlag.SETTLING}
        assert run.status.chips[0].timeouts == 0


def test_what_a_slow_line_can_not_carry_is_dropped_counted_and_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """P3: a line of a quarter of the speed; what comes is whole, what doesn't is in the numbers and in STATUS."""
    needed("simavr")
    slow = build_firmware(tmp_path_factory.mktemp("slow"), "-DBAUD_RATE=62500UL")
    with LockstepRig(slow, chips=8) as rig:
        for chip in CHIPS:
            rig.setup(chip, ChipSetup(rate_hz=94.0 + chip / 10, level_counts=1000 * chip, noise_counts=20))
        run = McuRun(rig)
        run.run(4)
        truth = run.truth
        assert run.frames_lost == 0
        assert run.status.samples_dropped > 100
        assert NoticeCause.TX_FULL in {cause for cause, _ in run.notices(255)}
        for chip in CHIPS:
            samples = [sample for _, sample in run.samples(chip)]
            steps = np.diff([sample.number for sample in samples]) & 0xFF
            flagged = np.array([bool(sample.flags & McuFlag.OVERRUN) for sample in samples[1:]])
            np.testing.assert_array_equal(steps > 1, flagged)
            read = int(np.count_nonzero((truth["chip"] == chip) & (truth["marks"] & Mark.READ != 0)))
            assert read - steps.sum() < 40  # first to last: only what is still on its way is missing
        assert run.ask(CommandCode.PING, seconds=0.2).result == ReplyResult.DONE, "an answer finds room even so"
