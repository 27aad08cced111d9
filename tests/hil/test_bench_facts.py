"""What the bench keeps of a scene: latencies from the right moments, weights, and when an event counts as right."""

from __future__ import annotations

import math

import pytest
from bench_made_up import MadeUpCase, event, fact, label, outcome

from edge.trace.event import Event, Label, Status
from hil.case_facts import CaseFacts, facts_of, last_disturbed_s
from hil.figures import pooled, wilson_upper


def facts(labels: list[Label], events: list[Event], **fields: object) -> CaseFacts:
    return facts_of(MadeUpCase(tuple(labels), **fields), 0, events)  # type: ignore[arg-type]


def test_provisional_latency_runs_from_the_labels_end_to_the_first_right_revision() -> None:
    wrong_first = event("e", 10.5, 11.2, slot="A2", status=Status.PROVISIONAL)
    then_right = event("e", 10.5, 11.5, revision=2, status=Status.PROVISIONAL)
    final = event("e", 10.5, 12.5, revision=3)
    found = facts([label(10.0, 11.0)], [wrong_first, then_right, final])
    assert found.provisional_s == pytest.approx((0.5,))
    assert found.final_s == found.final_after_label_s == pytest.approx((1.5,))


@pytest.mark.parametrize(
    ("spans", "disturbed_s"),
    [
        ([], 11.0),
        ([("b", 11.5, 12.0)], 12.0),  # somebody leaned on the board in between
        ([("b", 11.5, 14.0)], 13.0),  # ... and still does: the decision didn't wait at all
        ([("b", 9.0, 12.5), ("b", 11.5, 11.6)], 12.5),  # the longest-lasting counts, not the latest to begin
        ([("b", 13.5, 14.0)], 11.0),  # after the decision
        ([("another board", 11.5, 12.0)], 11.0),
    ],
)
def test_final_latency_runs_from_the_end_of_the_last_disturbance_of_that_board(
    spans: list[tuple[str, float, float]], disturbed_s: float
) -> None:
    assert last_disturbed_s([("b", 10.0, 11.0), *spans], "b", 13.0) == disturbed_s
    found = facts([label(10.0, 11.0)], [event("e", 10.5, 13.0)], disturbances=tuple(spans))
    assert found.final_s == pytest.approx((13.0 - disturbed_s,))
    assert found.final_after_label_s == pytest.approx((2.0,))


def test_a_later_movement_on_the_board_is_a_disturbance_too() -> None:
    found = facts([label(10.0, 11.0), label(12.0, 12.8)], [event("e", 10.5, 13.0), event("f", 12.5, 13.8)])
    assert found.final_s == pytest.approx((0.2, 1.0))


def test_an_event_is_right_when_nothing_of_its_label_is_left_over() -> None:
    two_of_three = facts([label(10.0, 11.0, quantity=3)], [event("e", 10.5, 13.0, quantity=2)])
    assert [(e.right_units, e.exact) for e in two_of_three.events] == [(2, False)]
    both = [event("e", 10.5, 13.0, quantity=2), event("f", 10.6, 13.0)]
    assert [e.exact for e in facts([label(10.0, 11.0, quantity=3)], both).events] == [True, True]


def test_weight_errors_are_of_events_that_answer_one_label_exactly() -> None:
    labels = [label(10.0, 11.0), label(20.0, 21.0, quantity=2), label(30.0, 31.0)]
    events = [
        event("a", 10.5, 12.0, grams=-350.5),
        event("b", 20.5, 22.0, grams=-352.0),  # one of two: its weight isn't the label's
        event("c", 30.5, 32.0, grams=-500.0, sku="water"),  # wrong
    ]
    assert facts(labels, events, grams=(-352.0, -704.0, -352.0)).gram_errors == pytest.approx((1.5,))
    assert facts(labels, events).gram_errors == ()


def test_an_event_where_nothing_happened_is_false_and_other_doubts_are_told_from_low_confidence() -> None:
    found = facts(
        [],
        [
            event("a", 10.0, 12.0),
            event("b", 20.0, 22.0, needs_review=True, confidence=0.5),
            event("c", 30.0, 32.0, needs_review=True, confidence=0.9999),
            event("d", 40.0, 42.0, needs_review=True, confidence=0.5, sku=None, slot=None),
        ],
    )
    assert all(e.nothing_there for e in found.events)
    assert [e.other_doubt for e in found.events] == [False, False, True, True]


def test_scenes_are_pooled_unit_by_unit() -> None:
    found = pooled(
        [
            outcome(fact(0.999, units=3), fact(0.999, right=False), label_units=5, missed_units=1),
            outcome(fact(0.5, review=True), fact(0.999, right=False, nothing_there=True), label_units=1),
        ]
    )
    assert (found.label_units, found.event_units, found.right_units, found.missed_units) == (6, 6, 4, 1)
    assert (found.accepted_units, found.accepted_wrong, found.review_units) == (5, 2, 1)
    assert found.f1 == pytest.approx(8 / 12)
    assert found.recall == pytest.approx(4 / 6)
    assert found.false_accepted_per_hour == pytest.approx(0.5)
    assert found.provisional_s.count == 2


def test_no_mistake_in_a_thousand_still_leaves_room_for_a_few() -> None:
    assert 0.0025 < wilson_upper(0, 1000) < 0.004  # the rule of three says 0.003
    assert wilson_upper(10, 10) == 1.0
    assert math.isnan(wilson_upper(0, 0))
