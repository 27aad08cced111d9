"""P5: whatever lies where the outbox should be, it opens; what is intact is used, the rest set aside and told."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import outbox_make as make
import pytest

from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.reader import OutboxReader

ROOT = Path(__file__).parents[2]


def _lived(path: Path, *, closed: bool, count: int = 300) -> dict[tuple[int, int], bytes]:
    """An outbox with some entries; the truth of what is in it."""
    store = make.open_store(path)
    for first in range(0, count, 10):
        store.append([make.body(first + each) for each in range(10)])
    store.done(store.boot, 50)
    truth = {(row.boot, row.seq): row.payload for row in make.everything(store)}
    if closed:
        store.close()
        return truth
    folder = path.parent.with_name(path.parent.name + "-cut")
    make.image(path, folder)
    store.close()
    shutil.rmtree(path.parent)
    folder.rename(path.parent)
    return truth


def _set_aside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.glob("outbox.damaged-*"))


def _not_a_database(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(50_000))


def _folder(path: Path) -> None:
    path.unlink()
    (path / "sub").mkdir(parents=True)


def _another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE shopping(what TEXT)")


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _log_is_a_folder(path: Path) -> None:
    path.with_name(path.name + "-wal").mkdir()


@pytest.mark.parametrize("damage", [_not_a_database, _folder, _another_database, _zeros, _log_is_a_folder])
def test_anything_in_its_place_is_set_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """P5: with a note that says so, and a boot that hasn't been."""
    path = tmp_path / "state" / "outbox.db"
    truth = _lived(path, closed=True)
    damage(path)
    store = make.open_store(path)
    assert store.opening.damaged
    assert _set_aside(path)
    assert store.boot not in {boot for boot, _ in truth}
    assert [what for what, _ in make.notes(make.everything(store))] == ["damaged"]
    assert store.append([make.body("on")]) == [store.last_seq(store.boot)]
    store.close()
    store = make.open_store(path)
    assert not store.opening.damaged
    assert store.opening.clean
    store.close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "power cut"])
@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_cut_off_anywhere(tmp_path: Path, closed: bool, suffix: str) -> None:
    """P5: the file or its log ends too early: what is before that is delivered, nothing wrong is."""
    path = tmp_path / "state" / "outbox.db"
    truth = _lived(path, closed=closed)
    size = path.with_name(path.name + suffix).stat().st_size if path.with_name(path.name + suffix).exists() else 0
    for number, at in enumerate(random.Random(2).sample(range(size), min(size, 25))):
        cut = make.image(path, tmp_path / f"cut-{number}")
        os.truncate(cut.with_name(cut.name + suffix), at)
        store = make.open_store(cut)
        rows = [row for row in make.everything(store) if row.boot != store.boot]
        assert all(truth[row.boot, row.seq] == row.payload for row in rows)
        if suffix == "" and not closed:
            assert len(rows) == len(truth), "all of it is in the log"
        assert store.append([make.body("on")])
        store.close()


@pytest.mark.parametrize("seed", range(6))
def test_pages_overwritten_at_random(tmp_path: Path, seed: int) -> None:
    """P5: several pages of a larger file are lost; all entries of the others are there, and the gaps are told."""
    path = tmp_path / "state" / "outbox.db"
    truth = _lived(path, closed=True, count=3000)
    draw = random.Random(seed)
    data = bytearray(path.read_bytes())
    for page in draw.sample(range(len(data) // 4096), 5):
        data[page * 4096 : page * 4096 + 4096] = draw.choice((bytes(4096), draw.randbytes(4096)))
    intact = {key for key, payload in truth.items() if bytes(data).find(payload) >= 0}
    path.write_bytes(data)
    store = make.open_store(path)
    rows = {(row.boot, row.seq): row.payload for row in make.everything(store) if row.boot != store.boot}
    assert intact <= rows.keys()
    assert all(truth[key] == payload for key, payload in rows.items())
    assert store.opening.rows_kept == len(rows)
    lost = truth.keys() - rows.keys()
    missing = {(boot, seq) for boot, first, last in store.opening.missing for seq in range(first, last + 1)}
    last_kept = max((seq for _, seq in rows), default=0)
    assert {key for key in lost if key[1] < last_kept} - missing <= {(boot, seq) for boot, seq in lost if seq <= 50}
    assert missing <= lost
    store.close()
    with OutboxReader(path) as reader:
        assert len(make.events(reader.rows())) == len(rows)


def test_damage_that_comes_while_it_runs_is_mended(tmp_path: Path) -> None:
    """P5: a page goes bad under a running store: reading notices, the file is set aside, numbers go on."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    for first in range(0, 2000, 100):
        store.append([make.body(first + each) for each in range(100)])
    store._files.shorten_log()
    size = path.stat().st_size
    handle = os.open(path, os.O_RDWR)
    for page in range(size // 4096 // 2, size // 4096):
        os.pwrite(handle, b"\x00" * 600, page * 4096 + 2000)
    store._files.reader.execute("PRAGMA cache_size=0")
    store._files.reader.execute("PRAGMA shrink_memory")
    last = store.last_seq(store.boot)
    rows = make.all_pending(store, 500)
    assert store.opening.damaged
    assert 500 < len(rows) < last
    assert all(row.payload.startswith(b"\xff%d/%d/" % row.position) for row in make.events(rows))
    after = store.append([make.body("on")])[0]
    assert after > last
    told = [details for what, details in make.notes(make.everything(store)) if what == "damaged"]
    assert sum(int(str(each["rows_lost"])) for each in told) == store.counts().damaged_total > 0
    os.close(handle)
    store.close()


def test_a_file_that_is_removed_while_it_runs_is_begun_anew(tmp_path: Path) -> None:
    """P1: what is committed afterwards is where the next start finds it."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a")])
    store.append([make.body("b")])
    for each in tmp_path.glob("outbox.db*"):
        each.unlink()
    assert store.append([make.body("c")]) >= [3]
    cut = make.image(path, tmp_path / "cut")
    again = make.open_store(cut)
    assert any(row.payload.split(b"/")[2] == b"c" for row in make.events(make.everything(again)))
    again.close()
    store.close()


