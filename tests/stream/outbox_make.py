"""Outboxes for tests: bodies that say who they are, crash images, and what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.records import Body, OutboxLimits, Row
from edge.stream.outbox.row_check import row_crc
from edge.stream.outbox.store import OutboxStore
from edge.stream.wire import decode_items

__all__ = ["OutboxStore", "OutboxUnavailableError", "row_crc"]

NOW_NS = 1_770_000_000 * 10**9
LIMITS = OutboxLimits(size_bytes=4e6)


class FakeClock:
    """Monotonic seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def payload_of(boot: int, seq: int, name: object, size: int = 40) -> bytes:
    """A payload that no other entry has, of the size given or a little more.

    0xFF: not CBOR, so never taken for a note.
    """
    return (b"\xff" + f"{boot}/{seq}/{name}/".encode()).ljust(size, b"-")


def body(name: object = "", size: int = 40, wall_ns: int = NOW_NS) -> Body:
    """An entry."""
    return Body(lambda boot, seq: payload_of(boot, seq, name, size), wall_ns)


def open_store(
    path: Path, limits: OutboxLimits = LIMITS, mono_s: Callable[[], float] | None = None, **more: object
) -> OutboxStore:
    """An outbox with a clock that can be given."""
    return OutboxStore.open(path, limits, NOW_NS, mono_s=mono_s or FakeClock(), **more)  # type: ignore[arg-type]


def image(path: Path, folder: Path) -> Path:
    """What is on the disk at this moment, as a power cut would leave it: the outbox's path in a new folder."""
    folder.mkdir(parents=True)
    for each in path.parent.glob(path.name + "*"):
        if not each.name.endswith(("-shm", ".lock")):
            shutil.copyfile(each, folder / each.name)
    return folder / path.name


def everything(store: OutboxStore) -> list[Row]:
    """All rows that are kept, in order."""
    return [row for boot in store.boots() for row in store.rows(boot, 1, 1_000_000)]


def all_pending(store: OutboxStore, most: int = 7) -> list[Row]:
    """All rows that aren't done, read in small parts."""
    found: list[Row] = []
    while rows := store.pending(found[-1].position if found else None, most, 1 << 30):
        found += rows
    return found


def is_note(row: Row) -> bool:
    """Whether the outbox wrote it itself."""
    return not row.payload.startswith(b"\xff")


def events(rows: Iterable[Row]) -> list[Row]:
    """Without the notes."""
    return [row for row in rows if not is_note(row)]


def notes(rows: Iterable[Row]) -> list[tuple[str, dict[str, object]]]:
    """What the notes say."""
    return [(note.what, dict(note.details)) for row in rows if is_note(row) for note in decode_items(row.payload)]


def check_committed(
    path: Path, committed: Iterable[tuple[int, ...]], boots: list[int], limits: OutboxLimits, page_bytes: int
) -> None:
    """Open what a crash has left: all that was committed is there, nothing is wrong or out of order, and it goes on."""
    store = open_store(path, limits, page_bytes=page_bytes)
    try:
        rows = everything(store)
        got = {(row.boot, row.seq): row.payload for row in rows}
        lost = [each for each in committed if each not in got]
        assert not lost, f"committed and lost: {lost}; {store.opening}"
        wrong = [key for key, each in got.items() if each[0] == 0xFF and not each.startswith(b"\xff%d/%d/" % key)]
        assert not wrong, wrong
        positions = [row.position for row in rows]
        assert positions == sorted(set(positions)), positions
        assert store.boot not in boots
        assert boots == sorted(set(boots))
        before = store.last_seq(store.boot)
        assert store.append([body("on")]) == [before + 1]
    finally:
        store.close()
