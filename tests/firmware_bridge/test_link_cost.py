"""The link's budget: a small share of one core for a full board."""

from __future__ import annotations

import pytest

from hil.link_cost import measure_link_cost


@pytest.mark.parametrize(("chips", "rate_hz"), [(8, 80.0), (4, 10.0), (1, 10.0)])
def test_a_board_costs_less_than_a_fiftieth_of_a_core(chips: int, rate_hz: float) -> None:
    cost = measure_link_cost(10.0, chips, rate_hz)
    assert cost.samples == int(10.0 * chips * rate_hz)
    assert cost.core_share < 0.02  # CPU time of the thread, not time on the wall; a tenth of it is usual
