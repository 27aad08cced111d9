"""Every problem at once, each with file, line, key path, value and what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_texts import NODE, PLANOGRAM, Write

from edge.config.errors import ConfigError, Problem
from edge.config.setup import load_setup

BROKEN_NODE = """\
node: bay 1
planogram: planogram.yaml
fusion: {review_below: 1.5}
boards:
  shelf-1:
    widht: 900 mm
    depth: 400
    rate: 5 kHz
    driver: simulatd
    cells:
      fl: {x: 30 mm, y: 30 mm}
      fr: {x: 30 mm, y: 30.0 mm, capacity: -5 kg}
  shelf-2:
    width: 0.9 m
    depth: 400 mm
    driver: {type: bridge, port: x}
    rate: 80 Hz
    cells:
      fl: {x: 950 mm, y: 30 mm}
      fr: {x: 870 mm, y: 500 mm}
      fr: {x: 870 mm, y: 50 mm}
"""
BROKEN_PLANOGRAM = """\
skus:
  cola: {name: Cola, weight: 352, spread: 2 g}
  fanta: {name: , weight: 0 g}
slots:
  A1: {board: shelf-2, sku: coal, x: [0 mm, 950 mm], count: -1}
  A2: {board: shelf3, sku: fanta, x: [110 mm, 0 mm], count: 1.5}
  A/3:
    board: shelf-2
    sku: cola
    x: [110 mm]
    cuont: 3
