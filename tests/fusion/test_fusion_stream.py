"""What any reader of the stream may count on, whatever happens at the shelves."""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from fusion_boards import CORNERS, Played, play, script, setup_of, told

from drivers.simulated.physics import FaultRates
from drivers.simulated.scene import Pick, Put
from drivers.simulated.shopper import RandomShopper
from edge.trace.event import Event, Status

SEEDS = [41, 42, 43, 44]


@functools.cache
def _busy(seed: int) -> tuple[Played, tuple[Event, ...]]:
    """Three boards, everything that shoppers do, and every fault there is, for a minute and a half."""
    shopper = RandomShopper(
        seed, until_s=86.0, gap_s=(1.0, 4.0), grab_share=0.2, second_hand_share=0.3, wrong_slot_share=0.2,
        look_share=0.2, hold_share=0.2, slow_share=0.2, foreign_share=0.1, leans_per_minute=4.0,
    )  # fmt: skip
    boards = {"b": CORNERS, "row": {"l": (30.0, 200.0), "r": (870.0, 200.0)}, "one": {"all": (450.0, 200.0)}}
    cells = {1: {"dies_at_s": 60.0}} if seed % 2 else {}
    played = play(shopper, 90.0, seed, setup_of(boards), FaultRates.worst(), cells)
    return played, tuple(played.events())


def _histories(events: tuple[Event, ...]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.event_id].append(event)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_an_event_keeps_its_id_and_counts_its_revisions(seed: int) -> None:
    """Unique ids; revisions 1, 2, 3 ... without a gap; the same board and kind throughout."""
    histories = _histories(_busy(seed)[1])
    assert len(histories) > 15
    for history in histories.values():
        assert [event.revision for event in history] == list(range(1, len(history) + 1))
        assert len({(event.board, event.kind) for event in history}) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_event_ends_once_and_for_all(seed: int) -> None:
    """Provisional any number of times, then final or retracted, then nothing. Retracted is only what was announced."""
    for history in _histories(_busy(seed)[1]).values():
        *before, last = history
        assert all(event.status is Status.PROVISIONAL for event in before)
        assert last.status in (Status.FINAL, Status.RETRACTED), "at the end of a trace nothing is left open"
        if last.status is Status.RETRACTED:
            assert before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_board_decides_in_order_of_time(seed: int) -> None:
    boards: dict[str, list[Event]] = defaultdict(list)
    for event in _busy(seed)[1]:
        boards[event.board].append(event)
    assert set(boards) == {"b", "row", "one"}
    for events in boards.values():
        for one, next_one in itertools.pairwise(events):
            assert one.decided_ns <= next_one.decided_ns


@pytest.mark.parametrize("seed", SEEDS)
def test_all_boards_decide_in_order_of_time_as_long_as_the_trace_goes_on(seed: int) -> None:
    played, events = _busy(seed)
    last_ns = min(int(block.time_ns[-1]) for block in played.whole())
    decided = [event.decided_ns for event in events if event.decided_ns < last_ns - 1_000_000_000]
    assert decided == sorted(decided)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_decided_before_it_happened(seed: int) -> None:
    for event in _busy(seed)[1]:
        assert 0 <= event.time_ns <= event.decided_ns
        assert event.evidence is not None
        assert event.evidence.begin_ns <= event.time_ns <= event.evidence.end_ns <= event.decided_ns + 50_000_000


@pytest.mark.parametrize("seed", SEEDS)
def test_probabilities_are_probabilities(seed: int) -> None:
    """Confidence and alternatives never add up to more than one; alternatives are sorted, and others than the event."""
    for event in _busy(seed)[1]:
        assert 0.0 <= event.confidence <= 1.0
        shares = [alternative.probability for alternative in event.alternatives]
        assert shares == sorted(shares, reverse=True)
        assert all(share > 0 for share in shares)
        assert event.confidence + sum(shares) <= 1 + 1e-6
        others = [(a.kind, a.sku, a.slot, a.quantity) for a in event.alternatives]
        assert len(set(others)) == len(others)
        assert (event.kind, event.sku, event.slot, event.quantity) not in others


