"""A clean scene made by hand: steps of weight at places on a board, a little noise, nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.record import nominal_grams_calibration
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.trace.event import Label
from hil.setup_text import BoardText, SkuText, SlotText, setup_of

COUNTS_PER_GRAM = 1000.0
RATE_HZ = 80.0
CORNERS = {"fl": (30.0, 30.0), "fr": (770.0, 30.0), "bl": (30.0, 370.0), "br": (770.0, 370.0)}
WEIGHTS_G = {"water": 520.0, "soup": 350.0, "gum": 60.0, "tea": 150.0}


@dataclass(frozen=True)
class Scene:
    """What `hil.peers` reads of a case."""

    family: str
    layout: str
    seed: int
    setup: Setup
    labels: tuple[Label, ...]
    duration_s: float
    blocks: list[list[SampleBlock]]


@dataclass(frozen=True)
class Step:
    """At ``at_s`` the board's weight changes by ``grams`` at ``x_mm``, over 0.3 s."""

    at_s: float
    board: str
    grams: float
    x_mm: float = 0.0


def corner_shelf() -> Setup:
    """One board of 800 mm on four cells; four slots of 200 mm: water, soup, gum, tea."""
    return _calibrated(setup_of("peers", [BoardText("b1", 800, 400, RATE_HZ, CORNERS)], _skus(), _slots("b1")))


def one_cell_shelf() -> Setup:
    """The same goods on one cell."""
    return _calibrated(
        setup_of("peers", [BoardText("b1", 800, 400, RATE_HZ, {"c": (400, 200)})], _skus(), _slots("b1"))
    )


def lanes() -> Setup:
    """A lane for each of the goods."""
    boards = [BoardText(f"lane-{sku}", 100, 400, RATE_HZ, {"c": (50, 200)}) for sku in WEIGHTS_G]
    slots = [SlotText(f"s-{sku}", f"lane-{sku}", sku, (0, 100), None, 5) for sku in WEIGHTS_G]
    return _calibrated(setup_of("peers", boards, _skus(), slots))


def scene(setup: Setup, layout: str, steps: Sequence[Step], duration_s: float = 12.0, noise_g: float = 0.5) -> Scene:
    """The steps on a load of 5 kg; each cell samples a little after the one before."""
    rng = np.random.default_rng(7)
    blocks = []
    for name, board in setup.node.boards.items():
        cells = list(board.cells.values())
        times, indexes, counts = [], [], []
        for index, cell in enumerate(cells):
            at_s = np.arange(0.0, duration_s, 1 / RATE_HZ) + index * 0.003
            grams = 5000.0 / len(cells) + noise_g * rng.standard_normal(at_s.size)
            for step in steps:
                if step.board == name:
                    share = _share(step.x_mm, cell.x_mm, [other.x_mm for other in cells])
                    grams += share * step.grams * np.clip((at_s - step.at_s) / 0.3, 0.0, 1.0)
            times.append(np.rint(at_s * 1e9).astype(np.int64))
            indexes.append(np.full(at_s.size, index, np.uint8))
            counts.append(np.rint(grams * COUNTS_PER_GRAM).astype(np.int32))
        order = np.argsort(np.concatenate(times), kind="stable")
        blocks.append(
            SampleBlock(
                name,
                np.concatenate(times)[order],
                np.concatenate(indexes)[order],
                np.concatenate(counts)[order],
                np.zeros(order.size, np.uint16),
            )
        )
    return Scene("made by hand", layout, 0, setup, (), duration_s, [blocks])


def _share(x_mm: float, cell_x_mm: float, all_x_mm: list[float]) -> float:
    """Of a load at ``x_mm`` in the middle of the depth, what a cell of a symmetric board carries."""
    middle, half = (max(all_x_mm) + min(all_x_mm)) / 2, (max(all_x_mm) - min(all_x_mm)) / 2
    if half == 0.0:
        return 1.0 / len(all_x_mm)
    return (1.0 + (x_mm - middle) / half * (1.0 if cell_x_mm > middle else -1.0)) / len(all_x_mm)


def _skus() -> list[SkuText]:
    return [SkuText(sku, sku, weight_g, 1.0) for sku, weight_g in WEIGHTS_G.items()]


def _slots(board: str) -> list[SlotText]:
    return [
        SlotText(f"s-{sku}", board, sku, (200.0 * place, 200.0 * (place + 1)), None, 5)
        for place, sku in enumerate(WEIGHTS_G)
    ]


def _calibrated(setup: Setup) -> Setup:
    records = {
        name: nominal_grams_calibration(name, list(board.cells), COUNTS_PER_GRAM, 0.0, "by hand")
        for name, board in setup.node.boards.items()
    }
    return dataclasses.replace(setup, calibration=records)
