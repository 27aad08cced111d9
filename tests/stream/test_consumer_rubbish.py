"""What isn't an entry: told and counted, never raised, and it stops nothing."""

from __future__ import annotations

import json

import cbor2
import pytest
from consumer_rig import events, keys, note_entry, payload
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.consumer import Consumer, ConsumerLimits, Gap
from edge.stream.consumer_state import ConsumerStateError

NODE = "store-7/bay-12"


@pytest.mark.parametrize("rubbish", [b"\xff", b"{}", b"\xa0", b"\x9f", bytes(2 << 20), cbor2.dumps({1: [7, 2]})])
def test_rubbish_is_counted_and_told(rubbish: bytes) -> None:
    consumer = Consumer()
    delivery = consumer.take(NODE, rubbish, 0.0)
    assert delivery.entries == []
    assert consumer.counts.garbage or delivery.noticed == [Gap(NODE, 7, 1, 2)]
    assert keys(consumer.take(NODE, events(9, [1]), 0.0).entries) == [(9, 1)]


def test_an_empty_message_has_no_entries() -> None:
    consumer = Consumer()
    delivery = consumer.take(NODE, b"", 0.0)
    assert (delivery.worth_telling, consumer.counts.garbage) == (False, 0)


def test_a_note_of_very_many_losses_is_cut() -> None:
    """P4: one node mustn't keep the others waiting."""
    missing = [[boot * 40, 1, 2] for boot in range(40_000)]
    delivery = Consumer().take(NODE, payload([note_entry(7, 1, "damaged", missing=missing)]), 0.0)
    assert 100 <= len(delivery.given_up) <= 300


def test_a_last_entry_that_never_was_is_corrected_by_the_next_answer() -> None:
    """P2: nothing is given up for it, and the boot is whole again."""
    consumer = Consumer(limits=ConsumerLimits(patience_s=1.0, quiet_s=10.0))
    consumer.status(NODE, b'{"status": "online", "boot": 7}', 0.0)
    consumer.take(NODE, events(7, [1, 3]), 0.0)
    (wish,) = consumer.wants(2.0)
    absurd = {"id": wish.request_id, "ok": True, "last": 1 << 62, "gone": [[1 << 61, 1 << 62], [0, 1 << 62]]}
    assert consumer.answer(NODE, json.dumps(absurd).encode(), 2.0).given_up == []
    assert keys(consumer.take(NODE, events(7, [2]), 3.0).entries) == [(7, 2), (7, 3)]
    (wish,) = consumer.wants(100.0)
    assert (wish.from_seq, wish.to_seq) == (4, 1 << 62)
    right = {"id": wish.request_id, "ok": True, "last": 3, "gone": [], "present_boot": 7}
    assert consumer.answer(NODE, json.dumps(right).encode(), 100.0).given_up == []
    assert consumer.wants(10_000.0) == []
    assert keys(consumer.take(NODE, events(7, [4]), 10_001.0).entries) == [(7, 4)]


def test_what_a_node_says_to_people_is_text() -> None:
    """P11: it goes to terminals and logs."""
    consumer = Consumer()
    consumer.take(NODE, events(7, [2]), 0.0)
    (wish,) = consumer.wants(5.0)
    refusal = {"id": wish.request_id, "ok": False, "text": "no\x1b[2J\ud800\nINFO all is well", "retry_s": float("inf")}
    (problem,) = consumer.answer(NODE, json.dumps(refusal).encode(), 5.0).problems
    assert problem.isprintable()


def test_a_note_that_tells_of_more_boots_than_are_remembered_stops_nothing() -> None:
    """P4."""
    consumer = Consumer(limits=ConsumerLimits(most_boots=3))
    missing = [[boot, 1, 2] for boot in range(100, 200, 10)]
    consumer.take(NODE, payload([note_entry(7, 1, "damaged", missing=missing)]), 0.0)
    assert keys(consumer.take(NODE, events(300, [1]), 0.0).entries) == [(300, 1)]
    Consumer(consumer.state())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["take", "answer", "status"]))
def test_no_payload_raises(data: bytes, method: str) -> None:
    consumer = Consumer()
    getattr(consumer, method)(NODE, data, 0.0)
    consumer.wants(10.0)
    Consumer(consumer.state())


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("ok", "text", "gone", "last", "last_seq", "more", "boot", "boots", "retry_s"), _json),
    )
)
def test_no_answer_raises(answer: dict[str, object]) -> None:
    consumer = Consumer()
    consumer.take(NODE, events(7, [2]), 0.0)
    (wish,) = consumer.wants(5.0)
    consumer.answer(NODE, json.dumps({"id": wish.request_id, **answer}).encode(), 0.0)
    Consumer(consumer.state())


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({"status": st.just("online")}, optional={"boot": _json, "node": _json}))
def test_no_status_raises(status: dict[str, object]) -> None:
    consumer = Consumer()
    consumer.status(NODE, json.dumps(status).encode(), 0.0)
    consumer.take(NODE, events(7, [1]), 0.0)
    consumer.wants(5.0)
    Consumer(consumer.state())


@pytest.mark.parametrize("boot", [-1, 2**32, 2**40, 2**64, True, "7", None])
def test_a_boot_that_cant_be_is_none(boot: object) -> None:
    consumer = Consumer()
    consumer.status(NODE, json.dumps({"status": "online", "boot": boot}).encode(), 0.0)
    assert consumer.present_boot(NODE) is None
    assert consumer.wants(5.0) == []


def test_what_cant_be_read_is_asked_for_again_and_then_handed_on_as_it_is() -> None:
    """A newer node's entry must not stop the stream, nor be lost; a message that was hit on the way is repaired."""
    strange = cbor2.dumps({1: [7, 2, 3, 0], 2: "of another age"}, canonical=True)
    consumer = Consumer()
    first = consumer.take(NODE, events(7, [1]) + strange + events(7, [3]), 0.0)
    assert (keys(first.entries), first.noticed) == ([(7, 1)], [Gap(NODE, 7, 2, 2)])
    assert [w.from_seq for w in consumer.wants(5.0)] == [2]
    second = consumer.take(NODE, strange, 6.0)
    assert keys(second.entries) == [(7, 2), (7, 3)]
    assert (second.entries[0].entry, second.entries[0].item) == (None, strange)
    assert "expected" in (second.entries[0].problem or "")
    repaired = Consumer()
    repaired.take(NODE, events(7, [1]) + strange, 0.0)
    assert repaired.take(NODE, events(7, [2]), 0.0).entries[0].entry is not None


@pytest.mark.parametrize("state", [b"", b"\xff", cbor2.dumps([2, {}]), cbor2.dumps([1, {"a": [[[7, 5, 2, 0]], []]}])])
def test_a_damaged_state_is_refused(state: bytes) -> None:
    with pytest.raises(ConsumerStateError, match="consumer state"):
        Consumer(state)
