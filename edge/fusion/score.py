"""How good were the events? Labels and events as single units, matched one to one, and the figures that follow.

The rule. Labels, and of each event its last revision if that is final, are expanded to single units by quantity. An
event unit is *right* when board, kind, SKU and slot agree with a label unit (what the labeller left open agrees with
anything, a foreign object only with an event without a SKU) and its time lies within [start - 0.5 s, end + 1.5 s] of
the label. Units are matched one to one, as many as possible at all: Kuhn's augmenting paths (Kuhn 1955, "The Hungarian
method"; Berge's lemma), so the order in which events come plays no part. Accepted units are matched first, which leaves
the number of matches the same: where an accepted and a reviewed event both claim one label, the accepted one is the one
that is right.

Then the matching is widened to agreement in board, kind and time alone. What stays unmatched then is *false* (nothing
of that kind happened there then) or, among the labels, *missed*; what is matched only then is *wrong*: a real movement
with the wrong SKU or slot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.trace.event import Event, Kind, Label, Status

EARLY_S = 0.5
LATE_S = 1.5
_NS_PER_S = 1e9


class Verdict(StrEnum):
    """What the labels say of an event (of all its units: the worst counts) or the events of a label."""

    RIGHT = "right"
    WRONG = "wrong"
    FALSE = "false"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from a label's end to the decision; None where there was nothing to measure."""

    median_s: float | None
    p95_s: float | None
    count: int


