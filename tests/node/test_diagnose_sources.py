"""The three places that samples come from give the same thing, and none of them harms what is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from node_benches import HandDriver, Shelf, ToldClock

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, Verdict
from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.node import diagnose_attach
from edge.node.diagnose import DiagnosisError, chosen, diagnose, from_trace
from edge.node.diagnose_hardware import from_drivers
from edge.node.diagnose_sources import diagnosed, gathered_from, node_parts
from edge.node.simulate import simulate_trace
from edge.node.state_lock import StateLock


@pytest.fixture(scope="module")
def setup() -> Setup:
    return load_setup(demo_node_path())


@pytest.fixture(scope="module")
def trace(setup: Setup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diagnose") / "bay.mcap"
    simulate_trace(setup, path, seed=3, duration_s=30.0)
    return path


def test_a_trace_is_diagnosed_with_its_own_setup_and_only_its_last_seconds(trace: Path) -> None:
    gathered = from_trace(trace, seconds=12.0)
    assert set(gathered.blocks) == {"shelf-1", "shelf-2"}
    assert gathered.expected_s == pytest.approx(12.0, abs=0.2)
    found, looks = diagnose(gathered)
    assert [part.kind for part in found.parts].count(PartKind.CELL) == 8
    assert found.exit_code == 0
    assert len(looks) == 2


def test_only_the_wanted_boards_are_looked_at_and_an_unknown_one_is_refused(trace: Path) -> None:
    gathered = from_trace(trace)
    found, _ = diagnose(chosen(gathered, ["shelf-2"]))
    assert {part.name.split()[0] for part in found.parts} == {"shelf-2"}
    with pytest.raises(DiagnosisError, match="no board 'shelf-9' here; expected one of shelf-1, shelf-2"):
        chosen(gathered, ["shelf-9"])


def demo_node(folder: Path) -> Path:
    """The demo's node file in a folder of its own, its state beside it."""
    shutil.copy(demo_node_path().with_name("planogram.yaml"), folder)
    path = folder / "node.yaml"
    path.write_text(demo_node_path().read_text() + "\nstate: state\n")
    return path


def hardware(setup: Setup, shelf: Shelf, feed: dict[str, bool], seconds: float = 8.0):  # type: ignore[no-untyped-def]
    """Listen to hand drivers; a board that is fed gives 80 samples a second in each cell."""
    clock = ToldClock()
    rng = np.random.default_rng(1)

    def sleep(span_s: float) -> None:
        clock.sleep(0.25)
        for name, fed in feed.items():
            if fed and name in shelf.made:
                time_ns = np.repeat(clock.ns - 10**9 + np.arange(20) * 12_500_000, 4)
                counts = rng.normal(400_000.0, 60.0, time_ns.size)
                cells = np.tile(np.arange(4, dtype=np.uint8), 20)
                flags = np.zeros(time_ns.size, np.uint16)
                shelf.newest(name).queue.append(
                    SampleBlock(name, time_ns, cells, np.rint(counts).astype(np.int32), flags)
                )

    return from_drivers(setup, shelf.make, tuple(setup.node.boards), seconds, clock, sleep)


def test_hardware_is_listened_to_and_let_go_of(setup: Setup) -> None:
    shelf = Shelf()
    gathered = hardware(setup, shelf, {"shelf-1": True, "shelf-2": True})
    assert all(len(block) > 2000 for block in gathered.blocks.values())
    assert all(driver.stopped for made in shelf.made.values() for driver in made)


def test_a_driver_that_cannot_start_is_a_failed_link_and_the_other_board_is_diagnosed(setup: Setup) -> None:
    shelf = Shelf()
    shelf.missing.add("shelf-2")
    gathered = hardware(setup, shelf, {"shelf-1": True})
    found, _ = diagnose(gathered)
    link = next(part for part in found.parts if part.kind is PartKind.LINK)
    assert (link.name, link.findings[0].fault) == ("shelf-2", Fault.DRIVER)
    assert "plug the MCU in" in link.findings[0].evidence
    assert found.exit_code == 1
    assert all(part.figures["samples"] > 500 for part in found.parts if part.name.startswith("shelf-1 "))


def test_a_driver_that_fails_in_between_keeps_what_it_gave(setup: Setup) -> None:
    class Failing(HandDriver):
        def read(self, until_ns: int) -> SampleBlock:
            block = super().read(until_ns)
            if not len(block) and self.started > 1:
                raise DriverError("gone for good; check the cable")
            self.started += len(block) > 0
            return block

    shelf = Shelf()
    shelf.make = lambda name: shelf.made.setdefault(name, []).append(Failing(name)) or shelf.newest(name)  # type: ignore[method-assign,func-returns-value]
    gathered = hardware(setup, shelf, {"shelf-1": True, "shelf-2": True})
    assert set(gathered.blocks) == {"shelf-1", "shelf-2"}


def test_what_is_told_while_the_hardware_opens_is_no_fault_of_the_link(setup: Setup) -> None:
    shelf = Shelf()
    early = Notice("shelf-1", None, "mcu restart", 0, 0, 0, "")

    def make(name: str) -> HandDriver:
        driver = Shelf.make(shelf, name)
        driver.notices.append(early)
        return driver

    shelf.make = make  # type: ignore[method-assign]
    assert not hardware(setup, shelf, {"shelf-1": True, "shelf-2": True}).notices


def test_a_config_that_cannot_be_read_is_a_failed_node_with_every_problem(tmp_path: Path) -> None:
    node = demo_node(tmp_path)
    node.write_text(node.read_text().replace("rate: 80 Hz", "rate: 80 bananas"))
    source = gathered_from(node, None, 8.0, (), lambda text: None)
    parts = node_parts(source, datetime.now(UTC))
    assert (parts[0].findings[0].fault, parts[0].verdict) == (Fault.CONFIG, Verdict.FAIL)
    assert "bananas" in parts[0].findings[0].evidence


def test_hardware_that_a_silent_node_holds_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnose_attach, "DOOR_S", 0.0)
    node = demo_node(tmp_path)
    folder = tmp_path / "state" / "bay-12"
    folder.mkdir(parents=True)
    lock = StateLock(folder)
    try:
        source = gathered_from(node, None, 8.0, (), lambda text: None)
        found, _ = diagnosed(source, (), datetime.now(UTC))
    finally:
        lock.release()
    assert (found.parts[-1].findings[0].fault, found.exit_code) == (Fault.NOT_ANSWERING, 1)
    assert f"process {os.getpid()} holds" in found.parts[-1].findings[0].evidence
    assert any("boards and cells" in text for text in found.parts[-1].unseen)


def test_boards_that_are_being_calibrated_are_left_alone(tmp_path: Path) -> None:
    node = demo_node(tmp_path)
    folder = tmp_path / "state" / "bay-12"
    folder.mkdir(parents=True)
    program = (
        "import sys, pathlib; from edge.node.state_lock import StateLock; "
        "lock = StateLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, str(folder), "calibrate", "shelf-1"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DiagnosisError, match=r"`shelfedge calibrate shelf-1` .* diagnose when it is done"):
            gathered_from(node, None, 8.0, (), lambda text: None)
        holder.communicate()
