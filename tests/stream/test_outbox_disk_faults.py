"""P1, P5: every write, sync, cut, rename, removal and making of a file by the outbox fails or is torn in turn."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import outbox_shim as shim
import pytest

MODES = ("eio-once", "enospc-for-good", "torn")  # the victim knows more
pytestmark = pytest.mark.skipif(shim.why_not() is not None, reason=str(shim.why_not()))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.built(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be had: a sync costs nothing there, and the faults are the same."""
    memory = Path("/dev/shm")
    folder = memory / f"outbox-faults-{random.randrange(1 << 40)}" if memory.is_dir() else tmp_path / "faults"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", MODES)
def test_whatever_fails_what_was_committed_stays(library: Path, folder: Path, mode: str) -> None:
    """P1: each change of the disk in two starts; afterwards it opens with all that was committed, in order."""
    found = json.loads(shim.run_victim(library, "sweep", folder, mode))
    assert found["cases"] > 50
