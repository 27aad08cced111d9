"""Another planogram while the node runs: taken over where it can be, refused with its line where it is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.config.demo import demo_node_path
from edge.config.errors import ConfigError
from edge.config.setup import Setup, load_setup, setup_from_texts
from edge.node.reload import planogram_digest, reload


@pytest.fixture
def node(tmp_path) -> Path:
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().with_name(name), tmp_path / name)
    return tmp_path / "node.yaml"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def recorded(setup: Setup) -> Setup:
    """The setup as it comes out of a trace."""
    return setup_from_texts(setup.node_text, setup.planogram_text, "", "trace")


def test_a_new_planogram_is_taken_over(node):
    """P8: what the recording says is what fusion runs with."""
    running = load_setup(node)
    change(node.with_name("planogram.yaml"), "weight: 352 g", "weight: 355 g")
    found = reload(node, running, running)
    assert found.setup is not None
    assert found.setup.planogram.skus["cola-033"].weight_g == 355.0
    assert recorded(found.setup).planogram == found.setup.planogram
    assert found.needs_restart == ()
    assert planogram_digest(found.setup) in found.text
    assert planogram_digest(found.setup) != planogram_digest(running)


def test_a_camera_and_its_record_count_after_a_restart(node):
    running = load_setup(node)
    node.write_text(node.read_text() + "cameras:\n  c1: {driver: simulated, looks_at: floor}\n")
    found = reload(node, running, running)
    assert found.setup is None
    assert found.needs_restart == ("cameras",)


def test_so_is_another_file_and_another_review_limit(node):
    running = load_setup(node)
    shutil.copy(node.with_name("planogram.yaml"), node.with_name("winter.yaml"))
    change(node.with_name("winter.yaml"), "count: 6", "count: 7")
    change(node, "planogram: planogram.yaml", "planogram: winter.yaml")
    change(node, "review_below: 0.99", "review_below: 0.95")
    found = reload(node, running, running)
    assert found.setup is not None
    assert found.setup.planogram.slots["A1"].count == 7
    assert found.setup.node.fusion.review_below == 0.95
    assert recorded(found.setup).node == found.setup.node


def test_nothing_new_changes_nothing(node):
    running = load_setup(node)
    found = reload(node, running, running)
    assert (found.setup, found.text) == (None, "nothing has changed")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("weight: 352 g", "weight: 352", "planogram.yaml:5: skus.cola-033.weight"),
        ("board: shelf-1", "board: shelf-9", "planogram.yaml:24: slots.A1.board"),
    ],
)
def test_mistakes_are_told_with_their_lines_and_change_nothing(node, old, new, where):
    running = load_setup(node)
    change(node.with_name("planogram.yaml"), old, new)
    with pytest.raises(ConfigError, match=where):
        reload(node, running, running)


def test_what_needs_a_restart_is_named_and_the_planogram_taken_over_all_the_same(node):
    running = load_setup(node)
    change(node, "rate: 80 Hz", "rate: 10 Hz")
    change(node, "review_below: 0.99", "review_below: 0.95")
    node.write_text(node.read_text() + "\nuplink: {broker: 'mqtt://localhost'}\n")
    change(node.with_name("planogram.yaml"), "weight: 352 g", "weight: 355 g")
    found = reload(node, running, running)
    assert found.needs_restart == ("uplink", "boards", "fusion")
    assert "restart the node for what else has changed: uplink, boards, fusion" in found.text
    assert found.setup is not None
    assert found.setup.node == running.node
    assert found.setup.planogram.skus["cola-033"].weight_g == 355.0
    again = recorded(found.setup)
    assert (again.node, again.planogram) == (found.setup.node, found.setup.planogram)


def test_a_planogram_for_boards_that_arent_there_yet_waits_for_the_restart(node):
    running = load_setup(node)
    change(node, "  shelf-2:", "  shelf-3:")
    text = node.with_name("planogram.yaml").read_text().replace("board: shelf-2", "board: shelf-3")
    node.with_name("planogram.yaml").write_text(text)
    found = reload(node, running, running)
    assert found.setup is None
    assert "shelf-3" in found.text
    assert found.needs_restart == ("boards",)
