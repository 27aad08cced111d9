"""The records on disk: in use, kept, restored; and what isn't one."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from calibration_records import number_of, record

from calibration.record import CalibrationError
from calibration.store import CalibrationStore
from calibration.store_errors import StoreError
from edge.config.calibration_records import record_files

BOARD = "shelf-1"


def numbers(store: CalibrationStore) -> list[int]:
    return [number_of(entry.record) for entry in store.history(BOARD) if entry.record is not None]


def test_a_board_that_was_never_calibrated_has_nothing(tmp_path):
    store = CalibrationStore(tmp_path / "none")
    assert store.current(BOARD) is None
    assert store.history(BOARD) == []
    assert not (tmp_path / "none").exists()


def test_what_is_saved_is_read_back_whole_and_former_ones_are_kept_in_order(tmp_path):
    """P9."""
    store = CalibrationStore(tmp_path / "calibration")
    assert [store.save(record(n)) for n in (1, 2, 3)] == [1, 2, 3]
    assert store.current(BOARD) == record(3)
    history = store.history(BOARD)
    assert [(entry.number, entry.in_use) for entry in history] == [(1, False), (2, False), (3, True)]
    assert [entry.record for entry in history] == [record(1), record(2), record(3)]


def test_the_node_reads_the_record_in_use_alone(tmp_path):
    store = CalibrationStore(tmp_path)
    for n in (1, 2, 3):
        store.save(record(n))
    assert record_files(tmp_path) == [tmp_path / "shelf-1.json"]


def test_a_restored_record_is_a_new_one_and_can_be_undone(tmp_path):
    """P9: the previous one can always be had back, also from a restore."""
    store = CalibrationStore(tmp_path)
    for n in (1, 2):
        store.save(record(n))
    assert store.restore(BOARD, 1, "2026-11-21 by ada") == 3
    assert numbers(store) == [1, 2, 1]
    restored = store.current(BOARD)
    assert restored is not None
    assert restored.made == "run 1; no. 1 restored 2026-11-21 by ada"
    assert restored.cells == record(1).cells
    assert store.restore(BOARD, 2) == 4
    assert numbers(store) == [1, 2, 1, 2]
    assert store.restore(BOARD, 3) == 5
    assert store.history(BOARD)[-1].record.made == "run 1; no. 3 restored"


def test_a_record_that_somebody_put_there_by_hand_is_kept_too(tmp_path):
    (tmp_path / "shelf-1.json").write_text(CalibrationStoreText.version_1)
    store = CalibrationStore(tmp_path)
    store.save(record(2))
    assert [entry.number for entry in store.history(BOARD)] == [1, 2]
    assert (tmp_path / "history" / BOARD / "000001.json").read_text() == CalibrationStoreText.version_1


class CalibrationStoreText:
    version_1 = '{"version": 1, "board": "shelf-1", "cells": {"fl": {"zero_counts": 1, "counts_per_gram": 215.3}}}'


def test_a_damaged_record_is_kept_as_it_is_and_in_nobodys_way(tmp_path):
    """P5: the new record is saved all the same, and numbers go on."""
    (tmp_path / "shelf-1.json").write_text('{"version": 1, "boa')
    store = CalibrationStore(tmp_path)
    with pytest.raises(CalibrationError, match="not JSON"):
        store.current(BOARD)
    assert store.save(record(2)) == 2
    first, second = store.history(BOARD)
    assert first.record is None
    assert "not JSON" in first.damage
    assert not first.in_use
    assert second.record == record(2)
    with pytest.raises(CalibrationError, match=r"record 1 of shelf-1 can't be read"):
        store.restore(BOARD, 1)
    assert store.current(BOARD) == record(2)


def test_numbers_are_never_given_twice(tmp_path):
    store = CalibrationStore(tmp_path)
    for n in (1, 2, 3):
        store.save(record(n))
    (tmp_path / "history" / BOARD / "000001.json").unlink()
    assert store.save(record(4)) == 4
    assert [entry.number for entry in store.history(BOARD)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("number", "text"), [(9, "has no record 9; there are 1 to 2"), (2, "record 2 is the one in use")]
)
def test_a_record_that_cant_be_restored_is_refused(tmp_path, number, text):
    store = CalibrationStore(tmp_path)
    for n in (1, 2):
        store.save(record(n))
    with pytest.raises(StoreError, match=text):
        store.restore(BOARD, number)
    assert numbers(store) == [1, 2]


def test_export_gives_json_that_can_be_read_again(tmp_path):
    store = CalibrationStore(tmp_path)
    for n in (1, 2):
        store.save(record(n))
    other = CalibrationStore(tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "shelf-1.json").write_text(store.export(BOARD, 1))
    assert other.current(BOARD) == record(1)
    with pytest.raises(StoreError, match="never calibrated"):
        store.export("shelf-9")


@pytest.mark.parametrize("name", ["../shelf-1", "a/b", "", ".hidden", "x" * 65])
def test_a_name_that_would_lead_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(StoreError, match="can't be the name of a board"):
        CalibrationStore(tmp_path).export(name)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "calibration").write_text("{}")
    with pytest.raises(StoreError, match="is a file, not a folder"):
        CalibrationStore(tmp_path / "calibration").check_writable(BOARD)


def test_a_folder_that_one_may_not_write_to_is_refused_before_and_after_a_run(tmp_path):
    """Root may write everywhere, so it looks as somebody else."""
    if os.geteuid() != 0:
        _refused_where_nobody_may_write(tmp_path)
        return
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            _refused_where_nobody_may_write(tmp_path)
        except BaseException:  # noqa: BLE001  # its exit code tells
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _refused_where_nobody_may_write(folder: Path) -> None:
    if os.geteuid() == folder.stat().st_uid:
        folder.chmod(0o555)
    store = CalibrationStore(folder)
    for refused in (lambda: store.check_writable(BOARD), lambda: store.save(record(1))):
        with pytest.raises(StoreError, match=r"permission denied .*sudo.*nothing was changed"):
            refused()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_saves_belongs_to_the_folders_owner_and_can_be_read(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    store = CalibrationStore(tmp_path)
    store.save(record(1))
    (tmp_path / "shelf-1.json").chmod(0o640)
    store.save(record(2))
    for path in (tmp_path / "shelf-1.json", tmp_path / "history" / BOARD / "000001.json"):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    assert (tmp_path / "shelf-1.json").stat().st_mode & 0o777 == 0o640


def _save_many(folder: Path, begin: int) -> None:
    store = CalibrationStore(folder)
    for n in range(begin, begin + 20):
        store.save(record(n))


def test_two_writers_at_once_lose_nothing(tmp_path):
    writers = [multiprocessing.get_context("fork").Process(target=_save_many, args=(tmp_path, b)) for b in (1, 101)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    kept = CalibrationStore(tmp_path).history(BOARD)
    assert [entry.number for entry in kept] == list(range(1, 41))
    assert sorted(numbers(CalibrationStore(tmp_path))) == [*range(1, 21), *range(101, 121)]
