"""P5: every byte of a small outbox is changed in turn: it opens, gives what wasn't hit, tells the rest, and goes on."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import outbox_make as make
import pytest

from edge.stream.outbox.records import Row

PAGE_BYTES = 512
AROUND = 30  # bytes before and behind a payload that belong to the row: sizes, numbers, check value
SUFFIXES = ("", "-wal")
Image = dict[str, bytes]
Truth = dict[tuple[int, int], bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be had: what a disk does isn't the question here."""
    memory = Path("/dev/shm")
    folder = memory / f"outbox-{tmp_path.name}-{random.randrange(1 << 40)}" if memory.is_dir() else tmp_path / "many"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def _made(folder: Path, *, closed: bool) -> tuple[Image, Truth]:
    """An outbox after two starts: its files, and what is in it."""
    path = folder / "first" / "outbox.db"
    store = make.open_store(path, page_bytes=PAGE_BYTES)
    store.append([make.body(name) for name in "ab"])
    store.append([make.body("long", size=600)])
    store.done(store.boot, 1)
    store.close()
    store = make.open_store(path, page_bytes=PAGE_BYTES)
    store.append([make.body(name) for name in "gh"])
    store.append([make.body("j")])
    truth = {(row.boot, row.seq): row.payload for row in make.everything(store)}
    if closed:
        store.close()
    image = {suffix: _bytes(path.with_name(path.name + suffix)) for suffix in SUFFIXES}
    store.close()
    return image, truth


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _hit(image: Image, suffix: str, at: int, truth: Truth) -> set[tuple[int, int]]:
    """The entries of which a byte may have been hit: wherever a copy of the first of its bytes is."""
    found = set()
    for key, payload in truth.items():
        begin = -1
        while (begin := image[suffix].find(payload[:30], begin + 1)) >= 0:
            if begin - AROUND <= at < begin + min(len(payload), PAGE_BYTES) + AROUND:
                found.add(key)
        begin = image[suffix].find(payload[-30:])
        while len(payload) > PAGE_BYTES // 2 and begin >= 0:  # and the pages that it goes on in
            if begin - PAGE_BYTES <= at < begin + 30 + AROUND:
                found.add(key)
            begin = image[suffix].find(payload[-30:], begin + 1)
    return found


def _check(path: Path, truth: Truth, may_miss: set[tuple[int, int]]) -> None:
    store = make.open_store(path, page_bytes=PAGE_BYTES)
    try:
        rows = make.everything(store)
        got: dict[tuple[int, int], Row] = {(row.boot, row.seq): row for row in rows}
        assert len(got) == len(rows)
        old = {key: row for key, row in got.items() if key[0] != store.boot}
        assert {key: row.payload for key, row in old.items()} == {key: truth[key] for key in old}, "a wrong entry"
        missing = truth.keys() - old.keys()
        assert missing <= may_miss, f"lost though not hit: {missing - may_miss}"
        if missing:
            assert store.opening.damaged
            told = [each for what, details in make.notes(rows) if what == "damaged" for each in details["missing"]]
            assert told == [list(each) for each in store.opening.missing]
        assert store.boot not in {boot for boot, _ in truth}
        pending = make.all_pending(store)
        assert [row.position for row in pending] == sorted(row.position for row in pending)
        store.append([make.body("new")])
        assert make.everything(store)[-1].payload.startswith(b"\xff")
    finally:
        store.close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "power cut"])
def test_any_changed_byte_costs_at_most_the_entry_it_is_in(folder: Path, closed: bool) -> None:
    """P5: database and log; each byte once, with a pattern drawn for it."""
    image, truth = _made(folder, closed=closed)
    draw = random.Random(20261121)
    for suffix in SUFFIXES:
        for at in range(len(image[suffix])):
            changed = bytearray(image[suffix])
            changed[at] ^= draw.choice((0xFF, 0x01, 0x80, changed[at] or 0xFF, draw.randrange(1, 256)))
            case = folder / "case"
            case.mkdir()
            for each in SUFFIXES:
                data = changed if each == suffix else image[each]
                if data:
                    (case / f"outbox.db{each}").write_bytes(data)
            try:
                _check(case / "outbox.db", truth, _hit(image, suffix, at, truth))
            except Exception as error:
                raise AssertionError(f"outbox.db{suffix}, byte {at}: {error!r}") from error
            shutil.rmtree(case)
