"""P8 and P6: the same events bit for bit, however the stream is cut, however often, and whatever the clock says."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from fusion_boards import CORNERS, Played, exact, play, pushed, setup_of
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.samples import SampleBlock
from drivers.simulated.physics import FaultRates
from drivers.simulated.shopper import RandomShopper
from edge.fusion.engine import Fusion
from edge.fusion.quiet import find_plateaus, new_marks, new_plateau_state

BATCH_NS = 50_000_000
DURATION_S = 40.0
SCENES = ["calm", "busy", "faulty"]


@functools.cache
def _played(name: str) -> Played:
    shopper = RandomShopper(11, until_s=DURATION_S - 4)
    if name != "calm":
        shopper = dataclasses.replace(
            shopper, grab_share=0.2, second_hand_share=0.4, wrong_slot_share=0.3, foreign_share=0.2, hold_share=0.2
        )
    faults = FaultRates(spikes_per_1000=1.1, lost_per_hour=2000, resets_per_hour=400) if name == "faulty" else None
    setup = setup_of({"b": CORNERS, "row": {"l": (30.0, 200.0), "r": (870.0, 200.0)}})
    return play(shopper, DURATION_S, seed=11, setup=setup, faults=faults)


@functools.cache
def _at_once(name: str) -> list[str]:
    played = _played(name)
    events = exact(pushed(played.setup, [played.whole()]))
    assert len(events) >= 10
    return events


def _windows(blocks: Sequence[SampleBlock], cuts_ns: Sequence[int]) -> Iterator[list[SampleBlock]]:
    """All boards' samples between one cut and the next."""
    edges = [np.searchsorted(block.time_ns, cuts_ns) for block in blocks]
    for k in range(len(cuts_ns) + 1):
        yield [
            block.part(int(at[k - 1]) if k else 0, int(at[k]) if k < len(cuts_ns) else len(block))
            for block, at in zip(blocks, edges, strict=True)
        ]


@pytest.mark.parametrize("name", SCENES)
def test_twice_in_a_row_says_the_same(name: str) -> None:
    played = _played(name)
    assert exact(pushed(played.setup, [played.whole()])) == _at_once(name)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("tell_time", [True, False])
def test_one_sample_at_a_time(name: str, tell_time: bool) -> None:
    blocks = _played(name).whole()
    times = np.unique(np.concatenate([block.time_ns for block in blocks]))
    pieces = _windows(blocks, [int(time_ns) for time_ns in times])
    assert exact(pushed(_played(name).setup, pieces, tell_time)) == _at_once(name)


@settings(max_examples=16, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(SCENES),
    sizes_s=st.lists(st.one_of(st.floats(0.002, 0.2), st.floats(0.2, 10.0)), min_size=1, max_size=12),
    tell_time=st.booleans(),
)
def test_any_cuts_give_the_same_events(name: str, sizes_s: list[float], tell_time: bool) -> None:
    """Windows of these lengths, over and over, from a fraction of a sample to ten seconds."""
    blocks = _played(name).whole()
    cuts, at_s = [], 0.0
    while at_s < DURATION_S:
        for size_s in sizes_s:
            at_s += size_s
            cuts.append(int(at_s * 1e9))
    assert exact(pushed(_played(name).setup, _windows(blocks, cuts), tell_time)) == _at_once(name)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(name=st.sampled_from(SCENES), turns=st.lists(st.tuples(st.booleans(), st.integers(1, 3000)), max_size=60))
def test_boards_may_run_ahead_of_each_other(name: str, turns: list[tuple[bool, int]]) -> None:
    """Without being told the time, decisions wait until every board was heard: who came first doesn't matter."""
    blocks = _played(name).whole()
    begin = [0, 0]
    pieces = []
    for second, count in [*turns, (False, 10**9), (True, 10**9)]:
        block = blocks[second]
        pieces.append([block.part(begin[second], begin[second] + count)])
        begin[second] = min(begin[second] + count, len(block))
    assert exact(pushed(_played(name).setup, pieces, tell_time=False)) == _at_once(name)


