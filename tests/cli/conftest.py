"""A short simulated trace, and the command line as a person types it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked_cli import ForkedCli

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shelfedge() -> Iterator[Command]:
    """Runs `shelfedge` with these arguments in a process of its own."""
    cli = ForkedCli()

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return cli.run([str(each) for each in arguments], cwd or Path.cwd(), {**os.environ, "COLUMNS": "100"})

    yield run
    cli.close()


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
