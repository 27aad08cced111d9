"""From chip to event: what the real path gives is what the trace itself gives, and no sample is missing unexplained."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from path_bench import AHEAD_NS, USB, path_bench

from drivers.bridge import BridgeDriver
from drivers.samples import SampleBlock
from edge.fusion.replay import replay
from edge.trace.event import Event, Status
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter
from hil.families import Case, make_case
from hil.link_hour import link_hour
from hil.rig.controls import ChipSetup
from hil.rig.playing import play

MS = 1_000_000
SCENE_BEGINS_NS = 3_000_000_000  # of the rig's time: the board is at rest before
CONVERSION_NS = 13 * MS
BATCH_NS = 50 * MS  # of fusion

pytestmark = pytest.mark.usefixtures("rig_program")


def settled(events: list[Event]) -> list[Event]:
    """The last revision of each, without those taken back, in order of time."""
    last = {event.event_id: event for event in events}
    return sorted((e for e in last.values() if e.status is not Status.RETRACTED), key=lambda e: e.time_ns)


def through_the_path(case: Case, whole: SampleBlock) -> list[list[SampleBlock]]:
    """The scene lived through by firmware, line, link and driver."""
    (board,) = case.setup.node.boards.values()
    name = next(iter(case.setup.node.boards))
    own = [whole.cell == cell for cell in range(len(board.cells))]
    rates_hz = [1e9 / float(np.median(np.diff(whole.time_ns[mine]))) for mine in own]
    bench = path_bench(len(own), rates_hz, USB, name, list(board.cells))
    try:
        for chip, mine in enumerate(own):
            bench.rig.setup(chip, ChipSetup(level_counts=float(whole.counts[mine][0])))
        epochs = [[bench.run(SCENE_BEGINS_NS / 1e9 - 0.02)]]
        for chip, mine in enumerate(own):
            begin_ns = SCENE_BEGINS_NS + int(whole.time_ns[mine][0])
            play(bench.rig, chip, whole.time_ns[mine], whole.counts[mine], begin_ns)
        return epochs + [[bench.run(10.0)] for _ in range(math.ceil(case.duration_s / 10.0))]
    finally:
        bench.close()


@pytest.mark.parametrize(("family", "index"), [("calm", 0), ("grabs", 1)])
def test_the_events_of_a_trace_are_those_of_the_same_scene_through_the_real_firmware(
    family: str, index: int, tmp_path: Path
) -> None:
    case = make_case(family, "corners", "tuning", index, minutes=2.0)
    trace = tmp_path / "scene.mcap"
    with TraceWriter(trace, case.setup, case.labels) as writer:
        for together in case.blocks:
            for block in together:
                writer.write(block)
    with TraceReader(trace) as reader:
        epochs = list(reader.epochs())
    direct = settled(list(replay(epochs, case.setup)))
    whole = SampleBlock.join([block for blocks in epochs for block in blocks])
    lived_blocks = through_the_path(case, whole)
    lived = settled(list(replay(lived_blocks, case.setup)))

    assert len(direct) > 15
    assert [(e.kind, e.sku, e.slot, e.quantity) for e in lived] == [(e.kind, e.sku, e.slot, e.quantity) for e in direct]
    late_ns = []
    for event, expected in zip(lived, direct, strict=True):
        assert event.evidence is not None
        assert expected.evidence is not None
        noise_g = math.hypot(event.evidence.sd_g, expected.evidence.sd_g)
        assert event.grams == pytest.approx(expected.grams, abs=3 * noise_g)
        at_ns = event.time_ns - AHEAD_NS - SCENE_BEGINS_NS
        assert expected.evidence.begin_ns - BATCH_NS <= at_ns <= expected.evidence.end_ns + BATCH_NS + CONVERSION_NS
        late_ns.append(at_ns - expected.time_ns)
    # fusion places a movement on its own grid, and slow ones anywhere in their stretch: most say the same batch
    assert abs(np.median(late_ns)) <= CONVERSION_NS
    assert np.mean(np.abs(late_ns) <= BATCH_NS + CONVERSION_NS) > 0.8
    times = np.concatenate([block.time_ns for blocks in lived_blocks for block in blocks])
    assert (np.diff(times) >= 0).all()


def test_eight_chips_for_minutes_without_one_unexplained_sample_at_their_true_times() -> None:
    """P3 through the driver, on a host whose USB is up to 16 ms late, with a resonator 0.3 % off that warms up.

    `python -m hil.link_hour` does an hour, and tells what it costs.
    """
    found = link_hour(180.0)
    assert found.conversions > 8 * 160 * 80
    assert (found.explained, found.conversions - found.received) == (0, 0)
    assert (found.flagged, found.wrong) == (0, 0)
    assert found.error_ms[1] <= 1.0
    assert abs(found.drift_ms) < 0.5


def test_the_run_s_books_find_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that can't fail proves nothing: a host that drops a sample, and clocks that are 2 ms off, are found."""
    honest = BridgeDriver.read

    def careless(self: BridgeDriver, until_ns: int) -> SampleBlock:
        block = honest(self, until_ns)
        kept = block.counts % 1009 != 0
        late = dataclasses.replace(block, time_ns=block.time_ns + 2 * MS)
        return SampleBlock("b", late.time_ns[kept], block.cell[kept], block.counts[kept], block.flags[kept])

    monkeypatch.setattr(BridgeDriver, "read", careless)
    found = link_hour(30.0)
    assert found.conversions > found.received + found.explained
    assert found.error_ms[1] > 1.0
