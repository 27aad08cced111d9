"""P9: a calibration is never half-written, and the previous one can always be had back, whatever the disk does."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from calibration_records import number_of, record

from calibration.store import CalibrationStore

STREAM = Path(__file__).parents[1] / "stream"
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(STREAM))  # the preloaded library that fails or writes down what a process does to its disk
import outbox_shim  # noqa: E402
from outbox_power_cut import _Content  # noqa: E402

pytestmark = pytest.mark.skipif(outbox_shim.why_not() is not None, reason=outbox_shim.why_not() or "")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return outbox_shim.built(tmp_path_factory.mktemp("shim"))


def run_victim(library: Path, *arguments: str | Path) -> str:
    path = os.pathsep.join(map(str, (ROOT, STREAM, Path(__file__).parent)))
    command = [sys.executable, str(Path(__file__).with_name("store_victim.py")), *map(str, arguments)]
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": path}
    return subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE, timeout=300).stdout


@pytest.fixture(scope="module")
def said(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the victim of every fault says: how many changes a save is, then a case each."""
    return [json.loads(line) for line in run_victim(library, "faults", tmp_path_factory.mktemp("faults")).splitlines()]


def test_each_change_of_the_disk_failed_or_torn_leaves_the_old_record_or_the_new_one(said):
    """P9: every write, sync, rename and new file of a save, one after the other."""
    first, *cases = said
    assert first["changes"] >= 8
    assert len(cases) == 5 * first["changes"]
    for case in cases:
        assert case["in_use"] in (1, 2), case
        assert case["kept"] in ([1], [1, 2]), case  # the old one is there, once, and nothing half
        assert case["then"] == [*case["kept"], 3], case
        assert case["left"] == [], case
        if case["mode"] == outbox_shim.TEAR:
            assert case["exit"] == outbox_shim.TORN, case
            continue
        assert case["exit"] in (0, 3), case
        if case["exit"] == 3:
            assert ("nothing was changed" in case["said"]) == case["unchanged"], case
            assert "Errno" not in case["said"]
        else:
            assert case["in_use"] == 2, case  # a failed clean-up is no failed save


def test_the_sentence_tells_what_the_disk_said(said):
    texts = {case["code"]: case["said"] for case in said[1:] if case["exit"] == 3 and case["at"] == 0}
    assert "the disk is full" in texts[errno.ENOSPC]
    assert "can't be written to" in texts[errno.EROFS]
    assert "SD card" in texts[errno.EIO]


class StoreDisk:
    """What a power cut may leave of recorded changes; names are safe once their own folder was synced."""

    def __init__(self, folder: Path) -> None:
        self.names: dict[str, _Content] = {}
        for path in folder.rglob("*"):
            if path.is_file():
                self.names[str(path)] = content = _Content()
                content.safe.extend(path.read_bytes())
        self.safe = dict(self.names)
        self.since: dict[str, list[dict[str, _Content | None]]] = {}

    def follow(self, change: outbox_shim.Change) -> None:
        if change.what == "make":
            self._rename({change.path: _Content()})
        elif change.what == "unlink":
            self._rename({change.path: None})
        elif change.what == "rename":
            self._rename({change.path: None, change.other: self.names[change.path]})
        elif change.what == "sync" and change.path in self.names:
            self.names[change.path].sync()
        elif change.what == "sync":
            for step in self.since.pop(change.path, []):
                _apply(self.safe, step)
        elif change.what == "write":
            self.names[change.path].since.append(change)

    def after_cut(self, draw: random.Random) -> dict[str, bytes]:
        names = dict(self.safe)
        for steps in self.since.values():
            for step in steps[: draw.randint(0, len(steps))]:
                _apply(names, step)
        share = draw.choice((0.0, 0.3, 0.7, 1.0))
        return {name: content.after_cut(draw, share) for name, content in names.items()}

    def _rename(self, step: dict[str, _Content | None]) -> None:
        _apply(self.names, step)
        self.since.setdefault(str(Path(next(iter(step))).parent), []).append(step)


def _apply(names: dict[str, _Content], step: dict[str, _Content | None]) -> None:
    for name, content in step.items():
        if content is None:
            names.pop(name, None)
        else:
            names[name] = content


def states_after_a_cut(
    changes: Sequence[outbox_shim.Change], disk: StoreDisk, draw: random.Random, per_place: int
) -> list[tuple[list[int], dict[str, bytes]]]:
    marks, found = [1], []
    for change in changes:
        if change.what == "mark":
            marks.append(int(change.path))
            continue
        found += [(list(marks), disk.after_cut(draw)) for _ in range(per_place)]
        disk.follow(change)
    return [*found, (list(marks), disk.after_cut(draw))]


def test_a_power_cut_at_any_point_leaves_a_whole_record_and_all_that_were_in_use_before(library, tmp_path):
    """P9: with writes and names that weren't synced lost, torn or out of order."""
    folder, log = tmp_path / "store", tmp_path / "log"
    CalibrationStore(folder).save(record(1))
    (folder / "history" / "shelf-1").mkdir(parents=True)
    disk = StoreDisk(folder)
    run_victim(library, "record", folder, log)
    changes = list(outbox_shim.read_log(log))
    states = states_after_a_cut(changes, disk, random.Random(611), per_place=12)
    assert len(states) > 300
    for number, (marks, files) in enumerate(states):
        cut = tmp_path / "cut" / str(number)
        for name, data in files.items():
            path = cut / Path(name).relative_to(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        store = CalibrationStore(cut)
        in_use = store.current("shelf-1")
        assert in_use is not None
        kept = [number_of(entry.record) for entry in store.history("shelf-1") if entry.record is not None]
        assert len(kept) == len(store.history("shelf-1"))  # nothing half in the history
        order = [1, 2, 3, 4, 2]
        assert kept in (order[: len(marks)], order[: len(marks) + 1]), (marks, kept)
        assert kept[-1] == number_of(in_use)


def test_kill_9_in_a_loop_of_saves_never_leaves_half_a_record(tmp_path):
    """P9."""
    draw = random.Random(977)
    store = CalibrationStore(tmp_path / "store")
    store.save(record(1))
    done = 1
    for _ in range(60):
        end, begin = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            number = done
            while True:
                number += 1
                store.save(record(number))
                os.write(begin, b".")
        os.close(begin)
        os.read(end, draw.randint(1, 3))  # somewhere in one of the next saves
        for _ in range(draw.randint(0, 30_000)):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(end)
        history = store.history("shelf-1")
        numbers = [number_of(entry.record) for entry in history if entry.record is not None]
        assert numbers == list(range(1, len(history) + 1))
        assert history[-1].in_use
        done = numbers[-1]
    assert done > 60
