"""A node whose machine is made up: other /proc and /sys, another wall clock, a loop that is held up. Run as a program:
``python -m hil.faulty_node node.yaml --root FOLDER --synced yes``; what isn't said is as in `shelfedge run`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from edge.cli.run_signals import until_signalled
from edge.config.setup import load_setup
from edge.node.host_facts import HostFacts
from edge.node.logs import set_up_logs
from edge.node.metrics import MetricsServer
from edge.node.run import Asked, NodeRun, RunOptions
from edge.stream.uplink.uplink import Uplink

BREAKABLE = {"metrics": (MetricsServer, "start"), "uplink": (Uplink, "start"), "ticks": (NodeRun, "tick")}


def run(
    node_path: Path, root: Path, synced: bool, wall_off_s: float, late_s: float, seed: int, broken: str | None = None
) -> int:
    """Until SIGTERM. ``late_s``: by how much each of the loop's waits is too long. ``broken``: a part that fails."""

    def sleep_s(seconds: float) -> None:
        time.sleep(seconds + late_s)

    def facts(folder: Path) -> HostFacts:
        return HostFacts(folder, root)

    def wall() -> int:
        return time.time_ns() + round(wall_off_s * 1e9)

    setup = load_setup(node_path)
    set_up_logs("info", "text")
    asked = Asked()
    pause: Callable[[float], None] = sleep_s if late_s else time.sleep
    with contextlib.ExitStack() as patched:
        if broken is not None:
            patched.enter_context(mock.patch.object(*BREAKABLE[broken], side_effect=OSError(19, "no such device")))
        patched.enter_context(mock.patch("edge.node.parts.HostFacts", facts))
        patched.enter_context(mock.patch("edge.stream.wall_clock.kernel_says_synced", return_value=synced))
        patched.enter_context(until_signalled(asked.stop.set, asked.reload.set))
        options = RunOptions(seed, 6.0)
        return NodeRun(node_path, setup, options, os.environ, wall=wall, sleep_s=pause, asked=asked).run()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("node", type=Path)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--synced", choices=("yes", "no"), default="yes")
    parser.add_argument("--wall-off", type=float, default=0.0, help="seconds that its wall clock is ahead")
    parser.add_argument("--late", type=float, default=0.0, help="seconds that each wait of its loop is too long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--break", dest="broken", choices=tuple(BREAKABLE), help="a part that fails whenever it starts")
    wanted = parser.parse_args()
    synced = wanted.synced == "yes"
    sys.exit(run(wanted.node, wanted.root, synced, wanted.wall_off, wanted.late, wanted.seed, wanted.broken))


if __name__ == "__main__":
    main()
