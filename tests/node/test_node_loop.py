"""The loop: what it decides live is what a replay of its recording decides, whatever the boards do (P8)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_benches import MS, Kept, S, ToldClock, at_once

from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock
from drivers.simulated.shopper import RandomShopper
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.fusion.engine import Fusion
from edge.fusion.replay import replay
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.loop import PERIOD_NS, FusionLoop
from edge.node.simulate import physics_for, simulated_blocks
from edge.stream.jsonl import event_to_line
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

SECONDS = 30
Spans = list[tuple[int, int]]


@cache
def recording() -> tuple[Setup, dict[str, SampleBlock]]:
    """A busy scene on the demo's two boards, times from 0."""
    setup = load_setup(demo_node_path())
    shopper = RandomShopper(3, first_s=2.0, until_s=SECONDS - 3.0, gap_s=(1.0, 2.5))
    calibrated, _, epochs = simulated_blocks(setup, physics_for(setup, 3), shopper, 3, SECONDS)
    parts: dict[str, list[SampleBlock]] = {}
    for together in epochs:
        for block in together:
            parts.setdefault(block.board, []).append(block)
    return calibrated, {name: SampleBlock.join(blocks) for name, blocks in parts.items()}


class Scheduled:
    """A board's recording given live, held back, or cut off, at times that were drawn.

    ``stalls``: (from, to) in ns after the beginning: nothing comes, and then all of it at once. ``dead``: what
    comes is lost, and reading fails. ``lag_ns``: what a driver holds back to judge it.
    """

    def __init__(
        self, whole: SampleBlock, begin_ns: int, stalls: list[tuple[int, int]], dead: list[tuple[int, int]], lag_ns: int
    ):
        self.board = whole.board
        self._whole = SampleBlock(whole.board, whole.time_ns + begin_ns, whole.cell, whole.counts, whole.flags)
        self._begin_ns = begin_ns
        self._stalls, self._dead, self._lag_ns = stalls, dead, lag_ns
        self.given = 0

    def start(self) -> None:
        pass

    def read(self, until_ns: int) -> SampleBlock:
        at_ns = until_ns - self._begin_ns
        end = int(np.searchsorted(self._whole.time_ns, until_ns - self._lag_ns))
        if any(begin <= at_ns < stop for begin, stop in self._dead):
            self.given = max(self.given, end)
            raise DriverError(f"{self.board}: unplugged; plug it in")
        if any(begin <= at_ns < stop for begin, stop in self._stalls):
            return SampleBlock.empty(self.board)
        found = self._whole.part(self.given, max(end, self.given))
        self.given = max(end, self.given)
        return found

    def take_notices(self) -> list[Notice]:
        return []

    def stop(self) -> None:
        pass


def lived(drivers: dict[str, Scheduled], clock: ToldClock, pauses: list[tuple[int, int]]) -> tuple[Boards, Kept]:
    """A live run of the recording; during ``pauses`` (after the beginning) the loop itself stands still."""
    setup, _ = recording()
    begin_ns = clock()
    boards = Boards(setup.node.boards, lambda name: drivers[name], clock, background=at_once)
    kept = Kept()
    loop = FusionLoop(boards, Fusion(setup), kept, clock, clock.sleep)
    while clock() < begin_ns + SECONDS * S:
        loop.round()
        loop.wait()
        for at_ns, length_ns in pauses:
            if at_ns <= clock() - begin_ns < at_ns + PERIOD_NS:
                clock.ns += length_ns
    loop.finish()
    return boards, kept


def replayed(kept: Kept, path, first_number: int = 1, setup: Setup | None = None) -> list[str]:
    setup = setup or recording()[0]
    with TraceWriter(path, setup) as writer:
        for block in kept.blocks:
            writer.write(block)
    with TraceReader(path) as reader:
        stored = reader.require_setup()
        lines = [event_to_line(event) for event in replay(reader.epochs(), stored, Fusion(stored, first_number))]
        assert reader.losses == []
    return lines


