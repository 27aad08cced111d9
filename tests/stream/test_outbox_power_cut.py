"""P1, P5: the power goes at any moment; of what wasn't synced any part is on the disk. What was committed is there."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import outbox_make as make
import outbox_shim as shim
import pytest
from outbox_power_cut import cuts
from outbox_victim import LIMITS, PAGE_BYTES

pytestmark = pytest.mark.skipif(shim.why_not() is not None, reason=str(shim.why_not()))
PER_PLACE = 8


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be had: what the real disk does isn't the question."""
    memory = Path("/dev/shm")
    folder = memory / f"outbox-cuts-{random.randrange(1 << 40)}" if memory.is_dir() else tmp_path / "cuts"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_committed_survives_a_power_cut(tmp_path: Path, folder: Path, seed: int) -> None:
    """P1: two starts, a damaged file in between, cut before every change; unsynced writes lost or torn."""
    recorded = folder / "recorded"
    recorded.mkdir()
    shim.run_victim(shim.built(tmp_path), "record", recorded, tmp_path / "log")
    changes = list(shim.read_log(tmp_path / "log"))
    assert sum(change.what == "sync" for change in changes) > 20
    for place, files, marks in cuts(changes, recorded, random.Random(seed), PER_PLACE):
        case = folder / "case"
        case.mkdir()
        for name, data in files.items():
            (case / name).write_bytes(data)
        committed = [tuple(map(int, mark.split())) for mark in marks if mark[0].isdigit()]
        boots = [int(mark.split()[1]) for mark in marks if mark.startswith("boot ")]
        try:
            make.check_committed(case / "outbox.db", committed, boots, LIMITS, PAGE_BYTES)
        except Exception as error:
            what = changes[place] if place < len(changes) else None
            raise AssertionError(f"cut before change {place} ({what and (what.what, what.path)}): {error!r}") from error
        shutil.rmtree(case)
