"""The installations of the report in small: another seed, a few of each, the same bounds."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.session import RunOptions
from hil.installations import UNHEALTHY, draw_installation, healthy_rows, run, unhealthy_rows

SEED = 77
OPTIONS = RunOptions(most_extra=0, warm_up_limit_s=60.0)


def test_healthy_installations_of_a_clumsy_installer_come_out_right() -> None:
    found = [run(draw_installation(SEED, n), SEED, n, OPTIONS) for n in range(12)]
    good = [each for each in found if each.outcome.accepted]
    assert len(good) == len(found)
    assert all(each.signs_right for each in good)
    assert all(each.wiring_right or not each.outcome.fit.wiring_sure for each in good if each.outcome.fit)
    assert np.quantile([error for each in good for error in each.load_errors], 0.95) <= 0.001
    assert np.quantile([error for each in good for error in each.place_errors_mm], 0.95) <= 3.0
    table = "\n".join(healthy_rows(found))
    assert "100.0 %" in table


@pytest.mark.parametrize("kind", UNHEALTHY)
def test_an_unhealthy_installation_is_refused_for_its_reason(kind: str) -> None:
    found = [run(draw_installation(SEED, n, kind), SEED, n, OPTIONS) for n in range(2)]
    for each in found:
        assert not each.outcome.accepted
        assert kind in {str(finding.reason) for finding in each.outcome.refusals}
    assert kind in unhealthy_rows(found)[1]


def test_the_same_seed_gives_the_same_installation_and_the_same_result() -> None:
    once, again = (run(draw_installation(SEED, 3), SEED, 3, OPTIONS) for _ in range(2))
    assert once.installation == again.installation
    assert once.load_errors == again.load_errors
