"""The demo bay is a correct setup whose SKUs can be told apart."""

from __future__ import annotations

from itertools import combinations

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup


def test_demo_has_eight_slots_and_four_corner_cells_per_board() -> None:
    setup = load_setup(demo_node_path())
    for name, board in setup.node.boards.items():
        assert (board.width_mm, board.depth_mm, board.rate_hz, board.driver.type) == (900, 400, 80, "simulated")
        assert len(board.cells) == 4
        assert len(setup.slots_on(name)) == 8
    assert {slot.sku for slot in setup.planogram.slots.values()} == set(setup.planogram.skus)


def test_demo_skus_differ_in_weight_or_lie_far_apart() -> None:
    setup = load_setup(demo_node_path())
    alike = 0
    for board in setup.node.boards:
        for one, other in combinations(setup.slots_on(board).values(), 2):
            first, second = setup.planogram.skus[one.sku], setup.planogram.skus[other.sku]
            if abs(first.weight_g - second.weight_g) < 15:
                alike += 1
                assert abs(one.x_mm[0] - other.x_mm[0]) > 400
    assert alike >= 2


def test_demo_spreads_are_about_those_weighed_in_a_store() -> None:
    for sku in load_setup(demo_node_path()).planogram.skus.values():
        assert 30 <= sku.weight_g <= 1100
        assert 0.005 <= sku.spread_g / sku.weight_g <= 0.015