@pytest.mark.parametrize("first", ["b", "twin"])
def test_boards_that_sample_at_the_same_instants(first: str) -> None:
    """As in a recording with one clock for all. Which board's samples come first doesn't matter."""
    played = _played("busy")
    block = played.whole()[0]
    time_ns = block.time_ns // 5_000_000 * 5_000_000  # on one grid, so that cells share instants too
    order = np.lexsort((block.cell, time_ns))
    block = SampleBlock("b", time_ns[order], block.cell[order], block.counts[order], block.flags[order])
    setup = setup_of({"b": CORNERS, "twin": CORNERS})
    record = played.setup.calibration["b"]
    setup = dataclasses.replace(setup, calibration={"b": record, "twin": record.model_copy(update={"board": "twin"})})
    both = [block, dataclasses.replace(block, board="twin")]
    at_once = exact(pushed(setup, [both]))
    assert len(at_once) >= 10
    one_by_one = []
    for cut in range(0, len(block), 7):
        parts = [each.part(cut, cut + 7) for each in both]
        one_by_one += [[part] for part in sorted(parts, key=lambda part: part.board != first)]
    assert exact(pushed(setup, one_by_one, tell_time=False)) == at_once


@settings(max_examples=8, deadline=None, derandomize=True)
@given(name=st.sampled_from(SCENES), batches=st.integers(-(10**6), 10**8))
def test_a_shifted_clock_shifts_the_events_and_nothing_else(name: str, batches: int) -> None:
    """P6. Up to two months of uptime: to the bit."""
    shift_ns = batches * BATCH_NS
    played = _played(name)
    later = [dataclasses.replace(block, time_ns=block.time_ns + shift_ns) for block in played.whole()]
    events = []
    for event in pushed(played.setup, [later]):
        assert event.evidence is not None
        evidence = dataclasses.replace(
            event.evidence, begin_ns=event.evidence.begin_ns - shift_ns, end_ns=event.evidence.end_ns - shift_ns
        )
        events.append(
            dataclasses.replace(
                event,
                time_ns=event.time_ns - shift_ns,
                decided_ns=event.decided_ns - shift_ns,
                evidence=evidence,
            )
        )
    assert exact(events) == _at_once(name)


def test_events_come_as_soon_as_they_are_decided() -> None:
    """Live: with a push per 100 ms an event is handed over within 100 ms of the sample that decided it."""
    played = _played("calm")
    fusion = Fusion(played.setup)
    cuts = [int(k * 1e8) for k in range(1, int(DURATION_S * 10))]
    seen = 0
    for until_ns, blocks in zip(cuts, _windows(played.whole(), cuts), strict=False):
        for event in fusion.push(blocks, until_ns):
            assert until_ns - 100_000_000 <= event.decided_ns < until_ns
            seen += 1
    assert seen >= 10


@pytest.mark.parametrize("gap_at", range(2, 40, 3))
def test_marks_of_a_gap_dont_depend_on_how_batches_come(gap_at: int) -> None:
    """A gap in the batches, at rest or while something moves, makes the same marks one batch at a time as at once."""
    rng = np.random.default_rng(gap_at)
    level = np.concatenate([np.full(20, 100.0), np.linspace(100, 900, 8), np.full(20, 900.0)])
    grams = (level + 0.1 * rng.standard_normal(level.size))[:, None]
    number = np.arange(level.size) + np.where(np.arange(level.size) >= gap_at, 100, 0)

    def marks(pieces: Sequence[tuple[int, int]]) -> list[tuple[float, ...]]:
        state, out, found = new_plateau_state(1), new_marks(64, 1), []
        for begin, end in pieces:
            part = slice(begin, end)
            quiet = np.zeros(end - begin)
            _, made = find_plateaus(
                number[part], number[part] * BATCH_NS, grams[part], quiet, BATCH_NS, 2.0, state, out
            )
            for row in range(made):
                assert out.kind[row] in (1, 2, 3)
                found.append(
                    (out.kind[row], out.begin[row], out.end[row], out.ready_ns[row], float(out.level_g[row, 0]))
                )
        return found

    at_once = marks([(0, level.size)])
    assert at_once == marks([(k, k + 1) for k in range(level.size)])
    assert at_once == marks([(0, gap_at), (gap_at, level.size)])
