"""Whatever the disk does: the ring keeps its bounds (P4), the loop never waits (P3), recording goes on by itself."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ring_rig import BEGIN_NS, S, ToldClock, everything, feed, live, recorder, ring_bytes, same, scene, stamp

from edge.node import ring_segment
from edge.node.record import runs_in
from edge.node.ring_facts import segment_facts
from edge.node.ring_folder import segments_in
from edge.stream.entry import Stamp, TimeQuality


def until(true: Callable[[], bool], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("cap", [160_000, 250_000, 400_000])
def test_the_ring_never_takes_more_than_its_size_p4(tmp_path: Path, cap: int) -> None:
    """P4: at any moment, the running segment included; the oldest gives way, other files are left alone."""
    setup, boards = scene(120.0)
    folder = tmp_path / "ring"
    folder.mkdir()
    strangers = [folder / "notes.txt", folder / "00000001-7-1-5.mcap.bak", folder / "trace.mcap"]
    for stranger in strangers:
        stranger.write_bytes(bytes(100_000))
    ring = recorder(folder, setup, options={"size_bytes": cap}, segment_s=10)
    most, watching = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not watching.is_set():
            sizes = 0
            for name in segments_in(folder):
                try:
                    sizes += name.path.stat().st_size
                except OSError:
                    break
            else:
                most = max(most, sizes)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for blocks, _, _ in live(boards, 1):
        feed(ring, blocks, 4000)
    assert ring.stop()
    watching.set()
    watcher.join()
    assert cap / 3 < ring_bytes(folder) <= cap
    assert cap / 3 < most <= cap
    assert all(stranger.stat().st_size == 100_000 for stranger in strangers)
    [run] = runs_in(folder)
    assert run.end_ns == max(int(b.time_ns[-1]) for b in boards.values())
    assert not run.from_start


def test_a_size_that_holds_nothing_is_said_not_exceeded_p4(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, options={"size_bytes": 9_000})
    for blocks, _, _ in live(boards, 1):
        ring.give(blocks)
    assert not ring.flush()
    assert "recording.size" in str(ring.state()["trouble"])
    assert ring.stop()
    assert ring_bytes(tmp_path / "ring") <= 9_000


def test_size_zero_is_off(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, options={"size_bytes": 0})
    ring.give(list(boards.values()))
    ring.begin_run(setup, 2)
    assert ring.flush()
    assert ring.state() == {"state": "off"}
    assert ring.stop()
    assert not (tmp_path / "ring").exists()


def test_what_is_older_than_its_age_goes_p4(tmp_path: Path) -> None:
    """P4: by the monotonic clock of this start of the machine, whatever the wall clock says."""
    setup, boards = scene(120.0)
    clock = ToldClock()
    ring = recorder(tmp_path / "ring", setup, clock, options={"age_s": 60.0}, segment_s=10)
    for blocks, _, now_ns in live(boards, 1):
        clock.now_ns = now_ns
        feed(ring, blocks)
        oldest = min((s.end_ns for r in runs_in(tmp_path / "ring") for s in r.segments), default=now_ns)
        assert oldest >= now_ns - 85 * S  # 60 s, and what hasn't been looked at since the last flush
    assert ring.stop()
    first = segment_facts(segments_in(tmp_path / "ring")[0].path)
    assert first.end_ns >= clock.now_ns - 75 * S


@pytest.mark.parametrize(
    ("quality", "years", "kept"),
    [(TimeQuality.SYNCED, 0, True), (TimeQuality.SYNCED, 1, False), (TimeQuality.FREE, 1, True)],
)
def test_age_over_a_restart_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quality: TimeQuality, years: int, kept: bool
) -> None:
    """A clock that nobody set right deletes nothing: a Pi that wakes in 1970, or in 2038, keeps its recording."""
    setup, boards = scene(120.0)
    first = recorder(tmp_path / "ring", setup)
    for blocks, _, _ in live(boards, 1):
        feed(first, blocks)
    assert first.stop()
    before = {name.serial for name in segments_in(tmp_path / "ring")}
    monkeypatch.setattr("edge.node.ring.os_boot_id", lambda: "another start")
    later = recorder(
        tmp_path / "ring",
        setup,
        boot=8,
        stamp=lambda mono_ns: Stamp(stamp(mono_ns).wall_ns + years * 365 * 86400 * S, quality),
    )
    later.give(list(boards.values()))
    assert later.flush()
    assert later.stop()
    names = segments_in(tmp_path / "ring")
    assert before <= {name.serial for name in names} if kept else not before & {name.serial for name in names}
    assert max(before) < names[-1].serial
    assert names[-1].boot == 8


class Disk:
    """`os.fdatasync` of the recorder, as good or bad as it is told."""

    def __init__(self) -> None:
        self.error = 0
        self.block = threading.Event()
        self.block.set()
        self.stuck = threading.Event()

    def fdatasync(self, number: int) -> None:
        if not self.block.is_set():
            self.stuck.set()
            self.block.wait(60)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(ring_segment.os, "fdatasync", disk.fdatasync)
    return disk


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_for_a_while_costs_nothing_p3(tmp_path: Path, disk: Disk, code: int) -> None:
    """P3: what it may have lost is written again, once; the queue holds a minute."""
    setup, boards = scene(120.0)
    clock = ToldClock()
    ring = recorder(tmp_path / "ring", setup, clock, queue_s=600)
    for blocks, _, now_ns in live(boards, 1):
        clock.now_ns = now_ns
        disk.error = code if 37 * S < now_ns - BEGIN_NS < 80 * S else 0
        ring.give(blocks)
        if disk.error and not ring.state().get("trouble"):
            ring.flush()
            assert ring.state()["state"] == "trouble"
    assert ring.flush()
    assert ring.state()["state"] == "ok"
    assert ring.stop()
    assert ring.state()["dropped_samples"] == 0
    found = everything(tmp_path / "ring")
    assert all(same(found[name], boards[name]) for name in boards)
    assert not [gap for run in runs_in(tmp_path / "ring") for gap in run.gaps]


def test_a_disk_that_hangs_does_not_hold_up_the_loop_and_the_loss_is_told_p3(tmp_path: Path, disk: Disk) -> None:
    """P3, P4: what is beyond the queue is dropped by whole blocks, counted, and noted in the recording."""
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, queue_s=30)
    worst_s = 0.0
    for blocks, _, now_ns in live(boards, 1):
        if now_ns - BEGIN_NS < 20 * S:
            feed(ring, blocks, 2000)
            continue
        if not disk.stuck.is_set() and now_ns - BEGIN_NS > 25 * S and disk.block.is_set():
            disk.block.clear()
            threading.Thread(target=ring.flush, args=(60,), daemon=True).start()
            assert disk.stuck.wait(20)
        begun_s = time.perf_counter()
        ring.give(blocks)
        worst_s = max(worst_s, time.perf_counter() - begun_s)
        if now_ns - BEGIN_NS > 100 * S:
            disk.block.set()
            feed(ring, [], 0)
    assert ring.stop()
    state = ring.state()
    assert worst_s < 0.5
    assert state["dropped_samples"] > 0
    gaps = [gap for run in runs_in(tmp_path / "ring") for gap in run.gaps]
    assert sum(gap.samples for gap in gaps) == state["dropped_samples"]
    assert sum(gap.blocks for gap in gaps) == state["dropped_blocks"]
    found = everything(tmp_path / "ring")
    assert sum(map(len, found.values())) + state["dropped_samples"] == sum(map(len, boards.values()))


def test_a_folder_removed_while_it_records_comes_back_and_the_loss_is_told(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    clock = ToldClock()
    ring = recorder(tmp_path / "state" / "ring", setup, clock, queue_s=600)
    removed = False
    for blocks, _, now_ns in live(boards, 1):
        clock.now_ns = now_ns
        ring.give(blocks)
        if not removed and now_ns - BEGIN_NS > 50 * S:
            assert ring.flush()
            shutil.rmtree(tmp_path / "state")
            removed = True
    assert ring.flush()
    assert ring.stop()
    [run] = runs_in(tmp_path / "state" / "ring")
    assert run.end_ns == max(int(b.time_ns[-1]) for b in boards.values())
    assert any("removed" in gap.why for gap in run.gaps)
    assert not run.from_start


def test_a_folder_that_cannot_be_made_is_trouble_not_an_exception(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    (tmp_path / "state").write_text("in the way")
    ring = recorder(tmp_path / "state" / "ring", setup)
    ring.give(list(boards.values())[:1])
    assert not ring.flush()
    assert ring.state()["state"] == "trouble"
    (tmp_path / "state").unlink()
    assert ring.flush()
    assert ring.state()["state"] == "ok"
    assert ring.stop()


def test_a_block_no_trace_can_hold_is_dropped_alone(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, queue_s=600)
    first = boards["shelf-1"].part(0, 4000)
    ring.give([first.part(1000, 4000), first.part(0, 10), boards["shelf-2"].part(0, 4000)])
    assert ring.flush()
    assert ring.stop()
    assert ring.state()["dropped_samples"] == 10
    found = everything(tmp_path / "ring")
    assert len(found["shelf-1"]) == 3000
    assert len(found["shelf-2"]) == 4000


def test_two_lives_share_a_ring_and_stay_apart(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    for boot in (4_000_000_000, 3):  # a node that lost its memory begins with any number
        ring = recorder(tmp_path / "ring", setup, boot=boot, queue_s=600)
        ring.give(list(boards.values()))
        assert ring.stop()
    assert [run.facts.boot for run in runs_in(tmp_path / "ring")] == [4_000_000_000, 3]


def test_stop_gives_up_on_a_disk_that_hangs_p3(tmp_path: Path, disk: Disk) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, queue_s=600)
    for blocks, _, _ in live(boards, 1):
        ring.give(blocks)
    disk.block.clear()
    assert not ring.stop(0.2)
    disk.block.set()
    assert ring.stop(20)
    assert all(same(everything(tmp_path / "ring")[name], boards[name]) for name in boards)


@pytest.mark.parametrize(("size_bytes", "kept"), [(200_000, False), (10_000_000, True)])
def test_on_a_disk_that_others_fill_the_ring_gives_way_down_to_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int, kept: bool
) -> None:
    """The last free bytes are the events'; recording stops, is told, and goes on when there is room again."""
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, options={"size_bytes": size_bytes}, segment_s=10)
    feeding = live(boards, 1)
    for blocks, _, now_ns in feeding:
        feed(ring, blocks, 4000)
        if now_ns - BEGIN_NS > 60 * S:
            break
    assert ring.flush()
    before = segments_in(tmp_path / "ring")
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((real[0], real[1], real[2], 0, 0, *real[5:]))
    with monkeypatch.context() as patch:
        patch.setattr("edge.node.ring_folder.os.statvfs", lambda _: full)
        ring.give(next(feeding)[0])
        assert not ring.flush()
        assert "almost full" in str(ring.state()["trouble"])
        left = segments_in(tmp_path / "ring")
        assert (len(left) == len(before)) is kept
        assert ring_bytes(tmp_path / "ring") >= min(size_bytes, ring_bytes(tmp_path / "ring")) / 20
    for blocks, _, _ in feeding:
        feed(ring, blocks, 4000)
    assert ring.stop()
    assert ring.state()["dropped_samples"] == 0
    [run] = runs_in(tmp_path / "ring")
    assert run.end_ns == max(int(b.time_ns[-1]) for b in boards.values())
