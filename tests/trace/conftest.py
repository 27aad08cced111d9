"""Fixtures of the tests of `edge.trace`."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_trace import NODE, PLANOGRAM

from calibration.record import BoardCalibration, CellCalibration
from edge.config.setup import Setup, load_setup


@pytest.fixture
def node_path(tmp_path: Path) -> Path:
    """A node file with its planogram beside it, without calibration."""
    (tmp_path / "planogram.yaml").write_text(PLANOGRAM)
    path = tmp_path / "node.yaml"
    path.write_text(NODE)
    return path


@pytest.fixture
def setup(node_path: Path) -> Setup:
    """The node's setup with a calibration of board ``top`` only."""
    setup = load_setup(node_path)
    cells = {name: CellCalibration(zero_counts=1000.0, counts_per_gram=-420.5) for name in ("fl", "fr")}
    return Setup(
        setup.node,
        setup.planogram,
        {"top": BoardCalibration(board="top", cells=cells)},
        setup.node_text,
        setup.planogram_text,
    )