"""


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_setup(path)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    assert "Traceback" not in str(caught.value)
    return list(caught.value.problems)


def test_many_mistakes_are_all_reported_with_their_lines(write: Write) -> None:
    found = {(Path(p.file).name, p.line, p.key_path): p for p in problems_of(write(BROKEN_NODE, BROKEN_PLANOGRAM))}
    assert set(found) == {
        ("node.yaml", 1, "node"),
        ("node.yaml", 3, "fusion.review_below"),
        ("node.yaml", 6, "boards.shelf-1.widht"),
        ("node.yaml", 7, "boards.shelf-1.depth"),
        ("node.yaml", 8, "boards.shelf-1.rate"),
        ("node.yaml", 9, "boards.shelf-1.driver"),
        ("node.yaml", 12, "boards.shelf-1.cells.fr"),
        ("node.yaml", 12, "boards.shelf-1.cells.fr.capacity"),
        ("node.yaml", 19, "boards.shelf-2.cells.fl.x"),
        ("node.yaml", 20, "boards.shelf-2.cells.fr.y"),
        ("node.yaml", 21, "boards.shelf-2.cells.fr"),
        ("planogram.yaml", 2, "skus.cola.weight"),
        ("planogram.yaml", 3, "skus.fanta.name"),
        ("planogram.yaml", 3, "skus.fanta.weight"),
        ("planogram.yaml", 5, "slots.A1.sku"),
        ("planogram.yaml", 5, "slots.A1.x[1]"),
        ("planogram.yaml", 5, "slots.A1.count"),
        ("planogram.yaml", 6, "slots.A2.board"),
        ("planogram.yaml", 6, "slots.A2.x"),
        ("planogram.yaml", 6, "slots.A2.count"),
        ("planogram.yaml", 7, 'slots."A/3"'),
        ("planogram.yaml", 10, 'slots."A/3".x[1]'),
        ("planogram.yaml", 11, 'slots."A/3".cuont'),
    }
    assert "did you mean 'width'?" in found["node.yaml", 6, "boards.shelf-1.widht"].expected
    assert "'400 mm'" in found["node.yaml", 7, "boards.shelf-1.depth"].expected
    assert "did you mean 'simulated'?" in found["node.yaml", 9, "boards.shelf-1.driver"].expected
    assert "did you mean 'cola'?" in found["planogram.yaml", 5, "slots.A1.sku"].expected
    assert "900 mm wide" in found["planogram.yaml", 5, "slots.A1.x[1]"].expected
    assert "'shelf-2'" in found["planogram.yaml", 6, "slots.A2.board"].expected


def test_problems_come_sorted_in_one_form(write: Write) -> None:
    path = write(BROKEN_NODE, BROKEN_PLANOGRAM)
    problems = problems_of(path)
    assert problems == sorted(problems, key=lambda each: (each.file, each.line))
    assert str(problems[3]).startswith(
        f"{path}:7: boards.shelf-1.depth: 400: a number without a unit; expected a length"
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("node: bay-1", "node: ../etc", 1, "node", "letters, digits"),
        ("node: bay-1\n", "", 1, "node", "expected this key"),
        ("node: bay-1", "node:", 1, "node", "expected a text"),
        ("node: bay-1", "node: bay-1\nstore: a/b", 2, "store", "letters, digits"),
        ("planogram.yaml", "nowhere.yaml", 2, "planogram", "there is no such file"),
        ("planogram.yaml", "..", 2, "planogram", "not a folder"),
        ("boards:", "fusion: {review_below: 0}\nboards:", 3, "fusion.review_below", "above 0"),
        ("boards:", "fusion: {review_below: nan}\nboards:", 3, "fusion.review_below", "number"),
        ("boards:", "fusion: on\nboards:", 3, "fusion", "mapping"),
        ("boards:", "calibration: nowhere\nboards:", 3, "calibration", "no such folder"),
        ("80 Hz", "80", 7, "boards.shelf-1.rate", "'80 Hz'"),
        ("80 Hz", "1e3", 7, "boards.shelf-1.rate", "'80 Hz'"),
        ("80 Hz", "1:20", 7, "boards.shelf-1.rate", "'80 Hz'"),
        ("80 Hz", "[80 Hz]", 7, "boards.shelf-1.rate", "'80 Hz'"),
        ("simulated", "on", 8, "boards.shelf-1.driver", "known driver"),
        ("simulated", "", 8, "boards.shelf-1.driver", "known driver"),
        ("simulated", "{port: x}", 8, "boards.shelf-1.driver.type", "known driver"),
        ("simulated", "{type: brigde}", 8, "boards.shelf-1.driver.type", "'bridge'"),
        ("x: 870 mm, y: 30 mm", "x: 30 mm, y: 30.2 mm", 11, "boards.shelf-1.cells.fr", "cell 'fl'"),
        ("x: 870 mm, y: 30 mm", "x: 0,9 m, y: 30 mm", 11, 'boards.shelf-1.cells.fr."9 m"', "write a point"),
        ("capacity: 10 kg", "capacity: *x", 10, "", "no anchor &x"),
    ],
)
def test_one_mistake_in_the_node_file(write: Write, old: str, new: str, line: int, key: str, says: str) -> None:
    problems = problems_of(write(NODE.replace(old, new)))
    assert (line, key) in [(problem.line, problem.key_path) for problem in problems]
    assert any(says in problem.expected for problem in problems), problems


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("spread: 2 g", "spread: 2 kg", 2, "skus.cola-033.spread", "is the unit right"),
        ("spread: 2 g", "spread: -2 g", 2, "skus.cola-033.spread", "negative"),
        ("spread: 2 g", "spraed: 2 g", 2, "skus.cola-033.spraed", "'spread'"),
        ("weight: 352 g", "weight: .inf g", 2, "skus.cola-033.weight", "expected a weight"),
        ("  cola-033:", "  cola 033:", 2, 'skus."cola 033"', "letters, digits"),
        ("  A2:", "  A1:", 6, "slots.A1", "already on line 5"),
        ("sku: cola-033", "sku: cola_033", 5, "slots.A1.sku", "'cola-033'"),
        ("[0 mm, 110 mm]", "[0 mm, 0 cm]", 5, "slots.A1.x", "some width"),
        ("[0 mm, 400 mm]", "[0 mm, 401 mm]", 5, "slots.A1.y[1]", "400 mm deep"),
        ("[0 mm, 110 mm]", "[0 mm, 110 mm, 3 mm]", 5, "slots.A1.x", "at most 2"),
        ("[0 mm, 110 mm]", "110 mm", 5, "slots.A1.x", "a list"),
        ("[0 mm, 110 mm]", "[0 mm, 110]", 5, "slots.A1.x[1]", "'110 mm'"),
        ("count: 6", "count: true", 5, "slots.A1.count", "whole number"),
        ("count: 6", "count: -1", 5, "slots.A1.count", "at least 0"),
        ("count: 6", "count: ", 5, "slots.A1.count", "whole number"),
        (", count: 6", "", 5, "slots.A1.count", "expected this key"),
        ("skus:", "skus: []\nskos:", 1, "skus", "an entry per SKU"),
    ],
)
def test_one_mistake_in_the_planogram(write: Write, old: str, new: str, line: int, key: str, says: str) -> None:
    problems = problems_of(write(planogram=PLANOGRAM.replace(old, new)))
    assert (line, key) in [(problem.line, problem.key_path) for problem in problems]
    assert any(says in problem.expected for problem in problems), problems


def test_one_to_eight_cells(write: Write) -> None:
    cells = "".join(f"      c{each}: {{x: {each} cm, y: 1 cm}}\n" for each in range(9))
    without = NODE[: NODE.index("      fl:")]
    for node in (without + cells, without.replace("cells:", "cells: {}")):
        (problem,) = problems_of(write(node))
        assert (problem.line, problem.key_path) == (9, "boards.shelf-1.cells")
        assert "1 to 8 cells" in problem.expected
    assert len(load_setup(write(without + cells[: cells.index("      c8")])).node.boards["shelf-1"].cells) == 8


@pytest.mark.parametrize("boards", ["{}", "[]", "", "x", "{a: }"])
def test_a_node_without_usable_boards_is_refused(write: Write, boards: str) -> None:
    problems = problems_of(write(f"node: a\nplanogram: planogram.yaml\nboards: {boards}\n", "skus: {}\nslots: {}\n"))
    assert [problem.line for problem in problems] == [3]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 1, "empty"),
        (b"# nothing\n", 1, "empty"),
        (b"---\n", 1, "empty"),
        (b"- a\n- b\n", 1, "mapping"),
        (b"just text", 1, "mapping"),
        (b"node: a\nstore: \xff\n", 2, "UTF-8"),
        ("node: a".encode("utf-16"), 1, "UTF-8"),
        (b"node: a\n\x00", 2, "printable"),
        (b"node: a\n\tstore: b\n", 2, "not valid YAML"),
        (b"node: a\nboards: {a: 1\n", 2, "missing"),
        (b"node: 'a\n", 1, "quote"),
        (b"node: a\n---\nnode: b\n", 2, "one document"),
        (b"node: !!python/object/apply:os.system [ls]\n", 1, "tags"),
        (b"node: &a [*a]\n", 1, "contains itself"),
        (b"node: &a {b: *a}\n", 1, "contains itself"),
        (b"node: " + b"[" * 5000, 1, "at most 32 levels"),
        (b"a: &a [x]\nb: &b {<<: *a}\n", 2, "merging"),
        (b"skus: {}\nslots: {}\n", 1, "this is a planogram"),
    ],
)
def test_unusable_node_file(write: Write, content: bytes, line: int, says: str) -> None:
    problems = problems_of(write(content))
    assert any(problem.line == line and says in problem.expected for problem in problems), problems


def test_aliases_of_aliases_are_bounded(write: Write) -> None:
    """Billion laughs: ten anchors of ten aliases each would be ten thousand million values."""
    laughs = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11))
    (problem,) = problems_of(write(laughs))
    assert "at most 200000 values" in problem.expected


def test_missing_file_and_folder(tmp_path: Path, write: Write) -> None:
    (problem,) = problems_of(tmp_path / "no.yaml")
    assert (problem.line, str(problem).count("no such file")) == (0, 1)
    write()
    (problem,) = problems_of(tmp_path)
    assert "node.yaml?" in problem.expected


def test_a_broken_node_file_leaves_the_planograms_own_problems_visible(write: Write) -> None:
    problems = problems_of(write(NODE.replace("  shelf-1:", "  shelf-1: x\n  y:"), PLANOGRAM.replace("352 g", "352")))
    assert {Path(problem.file).name for problem in problems} == {"node.yaml", "planogram.yaml"}


@pytest.mark.parametrize(
    ("driver", "line", "key", "value", "expected"),
    [
        ("{type: bridge, prot: x}", 8, "driver.prot", "x", "unknown option 'prot': its options are port, serial"),
        ("{type: bridge, port: ''}", 8, "driver.port", '""', "expected a port as '/dev/serial/by-id/...'"),
        ("{type: bridge, serial: ''}", 8, "driver.serial", '""', "expected the MCU's own serial"),
        ("{type: bridge, gain: 100}", 8, "driver.gain", "100", "expected 128 or 64 (channel A) or 32"),
        ("{type: bridge, gain: {fl: 100, fr: 64}}", 8, "driver.gain.fl", "100", "expected 128 or 64 (channel A) or 32"),
        ("{type: bridge, chips: {fl: 0, fr: 9}}", 8, "driver.chips.fr", "9", "expected 0 to 7"),
        (
            "\n      type: bridge\n      chips:\n        fl: 0\n        q: 1",
            12,
            "driver.chips.q",
            "1",
            "has no cell 'q'",
        ),
        ("gpio", 8, "driver.pins", "missing", "expected for each cell its GPIO numbers"),
        ("spi", 8, "driver", "spi", "one cell per SPI bus; this board has 2"),
        ("iio", 8, "driver", "iio", "rate 80 Hz: the kernel looks at the chip every 10 ms"),
        ("{type: simulated, seed: 1}", 8, "driver.seed", "1", "it has no options"),
        ("{type: trace, speed: 2}", 8, "driver.file", "missing", "expected the trace to play"),
    ],
)
def test_wrong_driver_options_are_problems_with_their_lines(
    write: Write, driver: str, line: int, key: str, value: str, expected: str
) -> None:
    found = problems_of(write(NODE.replace("simulated", driver)))
    at = [p for p in found if p.key_path == f"boards.shelf-1.{key}"]
    assert [(p.line, p.value) for p in at] == [(line, value)], found
    assert expected in at[0].expected
    assert all(p.key_path.startswith("boards.shelf-1.driver") for p in found)


@pytest.mark.parametrize(
    "driver", ["trace", "bridge", "{type: bridge, chips: {fl: 3, fr: 0}, gain: {fl: 64, fr: 128}}"]
)
def test_driver_options_that_fit_are_no_problem(write: Write, driver: str) -> None:
    assert load_setup(write(NODE.replace("simulated", driver))).node.boards["shelf-1"].driver.type in (
        "trace",
        "bridge",
    )


def test_driver_options_are_checked_as_far_as_the_board_can_be_read(write: Write) -> None:
    node = NODE.replace("simulated", "{type: iio, chanel: A}").replace("80 Hz", "80")
    assert {p.key_path for p in problems_of(write(node))} == {"boards.shelf-1.driver.chanel", "boards.shelf-1.rate"}
