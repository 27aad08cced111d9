"""Names for what has left or come: a classifier's log probabilities as ratios against what else is on the board."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drivers.frames import Frame
from edge.vision.inference.classifier import Classifier
from edge.vision.inference.errors import ModelError
from edge.vision.inference.pictures import Box

LEAST_PROBABLE = 0.02  # a classifier that is certain is still wrong so often


class BoardNamer:
    """Names items by a classifier that knows some of the SKUs of a board. With fewer than two it can tell nothing.

    Attributes:
        problem: why the classifier isn't asked any more; "" as long as it works.
    """

    def __init__(self, classifier: Classifier, skus: Iterable[str]) -> None:
        self._classifier = classifier
        self.problem = ""
        here = sorted(set(skus))
        self._skus = tuple(sku for sku in here if sku in classifier.labels)
        self._columns = [classifier.labels.index(sku) for sku in self._skus]

    def name(self, frame: Frame, left: int, top: int, width: int, height: int) -> tuple[tuple[str, float], ...]:
        """SKU and log ratio of what this part of a frame shows, against the mean of the board's SKUs that it knows."""
        if len(self._skus) < 2 or self.problem:
            return ()
        try:
            logs = self._classifier.look(frame, Box(left, top, width, height))[self._columns]
        except ModelError as error:
            self.problem = str(error)
            return ()
        likely = np.exp(logs)
        likely = likely + LEAST_PROBABLE
        ratios = np.log(likely / likely.mean())
        return tuple((sku, round(float(ratio), 3)) for sku, ratio in zip(self._skus, ratios, strict=True))
