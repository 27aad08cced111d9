"""The real firmware against chips and wires that fail: flagged, restarted, counted, and no other suffers (P7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from firmware_on_rig import HEX, McuRun, needed

from drivers.hx711.chip_faults import ChipFault, PlannedFault
from firmware_bridge.protocol.codes import ChipState, McuFlag, NoticeCause, RestartCause
from hil.rig.controls import ChipSetup
from hil.rig.faults import BoardFault, PlannedBoardFault
from hil.rig.lockstep import LockstepRig
from hil.rig.truth import Mark

LEVEL = 123_456
NOISE = 30
BEGIN_S = 2.0
ENDS_S = 4.0

Planned = PlannedFault | PlannedBoardFault


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


@contextmanager
def _board(*faults: Planned, chips: int = 3, setup: ChipSetup | None = None) -> Iterator[McuRun]:
    """Chips on their level; the faults are chip 0's."""
    needed("simavr")
    with LockstepRig(HEX, chips=chips) as rig:
        for chip in range(chips):
            rig.setup(chip, ChipSetup(rate_hz=80.0 + 2.3 * chip, level_counts=LEVEL, noise_counts=NOISE))
        if setup is not None:
            rig.setup(0, setup)
        for fault in faults:
            rig.inject(0, fault)
        yield McuRun(rig)


def _lasting(fault: ChipFault | BoardFault, amount: float | None = None, ends_s: float | None = ENDS_S) -> Planned:
    kind = PlannedBoardFault if isinstance(fault, BoardFault) else PlannedFault
    return kind(fault, _ns(BEGIN_S), None if ends_s is None else _ns(ends_s), amount=amount)


def _good(run: McuRun, chip: int) -> np.ndarray:
    return run.counts(chip, flags=0)


def _unharmed(run: McuRun, chip: int) -> None:
    """All conversions of that chip were read, all samples are good and in time."""
    truth = run.truth
    marks = truth[truth["chip"] == chip]["marks"]
    first = np.flatnonzero(marks & Mark.READ)[0]
    assert not np.any(marks[first:-1] & (Mark.LOST | Mark.SPOILT))
    samples = [sample for _, sample in run.samples(chip)]
    assert {sample.flags for sample in samples[5:]} == {0}
    assert set(np.diff([sample.number for sample in samples]) & 0xFF) == {1}
    assert np.all(np.abs(_good(run, chip) - LEVEL) < 8 * NOISE)


LASTING = [
    _lasting(ChipFault.DEAD),
    _lasting(ChipFault.SWAPPED_LINES),
    _lasting(ChipFault.ALL_ZEROS),
    _lasting(ChipFault.BROWN_OUT),
    _lasting(BoardFault.OSCILLATING, 100.0),
    _lasting(BoardFault.OSCILLATING, 2_000.0),
    _lasting(BoardFault.OSCILLATING, 60_000.0),
]


@pytest.mark.parametrize("fault", LASTING, ids=lambda f: f"{f.fault.value} {f.amount or ''}")
def test_a_chip_that_fails_disturbs_no_other_and_comes_back_by_itself(fault: Planned) -> None:
    with _board(fault) as run:
        run.run(ENDS_S + 2.2)  # one wait of the back-off at its longest, one start, and a second of good samples
        for chip in (1, 2):
            _unharmed(run, chip)
        status = run.status.chips[0]
        assert status.state == ChipState.GOOD
        assert status.restarts <= 12, "it backs off instead of spinning on a chip that is gone"
        if fault.fault is BoardFault.OSCILLATING and fault.amount == 100.0:
            return  # at a rate that a chip could have; the host's forensics tell by its codes
        wrong = np.abs(_good(run, 0) - LEVEL) > 8 * NOISE
        assert np.count_nonzero(wrong) == 0, "P7: nothing of a failing chip is passed off as good"
        assert run.frames_lost == 0


def test_a_silent_chip_is_told_once_and_again_when_it_is_back() -> None:
    with _board(_lasting(ChipFault.DEAD)) as run:
        run.run(ENDS_S + 2.2)
        causes = [cause for cause, _ in run.notices(0)]
        assert causes == [NoticeCause.READY_TIMEOUT, NoticeCause.RESTARTED_BY_MCU, NoticeCause.BACK_AFTER_SILENCE]
        silent_ms = run.notices(0)[2][1]
        assert (ENDS_S - BEGIN_S) * 1e3 - 100 < silent_ms < (ENDS_S - BEGIN_S) * 1e3 + 1_800


def test_a_dead_chip_is_silent_in_status_and_its_timeouts_are_counted() -> None:
    with _board(_lasting(ChipFault.DEAD, ends_s=None)) as run:
        run.run(6)
        assert run.status.chips[0].state == ChipState.SILENT
        assert run.status.chips[0].timeouts >= 3
        assert run.status.chips[1].timeouts == 0


