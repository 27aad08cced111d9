"""The plateaus since the last settled one, on one board."""

from __future__ import annotations

import numpy as np

from edge.fusion.plateau import Plateau

SHORTEST_REST_S = 0.25  # an over plateau is shorter than its rest was, by what may belong to the motion around it
RESTLESS = -1.0  # unrest of such a short plateau that makes it a hand's
DRIFT_VAR_PER_S = 0.02  # grams squared by which an old level is doubted per second
DRIFT_SHARE = 0.1  # ... and this share of the squared change that turned out to be nothing


class Chain:
    """Plateaus in order of time. The first is settled; the newest may still grow."""

    def __init__(self, tolerance_g: float) -> None:
        self.plateaus: list[Plateau] = []
        self._tolerance_g = tolerance_g
        self._before: Plateau | None = None  # what the newest plateau goes on from
        self._newest_begin_ns: int | None = None  # of the newest plateau itself

    def __len__(self) -> int:
        return len(self.plateaus)

    def begin(self, plateau: Plateau) -> None:
        """The first plateau."""
        self.plateaus.append(plateau)
        self._newest_begin_ns = plateau.begin_ns

    def knows(self, plateau: Plateau) -> bool:
        """Whether this is the newest plateau, seen once more."""
        return plateau.begin_ns == self._newest_begin_ns

    def open(self, plateau: Plateau) -> None:
        """A new plateau."""
        self._newest_begin_ns = plateau.begin_ns
        if len(self) > 1 and self.plateaus[-1].seconds < SHORTEST_REST_S and self.plateaus[-1].unrest > RESTLESS:
            self.plateaus.pop()  # a moment between two motions of a hand, nobody's rest
        self._before = self.plateaus.pop() if len(self) > 1 else None
        self._take(plateau)

    def look_again(self, plateau: Plateau) -> None:
        """The newest plateau, known better."""
        self.plateaus.pop()
        self._take(plateau)

    def _take(self, plateau: Plateau) -> None:
        """A plateau that says the same as the one before is that one, going on, until a better look says otherwise."""
        if self._before is not None and not self._agree(self._before, plateau):
            self.plateaus.append(self._before)
            self._before = None
        self.plateaus.append(plateau if self._before is None else plateau.after(self._before))

    def _agree(self, a: Plateau, b: Plateau) -> bool:
        if a.mask != b.mask:
            return False
        working = ~np.isnan(b.level_g)
        apart = np.abs(b.level_g - a.level_g)[working]
        doubt = 2.0 * np.sqrt(a.level_var + b.level_var)[working]
        return bool(np.all(apart <= doubt + 0.25 * self._tolerance_g))

    def settle(self, node: int) -> None:
        """What happened up to plateau ``node`` is settled."""
        if node == len(self) - 1:
            self._before = None
        del self.plateaus[:node]

    def go_on(self) -> None:
        """Nothing happened: the newest plateau is the settled one, going on, apart from what drifted meanwhile."""
        settled, newest = self.plateaus[0], self.plateaus[-1]
        self.settle(len(self) - 1)
        if settled.mask != newest.mask:
            return
        drift_var = DRIFT_VAR_PER_S * (newest.begin_ns - settled.end_ns) * 1e-9
        change = float(np.nansum(newest.level_g - settled.level_g))
        drift_var += DRIFT_SHARE * max(change**2 - newest.sum_var, 0.0)
        self._before = settled.aged(drift_var)
        self.plateaus[0] = newest.after(self._before)
