"""Memory of the whole node over a simulated day: outbox, recording, health and all, as fast as the machine goes.
`python -m hil.node_day`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import edge.config.demo
from edge.config.setup import load_setup
from edge.node.run import NodeRun, RunOptions

DEMO = Path(edge.config.demo.__file__).parent
HOURS = 24.0
VISIT_EVERY_S = 15.0
SEED = 77_200
AT_H = (0.1, 1.0, 6.0, 12.0, 24.0)
_ROUND_S = 0.2  # ten of the loop's rounds in one: a day in minutes
_WALL_NS = 1_790_000_000 * 10**9


@dataclass(frozen=True, slots=True)
class NodeDay:
    """Attributes:
    rss_mb: resident memory of the process, by hour. events: revisions decided in all. recorded_mb: on the disk.
    """

    rss_mb: dict[float, float]
    events: int
    recorded_mb: float

    def __str__(self) -> str:
        memory = ", ".join(f"{hour:g} h {rss:.0f} MB" for hour, rss in self.rss_mb.items())
        return f"resident: {memory}; {self.events} revisions; recording {self.recorded_mb:.0f} MB"


def measure(hours: float = HOURS, seed: int = SEED) -> NodeDay:
    """The demo's node (8 cells at 80 samples/s) for so many hours of its own clock."""
    rss_mb: dict[float, float] = {}
    told_ns = [10**9]
    left_h = [hour for hour in AT_H if hour <= hours]

    def sleep(asked_s: float) -> None:
        told_ns[0] += round(max(asked_s, _ROUND_S) * 1e9)
        if left_h and told_ns[0] >= left_h[0] * 3600e9:
            rss_mb[left_h.pop(0)] = _resident_mb()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(DEMO / "planogram.yaml", folder)
        node_file = folder / "node.yaml"
        node_file.write_text((DEMO / "node.yaml").read_text("utf-8") + "\nstate: state\n", "utf-8")
        options = RunOptions(seed, VISIT_EVERY_S, hours * 3600.0)
        node = NodeRun(
            node_file, load_setup(node_file), options, {}, lambda: told_ns[0], lambda: _WALL_NS + told_ns[0], sleep
        )
        node.run()
        recorded = sum(file.stat().st_size for file in (node.folder / "ring").iterdir())
    return NodeDay(rss_mb, node.event_count, recorded / 1e6)


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS, help="of the node's clock (default 24)")
    print(measure(parser.parse_args().hours))  # noqa: T201 - that is what it is run for


if __name__ == "__main__":
    main()
