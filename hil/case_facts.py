"""What is kept of a scene once it is decided and scored: numbers only, small enough to travel between processes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from edge.fusion.score import Score, Verdict, score
from edge.trace.event import Event, Status

if TYPE_CHECKING:
    from hil.families import Case

_NS_PER_S = 1e9
Span = tuple[str, float, float]
"""Board, begin and end in seconds of something that acted on it."""


@dataclass(frozen=True, slots=True)
class EventFact:
    """One final event.

    Attributes:
        units: its quantity. right_units: how many of them the score calls right.
        exact: all its units are right and nothing of the labels they belong to is left over (so the quantity is, too).
        nothing_there: the score calls it false: nothing of that kind happened there then.
        confidence: what it stated. review: it went to a person.
        other_doubt: it would go to a person at any confidence (unknown object, blind board ...).
    """

    units: int
    right_units: int
    exact: bool
    nothing_there: bool
    confidence: float
    review: bool
    other_doubt: bool


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One scene's outcome.

    Attributes:
        layout, family, index: which scene it was. hours: how long.
        label_units, missed_units: what moved, and what no event of that kind speaks of.
        events: the final ones.
        provisional_s: of each right unit, its first right revision after the label's end (the hand's last contact).
        final_s: its final decision after the last disturbance, see `last_disturbed_s`.
        final_after_label_s: the same after its own label's end.
        gram_errors: of each event that answers exactly one label with its very quantity, |event - truth| in grams.
    """

    layout: str
    family: str
    index: int
    hours: float
    label_units: int
    missed_units: int
    events: tuple[EventFact, ...]
    provisional_s: tuple[float, ...]
    final_s: tuple[float, ...]
    final_after_label_s: tuple[float, ...]
    gram_errors: tuple[float, ...]


def facts_of(case: Case, index: int, events: Iterable[Event]) -> CaseFacts:
    """Score the events (all revisions) of a scene and keep what the bench's tables, pictures and targets need."""
    revisions = list(events)
    result = score(case.labels, revisions, case.duration_s)
    finals = [event for event in revisions if event.status is Status.FINAL]
    spans = [(label.board, label.start_s, label.end_s) for label in case.labels]
    disturbed = _Disturbed([*spans, *getattr(case, "disturbances", ())])
    provisional, final, after_label = [], [], []
    for match in result.unit_matches:
        if match.label is not None and match.first_s is not None and match.final_s is not None:
            label = case.labels[match.label]
            provisional.append(match.first_s - label.end_s)
            final.append(match.final_s - disturbed.last_s(label.board, match.final_s))
            after_label.append(match.final_s - label.end_s)
    return CaseFacts(
        layout=case.layout,
        family=case.family,
        index=index,
        hours=case.duration_s / 3600.0,
        label_units=result.label_units,
        missed_units=result.missed_units,
        events=tuple(_event_facts(finals, result, case.setup.node.fusion.review_below)),
        provisional_s=tuple(provisional),
        final_s=tuple(final),
        final_after_label_s=tuple(after_label),
        gram_errors=tuple(_gram_errors(case, finals, result)),
    )


def last_disturbed_s(spans: Iterable[Span], board: str, decided_s: float) -> float:
    """The end of whatever disturbed the board last before a decision.

    Of everything that acted on the board (movements by hand contact, leans, bumps ...) and began before the decision,
    the latest end; what goes on past the decision counts as ending with it. -inf where nothing has acted yet.
    """
    return _Disturbed(spans).last_s(board, decided_s)


class _Disturbed:
    """When each board was disturbed, ordered for many questions."""

    def __init__(self, spans: Iterable[Span]) -> None:
        by_board: dict[str, list[tuple[float, float]]] = {}
        for board, begin_s, end_s in spans:
            by_board.setdefault(board, []).append((begin_s, end_s))
        self._begin_s = {board: sorted(begin for begin, _ in parts) for board, parts in by_board.items()}
        self._latest_end_s = {
            board: list(accumulate((end for _, end in sorted(parts)), max)) for board, parts in by_board.items()
        }

    def last_s(self, board: str, decided_s: float) -> float:
        before = bisect_left(self._begin_s.get(board, []), decided_s)
        return min(self._latest_end_s[board][before - 1], decided_s) if before else float("-inf")


def _event_facts(finals: Sequence[Event], result: Score, review_below: float) -> Iterable[EventFact]:
    right_units: dict[str, int] = {}
    whole: dict[str, bool] = {}
    for match in result.unit_matches:
        right_units[match.event_id] = right_units.get(match.event_id, 0) + match.right
        answered = match.right and match.label is not None and result.label_verdicts[match.label] is Verdict.RIGHT
        whole[match.event_id] = whole.get(match.event_id, True) and answered
    for event in finals:
        yield EventFact(
            units=event.quantity,
            right_units=right_units.get(event.event_id, 0),
            exact=whole.get(event.event_id, False),
            nothing_there=result.event_verdicts.get(event.event_id) is Verdict.FALSE,
            confidence=event.confidence,
            review=event.needs_review,
            other_doubt=event.needs_review and (event.confidence >= review_below or event.sku is None),
        )


def _gram_errors(case: Case, finals: Sequence[Event], result: Score) -> Iterable[float]:
    grams = tuple(getattr(case, "grams", ()))
    if len(grams) != len(case.labels):
        return
    events_of_label: dict[int, set[str]] = {}
    labels_of_event: dict[str, set[int]] = {}
    for match in result.unit_matches:
        if match.label is not None:
            events_of_label.setdefault(match.label, set()).add(match.event_id)
            if match.right:
                labels_of_event.setdefault(match.event_id, set()).add(match.label)
    for event in finals:
        labels = labels_of_event.get(event.event_id, set())
        if len(labels) == 1:
            (label,) = labels
            if events_of_label[label] == {event.event_id} and case.labels[label].quantity == event.quantity:
                yield abs(event.grams - grams[label])
