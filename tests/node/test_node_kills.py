"""Nodes, broker and back end killed at random: a short soak (`python -m hil.stream_soak` is the long one)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.wire import encode, for_wire
from edge.trace.event import Event, Kind, Status
from hil.broker import find_mosquitto
from hil.stream_soak import NODES_KILLED, Times, soak
from hil.stream_soak_check import Committed, Stored, judge

KILLS = 7


@pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")
def test_every_committed_event_arrives_once_and_in_order_whatever_is_killed() -> None:
    """P1, P2."""
    times = Times(life=(1.5, 4.0), back_end=(4.0, 9.0), broker=(1.0, 5.0))
    result = soak(KILLS, seed=5, nodes=3, times=times)
    assert result.problems == [], result.table()
    assert result.done[NODES_KILLED] >= KILLS
    assert result.events > 0, result.table()


def _entry(seq: int) -> EventEntry:
    event = Event(
        f"b1-{seq:06d}", 1, Status.FINAL, Kind.PICK, "b1", "s1", "sku-1", 1, -352.0, None, None,
        seq, seq + 5, 1.0, False,
    )  # fmt: skip
    return EventEntry(7, seq, event, Stamp(10**18, TimeQuality.SYNCED))


def _committed(*seqs: int) -> list[Committed]:
    return [Committed(7, seq, encode(_entry(seq))) for seq in seqs]


def _stored(*seqs: int) -> list[Stored]:
    return [Stored(7, seq, for_wire(encode(_entry(seq)), evidence=False, historical=seq == 2), 10**12) for seq in seqs]


def test_the_judge_finds_nothing_where_all_is_well() -> None:
    verdict = judge("n", _committed(1, 2, 3), _stored(1, 2, 3), [])
    assert (verdict.problems, verdict.missing, verdict.events, verdict.boots) == ([], 0, 3, 1)


@pytest.mark.parametrize(
    ("committed", "stored", "gone", "words"),
    [
        (_committed(1, 2), _stored(1, 2, 2), [], "1 entries are there twice"),
        (_committed(1, 2), _stored(2, 1), [], "entry 1 of boot 7 came after 2"),
        (_committed(1), _stored(1, 2), [], "delivered but never committed"),
        (_committed(1, 3), _stored(1, 3), [], "entry 3 follows 1 in the outbox"),
        (_committed(1, 2), _stored(1), [(7, 2, 2)], "given up, though nothing was dropped"),
    ],
)
def test_the_judge_sees(
    committed: list[Committed], stored: list[Stored], gone: list[tuple[int, int, int]], words: str
) -> None:
    problems = judge("n", committed, stored, gone).problems
    assert any(words in problem for problem in problems), problems


def test_the_judge_counts_what_is_missing() -> None:
    assert judge("n", _committed(1, 2, 3), _stored(1), []).missing == 2


def test_the_judge_sees_other_content() -> None:
    other = replace(_entry(1), event=replace(_entry(1).event, sku="sku-2"))
    item = for_wire(encode(other), evidence=False, historical=False)
    assert "isn't what was committed" in judge("n", _committed(1), [Stored(7, 1, item, 0)], []).problems[0]
