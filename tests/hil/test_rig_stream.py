"""Our firmware on the emulated board with our link: every conversion arrives, at its time, or its loss is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from rig_ready import FIRMWARE

from firmware_bridge.protocol.codes import CommandCode, McuFlag
from hil.rig.controls import ChipSetup
from hil.rig.faults import Reset, Way
from hil.rig.linked import LinkedRig, laid_over
from hil.rig.lockstep import LockstepRig
from hil.rig.playing import play
from hil.rig.truth import Mark

MS = 1_000_000

pytestmark = pytest.mark.usefixtures("rig_program")


@pytest.fixture
def board() -> Iterator[LockstepRig]:
    """Eight chips, no two at the same rate."""
    with LockstepRig(FIRMWARE, chips=8, seed=3) as rig:
        for chip in range(8):
            level = -200_000.0 + 70_000 * chip
            rig.setup(chip, ChipSetup(rate_hz=78.0 + 0.83 * chip, noise_counts=45, level_counts=level))
        yield rig


def test_eight_chips_at_eighty_a_second_for_ten_minutes_without_one_unexplained_sample(board: LockstepRig) -> None:
    """P3, and the promise on times: 1 ms at most in 99 of 100, with a crystal 40 ppm off."""
    board.crystal(40)
    host = LinkedRig(board)
    host.run_until_running()
    host.run(600.0)
    truth = board.truth()
    assert [account.lost + account.estimated for account in host.link.accounts()] == [Counter()] * 8
    assert host.losses == []
    for chip in range(8):
        error_ns, wrong, origin = laid_over(host.samples, truth, chip)
        first, last = origin["number"][0], origin["number"][-1]
        assert np.array_equal(origin["number"], np.arange(first, last + 1))  # each one, once, in order
        assert last - first > 600 * 78
        assert not np.any(wrong)
        assert np.all(origin["marks"] & Mark.READ)
        late_ns = np.abs(error_ns[origin["edge_ns"] > origin["edge_ns"][0] + 10_000 * MS])
        assert np.percentile(late_ns, 99) < 1 * MS
    waited_ns = (truth["read_begin_ns"] - truth["edge_ns"])[truth["edge_ns"] > 5_000 * MS]
    flags = Counter(sample.flags for sample in host.samples if sample.edge_ns > 5_000 * MS)
    assert set(flags) <= {McuFlag.GOOD, McuFlag.LATE}
    # With all eight ready at once the last one may have to wait: told just where it did, and hardly ever.
    assert np.sum(waited_ns > 1.02 * MS) <= flags[McuFlag.LATE] <= np.sum(waited_ns > 0.98 * MS)
    assert flags[McuFlag.LATE] < 1e-4 * flags[McuFlag.GOOD]


def test_damage_on_the_line_is_counted_to_the_sample_and_nothing_wrong_gets_through(board: LockstepRig) -> None:
    """P7 for the line."""
    host = LinkedRig(board)
    host.run_until_running()
    host.run(2.0)
    board.wire(Way.TO_HOST, flip=2e-4, lose=1e-4, add=1e-4)
    host.run(20.0)
    board.wire(Way.TO_HOST, flip=0, lose=0, add=0)
    host.run(3.0)
    truth = board.truth()
    causes = Counter(loss.cause for loss in host.losses)
    assert set(causes) == {"link damage"}
    for chip in range(8):
        error_ns, wrong, origin = laid_over(host.samples, truth, chip)
        assert not np.any(wrong)
        assert np.abs(error_ns).max() < 3 * MS
        spanned = int(origin["number"][-1] - origin["number"][0]) + 1
        lost = sum(loss.samples for loss in host.losses if loss.chip == chip)
        assert spanned == len(origin) + lost
        assert lost > 0


def test_a_reset_of_the_mcu_is_told_and_sampling_goes_on_with_rising_times(board: LockstepRig) -> None:
    host = LinkedRig(board)
    host.run_until_running()
    host.run(2.0)
    for cause in (Reset.EXTERNAL, Reset.BROWN_OUT):
        board.reset(cause)
        host.run(4.0)
    told = [notice.cause for notice in host.notices]
    assert told.count("mcu restart") == 2
    assert {loss.cause for loss in host.losses} <= {"mcu restart"}
    truth = board.truth()
    for chip in range(8):
        times = [sample.edge_ns for sample in host.samples if sample.chip == chip]
        assert times == sorted(set(times))
        _, wrong, _ = laid_over(host.samples, truth, chip)
        assert not np.any(wrong)
    assert host.samples[-1].edge_ns > host.now_ns - 100 * MS


def test_a_command_is_carried_out_and_survives_a_line_that_loses_bytes(board: LockstepRig) -> None:
    host = LinkedRig(board)
    host.run_until_running()
    board.wire(Way.TO_MCU, lose=0.05)
    handle = host.link.command(CommandCode.SET_SERIAL, b"shelf-7")
    host.run(4.0)
    assert handle.error is None
    board.wire(Way.TO_MCU, lose=0)
    board.reset()
    host.run(1.0)
    assert host.link.identity is not None
    assert host.link.identity.serial == "shelf-7"


def test_a_recording_played_on_the_chips_comes_out_of_the_link_sample_by_sample(board: LockstepRig) -> None:
    random = np.random.default_rng(5)
    rates_hz = (82.02, 11.67, 93.7)
    for chip, rate_hz in enumerate(rates_hz):
        board.setup(chip, ChipSetup(rate_hz=rate_hz))
    host = LinkedRig(board)
    host.run_until_running()
    host.run(1.0)
    begin_ns = host.now_ns + 10 * MS
    played = {}
    for chip, rate_hz in enumerate(rates_hz):
        count = round(10 * rate_hz)
        times = np.rint(np.arange(count) * 1e9 / rate_hz + random.normal(0, 700, count)).astype(np.int64)
        counts = (100_000 * chip + random.normal(0, 500, count).cumsum()).astype(np.int32)
        assert play(board, chip, times, counts, begin_ns) == pytest.approx(rate_hz, rel=1e-4)
        played[chip] = counts
    host.samples.clear()
    host.run(11.0)
    for chip, counts in played.items():
        heard = [s.counts for s in host.samples if s.chip == chip and s.edge_ns > begin_ns - 2 * MS]
        assert heard[: counts.size - 2] == counts[: counts.size - 2].tolist()