def test_what_was_set_aside_is_kept_but_not_for_ever(tmp_path: Path) -> None:
    """P4: a disk that damages the file each night doesn't fill with copies."""
    path = tmp_path / "state" / "outbox.db"
    _lived(path, closed=True)
    for _ in range(6):
        _zeros(path)
        make.open_store(path).close()
    assert len({name.split(".")[1] for name in _set_aside(path)}) == 3


def test_two_nodes_can_not_write_to_one_outbox(tmp_path: Path) -> None:
    """P1: the second is told what to do, and the first goes on undisturbed."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    script = (
        "import sys; from pathlib import Path; from edge.stream.outbox.store import OutboxStore\n"
        "from edge.stream.outbox.records import OutboxLimits\n"
        "OutboxStore.open(Path(sys.argv[1]), OutboxLimits(), 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, path], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert "another process writes to it" in found.stderr
    assert store.append([make.body("a")]) == [1]
    store.close()


def test_where_it_may_not_write_it_says_what_to_do(tmp_path: Path) -> None:
    """P5: a file where the folder should be: an error with a remedy, and nothing is broken."""
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(OutboxUnavailableError, match="expected a folder"):
        make.open_store(tmp_path / "state" / "outbox.db")


def test_a_large_file_that_was_cut_off_while_being_replaced(tmp_path: Path) -> None:
    """P5: the power goes between the two renames of a mending: the new file is taken, the old log isn't."""
    path = tmp_path / "state" / "outbox.db"
    truth = _lived(path, closed=True)
    path.rename(path.with_name("outbox.db.new"))
    path.with_name("outbox.db-wal").write_bytes(b"of the damaged one" * 100)
    store = make.open_store(path)
    rows = {(row.boot, row.seq): row.payload for row in make.everything(store) if row.boot != store.boot}
    assert rows == truth
    store.close()


def test_reading_beside_the_node_follows_what_is_new(tmp_path: Path) -> None:
    """A reader sees each entry once, in order, while the node writes, restarts and mends its file."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    store.append([make.body(number) for number in range(5)])
    with OutboxReader(path) as reader:
        seen = list(reader.rows())
        assert reader.next_rows() == []
        for _ in range(3):
            store.append([make.body("more")])
            seen += reader.next_rows()
            store._mend("a test says so")
            store.append([make.body("still more")])
            seen += reader.next_rows()
            store.close()
            store = make.open_store(path)
        assert reader.problems == []
        keys = [row.position for row in seen]
        assert keys == sorted(set(keys))
        assert keys == [row.position for row in make.everything(store)][: len(keys)]
        assert next(reader.rows(after=keys[3])).seq == 5
    store.close()


def test_reading_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A card taken out of a node after a power cut, in a reader that is write-protected: the log is read too."""
    made = tmp_path / "state" / "outbox.db"
    truth = _lived(made, closed=False)
    folder = Path(tempfile.mkdtemp())  # where another user gets to
    try:
        path = make.image(made, folder / "state")
        for each in (*path.parent.iterdir(), path.parent, folder):
            each.chmod(0o555)
        found = _count_as_nobody(path)
        assert sorted(each.name for each in path.parent.iterdir()) == ["outbox.db", "outbox.db-wal"]
    finally:
        folder.chmod(0o755)
        path.parent.chmod(0o755)
        shutil.rmtree(folder)
    assert found == len(truth)


def _count_as_nobody(path: Path) -> int:
    """How many entries a reader gives in a process that may not write there."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with OutboxReader(path) as reader:
                os.write(theirs, str(len(list(reader.rows()))).encode())
        except BaseException:  # noqa: BLE001
            os.write(theirs, b"-1")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found = int(os.read(ours, 20))
    os.close(ours)
    os.close(theirs)
    return found


def test_no_outbox_is_a_sentence(tmp_path: Path) -> None:
    """A reader where no node has run yet."""
    with pytest.raises(OutboxUnavailableError, match="expected the outbox of a node that has run"):
        OutboxReader(tmp_path / "outbox.db")
