"""Names for what has left or come, without a model: it looks like what stands in the slots of that SKU.

The planogram says what stands where, and the picture shows it. So each SKU's colours are those of the cells that show
its slots, and count the less the more SKUs share a place. A difference goes with a SKU as well as its cells' colours
are likely among them: a kernel density with a share for any colour at all, against the colours of the whole board.
Neighbouring cells say much the same, so all of them together count as a few. A SKU whose slots are empty, or that can't
be seen, looks like nothing in particular and is neither likelier nor less likely.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.vision.shelf_compare import Bools, Planes
from edge.vision.shelf_regions import Regions

Floats = npt.NDArray[np.float32]

KERNEL_SD = np.array([14.0, 5.0, 5.0], np.float32)  # grey levels: brightness varies over an item, colour less
ANY_SHARE = 0.1
ANY_DENSITY = 2e-3  # of a colour anywhere, beside the kernel's 1 at its middle
ALIKE_CELLS = 8.0  # so many cells say as much as one alone would
MOST_CELLS = 160  # of a SKU or of a difference, evenly chosen
LEAST_WEIGHT = 6.0  # cells of a SKU: fewer don't show it
MOST_LOG = 4.0


class SlotColours:
    """Which cells show which SKU."""

    def __init__(self, regions: Regions) -> None:
        shape = regions.free.shape
        own: dict[str, Bools] = {}
        for box, core in zip(regions.boxes, regions.cores, strict=True):
            if box.sku:
                own[box.sku] = own.get(box.sku, np.zeros(shape, np.bool_)) | core
        shared = sum((cells.astype(np.float32) for cells in own.values()), np.zeros(shape, np.float32))
        self._board = shared > 0.0
        self._weights: dict[str, Floats] = {
            sku: np.where(own[sku], 1.0 / np.maximum(shared, 1.0), 0.0).astype(np.float32) for sku in sorted(own)
        }

    def names(self, before: Planes, cells: Bools, colours: Planes) -> tuple[tuple[str, float], ...]:
        """SKU and log likelihood ratio, against anything on the board, of what ``colours`` show in ``cells``.

        ``before``: the picture as it is known, in the same light.
        """
        beside = ~cells
        known = {sku: weights * beside for sku, weights in self._weights.items()}
        known = {sku: weights for sku, weights in known.items() if float(weights.sum()) >= LEAST_WEIGHT}
        if len(known) < 2:
            return ()
        seen = _some(colours, cells, np.ones_like(before[0]))[0]
        anything = _log_alike(seen, *_some(before, self._board & beside, np.ones_like(before[0])))
        ratios = np.array([_log_alike(seen, *_some(before, own > 0.0, own)) for own in known.values()]) - anything
        ratios -= max(float(ratios.max()) - MOST_LOG, 0.0)  # what lies between them stays
        return tuple((sku, round(max(float(ratio), -MOST_LOG), 3)) for sku, ratio in zip(known, ratios, strict=True))


def _some(colours: Planes, cells: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Colours [3, n] of at most `MOST_CELLS` of the cells, in kernel widths, and their weights."""
    step = max(-(-int(cells.sum()) // MOST_CELLS), 1)
    chosen = np.asarray(colours[:, cells][:, ::step] / KERNEL_SD[:, None], np.float32)
    return chosen, weights[cells][::step]


def _log_alike(seen: Floats, model: Floats, weights: Floats) -> float:
    """Log likelihood of colours under the density of others."""
    squared = ((seen[:, :, None] - model[:, None, :]) ** 2).sum(axis=0)
    alike = (np.exp(-0.5 * squared) @ weights) / weights.sum()
    density = (1.0 - ANY_SHARE) * alike + ANY_SHARE * ANY_DENSITY
    return float(np.log(density).sum()) / ALIKE_CELLS
