"""Files that commands change for a person: only the value, atomically, and what was there before stays."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from calibration import folder_lock
from edge.config.demo import demo_node_path
from edge.config.edited_file import MOST_KEPT, EditError, edit_file
from edge.config.errors import ConfigError
from edge.config.node_edit import with_calibration
from edge.config.planogram_edit import with_weight

FLOW = """\
# What lies there.
skus:
  cola: {name: "Cola", weight: 352 g, spread: 2.5 g}   # weighed by ada
  tea: {name: Tea, weight: 0.5 kg}  # nobody knows
slots:
  A1: {board: b, sku: cola, x: [0 mm, 112 mm], count: 6}
"""
BLOCK = """\
skus:
    cola:
        # the can
        weight: '352 g'   # about
        name: Cola
    "00123": {name: x, spread: , weight: 5 g}
slots: {}
"""


def test_only_weight_and_spread_change():
    assert with_weight(FLOW, "p.yaml", "cola", "353.9 g", "3.5 g") == FLOW.replace("352 g", "353.9 g").replace(
        "2.5 g", "3.5 g"
    )


def test_a_spread_that_was_not_there_is_added():
    assert with_weight(FLOW, "p.yaml", "tea", "498 g", "4 g") == FLOW.replace("0.5 kg", "498 g, spread: 4 g")
    changed = with_weight(BLOCK, "p.yaml", "cola", "353.9 g", "3.5 g")
    assert changed == BLOCK.replace("'352 g'   # about", "'353.9 g'   # about\n        spread: '3.5 g'")


@pytest.mark.parametrize("spread", [None, "2.5 g", "absent"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_planogram_in_json_stays_json(spread, indent):
    cola = {"name": "Cola", "weight": "352 g"} | ({} if spread == "absent" else {"spread": spread})
    slot = {"board": "b", "sku": "cola", "x": ["0 mm", "112 mm"], "count": 6}
    planogram = {"skus": {"cola": cola}, "slots": {"A1": slot}}
    changed = json.loads(with_weight(json.dumps(planogram, indent=indent), "p.yaml", "cola", "174.1 g", "2.5 g"))
    cola |= {"weight": "174.1 g", "spread": "2.5 g"}
    assert changed == planogram


def test_an_empty_spread_and_a_barcode_with_leading_zeros():
    changed = with_weight(BLOCK, "p.yaml", "00123", "5.1 g", "0.2 g")
    assert '"00123": {name: x, spread: 0.2 g , weight: 5.1 g}' in changed


def test_windows_line_ends_stay():
    text = BLOCK.replace("\n", "\r\n")
    changed = with_weight(text, "p.yaml", "cola", "353.9 g", "3.5 g")
    assert changed.count("\r\n") == changed.count("\n") == text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FLOW.replace("352 g", "&heavy 352 g"), "shared or written in an unusual way"),
        (FLOW.replace("352 g", "&heavy 352 g").replace("0.5 kg", "*heavy"), "shared"),
        (FLOW.replace("0.5 kg}", "0.5 kg}\n  mate: &m {name: M, weight: 9 g}").replace("cola: {", "old: {")
         .replace("sku: cola", "sku: old").replace("slots:", "  cola: *m\nslots:"), "written elsewhere and shared"),
    ],
)  # fmt: skip
def test_a_value_that_stands_for_others_too_is_left_to_a_person(text, said):
    sku = "tea" if "*heavy" in text else "cola"
    with pytest.raises(EditError, match=said):
        with_weight(text, "p.yaml", sku, "1 g", "1 g")


def test_a_text_that_is_no_planogram_and_a_sku_that_is_not_there():
    with pytest.raises(ConfigError):
        with_weight("skus: [", "p.yaml", "cola", "1 g", "1 g")
    with pytest.raises(EditError, match="there is no SKU beer"):
        with_weight(FLOW, "p.yaml", "beer", "1 g", "1 g")


def test_every_sku_of_the_demo_can_be_changed():
    path = demo_node_path().parent / "planogram.yaml"
    text = path.read_text()
    for line in text.splitlines():
        if "weight:" in line:
            sku = line.split(":")[0].strip()
            changed = with_weight(text, str(path), sku, "77.7 g", "0.7 g").splitlines()
            assert sum(a != b for a, b in zip(changed, text.splitlines(), strict=True)) == 1


def test_the_former_text_is_kept_and_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.yaml").write_bytes(b"\xef\xbb\xbf" + FLOW.encode())
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    kept = edit_file(tmp_path / "link.yaml", lambda text: "new" if text == FLOW else "read otherwise")
    assert kept == tmp_path / "real.yaml.bak"
    assert kept.read_bytes() == b"\xef\xbb\xbf" + FLOW.encode()
    assert (tmp_path / "link.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == b"\xef\xbb\xbfnew"


def test_a_disk_that_refuses_is_a_sentence_and_the_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_text(FLOW)
    real = os.fsync

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EditError, match=r"can't be changed \(No space left on device\); it is as it was"):
        edit_file(path, lambda text: "new")
    monkeypatch.setattr(os, "fsync", real)
    assert path.read_text() == FLOW
    assert [each.name for each in tmp_path.iterdir()] == ["p.yaml"]


def test_former_texts_of_others_are_never_overwritten_and_only_the_last_of_ours_are_kept(tmp_path):
    """The first former text stays for good: a person may have made it."""
    path = tmp_path / "p.yaml"
    others = {"p.yaml.bak": "my own", "p.yaml.bak.1": "mine too", "p.yaml.bak.20260101": "and that"}
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    path.write_text("0")
    kept = [edit_file(path, lambda text: str(int(text) + 1)) for _ in range(MOST_KEPT + 3)]
    assert {name: (tmp_path / name).read_text() for name in others} == others
    assert kept[0].name == "p.yaml.bak.000001"
    assert [each.exists() for each in kept] == [False] * 3 + [True] * MOST_KEPT
    assert [each.read_text() for each in kept[3:]] == ["3", "4", "5", "6", "7"]


def test_what_changes_nothing_writes_nothing(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(FLOW)
    assert edit_file(path, lambda text: text) is None
    assert [each.name for each in tmp_path.iterdir()] == ["p.yaml"]


def test_of_two_changes_at_once_the_second_sees_the_first(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("begin")
    reads, goes_on = threading.Event(), threading.Event()

    def slowly(text):
        reads.set()
        goes_on.wait(30)
        return text + " one"

    first = threading.Thread(target=edit_file, args=(path, slowly))
    first.start()
    assert reads.wait(30)
    second = threading.Thread(target=edit_file, args=(path, lambda text: text + " two"))
    second.start()
    second.join(0.1)
    goes_on.set()
    first.join(30)
    second.join(30)
    assert path.read_text() == "begin one two"


def test_a_folder_that_another_program_holds_is_said_and_nothing_changes(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_text(FLOW)
    monkeypatch.setattr(folder_lock, "PATIENCE_S", 0.0)
    handle = folder_lock.hold_folder(tmp_path)
    try:
        with pytest.raises(EditError, match="another program has been changing files here"):
            edit_file(path, lambda text: "new")
    finally:
        os.close(handle)
    assert path.read_text() == FLOW


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_the_calibration_line_goes_below_the_planograms(line_break):
    text = f"node: n{line_break}planogram: p.yaml  # what lies there{line_break}boards: {{}}"
    wanted = f"planogram: p.yaml  # what lies there{line_break}calibration: calibration{line_break}boards"
    assert wanted in with_calibration(text, "node.yaml", "calibration")


def test_a_node_file_that_names_the_folder_already_stays_and_another_one_is_said():
    text = "node: n\nplanogram: p.yaml\ncalibration: calibration\n"
    assert with_calibration(text, "node.yaml", "calibration") == text
    with pytest.raises(EditError, match=r"names another folder meanwhile \(calibration: records\)"):
        with_calibration(text.replace(": calibration", ": records"), "node.yaml", "calibration")
    with pytest.raises(EditError, match="write the folder behind"):
        with_calibration(text.replace(": calibration", ":"), "node.yaml", "calibration")
    with pytest.raises(EditError, match="isn't YAML any more"):
        with_calibration(text + "boards: [", "node.yaml", "calibration")


@pytest.mark.parametrize("text", ["{node: n, planogram: p.yaml}", "node: n\n"])
def test_a_node_file_written_otherwise_is_left_to_a_person(text):
    with pytest.raises(EditError, match="add this line yourself: calibration: calibration"):
        with_calibration(text, "node.yaml", "calibration")


def test_demo_stays_whole():
    path = demo_node_path()
    text = Path(path).read_text()
    changed = with_calibration(text, str(path), "calibration")
    assert changed.replace("calibration: calibration\n", "") == text
