"""`shelfedge run` as a process: how it starts, what it bears, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_process import NodeProcess, demo_node, wait_for

from edge.node.control import NodeNotRunningError, ask
from edge.stream.jsonl import event_to_line


def events_decided(node: NodeProcess) -> int:
    return int(sum(ask(node.state, {"do": "health"})["events"][status] for status in ("provisional", "final")))


@pytest.fixture
def node_file(tmp_path) -> Path:
    return demo_node(tmp_path)


def test_it_runs_tells_systemd_and_stops_cleanly(node_file):
    with NodeProcess(node_file, "--visit-every", "1", watchdog_s=0.9) as node:
        node.wait_ready()
        wait_for(lambda: events_decided(node) > 3)
        health = ask(node.state, {"do": "health"})
        assert {board: facts["state"] for board, facts in health["boards"].items()} == {
            "shelf-1": "running",
            "shelf-2": "running",
        }
        wait_for(lambda: node.hear().count("WATCHDOG=1") >= 3)
        assert node.stop() == 0
        assert node.told[-1].startswith("STOPPING=1")
        assert "Traceback" not in node.log_text()
        with pytest.raises(NodeNotRunningError):
            ask(node.state, {"do": "health"})


def test_the_same_events_in_the_outbox_and_in_a_replay_of_its_recording(node_file, shelfedge, tmp_path):
    """P8: live on simulated boards, saved by `record`, replayed: bit for bit; also of a second run, which begins with
    what the first one left on the shelves. P1: what was decided is committed."""
    before: list[str] = []
    for _ in range(2):
        with NodeProcess(node_file, "--visit-every", "1", "--for", "10") as node:
            node.wait_ready()
            assert node.process.wait(60) == 0
        recorded = shelfedge("record", node_file, "-o", tmp_path / "run.mcap", "--run")
        assert recorded.returncode == 0, recorded.stderr
        replayed = shelfedge("replay", tmp_path / "run.mcap")
        assert replayed.returncode == 0, replayed.stderr
        lines = committed_lines(node.state)[len(before) :]
        assert lines == replayed.stdout.splitlines()
        before += lines
        (tmp_path / "run.mcap").unlink()
    assert len(before) > 5
    stock = json.loads((node.state / "stock.json").read_text())
    assert set(stock["counts"]) == {f"{row}{k}" for row in "AB" for k in range(1, 9)}


def committed_lines(state: Path) -> list[str]:
    from edge.stream.entry import EventEntry
    from edge.stream.outbox.reader import OutboxReader
    from edge.stream.wire import decode_items

    reader = OutboxReader(state / "outbox.db")
    entries = [entry for row in reader.rows() for entry in decode_items(row.payload)]
    return [event_to_line(entry.event) for entry in entries if isinstance(entry, EventEntry)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it_also_while_it_starts(node_file, number):
    with NodeProcess(node_file) as node:
        node.wait_log("starts")
        assert node.stop(number) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_start_says_that_it_compiles_and_a_signal_ends_it(node_file, tmp_path, number):
    with NodeProcess(node_file, environ={"NUMBA_CACHE_DIR": str(tmp_path / "cache")}) as node:
        node.wait_log("compiling fusion for this machine")
        assert node.stop(number) == 0
        assert "Traceback" not in node.log_text()
        assert "starts" not in node.log_text()


@pytest.mark.parametrize(
    "wrong", [["--for", "inf"], ["--for", "nan"], ["--for", "1e12"], ["--for", "0"], ["--visit-every", "nan"]]
)
def test_a_time_that_is_none_is_wrong_usage(node_file, shelfedge, wrong):
    refused = shelfedge("run", node_file, *wrong)
    assert refused.returncode == 2
    assert wrong[0] in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (node_file.parent / "state").exists()


def test_a_board_without_calibration_is_told_what_to_do_on_a_live_node(node_file):
    text = node_file.read_text()
    head, second = text.split("  shelf-2:")
    second = second.replace("driver: simulated", "driver: {type: trace, file: nowhere.mcap}")
    node_file.write_text(head + "  shelf-2:" + second)
    with NodeProcess(node_file) as node:
        node.wait_ready()
        assert node.stop() == 0
        starts, recording, blind, *_ = [line for line in node.log_text().splitlines() if "compil" not in line]
    assert "starts" in starts
    assert "shelf-2: its recording" in recording
    assert "nowhere.mcap" in recording
    assert f"shelfedge calibrate shelf-2 {node_file}" in blind
    assert "--calibration" not in blind


def test_a_node_that_stood_still_says_so_once(node_file):
    with NodeProcess(node_file, "--visit-every", "1") as node:
        node.wait_ready()
        wait_for(lambda: events_decided(node) > 0)
        os.kill(node.process.pid, signal.SIGSTOP)
        time.sleep(4.0)
        os.kill(node.process.pid, signal.SIGCONT)
        loop = wait_for(lambda: (found := ask(node.state, {"do": "health"})["loop"])["stood_still"]["times"] and found)
        assert loop["stood_still"]["last_s"] > 3.0
        assert any("stood still" in problem for problem in ask(node.state, {"do": "health"})["problems"])
        assert node.stop() == 0


def test_the_log_names_each_problem_once_and_how_the_node_is_at_every_report(node_file):
    """Numbers and durations in a sentence change all the time; that is no news."""
    with node_file.open("a") as file:
        file.write("\nhealth: {every: 1 s}\nuplink: {broker: mqtt://127.0.0.1:1}\n")
    with NodeProcess(node_file, "--visit-every", "1") as node:
        node.wait_ready()
        wait_for(lambda: sum("2 of 2 boards" in line for line in node.log_text().splitlines()) > 5)
        assert node.stop() == 0
        lines = node.log_text().splitlines()
    assert sum("WARNING" in line and "uplink: " in line and "(for " in line for line in lines) <= 1
    assert not any("no longer: uplink" in line for line in lines)


def test_two_runs_of_one_node_refuse_politely(node_file, shelfedge):
    with NodeProcess(node_file) as node:
        node.wait_ready()
        second = shelfedge("run", node_file)
        assert second.returncode == 1
        assert f"this node runs already (process {node.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr
        assert node.stop() == 0


def test_it_starts_again_after_kill_9(node_file):
    """P1, P5: the lock of a killed process means nothing, and what it committed is there."""
    with NodeProcess(node_file, "--visit-every", "1") as node:
        node.wait_ready()
        wait_for(lambda: len(committed_lines(node.state)) > 3)
        node.process.kill()
        node.process.wait()
        before = committed_lines(node.state)
    with NodeProcess(node_file, "--visit-every", "1") as node:
        node.wait_ready()
        assert node.stop() == 0
    assert committed_lines(node.state)[: len(before)] == before


def test_a_config_with_mistakes_is_told_whole_and_nothing_is_made(node_file, shelfedge):
    node_file.write_text(node_file.read_text().replace("rate: 80 Hz", "rate: 80"))
    refused = shelfedge("run", node_file)
    assert refused.returncode == 1
    assert refused.stderr.count("rate") >= 2
    assert not (node_file.parent / "state").exists()


def test_a_board_that_isnt_there_costs_only_itself(node_file):
    """P3: its driver's words are in the log once and stay in health."""
    text = node_file.read_text()
    head, second = text.split("  shelf-2:")
    second = second.replace("driver: simulated", "driver: {type: bridge, port: /dev/serial/by-id/nobody}")
    node_file.write_text(head + "  shelf-2:" + second)
    with NodeProcess(node_file, "--visit-every", "1") as node:
        node.wait_ready()
        wait_for(lambda: events_decided(node) > 1)
        board = wait_for(
            lambda: (found := ask(node.state, {"do": "health"})["boards"]["shelf-2"])["state"] == "failed" and found
        )
        assert "/dev/serial/by-id/nobody" in board["text"]
        assert node.stop() == 0
        assert node.log_text().count("it is tried again") == 1


