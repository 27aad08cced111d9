"""A small bay to try everything on, without hardware."""

from __future__ import annotations

from pathlib import Path


def demo_node_path() -> Path:
    """The demo's node file; its planogram lies beside it."""
    return Path(__file__).with_name("node.yaml")
