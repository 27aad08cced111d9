"""P3: giving never waits, whatever the disk does; nothing committed is lost, order is kept, overflow is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import outbox_make as make
import pytest

from edge.stream.outbox.committer import Body, Committer
from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.records import OutboxLimits

DEADLINE_S = 20.0


class Trouble:
    """A store whose `append` does what the test says before it does its own."""

    def __init__(self, path: Path, limits: OutboxLimits = make.LIMITS) -> None:
        self._store = make.open_store(path, limits)
        self.before: Callable[[], None] = lambda: None
        self.groups: list[int] = []

    def append(self, bodies: Sequence[Body]) -> list[int]:
        self.before()
        seqs = self._store.append(bodies)
        self.groups.append(len(bodies))
        return seqs

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def _until(condition: Callable[[], bool]) -> None:
    by_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < by_s, "waited too long"
        time.sleep(0.005)


def _names(path: Path) -> list[str]:
    store = make.open_store(path)
    rows = make.events(make.everything(store))
    store.close()
    return [row.payload.split(b"/")[2].decode() for row in rows]


def test_everything_given_is_committed_in_order(tmp_path: Path) -> None:
    """P2: from several threads, each one's entries in its order; what waits is committed together."""
    path = tmp_path / "outbox.db"
    seqs: list[int] = []
    committer = Committer(lambda: make.open_store(path), committed=seqs.extend)

    def give(thread: int) -> None:
        for number in range(500):
            assert committer.give(make.body(f"{thread}-{number}"))

    threads = [threading.Thread(target=give, args=(each,)) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert committer.stop()
    names = _names(path)
    for thread in range(4):
        assert [name for name in names if name.startswith(f"{thread}-")] == [
            f"{thread}-{number}" for number in range(500)
        ]
    assert seqs == list(range(1, 2001))


def test_a_disk_that_refuses_for_a_while_costs_nothing(tmp_path: Path) -> None:
    """P3: entries wait in memory and are committed, in order, as soon as it goes again."""
    path = tmp_path / "outbox.db"
    store = Trouble(path)
    refusals = []

    def refuse() -> None:
        if len(refusals) < 3:
            refusals.append(1)
            raise OutboxUnavailableError("the disk is full")

    store.before = refuse
    committer = Committer(lambda: store)  # type: ignore[arg-type, return-value]
    for number in range(100):
        assert committer.give(make.body(number))
    assert committer.flush(DEADLINE_S)
    _until(lambda: committer.state().problem is None)
    assert committer.stop()
    assert _names(path) == [str(number) for number in range(100)]
    assert len(refusals) == 3


def test_a_slow_disk_makes_larger_groups_and_giving_does_not_wait(tmp_path: Path) -> None:
    """P3: while a sync hangs, thousands are taken; then they are few transactions."""
    path = tmp_path / "outbox.db"
    store, hangs, go_on = Trouble(path), threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert go_on.wait(DEADLINE_S)

    store.before = hang
    committer = Committer(lambda: store)  # type: ignore[arg-type, return-value]
    committer.give(make.body("first"))
    assert hangs.wait(DEADLINE_S)
    for number in range(3000):
        assert committer.give(make.body(number))
    assert committer.state().waiting == 3001
    go_on.set()
    assert committer.stop()
    assert len(_names(path)) == 3001
    assert len(store.groups) < 20


def test_too_many_waiting_are_dropped_counted_and_told(tmp_path: Path) -> None:
    """P3, P4: the queue has an end; a `dropped` note says how many, as soon as the disk can be written to."""
    path = tmp_path / "outbox.db"
    may_open = threading.Event()

    def open_store() -> make.OutboxStore:
        if not may_open.is_set():
            raise OutboxUnavailableError("read-only")
        return make.open_store(path)

    committer = Committer(open_store, most_waiting=10)
    taken = [committer.give(make.body(number)) for number in range(25)]
    assert taken == [True] * 10 + [False] * 15
    _until(lambda: committer.state().problem is not None)
    may_open.set()
    assert committer.flush(DEADLINE_S)
    assert committer.stop()
    store = make.open_store(path)
    told = [details for what, details in make.notes(make.everything(store)) if what == "dropped"]
    assert [(each["reason"], each["count"]) for each in told] == [("queue", 15)]
    assert store.counts().dropped_total == 15
    store.close()
    assert _names(path) == [str(number) for number in range(10)]


def test_an_entry_that_can_not_be_encoded_stops_no_other(tmp_path: Path) -> None:
    """P3: it is dropped, counted and told."""

    def fails(boot: int, seq: int) -> bytes:
        raise ValueError("a number that doesn't fit")

    path = tmp_path / "outbox.db"
    committer = Committer(lambda: make.open_store(path))
    for number in range(50):
        committer.give(Body(fails, make.NOW_NS) if number == 20 else make.body(number))
    assert committer.stop()
    assert _names(path) == [str(number) for number in range(50) if number != 20]
    store = make.open_store(path)
    told = [details for what, details in make.notes(make.everything(store)) if what == "dropped"]
    assert [(each["reason"], each["count"]) for each in told] == [("encode", 1)]
    store.close()


def test_what_is_refused_by_the_policy_is_told(tmp_path: Path) -> None:
    """P4: with `refuse`, what comes when the outbox is full is dropped and counted; nothing blocks."""
    path = tmp_path / "outbox.db"
    limits = OutboxLimits(size_bytes=600_000, when_full="refuse")
    committer = Committer(lambda: make.open_store(path, limits))
    for number in range(4000):
        committer.give(make.body(number, 300))
    assert committer.stop()
    names = _names(path)
    assert names == [str(number) for number in range(len(names))]
    store = make.open_store(path, limits)
    assert store.counts().dropped_total == 4000 - len(names) > 0
    store.close()


def test_stopping_while_the_disk_refuses_ends(tmp_path: Path) -> None:
    """P3: a node with a dead disk can be stopped; stop says that something was left."""

    def refuse() -> make.OutboxStore:
        raise OutboxUnavailableError("dead")

    committer = Committer(refuse)
    committer.give(make.body())
    began_s = time.monotonic()
    assert not committer.stop(0.5)
    assert time.monotonic() - began_s < DEADLINE_S
    assert not committer.give(make.body())


@pytest.mark.parametrize("error", [OSError("odd"), RuntimeError("a mistake in the store"), MemoryError()])
def test_anything_a_store_raises_is_survived(tmp_path: Path, error: Exception) -> None:
    """P3: the thread goes on and tries again."""
    path = tmp_path / "outbox.db"
    store = Trouble(path)
    raised = []

    def once() -> None:
        if not raised:
            raised.append(error)
            raise error

    store.before = once
    committer = Committer(lambda: store)  # type: ignore[arg-type, return-value]
    committer.give(make.body("a"))
    assert committer.flush(DEADLINE_S)
    assert committer.stop()
    assert _names(path) == ["a"]
