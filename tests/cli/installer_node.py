"""A node in a folder of its own for the commands of installers, and the simulated people in front of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge.config.demo import demo_node_path

FAST = ("--speed", "1e6")


def installer_node(folder: Path, calibration: bool = False) -> Path:
    """The demo's node file and planogram; with ``calibration`` it names a folder for records."""
    for file in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().parent / file, folder / file)
    node = folder / "node.yaml"
    if calibration:
        (folder / "calibration").mkdir()
        node.write_text(node.read_text().replace("planogram: planogram.yaml\n",
                                                 "planogram: planogram.yaml\ncalibration: calibration\n"))  # fmt: skip
    return node


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, to see that nothing was changed; what a node's lock leaves aside."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
