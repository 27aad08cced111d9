"""A short simulated trace, and the command line as a person types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shelfedge() -> Command:
    """Runs `shelfedge` with these arguments in a process of its own."""

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edge.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        )

    return run


@pytest.fixture(scope="session")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled trace of the demo bay, 40 s."""
    from edge.config.demo import demo_node_path
    from edge.config.setup import load_setup
    from edge.node.simulate import simulate_trace

    path = tmp_path_factory.mktemp("trace") / "bay.mcap"
    simulate_trace(load_setup(demo_node_path()), path, seed=3, duration_s=40.0)
    return path


@pytest.fixture(scope="session")
def damaged(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trace, cut off in the middle of its samples."""
    path = tmp_path_factory.mktemp("damaged") / "cut.mcap"
    data = trace.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    return path
