"""Foreground that nobody explains, as blobs: connected components, with fragments of one person put together.

Labelling in two passes with union-find (Rosenfeld and Pfaltz 1966; 8-connected), on every ``step``-th pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.background import FOREGROUND

U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

MOST_BLOBS = 256
LEFT, TOP, RIGHT, BOTTOM, COUNT = range(5)  # columns of a blob; right and bottom are one beyond, count in pixels


class BlobDesk(NamedTuple):
    """Room to work in."""

    labels: I32  # [h, w]
    parent: I32  # [labels]
    blob_of: I32  # [labels]
    blobs: Ints  # [MOST_BLOBS, 5]


def new_blob_desk(height: int, width: int) -> BlobDesk:
    """Room for a working size."""
    most_labels = (height + 1) * (width + 1) // 4 + 2
    labels = np.zeros((height, width), np.int32)
    parent = np.zeros(most_labels + 1, np.int32)
    return BlobDesk(labels, parent, parent.copy(), np.zeros((MOST_BLOBS, 5), np.int64))


@njit(cache=True)
def _root(parent: I32, label: int) -> int:
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@njit(cache=True)
def find_blobs(smooth: U8, taken: U8, step: int, desk: BlobDesk) -> int:
    """Number of blobs of pixels that are foreground and not ``taken``; they are in ``desk.blobs``.

    Of more than `MOST_BLOBS` the first ones, row by row.
    """
    height, width = smooth.shape
    high, wide = (height + step - 1) // step, (width + step - 1) // step
    labels, parent = desk.labels, desk.parent
    last = 0
    for i in range(high):
        row, taken_row = smooth[i * step], taken[i * step]
        for j in range(wide):
            labels[i, j] = 0
            if row[j * step] < FOREGROUND or taken_row[j * step] != 0:
                continue
            label = 0
            if j > 0 and labels[i, j - 1] > 0:
                label = _root(parent, labels[i, j - 1])
            if i > 0:
                for m in range(max(j - 1, 0), min(j + 2, wide)):
                    if labels[i - 1, m] > 0:
                        other = _root(parent, labels[i - 1, m])
                        if label == 0:
                            label = other
                        elif other != label:
                            low, top = min(label, other), max(label, other)
                            parent[top] = low
                            label = low
            if label == 0:
                last += 1
                label = last
                parent[label] = label
            labels[i, j] = label
    for label in range(1, last + 1):
        desk.blob_of[label] = -1
    count = 0
    for i in range(high):
        for j in range(wide):
            if labels[i, j] == 0:
                continue
            root = _root(parent, labels[i, j])
            if desk.blob_of[root] < 0:
                if count == MOST_BLOBS:
                    continue
                desk.blob_of[root] = count
                blob = desk.blobs[count]
                blob[LEFT], blob[TOP], blob[RIGHT], blob[BOTTOM], blob[COUNT] = j * step, i * step, 0, 0, 0
                count += 1
            blob = desk.blobs[desk.blob_of[root]]
            blob[LEFT] = min(blob[LEFT], j * step)
            blob[RIGHT] = max(blob[RIGHT], min((j + 1) * step, width))
            blob[BOTTOM] = max(blob[BOTTOM], min((i + 1) * step, height))
            blob[COUNT] += step * step
    return count


@njit(cache=True)
def join_fragments(blobs: Ints, count: int, high: float, wide: float) -> int:
    """Put blobs together that fit into one box of ``wide`` x ``high`` pixels; returns how many remain."""
    k = 0
    while k < count:
        joined = False
        for m in range(k + 1, count):
            left, top = min(blobs[k, LEFT], blobs[m, LEFT]), min(blobs[k, TOP], blobs[m, TOP])
            right, bottom = max(blobs[k, RIGHT], blobs[m, RIGHT]), max(blobs[k, BOTTOM], blobs[m, BOTTOM])
            if right - left <= wide and bottom - top <= high:
                blobs[k, LEFT], blobs[k, TOP], blobs[k, RIGHT], blobs[k, BOTTOM] = left, top, right, bottom
                blobs[k, COUNT] += blobs[m, COUNT]
                count -= 1
                for c in range(5):
                    blobs[m, c] = blobs[count, c]
                joined = True
                break
        if not joined:
            k += 1
    return count
