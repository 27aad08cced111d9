"""Does 0.9 mean nine in ten? Stated confidence against how often the event was right, in 15 bins, and a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hil.case_facts import CaseFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 15
DECADES = 6
LEAST_DOUBT = 1e-6
_BLUE = "#4c78a8"
_POINTS: dict[str, Any] = {"fmt": "o", "color": "#1f4e79", "markersize": 5, "capsize": 2.5, "linewidth": 1}


@dataclass(frozen=True, slots=True)
class Bin:
    """Events of a confidence between ``low`` and ``high``: their mean confidence, and the share that was right."""

    low: float
    high: float
    count: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Attributes:
    equal_width: 15 bins of confidence, each 1/15 wide; some may be empty.
    equal_count: 15 bins with as many events each, which say more where nearly all confidences are close to 1.
    by_doubt: bins of a decade of doubt (1 - confidence) each, the last one down to none.
    equal_width_error, equal_count_error: expected calibration error, the mean of |stated - right| over events
        (Naeini et al. 2015; Guo et al. 2017).
    """

    equal_width: tuple[Bin, ...]
    equal_count: tuple[Bin, ...]
    by_doubt: tuple[Bin, ...]
    equal_width_error: float
    equal_count_error: float
    count: int


def reliability(stated: Sequence[float], right: Sequence[bool]) -> Reliability:
    """Bins and calibration errors of events; each event counts once, whatever its quantity."""
    p = np.asarray(stated, np.float64)
    hit = np.asarray(right, np.float64)
    width_bins = []
    place = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    for number in range(BINS):
        inside = place == number
        width_bins.append(_bin(number / BINS, (number + 1) / BINS, p[inside], hit[inside]))
    order = np.argsort(p, kind="stable")
    count_bins = [
        _bin(float(p[part[0]]), float(p[part[-1]]), p[part], hit[part])
        for part in np.array_split(order, BINS)
        if part.size
    ]
    decade = np.clip(np.floor(-np.log10(np.maximum(1.0 - p, LEAST_DOUBT))), 0, DECADES - 1).astype(np.int64)
    doubt_bins = [
        _bin(1.0 - 10.0**-number, 1.0 - 10.0 ** -(number + 1), p[decade == number], hit[decade == number])
        for number in range(DECADES)
    ]
    return Reliability(
        tuple(width_bins),
        tuple(count_bins),
        tuple(doubt_bins),
        _error(width_bins),
        _error(count_bins),
        int(p.size),
    )


def reliability_of(cases: Iterable[CaseFacts]) -> Reliability:
    """The same over all final events, reviewed ones too; right in kind, SKU, slot and quantity (`EventFact.exact`)."""
    events = [event for case in cases for event in case.events]
    return reliability([event.confidence for event in events], [event.exact for event in events])


def _bin(low: float, high: float, stated: np.ndarray, right: np.ndarray) -> Bin:
    if stated.size == 0:
        return Bin(low, high, 0, math.nan, math.nan)
    return Bin(low, high, int(stated.size), float(stated.mean()), float(right.mean()))


def _error(bins: Sequence[Bin]) -> float:
    count = sum(b.count for b in bins)
    return sum(b.count * abs(b.stated - b.right) for b in bins if b.count) / count if count else math.nan


def draw_reliability(found: Reliability, path: Path, subtitle: str) -> None:
    """The reliability diagram as PNG, with how many events there are; beside it the sure end, where nearly all lie."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.8), dpi=120, layout="constrained")
    (left, right), (left_count, right_count) = figure.subplots(2, 2, height_ratios=(3, 1), sharex="col")
    filled = [b for b in found.equal_width if b.count]
    middles = [(b.low + b.high) / 2 for b in filled]
    left.plot([0, 1], [0, 1], "--", color="0.5", linewidth=1, label="stated = right")
    left.bar(middles, [b.right for b in filled], 0.94 / BINS, color=_BLUE, alpha=0.3)
    reach = np.array([_interval(b) for b in filled]).T
    left.errorbar([b.stated for b in filled], [b.right for b in filled], yerr=reach, label="95 % interval", **_POINTS)
    left.set(xlim=(0, 1.005), ylim=(0, 1.02), ylabel="share of events that were right")
    left.set_title(
        f"15 bins of equal width: calibration error {found.equal_width_error:.4f}\n"
        f"(15 bins of equal count: {found.equal_count_error:.4f})",
        fontsize=10,
    )
    _draw_counts(left_count, middles, [b.count for b in filled], [0.94 / BINS] * len(filled))
    left_count.set(xlabel="stated confidence")

    sure = [b for b in found.by_doubt if b.count]
    doubt = [max(1.0 - b.stated, LEAST_DOUBT) for b in sure]
    wrong = [max(1.0 - b.right, LEAST_DOUBT) for b in sure]
    reach = np.array([_interval(b)[::-1] for b in sure]).T
    right.plot([LEAST_DOUBT, 1], [LEAST_DOUBT, 1], "--", color="0.5", linewidth=1, label="stated = wrong")
    right.errorbar(doubt, wrong, yerr=reach, label="95 % interval; none wrong is drawn at the foot", **_POINTS)
    right.set(xscale="log", yscale="log", xlim=(1.0, LEAST_DOUBT * 0.8), ylim=(LEAST_DOUBT * 0.8, 1.2))
    right.set(ylabel="share of events that were wrong")
    right.set_title("the sure end: stated doubt by decades", fontsize=10)
    _draw_counts(right_count, doubt, [b.count for b in sure], [0.5 * value for value in doubt])
    right_count.set(xlabel="stated doubt, 1 - confidence (surer to the right)")
    for axes in (left, right, left_count, right_count):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes, place in ((left, "upper left"), (right, "upper right")):
        axes.legend(loc=place, fontsize=8.5, frameon=False)
    figure.suptitle(f"Is the stated confidence true?  {found.count} events; {subtitle}", fontsize=11)
    figure.savefig(path)


def _draw_counts(axes: Axes, places: Sequence[float], counts: Sequence[int], widths: Sequence[float]) -> None:
    axes.bar(places, counts, widths, color=_BLUE)
    for place, count in zip(places, counts, strict=True):
        axes.annotate(f"{count}", (place, count), ha="center", va="bottom", fontsize=7.5)
    axes.set_yscale("log")
    axes.set(ylabel="events", ylim=(0.7, 8 * max(counts, default=1)))


def _interval(b: Bin, z: float = 1.96) -> tuple[float, float]:
    """How far the Wilson interval reaches below and above the share."""
    n, share = b.count, b.right
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, share - (middle - reach)), max(0.0, middle + reach - share)
