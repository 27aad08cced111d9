"""One node, one process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from edge.node.state_lock import NodeRunsError, StateLock

_HOLD = """
import pathlib, sys, time
from edge.node.state_lock import StateLock
lock = StateLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_the_second_is_refused_and_told_whose_it_is(tmp_path):
    lock = StateLock(tmp_path)
    with pytest.raises(NodeRunsError, match=f"runs already \\(process {os.getpid()}\\)"):
        StateLock(tmp_path)
    lock.release()
    StateLock(tmp_path).release()


def test_what_a_killed_process_leaves_means_nothing(tmp_path):
    """P5."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(NodeRunsError, match=f"process {holder.pid}"):
        StateLock(tmp_path)
    holder.kill()
    holder.wait()
    StateLock(tmp_path).release()


@pytest.mark.parametrize("left", [b"", b"\xff\xfe", b"not a number", b"999999999999999999999"])
def test_a_broken_pid_file_is_nothing(tmp_path, left):
    (tmp_path / "node.pid").write_bytes(left)
    lock = StateLock(tmp_path)
    (tmp_path / "node.pid").write_bytes(left)
    with pytest.raises(NodeRunsError):
        StateLock(tmp_path)
    lock.release()


def test_a_pid_file_that_cant_be_written_is_nothing(tmp_path):
    (tmp_path / "node.pid").mkdir()
    lock = StateLock(tmp_path)
    with pytest.raises(NodeRunsError, match="runs already, with its state"):
        StateLock(tmp_path)
    lock.release()


def test_it_is_taken_anew_where_the_folder_was_removed(tmp_path):
    """P1: two nodes don't share a folder because somebody cleared it up."""
    folder = tmp_path / "state"
    folder.mkdir()
    lock = StateLock(folder)
    assert not lock.renew()
    shutil.rmtree(folder)
    assert lock.renew()
    assert not lock.renew()
    with pytest.raises(NodeRunsError, match=f"process {os.getpid()}"):
        StateLock(folder)
    lock.release()
    assert not (folder / "node.pid").exists()
    StateLock(folder).release()


def test_who_was_quicker_keeps_it(tmp_path):
    """P1: the first is told whose it is now, and leaves the other's things alone when it ends."""
    folder = tmp_path / "state"
    folder.mkdir()
    lock = StateLock(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    other = StateLock(folder)
    with pytest.raises(NodeRunsError):
        lock.renew()
    lock.release()
    assert (folder / "node.pid").exists()
    assert not other.renew()
    other.release()
