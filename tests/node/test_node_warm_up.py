"""Kernels are compiled before the first sample, by another process where the cache is empty, and a stop ends that."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import pytest

from edge.node import warm_up


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Instead of the compiling process, a shell script; and an empty cache in ``tmp_path``."""
    monkeypatch.setattr(warm_up, "_mark", lambda sight: tmp_path / "cache" / "mark.txt")

    def instead(script: str) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return instead


def _pid(folder: Path) -> int:
    text = (folder / "pid").read_text() if (folder / "pid").exists() else ""
    return int(text) if text.endswith("\n") else 0


def test_a_stop_ends_the_compiling_at_once(compiler, tmp_path: Path) -> None:
    compiler("exec sleep 1000")
    began_s = time.monotonic()
    assert not warm_up.fill_cache(lambda: not _pid(tmp_path))
    assert time.monotonic() - began_s < 60
    with pytest.raises(ProcessLookupError):
        os.kill(_pid(tmp_path), 0)


def test_who_waits_for_long_is_told_why(compiler, monkeypatch, caplog) -> None:
    monkeypatch.setattr(warm_up, "PATIENCE_S", 0.0)
    compiler("sleep 1")
    with caplog.at_level(logging.INFO):
        assert warm_up.fill_cache(lambda: True)
    assert [record.getMessage().split()[0] for record in caplog.records] == ["compiling", "compiled"]


def test_a_cache_that_is_filled_is_not_filled_again(compiler, tmp_path: Path) -> None:
    compiler("exit 0")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mark.txt").touch()
    assert warm_up.fill_cache(lambda: True)
    assert not _pid(tmp_path)


def test_a_cache_that_cant_be_written_is_left_alone(compiler, tmp_path: Path) -> None:
    """Compiling there would be for nothing: the node does it itself."""
    compiler("exit 0")
    (tmp_path / "cache").write_text("a file")
    assert warm_up.fill_cache(lambda: True)
    assert not _pid(tmp_path)


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_a_compiler_that_fails_is_said_and_borne(compiler, caplog, script: str) -> None:
    compiler(script)
    assert warm_up.fill_cache(lambda: True)
    assert "done in the node itself" in caplog.text


def test_no_compiler_at_all_is_borne(compiler, monkeypatch, tmp_path: Path) -> None:
    compiler("exit 0")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nobody"))
    assert warm_up.fill_cache(lambda: True)


def test_the_mark_is_of_these_kernels_on_this_machine(monkeypatch) -> None:
    mark = warm_up._mark(False)
    assert mark == warm_up._mark(False)
    assert mark is not None
    monkeypatch.setattr(warm_up, "get_host_cpu_name", lambda: "another")
    assert warm_up._mark(False) != mark


def test_who_follows_people_has_a_mark_of_its_own() -> None:
    """Else a node that gets a camera would compile in its first minute, with its boards waiting."""
    assert warm_up._mark(True) != warm_up._mark(False)


def test_asking_whether_it_is_filled_costs_next_to_nothing() -> None:
    warm_up._mark(False)
    took_s = []
    for _ in range(5):
        began_s = time.thread_time()
        warm_up._mark(False)
        took_s.append(time.thread_time() - began_s)
    assert min(took_s) < 0.05


def test_in_the_node_itself_a_stop_ends_it_soon() -> None:
    asked = []
    warm_up.warm_up(lambda: len(asked) < 2 and not asked.append(None))
    assert len(asked) == 2


def test_kernels_that_cant_be_kept_are_compiled_all_the_same(monkeypatch) -> None:
    """P3: a full disk is no reason not to run."""
    refusals = [OSError(28, "No space left on device")] * 3

    def compile_kernels(*_: object) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(warm_up, "compile_kernels", compile_kernels)
    warm_up.warm_up()
    assert not refusals
