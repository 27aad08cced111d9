"""What a consumer remembers and keeps: ranges, state, the reference database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from consumer_rig import WALL_NS, event_entry, note_entry, payload
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.consumer import Consumer
from edge.stream.consumer_state import BootState, ConsumerState, NodeState
from edge.stream.consumer_store import ConsumerStore
from edge.stream.entry import Stamp, TimeQuality
from edge.stream.seq_ranges import SeqRanges

NODE = "store-7/bay-12"
_ranges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(_ranges, st.integers(0, 50))
def test_ranges_are_a_set_of_numbers(pairs: list[tuple[int, int]], below: int) -> None:
    ranges, numbers = SeqRanges(), set[int]()
    for first, length in pairs:
        ranges.add(first, first + length - 1)
        numbers |= set(range(first, first + length))
    ranges.drop_below(below)
    numbers = {number for number in numbers if number >= below}
    assert {n for first, last in ranges for n in range(first, last + 1)} == numbers
    flat = [number for pair in ranges for number in pair]
    assert flat == sorted(flat)
    assert all(first - last > 1 for last, first in zip(flat[1::2], flat[2::2], strict=False)), "none touch"
    for number in range(60):
        assert (number in ranges) == (number in numbers)
        end = ranges.end_of(number)
        assert end is None or (end in numbers and end + 1 not in numbers)


_number = st.integers(0, 2**63 - 1)
_states = st.dictionaries(
    st.text(max_size=5),
    st.builds(
        NodeState,
        st.dictionaries(
            st.integers(0, 2**32 - 1),
            st.builds(
                lambda done, more, closed, gone: BootState(done, done + more, closed, SeqRanges(gone)),
                st.integers(0, 2**62),
                st.integers(0, 2**62 - 1),
                st.booleans(),
                st.lists(st.tuples(_number, _number), max_size=3),
            ),
            max_size=3,
        ),
        st.builds(SeqRanges, st.lists(st.tuples(_number, _number), max_size=3)),
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(_states)
def test_a_state_is_read_back_as_it_was(nodes: dict[str, NodeState]) -> None:
    data = ConsumerState(nodes).to_bytes()
    again = ConsumerState.from_bytes(data)
    assert again.to_bytes() == data
    assert list(again.nodes) == list(nodes)


def test_a_consumer_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """P1."""
    path = tmp_path / "back.db"
    for seq in (1, 2, 2, 3):
        with ConsumerStore(path) as store:
            consumer = Consumer(store.state())
            store.handle(consumer.take(NODE, payload([event_entry(7, seq)]), 0.0), consumer.state())
    with ConsumerStore(path) as store:
        assert [(boot, seq) for _, boot, seq, _ in store.entries()] == [(7, 1), (7, 2), (7, 3)]


def test_what_a_node_stamped_before_its_clock_was_set_gets_its_right_time(tmp_path: Path) -> None:
    """P6: a Pi without a clock chip wakes in the past; its monotonic times and one `clock` note tell the rest."""
    path = tmp_path / "back.db"
    wrong = Stamp(10**15, TimeQuality.WRONG)
    early = replace(event_entry(7, 1), time=wrong)
    other_boot = replace(event_entry(6, 1), time=wrong)
    right = event_entry(7, 2)
    note = note_entry(7, 3, "clock", boot=7, offset_ms=WALL_NS // 10**6, quality="synced")
    with ConsumerStore(path) as store:
        consumer = Consumer()
        store.handle(consumer.take(NODE, payload([early, other_boot, right, note]), 0.0), consumer.state())
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT boot, seq, wall_ms, time_quality FROM entry ORDER BY id").fetchall()
    assert rows[0] == (7, 1, WALL_NS // 10**6 + early.event.time_ns // 10**6, 0)
    assert rows[1] == (6, 1, 10**9, 2)
    assert rows[2] == (7, 2, right.time.wall_ns // 10**6, 0)