def test_a_planogram_is_taken_over_while_it_runs(node_file):
    """By SIGHUP; events go on, numbered on, and the stream says from where on which planogram counts."""
    planogram = node_file.with_name("planogram.yaml")
    with NodeProcess(node_file, "--visit-every", "5") as node:
        node.wait_ready()
        wait_for(lambda: events_decided(node) > 0)
        planogram.write_text(planogram.read_text().replace("weight: 352 g", "weight: 352"))
        node.process.send_signal(signal.SIGHUP)
        node.wait_log("planogram.yaml:5")
        planogram.write_text(planogram.read_text().replace("weight: 352,", "weight: 353 g,"))
        node.process.send_signal(signal.SIGHUP)
        node.wait_log("is in force")
        before = events_decided(node)
        wait_for(lambda: events_decided(node) > before)
        assert node.stop() == 0
        assert any("RELOADING=1" in line for line in node.told)
    assert notes(node.state, "planogram") == 2
    ids = [
        line.split('"event_id":"')[1].split('"')[0] for line in committed_lines(node.state) if '"revision":1,' in line
    ]
    assert len(ids) == len(set(ids))


def notes(state: Path, what: str) -> int:
    from edge.stream.entry import Note
    from edge.stream.outbox.reader import OutboxReader
    from edge.stream.wire import decode_items

    entries = [entry for row in OutboxReader(state / "outbox.db").rows() for entry in decode_items(row.payload)]
    return sum(isinstance(entry, Note) and entry.what == what for entry in entries)


