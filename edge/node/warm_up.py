"""Compile fusion's kernels before the first sample comes, so that the first visit isn't seen late."""

from __future__ import annotations

import time

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.demo import compile_kernels


def warm_up() -> float:
    """Play a short scene on the demo's boards through a fusion of its own; gives the seconds it took.

    The kernels' types are the same for every board, so any will do.
    """
    began_s = time.monotonic()
    compile_kernels(load_setup(demo_node_path()), 1)
    return time.monotonic() - began_s