@dataclass(frozen=True, slots=True)
class UnitMatch:
    """A single unit of a final event with what it was matched to, for those who pool scenes.

    Attributes:
        label: index of the label it belongs to; None: nothing of that kind happened there then.
        right: SKU and slot agree too.
        first_s, final_s: when the first revision that had this unit right was decided, and when the final one was
            (seconds on the trace's clock); None unless right.
    """

    event_id: str
    label: int | None
    right: bool
    first_s: float | None
    final_s: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """The figures. Everything is counted in single units; a ratio is None where its denominator is zero.

    Attributes:
        label_units, event_units: how many there are. right: matched pairs of them.
        wrong_units: of the events, a real movement with the wrong SKU or slot. false_units: nothing happened there.
        missed_units: of the labels, no event of that kind on that board at that time.
        precision: right / event_units. recall: right / label_units. f1: 2 right / (label_units + event_units).
        review_share: event units with ``needs_review`` / event_units.
        accepted_error: accepted units that aren't right / accepted units, where accepted is final and not for review.
        first_latency: to the first revision that already had kind, SKU, slot and quantity right (often provisional).
        final_latency: to the revision that is final. Both over right units only.
        false_per_hour: false_units per hour of ``duration_s``.
        event_verdicts: by id of each final event. label_verdicts: in the labels' order.
        label_of_event: index of the label that an event's first matched unit, right or wrong, belongs to.
        unit_matches: the event units one by one.
    """

    label_units: int
    event_units: int
    right_units: int
    wrong_units: int
    false_units: int
    missed_units: int
    accepted_units: int
    accepted_wrong_units: int
    review_units: int
    f1: float | None
    precision: float | None
    recall: float | None
    review_share: float | None
    accepted_error: float | None
    first_latency: Latency
    final_latency: Latency
    false_per_hour: float | None
    duration_s: float
    event_verdicts: dict[str, Verdict]
    label_verdicts: tuple[Verdict, ...]
    label_of_event: dict[str, int]
    unit_matches: tuple[UnitMatch, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """The ``number``-th single unit (from 0) of the event or label at ``index``."""

    index: int
    number: int


def score(labels: Sequence[Label], events: Iterable[Event], duration_s: float) -> Score:
    """Score all revisions of all events, in any order, against the labels of ``duration_s`` seconds of trace."""
    revisions: dict[str, list[Event]] = {}
    for event in events:
        revisions.setdefault(event.event_id, []).append(event)
    for history in revisions.values():
        history.sort(key=lambda event: event.revision)
    finals = [history[-1] for history in revisions.values() if history[-1].status is Status.FINAL]
    finals.sort(key=lambda event: (event.needs_review, event.time_ns, event.event_id))

    event_units = [_Unit(index, number) for index, event in enumerate(finals) for number in range(event.quantity)]
    label_units = [_Unit(index, number) for index, label in enumerate(labels) for number in range(label.quantity)]
    near = _near(finals, labels)
    units_of_label: dict[int, list[int]] = {}
    for position, unit in enumerate(label_units):
        units_of_label.setdefault(unit.index, []).append(position)

    def edges(same_item: bool) -> list[list[int]]:
        return [
            [
                position
                for label in near[unit.index]
                if not same_item or _item_agrees(finals[unit.index], labels[label])
                for position in units_of_label.get(label, ())
            ]
            for unit in event_units
        ]

    right_of = _grow_matching(edges(same_item=True), [-1] * len(event_units), len(label_units))
    real_of = _grow_matching(edges(same_item=False), list(right_of), len(label_units))

    matches = []
    for unit, right_position, real_position in zip(event_units, right_of, real_of, strict=True):
        event_id = finals[unit.index].event_id
        if right_position < 0:
            matches.append(UnitMatch(event_id, _label_at(label_units, real_position), False, None, None))
            continue
        index = label_units[right_position].index
        first = next(
            revision
            for revision in revisions[event_id]
            if revision.status is not Status.RETRACTED
            and revision.quantity > unit.number
            and _move_agrees(revision, labels[index])
            and _item_agrees(revision, labels[index])
        )
        decided_s = finals[unit.index].decided_ns / _NS_PER_S
        matches.append(UnitMatch(event_id, index, True, first.decided_ns / _NS_PER_S, decided_s))
    first_s = [m.first_s - labels[m.label].end_s for m in matches if m.label is not None and m.first_s is not None]
    final_s = [m.final_s - labels[m.label].end_s for m in matches if m.label is not None and m.final_s is not None]

    right = sum(position >= 0 for position in right_of)
    real = sum(position >= 0 for position in real_of)
    reviewed = [finals[unit.index].needs_review for unit in event_units]
    accepted = reviewed.count(False)
    accepted_right = sum(p >= 0 and not review for p, review in zip(right_of, reviewed, strict=True))
    return Score(
        label_units=len(label_units),
        event_units=len(event_units),
        right_units=right,
        wrong_units=real - right,
        false_units=len(event_units) - real,
        missed_units=len(label_units) - real,
        accepted_units=accepted,
        accepted_wrong_units=accepted - accepted_right,
        review_units=len(event_units) - accepted,
        f1=_ratio(2 * right, len(label_units) + len(event_units)),
        precision=_ratio(right, len(event_units)),
        recall=_ratio(right, len(label_units)),
        review_share=_ratio(len(event_units) - accepted, len(event_units)),
        accepted_error=_ratio(accepted - accepted_right, accepted),
        first_latency=_latency(first_s),
        final_latency=_latency(final_s),
        false_per_hour=_ratio(3600 * (len(event_units) - real), duration_s),
        duration_s=duration_s,
        event_verdicts=_event_verdicts(finals, event_units, right_of, real_of),
        label_verdicts=_label_verdicts(len(labels), label_units, right_of, real_of),
        label_of_event={
            finals[unit.index].event_id: label_units[position].index
            for unit, position in reversed(list(zip(event_units, real_of, strict=True)))
            if position >= 0
        },
        unit_matches=tuple(matches),
    )


def _label_at(units: Sequence[_Unit], position: int) -> int | None:
    return units[position].index if position >= 0 else None


def _near(events: Sequence[Event], labels: Sequence[Label]) -> list[list[int]]:
    """For each event the labels of its board and kind whose window holds its time, the nearest in time first."""
    groups: dict[tuple[str, Kind], list[int]] = {}
    for index in sorted(range(len(labels)), key=lambda index: labels[index].start_s):
        groups.setdefault((labels[index].board, labels[index].kind), []).append(index)
    starts = {key: [labels[index].start_s for index in group] for key, group in groups.items()}
    longest_s = max((label.end_s - label.start_s for label in labels), default=0.0)
    found = []
    for event in events:
        key, time_s = (event.board, event.kind), event.time_ns / _NS_PER_S
        begin = bisect_left(starts.get(key, []), time_s - longest_s - LATE_S - 1e-6)
        end = bisect_right(starts.get(key, []), time_s + EARLY_S + 1e-6)
        inside = [index for index in groups.get(key, [])[begin:end] if _move_agrees(event, labels[index])]
        found.append(sorted(inside, key=lambda index: abs((labels[index].start_s + labels[index].end_s) / 2 - time_s)))
    return found


def _move_agrees(event: Event, label: Label) -> bool:
    time_s = event.time_ns / _NS_PER_S
    return (
        event.board == label.board
        and event.kind == label.kind
        and label.start_s - EARLY_S <= time_s <= label.end_s + LATE_S
    )


def _item_agrees(event: Event, label: Label) -> bool:
    if label.foreign:
        return event.sku is None
    return label.sku in (None, event.sku) and label.slot in (None, event.slot)


def _grow_matching(edges: Sequence[Sequence[int]], match: list[int], right_size: int) -> list[int]:
    """The matching grown to a maximum, units earlier in order first; whatever is matched stays matched.

    ``edges[i]`` lists the right nodes of left node i, ``match[i]`` is its partner or -1. A breadth-first search from
    each free left node finds an augmenting path; flipping it adds one pair.
    """
    owner = [-1] * right_size
    for left, right in enumerate(match):
        if right >= 0:
            owner[right] = left
    for root in range(len(edges)):
        if match[root] >= 0:
            continue
        came_from: dict[int, int] = {}
        queue = deque([root])
        free = -1
        while queue and free < 0:
            left = queue.popleft()
            for right in edges[left]:
                if right in came_from:
                    continue
                came_from[right] = left
                if owner[right] < 0:
                    free = right
                    break
                queue.append(owner[right])
        while free >= 0:
            left = came_from[free]
            owner[free], match[left], free = left, free, match[left]
    return match


def _event_verdicts(
    finals: Sequence[Event], units: Sequence[_Unit], right_of: Sequence[int], real_of: Sequence[int]
) -> dict[str, Verdict]:
    verdicts = {event.event_id: Verdict.RIGHT for event in finals if event.quantity > 0}
    for unit, right, real in zip(units, right_of, real_of, strict=True):
        event_id = finals[unit.index].event_id
        if real < 0:
            verdicts[event_id] = Verdict.FALSE
        elif right < 0 and verdicts[event_id] is not Verdict.FALSE:
            verdicts[event_id] = Verdict.WRONG
    return verdicts


def _label_verdicts(
    count: int, units: Sequence[_Unit], right_of: Sequence[int], real_of: Sequence[int]
) -> tuple[Verdict, ...]:
    right, real = set(right_of), set(real_of)
    verdicts = [Verdict.RIGHT] * count
    for position, unit in enumerate(units):
        if position not in real:
            verdicts[unit.index] = Verdict.MISSED
        elif position not in right and verdicts[unit.index] is not Verdict.MISSED:
            verdicts[unit.index] = Verdict.WRONG
    return tuple(verdicts)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _latency(seconds: Sequence[float]) -> Latency:
    return Latency(_quantile(seconds, 0.5), _quantile(seconds, 0.95), len(seconds))


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between order statistics (Hyndman and Fan 1996, type 7)."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
