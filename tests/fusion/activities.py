"""Activities made up batch by batch: what lies between two plateaus of a board, without a simulator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from fusion_boards import CORNERS, setup_of

from calibration.record import nominal_grams_calibration
from edge.fusion.activity import Activity
from edge.fusion.model import BoardModel, board_model, sku_table
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BATCH_NS = 50_000_000
BEGIN_S = 5.0
LAYOUTS: dict[str, dict[str, tuple[float, float]]] = {
    "one": {"all": (450.0, 200.0)},
    "row": {"l": (30.0, 200.0), "r": (870.0, 200.0)},
    "column": {"f": (450.0, 30.0), "b": (450.0, 370.0)},
    "corners": CORNERS,
    "eight": {f"c{k}": (30.0 + 280.0 * (k % 4), 30.0 + 340.0 * (k // 4)) for k in range(8)},
}


def model_of(cells: Mapping[str, tuple[float, float]] = CORNERS) -> BoardModel:
    """A board of 900 x 400 mm that says grams, with eight slots side by side."""
    setup = setup_of({"b": cells})
    record = nominal_grams_calibration("b", list(cells), 1000.0, 0.0, "test")
    return board_model(setup, "b", setup.node.boards["b"], record, sku_table(setup))


def load(grams: float, x_mm: float = 0.0, y_mm: float = 0.0) -> Floats:
    """Weight and moments of a load. Places are about the middle of the board."""
    return np.array([grams, grams * x_mm, grams * y_mm])


def times(course: npt.ArrayLike, what: Floats) -> Floats:
    """A load that comes and goes: so many times ``what`` in each batch."""
    return np.asarray(course, np.float64)[:, None] * what


def ramp(batches: int, begin: int, end: int) -> Floats:
    """0 up to batch ``begin``, 1 from batch ``end`` on."""
    return np.clip((np.arange(batches) - begin) / max(end - begin, 1), 0.0, 1.0)


def during(batches: int, begin: int, end: int) -> Floats:
    """1 in batches [begin, end), with a batch half way on either side."""
    at = np.arange(batches)
    return np.where((at >= begin) & (at < end), 1.0, np.where((at == begin - 1) | (at == end), 0.5, 0.0))


def plateau(
    model: BoardModel, z: Floats, begin_s: float, end_s: float, unrest: float = 1.0, noise_g: float = 0.2
) -> Plateau:
    """A quiet stretch at which the board says ``z``, with a batch noise of ``noise_g``, ``unrest`` times the usual."""
    cells = len(model.cell_ids)
    level = np.linalg.pinv(model.statics.transforms[-1]) @ z
    batches = max(round((end_s - begin_s) * 1e9 / BATCH_NS), 1)
    sum_var = 2.0 * noise_g**2 / batches
    return Plateau(
        begin_ns=round(begin_s * 1e9),
        end_ns=round(end_s * 1e9),
        mask=(1 << cells) - 1,
        level_g=level,
        level_var=np.full(cells, sum_var / cells),
        sum_var=sum_var,
        batches=batches,
        unrest=unrest,
    )


def activity_of(model: BoardModel, z: Floats, change: Floats, noise_g: float = 0.2, seed: int = 1) -> Activity:
    """Batches ``z`` [n, 3], less the level before, from `BEGIN_S` on; then a level that is ``change`` off the first.

    To the batches comes noise; and the board says nothing along an axis that it doesn't see.
    """
    begin_ns = round(BEGIN_S * 1e9)
    rng = np.random.default_rng(seed)
    noisy = (z + rng.standard_normal(z.shape) * noise_g * np.array([1.0, 200.0, 90.0])) * model.sees
    every_ns = begin_ns + BATCH_NS * np.arange(len(z) + 1)
    level = load(4000.0, 30.0, -20.0) * model.sees
    end_s = BEGIN_S + len(z) * BATCH_NS * 1e-9
    chain = [plateau(model, level, 0.0, BEGIN_S), plateau(model, level + change * model.sees, end_s, end_s + 2.0)]

    def between(first_ns: int, last_ns: int, mask: int) -> tuple[Floats, Ints, int]:
        assert (first_ns, last_ns, mask) == (every_ns[0], every_ns[-1], chain[0].mask)
        return level + noisy, every_ns, 0

    return Activity(model, chain, between)


def path(activity: Activity, *moved: Floats, sd_mm: float = 25.0) -> tuple[float, list[int]]:
    """Log likelihood if these moved in the activity, and after how many batches each did."""
    seen = np.array(moved).reshape(-1, 3)
    log, times_ns, *_ = activity.path(0, 1, seen, np.full((len(moved), 2), sd_mm))
    return log, [round((int(time_ns) * 1e-9 - BEGIN_S) * 20) for time_ns in times_ns]
