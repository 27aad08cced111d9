"""Files that commands change for a person: only the value, atomically, and what was there before stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.config.demo import demo_node_path
from edge.config.edited_file import EditError, write_edited
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
    assert changed == BLOCK.replace("'352 g'   # about", "353.9 g   # about\n        spread: 3.5 g")


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
    kept = write_edited(tmp_path / "link.yaml", "new")
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
        write_edited(path, "new")
    monkeypatch.setattr(os, "fsync", real)
    assert path.read_text() == FLOW
    assert [each.name for each in tmp_path.iterdir()] == ["p.yaml"]


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_the_calibration_line_goes_below_the_planograms(line_break):
    text = f"node: n{line_break}planogram: p.yaml  # what lies there{line_break}boards: {{}}"
    wanted = f"planogram: p.yaml  # what lies there{line_break}calibration: calibration{line_break}boards"
    assert wanted in with_calibration(text, "node.yaml", "calibration")


@pytest.mark.parametrize("text", ["{node: n, planogram: p.yaml}", "node: n\n"])
def test_a_node_file_written_otherwise_is_left_to_a_person(text):
    with pytest.raises(EditError, match="add this line yourself: calibration: calibration"):
        with_calibration(text, "node.yaml", "calibration")


def test_demo_stays_whole():
    path = demo_node_path()
    text = Path(path).read_text()
    changed = with_calibration(text, str(path), "calibration")
    assert changed.replace("calibration: calibration\n", "") == text
