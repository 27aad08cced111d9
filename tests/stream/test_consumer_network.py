"""The consumer behind any network and any crash."""

from __future__ import annotations

import json

from consumer_rig import FakeNode, keys, payload
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.consumer import Consumer, ConsumerLimits, Gap

NODE = "store-7/bay-12"

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 5)),
        st.tuples(st.just("boot"), st.just(0)),
        st.tuples(st.just("deliver"), st.integers(0, 30)),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("lose"), st.integers(0, 30)),
        st.tuples(st.just("crash stored"), st.just(0)),
        st.tuples(st.just("crash unstored"), st.just(0)),
        st.tuples(st.just("evict"), st.integers(1, 3)),
        st.tuples(st.just("ask"), st.just(0)),
    ),
    min_size=20,
    max_size=80,
)


@settings(max_examples=400, deadline=None)
@given(_steps, st.integers(3, 50))
def test_any_network_and_any_crash_gives_each_entry_once_in_order(
    steps: list[tuple[str, int]], most_waiting: int
) -> None:
    """P1, P2: the application has what it stored; all else comes again, or is said to be gone."""
    limits = ConsumerLimits(most_waiting=most_waiting, patience_s=1.0, quiet_s=5.0, kept_boots=3)
    node, consumer = FakeNode(present_boot=100), Consumer(limits=limits)
    wire: list[bytes] = []
    sent: list[bytes] = []
    stored: list[tuple[int, int]] = []
    stored_gone: list[Gap] = []
    state: bytes | None = None
    now_s = 0.0

    def take(data: bytes, method: str = "take", crash: bool = False) -> None:
        nonlocal state, consumer
        delivery = getattr(consumer, method)(NODE, data, now_s)
        if crash:
            consumer = Consumer(state, limits)
            return
        stored.extend(keys(delivery.entries))
        stored_gone.extend(delivery.given_up)
        state = consumer.state()
        for boot, seq in consumer.acks().get(NODE, {}).items():
            assert {s for b, s in stored if b == boot} | {
                s for gap in stored_gone if gap.boot == boot for s in range(gap.first, gap.last + 1)
            } >= set(range(1, seq + 1)), "nothing is acknowledged that isn't stored"

    def ask() -> None:
        for wish in consumer.wants(now_s):
            answer, coming = node.resend(wish)
            take(answer, "answer")
            if coming:
                wire.append(payload(coming))

    for what, count in steps:
        now_s += 1.0
        if what == "commit":
            wire.append(payload(node.commit(node.present_boot, count)))
        elif what == "boot":
            node.present_boot += 1
            take(json.dumps({"status": "online", "boot": node.present_boot}).encode(), "status")
        elif what == "deliver" and wire:
            sent.append(wire.pop(count % len(wire)))
            take(sent[-1])
        elif what == "again" and sent:
            take(sent[count % len(sent)])
        elif what == "lose" and wire:
            wire.pop(count % len(wire))
        elif what == "crash stored":
            consumer = Consumer(state, limits)
        elif what == "crash unstored" and wire:
            take(wire.pop(), crash=True)
        elif what == "evict":
            node.evict(node.present_boot, sorted(node.kept.get(node.present_boot, {}))[:count])
        elif what == "ask":
            ask()

    take(json.dumps({"status": "online", "boot": node.present_boot}).encode(), "status")
    for entries in node.kept.values():  # what isn't acknowledged is sent again when the node connects
        if entries:
            wire.append(payload(entries[seq] for seq in sorted(entries)))
    for _ in range(40):
        while wire:
            take(wire.pop(0))
        now_s += 20.0
        ask()
        ask()

    assert len(stored) == len(set(stored)), "none twice"
    for boot in {boot for boot, _ in stored}:
        seqs = [seq for b, seq in stored if b == boot]
        assert seqs == sorted(seqs), "in order"
    gone = {(gap.boot, seq) for gap in stored_gone for seq in range(gap.first, gap.last + 1)}
    assert not gone & set(stored)
    left = {(boot, seq) for boot, entries in node.kept.items() for seq in entries}
    assert left <= set(stored) | gone
    assert gone <= set(node.made) - left, "given up only what the node hasn't got"
