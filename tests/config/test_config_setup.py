"""A correct setup is read as it is meant; units end up in the attributes' names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from config_texts import NODE, PLANOGRAM, Write

from edge.config.driver_schema import DriverOptions
from edge.config.errors import ConfigError
from edge.config.schema import Board, Cell, Sku, Slot
from edge.config.setup import load_setup, setup_from_texts


def test_reads_a_setup_in_base_units(write: Write) -> None:
    setup = load_setup(write())
    board = setup.node.boards["shelf-1"]
    assert (board.width_mm, board.depth_mm, board.rate_hz) == (900.0, 400.0, 80.0)
    assert board.cells == {"fl": Cell(x_mm=30, y_mm=30, capacity_g=10_000), "fr": Cell(x_mm=870, y_mm=30)}
    assert list(board.cells) == ["fl", "fr"], "the order in the file is the cells' order"
    assert board.driver == DriverOptions(type="simulated")
    assert setup.node.fusion.review_below == 0.99
    assert setup.planogram.skus["cola-033"] == Sku(name="Cola 0.33 l", weight_g=352, spread_g=2)
    assert setup.slots_on("shelf-1")["A1"] == Slot(
        board="shelf-1", sku="cola-033", x_mm=(0, 110), y_mm=(0, 400), count=6
    )
    assert setup.slots_on("shelf-1")["A2"].y_mm is None
    assert setup.slots_on("shelf-2") == {}
    assert setup.calibration == {}
    assert (setup.node_text, setup.planogram_text) == (NODE, PLANOGRAM)


def test_spread_left_out_is_one_percent_at_least_one_gram() -> None:
    assert Sku(name="pizza", weight_g=410).spread_g == pytest.approx(4.1)
    assert Sku(name="gum", weight_g=30).spread_g == 1.0
    assert Sku.model_validate({"name": "gum", "weight": "30 g", "spread": None}).spread_g == 1.0


def test_barcode_without_quotes_keeps_every_digit(write: Write) -> None:
    planogram = PLANOGRAM.replace('"4001724819806"', "0040017").replace("4001724819806", "0040017")
    assert load_setup(write(planogram=planogram)).planogram.slots["A2"].sku == "0040017"


def test_driver_options_keep_their_own_types_without_yaml_traps() -> None:
    options = (
        "{type: bridge, port: /dev/x, baud: 250000, on: on, time: 1:30, low: 1e-2, id: 007, q: '5', n: ~, y: true}"
    )
    setup = setup_from_texts(NODE.replace("simulated", options), PLANOGRAM, "", "x.mcap")
    assert setup.node.boards["shelf-1"].driver == DriverOptions(
        type="bridge",
        options={
            "port": "/dev/x",
            "baud": 250_000,
            "on": "on",
            "time": "1:30",
            "low": 0.01,
            "id": "007",
            "q": "5",
            "n": None,
            "y": True,
        },
    )


def test_anchors_repeat_a_value(write: Write) -> None:
    node = NODE.replace("{x: 30 mm, y: 30 mm, capacity: 10 kg}", "{x: &near 30 mm, y: *near}")
    assert load_setup(write(node)).node.boards["shelf-1"].cells["fl"] == Cell(x_mm=30, y_mm=30)


def test_models_are_frozen_and_made_by_attribute_name() -> None:
    board = Board(
        width_mm=900, depth_mm=400, rate_hz=80, driver=DriverOptions(type="trace"), cells={"a": Cell(x_mm=1, y_mm=1)}
    )
    with pytest.raises(ValueError, match="frozen"):
        board.width_mm = 800  # type: ignore[misc]
    with pytest.raises(ValueError, match="width"):
        Board(
            width_mm=0, depth_mm=400, rate_hz=80, driver=DriverOptions(type="trace"), cells={"a": Cell(x_mm=1, y_mm=1)}
        )


def test_setup_out_of_a_traces_attachments_names_the_trace(write: Write) -> None:
    assert setup_from_texts(NODE, PLANOGRAM, "", "x.mcap").node == load_setup(write()).node
    with pytest.raises(ConfigError) as caught:
        setup_from_texts(NODE.replace("80 Hz", "80"), PLANOGRAM.replace("cola-033,", "coal-033,"), "{", "x.mcap")
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [
        ("x.mcap/calibration.json", 1),
        ("x.mcap/node.yaml", 7),
        ("x.mcap/planogram.yaml", 5),
    ]


def test_config_check_needs_neither_numpy_nor_numba() -> None:
    code = "import edge.cli.config, edge.config.summary, edge.config.json_schema, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], capture_output=True)
    modules = ran.stdout.decode().split()
    assert "edge.config.setup" in modules
    assert not {"numpy", "numba"} & set(modules)
