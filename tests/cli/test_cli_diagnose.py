"""`shelfedge diagnose` as a technician types it: exit codes, 80 columns, JSON, and a page that needs nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from run_process import ROOT, NodeProcess, demo_node, wait_for

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Verdict
from drivers.samples import SampleBlock
from edge.node.control import ask
from edge.node.diagnose_sources import gathered_from
from edge.stream.entry import EventEntry
from edge.stream.jsonl import event_to_line
from edge.stream.outbox.reader import OutboxReader
from edge.stream.wire import decode_items
from edge.trace.event import Event
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
    assert len(text) < 2_000_000
    for said in ("<dt>made</dt>", "<dt>software</dt>", "calibration of shelf-1", "Where the load lies", "Time between"):
        assert said in text
    assert text.index("FAIL clipped") < text.index("<svg"), "verdicts come first"


def test_a_damaged_recording_is_diagnosed_as_far_as_it_goes_and_exits_3(shelfedge: Command, damaged: Path) -> None:
    done = shelfedge("diagnose", "--trace", damaged)
    assert done.returncode == 3
    assert "cells shelf-1 fl" in done.stdout
    assert "the rest was used" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "there is neither a node.yaml in"),
        (("no-such.yaml",), 1, "no-such.yaml"),
        (("FOLDER",), 1, "expected a file, not a folder"),
        (("--trace", "FOLDER"), 1, "FOLDER"),
        (("--trace", "PLANOGRAM"), 1, "not an MCAP file"),
        (("PLANOGRAM",), 1, "this is a planogram; expected a node file"),
        (("--trace", "TRACE", "--report", "FOLDER/none/x.html"), 1, "make it first"),
        (("--trace", "TRACE", "--report", "FOLDER/x.png"), 1, "expected a name with .html"),
        (("--trace", "no-such.mcap"), 1, "no-such.mcap"),
        (("--trace", "TRACE", "--seconds", "2"), 2, "expected 8 to 600"),
        (("--trace", "TRACE", "--board", "attic"), 2, "expected one of shelf-1, shelf-2"),
        (("--trace", "TRACE", "--supply", "12V"), 2, "2.6 V to 5.5 V"),
        (("--trace", "TRACE", "--supply", "5"), 2, "a number without a unit"),
        (("--trace", "TRACE", "--report", "TRACE"), 1, "TRACE"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    shelfedge: Command, trace: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = trace.read_bytes()
    places = {"TRACE": str(trace), "FOLDER": str(tmp_path), "PLANOGRAM": str(demo_node(tmp_path / "n").parent)}
    places["PLANOGRAM"] += "/planogram.yaml"

    def placed(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    done = shelfedge("diagnose", *map(placed, arguments), cwd=tmp_path)
    assert done.returncode == code
    assert placed(said) in " ".join((done.stderr + done.stdout).split())
    assert "Traceback" not in done.stderr
    assert trace.read_bytes() == before


def test_a_second_of_a_trace_is_looked_at_as_far_as_it_goes(shelfedge: Command, trace: Path, tmp_path: Path) -> None:
    cut = tmp_path / "second.mcap"
    assert shelfedge("trace", "cut", trace, "-o", cut, "--from", "5", "--to", "6").returncode == 0
    done = shelfedge("diagnose", "--trace", cut)
    assert done.returncode == 0, done.stdout
    assert "Not seen:" in done.stdout
    assert "Traceback" not in done.stderr


def on_a_terminal(arguments: list[str], columns: int, rows: int, **environ: str) -> str:
    """What a terminal of this size gets."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (rows, columns))
    told = b""
    words = [sys.executable, "-m", "edge.cli.main", "diagnose", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environ}
    with subprocess.Popen(words, stdout=slave, stderr=subprocess.DEVNULL, env=env):
        os.close(slave)
        with contextlib.suppress(OSError):
            while True:
                told += os.read(master, 65_536)
    os.close(master)
    return told.decode()