def test_chips_that_are_not_there_cost_the_others_nothing() -> None:
    with _board(chips=2) as run:  # six of the eight inputs hang in the air, held high by their pull-ups
        run.run(5)
        for chip in (0, 1):
            _unharmed(run, chip)
        assert [chip.state for chip in run.status.chips[2:]] == [ChipState.SILENT] * 6
        assert not any(True for chip in range(2, 8) for _ in run.samples(chip))


def test_a_shorted_output_is_flagged_desync_and_read_once_a_second_at_most() -> None:
    with _board(_lasting(ChipFault.ALL_ZEROS, ends_s=9.0)) as run:
        run.run(9)
        zeros = [at for at, sample in run.samples(0) if sample.counts == 0]
        assert len(zeros) >= 5
        assert all(sample.flags & McuFlag.DESYNC for _, sample in run.samples(0) if sample.counts == 0)
        assert np.all(np.diff(zeros)[-2:] > 900_000)
        assert run.notices(0)[0] == (NoticeCause.RESTARTED_BY_MCU, RestartCause.DESYNC)


@pytest.mark.parametrize("fault", [ChipFault.LONG_PULSE, ChipFault.RESET_MID_READ])
def test_a_restart_of_the_chip_itself_is_seen_by_its_interval(fault: ChipFault) -> None:
    """The blind spot: trailing ones pass the check of the 25th bit. The sample after tells on them."""
    with _board(PlannedFault(fault, _ns(BEGIN_S), bit=9)) as run:
        run.run(4)
        flags = [sample.flags for _, sample in run.samples(0)][5:]
        seen = flags.index(McuFlag.RESTARTED | McuFlag.SETTLING)
        assert flags[seen : seen + 5] == [McuFlag.RESTARTED | McuFlag.SETTLING] + [McuFlag.SETTLING] * 4
        assert set(flags[:seen] + flags[seen + 5 :]) == {0}
        assert [cause for cause, _ in run.notices(0)] == [NoticeCause.SELF_RESTART]
        assert run.status.chips[0].self_restarts == 1
        assert run.status.chips[0].restarts == 0


@pytest.mark.parametrize("rate_hz", [80.0, 10.8])
def test_a_restart_by_the_chip_is_not_taken_for_a_timeout_at_either_rate(rate_hz: float) -> None:
    reset = PlannedFault(ChipFault.RESET_MID_READ, _ns(BEGIN_S), bit=9)
    with _board(reset, setup=ChipSetup(rate_hz=rate_hz)) as run:
        run.run(5)
        assert (run.status.chips[0].self_restarts, run.status.chips[0].timeouts) == (1, 0)


@pytest.mark.parametrize(("fault", "code"), [(ChipFault.CLIP_HIGH, 0x7FFFFF), (ChipFault.CLIP_LOW, -0x800000)])
def test_the_end_stops_are_flagged_and_not_restarted_for(fault: ChipFault, code: int) -> None:
    with _board(_lasting(fault, ends_s=3.0)) as run:
        run.run(4)
        clipped = run.counts(0, flags=McuFlag.SATURATED)
        assert set(clipped) == {code}
        assert run.status.chips[0].saturated == clipped.size > 70
        assert run.status.chips[0].restarts == 0


def test_a_chip_whose_rate_is_strapped_anew_is_learned_anew() -> None:
    with _board(_lasting(ChipFault.SLOW_CLOCK, 8.0, ends_s=None)) as run:
        run.run(6)
        status = run.status.chips[0]
        assert status.state == ChipState.GOOD
        assert abs(status.period_10us - 10_000) < 20
        _unharmed(run, 1)


def test_a_chip_at_ten_samples_a_second_is_waited_for() -> None:
    with _board(setup=ChipSetup(rate_hz=9.8)) as run:
        run.run(6)
        assert run.status.chips[0].timeouts == 0
        assert _good(run, 0).size > 35


def test_a_supply_dip_is_told() -> None:
    with _board() as run:
        run.rig.supply(4_300, at_ns=_ns(2.0))
        run.rig.supply(5_000, at_ns=_ns(3.0))
        run.run(4)
        notices = run.notices(255)
        assert [cause for cause, _ in notices] == [NoticeCause.BROWN_OUT]
        assert abs(notices[0][1] - 4_300) < 60


def test_an_open_analog_pin_or_a_grounded_one_is_no_sensor() -> None:
    with _board() as run:
        run.rig.analog(7, 0)
        run.run(1.5)
        assert run.status.sensor_mv == 0xFFFF
