"""The consumer: each entry once and in order, whatever the network does (P2)."""

from __future__ import annotations

import itertools
import json

import pytest
from consumer_rig import FakeNode, event_entry, events, item, keys, note_entry, payload

from edge.stream.consumer import Consumer, ConsumerLimits, Gap
from edge.stream.wire import decode_items

NODE = "store-7/bay-12"


def test_entries_come_once_and_in_order() -> None:
    """P2."""
    consumer = Consumer()
    got = [consumer.take(NODE, events(7, seqs), 0.0) for seqs in ([1, 2], [2, 3], [5], [4], [1, 5, 6])]
    assert [keys(delivery.entries) for delivery in got] == [
        [(7, 1), (7, 2)],
        [(7, 3)],
        [],
        [(7, 4), (7, 5)],
        [(7, 6)],
    ]
    assert [delivery.duplicates for delivery in got] == [0, 1, 0, 0, 2]
    assert got[2].noticed == [Gap(NODE, 7, 4, 4)]
    assert got[0].entries[0].entry == decode_items(item(event_entry(7, 1)))[0]
    assert got[0].entries[0].item == item(event_entry(7, 1))


def test_each_boot_is_a_sequence_of_its_own() -> None:
    """The backlog of an older boot may come after the newer one's."""
    consumer = Consumer()
    assert keys(consumer.take(NODE, events(8, [1, 2]), 0.0).entries) == [(8, 1), (8, 2)]
    assert keys(consumer.take(NODE, events(7, [1]), 0.0).entries) == [(7, 1)]
    assert keys(consumer.take("store-7/bay-13", events(8, [1]), 0.0).entries) == [(8, 1)]
    assert consumer.acks() == {NODE: {8: 2, 7: 1}, "store-7/bay-13": {8: 1}}
    assert consumer.acks() == {}, "only what has come since"


def test_a_missing_beginning_is_a_gap_too() -> None:
    consumer = Consumer()
    delivery = consumer.take(NODE, events(7, [3]), 0.0)
    assert (delivery.entries, delivery.noticed) == ([], [Gap(NODE, 7, 1, 2)])
    assert consumer.acks() == {}
    assert Gap(NODE, 7, 1, 2).sentence() == "store-7/bay-12: entries 1 to 2 of boot 7"


def test_a_duplicate_is_acknowledged_again() -> None:
    """Its sender may have missed the acknowledgement."""
    consumer = Consumer()
    consumer.take(NODE, events(7, [1, 2, 3]), 0.0)
    consumer.acks()
    consumer.take(NODE, events(7, [2]), 1.0)
    assert consumer.acks() == {NODE: {7: 3}}


def test_a_gap_is_asked_for_after_a_little_patience_and_then_less_and_less_often() -> None:
    consumer = Consumer(limits=ConsumerLimits(patience_s=2.0, most_patience_s=10.0), name="me")
    consumer.take(NODE, events(7, [1, *range(4, 201), 300]), 0.0)
    assert consumer.wants(1.9) == []
    first = consumer.wants(2.1)
    assert [(w.request_id, w.node, w.boot, w.from_seq, w.to_seq) for w in first] == [
        ("me-1", NODE, 7, 2, 3),
        ("me-2", NODE, 7, 201, 299),
    ]
    asked_s = [t for t in range(3, 60) if consumer.wants(float(t))]
    assert asked_s[:2] == [7, 15]
    assert {later - earlier for earlier, later in itertools.pairwise(asked_s[1:])} == {10}, (
        "never more seldom than that"
    )


def test_gaps_near_each_other_are_asked_for_together() -> None:
    consumer = Consumer()
    consumer.take(NODE, events(7, [1, 3, 5, 7]), 0.0)
    assert [(w.from_seq, w.to_seq) for w in consumer.wants(5.0)] == [(2, 6)]


def test_a_node_that_is_away_isnt_asked_until_it_is_back() -> None:
    consumer = Consumer()
    consumer.take(NODE, events(7, [2]), 0.0)
    consumer.status(NODE, b'{"status":"offline","boot":7}', 1.0)
    assert consumer.wants(100.0) == []
    consumer.status(NODE, b'{"status":"online","boot":7}', 200.0)
    assert consumer.wants(200.0) == []
    assert [w.from_seq for w in consumer.wants(203.0)] == [1]