def test_a_state_folder_that_cant_be_made_is_said_and_borne(node_file):
    """P3: events wait in memory, samples are taken; and the stop is clean all the same."""
    (node_file.parent / "state").write_text("a file, no folder")
    with NodeProcess(node_file, "--visit-every", "1", watchdog_s=3.0) as node:
        node.wait_ready()
        node.wait_log("the node runs without it")
        assert "expected a folder for the node's state" in node.log_text()
        wait_for(lambda: node.hear().count("WATCHDOG=1") >= 2)
        assert node.stop() == 0


def test_no_ping_when_the_loop_hangs(node_file, tmp_path):
    """The watchdog is fed by progress alone: a driver that hangs in `read` isn't covered up by another thread."""
    program = tmp_path / "hang.py"
    program.write_text(
        "import time\n"
        "from edge.node.simulated_boards import PausingDriver\n"
        "read = PausingDriver.read\n"
        "begun = []\n"
        "def hang(self, until_ns):\n"
        "    begun.append(time.monotonic())\n"
        "    if begun[-1] - begun[0] > 6.0:\n"
        "        time.sleep(1000)\n"
        "    return read(self, until_ns)\n"
        "PausingDriver.read = hang\n"
        "from edge.cli.main import main\n"
        "main()\n"
    )
    with NodeProcess(node_file, watchdog_s=0.3, program=(str(program),)) as node:
        node.wait_ready()
        wait_for(lambda: node.hear().count("WATCHDOG=1") >= 2)
        quiet_since, count = time.monotonic(), len(node.hear())
        while time.monotonic() - quiet_since < 3.0:
            if len(node.hear()) != count:
                quiet_since, count = time.monotonic(), len(node.hear())
            time.sleep(0.05)
        assert node.process.poll() is None


def test_fusion_that_fails_ends_the_node_with_its_traceback_in_the_log(node_file, tmp_path):
    program = tmp_path / "fail.py"
    program.write_text(
        "import time\n"
        "from edge.fusion.engine import Fusion\n"
        "push = Fusion.push\n"
        "from edge.node.loop import FusionLoop\n"
        "begun = []\n"
        "loop_round = FusionLoop.round\n"
        "def first_round(self):\n"
        "    begun.append(time.monotonic())\n"
        "    return loop_round(self)\n"
        "FusionLoop.round = first_round\n"
        "def fail(self, blocks, until_ns=None, sightings=()):\n"
        "    if begun and begun[-1] - begun[0] > 4.0:\n"
        "        raise IndexError('a bug')\n"
        "    return push(self, blocks, until_ns, sightings)\n"
        "Fusion.push = fail\n"
        "from edge.cli.main import main\n"
        "main()\n"
    )
    with NodeProcess(node_file, "--visit-every", "1", program=(str(program),)) as node:
        node.wait_ready()
        assert node.process.wait(60) == 1
        assert "IndexError: a bug" in node.log_text()
    with NodeProcess(node_file) as node:
        node.wait_ready()
        assert node.stop() == 0


