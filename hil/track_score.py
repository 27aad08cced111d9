"""How good tracks are: CLEAR MOT (Bernardin and Stiefelhagen 2008) and IDF1 (Ristani et al. 2016)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.vision.assign import NEVER, assign

Floats = npt.NDArray[np.float64]

LEAST_IOU = 0.5
LEAST_INSIDE = 0.5  # share of a box


@dataclass(frozen=True, slots=True)
class Boxes:
    """People in one frame: identities int64[n], boxes float64[n, 4] left, top, width, height in pixels."""

    identity: npt.NDArray[np.int64]
    box: Floats


@dataclass(frozen=True, slots=True)
class TrackScore:
    """MOTA and IDF1 (shares; NaN where there is nobody), identity switches, and counts of boxes."""

    mota: float
    idf1: float
    switches: int
    missed: int
    false: int
    boxes: int


def overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes float64[n, 4] and float64[m, 4], as float64[n, m]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    top = np.minimum((one[:, :2] + one[:, 2:])[:, None], (other[:, :2] + other[:, 2:])[None])
    both = np.clip(top - low, 0.0, None).prod(axis=2)
    area_one, area_other = one[:, 2:].prod(axis=1), other[:, 2:].prod(axis=1)
    shared: Floats = both / np.maximum(area_one[:, None] + area_other[None] - both, 1e-9)
    return shared


def without_doubtful(truth: Boxes, found: Boxes, doubtful: Floats) -> Boxes:
    """What was found, but for boxes that show nobody of ``truth`` and lie by half or more in a box of ``doubtful``.

    As MOTChallenge does with people whom the truth says little about (Milan et al. 2016, MOT16, 3.2): nobody can tell
    from the picture where somebody hidden stands, so neither finding nor missing them counts.
    """
    if not len(doubtful) or not len(found.box):
        return found
    right = overlap(found.box, truth.box).max(axis=1, initial=0.0) >= LEAST_IOU
    low = np.maximum(found.box[:, None, :2], doubtful[None, :, :2])
    top = np.minimum((found.box[:, :2] + found.box[:, 2:])[:, None], (doubtful[:, :2] + doubtful[:, 2:])[None])
    inside = np.clip(top - low, 0.0, None).prod(axis=2).max(axis=1) / np.maximum(found.box[:, 2:].prod(axis=1), 1e-9)
    keep = right | (inside < LEAST_INSIDE)
    return Boxes(found.identity[keep], found.box[keep])


def score_tracks(frames: Iterable[tuple[Boxes, Boxes]]) -> TrackScore:
    """Score of (truth, found) per frame; a pair counts from an overlap of one half on.

    Who was found under some number stays paired with it for as long as both overlap; a switch is when the number that a
    person was last found under is followed by another one.
    """
    last: dict[int, int] = {}
    together: Counter[tuple[int, int]] = Counter()
    switches = missed = false = boxes = numbers = 0
    for truth, found in frames:
        shared = overlap(truth.box, found.box)
        fits = shared >= LEAST_IOU
        people, names = truth.identity.tolist(), found.identity.tolist()
        boxes, numbers = boxes + len(people), numbers + len(names)
        together.update((people[i], names[j]) for i, j in np.argwhere(fits).tolist())
        cost = np.where(fits, 1.0 - shared, NEVER)
        pairs = 0
        for i, person in enumerate(people):
            j = names.index(last[person]) if last.get(person) in names else -1
            if j >= 0 and cost[i, j] < NEVER:
                cost[i], cost[:, j] = NEVER, NEVER
                pairs += 1
        chosen = np.empty(len(people), np.int64)
        assign(cost, chosen)
        for i, j in enumerate(chosen.tolist()):
            if j >= 0:
                pairs += 1
                switches += last.get(people[i], names[j]) != names[j]
                last[people[i]] = names[j]
        missed, false = missed + len(people) - pairs, false + len(names) - pairs
    mota = 1.0 - (missed + false + switches) / boxes if boxes else math.nan
    idf1 = 2.0 * _most_together(together) / (boxes + numbers) if boxes else math.nan
    return TrackScore(mota, idf1, switches, missed, false, boxes)


def _most_together(together: Counter[tuple[int, int]]) -> int:
    """Frames in which people and numbers go together, each number given to one person, as well as it can be."""
    people, numbers = (sorted({pair[side] for pair in together}) for side in range(2))
    frames = np.zeros((len(people), len(numbers)))
    for (person, number), count in together.items():
        frames[people.index(person), numbers.index(number)] = count
    chosen = np.empty(len(people), np.int64)
    assign(frames.max(initial=0.0) - frames, chosen)
    return int(sum(frames[i, j] for i, j in enumerate(chosen.tolist()) if j >= 0))


def motmetrics_score(frames: Iterable[tuple[Boxes, Boxes]]) -> TrackScore:
    """The same by the motmetrics package. Raises ImportError where it isn't installed."""
    import motmetrics  # type: ignore[import-untyped,import-not-found,unused-ignore]

    accumulator: Any = motmetrics.MOTAccumulator(auto_id=True)
    for truth, found in frames:
        distance = 1.0 - overlap(truth.box, found.box)
        distance[distance > 1.0 - LEAST_IOU] = np.nan
        accumulator.update(truth.identity, found.identity, distance)
    names = ["mota", "idf1", "num_switches", "num_misses", "num_false_positives", "num_objects"]
    row = motmetrics.metrics.create().compute(accumulator, metrics=names, name="all").iloc[0]
    return TrackScore(float(row.iloc[0]), float(row.iloc[1]), *(int(value) for value in row.iloc[2:]))


def found_boxes(tracks: Iterable[Any], scale: float = 1.0) -> Boxes:
    """What `edge.vision.tracker.Tracker.push` returned, but for those who couldn't be seen."""
    seen = [track for track in tracks if not track.hidden]
    return Boxes(
        np.array([track.identity for track in seen], np.int64),
        scale * np.array([(t.left, t.top, t.width, t.height) for t in seen], np.float64).reshape(-1, 4),
    )