def test_nobody_is_flooded_with_questions() -> None:
    """A node answers only so many commands a second."""
    consumer = Consumer()
    for boot in range(1, 60):
        consumer.take(NODE, events(boot, [2]), 0.0)
    asked = [len(consumer.wants(5.0 + tenth / 10)) for tenth in range(100)]
    assert 8 <= sum(asked) <= 24


@pytest.mark.parametrize(
    "note",
    [
        note_entry(7, 9, "dropped", boot=7, first=2, last=4, count=3, reason="full"),
        note_entry(7, 9, "damaged", file="outbox.db", missing=[[6, 1, 9], [7, 2, 4]]),
        note_entry(8, 1, "dropped", boot=7, first=2, last=4, count=3, reason="age"),
        note_entry(8, 1, "dropped", first_boot=6, boot=7, first=2, last=4, count=3, reason="age"),
    ],
)
def test_a_gap_is_given_up_on_the_nodes_word(note: object) -> None:
    """P4: and the application is told. The note counts before it is its turn."""
    consumer = Consumer()
    consumer.take(NODE, events(7, [1, 5, 6, 7, 8]), 0.0)
    delivery = consumer.take(NODE, payload([note]), 1.0)  # type: ignore[list-item]
    assert Gap(NODE, 7, 2, 4) in delivery.given_up
    boot_7 = [key for key in keys(delivery.entries) if key[0] == 7]
    assert boot_7[:4] == [(7, 5), (7, 6), (7, 7), (7, 8)]
    assert consumer.acks()[NODE][7] >= 8
    assert keys(consumer.take(NODE, events(7, [2, 3]), 2.0).entries) == [], "too late: others were handed on"


@pytest.mark.parametrize(
    "details",
    [
        {"boot": 7, "first": 1, "last": 2**62, "count": 9, "reason": "full"},
        {"boot": 2**40, "first": 1, "last": 4, "count": 9, "reason": "full"},
        {"boot": "7", "first": 1, "last": 4},
        {"boot": 7, "first": None, "last": 4},
        {"count": 3, "reason": "queue"},
    ],
)
def test_a_note_that_makes_no_sense_gives_up_nothing_that_may_come(details: dict[str, object]) -> None:
    consumer = Consumer()
    consumer.take(NODE, payload([note_entry(7, 1, "dropped", **details)]), 0.0)
    assert keys(consumer.take(NODE, events(7, [2, 3]), 0.0).entries) == [(7, 2), (7, 3)]
    Consumer(consumer.state())


def test_a_gap_is_given_up_when_the_answer_says_that_it_is_gone() -> None:
    consumer = Consumer(name="me")
    consumer.take(NODE, events(7, [1, 6]), 0.0)
    (wish,) = consumer.wants(5.0)
    answer = {"id": wish.request_id, "ok": True, "gone": [[2, 3], [9, 99]], "present_boot": 7}
    delivery = consumer.answer(NODE, json.dumps(answer).encode(), 5.1)
    assert delivery.given_up == [Gap(NODE, 7, 2, 3)], "and nothing that wasn't asked for"
    assert keys(consumer.take(NODE, events(7, [4, 5]), 5.2).entries) == [(7, 4), (7, 5), (7, 6)]


def test_a_refusal_is_told_and_gives_up_nothing() -> None:
    consumer = Consumer()
    consumer.take(NODE, events(7, [2]), 0.0)
    (wish,) = consumer.wants(5.0)
    refusal = {"id": wish.request_id, "ok": False, "text": "the command resend is switched off on this node"}
    delivery = consumer.answer(NODE, json.dumps(refusal).encode(), 5.1)
    assert delivery.problems == [
        "store-7/bay-12: doesn't send boot 7 again: the command resend is switched off on this node"
    ]
    assert consumer.wants(20.0)


