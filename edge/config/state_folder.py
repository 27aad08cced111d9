"""Where a node keeps what it must not forget: the same answer for the node and for everybody who asks about it."""

from __future__ import annotations

from pathlib import Path

from edge.config.schema import NodeFile

SYSTEM_STATE = Path("/var/lib/shelfedge")
"""Made by `shelfedge service install` (systemd's StateDirectory)."""


def state_folder(node_path: Path, node: NodeFile, system_state: Path = SYSTEM_STATE) -> Path:
    """The node's own folder; it needn't exist yet.

    As the node file's `state` says, relative to it; else in /var/lib/shelfedge where there is one, else in `state`
    beside the node file. Several nodes on one machine may share these: each has a folder of its name in there.
    """
    if node.state is not None:
        base = node_path.parent / node.state
    elif system_state.is_dir():
        base = system_state
    else:
        base = node_path.parent / "state"
    return base / node.node
