"""What lies on the shelves is remembered across a restart."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup, setup_from_texts
from edge.fusion.engine import Fusion
from edge.node.hardware import Hardware
from edge.node.stock import OLDEST_S, CountsInText, Stock, begun_with, carried_over, counts_of

DEMO = load_setup(demo_node_path())
WALL_NS = 1_795_000_000 * 10**9


def read_again(setup: Setup) -> Setup:
    return setup_from_texts(setup.node_text, setup.planogram_text, "", "trace")


@settings(max_examples=30, deadline=None)
@given(counts=st.dictionaries(st.sampled_from(sorted(DEMO.planogram.slots)), st.integers(0, 10_000)))
def test_counts_go_into_the_text_and_nothing_else_changes(counts):
    """P8: what a trace says is what fusion began with."""
    changed = CountsInText(DEMO).with_counts(counts)
    assert read_again(changed).planogram == changed.planogram
    for name, slot in changed.planogram.slots.items():
        assert slot == DEMO.planogram.slots[name].model_copy(update={"count": counts.get(name, slot.count)})
    lines = zip(changed.planogram_text.splitlines(), DEMO.planogram_text.splitlines(), strict=True)
    assert all(new.partition("count:")[0] == old.partition("count:")[0] for new, old in lines)


def test_fusion_begins_with_them_and_tells_them():
    setup = Hardware(DEMO, demo_node_path(), 1, lambda: 0).setup
    counts = {slot: k for k, slot in enumerate(setup.planogram.slots)}
    assert counts_of(Fusion(CountsInText(setup).with_counts(counts))) == counts
    assert counts_of(Fusion(setup)) == {name: slot.count for name, slot in setup.planogram.slots.items()}


@pytest.mark.parametrize(
    "change",
    [
        ("count: 6}\n  A2", "count: &n 6}\n  A2"),
        ("count: 6}\n  A2: {board: shelf-1, sku: water-05, x: [112 mm, 224 mm], count: 5}",
         "count: &n 6}\n  A2: {board: shelf-1, sku: water-05, x: [112 mm, 224 mm], count: *n}"),
    ],
)  # fmt: skip
def test_a_text_that_cant_be_changed_safely_is_left_alone(change, caplog):
    text = DEMO.planogram_text
    assert change[0] in text
    try:
        setup = setup_from_texts(DEMO.node_text, text.replace(*change), "", "x")
    except ValueError:
        return  # a planogram like that is refused anyway
    begun = begun_with(setup, {"A1": 3, "A2": 4})
    assert begun.planogram in (setup.planogram, read_again(begun).planogram)
    assert read_again(begun).planogram == begun.planogram


def test_saved_and_loaded(tmp_path):
    stock = Stock(tmp_path / "stock.json", "abc", lambda: WALL_NS)
    assert stock.load() == {}
    stock.save({"A1": 3})
    assert Stock(tmp_path / "stock.json", "abc", lambda: WALL_NS + 3600 * 10**9).load() == {"A1": 3}


def test_old_ones_and_another_planograms_arent_used(tmp_path, caplog):
    caplog.set_level("INFO")
    Stock(tmp_path / "stock.json", "abc", lambda: WALL_NS).save({"A1": 3})
    assert Stock(tmp_path / "stock.json", "abd", lambda: WALL_NS).load() == {}
    assert "another" in caplog.text
    late_ns = WALL_NS + round((OLDEST_S + 60) * 1e9)
    assert Stock(tmp_path / "stock.json", "abc", lambda: late_ns).load() == {}
    assert "24 h old" in caplog.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"format": 1, "planogram": "abc", "wall_ns": 1, "counts": [1]}',
        b"[" * 10_000,
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path, data, caplog):
    """P5."""
    (tmp_path / "stock.json").write_bytes(data)
    assert Stock(tmp_path / "stock.json", "abc", lambda: WALL_NS).load() == {}
    assert "can't be read" in caplog.text


def test_a_disk_that_refuses_is_said_once(tmp_path, caplog):
    stock = Stock(tmp_path / "gone" / "stock.json", "abc", lambda: WALL_NS)
    for k in range(5):
        stock.save({"A1": k})
    assert caplog.text.count("can't be written") == 1


def test_nothing_is_written_while_nothing_changes(tmp_path):
    walls = [WALL_NS]
    stock = Stock(tmp_path / "stock.json", "abc", lambda: walls[0])
    stock.save({"A1": 3})
    walls[0] += 10**9
    stock.save({"A1": 3})
    assert json.loads((tmp_path / "stock.json").read_text())["wall_ns"] == WALL_NS


def test_under_another_planogram_the_slots_that_are_the_same_keep_their_counts():
    after = dict(DEMO.planogram.slots)
    after["A1"] = after["A1"].model_copy(update={"count": 9})
    del after["A2"]
    planogram = DEMO.planogram.model_copy(update={"slots": after})
    assert carried_over({"A1": 1, "A2": 2, "A3": 3}, DEMO.planogram, planogram) == {"A3": 3}
    assert dataclasses.replace(DEMO, planogram=planogram).planogram.slots["A1"].count == 9
