"""The installations of the report in small: another seed, a few of each, the same bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.session import RunOptions
from hil.installation_checks import checked
from hil.installation_tables import healthy_rows, targets, unhealthy_rows
from hil.installations import UNHEALTHY, draw_installation, run

SEED = 77
OPTIONS = RunOptions(most_extra=0, warm_up_limit_s=60.0)


def test_healthy_installations_of_a_clumsy_installer_come_out_right() -> None:
    found = [run(draw_installation(SEED, n), SEED, n, OPTIONS) for n in range(12)]
    good = [each for each in found if each.outcome.accepted]
    assert len(good) == len(found)
    assert all(each.signs_right for each in good)
    assert all(each.wiring_right or not each.outcome.fit.wiring_sure for each in good if each.outcome.fit)
    assert np.quantile([abs(error) for each in good for error in each.load_errors], 0.95) <= 0.001
    assert np.quantile([error for each in good for error in each.place_errors_mm], 0.95) <= 3.0
    table = "\n".join(healthy_rows(found))
    assert "100.0 %" in table


@pytest.mark.parametrize("kind", UNHEALTHY)
def test_an_unhealthy_installation_is_refused_for_its_reason(kind: str) -> None:
    found = run(draw_installation(SEED, 0, kind), SEED, 0, OPTIONS)
    assert found.right, [str(finding) for finding in found.outcome.findings]
    assert found.outcome.accepted == (kind == "something lay there")  # which the run itself notices and begins again
    assert kind in unhealthy_rows([found])[1]


def test_targets_are_held_against_what_was_found() -> None:
    well = run(draw_installation(SEED, 1), SEED, 1, OPTIONS)
    ill = run(draw_installation(SEED, 0, "saturated"), SEED, 0, OPTIONS)
    assert all(target.met for target in targets([well], [ill]))
    turned = replace(well, wiring_right=False, place_errors_mm=(9.0,), load_errors=(0.01,))
    missed = {target.name for target in targets([turned], [replace(ill, outcome=well.outcome)]) if not target.met}
    assert {"wrong wirings that weren't said to be unsure", "saturated: refused for its reason"} <= missed
    assert any(name.startswith("place error") for name in missed)


@pytest.mark.parametrize(("kind", "holds"), [("healthy", True), ("gains off by 1 %", False), ("dead cell", False)])
def test_the_quick_check_of_a_board_that_was_just_calibrated(kind: str, holds: bool) -> None:
    well = run(draw_installation(SEED, 2, cells=4), SEED, 2, OPTIONS)
    assert checked((SEED, well, kind)).result.holds == holds


def test_the_same_seed_gives_the_same_installation_and_the_same_result() -> None:
    once, again = (run(draw_installation(SEED, 3), SEED, 3, OPTIONS) for _ in range(2))
    assert once.installation == again.installation
    assert once.load_errors == again.load_errors
