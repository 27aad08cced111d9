"""The figures of many scenes: counts are added and latencies pooled, so that a scene weighs as much as its units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hil.case_facts import CaseFacts


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95 % quantile of ``count`` values; NaN where there are none."""

    p50: float
    p95: float
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything in single units but ``false_accepted`` and ``false_reviewed``, which count events.

    Attributes:
        right_units: of all event units, reviewed or not.
        false_accepted, false_reviewed: events where nothing of that kind happened there then.
        provisional_s, final_s, final_after_label_s, grams: see `CaseFacts`.
    """

    scenes: int
    hours: float
    label_units: int
    event_units: int
    right_units: int
    missed_units: int
    accepted_units: int
    accepted_wrong: int
    review_units: int
    false_accepted: int
    false_reviewed: int
    provisional_s: Spread
    final_s: Spread
    final_after_label_s: Spread
    grams: Spread

    @property
    def f1(self) -> float:
        """2 right / (label units + event units); NaN where nothing moved."""
        return _ratio(2 * self.right_units, self.label_units + self.event_units) if self.label_units else math.nan

    @property
    def recall(self) -> float:
        """Share of what moved for which the event says the right thing, whether or not it went to review."""
        return _ratio(self.right_units, self.label_units)

    @property
    def review_share(self) -> float:
        """Share of event units that went to a person."""
        return _ratio(self.review_units, self.event_units)

    @property
    def accepted_error(self) -> float:
        """Share of the accepted units that aren't right."""
        return _ratio(self.accepted_wrong, self.accepted_units)

    @property
    def accepted_error_at_most(self) -> float:
        """The 95 % upper bound of that share (Wilson score interval, one-sided; Wilson 1927)."""
        return wilson_upper(self.accepted_wrong, self.accepted_units)

    @property
    def false_accepted_per_hour(self) -> float:
        """Accepted events per hour of scene where nothing happened."""
        return _ratio(self.false_accepted, self.hours)


def pooled(cases: Iterable[CaseFacts]) -> Figures:
    """The figures of all these scenes."""
    facts = list(cases)
    events = [event for case in facts for event in case.events]
    accepted = [event for event in events if not event.review]
    event_units = sum(event.units for event in events)
    accepted_units = sum(event.units for event in accepted)
    return Figures(
        scenes=len(facts),
        hours=sum(case.hours for case in facts),
        label_units=sum(case.label_units for case in facts),
        event_units=event_units,
        right_units=sum(event.right_units for event in events),
        missed_units=sum(case.missed_units for case in facts),
        accepted_units=accepted_units,
        accepted_wrong=accepted_units - sum(event.right_units for event in accepted),
        review_units=event_units - accepted_units,
        false_accepted=sum(event.nothing_there for event in accepted),
        false_reviewed=sum(event.nothing_there for event in events if event.review),
        provisional_s=spread([value for case in facts for value in case.provisional_s]),
        final_s=spread([value for case in facts for value in case.final_s]),
        final_after_label_s=spread([value for case in facts for value in case.final_after_label_s]),
        grams=spread([value for case in facts for value in case.gram_errors]),
    )


def spread(values: Sequence[float]) -> Spread:
    """Median and 95 % quantile (Hyndman and Fan 1996, type 7)."""
    if not values:
        return Spread(math.nan, math.nan, 0)
    p50, p95 = np.quantile(np.asarray(values, np.float64), (0.5, 0.95))
    return Spread(float(p50), float(p95), len(values))


def wilson_upper(part: int, whole: int, z: float = 1.645) -> float:
    """Upper end of the one-sided 95 % interval of a share."""
    if whole == 0:
        return math.nan
    share, z2 = part / whole, z * z
    middle = share + z2 / (2 * whole)
    reach = z * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return min(1.0, (middle + reach) / (1 + z2 / whole))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
