"""`shelfedge diagnose` as a technician types it: exit codes, 80 columns, JSON, and a page that needs nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from run_process import NodeProcess, demo_node

from drivers.samples import SampleBlock
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def open_lead(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trace with one cell at its end stop: a wire has come off."""
    path = tmp_path_factory.mktemp("faulty") / "open-lead.mcap"
    with TraceReader(trace) as reader, TraceWriter(path, reader.require_setup()) as writer:
        for blocks in reader.epochs():
            for block in blocks:
                mine = (block.cell == 2) & (block.board == "shelf-1")
                counts = np.where(mine, 0x7FFFFF, block.counts).astype(np.int32)
                writer.write(SampleBlock(block.board, block.time_ns, block.cell, counts, block.flags))
    return path


def test_a_sound_recording_passes_within_80_columns(shelfedge: Command, trace: Path) -> None:
    done = shelfedge("diagnose", "--trace", trace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASS  0 failed")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Not seen:" in done.stdout


def test_a_fault_is_named_with_evidence_and_remedy_and_exits_1(shelfedge: Command, open_lead: Path) -> None:
    done = shelfedge("diagnose", "--trace", open_lead)
    assert done.returncode == 1
    assert "FAIL  cell shelf-1 bl" in done.stdout
    assert "FAIL CLIPPED: 100 % of its codes are at the end stop 0x7FFFFF" in done.stdout
    assert "-> check the cell's four wires" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Traceback" not in done.stderr


def test_json_has_the_same_for_programs(shelfedge: Command, open_lead: Path) -> None:
    done = shelfedge("diagnose", "--trace", open_lead, "--board", "shelf-1", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"]) == (1, "FAIL")
    assert {part["name"] for part in found["parts"]} == {"shelf-1", *(f"shelf-1 {c}" for c in ("fl", "fr", "bl", "br"))}
    bad = next(part for part in found["parts"] if part["name"] == "shelf-1 bl")
    assert bad["findings"][0]["fault"] == "clipped"
    assert bad["findings"][0]["numbers"]["share"] == pytest.approx(1.0)


def test_the_report_is_one_page_that_loads_nothing(shelfedge: Command, open_lead: Path, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    done = shelfedge("diagnose", "--trace", open_lead, "--report", page)
    assert done.returncode == 1
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert not re.search(r"https?://|src=|<link|<script|@import|url\(", text)
    assert text.count("<svg") > 8
    assert "clipped" in text
    assert "width=device-width" in text
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", text.lower())


def test_a_damaged_recording_is_diagnosed_as_far_as_it_goes_and_exits_3(shelfedge: Command, damaged: Path) -> None:
    done = shelfedge("diagnose", "--trace", damaged)
    assert done.returncode == 3
    assert "cell shelf-1 fl" in done.stdout
    assert "the rest was used" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give the node file, or a recording with --trace"),
        (("no-such.yaml",), 1, "no-such.yaml"),
        (("--trace", "no-such.mcap"), 1, "no-such.mcap"),
        (("--trace", "TRACE", "--seconds", "2"), 1, "expected 8 to 600"),
        (("--trace", "TRACE", "--board", "attic"), 1, "expected one of shelf-1, shelf-2"),
        (("--trace", "TRACE", "--supply", "12V"), 1, "2.6V to 5.5V"),
        (("--trace", "TRACE", "--report", "TRACE"), 1, "TRACE"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    shelfedge: Command, trace: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = trace.read_bytes()
    done = shelfedge("diagnose", *(str(trace) if each == "TRACE" else each for each in arguments))
    assert done.returncode == code
    assert said.replace("TRACE", str(trace)) in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert trace.read_bytes() == before


def test_a_running_node_is_diagnosed_from_its_own_recording_and_runs_on(shelfedge: Command, tmp_path: Path) -> None:
    """P3: sampling isn't held up: no sample is missing from before to after."""
    node = demo_node(tmp_path)
    with NodeProcess(node) as running:
        running.wait_ready()
        done = shelfedge("diagnose", node, "--seconds", "8", "--json")
        assert running.process.poll() is None
        assert running.stop() == 0
    found = json.loads(done.stdout)
    assert "running" in found["source"]
    parts = {part["name"]: part for part in found["parts"]}
    assert len([part for part in found["parts"] if part["part"] == "cell"]) == 8
    assert all(part["figures"]["samples"] > 300 for part in found["parts"] if part["part"] == "cell")
    assert parts["bay-12"]["part"] == "node"
    assert "node not running" not in [finding["fault"] for finding in parts["bay-12"]["findings"]]