def test_on_a_terminal_the_verdict_stands_at_both_ends_and_colour_is_not_its_only_sign(open_lead: Path) -> None:
    arguments = ["--trace", str(open_lead)]
    told = on_a_terminal(arguments, 60, 24)
    assert "\x1b[1;31mFAIL\x1b[0m" in told
    lines = re.sub(r"\x1b\[[0-9;]*m", "", told).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("FAIL  1 failed")
    assert any(line.startswith("FAIL  1 failed") for line in lines[-4:]), "of a text higher than the screen"
    high = on_a_terminal(arguments, 120, 80, NO_COLOR="1")
    assert "\x1b" not in high
    assert high.count("FAIL  1 failed") == 1


def test_a_node_that_is_diagnosed_again_and_again_runs_as_one_that_is_not(shelfedge: Command, tmp_path: Path) -> None:
    """P3, P8: no sample is missing, its loop isn't held up, and its recording replays to what it decided. The node file
    is found where nobody names one; what was decided while no one knew stands in its own stock.
    """
    node = demo_node(tmp_path)
    with NodeProcess(node, "--visit-every", "1") as running:
        running.wait_ready()
        first = shelfedge("diagnose", "--seconds", "8", "--json", cwd=tmp_path)
        asked = [gathered_from(node, None, 8.0, (), lambda text: None) for _ in range(6)]
        health = ask(running.state, {"do": "health"})
        assert running.process.poll() is None
        assert running.stop() == 0
    assert all(each.gathered is not None and each.gathered.counted for each in asked)
    for board in health["boards"].values():
        assert board["refused_samples"] == 0
        for cell in board["cells"].values():
            assert cell["delivered_hz"] > 0.97 * cell["rate_hz"]
    assert health["ring"]["dropped_samples"] == 0
    found = json.loads(first.stdout)
    assert "running" in found["source"]
    assert found["about"]["node file"] == str(node)
    assert found["about"]["calibration of shelf-1"].startswith("simulated")
    parts = {part["name"]: part for part in found["parts"]}
    assert len([part for part in found["parts"] if part["part"] == "cell"]) == 8
    assert all(part["figures"]["samples"] > 300 for part in found["parts"] if part["part"] == "cell")
    assert "node not running" not in [finding["fault"] for finding in parts["bay-12"]["findings"]]
    assert shelfedge("record", node, "-o", tmp_path / "run.mcap", "--run").returncode == 0
    replayed = shelfedge("replay", tmp_path / "run.mcap").stdout.splitlines()
    assert replayed
    assert replayed == [event_to_line(event) for event in committed(running.state)]


def committed(state: Path) -> list[Event]:
    rows = OutboxReader(state / "outbox.db").rows()
    return [each.event for row in rows for each in decode_items(row.payload) if isinstance(each, EventEntry)]


def test_a_node_that_was_stopped_in_its_tracks_and_one_with_other_files_are_named(tmp_path: Path) -> None:
    node = demo_node(tmp_path)
    with NodeProcess(node) as running:
        running.wait_ready()
        wait_for(lambda: ask(running.state, {"do": "health"})["running_s"] > 8.0)
        for name in ("node.yaml", "planogram.yaml"):
            (tmp_path / name).write_text((tmp_path / name).read_text().replace("shelf-2", "attic"))
        source = gathered_from(node, None, 8.0, (), lambda text: None)
        assert [each.fault for each in source.findings] == [Fault.RESTART_NEEDED]
        assert source.gathered is not None
        assert set(source.gathered.blocks) == {"shelf-1", "shelf-2"}, "what the node has, not what the file says"
        running.process.send_signal(signal.SIGSTOP)
        source = gathered_from(node, None, 8.0, (), lambda text: None)
        running.process.send_signal(signal.SIGCONT)
    (found,) = source.findings
    assert (found.fault, found.verdict) == (Fault.NOT_ANSWERING, Verdict.FAIL)
    assert f"process {running.process.pid} was stopped" in found.evidence
    assert f"kill -CONT {running.process.pid}" in found.remedy
