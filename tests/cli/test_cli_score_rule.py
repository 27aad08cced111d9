"""The scoring rule of the issue: single units, one to one, as many as possible."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.score import Score, Verdict, score
from edge.trace.event import Event, Kind, Label, Status


def label(start_s: float, end_s: float | None = None, **fields: object) -> Label:
    base = Label(Kind.PICK, "b", "cola", "A1", 1, start_s, start_s + 1.0 if end_s is None else end_s)
    return replace(base, **fields)  # type: ignore[arg-type]


def event(name: str, time_s: float, **fields: object) -> Event:
    base = Event(
        event_id=name,
        revision=1,
        status=Status.FINAL,
        kind=Kind.PICK,
        board="b",
        slot="A1",
        sku="cola",
        quantity=1,
        grams=-352.0,
        x_mm=None,
        y_mm=None,
        time_ns=round(time_s * 1e9),
        decided_ns=round((time_s + 2) * 1e9),
        confidence=0.999,
        needs_review=False,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def run(labels: list[Label], events: list[Event], duration_s: float = 3600.0) -> Score:
    return score(labels, events, duration_s)


@pytest.mark.parametrize(("time_s", "right"), [(9.49, 0), (9.5, 1), (10.0, 1), (12.5, 1), (12.51, 0)])
def test_time_window_is_half_a_second_before_to_one_and_a_half_after(time_s: float, right: int) -> None:
    assert run([label(10.0, 11.0)], [event("e", time_s)]).right_units == right


@pytest.mark.parametrize(
    ("fields", "right", "wrong", "false"),
    [
        ({}, 1, 0, 0),
        ({"sku": "water"}, 0, 1, 0),
        ({"slot": "A2"}, 0, 1, 0),
        ({"sku": None}, 0, 1, 0),
        ({"kind": Kind.PUT}, 0, 0, 1),
        ({"board": "c"}, 0, 0, 1),
    ],
)
def test_kind_sku_slot_and_board_must_agree(fields: dict[str, object], right: int, wrong: int, false: int) -> None:
    result = run([label(10.0)], [event("e", 10.5, **fields)])
    assert (result.right_units, result.wrong_units, result.false_units) == (right, wrong, false)


def test_what_the_labeller_left_open_agrees_with_anything() -> None:
    assert run([label(10.0, sku=None, slot=None)], [event("e", 10.5, sku="water", slot="B9")]).f1 == 1.0


@pytest.mark.parametrize(("sku", "right"), [(None, 1), ("water", 0)])
def test_a_foreign_object_agrees_only_with_an_event_without_sku(sku: str | None, right: int) -> None:
    slot = None if sku is None else "B9"
    result = run([label(10.0, sku=None, slot=None, foreign=True)], [event("e", 10.5, sku=sku, slot=slot)])
    assert (result.right_units, result.wrong_units, result.false_units) == (right, 1 - right, 0)


def test_nothing_happened_so_every_event_is_false() -> None:
    result = run([], [event("e", 10.5), event("f", 20.0, quantity=2)], duration_s=1800.0)
    assert (result.false_units, result.false_per_hour, result.recall) == (3, 6.0, None)


def test_quantities_count_as_single_units() -> None:
    result = run([label(10.0, quantity=3)], [event("e", 10.5, quantity=2)])
    assert (result.right_units, result.event_units, result.label_units) == (2, 2, 3)
    assert result.f1 == pytest.approx(4 / 5)
    assert result.label_verdicts == (Verdict.MISSED,)


def test_one_event_of_two_matches_two_labels_of_one() -> None:
    assert run([label(10.0), label(10.4)], [event("e", 10.5, quantity=2)]).right_units == 2


def test_only_the_last_revision_counts_and_only_if_final() -> None:
    first = event("e", 10.5, sku="water", status=Status.PROVISIONAL)
    assert run([label(10.0)], [event("e", 10.5, revision=2), first]).f1 == 1.0
    assert (
        run([label(10.0)], [event("e", 10.5), event("e", 10.5, revision=2, status=Status.RETRACTED)]).event_units == 0
    )
    assert run([label(10.0)], [event("e", 10.5, status=Status.PROVISIONAL)]).event_units == 0


def test_accepted_error_review_share_and_false_per_hour() -> None:
    labels = [label(10.0), label(20.0), label(30.0)]
    events = [
        event("right", 10.5),
        event("wrong", 20.5, sku="water"),
        event("unsure", 30.5, needs_review=True),
        event("ghost", 40.0),
    ]
    result = run(labels, events, duration_s=1800.0)
    assert result.review_share == pytest.approx(1 / 4)
    assert result.accepted_error == pytest.approx(2 / 3)
    assert result.false_per_hour == pytest.approx(2.0)
    assert result.event_verdicts == {
        "right": Verdict.RIGHT,
        "wrong": Verdict.WRONG,
        "unsure": Verdict.RIGHT,
        "ghost": Verdict.FALSE,
    }


def test_a_second_event_for_one_movement_is_false() -> None:
    assert run([label(10.0)], [event("e", 10.5), event("f", 10.6)]).false_units == 1


def test_latency_of_the_first_right_answer_and_of_the_final_one() -> None:
    history = [
        event("e", 10.5, revision=1, status=Status.PROVISIONAL, sku="water", decided_ns=round(11.2e9)),
        event("e", 10.5, revision=2, status=Status.PROVISIONAL, decided_ns=round(11.5e9)),
        event("e", 10.5, revision=3, decided_ns=round(13.0e9)),
    ]
    result = run([label(10.0, 11.0)], history)
    assert result.first_latency.median_s == pytest.approx(0.5)
    assert result.final_latency.median_s == pytest.approx(2.0)
    assert result.final_latency.count == 1


def test_nothing_to_divide_by_is_none_not_zero() -> None:
    result = run([], [], duration_s=0.0)
    figures = (result.f1, result.precision, result.accepted_error, result.false_per_hour, result.final_latency.median_s)
    assert figures == (None,) * 5


_skus = st.sampled_from(["cola", "water", None])


@settings(max_examples=80, deadline=None)
@given(
    labels=st.lists(st.builds(lambda t, s: label(t, t + 0.5, sku=s), st.integers(0, 8).map(float), _skus), max_size=5),
    events=st.lists(st.tuples(st.integers(0, 20), _skus, st.booleans()), max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_the_matching_is_maximal_and_order_plays_no_part(
    labels: list[Label], events: list[tuple[int, str | None, bool]], order
) -> None:
    made = [event(f"e{i}", t * 0.5, sku=sku, needs_review=r) for i, (t, sku, r) in enumerate(events)]
    result = run(labels, made)
    assert result.right_units == _most_by_trying_all(labels, made)
    shuffled = list(made)
    order.shuffle(shuffled)
    again = run(labels, shuffled)
    assert (again.right_units, again.wrong_units, again.false_units) == (
        result.right_units,
        result.wrong_units,
        result.false_units,
    )
    assert again.accepted_wrong_units == result.accepted_wrong_units


def _most_by_trying_all(labels: list[Label], events: list[Event]) -> int:
    def fits(found: Event, true: Label) -> bool:
        time_s = found.time_ns / 1e9
        return true.sku in (None, found.sku) and true.start_s - 0.5 <= time_s <= true.end_s + 1.5

    few, many = sorted((list(range(len(labels))), list(range(len(events)))), key=len)
    swapped = len(labels) > len(events)
    return max(
        sum(
            fits(events[a], labels[b]) if swapped else fits(events[b], labels[a])
            for a, b in zip(few, chosen, strict=True)
        )
        for chosen in itertools.permutations(many, len(few))
    )


def test_each_unit_tells_its_label_and_when_it_was_first_right_and_when_final() -> None:
    early = event("a", 10.5, revision=1, status=Status.PROVISIONAL, slot="A2", decided_ns=round(11.2e9))
    better = event("a", 10.5, revision=2, status=Status.PROVISIONAL, decided_ns=round(11.4e9))
    settled = event("a", 10.5, revision=3, decided_ns=round(13e9))
    wrong, false = event("b", 20.5, sku="water"), event("c", 50.0)
    found = run([label(10.0), label(20.0)], [early, better, settled, wrong, false])
    got = {match.event_id: (match.label, match.right, match.first_s, match.final_s) for match in found.unit_matches}
    assert got == {"a": (0, True, 11.4, 13.0), "b": (1, False, None, None), "c": (None, False, None, None)}