def test_answers_to_others_are_none_of_its_business() -> None:
    consumer = Consumer(name="me")
    consumer.take(NODE, events(7, [2]), 0.0)
    (wish,) = consumer.wants(5.0)
    gone = {"ok": True, "gone": [[1, 1]]}
    others = [(NODE, {**gone, "id": "other-1"}), ("a/b", {**gone, "id": wish.request_id}), (NODE, {**gone, "id": 3})]
    for node, answer in others:
        delivery = consumer.answer(node, json.dumps(answer).encode(), 5.1)
        assert (delivery.given_up, delivery.problems) == ([], [])


def test_the_last_entry_of_a_boot_is_missed_too() -> None:
    """Nothing comes after it that would show the gap."""
    consumer = Consumer()
    node = FakeNode(present_boot=7)
    node.commit(7, 3)
    consumer.take(NODE, events(7, [1, 2]), 0.0)
    assert consumer.wants(59.0) == []
    (wish,) = consumer.wants(61.0)
    assert (wish.from_seq, wish.to_seq) == (3, None)
    answer, coming = node.resend(wish)
    consumer.answer(NODE, answer, 61.1)
    assert keys(consumer.take(NODE, payload(coming), 61.2).entries) == [(7, 3)]
    (wish,) = consumer.wants(200.0)
    consumer.answer(NODE, node.resend(wish)[0], 200.1)
    assert consumer.wants(10_000.0) == [], "it is known to be whole, until the next entry comes"
    consumer.take(NODE, payload(node.commit(7)), 10_001.0)
    assert consumer.wants(10_100.0)


def test_a_long_tail_is_asked_for_piece_by_piece() -> None:
    consumer = Consumer()
    consumer.take(NODE, events(7, [1]), 0.0)
    (wish,) = consumer.wants(61.0)
    answer = {"id": wish.request_id, "ok": True, "gone": [], "first_seq": 2, "last_seq": 4, "more": True}
    consumer.answer(NODE, json.dumps(answer).encode(), 61.1)
    consumer.take(NODE, events(7, [2, 3, 4]), 61.2)
    assert [(w.from_seq, w.to_seq) for w in consumer.wants(64.0)] == [(5, 5)]


def test_when_a_newer_boot_begins_the_older_one_is_asked_whether_it_was_whole() -> None:
    consumer = Consumer()
    node = FakeNode(present_boot=8)
    node.commit(7, 2)
    consumer.take(NODE, events(7, [1]), 0.0)
    consumer.status(NODE, b'{"status":"online","boot":8}', 1.0)
    consumer.take(NODE, events(8, [1]), 1.0)
    (wish,) = consumer.wants(4.0)
    assert (wish.boot, wish.from_seq) == (7, 2)
    answer, coming = node.resend(wish)
    consumer.answer(NODE, answer, 4.1)
    consumer.take(NODE, payload(coming), 4.2)


def test_a_boot_of_which_nothing_came_is_asked_for() -> None:
    """The broker may have lost all that it said; boots count up by one."""
    consumer = Consumer()
    node = FakeNode(present_boot=9)
    node.commit(8, 2)
    consumer.take(NODE, events(6, [1]), 0.0)
    consumer.take(NODE, events(9, [1]), 1.0)
    wishes = consumer.wants(4.0)
    assert [(wish.boot, wish.from_seq, wish.to_seq) for wish in wishes] == [(6, 2, None), (7, 1, None), (8, 1, None)]
    came = []
    for wish in wishes:
        answer, coming = node.resend(wish)
        consumer.answer(NODE, answer, 4.1)
        came += keys(consumer.take(NODE, payload(coming), 4.2).entries) if coming else []
    assert came == [(8, 1), (8, 2)]
    assert [wish.boot for wish in consumer.wants(10.0)] == [], "the others are whole"


def test_a_boot_that_only_its_status_told_of_is_asked_for() -> None:
    consumer = Consumer()
    consumer.status(NODE, b'{"status":"online","boot":7}', 0.0)
    assert [(wish.boot, wish.from_seq, wish.to_seq) for wish in consumer.wants(0.1)] == []
    assert [(wish.boot, wish.from_seq, wish.to_seq) for wish in consumer.wants(3.0)] == [(7, 1, None)]


