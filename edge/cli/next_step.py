"""How the node is started here: by its service where that is installed, else by hand."""

from __future__ import annotations

import os
from pathlib import Path

from edge.node.service import UNIT_FOLDER


def start_command(node_path: Path, again: bool = False, units: Path = UNIT_FOLDER) -> str:
    """What starts the node of this file; ``again``: where it may run already, so that it reads its files anew."""
    path = os.path.abspath(node_path)  # noqa: PTH100 - as the unit names it: a link to the node file stays a link
    for unit in sorted(units.glob("*.service")):
        try:
            text = unit.read_text(errors="replace")
        except OSError:
            continue
        if any(line.startswith("ExecStart=") and f"run {path}" in line for line in text.splitlines()):
            return f"sudo systemctl {'restart' if again else 'start'} {unit.stem}"
    return f"shelfedge run {node_path}"
