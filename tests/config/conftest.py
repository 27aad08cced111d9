"""Writes a setup's files into a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_texts import NODE, PLANOGRAM, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the files of a setup and gives the node file's path; the ones not given are the correct ones above."""

    def write_files(node: str | bytes = NODE, planogram: str | bytes = PLANOGRAM, **others: str) -> Path:
        files: dict[str, str | bytes] = {"node.yaml": node, "planogram.yaml": planogram}
        for name, text in others.items():
            files[name.replace("__", "/") + ".json"] = text
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "node.yaml"

    return write_files
