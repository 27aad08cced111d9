"""What holds for the tests of vision."""

from __future__ import annotations

import fcntl

import pytest
from vision_scenes import Stage, alone, settled


@pytest.fixture(scope="session", autouse=True)
def _kernels_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where they aren't in numba's cache yet, one worker compiles the kernels and the others wait for it."""
    with (tmp_path_factory.getbasetemp().parent / "vision-kernels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stage = Stage()
        alone(stage, settled(stage))
