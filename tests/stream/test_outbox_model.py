"""P1, P2, P5: an outbox against a model of it: append, deliver, crash, close, damage, in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import outbox_make as make
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.stream.outbox.records import OutboxLimits

LIMITS = OutboxLimits(size_bytes=512 * 1024)
MEMORY = Path("/dev/shm")


class OutboxMachine(RuleBasedStateMachine):
    """The model: what was committed, how far each boot was delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.committed: dict[tuple[int, int], bytes] = {}
        self.done: dict[int, int] = {}
        self.boots: list[int] = []
        self.starts = 0

    @initialize()
    def begin(self) -> None:
        self.path = self.folder / "0" / "outbox.db"
        self._open()

    def _open(self) -> None:
        self.store = make.open_store(self.path, LIMITS, page_bytes=1024)
        assert self.store.boot not in self.boots
        assert not self.boots or self.store.boot > self.boots[-1]
        self.boots.append(self.store.boot)

    @rule(sizes=st.lists(st.sampled_from([30, 60, 400, 1500]), min_size=1, max_size=30))
    def append(self, sizes: list[int]) -> None:
        before = self.store.last_seq(self.store.boot)
        seqs = self.store.append([make.body("x", size) for size in sizes])
        assert seqs == list(range(before + 1, before + 1 + len(sizes)))
        for seq, size in zip(seqs, sizes, strict=True):
            self.committed[self.store.boot, seq] = make.payload_of(self.store.boot, seq, "x", size)

    @rule(share=st.floats(0.0, 1.0), which=st.integers(0, 3))
    def deliver(self, share: float, which: int) -> None:
        boot = self.store.boots()[-1 - which % len(self.store.boots())]
        seq = int(share * self.store.last_seq(boot))
        self.store.done(boot, seq)
        self.done[boot] = max(self.done.get(boot, 0), seq)

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self._open()
        for boot in self.store.boots():
            assert all(row.seq > self.done.get(boot, 0) for row in make.all_pending(self.store) if row.boot == boot)

    @rule()
    def crash_and_open(self) -> None:
        """The disk as it is at this moment; how far it was delivered may be forgotten."""
        self.starts += 1
        image = make.image(self.path, self.folder / str(self.starts))
        self.store.close()
        self.path = image
        self.done = {}
        self._open()

    @rule()
    def mend(self) -> None:
        """As if damage had been met; nothing is damaged, so nothing is lost."""
        self.store._mend("a test says so")
        assert self.store.opening.rows_lost == 0

    @precondition(lambda self: self.starts < 30)
    @rule()
    def housekeep(self) -> None:
        self.store.housekeep()

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        rows = make.everything(self.store)
        assert [row.position for row in rows] == sorted({row.position for row in rows})
        got = {(row.boot, row.seq): row.payload for row in rows if not make.is_note(row)}
        assert got == {key: self.committed[key] for key in got}
        counts = self.store.counts()
        assert counts.kept == len(rows)
        assert counts.bytes <= LIMITS.size_bytes
        if not counts.dropped_total:
            undelivered = {key for key in self.committed if key[1] > self.done.get(key[0], 0)}
            assert undelivered <= got.keys()
        pending = make.all_pending(self.store, 50)
        assert counts.pending == len(pending)
        assert all(row.seq > self.done.get(row.boot, 0) for row in pending)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        shutil.rmtree(self.folder)


OutboxMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestOutboxModel = OutboxMachine.TestCase
