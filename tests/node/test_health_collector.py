"""What the node says of its boards, its loop and its events."""

from __future__ import annotations

import dataclasses
import json
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from health_setup import COUNTS_PER_GRAM, block_of, in_small_blocks, small_setup

from drivers.notices import Notice
from drivers.samples import SampleBlock, SampleFlag
from edge.config import demo as demo_config
from edge.config.setup import load_setup
from edge.node.demo import Demo
from edge.node.health import LAST_EVENTS, HealthCollector
from edge.node.notice_book import MOST_CAUSES
from edge.trace.event import Event, Kind, Status

NS_PER_S = 1_000_000_000


class Told:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def _after(*blocks: SampleBlock, seconds: float | None = None, rate_hz: float = 80.0) -> HealthCollector:
    clock = Told()
    health = HealthCollector(small_setup(rate_hz), clock=clock)
    for block in blocks:
        for small in in_small_blocks(block):
            clock.now_ns = int(small.time_ns[-1])
            health.saw([small], clock.now_ns)
            health.looped(0)
    if seconds is not None:
        clock.now_ns = round(seconds * NS_PER_S)
    return health


def _cell(health: HealthCollector, name: str = "l") -> dict[str, object]:
    cell = health.report()["boards"]["b1"]["cells"][name]
    assert isinstance(cell, dict)
    return cell


def test_the_rate_is_measured_to_a_hundredth_of_a_percent_for_each_chip() -> None:
    health = _after(block_of(60.0, rates_hz=(78.3, 91.2)))
    assert _cell(health, "l")["rate_hz"] == pytest.approx(78.3, rel=1e-4)
    assert _cell(health, "r")["rate_hz"] == pytest.approx(91.2, rel=1e-4)


def test_jitter_of_a_busy_pi_hardly_moves_the_rate() -> None:
    block = block_of(60.0)
    late = np.sort(block.time_ns + np.abs(np.random.default_rng(5).normal(0, 1e6, len(block))).astype(np.int64))
    assert _cell(_after(dataclasses.replace(block, time_ns=late)))["rate_hz"] == pytest.approx(80.0, rel=1e-3)


def test_lost_samples_are_counted_and_dont_lower_the_chips_own_rate() -> None:
    """P3: if one is lost it is counted."""
    block = block_of(60.0)
    keep = np.random.default_rng(3).random(len(block)) > 0.2
    keep[:20] = keep[-20:] = True
    left = SampleBlock("b1", *(part[keep] for part in (block.time_ns, block.cell, block.counts, block.flags)))
    cell = _cell(_after(left))
    assert cell["rate_hz"] == pytest.approx(80.0, rel=1e-3)
    gone = np.count_nonzero(~keep & (block.cell == 0))
    assert cell["missing_samples"] == gone
    assert cell["delivered_hz"] == pytest.approx(80.0 * (1 - gone / 4800), rel=0.02)


def test_a_silence_too_long_to_count_through_doesnt_spoil_the_rate_behind_it() -> None:
    health = _after(block_of(20.0), block_of(20.0, begin_ns=30 * NS_PER_S + 7_123_456))
    cell = _cell(health)
    assert cell["rate_hz"] == pytest.approx(80.0, rel=1e-4)
    assert cell["missing_samples"] == pytest.approx(800, abs=4)


@pytest.mark.parametrize("rate_hz", [10.0, 80.0])
def test_noise_is_told_in_counts_and_in_grams(rate_hz: float) -> None:
    health = _after(block_of(60.0, rates_hz=(rate_hz, rate_hz)), rate_hz=rate_hz)
    cell = _cell(health, "r")
    assert cell["noise_counts"] == pytest.approx(100.0, rel=0.12)
    assert cell["noise_g"] == pytest.approx(100.0 / COUNTS_PER_GRAM, rel=0.12)


def test_a_customer_and_a_few_spikes_arent_noise() -> None:
    block = block_of(60.0)
    counts = block.counts.copy()
    counts[2000:2600] += (40_000 * np.sin(np.arange(600) / 5.0)).astype(np.int32)  # a hand, for four seconds
    counts[2600:] += 12_000
    counts[::97] += 800_000
    assert _cell(_after(dataclasses.replace(block, counts=counts)))["noise_counts"] == pytest.approx(100.0, rel=0.15)


def test_the_last_value_and_level_go_through_the_calibration_of_each_cell() -> None:
    report = _after(block_of(10.0, level_counts=(9000.0, -7000.0), noise_counts=0.0)).report()
    board = report["boards"]["b1"]
    assert board["cells"]["l"]["last_g"] == 200.0
    assert board["cells"]["r"]["last_g"] == 200.0
    assert board["level_g"] == 400.0
    assert board["calibration_made"] == "2026-11-01, by hand"
    assert len(board["calibration_digest"]) == 12


def test_time_before_the_first_sample_doesnt_count_against_a_cell() -> None:
    """A node compiles its kernels for a minute before it reads its boards."""
    cell = _cell(_after(block_of(20.0, begin_ns=70 * NS_PER_S)))
    assert cell["delivered_hz"] == pytest.approx(80.0, rel=0.01)


