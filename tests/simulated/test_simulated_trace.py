"""`shelfedge simulate`: labelled traces from random and scripted scenes, ready to be replayed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from calibration.record import BoardCalibration, CellCalibration
from drivers.samples import SampleBlock
from edge.cli.simulate import simulate
from edge.config.demo import demo_node_path
from edge.config.errors import ConfigError
from edge.config.setup import Setup, load_setup
from edge.node.scene_file import read_scene
from edge.node.simulate import physics_for, simulate_trace
from edge.trace.event import Kind
from edge.trace.reader import TraceReader


@pytest.fixture(scope="module")
def demo() -> Setup:
    return load_setup(demo_node_path())


def _read(path: Path):
    with TraceReader(path) as reader:
        blocks = [block for epoch in reader.epochs() for block in epoch]
        assert reader.losses == []
        return reader.setup, reader.labels, blocks


def _board(blocks, board) -> SampleBlock:
    return SampleBlock.join([block for block in blocks if block.board == board])


def test_a_trace_alone_is_enough_to_replay(demo, tmp_path):
    """P8's raw material: config, planogram, calibration, labels and samples in one file."""
    path = tmp_path / "out.mcap"
    seen: list[float] = []
    labels = simulate_trace(demo, path, seed=3, duration_s=40.0, progress=seen.append)
    setup, read_labels, blocks = _read(path)
    assert read_labels == labels
    assert len(labels) >= 6
    assert all(label.end_s < 40.0 and label.slot in setup.planogram.slots for label in labels)
    assert setup.node == demo.node
    assert set(setup.calibration) == {"shelf-1", "shelf-2"}
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(40.0, abs=0.1)
    rate_hz = len(_board(blocks, "shelf-1")) / 40.0 / 4
    assert 0.96 * 80 < rate_hz < 1.18 * 80


def test_a_trace_in_which_nothing_happens_says_so(demo, tmp_path):
    """Its list of labels is empty, not missing."""
    simulate_trace(demo, tmp_path / "out.mcap", 1, 3.0, scene=lambda _world: ())
    with TraceReader(tmp_path / "out.mcap") as reader:
        assert (reader.has_labels, reader.labels) == (True, ())


def test_calibration_is_nearly_right(demo, tmp_path):
    path = tmp_path / "out.mcap"
    simulate_trace(demo, path, seed=3, duration_s=5.0)
    setup, _, blocks = _read(path)
    truth = physics_for(demo, 3)["shelf-1"].cells
    known = setup.calibration["shelf-1"].cells
    errors = [k.counts_per_gram / t.counts_per_gram - 1 for k, t in zip(known.values(), truth, strict=True)]
    assert 1e-5 < np.abs(errors).max() < 0.005
    block = _board(blocks, "shelf-1")
    grams = sum(
        np.median((block.counts[block.cell == k] - cell.zero_counts) / cell.counts_per_gram)
        for k, cell in enumerate(known.values())
    )
    stock = sum(s.count * demo.planogram.skus[s.sku].weight_g for s in demo.slots_on("shelf-1").values())
    assert grams == pytest.approx(stock, rel=0.01)


def test_a_known_calibration_is_kept_and_the_boards_fit_it(demo):
    cells = {name: CellCalibration(zero_counts=5000.0, counts_per_gram=-300.0) for name in ("fl", "fr", "bl", "br")}
    setup = Setup(demo.node, demo.planogram, {"shelf-1": BoardCalibration(board="shelf-1", cells=cells)}, "", "")
    boards = physics_for(setup, 1)
    assert [c.counts_per_gram for c in boards["shelf-1"].cells] == pytest.approx([-300.0] * 4, rel=0.005)
    assert [c.zero_counts for c in boards["shelf-1"].cells] == [5000.0] * 4


