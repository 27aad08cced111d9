"""The outbox's files are removed, emptied or written to by others, before a start and while it runs."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import outbox_make as make
import pytest

ROOT = Path(__file__).parents[2]
_SECOND = """
import sys
from pathlib import Path
import outbox_make as make
store = make.open_store(Path(sys.argv[1]))
print(store.boot, store.append([make.body("of the other")]), flush=True)
sys.stdin.readline()
store.close()
"""


def _aside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.glob("outbox.damaged-*.db"))


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("lose", [_emptied, _removed])
def test_an_outbox_that_is_empty_or_gone_is_told(
    tmp_path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """P5: what a power cut leaves isn't taken for a first start: a note, a warning, and boots that haven't been."""
    path = tmp_path / "state" / "outbox.db"
    for _ in range(3):
        store = make.open_store(path)
        store.append([make.body("a")])
        store.close()
    boot = store.boot
    lose(path)
    with caplog.at_level(logging.WARNING, "shelfedge.outbox"):
        store = make.open_store(path)
    assert store.boot > boot
    assert [what for what, _ in make.notes(make.everything(store))] == ["damaged"]
    assert store.opening.damaged
    assert not store.opening.new
    assert "the file is empty" in caplog.text if lose is _emptied else "the file is missing" in caplog.text
    store.close()
    assert not make.open_store(path).opening.damaged


@pytest.mark.parametrize("sign", ["outbox.damaged-1.db", "outbox.db-wal"])
def test_other_signs_of_an_earlier_life(tmp_path: Path, sign: str) -> None:
    """P5: also where the lock file is gone."""
    (tmp_path / sign).write_bytes(b"")
    store = make.open_store(tmp_path / "outbox.db")
    assert store.opening.damaged
    store.close()


def test_a_first_start_is_a_first_start(tmp_path: Path) -> None:
    """P5: nothing is told where nothing was, nor where the first start was cut off before it had kept anything."""
    path = tmp_path / "outbox.db"
    path.with_name("outbox.db.lock").write_bytes(b"")
    path.write_bytes(b"")
    store = make.open_store(path)
    assert store.opening.new
    assert not store.opening.damaged
    assert make.everything(store) == []
    store.close()


def test_the_whole_folder_is_removed_while_it_runs(tmp_path: Path) -> None:
    """P1: folder, database and lock are made anew, and the lock keeps others out again."""
    path = tmp_path / "state" / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a")])
    shutil.rmtree(path.parent)
    for name in "bcd":
        store.append([make.body(name)])
    other = subprocess.run(
        [sys.executable, "-c", _SECOND, path], env=_environment(), input="", capture_output=True, text=True
    )
    assert "another process writes to it" in other.stderr
    store.close()
    again = make.open_store(path)
    kept = {row.payload.split(b"/")[2].rstrip(b"-") for row in make.events(make.everything(again))}
    assert {b"b", b"c", b"d"} <= kept
    again.close()


def test_another_process_that_took_the_place_keeps_it(tmp_path: Path) -> None:
    """P1: two don't write to one outbox: the first is refused, nothing of the second's is set aside."""
    path = tmp_path / "state" / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a")])
    shutil.rmtree(path.parent)
    other = subprocess.Popen(
        [sys.executable, "-c", _SECOND, path],
        env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline()
    for _ in range(5):
        with pytest.raises(make.OutboxUnavailableError, match="another process writes to it"):
            store.append([make.body("b")])
    assert _aside(path) == []
    other.communicate("\n")
    assert store.append([make.body("b")])
    assert len(_aside(path)) <= 1
    rows = make.events(make.everything(store))
    assert {row.payload.split(b"/")[2].rstrip(b"-") for row in rows} == {b"of the other", b"b"}
    positions = [row.position for row in make.everything(store)]
    assert positions == sorted(set(positions))
    store.close()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}


def test_entries_that_another_program_wrote_make_a_new_boot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """P1: the next id is taken: the file is opened anew as another boot, nothing is set aside, nobody blames the disk.

    That is done once, not at each try.
    """
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a")])
    boot = store.boot
    span = store._state.spans[boot]
    row = (boot, 2, 0, make.payload_of(boot, 2, "foreign"))
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO entry VALUES(?, ?, ?, ?, ?, ?)", (span.base_id + 2, *row, make.row_crc(*row)))
    other.close()
    with caplog.at_level(logging.WARNING, "shelfedge.outbox"):
        assert store.append([make.body("b"), make.body("c")]) == [1, 2]
        for name in "de":
            store.append([make.body(name)])
    assert store.boot > boot
    assert _aside(path) == []
    assert len(caplog.records) == 1
    assert "isn't as it was left" in caplog.text
    assert [row.payload.split(b"/")[2].rstrip(b"-") for row in make.events(make.all_pending(store))] == [
        b"a", b"foreign", b"b", b"c", b"d", b"e",
    ]  # fmt: skip
    store.close()
    store = make.open_store(path)
    assert not store.opening.damaged
    store.close()


def test_damage_again_and_again_is_mended_with_pauses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """P4: no more than three files set aside, a bounded memory of it, and each is in the log with its name."""
    path = tmp_path / "outbox.db"
    clock = make.FakeClock()
    store = make.open_store(path, mono_s=clock)
    mended, refused = 0, []
    with caplog.at_level(logging.WARNING, "shelfedge.outbox"):
        for number in range(400):
            clock.now_s += 1.0
            store._files.shorten_log()
            with path.open("r+b") as file:
                file.truncate(0)
            before = len(caplog.records)
            try:
                store.append([make.body(number)])
            except make.OutboxUnavailableError as error:
                refused.append(str(error))
            mended += len(caplog.records) > before
    assert 3 < mended < 30
    assert len(refused) > 300
    assert all("again and again" in each and "the disk fails" not in each for each in refused)
    assert len(_aside(path)) <= 3
    assert len(store.opening.problems) <= 20
    assert len(store.opening.set_aside) <= 20
    assert "outbox.damaged-1.db" in caplog.records[0].getMessage()
    clock.now_s += 100.0
    assert store.append([make.body("in the end")])
    store.close()


def test_a_mending_that_was_interrupted_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: the disk refuses between the two renames while it runs; nothing is begun anew over what was carried over."""
    path = tmp_path / "outbox.db"
    store = make.open_store(path)
    store.append([make.body("a"), make.body("b")])

    def refuse(path: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("edge.stream.outbox.salvage.put_in_place", refuse)
        with pytest.raises(make.OutboxUnavailableError):
            store._mend("a test says so")
    store.append([make.body("c")])
    kept = {row.payload.split(b"/")[2].rstrip(b"-") for row in make.events(make.all_pending(store))}
    assert kept == {b"a", b"b", b"c"}
    store.close()
