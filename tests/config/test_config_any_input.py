"""Whatever bytes are given: a Setup or a ConfigError, never anything else, and never for long."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import yaml
from config_texts import NODE, PLANOGRAM
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.record import BoardCalibration, CellCalibration
from edge.config import yaml_source
from edge.config.errors import ConfigError
from edge.config.setup import Setup, load_setup, setup_from_texts

MARKS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "&a ",
    "*a",
    "? ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "!",
    "%",
    "@",
    "\t",
    "\u2028",
)
WORDS = (
    "node",
    "boards",
    "shelf-1",
    "cells",
    "x",
    "900 mm",
    "on",
    "1e3",
    "1:30",
    "null",
    "<<",
    "---",
    "...",
    "~",
    "\ufeff",
)
PIECES = st.sampled_from([*MARKS, *WORDS])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | PIECES
KEYS = PIECES | st.sampled_from(
    ["width", "depth", "rate", "driver", "type", "skus", "slots", "y", "count", "board", "sku"]
)
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=4), max_leaves=12
)
RECORD = BoardCalibration(board="shelf-1", cells={"fl": CellCalibration(zero_counts=0, counts_per_gram=400)})


def setup_or_error(node: str, planogram: str, calibration: str = "") -> None:
    try:
        setup = setup_from_texts(node, planogram, calibration, "any")
    except ConfigError as error:
        problems = error.problems
    else:
        assert isinstance(setup, Setup)
        return
    longest = max(len(text.splitlines()) for text in (node, planogram, calibration, "x"))
    assert problems
    for problem in problems:
        assert 1 <= problem.line <= longest
        assert problem.expected
        assert "\n" not in str(problem)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "node.yaml"
        path.write_bytes(data)
        with pytest.raises(ConfigError):
            load_setup(path)


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from([yaml.SafeLoader, yaml_source._Loader]))
@settings(max_examples=300, deadline=None)
def test_any_tokens_with_either_of_pyyamls_parsers(text: str, loader: type) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_source, "_Loader", loader)
        setup_or_error(text, PLANOGRAM)
        setup_or_error(NODE, text)


@given(VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_any_yaml(node: object, planogram: object) -> None:
    setup_or_error(yaml.safe_dump(node), yaml.safe_dump(planogram))


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_a_correct_setup_with_any_piece_of_it_replaced(data: st.DataObject) -> None:
    """Goes deeper than random trees do: the keys around the broken place are right."""
    texts = [NODE, PLANOGRAM, RECORD.model_dump_json(indent=1)]
    which = data.draw(st.integers(0, 2))
    tree = yaml.safe_load(texts[which].replace("simulated", "{type: bridge, port: 5}"))
    here = tree
    while True:
        key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else list(range(len(here)))))
        if not (isinstance(here[key], (dict, list)) and here[key] and data.draw(st.booleans())):
            break
        here = here[key]
    here[key] = data.draw(VALUES)
    texts[which] = json.dumps(tree) if which == 2 else yaml.safe_dump(tree, sort_keys=False)
    setup_or_error(*texts)


@given(st.text(max_size=30), st.integers(0, 400), st.integers(0, 12), st.integers(0, 1))
@settings(max_examples=150, deadline=None)
def test_a_correct_setup_with_a_cut_and_anything_in_it(text: str, at: int, cut: int, which: int) -> None:
    texts = [NODE, PLANOGRAM]
    texts[which] = texts[which][:at] + text + texts[which][at + cut :]
    setup_or_error(texts[0], texts[1])
