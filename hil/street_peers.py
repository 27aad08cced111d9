"""What others do with a frame: OpenCV's background models with connected components, and motion as Frigate finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]

FRIGATE_ROWS = 100
FRIGATE_ALPHA = 0.01
FRIGATE_THRESHOLD = 30
FRIGATE_PERCENTILES = (4, 96)


def mog2() -> Callable[[U8], int]:
    """Zivkovic 2004, OpenCV's defaults with shadows, then opening and connected components: blobs per frame."""
    import cv2

    return _with_components(cv2.createBackgroundSubtractorMOG2(detectShadows=True))


def knn() -> Callable[[U8], int]:
    """Zivkovic and van der Heijden 2006, the same."""
    import cv2

    return _with_components(cv2.createBackgroundSubtractorKNN(detectShadows=True))


def _with_components(model: Any) -> Callable[[U8], int]:
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))

    def step(luma: U8) -> int:
        mask = model.apply(luma)
        _, mask = cv2.threshold(mask, 200, 255, cv2.THRESH_BINARY)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        return int(cv2.connectedComponentsWithStats(mask)[0])

    return step


def frigate_like() -> Callable[[U8], int]:
    """The steps of Frigate's motion detector: 100 rows, contrast, blur, difference to a running mean, contours."""
    import cv2

    mean: list[Any] = []

    def step(luma: U8) -> int:
        height, width = luma.shape
        small = cv2.resize(luma, (width * FRIGATE_ROWS // height, FRIGATE_ROWS), interpolation=cv2.INTER_NEAREST)
        low, top = np.percentile(small, FRIGATE_PERCENTILES)
        small = np.clip((small.astype(np.float32) - low) * (255.0 / max(top - low, 1.0)), 0, 255).astype(np.uint8)
        small = cv2.GaussianBlur(small, (3, 3), 0)
        if not mean:
            mean.append(small.astype(np.float32))
        difference = cv2.absdiff(small, cv2.convertScaleAbs(mean[0]))
        _, mask = cv2.threshold(difference, FRIGATE_THRESHOLD, 255, cv2.THRESH_BINARY)
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3)))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.accumulateWeighted(small, mean[0], FRIGATE_ALPHA)
        return len(contours)

    return step
