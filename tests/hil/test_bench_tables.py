"""Targets and tables: every target has a row, what wasn't measured says so, and nothing needs everything."""

from __future__ import annotations

import json

from bench_made_up import fact, outcome

from hil.bench_table import sheets, to_markdown, to_object
from hil.inventory import Inventory
from hil.live_cost import LiveCost
from hil.reliability import reliability_of
from hil.results import Results
from hil.speed import DENSEST, LongReplay, Speed
from hil.start_up import StartUp
from hil.targets import targets
from hil.trade_off import point_at, trade_off


def full() -> Results:
    found = Results(seeds=1)
    for family in ("calm", "busy", "overlapping", "grabs", "near-equal", "two-at-once", "everything"):
        found.scenes[family] = [outcome(*[fact(0.9999)] * 1000, family=family, label_units=1000)]
    found.scenes["nothing"] = [outcome(family="nothing")] * 24
    found.peers = {"a peer": {"calm": [outcome(fact(1.0, right=False), label_units=1)]}}
    found.peer_base = {"calm": found.scenes["calm"]}
    found.layouts = {"one": {"calm": found.scenes["calm"]}}
    found.calibration = reliability_of(found.all_scenes())
    found.curves = {"all families": trade_off(found.all_scenes())}
    found.defaults = {"all families": point_at([fact(0.9999)], 0.99)}
    found.inventory = [Inventory("calm", 1000, 7, 1, 0, 0, 0)]
    found.speeds = [
        Speed(DENSEST, 1, 4, 900, 1_152_000, 0.2),
        Speed(DENSEST, 4, 4, 3600, 4_608_000, 0.8),
        Speed(DENSEST, 1, 16, 3600, 4_608_000, 0.8),
        Speed("none", 1, 4, 0, 1_152_000, 0.1),
    ]
    found.long_replay = LongReplay(10, 16, 9000, 20000, 46_080_000, 12.0, 11.5, 3.2)
    found.live = LiveCost(16, 50.0, 1.0, 0.01, 0.2, 1.0, 5.0, 900, {"1": 200.0, "24": 200.5}, 205.0, 12.0)
    found.start_up = StartUp(0.06, 0.07, 0.7, 0.8)
    return found


def test_what_meets_every_target_is_said_to_meet_it() -> None:
    rows = targets(full())
    assert len(rows) == 17
    assert {row.name: row.met for row in rows if not row.met} == {}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    rows = targets(Results())
    assert len(rows) == 17
    assert {(row.measured, row.met) for row in rows} == {("not measured", None)}
    assert sheets(Results(partial=True), {}) == []


def test_missed_targets_say_missed() -> None:
    found = full()
    found.scenes["busy"] = [outcome(*[fact(0.99, right=False)] * 50, family="busy", label_units=50)]
    found.inventory = [Inventory("calm", 1000, 7, 0, 0, 1, 2)]
    found.speeds[0] = Speed(DENSEST, 1, 4, 900, 1_152_000, 0.1)
    met = {row.name: row.met for row in targets(found)}
    assert not met["error among accepted units, all families together (overlapping too)"]
    assert not met["unit recall before review, calm to grabs (without overlapping)"]
    assert not met["net inventory after 1,000 visits on a board"]
    assert not met["cost per sample grows"]
    assert "**missed**" in to_markdown(found, {})


def test_overlapping_hands_count_as_two_at_once() -> None:
    found = full()
    wrong, reviewed = fact(0.9999, right=False), fact(0.5, review=True)
    found.scenes["overlapping"] = [outcome(*[wrong] * 300, *[reviewed] * 60, family="overlapping", label_units=360)]
    missed = [row.name for row in targets(found) if row.met is False]
    assert missed == ["error among accepted units, all families together (overlapping too)"]
    found.scenes["overlapping"] = [outcome(*[reviewed] * 1000, family="overlapping", label_units=1000)]
    missed = [row.name for row in targets(found) if row.met is False]
    assert missed == ["sent to review, those two (and overlapping)"]
    del found.scenes["overlapping"]
    assert {row.name: row.met for row in targets(found)}["sent to review, those two (and overlapping)"] is None


def test_fewer_than_24_hours_of_nothing_prove_nothing_but_a_false_event_does() -> None:
    found = full()
    name = "false accepted events in 24 h of nothing"
    found.scenes["nothing"] = [outcome(family="nothing")] * 2
    assert {row.name: row.met for row in targets(found)}[name] is None
    found.scenes["nothing"] = [outcome(fact(0.999, right=False, nothing_there=True), family="nothing")]
    assert {row.name: row.met for row in targets(found)}[name] is False


def test_tables_are_markdown_with_rows_as_long_as_their_heads() -> None:
    found = full()
    for sheet in sheets(found, {"calm": "picks | puts"}):
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.head)}
    text = to_markdown(found, {"calm": "picks | puts"})
    assert "picks \\| puts" in text


def test_the_json_has_null_where_there_is_no_number() -> None:
    for found in (full(), Results()):
        text = json.dumps(to_object(found), allow_nan=False)
        assert json.loads(text)["split"] == "reporting"