spans = st.lists(
    st.tuples(st.integers(0, SECONDS * 1000), st.integers(1, 6000)).map(lambda s: (s[0] * MS, (s[0] + s[1]) * MS)),
    max_size=3,
)
behaviour = st.tuples(spans, spans, st.sampled_from([0, 13, 25, 200, 900]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    one=behaviour,
    two=behaviour,
    begin_ns=st.integers(1, 10**6).map(lambda n: n * 7_654_321),
    pauses=st.lists(st.tuples(st.integers(0, SECONDS * 1000), st.integers(30, 9000)), max_size=2),
)
def test_live_is_as_replayed_whatever_the_boards_do(tmp_path, one, two, begin_ns, pauses):
    """P8: stalls with bursts, dead boards, drivers that hold samples back, a loop that is held up itself."""
    _, whole = recording()
    clock = ToldClock(begin_ns)
    drivers = {
        name: Scheduled(whole[name], begin_ns, stalls, dead, lag * MS)
        for name, (stalls, dead, lag) in zip(whole, (one, two), strict=True)
    }
    boards, kept = lived(drivers, clock, [(at * MS, length * MS) for at, length in pauses])
    lines = [event_to_line(event) for event in kept.events]
    assert replayed(kept, tmp_path / "run.mcap") == lines
    assert kept.untils == sorted(kept.untils)
    for refused in boards.refused.values():
        assert refused.from_future == refused.not_ours == 0


def test_with_nothing_wrong_no_sample_is_lost(tmp_path):
    """P3, P8. And the scene was worth it."""
    _, whole = recording()
    clock = ToldClock()
    drivers = {name: Scheduled(whole[name], clock(), [], [], 13 * MS) for name in whole}
    boards, kept = lived(drivers, clock, [(10 * S, 3 * S)])
    lines = [event_to_line(event) for event in kept.events]
    assert len(lines) > 20
    assert replayed(kept, tmp_path / "run.mcap") == lines
    assert sum(refused.total for refused in boards.refused.values()) == 0
    assert sum(map(len, kept.blocks)) == sum(driver.given for driver in drivers.values())


def test_a_pause_is_not_made_up_for_round_by_round():
    _, whole = recording()
    clock = ToldClock()
    drivers = {name: Scheduled(whole[name], clock(), [], [], 0) for name in whole}
    _, kept = lived(drivers, clock, [(10 * S, 3 * S)])
    late = sorted(kept.late_ns)
    assert late[-1] == pytest.approx(3 * S, abs=PERIOD_NS)
    assert late[-2] == 0


class Succession:
    """A live run on simulated boards in which another fusion is asked for after 15 s."""

    def __init__(self, visit_every_s: float) -> None:
        self.clock = clock = ToldClock()
        begin_ns = clock()
        hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 5, clock, visit_every_s)
        self.setup = hardware.setup
        boards = Boards(self.setup.node.boards, hardware.make, clock, background=at_once)
        self.first, self.second = Kept(), Kept()
        self.number = 0
        self.took_s = 0.0
        self.was_at_rest = False
        self.loop = FusionLoop(boards, Fusion(self.setup), self.first, clock, clock.sleep)
        asked = False
        while clock() < begin_ns + 60 * S:
            self.loop.round()
            self.loop.wait()
            if not asked and clock() - begin_ns >= 15 * S:
                asked = True
                self.loop.replace_fusion(self._successor)
        self.took_s -= 15.0 + begin_ns / 1e9
        self.loop.finish()

    def _successor(self, old: Fusion) -> Fusion:
        self.number = old.next_event_number
        self.took_s = self.clock() / 1e9
        self.was_at_rest = old.at_rest
        self.loop._sinks = self.second
        return Fusion(self.setup, self.number)


def test_a_new_fusion_takes_over_when_it_is_quiet_and_goes_on_counting(tmp_path):
    """P8 across another planogram: each part replays by itself; ids are unique within the run."""
    run = Succession(visit_every_s=5.0)
    assert run.was_at_rest
    assert run.took_s < 10.0
    assert run.first.events
    assert run.second.events
    assert not {event.event_id for event in run.first.events} & {event.event_id for event in run.second.events}
    for part, number in ((run.first, 1), (run.second, run.number)):
        lines = [event_to_line(event) for event in part.events]
        assert replayed(part, tmp_path / "run.mcap", number, run.setup) == lines


def test_a_new_fusion_doesnt_wait_for_ever(tmp_path):
    run = Succession(visit_every_s=0.4)
    assert run.took_s <= 30.1
    lines = [event_to_line(event) for event in run.second.events]
    assert replayed(run.second, tmp_path / "run.mcap", run.number, run.setup) == lines


def test_the_latest_wish_for_another_fusion_counts():
    """A planogram that was taken back before its quiet moment came never comes into force."""
    setup, whole = recording()
    clock = ToldClock()
    drivers = {name: Scheduled(whole[name], clock(), [], [], 0) for name in whole}
    boards = Boards(setup.node.boards, lambda name: drivers[name], clock, background=at_once)
    first = Fusion(setup)
    loop = FusionLoop(boards, first, Kept(), clock, clock.sleep)
    loop.round()
    loop.replace_fusion(lambda old: Fusion(setup))
    loop.replace_fusion(None)
    while clock() < 1000 * S + 35 * S:
        loop.round()
        loop.wait()
    assert loop.fusion is first


def test_simulated_boards_on_a_told_clock_live_and_replayed_alike(tmp_path):
    """P8, with the setup that the recording is given."""
    clock = ToldClock()
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 5, clock, visit_every_s=1.5)
    boards = Boards(hardware.setup.node.boards, hardware.make, clock, background=at_once)
    kept = Kept()
    loop = FusionLoop(boards, Fusion(hardware.setup), kept, clock, clock.sleep)
    end_ns = clock() + 30 * S
    loop.run(lambda: clock() < end_ns)
    with TraceWriter(tmp_path / "run.mcap", hardware.setup) as writer:
        for block in kept.blocks:
            writer.write(block)
    with TraceReader(tmp_path / "run.mcap") as reader:
        lines = [event_to_line(event) for event in replay(reader.epochs(), reader.require_setup())]
    assert lines == [event_to_line(event) for event in kept.events]
    assert lines
