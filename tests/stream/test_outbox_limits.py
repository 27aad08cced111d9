"""P4: the outbox's bounds on bytes and age hold, and what gives way is counted and told."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import outbox_make as make
import pytest

from edge.stream.outbox.errors import OutboxFullError
from edge.stream.outbox.records import OutboxLimits
from edge.stream.outbox.room import files_bytes

SMALL = OutboxLimits(size_bytes=600_000)
HOUR_NS = 3600 * 10**9


def _fill(store: make.OutboxStore, path: Path, times: float, size: int = 100, group: int = 20) -> int:
    """Append until `times` the limit has gone in; how many entries. The files never take more than the limit."""
    count = 0
    while count * size < times * SMALL.size_bytes:
        store.append([make.body(count + each, size) for each in range(group)])
        count += group
        assert files_bytes(path) <= SMALL.size_bytes
    return count


def _told(store: make.OutboxStore) -> list[dict[str, object]]:
    return [details for what, details in make.notes(make.everything(store)) if what == "dropped"]


@pytest.mark.parametrize(("size", "group"), [(100, 60), (30, 200), (3000, 2), (9000, 1)])
def test_the_oldest_give_way_and_are_told(tmp_path: Path, size: int, group: int) -> None:
    """P4: five times as much as there is room for; what isn't there any more is what the notes say."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path, SMALL)
    count = _fill(store, path, 5.0, size, group)
    store.close()
    boot = store.boot
    store = make.open_store(path, SMALL)
    rows = store.rows(boot, 1, 1 << 30)
    assert [row.seq for row in rows] == list(range(rows[0].seq, rows[0].seq + len(rows))), "only the oldest go"
    assert len(make.events(rows)) * (size + 40) > 0.3 * SMALL.size_bytes
    assert store.counts().dropped_total >= count - len(make.events(rows))
    told = _told(store)
    assert 1 <= len(told) <= 3, "added up, not one for each"
    assert {each["reason"] for each in told} == {"full"}
    assert sum(int(str(each["count"])) for each in told) == store.counts().dropped_total
    assert max((each["boot"], each["last"]) for each in told) == (boot, rows[0].seq - 1)
    assert min(each["first"] for each in told) == 1
    store.close()


def test_what_is_delivered_gives_way_first_and_silently(tmp_path: Path) -> None:
    """P4: nothing undelivered goes while there is something delivered."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path, SMALL)
    kept = 0
    for number in range(400):
        seqs = store.append([make.body(number, 200) for _ in range(20)])
        if number % 10:
            store.done(store.boot, seqs[-3])
        kept = max(kept, store.counts().kept)
        assert files_bytes(path) <= SMALL.size_bytes
    assert store.counts().dropped_total == 0
    assert _told(store) == []
    assert store.counts().kept > 500, "kept for whoever asks again, while there is room"
    store.close()


def test_refusing_keeps_what_is_there_and_counts_what_is_refused(tmp_path: Path) -> None:
    """P4: policy `refuse`: nothing gives way; once there is room again, a note tells how many were refused."""
    path = tmp_path / "outbox.db"
    clock = make.FakeClock()
    store = make.open_store(path, replace(SMALL, when_full="refuse"), mono_s=clock)
    count = refused = 0
    while refused < 50:
        try:
            store.append([make.body(count, 200)])
            count += 1
        except OutboxFullError:
            store.count_dropped(1, "refused")
            refused += 1
        assert files_bytes(path) <= SMALL.size_bytes
    assert len(make.events(make.all_pending(store))) == count
    clock.now_s += 100.0
    store.housekeep()
    store.done(store.boot, store.last_seq(store.boot))
    store.append([make.body("goes again")])
    told = _told(store)
    assert sum(int(str(each["count"])) for each in told) == 50
    assert {each["reason"] for each in told} == {"refused"}
    store.close()


def test_too_large_for_the_outbox_is_refused_at_once(tmp_path: Path) -> None:
    """P4: an entry that can't ever fit is an error of its own, and nothing gives way for it."""
    store = make.open_store(tmp_path / "outbox.db", SMALL)
    store.append([make.body("small")])
    with pytest.raises(OutboxFullError, match="expected at most"):
        store.append([make.body("large", 400_000)])
    assert store.counts().pending == 1
    store.close()


def test_old_entries_go_even_when_nothing_new_comes(tmp_path: Path) -> None:
    """P4: by age; told where they weren't delivered."""
    clock = make.FakeClock()
    limits = replace(make.LIMITS, age_s=3600.0)
    store = make.open_store(tmp_path / "outbox.db", limits, mono_s=clock)
    boot = store.boot
    store.append([make.body(number, wall_ns=make.NOW_NS) for number in range(10)])
    store.done(boot, 4)
    clock.now_s += 3000.0
    store.append([make.body(number, wall_ns=make.NOW_NS + 3000 * 10**9) for number in range(10, 20)])
    clock.now_s += 700.0
    store.housekeep()
    assert store.first_kept(boot) == 11
    assert [(each["reason"], each["first"], each["last"], each["count"]) for each in _told(store)] == [
        ("age", 5, 10, 6)
    ]
    store.close()


def test_setting_the_clock_makes_no_entry_old(tmp_path: Path) -> None:
    """P6: stamped in 1970 before the clock was set, an entry isn't half a century old afterwards."""
    clock = make.FakeClock()
    limits = replace(make.LIMITS, age_s=3600.0)
    path = tmp_path / "outbox.db"
    store = make.OutboxStore.open(path, limits, 60 * 10**9, mono_s=clock)
    boot = store.boot
    store.append([make.body("early", wall_ns=61 * 10**9)])
    clock.now_s += 4000.0
    store.append([make.body("late", wall_ns=4061 * 10**9)])
    store.remember_clock(make.NOW_NS)
    clock.now_s += 11.0
    store.housekeep()
    assert [row.seq for row in make.events(make.everything(store))] == [2], "one is older than an hour, one isn't"
    store.close()
    store = make.OutboxStore.open(path, limits, make.NOW_NS + 60 * 10**9, mono_s=clock)
    assert store.last_wall_ns == make.NOW_NS
    assert [row.seq for row in make.events(store.rows(boot))] == [2]
    assert store.counts().oldest_pending_s == pytest.approx(60.0, abs=1.0)
    store.close()


def test_a_program_that_reads_for_hours_can_not_make_the_log_grow_without_end(tmp_path: Path) -> None:
    """P4: SQLite can't shorten its log while somebody reads an old state; then entries wait in memory instead."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path, SMALL)
    _fill(store, path, 0.3)
    other = sqlite3.connect(path)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM entry").fetchone()
    with pytest.raises(make.OutboxUnavailableError, match="another program"):
        _fill(store, path, 20.0)
    assert files_bytes(path) <= SMALL.size_bytes
    other.close()
    _fill(store, path, 0.5)
    store.close()


@pytest.mark.parametrize("wrong", [{"size_bytes": 1000.0}, {"age_s": 0.0}, {"size_bytes": float("nan")}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """P4: with a sentence that says what is expected."""
    with pytest.raises(ValueError, match="expected"):
        OutboxLimits(**wrong)  # type: ignore[arg-type]
