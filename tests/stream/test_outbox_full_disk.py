"""P4: a disk that is smaller than the outbox may be, or that others fill. On a tmpfs where one may be mounted."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import outbox_make as make
import pytest

from edge.stream.outbox.committer import Committer
from edge.stream.outbox.lock_file import leave_trace
from edge.stream.outbox.records import OutboxLimits
from edge.stream.outbox.room import files_bytes

LARGE = OutboxLimits(size_bytes=256e6)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    try:
        refused = os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        refused = True
    if refused:
        pytest.skip("a disk of its own can't be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> int:
    """Take all there is on the disk; how many bytes."""
    taken = 0
    with (folder / "others").open("ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    taken += file.write(b"x" * size)
            except OSError:
                continue
    return taken


def _told(store: make.OutboxStore) -> int:
    return sum(int(str(each["count"])) for what, each in make.notes(make.everything(store)) if what == "dropped")


def test_the_oldest_give_way_on_a_small_disk(disk: Path) -> None:
    """P4: the outbox is as large as the disk allows; five disks full of entries go through it, and none is refused."""
    path = disk / "outbox.db"
    clock = make.FakeClock()
    store = make.open_store(path, LARGE, mono_s=clock)
    for number in range(500):
        clock.now_s += 1.0
        store.append([make.body(f"{number}-{each}", 100) for each in range(100)])
    kept = make.events(make.all_pending(store, 200))
    assert b"/499-99/" in kept[-1].payload
    assert len(kept) > 1000
    assert len(kept) + store.counts().dropped_total == 50_000 + _dropped_notes(store)
    boot = store.boot
    store.close()
    store = make.open_store(path, LARGE)
    assert not store.opening.damaged
    assert store.first_kept(boot) is not None
    assert sum(loss.count for loss in store._state.losses) == store.counts().dropped_total >= _told(store) > 0
    store.close()


def _dropped_notes(store: make.OutboxStore) -> int:
    """Notes that gave way too."""
    rows = make.everything(store)
    return store.last_seq(store.boot) - 50_000 - (len(rows) - len(make.events(rows)))


def test_a_disk_that_others_fill(disk: Path) -> None:
    """P4: with nothing left on it, the oldest give way inside the file; when there is room again, it grows again."""
    path = disk / "outbox.db"
    clock = make.FakeClock()
    store = make.open_store(path, LARGE, mono_s=clock)
    numbers = itertools.count()
    for _ in range(100):
        store.append([make.body(next(numbers), 100) for _ in range(20)])
    _fill(disk)
    refused = 0
    for _ in range(400):
        clock.now_s += 0.5
        _fill(disk)
        try:
            store.append([make.body(next(numbers), 100) for _ in range(20)])
        except make.OutboxUnavailableError:
            refused += 1
    assert refused == 0
    assert store.counts().dropped_total > 0
    kept = len(make.events(make.all_pending(store, 200)))
    assert kept > 200
    (disk / "others").unlink()
    for _ in range(200):
        clock.now_s += 0.5
        store.append([make.body(next(numbers), 100) for _ in range(20)])
    assert len(make.events(make.all_pending(store, 200))) > kept
    store.close()


def test_opened_on_a_full_disk(disk: Path) -> None:
    """P4, P1: closed, the disk filled to the last byte, and opened: it goes on, and nothing but the oldest goes."""
    path = disk / "outbox.db"
    store = make.open_store(path, LARGE)
    for number in range(100):
        store.append([make.body(f"{number}-{each}", 100) for each in range(30)])
    before = store.counts().pending
    store.close()
    assert path.with_name("outbox.reserve").stat().st_size > 0
    _fill(disk)
    store = make.open_store(path, LARGE)
    for number in range(100):
        store.append([make.body(f"new-{number}-{each}", 100) for each in range(5)])
    kept = make.events(make.all_pending(store, 200))
    assert sum(b"new-" in row.payload for row in kept) == 500
    assert len(kept) + store.counts().dropped_total >= before
    store.close()


def test_what_waits_at_the_stop_goes_where_the_reserve_was(disk: Path) -> None:
    """P1: a small outbox on a disk that is full: what waits in memory is committed before the end."""
    path = disk / "outbox.db"
    store = make.open_store(path, LARGE)
    store.append([make.body("first")])
    _fill(disk)
    committer = Committer(lambda: store)
    for number in range(300):
        committer.give(make.body(number, 100))
    assert not committer.flush(0.5)
    assert committer.stop()
    (disk / "others").unlink()
    store = make.open_store(path, LARGE)
    assert len(make.events(make.all_pending(store, 200))) == 301
    assert _told(store) == 0
    store.close()


def test_what_the_disk_refused_until_the_stop_is_told_by_the_next_start(tmp_path: Path) -> None:
    """P1: the count goes into the lock file, in place, which needs no room."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a")])

    def refuse(*_: object, **__: object) -> list[int]:
        raise make.OutboxUnavailableError("the disk is full")

    store._commit = refuse  # type: ignore[method-assign]
    committer = Committer(lambda: store)
    for number in range(7):
        committer.give(make.body(number))
    assert not committer.stop(0.2)
    store = make.open_store(path)
    (told,) = [details for what, details in make.notes(make.everything(store)) if what == "dropped"]
    assert (told["reason"], told["count"]) == ("queue", 7)
    store.close()
    store = make.open_store(path)
    assert _told(store) == 7
    store.close()


def test_a_trace_where_it_was_never_open(tmp_path: Path) -> None:
    """P1: an outbox that can't be opened until the stop."""
    path = tmp_path / "outbox.db"
    assert leave_trace(path, 3)
    assert leave_trace(path, 2)
    store = make.open_store(path)
    assert _told(store) == 5
    store.close()


def test_reserve_and_files_stay_within_the_size(tmp_path: Path) -> None:
    """P4: what is in reserve is part of it."""
    limits = replace(LARGE, size_bytes=2e6)
    path = tmp_path / "outbox.db"
    store = make.open_store(path, limits)
    for number in range(300):
        store.append([make.body(f"{number}-{each}", 100) for each in range(100)])
        assert files_bytes(path) + path.with_name("outbox.reserve").stat().st_size <= limits.size_bytes
    store.close()
