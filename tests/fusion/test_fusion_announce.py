"""Early, then final: what a reader is told when a reading of the board changes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.announce import Announcer
from edge.trace.event import Event, Kind, Status


def wanted(sku: str = "cola", kind: Kind = Kind.PICK, confidence: float = 0.9, decided_ns: int = 10) -> Event:
    """A movement as the reporter gives it: without id or revision."""
    return Event(
        event_id="",
        revision=0,
        status=Status.PROVISIONAL,
        kind=kind,
        board="b",
        slot="A1",
        sku=sku,
        quantity=1,
        grams=-352.0,
        x_mm=None,
        y_mm=None,
        time_ns=5,
        decided_ns=decided_ns,
        confidence=confidence,
        needs_review=confidence < 0.99,
    )


def _told(events: list[Event]) -> list[tuple[str, int, str]]:
    return [(event.event_id, event.revision, event.status.value) for event in events]


def test_announced_then_settled_under_one_id() -> None:
    announcer = Announcer("b")
    assert _told(announcer.announce([wanted()], 10)) == [("b-000001", 1, "provisional")]
    assert _told(announcer.settle([wanted()], [], 20)) == [("b-000001", 2, "final")]
    assert announcer.announce([], 30) == [], "what is final isn't spoken of again"


def test_settled_at_once() -> None:
    assert _told(Announcer("b").settle([wanted()], [], 10)) == [("b-000001", 1, "final")]


def test_said_again_only_when_a_reader_would_act_on_it() -> None:
    announcer = Announcer("b")
    announcer.announce([wanted(confidence=0.80)], 10)
    assert announcer.announce([wanted(confidence=0.82)], 20) == []
    assert announcer.announce([wanted(confidence=0.84)], 30) == []
    (sent,) = announcer.announce([wanted(confidence=0.90)], 40)
    assert (sent.revision, sent.confidence) == (2, 0.90)
    (sent,) = announcer.announce([wanted("fanta", confidence=0.90)], 50)
    assert (sent.event_id, sent.revision, sent.sku) == ("b-000001", 3, "fanta"), "the same movement, better known"


def test_what_turns_out_to_be_nothing_is_retracted() -> None:
    announcer = Announcer("b")
    announcer.announce([wanted()], 10)
    (gone,) = announcer.announce([], 20)
    assert _told([gone]) == [("b-000001", 2, "retracted")]
    assert (gone.decided_ns, gone.sku) == (20, "cola")
    assert announcer.announce([], 30) == []
    assert _told(announcer.announce([wanted()], 40)) == [("b-000002", 1, "provisional")], "an id is never used again"


def test_a_put_doesnt_continue_a_pick() -> None:
    announcer = Announcer("b")
    announcer.announce([wanted()], 10)
    sent = announcer.announce([wanted(kind=Kind.PUT)], 20)
    assert sorted(_told(sent)) == [("b-000001", 2, "retracted"), ("b-000002", 1, "provisional")]


def test_the_same_movement_is_preferred_to_one_of_the_same_kind() -> None:
    announcer = Announcer("b")
    announcer.announce([wanted("cola"), wanted("fanta")], 10)
    sent = announcer.settle([wanted("fanta")], [wanted("sprite")], 20)
    assert [(event.event_id, event.sku, event.status.value) for event in sent] == [
        ("b-000002", "fanta", "final"),
        ("b-000001", "sprite", "provisional"),
    ]


def test_two_alike_are_two_events() -> None:
    announcer = Announcer("b")
    assert len(announcer.announce([wanted(), wanted()], 10)) == 2
    assert _told(announcer.settle([wanted()], [wanted()], 20)) == [("b-000001", 2, "final")]
    assert _told(announcer.settle([wanted()], [], 30)) == [("b-000002", 2, "final")]


_MOVEMENTS = st.lists(
    st.builds(
        wanted,
        sku=st.sampled_from(["cola", "fanta"]),
        kind=st.sampled_from(list(Kind)),
        confidence=st.floats(0.6, 1.0),
    ),
    max_size=3,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(_MOVEMENTS, _MOVEMENTS), max_size=8))
def test_a_reader_who_applies_what_is_sent_knows_what_is_meant(readings: list[tuple[list[Event], list[Event]]]) -> None:
    """After each step the reader's open events are the ones wanted, but for confidences that hardly changed."""
    announcer = Announcer("b")
    reader: dict[str, Event] = {}
    finals = 0
    for step, (final, open_now) in enumerate(readings):
        at = [replace(event, decided_ns=step) for event in final]
        sent = announcer.settle(at, [replace(event, decided_ns=step) for event in open_now], step)
        for event in sent:
            before = reader.get(event.event_id)
            assert before is None or before.status is Status.PROVISIONAL
            assert event.revision == (before.revision if before else 0) + 1
            assert before is None or before.kind == event.kind
            reader[event.event_id] = event
        finals += len(final)
        seen = [event for event in reader.values() if event.status is Status.PROVISIONAL]
        assert sorted((e.kind, e.sku) for e in seen) == sorted((e.kind, e.sku) for e in open_now)
        assert sum(event.status is Status.FINAL for event in reader.values()) == finals