def test_too_many_entries_before_a_gap_is_filled_are_dropped_and_asked_for_later() -> None:
    """P4: the reorder buffer is bounded."""
    consumer = Consumer(limits=ConsumerLimits(most_waiting=10))
    node = FakeNode(present_boot=7)
    entries = node.commit(7, 100)
    consumer.take(NODE, payload(entries[1:]), 0.0)
    got = keys(consumer.take(NODE, payload(entries[:1]), 0.0).entries)
    assert got == [(7, seq) for seq in range(1, 12)]
    (wish,) = consumer.wants(5.0)
    assert (wish.from_seq, wish.to_seq) == (12, 100)
    got = keys(consumer.take(NODE, payload(node.resend(wish)[1]), 6.0).entries)
    assert got == [(7, seq) for seq in range(12, 101)]


def test_what_waits_in_all_nodes_together_is_bounded() -> None:
    """P4: many nodes with gaps; who has none isn't hindered."""
    consumer = Consumer(limits=ConsumerLimits(most_waiting_bytes=1000))
    for number in range(50):
        consumer.take(f"s/{number}", events(7, range(2, 20)), 0.0)
    assert keys(consumer.take(NODE, events(7, range(1, 30)), 0.0).entries) == [(7, seq) for seq in range(1, 30)]
    assert len(keys(consumer.take("s/0", events(7, [1]), 0.0).entries)) > 5
    assert keys(consumer.take("s/49", events(7, [1]), 0.0).entries) == [(7, 1)], "there was no room; it is asked for"
    assert ("s/49", 2, 19) in [(w.node, w.from_seq, w.to_seq) for w in consumer.wants(5.0)]


def test_nodes_are_bounded() -> None:
    """P4."""
    consumer = Consumer(limits=ConsumerLimits(most_nodes=2))
    for name in "abc":
        delivery = consumer.take(name, events(7, [1]), 0.0)
    assert (delivery.entries, delivery.problems) == ([], ["c: refused; 2 nodes are known"])
    assert consumer.take("x" * 100_000, events(7, [1]), 0.0).entries == []


def test_old_boots_that_are_whole_are_remembered_by_their_number_alone() -> None:
    """P4: a node that starts every day for years. What comes of them again is a duplicate still."""
    consumer = Consumer(limits=ConsumerLimits(kept_boots=3))
    node = FakeNode()
    for boot in range(1, 60):
        node.present_boot = boot
        consumer.status(NODE, json.dumps({"status": "online", "boot": boot}).encode(), 100.0 * boot)
        consumer.take(NODE, payload(node.commit(boot, 2)), 100.0 * boot)
        for wish in consumer.wants(100.0 * boot + 50.0):
            consumer.answer(NODE, node.resend(wish)[0], 100.0 * boot + 50.0)
    assert len(consumer.state()) < 80
    again = Consumer(consumer.state(), ConsumerLimits(kept_boots=3))
    delivery = again.take(NODE, events(5, [1, 2]), 1e6)
    assert (delivery.entries, delivery.duplicates) == ([], 2)
    assert again.acks() == {NODE: {5: 2}}


def test_boots_that_nobody_can_say_are_whole_are_bounded_too() -> None:
    """P4."""
    consumer = Consumer(limits=ConsumerLimits(most_boots=5))
    told = []
    for boot in range(1, 20):
        delivery = consumer.take(NODE, events(boot, [2]), 0.0)
        told += delivery.given_up
        assert len(delivery.problems) == (boot > 5)
    assert told == [Gap(NODE, boot, 1, 2) for boot in range(1, 15)]


def test_memory_of_random_boots_is_bounded() -> None:
    """P4: a node that forgets its boot number at each start, or somebody who makes numbers up."""
    consumer = Consumer(limits=ConsumerLimits(most_boots=5))
    for boot in range(0, 20_000, 7):
        consumer.take(NODE, events(boot, [2]), 0.0)
    assert len(consumer.state()) < 4000
