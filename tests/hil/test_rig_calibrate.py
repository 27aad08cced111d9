"""Calibration through real firmware in lockstep: physics under the chips while they convert, an installer who hears.

`python -m hil.rig_calibration` does more of them, and a whole visit in a terminal.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from calibration.findings import Reason
from calibration.outcome import record_of
from calibration.prompts import Prompt, Step
from calibration.store import CalibrationStore
from drivers.simulated.hands import put
from drivers.simulated.scene import Put
from drivers.simulated.stage import seeded
from drivers.simulated.world import Unit
from edge.node.calibrate import CalibrationRunner, CheckRunner, Weights
from hil.calibration_rig import RigBoard, at_wrong_rate, board_of, calibrate_on_rig, run_on_rig
from hil.installations import Installation, draw_installation, measured
from hil.rig_calibration import GAIN_SHARE, PLACE_MM, is_right, record_errors

SEED = 4100  # the command reports others
pytestmark = pytest.mark.usefixtures("rig_program")


def permuted(rate_hz: float) -> Installation:
    """A drawn board of that rate whose plugs aren't where the node file says."""
    return next(
        found
        for found in (draw_installation(SEED, number, cells=4) for number in range(100))
        if found.site.rate_hz == rate_hz and found.cell_of != (0, 1, 2, 3) and found.noise_g > 0.3
    )


class Idle:
    """Nobody but one weight that is put down at 6 s."""

    def __init__(self, grams: float, x_mm: float, y_mm: float) -> None:
        rng = seeded(1, "idle")
        self.settled_g = {"shelf-1": []}
        self._forces, _ = put([Unit("weight", grams, None, x_mm, y_mm)], Put(6.0, "", contact_s=0.5), rng)

    def acting(self, board, until_s):
        now, self._forces = (
            [f for f in self._forces if f.begin_s < until_s],
            [f for f in self._forces if f.begin_s >= until_s],
        )
        return now, []

    def follow(self, prompt, now_s):
        """Deaf."""


def test_what_is_put_on_the_board_while_the_rig_runs_is_what_the_driver_reads():
    """Forces through plate, cells, chips, firmware, line and driver: the codes' change is the load's share, times the
    cell's gain; noise has the converter's own autocorrelation, so no code came twice or was left out."""
    installation = permuted(80.0)
    idle = Idle(2000.0, *installation.site.xy_mm[installation.cell_of[0]])
    with RigBoard(installation, idle, SEED) as board:
        blocks = []
        for _ in range(round(16.0 / 0.05)):
            blocks += board.read(board())
            board.sleep(0.05)
    counts = np.concatenate([b.counts[(b.cell == 0) & (b.flags == 0)] for b in blocks])
    times = np.concatenate([b.time_ns[(b.cell == 0) & (b.flags == 0)] for b in blocks])
    cell = installation.physics.cells[0]
    assert np.median(np.diff(times)) == pytest.approx(1e9 / 80.0 / (1 + cell.rate_error), rel=1e-3)
    before, after = counts[(times > 2e9) & (times < 5.5e9)], counts[times > 11e9]
    taken_g = (after.mean() - before.mean()) / cell.counts_per_gram
    assert 0.7 * 2000.0 < taken_g < 1.3 * 2000.0  # it lies on this cell; a soft plate hands some on
    noise = before - before.mean()
    assert float(noise[1:] @ noise[:-1]) / float(noise @ noise) == pytest.approx(0.49, abs=0.15)


@pytest.mark.parametrize("rate_hz", [10.0, 80.0])
def test_a_run_through_real_firmware_finds_gains_signs_and_wiring(rate_hz, tmp_path):
    """And its record, kept and read again, holds on the same board."""
    installation = permuted(rate_hz)
    weights = Weights(installation.weight_g)
    with board_of(installation, SEED) as board:
        runner = CalibrationRunner(installation.site, weights)
        heard: list[Prompt] = []
        run_on_rig(board, runner, heard.append)
        assert board.firmware
        found = measured(installation, runner.outcome, 0.0, np.random.default_rng(SEED))
        assert is_right(found), [str(each) for each in runner.outcome.findings]
        assert sum(prompt.step is Step.TAKE_OFF for prompt in heard) >= 5
        store = CalibrationStore(tmp_path)
        store.save(record_of(runner.outcome, "now"))
        record = store.current(installation.site.board)
        # a judgement that can't fail proves nothing
        assert not is_right(dataclasses.replace(found, load_errors=(0.0, -0.002)))
        assert not is_right(dataclasses.replace(found, wiring_right=False))
        dead = dataclasses.replace(installation, kind="dead cell")
        assert not is_right(dataclasses.replace(found, installation=dead))
        load, place_mm, wired = record_errors(record, installation)
        assert load <= GAIN_SHARE
        assert place_mm <= PLACE_MM
        assert wired
        check = CheckRunner(installation.site, store, weights)
        run_on_rig(board, check)
    assert check.check.result is not None
    assert check.check.result.holds, check.check.result
    assert check.check.result.x_mm == pytest.approx(installation.site.xy_mm[:, 0].mean(), abs=15 + PLACE_MM)


@pytest.mark.parametrize("kind", ["silent cell", "saturated"])
def test_a_board_that_cant_be_calibrated_is_refused_for_what_is_wrong_with_it(kind):
    found = calibrate_on_rig(draw_installation(SEED, 1, kind, cells=4), SEED)
    assert is_right(found), [str(each) for each in found.outcome.findings]


@pytest.mark.parametrize(("nominal_hz", "strapped_hz"), [(80.0, 10.0), (10.0, 80.0)])
def test_a_wrong_rate_strap_is_named_before_anybody_has_lifted_a_weight(nominal_hz, strapped_hz):
    with board_of(at_wrong_rate(permuted(nominal_hz), strapped_hz), SEED) as board:
        runner = CalibrationRunner(permuted(nominal_hz).site, Weights(2000.0))
        heard: list[Prompt] = []
        run_on_rig(board, runner, heard.append)
    assert [each.reason for each in runner.outcome.refusals] == [Reason.WRONG_RATE]
    assert f"the node file says {nominal_hz:g}" in runner.outcome.refusals[0].evidence
    assert not any(prompt.step is Step.PUT for prompt in heard)


def test_a_cable_pulled_in_mid_run_ends_it_within_seconds():
    installation = permuted(10.0)
    with board_of(installation, SEED) as board:
        runner = CalibrationRunner(installation.site, Weights(installation.weight_g))

        def pull(prompt: Prompt) -> None:
            if prompt.step is Step.TAKE_OFF and prompt.number == 2:
                board.line.unplug()
                pulled_s.append(board() / 1e9)

        pulled_s: list[float] = []
        run_on_rig(board, runner, pull)
        assert board() / 1e9 - pulled_s[0] < 8.0
    assert [each.reason for each in runner.outcome.refusals] == [Reason.SILENT_CELL]
    assert "check its USB cable or power" in runner.outcome.refusals[0].remedy


def test_the_same_seed_gives_the_same_samples():
    """Lockstep: nothing depends on how fast this machine is, though the physics are made while it runs."""
    installation = permuted(10.0)
    runs = []
    for _ in range(2):
        with RigBoard(installation, Idle(2000.0, 100.0, 100.0), SEED) as board:
            blocks = []
            for _ in range(round(8.0 / 0.05)):
                blocks += board.read(board())
                board.sleep(0.05)
        runs.append([(block.time_ns.tolist(), block.counts.tolist()) for block in blocks])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 30