@pytest.mark.parametrize("rate_hz", [10.0, 80.0])
def test_what_is_delivered_is_told_to_a_percent(rate_hz: float) -> None:
    cell = _cell(_after(block_of(150.0, rates_hz=(rate_hz, rate_hz)), rate_hz=rate_hz))
    assert cell["delivered_hz"] == pytest.approx(rate_hz, rel=0.01)
    silent = _cell(_after(block_of(100.0, rates_hz=(rate_hz, rate_hz)), rate_hz=rate_hz, seconds=130.0))
    assert silent["delivered_hz"] == pytest.approx(rate_hz / 2, rel=0.06)


def test_flags_are_counted_by_name_and_flagged_samples_are_no_weight() -> None:
    """P7: no garbage becomes weight."""
    block = block_of(10.0, noise_counts=0.0)
    counts, flags = block.counts.copy(), block.flags.copy()
    bad = np.flatnonzero(block.cell == 0)[::4]
    counts[bad], flags[bad] = 0x7FFFFF, int(SampleFlag.SATURATED | SampleFlag.LATE_READ)
    report = _after(dataclasses.replace(block, counts=counts, flags=flags)).report()
    board = report["boards"]["b1"]
    assert board["cells"]["l"]["flags"] == {"SATURATED": bad.size, "LATE_READ": bad.size}
    assert board["cells"]["r"]["flags"] == {}
    assert board["level_g"] == 0.0


def test_what_drivers_tell_is_summed_by_cause() -> None:
    health = _after(block_of(5.0))
    health.noticed([Notice("b1", "l", "link gap", 0, 1, 7, "first"), Notice("b1", "l", "link gap", 2, 3, 5, "second")])
    health.noticed([Notice("b1", None, "unplugged", 4, 4, 30, "plug it in"), Notice("other", None, "x", 0, 0, 1, "")])
    board = health.report()["boards"]["b1"]
    assert board["cells"]["l"]["lost_samples"] == {"link gap": 12}
    assert board["lost_samples"] == {"unplugged": 30}
    told = board["notices"]["link gap"]
    assert (told["count"], told["last"], told["recent"], told["recent_lost"]) == (2, "second", 2, 12)


def test_a_silent_board_and_a_silent_cell_are_told() -> None:
    block = block_of(30.0)
    alone = SampleBlock("b1", *(p[block.cell == 0] for p in (block.time_ns, block.cell, block.counts, block.flags)))
    report = _after(alone, seconds=30.0).report()
    assert report["boards"]["b1"]["state"] == "running"
    assert any("b1 r: no samples since the start" in problem for problem in report["problems"])
    report = _after(alone, seconds=40.0).report()
    assert report["boards"]["b1"]["state"] == "silent"
    assert any("b1: no samples come" in problem for problem in report["problems"])


def test_a_report_before_the_first_sample_is_made_of_nothing() -> None:
    report = HealthCollector(small_setup(), clock=Told()).report()
    assert report["boards"]["b1"]["state"] == "silent"
    assert report["boards"]["b1"]["level_g"] is None
    assert report["problems"] == []
    json.dumps(report, allow_nan=False)


def test_what_other_parts_say_stands_in_the_report_and_a_failed_driver_stays_failed() -> None:
    health = _after(block_of(5.0))
    health.board_is("b1", "failed", "no such port", {"firmware": "1.2"})
    report = health.report({"outbox": {"pending": 4}})
    assert report["outbox"] == {"pending": 4}
    assert report["boards"]["b1"]["state"] == "failed"
    assert any("no such port" in problem for problem in report["problems"])
    health.board_is("b1", "silent")
    board = health.report()["boards"]["b1"]
    assert (board["state"], board["text"], board["mcu"]) == ("running", "", {"firmware": "1.2"})


def test_lateness_of_the_loop_is_of_the_last_minute_its_maximum_of_ever() -> None:
    clock = Told()
    health = HealthCollector(small_setup(), clock=clock)
    health.looped(900_000_000)
    for n in range(1, 101):
        clock.now_ns = 100 * NS_PER_S + n
        health.looped(n * 1_000_000)
    loop = health.report()["loop"]
    assert loop["late_p50_ms"] == pytest.approx(50.5)
    assert loop["late_max_ms"] == 100.0
    assert loop["late_max_ever_ms"] == 900.0
    assert loop["stood_still"] == {"times": 0, "last_s": None, "last_ago_s": None}


def test_a_loop_that_stood_still_is_told_with_how_long_and_when() -> None:
    clock = Told()
    health = HealthCollector(small_setup(), clock=clock)
    clock.now_ns = 100 * NS_PER_S
    health.looped(31 * NS_PER_S)
    clock.now_ns += 20 * NS_PER_S
    report = health.report()
    assert report["loop"]["stood_still"] == {"times": 1, "last_s": 31.0, "last_ago_s": 20.0}
    assert any("stood still for 31 s" in problem for problem in report["problems"])
    clock.now_ns += 60 * NS_PER_S
    assert not any("stood still" in problem for problem in health.report()["problems"])


