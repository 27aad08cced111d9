"""Pacing is a wrapper round the reader: nothing sleeps in reading or fusion, and the events stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.samples import SampleBlock
from edge.node.playback import Playback, paced
from edge.stream.jsonl import event_to_line
from edge.stream.tally import Tally
from edge.trace.epoch import Epoch
from edge.trace.reader import TraceReader

S = 1_000_000_000


class FakeTime:
    """A clock that only sleeping moves, and that can be late."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.now_ns = 5_000 * S
        self.slept_s: list[float] = []
        self.late_s = late_s

    def clock_ns(self) -> int:
        return self.now_ns

    def sleep_s(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round((seconds + self.late_s) * S)


def epochs(count: int) -> Iterator[Epoch]:
    for second in range(count):
        times = np.array([second * S, second * S + S - 1], np.int64) - 7 * S
        block = SampleBlock("b", times, np.zeros(2, np.uint8), np.zeros(2, np.int32), np.zeros(2, np.uint16))
        yield Epoch((second - 7) * S, [block])


@pytest.mark.parametrize(("speed", "total_s"), [(1.0, 10.0), (4.0, 2.5), (0.5, 20.0)])
def test_epochs_come_at_the_speed_asked_for(speed: float, total_s: float) -> None:
    time = FakeTime()
    assert len(list(paced(epochs(10), speed, time.clock_ns, time.sleep_s))) == 10
    assert sum(time.slept_s) == pytest.approx(total_s, abs=1e-6)


def test_a_late_epoch_does_not_make_the_rest_late() -> None:
    time = FakeTime(late_s=0.2)
    list(paced(epochs(10), 1.0, time.clock_ns, time.sleep_s))
    assert time.now_ns / S - 5000 == pytest.approx(10.2, abs=1e-6)


def test_no_sleep_where_reading_is_slower_than_the_pace() -> None:
    time = FakeTime()

    def slow() -> Iterator[Epoch]:
        for epoch in epochs(3):
            time.now_ns += 10 * S
            yield epoch

    list(paced(slow(), 1.0, time.clock_ns, time.sleep_s))
    assert time.slept_s == []


def test_paced_and_fast_replay_give_the_same_events_p8(trace: Path) -> None:
    time = FakeTime()
    with TraceReader(trace) as reader:
        fast = [event_to_line(event) for event in Playback(reader).events()]
        playback = Playback(reader, 8.0, (), time.clock_ns, time.sleep_s)
        slow = [event_to_line(event) for event in playback.events()]
    assert slow == fast
    assert fast
    assert sum(time.slept_s) == pytest.approx(playback.duration_s / 8, abs=0.01)


def test_the_tally_says_what_a_replay_came_to(trace: Path) -> None:
    with TraceReader(trace) as reader:
        playback, tally = Playback(reader), Tally()
        assert tally.sentence(0.0, 0.0) == "0 events final (0 for review); 0.0 s of samples in 0.0 s"
        events = list(playback.events())
    for event in reversed(events):  # in any order, the last revision stands
        tally.add(event)
    final = {event.event_id: event for event in events}
    count = sum(event.status.value == "final" for event in final.values())
    assert tally.sentence(40.0, 0.5).startswith(f"{count} event")
    assert tally.sentence(40.0, 0.5).endswith("40.0 s of samples in 0.5 s, 80 times real time")
    assert tally.sentence(910.0, 0.5).endswith("1820 times real time")
