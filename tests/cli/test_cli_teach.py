"""`shelfedge teach` as an installer types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from installer_node import FAST, files_of, installer_node

from drivers.simulated.scene import Restock
from edge.config.setup import load_setup
from edge.node.simulate import simulate_trace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(tmp_path) -> Path:
    return installer_node(tmp_path)


def test_weight_and_spread_go_into_the_planogram_and_nothing_else_changes(node, shelfedge):
    before = load_setup(node)
    done = shelfedge("teach", "cola-033", node, *FAST)
    assert done.returncode == 0, done.stderr
    assert "5/5" in done.stdout
    after = load_setup(node)
    cola = after.planogram.skus["cola-033"]
    assert cola.weight_g == pytest.approx(352, rel=0.015)
    assert 1.0 < cola.spread_g < 8.0
    changed = [a for a, b in zip(before.planogram_text.splitlines(), after.planogram_text.splitlines(), strict=True)
               if a != b]  # fmt: skip
    assert len(changed) == 1
    assert (node.parent / "planogram.yaml.bak").read_text() == before.planogram_text


def test_a_dry_run_and_json(node, shelfedge):
    before = files_of(node.parent)
    done = shelfedge("teach", "cola-033", node, "--dry-run", "--json", *FAST)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["units"] == 5
    assert data["weight_95_g"][0] < data["weight_g"] < data["weight_95_g"][1]
    lemonade = next(each for each in data["lookalikes"] if each["sku"] == "lemonade-033")
    assert lemonade["decides"] == "place"
    assert data["written"] is None
    assert files_of(node.parent) == before


def test_a_recording_teaches_as_the_shelf_does(node, shelfedge):
    """Four cans put down; by a planogram that thinks that they weigh half, a step is asked about."""
    setup = load_setup(node)
    trace = node.parent / "restocked.mcap"
    restock = Restock(at_s=6.0, slot="A1", quantity=4, gap_s=(6.0, 7.0))
    simulate_trace(setup, trace, seed=12, duration_s=40.0, scene=lambda world: [restock])
    done = shelfedge("teach", "cola-033", node, "--trace", trace, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert [step["units"] for step in data["steps"]] == [1, 1, 1, 1]
    assert data["weight_g"] == pytest.approx(352, rel=0.015)
    planogram = node.parent / "planogram.yaml"
    planogram.write_text(planogram.read_text().replace("weight: 352 g", "weight: 176 g"))
    before = files_of(node.parent)
    asked = shelfedge("teach", "cola-033", node, "--trace", trace)
    assert asked.returncode == 1
    assert "2 times what the planogram says (176 g): if you moved 2 at a time, say --at-a-time 2" in asked.stdout
    assert files_of(node.parent) == before
    sure = shelfedge("teach", "cola-033", node, "--trace", trace, "--sure")
    assert sure.returncode == 0, sure.stderr
    assert load_setup(node).planogram.skus["cola-033"].weight_g == pytest.approx(352, rel=0.015)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("cola-33",), "did you mean 'cola-033'", 1),
        (("cola-033", "--board", "shelf-3"), "did you mean 'shelf-2'", 2),
        (("cola-033", "--slot", "A9"), "there is no slot 'A9'", 1),
        (("cola-033", "--slot", "A1", "--board", "shelf-2"), "slot A1 lies on shelf-1, not on shelf-2", 1),
        (("cola-033", "--trace", "none.mcap"), "none.mcap", 1),
    ],
)
def test_what_cant_be_is_refused_in_a_sentence(node, shelfedge, arguments, said, code):
    before = files_of(node.parent)
    sku, *options = arguments
    done = shelfedge("teach", sku, node, *options, *FAST)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(node.parent) == before


def test_a_real_board_that_was_never_calibrated_is_refused_before_it_is_opened(node, shelfedge):
    chips = "{type: bridge, port: /dev/ttyUSB77, chips: {fl: 0, fr: 1, bl: 2, br: 3}}"
    node.write_text(node.read_text().replace("driver: simulated", f"driver: {chips}", 1))
    done = shelfedge("teach", "cola-033", node)
    assert done.returncode == 1
    assert "never calibrated; do that first: shelfedge calibrate shelf-1" in done.stderr


def test_ctrl_c_changes_nothing_and_says_so(node):
    before = files_of(node.parent)
    command = [sys.executable, "-u", "-m", "edge.cli.main", "teach", "cola-033", str(node), "--speed", "10"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("3/5"):
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped: nothing was changed" in said
    assert files_of(node.parent) == before