def _event(number: int, status: Status, review: bool) -> Event:
    where = ("b1", "s", "k", 1, -350.0, None, None, 0, 0)
    return Event(f"b1-{number:06d}", 1, status, Kind.PICK, *where, 0.9, review)


def test_events_are_counted_by_status_and_the_share_for_people_is_of_final_ones() -> None:
    health = _after(block_of(1.0))
    health.decided([_event(1, Status.PROVISIONAL, True), _event(1, Status.FINAL, False), _event(2, Status.FINAL, True)])
    events = health.report()["events"]
    assert events == {"provisional": 1, "final": 2, "retracted": 0, "for_review": 1, "review_share": 0.5}


def test_who_looks_on_gets_each_of_the_last_events_once() -> None:
    health = _after(block_of(1.0))
    health.decided([_event(n, Status.FINAL, False) for n in range(LAST_EVENTS + 5)])
    number, events = health.events_after(0)
    assert len(events) == LAST_EVENTS
    assert health.events_after(number) == (number, [])
    health.decided([_event(999, Status.FINAL, False)])
    assert [event["event_id"] for event in health.events_after(number)[1]] == ["b1-000999"]


def test_levels_are_of_the_last_quarter_second() -> None:
    health = _after(block_of(10.1), block_of(0.5, begin_ns=round(10.1 * NS_PER_S), level_counts=(5000.0, 1000.0)))
    levels = health.levels()["boards"]["b1"]
    assert levels["cells"]["l"]["level_g"] == pytest.approx(100.0, abs=3.0)
    assert levels["level_g"] == pytest.approx(100.0, abs=4.0)


def test_asking_often_changes_no_figure() -> None:
    """Scraped each second, asked by the monitor, reported each minute: the figures are the same."""
    clock = Told()
    often, seldom = HealthCollector(small_setup(), clock=clock), HealthCollector(small_setup(), clock=clock)
    for small in in_small_blocks(block_of(60.0, rates_hz=(80.0, 84.0))):
        clock.now_ns = int(small.time_ns[-1])
        for health in (often, seldom):
            health.saw([small], clock.now_ns)
        often.report()
        often.levels()
    clock.now_ns += NS_PER_S  # what is younger than half a second may not be in the report yet
    a, b = _cell(often, "r"), _cell(seldom, "r")
    assert a["rate_hz"] == pytest.approx(84.0, rel=1e-4)
    assert a["samples"] == b["samples"]
    assert a["noise_counts"] == pytest.approx(b["noise_counts"], rel=0.1)


def test_memory_is_bounded_however_long_it_runs_and_whatever_it_is_told() -> None:
    """P4: everything is bounded."""
    health = _after(block_of(120.0))
    blocks = in_small_blocks(block_of(600.0, begin_ns=200 * NS_PER_S))
    for block in blocks[:12000]:
        health.saw([block], 0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for n, block in enumerate(blocks[12000:]):
        health.saw([block], 0)
        health.noticed([Notice("b1", f"cell {n}", f"cause {n}", 0, 0, 1, f"text {n}")])
        health.looped(n)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(health.report()["boards"]["b1"]["notices"]) <= MOST_CAUSES + 1
    assert after - before < 1_000_000


def test_a_board_that_stops_in_the_middle_of_a_chunk_is_taken_in_by_the_report() -> None:
    health = _after(block_of(0.7), seconds=2.0)
    assert _cell(health)["samples"] == 56


def test_feeding_and_asking_at_once_from_several_threads_loses_nothing() -> None:
    clock = Told()
    health = HealthCollector(small_setup(), clock=clock)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            json.dumps(health.report())
            json.dumps(health.levels())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    block = block_of(60.0)
    for small in in_small_blocks(block):
        clock.now_ns = int(small.time_ns[-1])
        health.saw([small], clock.now_ns)
    clock.now_ns += NS_PER_S
    over.set()
    for thread in threads:
        thread.join(30)
    assert _cell(health)["samples"] == np.count_nonzero(block.cell == 0)


def test_a_simulated_node_that_is_well_has_nothing_to_see_to() -> None:
    """Customers, chips at rates of their own, noise: none of it alarms anybody."""
    setup = load_setup(Path(demo_config.__file__).parent / "node.yaml")
    clock = Told()
    demo = Demo(setup, 3, 45.0, clock)
    health = HealthCollector(demo.setup, clock=clock)
    while not demo.over:
        clock.now_ns += 20_000_000
        blocks, events = demo.step()
        health.saw(blocks, clock.now_ns)
        health.decided(events)
        health.looped(0)
    report = health.report()
    demo.finish()
    assert report["problems"] == []
    assert {board["state"] for board in report["boards"].values()} == {"running"}
    for board in report["boards"].values():
        for cell in board["cells"].values():
            assert cell["delivered_hz"] == pytest.approx(cell["rate_hz"], rel=0.01)
            assert 0.01 < cell["noise_g"] < 5.0
    assert report["events"]["final"] > 0