def test_a_disk_that_hangs_for_seconds_costs_no_sample(node_file, tmp_path):
    """P3: every commit takes 5 s, and so does every write of the recording; the loop goes on as before."""
    program = tmp_path / "slow.py"
    program.write_text(
        "import time\n"
        "from edge.node.ring_segment import Segment\n"
        "from edge.stream.outbox.store import OutboxStore\n"
        "for kind, name in ((OutboxStore, 'append'), (Segment, 'flush')):\n"
        "    def slow(self, *arguments, do=getattr(kind, name), **more):\n"
        "        time.sleep(5.0)\n"
        "        return do(self, *arguments, **more)\n"
        "    setattr(kind, name, slow)\n"
        "from edge.cli.main import main\n"
        "main()\n"
    )
    with NodeProcess(node_file, "--visit-every", "1", program=(str(program),)) as node:
        node.wait_ready()
        wait_for(lambda: len(committed_lines(node.state)) > 5)
        health = ask(node.state, {"do": "health"})
        assert all(board["refused_samples"] == 0 for board in health["boards"].values())
        assert health["ring"]["dropped_samples"] == 0
        assert health["loop"]["late_max_ever_ms"] < 2500  # one that waited would be at least 5 s late
        assert node.stop() == 0
        decided = health["events"]["provisional"] + health["events"]["final"] + health["events"]["retracted"]
    assert len(committed_lines(node.state)) >= decided


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """3 MB of their own. Needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_borne_and_all_is_committed_when_there_is_room_again(small_disk):
    """P3, P1."""
    node_file = demo_node(small_disk)
    log = small_disk.parent / "log.txt"
    with NodeProcess(node_file, "--visit-every", "1", log=log) as node:
        node.wait_ready()
        wait_for(lambda: len(committed_lines(node.state)) > 2)
        filler = small_disk / "filler"

        def no_room() -> bool:
            """Also not what the outbox had in reserve, and gives when the disk is full."""
            with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            return bool(ask(node.state, {"do": "health"})["outbox"]["problem"])

        wait_for(no_room)
        before = ask(node.state, {"do": "health"})
        assert "disk is full" in before["outbox"]["problem"]
        wait_for(lambda: ask(node.state, {"do": "health"})["outbox"]["queue"] > 5)
        filler.unlink()
        wait_for(lambda: not ask(node.state, {"do": "health"})["outbox"]["problem"])
        wait_for(lambda: ask(node.state, {"do": "health"})["outbox"]["queue"] == 0)
        health = ask(node.state, {"do": "health"})
        assert all(board["refused_samples"] == 0 for board in health["boards"].values())
        decided = health["events"]["provisional"] + health["events"]["final"] + health["events"]["retracted"]
        assert node.stop() == 0
        assert len(committed_lines(node.state)) >= decided
        assert "Traceback" not in node.log_text()


def test_a_disk_that_has_become_read_only_is_said_and_borne(small_disk, tmp_path):
    """P3: a card at its end. Events wait in memory, a second run is still refused, the stop is clean."""
    node_file = demo_node(tmp_path / "config")
    (small_disk / "bay-12").mkdir()
    (node_file.parent / "state").symlink_to(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with NodeProcess(node_file, "--visit-every", "1", watchdog_s=3.0) as node:
        node.wait_ready()
        node.wait_log("outbox.db")
        wait_for(lambda: node.hear().count("WATCHDOG=1") >= 2)
        with NodeProcess(node_file) as second:
            assert second.process.wait(60) == 1
            assert "this node runs already" in second.log_text()
        assert node.stop() == 0
        assert "Traceback" not in node.log_text()