@pytest.mark.parametrize("seed", SEEDS)
def test_fields_make_sense(seed: int) -> None:
    """Sign and kind agree, SKUs and slots are the planogram's, places lie on the board, foreign objects have neither
    SKU nor slot, what isn't sure goes to a person."""
    played, events = _busy(seed)
    review_below = played.setup.node.fusion.review_below
    for event in events:
        assert (event.grams > 0) == (event.kind.value == "put")
        assert event.quantity >= 1
        if event.sku is None:
            assert (event.slot, event.quantity) == (None, 1)
        else:
            assert event.sku in played.setup.planogram.skus
            assert played.setup.planogram.slots[event.slot or ""].board == event.board
        assert event.x_mm is None or 0 <= event.x_mm <= 900
        assert event.y_mm is None or 0 <= event.y_mm <= 400
        if event.confidence < review_below:
            assert event.needs_review
        assert event.who == ()
        assert event.evidence is not None
        assert event.evidence.sd_g > 0
        assert event.evidence.before_ms > 0
        assert event.evidence.after_ms > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_are_plain_python_numbers(seed: int) -> None:
    """So that any codec writes them, and none is NaN but the change of a cell without data."""
    for event in _busy(seed)[1]:
        assert event.evidence is not None
        floats = [event.grams, event.confidence, event.evidence.sd_g, *event.evidence.change_g]
        floats += [place for place in (event.x_mm, event.y_mm) if place is not None]
        floats += [alternative.probability for alternative in event.alternatives]
        assert {type(value) for value in floats} == {float}
        whole = (event.time_ns, event.decided_ns, event.quantity, event.revision)
        assert {type(value) for value in (*whole, event.evidence.begin_ns, event.evidence.end_ns)} == {int}
        assert type(event.needs_review) is bool
        assert all(math.isfinite(value) for value in floats[:3])


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_of_the_cells_add_up_to_the_grams_of_a_calm_visit(seed: int) -> None:
    played = play(script(Pick(5.0, "A4"), Put(13.0, "A4"), Pick(21.0, "A7", quantity=2)), 34.0, seed)
    finals = played.finals()
    assert len(finals) == 3
    for event in finals:
        assert event.evidence is not None
        assert len(event.evidence.change_g) == 4
        assert sum(event.evidence.change_g) == pytest.approx(event.grams, abs=0.5)
        assert event.evidence.faults == () or all(": " in fault for fault in event.evidence.faults)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_final_event_of_a_calm_visit_was_announced_alike(seed: int) -> None:
    """Early, then final: the same id, earlier, with the same SKU, slot and quantity."""
    played = play(script(Pick(5.0, "A4", touch_g=50.0), Put(13.0, "A4", contact_s=0.6)), 26.0, seed)
    histories = _histories(tuple(played.events()))
    assert len(histories) == 2
    for history in histories.values():
        assert history[0].status is Status.PROVISIONAL
        assert history[-1].status is Status.FINAL
        assert history[0].decided_ns < history[-1].decided_ns
        assert told(history[0]) == told(history[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_wherever_a_trace_ends_the_stream_is_in_order(seed: int) -> None:
    """Cut off every 150 ms around two visits: decisions in order of time, never before the fact, nothing left open."""
    played = play(script(Pick(3.0, "A4"), Put(5.5, "A4")), 12.0, seed)
    (block,) = played.whole()
    for end_s in np.arange(3.0 + 0.037 * (seed - 40), 12.0, 0.15):
        cut = block.part(0, int(np.searchsorted(block.time_ns, end_s * 1e9)))
        events = played.with_samples([cut]).events()
        decided = [event.decided_ns for event in events]
        assert decided == sorted(decided), end_s
        assert all(event.time_ns <= event.decided_ns <= end_s * 1e9 + 50_000_000 for event in events), end_s
        for history in _histories(tuple(events)).values():
            assert history[-1].status is not Status.PROVISIONAL, end_s


def test_a_stricter_node_sends_more_to_a_person() -> None:
    played, _ = _busy(42)
    reviewed = []
    for limit in (0.6, 0.9999):
        fusion = played.setup.node.fusion.model_copy(update={"review_below": limit})
        node = played.setup.node.model_copy(update={"fusion": fusion})
        finals = replace(played, setup=replace(played.setup, node=node)).finals()
        reviewed.append(sum(event.needs_review for event in finals) / len(finals))
    assert reviewed[0] + 0.1 < reviewed[1]
