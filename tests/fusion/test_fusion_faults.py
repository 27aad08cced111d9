"""P7: what goes wrong between the cells and fusion is a named fault, and by itself never an event."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from fusion_boards import CORNERS, Played, play, script, setup_of, told

from calibration.record import BoardCalibration
from drivers.samples import SampleBlock
from drivers.simulated.physics import FaultRates
from drivers.simulated.scene import Footsteps, Pick, Put
from edge.fusion.engine import Fusion
from edge.trace.event import Status

SEEDS = [31, 32, 33]


def _without(played: Played, lost: Callable[[SampleBlock], npt.NDArray[np.bool_]]) -> Played:
    """The scene less some samples."""
    blocks = []
    for block in played.whole():
        kept = ~lost(block)
        blocks.append(
            SampleBlock(block.board, block.time_ns[kept], block.cell[kept], block.counts[kept], block.flags[kept])
        )
    return played.with_samples(blocks)


def _between(block: SampleBlock, begin_s: float, end_s: float) -> npt.NDArray[np.bool_]:
    return (block.time_ns >= begin_s * 1e9) & (block.time_ns < end_s * 1e9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gap_s", [0.19, 0.42, 3.0, 20.0])
@pytest.mark.parametrize("cell", [None, 1])
def test_a_gap_is_no_event(seed: int, gap_s: float, cell: int | None) -> None:
    """Of the whole board (a node that was busy), or of one cell (a chip that was reset). Steps keep it from being
    quite still. What is taken later is told as ever."""
    scene = script(Footsteps(6.0), Footsteps(8.0 + gap_s), Pick(18.0 + gap_s, "A0"))
    played = play(scene, 30.0 + gap_s, seed)
    gappy = _without(played, lambda block: _between(block, 8.0, 8.0 + gap_s) & ((block.cell == cell) | (cell is None)))
    events = gappy.events()
    assert all(event.time_ns >= (17.5 + gap_s) * 1e9 for event in events), "nothing but the visit is ever spoken of"
    (final,) = (event for event in events if event.status is Status.FINAL)
    assert told(final) == ("pick", "sku0", "A0", 1)
    assert not final.needs_review


@pytest.mark.parametrize("gap_s", [0.19, 0.42])
@pytest.mark.parametrize("begin_s", np.arange(4.0, 8.5, 0.25).tolist())
def test_a_gap_amid_a_visit_hides_no_pick(begin_s: float, gap_s: float) -> None:
    """A reset while a hand is on the shelf: the weights on either side still say what was taken, and nothing else."""
    played = play(script(Pick(5.0, "A0"), Put(12.0, "A0")), 24.0, 31)
    finals = _without(played, lambda block: _between(block, begin_s, begin_s + gap_s)).finals()
    assert [told(event) for event in finals] == [("pick", "sku0", "A0", 1), ("put", "sku0", "A0", 1)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", [None, 2])
def test_a_gap_amid_a_visit_doesnt_shift_the_time_of_what_follows(seed: int, cell: int | None) -> None:
    """A hand rests on the shelf from 5 to 10 s and then takes something; three seconds of that weren't heard."""
    played = play(script(Pick(5.0, "A0", touch_s=5.0, lift_s=0.5, touch_g=600.0)), 20.0, seed)
    gappy = _without(played, lambda block: _between(block, 6.0, 9.0) & ((block.cell == cell) | (cell is None)))
    (event,) = gappy.finals()
    assert told(event) == ("pick", "sku0", "A0", 1)
    assert event.time_ns / 1e9 == pytest.approx(10.25, abs=0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_changed_while_nobody_listened_is_for_a_person_to_decide(seed: int) -> None:
    """A pick within a gap of ten seconds is found by the weights around it, but not accepted on trust."""
    played = play(script(Pick(8.0, "A0")), 30.0, seed)
    (event,) = _without(played, lambda block: _between(block, 6.0, 16.0)).finals()
    assert told(event) == ("pick", "sku0", "A0", 1)
    assert event.needs_review


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", ["dies_at_s", "sticks_at_s"])
@pytest.mark.parametrize("cell", [0, 3])
def test_a_cell_that_fails_is_no_event(seed: int, fault: str, cell: int) -> None:
    """Dead or stuck from 12 s on, with 20 kg on the board: nothing was taken, so nothing is said."""
    scene = script(Pick(5.0, "A0"), Footsteps(15.0), Footsteps(20.0))
    events = play(scene, 30.0, seed, cells={cell: {fault: 12.0}}).events()
    assert {event.event_id for event in events} == {"b-000001"}
    assert told(events[-1]) == ("pick", "sku0", "A0", 1)
    assert events[-1].evidence is not None
    assert events[-1].evidence.faults == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("fault", "names"), [("dies_at_s", ["cell fr: no data"]), ("sticks_at_s", ["cell fr: no data", "cell fr: stuck"])]
)
def test_events_of_a_board_with_a_failed_cell_name_it_and_go_to_a_person(
    seed: int, fault: str, names: list[str]
) -> None:
    """With three cells of four a pick is still seen, roughly; nobody accepts it unseen."""
    played = play(script(Pick(20.0, "A1")), 34.0, seed, cells={1: {fault: 12.0}})
    finals = played.finals()
    assert len(finals) == 1
    for event in finals:
        assert event.kind.value == "pick"
        assert event.needs_review
        assert event.evidence is not None
        for name in names:
            assert any(found.startswith(name) for found in event.evidence.faults)
        assert not any(other in " ".join(event.evidence.faults) for other in ("cell fl", "cell bl", "cell br"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("at_s", [5.6, 6.0, 6.5])
def test_a_cell_that_dies_amid_a_visit_accepts_nothing(seed: int, at_s: float) -> None:
    scene = script(Pick(5.0, "A1", touch_s=1.5, lift_s=0.5))
    finals = play(scene, 20.0, seed, cells={1: {"dies_at_s": at_s}}).finals()
    assert all(event.needs_review for event in finals)


@pytest.mark.parametrize("seed", SEEDS)
def test_too_few_cells_to_weigh_with_say_nothing(seed: int) -> None:
    """Two of four cells dead: weight can't be told, so it isn't."""
    cells = {0: {"dies_at_s": 10.0}, 3: {"dies_at_s": 10.0}}
    assert play(script(Pick(16.0, "A1")), 28.0, seed, cells=cells).events() == []


def test_a_board_with_one_cell_that_dies_falls_silent() -> None:
    setup = setup_of({"b": {"all": (450.0, 200.0)}})
    played = play(script(Pick(5.0, "A0"), Pick(20.0, "A1")), 30.0, 31, setup, cells={0: {"dies_at_s": 14.0}})
    assert [told(event)[:2] for event in played.finals()] == [("pick", "sku0")]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_worst_recordings_faults_cost_no_event_and_make_none(seed: int) -> None:
    """Corrupted codes, lost conversions and resets as in the worst recording: two minutes, every other action told."""
    actions = [Pick(5.0 + 8 * k, f"A{k % 8}") if k % 2 == 0 else Put(5.0 + 8 * k, f"A{(k - 1) % 8}") for k in range(14)]
    played = play(script(*actions), 122.0, seed, faults=FaultRates.worst())
    finals = played.finals()
    assert [told(event) for event in finals] == [
        (label.kind.value, label.sku, label.slot, label.quantity) for label in played.labels
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("grams", [352.0, -180.0, 520.0])
def test_a_zero_that_jumps_is_accepted_as_nothing(seed: int, grams: float) -> None:
    """A cell that slips on its mount reads another weight from then on, just that of an item, while its neighbours
    say nothing of it. No load on a board does that, but right over a cell: a person is asked, and told which cell."""
    played = play(script(Footsteps(12.0)), 24.0, seed)
    (block,) = played.whole()
    gain = played.setup.calibration["b"].cells["bl"].counts_per_gram
    moved = (block.cell == 2) & (block.time_ns > 8e9)
    counts = np.where(moved, block.counts + round(grams * gain), block.counts).astype(np.int32)
    for event in played.with_samples([dataclasses.replace(block, counts=counts)]).finals():
        assert event.needs_review
        assert event.evidence is not None
        assert "cell bl: changed alone" in event.evidence.faults


def test_corrupt_codes_are_named_in_the_evidence() -> None:
    played = play(script(Pick(8.0, "A0")), 20.0, 31)
    (block,) = played.whole()
    mine = np.flatnonzero((block.cell == 2) & _between(block, 6.0, 10.0))[::20]
    counts = block.counts.copy()
    counts[mine] = 2**22 - 1
    (event,) = played.with_samples([dataclasses.replace(block, counts=counts)]).finals()
    assert told(event) == ("pick", "sku0", "A0", 1)
    assert event.evidence is not None
    assert any(fault.startswith("cell bl: corrupt code (") for fault in event.evidence.faults)


def test_a_board_without_calibration_is_blind_and_the_others_arent() -> None:
    setup = setup_of({"b": CORNERS, "new": CORNERS})
    played = play(script(Pick(5.0, "A0"), Pick(6.0, "B0")), 18.0, 31, setup)
    records = {"b": played.setup.calibration["b"]}
    uncalibrated = dataclasses.replace(played, setup=dataclasses.replace(played.setup, calibration=records))
    fusion = Fusion(uncalibrated.setup)
    assert fusion.blind_boards == {"new": "it has no calibration record"}
    assert {event.board for event in uncalibrated.events()} == {"b"}
    whole = uncalibrated.whole()
    events = fusion.push(whole) + fusion.finish()
    assert [event.board for event in events if event.status is Status.FINAL] == ["b"], "it doesn't hold up the others"


def test_a_record_that_lacks_a_cell_leaves_its_board_blind() -> None:
    played = play(script(Pick(5.0, "A0")), 14.0, 31)
    record = played.setup.calibration["b"]
    cells = {name: cell for name, cell in record.cells.items() if name != "br"}
    setup = dataclasses.replace(played.setup, calibration={"b": BoardCalibration(board="b", cells=cells)})
    assert Fusion(setup).blind_boards == {"b": "its calibration record lacks cells br"}
    assert dataclasses.replace(played, setup=setup).events() == []


def test_blocks_of_a_board_that_nobody_knows_are_left_alone() -> None:
    played = play(script(Pick(5.0, "A0")), 14.0, 31)
    (block,) = played.whole()
    stray = dataclasses.replace(block, board="stray")
    assert played.with_samples([block, stray]).events() == played.events()


def test_nothing_in_nothing_out() -> None:
    setup = play(script(), 2.0, 31).setup
    fusion = Fusion(setup)
    assert fusion.push([]) == []
    assert fusion.push([SampleBlock.empty("b")], until_ns=10**9) == []
    assert fusion.finish() == []
