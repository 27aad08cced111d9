"""Labels as JSON: both ways, and every mistake named with its entry and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_trace import LABELS

from edge.config.setup import Setup
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.event import Kind, Label
from edge.trace.labels import labels_from_file, labels_from_json, labels_to_json, unknown_names

GOOD = {"kind": "pick", "board": "top", "start_s": 1, "end_s": 2.5}


def test_round_trip() -> None:
    """What is written is what is read, also when it is nothing."""
    assert labels_from_json(labels_to_json(LABELS), "here") == LABELS
    assert labels_from_json(labels_to_json(()), "here") == ()
    foreign = Label(Kind.PUT, "top", None, None, 1, 5.0, 6.0, foreign=True)
    assert labels_from_json(labels_to_json([foreign]), "here") == (foreign,)


def test_what_was_written_before_there_were_foreign_objects() -> None:
    """Old files are read as before, and labels without foreign objects are still written like them."""
    (label,) = labels_from_json(json.dumps([GOOD | {"sku": None}]), "here")
    assert label.foreign is False
    assert "foreign" not in labels_to_json([label])


def test_a_plain_list_and_left_out_keys() -> None:
    """SKU and slot may be unknown to the labeller; one unit is usual."""
    (label,) = labels_from_json(json.dumps([GOOD]), "here")
    assert (label.sku, label.slot, label.quantity, label.start_s) == (None, None, 1, 1.0)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (5, "here: label 1: expected an object with kind, board, sku, slot, quantity, start_s, end_s, foreign; got 5"),
        ({"kind": "take"}, 'here: label 1: kind: got "take"; expected "pick" or "put"'),
        ({"kind": ["pick"]}, 'label 1: kind: got ["pick"]'),
        ({"board": ""}, 'label 1: board: got ""; expected the id of a board'),
        ({"sku": 5}, "label 1: sku: got 5; expected the id of a SKU, or null"),
        ({"quantity": 0}, "label 1: quantity: got 0; expected a whole number from 1 to 1000"),
        ({"quantity": True}, "label 1: quantity: got true; expected a whole number"),
        ({"start_s": "1"}, 'label 1: start_s: got "1"; expected seconds'),
        ({"start_s": float("nan")}, "label 1: start_s: got NaN; expected seconds"),
        ({"start_s": 10**400}, "label 1: start_s: got 1000"),
        ({"end_s": 0}, "label 1: end_s: 0 lies before start_s 1"),
        ({"foreign": 1}, "label 1: foreign: got 1; expected true for an object that isn't in the planogram"),
        (
            {"foreign": True, "sku": "cola"},
            'label 1: sku: got "cola"; expected none, because a foreign object has none',
        ),
        ({"foreign": True, "slot": "A1"}, 'label 1: slot: got "A1"; expected none'),
        ({"start_ns": 1}, "label 1: start_ns: not a key of a label; expected kind, board"),
    ],
)
def test_mistakes_are_named(entry: object, expected: str) -> None:
    """File, entry, key, what is there and what is expected."""
    data = GOOD | entry if isinstance(entry, dict) else entry
    with pytest.raises(TraceError) as caught:
        labels_from_json(json.dumps([data]), "here")
    assert expected in str(caught.value)


def test_all_mistakes_at_once() -> None:
    """Three wrong entries, three lines and more."""
    with pytest.raises(TraceError) as caught:
        labels_from_json(json.dumps({"labels": [GOOD, {}, GOOD | {"kind": 1}]}), "here")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines] == [" label 2"] * 4 + [" label 3"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"[", "labels.json:1: not JSON"),
        (b'{"a": 1}', "expected a list of labels"),
        (b"[" * 100_000, "labels.json"),
        (b"\xff\xfe", "labels.json: not UTF-8 text"),
    ],
)
def test_files_that_arent_labels(tmp_path: Path, raw: bytes, expected: str) -> None:
    """Each a sentence that names the file."""
    (tmp_path / "labels.json").write_bytes(raw)
    with pytest.raises(TraceError) as caught:
        labels_from_file(tmp_path / "labels.json")
    assert expected in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """A labels file that isn't there."""
    with pytest.raises(TraceFileError, match="can't read the labels: No such file"):
        labels_from_file(tmp_path / "no.json")


def test_names_that_the_config_doesnt_have(setup: Setup) -> None:
    """A label that no event can ever agree with is said, once."""
    labels = labels_from_json(json.dumps([GOOD | {"board": "attic", "slot": "A1", "sku": "x"}] * 2), "here")
    assert unknown_names(labels, setup, "here") == [
        "here: board 'attic' isn't in the config; no event can agree with that label",
        "here: sku 'x' isn't in the config; no event can agree with that label",
    ]
    assert unknown_names(LABELS, setup, "here") == []