def test_a_scripted_scene_says_what_happens(demo, tmp_path):
    script = tmp_path / "scene.yaml"
    script.write_text(
        "- {at: 5 s, do: pick, slot: A1, quantity: 2, touch: 300 g, touch_time: 800 ms}\n"
        "- {at: 10 s, do: put, slot: A3}\n"
        "- {at: 8 s, do: bump, board: shelf-1, force: 2 kg}\n"
        "- {at: 12 s, do: restock, slot: B2, quantity: 3, gap: [2 s, 3 s]}\n"
        "- {at: 13 s, do: foreign-put, board: shelf-1, weight: 0.4 kg}\n"
        "- {at: 20 s, do: foreign-take, board: shelf-1}\n"
        "- {at: 22 s, do: footsteps}\n"
        "- {at: 23 s, do: vibration, lasts: 1 s, rms: 20 g}\n"
    )
    scene = read_scene(script, demo)
    assert scene.last_s == pytest.approx(24.0)
    labels = simulate_trace(demo, tmp_path / "out.mcap", 1, 30.0, scene)
    told = [(label.kind, label.slot, label.sku, label.quantity) for label in labels]
    assert told == [
        (Kind.PICK, "A1", "cola-033", 2),
        (Kind.PUT, "A3", "cola-033", 1),
        (Kind.PUT, "B2", "chewing-gum", 1),
        (Kind.PUT, None, None, 1),
        (Kind.PUT, "B2", "chewing-gum", 1),
        (Kind.PUT, "B2", "chewing-gum", 1),
        (Kind.PICK, None, None, 1),
    ]
    assert [label.foreign for label in labels] == [label.sku is None for label in labels]


def test_every_mistake_in_a_scene_file_has_its_line(demo, tmp_path):
    script = tmp_path / "scene.yaml"
    script.write_text(
        "- {at: 3, do: pick, slot: A9}\n- {at: 1 s, do: grab}\n- {at: 8 s, do: put, slot: A2, slt: A2}\n- hello\n"
        "- {do: lean, board: shelf-1, force: heavy}\n- {at: 9 s, do: restock, slot: A1, quantity: 0, gap: [3 s, 2 s]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_scene(script, demo)
    found = {(p.line, p.key_path) for p in caught.value.problems}
    assert found == {
        (1, "[0].at"), (1, "[0].slot"), (2, "[1].do"), (3, "[2].slt"), (4, "[3]"), (5, "[4].at"), (5, "[4].force"),
        (6, "[5].quantity"), (6, "[5].gap"),
    }  # fmt: skip
    assert "expected a time such as '3 s'" in str(caught.value)


@pytest.mark.parametrize("text", ["", "pick: A1\n", "- {at: 1 s, do: pick\n", "[]\n"])
def test_a_file_that_is_no_scene_is_refused(demo, tmp_path, text):
    script = tmp_path / "scene.yaml"
    script.write_text(text)
    with pytest.raises(ConfigError, match=r"scene\.yaml:1"):
        read_scene(script, demo)


def test_an_impossible_action_is_told_with_its_line(demo, tmp_path):
    script = tmp_path / "scene.yaml"
    script.write_text("- {at: 3 s, do: pick, slot: A1}\n\n- {at: 8 s, do: pick, slot: A1, quantity: 9}\n")
    with pytest.raises(ConfigError, match=r"scene\.yaml:3: can't take 9 from slot A1: 5 there"):
        simulate_trace(demo, tmp_path / "out.mcap", 1, 20.0, read_scene(script, demo))
    assert not (tmp_path / "out.mcap").exists()


def _command(*words: str):
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, list(words))


def test_the_command_writes_the_same_trace_for_the_same_seed(tmp_path):
    for name in ("a", "b"):
        result = _command("-o", str(tmp_path / f"{name}.mcap"), "--minutes", "0.2", "--seed", "5", "--gap-s", "2", "3")
        assert result.exit_code == 0, result.output
    assert (tmp_path / "a.mcap").read_bytes() == (tmp_path / "b.mcap").read_bytes()
    assert "labelled movements" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words",
    [["--gap-s", "5", "3"], ["--scene", "x.yaml", "--grab-share", "0.5"], ["--faults", "many"], ["--minutes", "0"]],
)
def test_the_command_refuses_what_means_nothing(tmp_path, words):
    assert _command("-o", str(tmp_path / "a.mcap"), *words).exit_code == 2
